"""Facts of the paper and of the authors' code."""

import keras
import numpy as np
import pytest

from keras_pixel import check_causality
from keras_pixel import layers
from keras_pixel.models import PixelCNNPlusPlus
from tests.models.test_pixel_cnn import grid
from tests.models.test_pixel_cnn import seen_at
from tests.support.catalogue import randomize

SMALL = {"filters": 4, "num_blocks": 1, "num_mixtures": 2}


def small(image_shape=(4, 6, 1), num_levels=4, **arguments):
    return PixelCNNPlusPlus(image_shape, num_levels, **{**SMALL, **arguments})


def number_of_weights(**arguments):
    # Shapes only: no weight gets a value.
    with keras.StatelessScope(initialize_variables=False):
        return PixelCNNPlusPlus(**arguments).count_params()


def test_the_authors_model_of_cifar10_has_53_7_million_weights():
    # With a length for each filter, as theirs; their head has 100 more.
    assert number_of_weights() == 53_659_080 - 100


def test_number_of_weights_by_hand():
    f = 160
    down = 15 * (36 + 24 + 2) * f**2
    up = 17 * (36 + 2 + 24 + 4) * f**2
    strided = 2 * (2 * 3 + 2 * 2) * 2 * f**2
    first = (2 * 3 + 1 * 3 + 2 * 1) * 4 * f
    head = 100 * f
    biases = 15 * (3 + 4) * f + 17 * (4 + 4) * f + 8 * f + 3 * f + 100
    without_lengths = down + up + strided + first + head + biases
    assert number_of_weights(weight_norm=False) == without_lengths
    assert without_lengths == 53_618_660
    assert number_of_weights() == without_lengths + biases - 100


def test_whole_past_is_seen_where_the_blocks_reach_it():
    model = randomize(small(num_resolutions=2))
    assert seen_at(model, (2, 3)) == grid("""
        ######
        ######
        ###...
        ......
    """)


def test_a_lag_cuts_what_is_drawn_later():
    model = randomize(small(num_resolutions=2, lag=1))
    # Times of a row: 0, 1, 2, …; the next row starts with 1. Its own is 5.
    assert seen_at(model, (2, 3)) == grid("""
        #####.
        ####..
        ###...
        ......
    """)


@pytest.mark.parametrize("lag", [None, 2])
@pytest.mark.parametrize(
    "image_shape", [(5, 7, 3), (1, 9, 1), (9, 1, 2), (2, 2, 1)], ids=str
)
def test_images_of_any_size_are_causal(image_shape, lag):
    check_causality(randomize(small(image_shape, lag=lag)))


def test_one_pixel_has_a_distribution():
    model = randomize(small((1, 1, 1)))
    images = np.arange(4).reshape(4, 1, 1, 1)
    assert np.exp(model.log_prob(images)).sum() == pytest.approx(1.0, abs=1e-5)


def test_kernels_of_the_two_stacks():
    model = small(num_resolutions=2)
    shifted = [x for x in model.layers if isinstance(x, layers.ShiftedConv2D)]
    sizes = {
        (x.stack, x.kernel_size)
        for x in shifted
        if not x.name.startswith("first") and x.kernel_size != (1, 1)
    }
    assert sizes == {("vertical", (2, 3)), ("horizontal", (2, 2))}
    assert [x.name for x in shifted if x.strides == 2] == [
        "down_1_vertical",
        "down_1_horizontal",
    ]


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
        ({"num_levels": 1}, "num_levels=1"),
        ({"filters": 0}, "filters=0"),
        ({"num_blocks": 0}, "num_blocks=0"),
        ({"num_resolutions": 0}, "num_resolutions=0"),
        ({"lag": 0}, "lag=0"),
        ({"distribution": "normal"}, "distribution='normal'"),
        ({"num_mixtures": 0}, "num_mixtures=0"),
    ],
)
def test_wrong_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        small(**arguments)
