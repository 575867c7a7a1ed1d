"""Shifted convolutions counted by hand."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import ShiftedConv2D


def ones_convolution(inputs, *args, **kwargs):
    """Output of a layer whose kernel is all ones: it counts what it sees."""
    layer = ShiftedConv2D(1, *args, kernel_initializer="ones", **kwargs)
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    return outputs[0, :, :, 0].tolist()


ONES = np.ones((1, 3, 3, 1), "float32")


@pytest.mark.parametrize(
    ("kernel_size", "options", "expected"),
    [
        # The row itself and the one above, on both sides.
        ((2, 3), {"stack": "vertical"}, [[2, 3, 2], [4, 6, 4], [4, 6, 4]]),
        (
            (2, 3),
            {"stack": "vertical", "shift": (1, 0)},
            [[0, 0, 0], [2, 3, 2], [4, 6, 4]],
        ),
        (
            (1, 3),
            {"stack": "vertical", "shift": (1, 0)},
            [[0, 0, 0], [2, 3, 2], [2, 3, 2]],
        ),
        # Above and to the left.
        ((2, 2), {}, [[1, 2, 2], [2, 4, 4], [2, 4, 4]]),
        ((2, 1), {"shift": (0, 1)}, [[0, 1, 1], [0, 2, 2], [0, 2, 2]]),
        (1, {}, [[1, 1, 1]] * 3),
        (1, {"shift": (1, 1)}, [[0, 0, 0], [0, 1, 1], [0, 1, 1]]),
        (1, {"shift": (4, 0)}, [[0, 0, 0]] * 3),
        # Lag 1 cuts what is to the right, lag 2 only in the own row.
        (
            (2, 3),
            {"stack": "vertical", "lag": 1},
            [[1, 2, 2], [2, 4, 4]] + [[2, 4, 4]],
        ),
        (
            (2, 3),
            {"stack": "vertical", "lag": 2},
            [[1, 2, 2], [3, 5, 4]] + [[3, 5, 4]],
        ),
        # Pixels (0, 0), (0, 2), (2, 0) and (2, 2).
        ((2, 2), {"strides": 2}, [[1, 2], [2, 4]]),
        ((2, 3), {"stack": "vertical", "strides": 2}, [[2, 2], [4, 4]]),
        ((2, 2), {"strides": 3}, [[1]]),
    ],
)
def test_counts_of_what_is_seen(kernel_size, options, expected):
    assert ones_convolution(ONES, kernel_size, **options) == expected


def test_first_layer_of_the_vertical_stack_on_one_row_sees_nothing():
    row = np.ones((1, 1, 4, 1), "float32")
    options = {"stack": "vertical", "shift": (1, 0)}
    assert ones_convolution(row, (2, 3), **options) == [[0, 0, 0, 0]]


def test_rows_and_columns_of_a_kernel_are_not_swapped():
    layer = ShiftedConv2D(1, (2, 2))
    layer.build((None, 2, 2, 1))
    # Above left, above, left, itself.
    layer.kernel.assign(np.reshape([1000.0, 100.0, 10.0, 1.0], (2, 2, 1, 1)))
    image = np.array([[1, 2], [3, 4]], "float32").reshape(1, 2, 2, 1)
    outputs = np.array(layer(image))[0, :, :, 0]
    assert outputs.tolist() == [[1, 12], [103, 1234]]


def test_kernel_with_weight_norm_has_the_given_lengths():
    layer = ShiftedConv2D(2, (1, 2), weight_norm=True)
    layer.build((None, 4, 4, 1))
    layer.kernel.assign(np.reshape([3.0, 0.0, 4.0, 7.0], (1, 2, 1, 2)))
    layer.length.assign([10.0, 2.0])
    kernel = np.array(layer.effective_kernel())
    # (3, 4) of length 10; (0, 7) of length 2.
    np.testing.assert_allclose(kernel.ravel(), [6, 0, 8, 2], rtol=1e-6)


@pytest.mark.parametrize("lag", [None, 1])
def test_weight_norm_starts_as_the_initializer_says(lag):
    layer = ShiftedConv2D(5, (2, 3), "vertical", lag=lag, weight_norm=True)
    layer.build((None, 4, 4, 3))
    np.testing.assert_allclose(
        layer.effective_kernel(), layer.masked_kernel(), rtol=1e-5
    )


def test_lengths_keep_their_digits_in_mixed_precision():
    exact = ShiftedConv2D(4, (2, 3), "vertical", weight_norm=True)
    mixed = ShiftedConv2D(
        4, (2, 3), "vertical", weight_norm=True, dtype="mixed_bfloat16"
    )
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 64))
    exact(inputs), mixed(inputs)
    mixed.set_weights(exact.get_weights())
    found = keras.ops.cast(mixed(inputs), "float32")
    kernel = keras.ops.cast(exact.effective_kernel(), "bfloat16")
    plain = ShiftedConv2D(4, (2, 3), "vertical", dtype="mixed_bfloat16")
    plain.build(inputs.shape)
    plain.kernel.assign(keras.ops.cast(kernel, "float32"))
    np.testing.assert_array_equal(
        found, keras.ops.cast(plain(inputs), "float32")
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filters": 0}, "`filters` must be .* filters=0"),
        ({"kernel_size": (2, 0)}, r"`kernel_size` must be a pair .*\(2, 0\)"),
        ({"kernel_size": 2.5}, "kernel_size=2.5"),
        ({"stack": "diagonal"}, "`stack` must be one of .*stack='diagonal'"),
        (
            {"stack": "vertical", "kernel_size": (2, 4)},
            r"odd number of columns .*kernel_size=\(2, 4\)",
        ),
        ({"strides": 0}, "strides=0"),
        ({"shift": 1}, "`shift` must be a pair .*shift=1"),
        ({"shift": (-1, 0)}, r"shift=\(-1, 0\)"),
        ({"lag": 0}, "lag=0"),
    ],
)
def test_wrong_argument_is_refused(arguments, words):
    arguments = {"filters": 4, "kernel_size": (2, 2), **arguments}
    with pytest.raises(ValueError, match=words):
        ShiftedConv2D(**arguments)
