import numpy as np
from PIL import Image

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
