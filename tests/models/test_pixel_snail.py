"""Facts of the paper and of the authors' code."""

import keras
import numpy as np
import pytest

from keras_pixel import check_causality
from keras_pixel.models import PixelSNAIL
from tests.models.test_pixel_cnn import grid
from tests.models.test_pixel_cnn import seen_at
from tests.support.catalogue import randomize

SMALL = {
    "filters": 4,
    "num_blocks": 1,
    "num_residual_blocks": 1,
    "key_dim": 2,
    "value_dim": 3,
    "num_mixtures": 2,
}


def small(image_shape=(4, 6, 1), num_levels=4, **arguments):
    return PixelSNAIL(image_shape, num_levels, **{**SMALL, **arguments})


def number_of_weights(**arguments):
    # Shapes only: no weight gets a value.
    with keras.StatelessScope(initialize_variables=False):
        return PixelSNAIL(**arguments).count_params()


def count_by_hand(of_coordinates, lengths_of_head):
    """Weights of 12 blocks of 4 gated blocks with 256 filters."""

    def convolution(inputs, filters, taps=1):
        return (inputs * taps + 2) * filters  # bias and length

    def gated_block(inputs, taps=1, of_short_cut=None):
        count = convolution(inputs, inputs, taps)
        count += convolution(inputs, 2 * inputs, taps)
        if of_short_cut:
            count += convolution(of_short_cut, inputs)
        return count

    to_keys, to_queries = 3 + 256 + of_coordinates, 256 + of_coordinates
    block = 4 * gated_block(256, taps=4)
    block += gated_block(to_keys) + convolution(to_keys, 16 + 128)
    block += gated_block(to_queries) + convolution(to_queries, 16)
    block += gated_block(256, of_short_cut=128)
    first = convolution(4, 256, taps=3) + convolution(4, 256, taps=2)
    head = convolution(256, 100) - 100 * (not lengths_of_head)
    return first + 12 * block + head


def test_the_authors_model_of_cifar10_has_46_2_million_weights():
    # Row and column, each for every colour: six channels.
    assert count_by_hand(6, lengths_of_head=True) == 46_180_788
    # Here one, row and column; no lengths in the head.
    assert count_by_hand(3, lengths_of_head=False) == 46_061_312
    assert number_of_weights() == 46_061_312


def test_attention_sees_all_of_the_past():
    assert seen_at(randomize(small()), (2, 3)) == grid("""
        ######
        ######
        ###...
        ......
    """)


def test_on_a_wavefront_it_sees_all_that_is_drawn_before():
    assert seen_at(randomize(small(lag=2)), (2, 3)) == grid("""
        ######
        #####.
        ###...
        ......
    """)


@pytest.mark.parametrize("lag", [None, 2])
@pytest.mark.parametrize(
    "image_shape", [(5, 6, 3), (1, 9, 1), (9, 1, 2), (2, 2, 1)], ids=str
)
def test_images_of_any_size_are_causal(image_shape, lag):
    check_causality(randomize(small(image_shape, lag=lag)))


def test_one_pixel_has_a_distribution():
    model = randomize(small((1, 1, 1)))
    images = np.arange(4).reshape(4, 1, 1, 1)
    assert np.exp(model.log_prob(images)).sum() == pytest.approx(1.0, abs=1e-5)


def test_keys_and_values_are_made_of_the_image_and_queries_are_not():
    model = small((3, 3, 3), filters=5)
    joined = model.get_layer("block_1_attention_joined").output
    assert joined.shape[-1] == (3 + 3) + 5  # image, background, features
    queries = model.get_layer("block_1_attention_background").output
    assert queries.shape[-1] == 5 + 3


@pytest.mark.slow
@pytest.mark.graphs
def test_loss_falls():
    keras.utils.set_random_seed(0)
    model = small(dropout=0.1)
    model.compile(keras.optimizers.Adam(0.01))
    rows = np.arange(6) % 4
    images = np.broadcast_to(rows[None, None, :, None], (8, 4, 6, 1))
    history = model.fit(images, epochs=30, batch_size=8, verbose=0).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image_shape": (4,)}, "`image_shape` must be three"),
        ({"filters": 0}, "filters=0"),
        ({"num_blocks": 0}, "num_blocks=0"),
        ({"num_residual_blocks": 0}, "num_residual_blocks=0"),
        ({"key_dim": 0}, "key_dim=0"),
        ({"value_dim": 0}, "value_dim=0"),
        ({"num_heads": 0}, "num_heads=0"),
        ({"lag": 0}, "lag=0"),
        ({"distribution": "normal"}, "distribution='normal'"),
    ],
)
def test_wrong_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        small(**arguments)
