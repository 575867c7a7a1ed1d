import numpy as np
import pytest
from PIL import Image

from keras_pixel.data import cut_sheet
from keras_pixel.data import image_sheet
from keras_pixel.data import save_picture


def test_levels_become_colours_in_rows():
    images = np.zeros((3, 1, 1, 3), "uint8")
    images[1, 0, 0] = (7, 0, 0)
    images[2, 0, 0] = (0, 7, 3)
    sheet = np.asarray(image_sheet(images, 8, columns=2, scale=1))
    # Two columns and two rows of one pixel, with gaps of two.
    assert sheet.shape == (8, 8, 3)
    assert sheet[2, 2].tolist() == [0, 0, 0]
    assert sheet[2, 5].tolist() == [255, 0, 0]
    assert sheet[5, 2].tolist() == [0, 255, 110]
    assert sheet[5, 5].tolist() == [255, 255, 255]


def test_other_channel_counts_are_grey_images_side_by_side():
    images = np.array([[[[0, 1]]]], "uint8")
    sheet = np.asarray(image_sheet(images, 2, scale=1))
    assert sheet.shape == (5, 6, 3)
    assert sheet[2, 2:4, 0].tolist() == [0, 255]


def test_pictures_are_written_whole(tmp_path):
    path = tmp_path / "new" / "picture.png"
    save_picture(Image.new("RGB", (3, 2)), path)
    with Image.open(path) as picture:
        assert picture.size == (3, 2)
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]


@pytest.mark.parametrize(
    ("image_shape", "num_levels"),
    [((8, 8, 3), 256), ((8, 6, 1), 2), ((5, 8, 3), 200)],
)
def test_cut_sheet_gives_the_images_back(image_shape, num_levels):
    images = np.random.randint(num_levels, size=(7, *image_shape))
    sheet = np.asarray(image_sheet(images, num_levels))
    cut = cut_sheet(sheet, image_shape, num_levels)
    np.testing.assert_array_equal(cut, images)


@pytest.mark.parametrize("image_shape", [(8, 7, 3), (8, 8, 2)])
def test_cut_sheet_refuses_a_sheet_of_other_images(image_shape):
    images = np.random.randint(256, size=(4, 8, 8, 3))
    sheet = np.asarray(image_sheet(images, 256))
    assert cut_sheet(sheet, image_shape, 256) is None


def test_cut_sheet_refuses_an_empty_sheet():
    sheet = np.full((20, 20, 3), 255, "uint8")
    assert cut_sheet(sheet, (8, 8, 3), 256) is None
