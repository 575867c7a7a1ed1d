"""The coarse grid and back: sizes, numbers by hand, order, errors."""

import numpy as np
import pytest

from keras_pixel.layers import DownsampleConv2D
from keras_pixel.layers import UpsampleConv2D


def ones(layer, inputs):
    """The layer's output with a kernel of ones and no bias."""
    layer.build(inputs.shape)
    layer.kernel.assign(np.ones(layer.kernel.shape))
    return np.asarray(layer(inputs.astype("float32")))[..., 0]


def test_coarse_pixel_sees_itself_and_what_is_above_and_left():
    image = np.arange(1, 17).reshape(1, 4, 4, 1)
    found = ones(DownsampleConv2D(1), image)
    # (2, 2) is 11: 6 + 7 + 10 + 11. At the edges zeros are around the image.
    assert found[0].tolist() == [[1, 2 + 3], [5 + 9, 6 + 7 + 10 + 11]]


def test_fine_block_gets_the_coarse_pixel_that_is_its_first():
    image = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)
    found = ones(UpsampleConv2D(1, size=(4, 3)), image)
    assert found[0].tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4], [3, 3, 4]]


def test_places_of_a_block_have_kernels_of_their_own():
    layer = UpsampleConv2D(1, size=(2, 2))
    layer.build((1, 1, 1, 1))
    layer.kernel.assign([[1.0, 2.0, 3.0, 4.0]])
    found = np.asarray(layer(np.ones((1, 1, 1, 1), "float32")))
    assert found[0, ..., 0].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("size", [(1, 1), (5, 4), (7, 3), (1, 6)])
@pytest.mark.parametrize("strides", [2, 3])
def test_down_and_up_again_gives_the_size(size, strides):
    images = np.zeros((2, *size, 3), "float32")
    coarse = DownsampleConv2D(4, strides)(images)
    rows, columns = (-(-n // strides) for n in size)
    assert tuple(coarse.shape) == (2, rows, columns, 4)
    fine = UpsampleConv2D(5, size, strides)(coarse)
    assert tuple(fine.shape) == (2, *size, 5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DownsampleConv2D(0), "`filters` must be"),
        (lambda: DownsampleConv2D(2, strides=1), "`strides` must be"),
        (lambda: UpsampleConv2D(2, size=4), "`size` must be a pair"),
        (lambda: UpsampleConv2D(2, size=(4, 0)), "`size` must be"),
        (lambda: UpsampleConv2D(2, (4, 4), strides=1), "`strides` must be"),
    ],
)
def test_wrong_arguments_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_coarse_grid_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must have 3 rows and 2 columns"):
        UpsampleConv2D(2, size=(5, 4))(np.zeros((1, 2, 2, 3), "float32"))
