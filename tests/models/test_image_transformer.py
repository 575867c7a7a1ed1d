"""Facts of the paper: what each attention sees, the numbers of weights."""

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import layers
from keras_pixel.models import ImageTransformer
from tests.models.test_pixel_cnn import grid
from tests.models.test_pixel_cnn import seen_at
from tests.support.catalogue import randomize

SMALL = {
    "num_layers": 1,
    "hidden_dim": 4,
    "num_heads": 2,
    "intermediate_dim": 6,
}


def small(image_shape=(4, 6, 1), num_levels=4, **arguments):
    return ImageTransformer(image_shape, num_levels, **{**SMALL, **arguments})


def test_full_attention_sees_all_of_the_past():
    assert seen_at(randomize(small(attention="full")), (2, 3)) == grid("""
        ######
        ######
        ###...
        ......
    """)


def test_1d_attention_sees_its_block_and_its_memory():
    model = small(query_shape=(1, 4), memory_flange=(0, 2))
    # Pixel 15 sees itself in the block 12 … 15, moved on by one place.
    assert seen_at(randomize(model), (2, 3)) == grid("""
        ......
        ...###
        ###...
        ......
    """)


def test_2d_attention_sees_its_block_and_what_is_around_it():
    model = small(
        attention="local_2d", query_shape=(2, 2), memory_flange=(1, 1)
    )
    # Rows 1 … 3 and columns 1 … 4 of raster order, moved on by one place.
    assert seen_at(randomize(model), (2, 3)) == grid("""
        ......
        ####..
        ###...
        ......
    """)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"attention": "full"}, "######\n#####.\n###..."),
        # Pixel 15 sees the block 12 … 15 and pixel 10 of the memory.
        (
            {"query_shape": (1, 12), "memory_flange": (0, 2)},
            "...###\n#####.\n###...",
        ),
        # Row 2 and columns 1 … 3.
        (
            {
                "attention": "local_2d",
                "query_shape": (2, 2),
                "memory_flange": (0, 1),
            },
            "......\n#####.\n###...",
        ),
    ],
    ids=["full", "1d", "2d"],
)
def test_on_a_wavefront_it_sees_what_is_drawn_before(arguments, expected):
    # Lag 2: the pixel asked about has the time 7, pixel (1, 5) too. The first
    # kernel goes a row up and a column to each side.
    model = small(first_kernel_size=3, lag=2, **arguments)
    assert seen_at(randomize(model), (2, 3)) == expected + "\n......"


def test_it_is_drawn_along_the_wavefront_of_its_lag():
    model = randomize(small((3, 5, 1), first_kernel_size=3, lag=2))
    assert model.lag == 2
    noise = np.random.default_rng(0).random((3, 3, 5, 1), "float32")
    np.testing.assert_array_equal(
        model.sample(noise=noise, method="cached"),
        model.sample(noise=noise, method="naive"),
    )


def test_number_of_weights_by_hand():
    model = ImageTransformer(
        (4, 5, 3), 8, attention="full", positional_encoding="learned", **SMALL
    )
    first = 3 * 8 * 4 + 4  # vectors of levels, start token
    positions = (4 + 5 + 3) * 4
    attention = 4 * 12 + 4 * 4
    feed_forward = (4 * 6 + 6) + (6 * 4 + 4)
    norms = 3 * 2 * 4
    head = (3 * 4) * (3 * 8) + 3 * 8
    total = first + positions + attention + feed_forward + norms + head
    assert model.count_params() == total


def test_first_sub_pixel_is_the_same_for_every_image():
    model = randomize(small((3, 3, 3)))
    images = np.random.randint(4, size=(5, 3, 3, 3))
    first = np.asarray(model(images))[:, 0, 0, 0]
    np.testing.assert_allclose(first, first[:1].repeat(5, axis=0), atol=1e-6)


def test_start_is_an_embedding_or_a_masked_convolution():
    names = {type(layer) for layer in small().layers}
    assert {layers.EmbedLevels, layers.ShiftRight} <= names
    model = small(first_kernel_size=5, num_frequencies=2)
    names = {type(layer) for layer in model.layers}
    assert {layers.ScaleLevels, layers.MaskedConv2D} <= names
    assert not {layers.EmbedLevels, layers.ShiftRight} & names
    assert model.get_layer("first").mask_type == "A"


def test_pairs_of_a_file_are_the_same_pairs():
    model = small(query_shape=[1, 3], memory_flange=[0, 2])
    assert model.get_config()["query_shape"] == (1, 3)
    assert model.get_config()["memory_flange"] == (0, 2)
    assert small().get_config()["query_shape"] is None


def test_activation_may_be_a_function(tmp_path):
    model = randomize(small(activation=keras.activations.silu))
    model.save_preset(tmp_path / "preset")
    again = keras_pixel.load(tmp_path / "preset")
    images = np.random.default_rng(0).integers(4, size=(2, 4, 6, 1))
    np.testing.assert_array_equal(again(images), model(images))


def test_one_channel_costs_no_change_of_layout():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("looks at TensorFlow's graph")
    import tensorflow as tf

    layer = layers.PerSubPixel(keras.layers.Dense(4))
    spec = tf.TensorSpec((2, 4, 6, 4))
    graph = tf.function(layer).get_concrete_function(spec).graph
    assert "Transpose" not in {x.type for x in graph.get_operations()}


def test_learned_positions_fit_one_image_size(tmp_path):
    model = small(positional_encoding="learned")
    model.save_preset(tmp_path / "preset")
    with pytest.raises(ValueError, match="must fit the model"):
        keras_pixel.load(tmp_path / "preset", image_shape=(5, 6, 1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image_shape": (4,)}, "`image_shape` must be three"),
        ({"attention": "local"}, "attention='local'"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"num_heads": 3}, "num_heads=3, tokens of 4"),
        ({"query_shape": (2, 4)}, r"must be \(1, n\). Received: query_shape"),
        ({"memory_flange": (1, 4)}, r"must be \(0, n\). Received: memory_fl"),
        ({"query_shape": 7}, "must be a pair .*query_shape=7"),
        (
            {"attention": "full", "query_shape": (1, 4)},
            'query_shape=.*attention="full"',
        ),
        ({"positional_encoding": "rotary"}, "kind='rotary'"),
        ({"first_kernel_size": 4}, "`kernel_size` must be an odd"),
        ({"num_frequencies": 2}, "needs `first_kernel_size`"),
        ({"lag": 2}, "needs `first_kernel_size`.*lag=2"),
        ({"lag": 0, "first_kernel_size": 3}, "lag=0"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        small(**arguments)
