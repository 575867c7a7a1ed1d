"""Masked convolutions counted by hand."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import MaskedConv2D


def ones_convolution(inputs, *args, **kwargs):
    """Output of a layer whose kernel is all ones: it counts what it sees."""
    layer = MaskedConv2D(
        *args, kernel_initializer="ones", use_bias=False, **kwargs
    )
    return keras.ops.convert_to_numpy(layer(inputs))


@pytest.mark.parametrize(
    ("mask_type", "expected"),
    [
        # Neighbours above and to the left; with B the centre too.
        ("A", [[0, 1, 1], [2, 4, 3], [2, 4, 3]]),
        ("B", [[1, 2, 2], [3, 5, 4], [3, 5, 4]]),
    ],
)
def test_counts_of_neighbours(mask_type, expected):
    image = np.ones((1, 3, 3, 1), "float32")
    seen = ones_convolution(image, 1, 3, mask_type=mask_type)
    assert seen[0, :, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("mask_type", "expected"), [("A", [0, 1, 11]), ("B", [1, 11, 111])]
)
def test_colours_of_one_pixel(mask_type, expected):
    # Red, green, blue are worth 1, 10, 100.
    pixel = np.array([1, 10, 100], "float32").reshape(1, 1, 1, 3)
    seen = ones_convolution(pixel, 3, 3, mask_type=mask_type, channels=3)
    assert seen.reshape(-1).tolist() == expected


def test_is_a_full_convolution_with_a_masked_kernel():
    layer = MaskedConv2D(4, (5, 3), channels=2)
    images = np.random.rand(2, 4, 5, 6).astype("float32")
    outputs = layer(images)
    kernel = np.zeros((5, 3, 6, 4), "float32")
    kernel[:3] = np.asarray(layer.masked_kernel())
    expected = keras.ops.conv(images, kernel, padding="same")
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_dilated_kernel_counts_places_further_apart():
    # Place t is worth 10 to the power t: it shows what is seen.
    sequence = 10.0 ** np.arange(5).reshape(1, 1, 5, 1)
    seen = ones_convolution(
        sequence.astype("float32"), 1, (1, 3), dilation_rate=(1, 2)
    )
    assert seen.reshape(-1).tolist() == [1, 10, 101, 1010, 10100]
    # Both axes: rows 2 apart, columns 1 apart.
    image = np.ones((1, 3, 3, 1), "float32")
    seen = ones_convolution(image, 1, 3, mask_type="A", dilation_rate=(2, 1))
    assert seen[0, :, :, 0].tolist() == [[0, 1, 1], [0, 1, 1], [2, 4, 3]]


def test_dilation_moves_the_least_lag():
    # A tap one row up and 2 to the right needs a lag of 3.
    assert MaskedConv2D(1, 3, dilation_rate=(1, 2)).least_lag == 3
    assert MaskedConv2D(1, 3, dilation_rate=2).least_lag == 2
    assert MaskedConv2D(1, 3, dilation_rate=(1, 2), lag=2).least_lag == 1


@pytest.mark.parametrize("kernel_size", [(1, 3), (1, 7), 3])
@pytest.mark.parametrize("lag", [None, 1])
def test_masked_columns_are_not_multiplied(kernel_size, lag):
    layer = MaskedConv2D(4, kernel_size, lag=lag)
    images = np.random.rand(2, 3, 9, 2).astype("float32")
    outputs = layer(images)
    kernel = np.asarray(layer.masked_kernel())
    below = np.zeros((kernel.shape[0] - 1, *kernel.shape[1:]), "float32")
    kernel = np.concatenate([kernel, below])
    expected = keras.ops.conv(images, kernel, padding="same")
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_rows_below_the_centre_are_not_stored():
    layer = MaskedConv2D(4, 7)
    layer.build((None, 8, 8, 2))
    assert layer.kernel.shape == (4, 7, 2, 4)


def test_weights_are_not_changed_by_a_call():
    layer = MaskedConv2D(1, 3, mask_type="A", kernel_initializer="ones")
    images = np.ones((1, 4, 4, 1), "float32")
    layer(images)
    layer(images, training=True)
    assert (np.asarray(layer.kernel) == 1).all()
    assert np.asarray(layer.masked_kernel())[-1].reshape(-1).tolist() == [
        *(1, 0, 0)
    ]


def test_bias_is_optional():
    layer = MaskedConv2D(4, 3, use_bias=False)
    layer.build((None, 8, 8, 2))
    assert [w.name for w in layer.weights] == ["kernel"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"filters": 4, "channels": 3},
            "`filters` must be divisible by `channels`.*Received: filters=4, "
            "channels=3. Use 3 or 6",
        ),
        ({"filters": 2, "channels": 3}, "filters=2, channels=3. Use 3."),
        (
            {"filters": 0},
            "`filters` must be an integer of at least 1.*filters=0",
        ),
        ({"kernel_size": 4}, "`kernel_size` must be an odd.*kernel_size=4"),
        ({"kernel_size": (3, 2)}, r"Received: kernel_size=\(3, 2\)"),
        ({"kernel_size": (3, 3, 3)}, "or a pair of them"),
        ({"dilation_rate": 0}, "`dilation_rate` must be a pair"),
        ({"dilation_rate": (1, 2, 3)}, "`dilation_rate` must be a pair"),
        ({"mask_type": "C"}, "`mask_type` must be.*mask_type='C'"),
        (
            {"channels": 0},
            "`channels` must be an integer of at least 1.*channels=0",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        MaskedConv2D(**{"filters": 6, "kernel_size": 3, **arguments})


def test_input_that_does_not_split_into_channels_is_refused():
    layer = MaskedConv2D(6, 3, channels=3)
    with pytest.raises(ValueError, match="`in_features` must be divisible"):
        layer.build((None, 4, 4, 4))
