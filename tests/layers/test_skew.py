"""Diagonals as columns, by hand."""

import numpy as np
import pytest

from keras_pixel.layers.skew import skew
from keras_pixel.layers.skew import unskew


def test_rows_move_one_column_further_right_each():
    image = np.arange(1.0, 7.0).reshape(2, 3, 1, 1)
    skewed = np.asarray(skew([image]))  # (time, 1, row, 1, 1)
    np.testing.assert_array_equal(
        skewed[:, 0, :, 0, 0].T, [[1, 2, 3, 0], [0, 4, 5, 6]]
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 5), (5, 2)])
def test_unskew_undoes_skew(shape):
    random = np.random.default_rng(0)
    maps = [
        random.normal(size=(*shape, 2, 3)).astype("float32") for _ in range(2)
    ]
    skewed = skew(maps)
    height, width = shape
    assert tuple(skewed.shape) == (height + width - 1, 2, height, 2, 3)
    for found, expected in zip(unskew(skewed), maps, strict=True):
        np.testing.assert_array_equal(found, expected)
