"""The two conversions, and what is refused as an image."""

import keras
import numpy as np
import pytest

from keras_pixel.levels import check_images
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


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "uint16"])
def test_any_integers_are_images(dtype):
    checked = check_images(np.ones((2, 3, 4, 1), dtype), (3, 4, 1), 2)
    assert checked.dtype == "int32"
    assert checked.shape == (2, 3, 4, 1)


def test_tensors_and_booleans_are_images():
    tensor = keras.ops.ones((1, 2, 2, 1), "int32")
    assert check_images(tensor, (2, 2, 1), 2).sum() == 4
    flags = np.ones((1, 2, 2, 1), bool)
    assert check_images(flags, (2, 2, 1), 2).sum() == 4


def test_empty_batch_is_fine():
    assert check_images(np.zeros((0, 2, 2, 1), int), (2, 2, 1), 2).size == 0


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (
            np.zeros((1, 2, 2, 1)),
            TypeError,
            "must hold integer levels .* Received: images.dtype=float64.*"
            "floats_to_levels",
        ),
        (np.zeros((1, 2, 2, 1), bool), TypeError, "dtype=bool"),
        ("image.png", TypeError, "`images` must .* Received: "),
        (
            np.zeros((2, 2, 1), int),
            ValueError,
            r"Received: images.shape=\(2, 2, 1\). For a single image",
        ),
        (
            np.zeros((5, 2, 2), int),
            ValueError,
            "For grey images use `images",
        ),
        (
            np.zeros((1, 2, 2, 3), int),
            ValueError,
            r"image_shape=\(2, 2, 1\). Received: images.shape=\(1, 2, 2, 3\)",
        ),
        (
            np.full((1, 2, 2, 1), 16),
            ValueError,
            "levels from 0 to 15 .* Received: levels from 16 to 16.*"
            r"astype\(int\) \* 16 // 256",
        ),
        (
            np.full((1, 2, 2, 1), -1),
            ValueError,
            "Received: levels from -1 to -1",
        ),
    ],
    ids=[
        *("floats", "booleans", "text", "single", "no_axis"),
        *("channels", "high", "low"),
    ],
)
def test_what_is_no_image_is_refused(images, error, words):
    with pytest.raises(error, match=words):
        check_images(images, (2, 2, 1), 16)
