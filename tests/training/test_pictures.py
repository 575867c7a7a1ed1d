import numpy as np
from PIL import Image

from keras_pixel.training import image_sheet
from keras_pixel.training import learning_curve
from keras_pixel.training import save_picture
from keras_pixel.training.history import History


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


def test_learning_curve_is_drawn_with_any_number_of_rows(tmp_path):
    history = History(tmp_path / "history.csv")
    assert learning_curve(history).size == (720, 400)
    for step in (10, 20, 30):
        history.append(
            {
                "step": step,
                "bits_per_dim": 5 - step / 10,
                "validation_bits_per_dim": 5.5 if step == 20 else None,
                "learning_rate": 0.1,
                "images_per_second": 1.0,
                "seconds": 1.0,
            }
        )
        curve = np.asarray(learning_curve(history))
    blue = (curve == (0x1F, 0x6F, 0xB2)).all(axis=-1)
    orange = (curve == (0xD9, 0x66, 0x0B)).all(axis=-1)
    # The training curve falls from the left to the right; the picture's rows
    # are counted from the top.
    y, x = np.nonzero(blue[40:360])
    assert y[x.argmax()] > y[x.argmin()]
    assert orange.any()


def test_pictures_are_atomic_file(tmp_path):
    path = tmp_path / "new" / "picture.png"
    save_picture(Image.new("RGB", (3, 2)), path)
    with Image.open(path) as picture:
        assert picture.size == (3, 2)
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]
