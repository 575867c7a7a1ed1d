"""Transposed shifted convolutions, by hand."""

import numpy as np
import pytest

from keras_pixel.layers import ShiftedConv2D
from keras_pixel.layers import ShiftedConv2DTranspose

# Two rows and two columns of a coarse grid.
COARSE = np.array([[1, 10], [100, 1000]], "float32").reshape(1, 2, 2, 1)


def ones_convolution(kernel_size, size, inputs=COARSE, **options):
    layer = ShiftedConv2DTranspose(
        1, kernel_size, size, kernel_initializer="ones", **options
    )
    return np.array(layer(inputs))[0, :, :, 0].tolist()


@pytest.mark.parametrize(
    ("kernel_size", "options", "expected"),
    [
        # Blocks of 2×2.
        (
            (2, 2),
            {},
            [[1, 1, 10, 10], [1, 1, 10, 10]] + [[100, 100, 1000, 1000]] * 2,
        ),
        # Odd columns lie between two coarse positions.
        (
            (2, 3),
            {"stack": "vertical"},
            [[1, 11, 10, 10]] * 2 + [[100, 1100, 1000, 1000]] * 2,
        ),
        # Lag 1: no coarse position to the right.
        (
            (2, 3),
            {"stack": "vertical", "lag": 1},
            [[1, 1, 10, 10]] * 2 + [[100, 100, 1000, 1000]] * 2,
        ),
        # Lag 2: one to the right of the row above, not of the own row.
        (
            (2, 3),
            {"stack": "vertical", "lag": 2},
            [[1, 1, 10, 10], [1, 11, 10, 10]]
            + [[100, 100, 1000, 1000], [100, 1100, 1000, 1000]],
        ),
    ],
)
def test_what_is_fed(kernel_size, options, expected):
    assert ones_convolution(kernel_size, (4, 4), **options) == expected


def test_odd_size_is_cut():
    found = ones_convolution((2, 2), (3, 3))
    assert found == [[1, 1, 10], [1, 1, 10], [100, 100, 1000]]


def test_rows_and_columns_of_a_kernel_are_not_swapped():
    layer = ShiftedConv2DTranspose(1, (2, 2), (2, 2))
    layer.build((None, 1, 1, 1))
    layer.kernel.assign(np.reshape([1.0, 2.0, 3.0, 4.0], (2, 2, 1, 1)))
    outputs = np.array(layer(np.ones((1, 1, 1, 1), "float32")))
    assert outputs[0, :, :, 0].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("size", [(4, 6), (5, 5), (1, 7), (6, 1), (1, 1)])
def test_goes_back_to_the_size_before_a_strided_convolution(size):
    for stack, kernel_size in (("vertical", (2, 3)), ("horizontal", 2)):
        inputs = np.ones((2, *size, 3), "float32")
        coarse = ShiftedConv2D(4, kernel_size, stack, strides=2)(inputs)
        layer = ShiftedConv2DTranspose(3, kernel_size, size, stack)
        assert layer(coarse).shape == inputs.shape


def test_weight_norm_gives_every_filter_its_length():
    layer = ShiftedConv2DTranspose(2, (2, 2), (2, 2), weight_norm=True)
    layer.build((None, 1, 1, 3))
    np.testing.assert_allclose(
        layer.effective_kernel(), layer.kernel, rtol=1e-5
    )
    layer.length.assign([2.0, 3.0])
    kernel = np.array(layer.effective_kernel())
    squares = (kernel**2).sum(axis=(0, 1, 3))
    np.testing.assert_allclose(squares, [4.0, 9.0], rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filters": 0}, "filters=0"),
        ({"size": (4, 0)}, r"`size` must be a pair .*size=\(4, 0\)"),
        ({"size": 4}, "size=4"),
        ({"strides": 1}, "`strides` must be .* strides=1"),
        ({"lag": -1}, "lag=-1"),
        ({"stack": "both"}, "stack='both'"),
        (
            {"kernel_size": (1, 2)},
            "every pixel is fed. .*Use at least 2 rows and 2 columns",
        ),
        (
            {"kernel_size": (2, 1), "stack": "vertical"},
            "Use at least 2 rows and 3 columns",
        ),
    ],
)
def test_wrong_argument_is_refused(arguments, words):
    arguments = {
        **{"filters": 4, "kernel_size": (2, 2), "size": (4, 4)},
        **arguments,
    }
    with pytest.raises(ValueError, match=words):
        ShiftedConv2DTranspose(**arguments)


def test_inputs_that_do_not_fit_are_refused():
    layer = ShiftedConv2DTranspose(1, 2, (5, 4))
    with pytest.raises(ValueError, match="must have 3 rows and 2 columns"):
        layer(COARSE)
