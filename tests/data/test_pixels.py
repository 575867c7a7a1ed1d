"""Quantisation, colours and sizes, with numbers worked by hand."""

import numpy as np
import pytest
from PIL import Image

from keras_pixel.data.pixels import PixelConverter
from keras_pixel.data.pixels import as_bytes
from keras_pixel.data.pixels import grey
from keras_pixel.data.pixels import rescale


def pixels(*values):
    return np.array(values, "uint8").reshape(1, 1, -1, 1)


@pytest.mark.parametrize(
    "num_levels, values, levels",
    [
        (2, (0, 127, 128, 255), (0, 0, 1, 1)),
        (3, (0, 85, 86, 170, 171, 255), (0, 0, 1, 1, 2, 2)),
        (4, (63, 64, 128, 191, 192, 255), (0, 1, 2, 2, 3, 3)),
        (16, (15, 16, 240, 255), (0, 1, 15, 15)),
        (256, (0, 1, 254, 255), (0, 1, 254, 255)),
    ],
)
def test_quantisation(num_levels, values, levels):
    got = PixelConverter(num_levels).quantise(pixels(*values))
    assert got.dtype == np.uint8
    assert got.ravel().tolist() == list(levels)


@pytest.mark.parametrize("num_levels", range(2, 257, 7))
def test_quantisation_is_floor_of_the_formula(num_levels):
    every = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    got = PixelConverter(num_levels, values="pixels").quantise(every)
    want = [v * num_levels // 256 for v in range(256)]
    assert got.ravel().tolist() == want
    assert set(want) == set(range(num_levels))


def test_levels_are_taken_as_they_are():
    converter = PixelConverter(4, values="levels")
    assert converter.quantise(pixels(0, 1, 3)).ravel().tolist() == [0, 1, 3]


def test_binary_data_are_levels_already():
    assert PixelConverter(2).quantise(pixels(0, 1)).ravel().tolist() == [0, 1]
    asked = PixelConverter(2, values="pixels").quantise(pixels(0, 1))
    assert asked.ravel().tolist() == [0, 0]


def test_black_is_level_zero():
    assert PixelConverter(8).quantise(pixels(0, 0)).max() == 0


def test_what_may_be_either_is_refused():
    with pytest.raises(ValueError, match='Pass values="levels" to take them'):
        PixelConverter(8).quantise(pixels(0, 7))


def test_levels_above_the_highest_are_refused():
    with pytest.raises(ValueError, match="num_levels=8, highest value=8"):
        PixelConverter(8, values="levels").quantise(pixels(0, 8))


def test_grey_to_rgb_and_back():
    image = np.array([[[9], [200]]], "uint8")  # (1, 2, 1)
    colour = PixelConverter(image_shape=(1, 2, 3)).fit_shape(image, "a")
    assert colour.tolist() == [[[9, 9, 9], [200, 200, 200]]]
    back = PixelConverter(image_shape=(1, 2, 1)).fit_shape(colour, "a")
    np.testing.assert_array_equal(back, image)


def test_grey_is_luma_as_in_pillow():
    # 0.299 · 255 = 76.2, 0.587 · 255 = 149.7, 0.114 · 255 = 29.1
    primaries = 255 * np.eye(3, dtype="uint8")[None]  # (1, 3, 3)
    assert grey(primaries).ravel().tolist() == [76, 150, 29]
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), "uint8")
    want = np.asarray(Image.fromarray(image).convert("L"))
    np.testing.assert_array_equal(grey(image)[..., 0], want)


def test_first_image_gives_the_shape():
    converter = PixelConverter()
    converter.fit_shape(np.zeros((4, 5, 3), "uint8"), "a.png")
    assert converter.image_shape == (4, 5, 3)
    with pytest.raises(ValueError, match=r"b.png of shape \(5, 4, 3\)"):
        converter.fit_shape(np.zeros((5, 4, 3), "uint8"), "b.png")
    with pytest.raises(ValueError, match="b.png of 2 channels"):
        PixelConverter(image_shape=(4, 5, 4)).fit_shape(
            np.zeros((4, 5, 2), "uint8"), "b.png"
        )


def test_resize_stretches_and_center_crop_does_not():
    # Left half black, right half white; 4 rows, 8 columns.
    image = np.zeros((4, 8, 1), "uint8")
    image[:, 4:] = 255
    stretched = rescale(image, (4, 4), "resize")
    assert stretched[:, 0].max() < 40 and stretched[:, 3].min() > 215
    cropped = rescale(image, (4, 4), "center_crop")
    np.testing.assert_array_equal(cropped, image[:, 2:6])


def test_center_crop_takes_the_middle_of_a_tall_image():
    image = np.arange(8, dtype="uint8").reshape(8, 1, 1).repeat(2, 1)
    assert rescale(image, (2, 2), "center_crop").tolist() == [
        [[3], [3]],
        [[4], [4]],
    ]


@pytest.mark.parametrize("how", ["resize", "center_crop"])
def test_flat_images_stay_flat(how):
    image = np.full((9, 14, 3), (10, 100, 250), "uint8")
    got = rescale(image, (5, 5), how)
    np.testing.assert_array_equal(got, np.full((5, 5, 3), (10, 100, 250)))


def test_many_images_are_resized_alike():
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 3), "uint8")
    got = PixelConverter(image_shape=(4, 4, 1), resize="resize").fit_shape(
        images, "array"
    )
    assert got.shape == (3, 4, 4, 1)
    alone = PixelConverter(image_shape=(4, 4, 1), resize="resize").fit_shape(
        images[1], "array"
    )
    np.testing.assert_array_equal(got[1], alone)


@pytest.mark.parametrize(
    "shape, words",
    [
        ((2, 2, 1), "Levels cannot be resized"),
        ((4, 4, 1), "where they are 8-bit values"),
    ],
    ids=["size", "colour"],
)
def test_levels_cannot_be_blended(shape, words):
    converter = PixelConverter(4, shape, "resize", "levels")
    with pytest.raises(ValueError, match=words):
        converter.fit_shape(np.zeros((4, 4, 3), "uint8"), "array")


def test_resized_binary_values_are_refused():
    converter = PixelConverter(2, (2, 2, 1), "resize")
    small = converter.fit_shape(np.ones((1, 4, 4, 1), "uint8"), "array")
    with pytest.raises(ValueError, match="may be 8-bit values or already"):
        converter.quantise(small)


@pytest.mark.parametrize(
    "array, options, words",
    [
        (np.array([0, 256]), {}, "0 to 255. Received: values from 0 to 256"),
        (np.array([-1, 3]), {}, "values from -1 to 3"),
        (
            np.array([0, 4]),
            {"num_levels": 4, "values": "levels"},
            "integers from 0 to 3",
        ),
        (np.array([True]), {}, "boolean array has two levels"),
    ],
    ids=["high", "negative", "level", "boolean"],
)
def test_values_out_of_range(array, options, words):
    with pytest.raises(ValueError, match=words):
        as_bytes(array, PixelConverter(**options))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"num_levels": 1}, "num_levels=1"),
        ({"num_levels": 257}, "num_levels=257"),
        ({"num_levels": True}, "num_levels=True"),
        ({"num_levels": 4.0}, "num_levels=4.0"),
        ({"image_shape": (32, 32)}, "`image_shape` must be three"),
        ({"image_shape": 32}, "image_shape=32"),
        ({"image_shape": (0, 2, 1)}, "image_shape="),
        ({"resize": "crop", "image_shape": (2, 2, 1)}, "resize='crop'"),
        ({"resize": "resize"}, "`resize` needs `image_shape`"),
        ({"values": "bytes"}, "values='bytes'"),
    ],
)
def test_arguments_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        PixelConverter(**options)
