"""The two conversions."""

import keras
import numpy as np
import pytest

from keras_pixel.levels import bits_per_dim
from keras_pixel.levels import floats_to_levels
from keras_pixel.levels import levels_to_floats


def test_levels_of_four_are_thirds():
    floats = levels_to_floats(np.arange(4), 4)
    np.testing.assert_allclose(floats, [-1, -1 / 3, 1 / 3, 1], atol=1e-6)


@pytest.mark.parametrize("num_levels", [2, 3, 16, 255, 256])
def test_there_and_back(num_levels):
    levels = np.arange(num_levels)
    again = floats_to_levels(levels_to_floats(levels, num_levels), num_levels)
    np.testing.assert_array_equal(again, levels)
    assert keras.backend.standardize_dtype(again.dtype) == "int32"


def test_floats_go_to_the_nearest_level_and_no_further():
    floats = np.array([-7.0, -0.7, -0.6, 0.0001, 0.99, 7.0], "float32")
    np.testing.assert_array_equal(
        floats_to_levels(floats, 4), [0, 0, 1, 2, 3, 3]
    )


def test_scaled_in_float32_before_the_cast():
    # 255 is 256 in bfloat16: scaled there it would lie above 1.
    top = levels_to_floats(np.array([255], "uint8"), 256, dtype="bfloat16")
    assert float(keras.ops.cast(top, "float32")[0]) == 1.0


def test_a_byte_per_value_is_eight_bits_per_dim():
    # One of 256 ** 4 images that are equally probable.
    log_prob = -4 * np.log(256.0)
    assert bits_per_dim(log_prob, (2, 2, 1)) == pytest.approx(8)
