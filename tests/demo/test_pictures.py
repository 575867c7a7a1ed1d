"""Pictures of a browser become levels, and levels pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_pixel.demo import pictures

GREY = (4, 6, 1), 4
COLOUR = (8, 8, 3), 256
MASK = (255, 0, 80)


@pytest.fixture(params=[GREY, COLOUR, ((5, 3, 3), 7)], ids=str)
def kind(request):
    return request.param


def random_image(image_shape, num_levels):
    return np.random.randint(num_levels, size=image_shape)


def stroke(canvas, rows, columns, colour=MASK, opacity=255):
    layer = np.zeros_like(canvas)
    layer[rows, columns] = (*colour, opacity)
    return layer


def upload(tmp_path, array, **options):
    path = tmp_path / "upload.png"
    Image.fromarray(array).save(path, **options)
    return path


def test_enlarged_image_is_read_back_exactly(kind, tmp_path):
    image = random_image(*kind)
    canvas = pictures.enlarge(image, kind[1])
    assert canvas.shape == (pictures.CANVAS, pictures.CANVAS, 4)
    # The lower half of the canvas.
    half = pictures.CANVAS // 2
    layer = stroke(canvas, slice(half, None), slice(None))
    value = {"background": canvas, "layers": [layer]}
    levels, known, note = pictures.read_editor(value, *kind)
    np.testing.assert_array_equal(levels, image)
    assert note == ""
    height = kind[0][0]
    assert known[: height // 2].all()
    assert not known[-(height // 2) :].any()


def test_upload_of_an_image_is_read_back_exactly(kind, tmp_path):
    image = random_image(*kind)
    rgb = pictures.to_rgb(image[None], kind[1])[0]
    for step in (1, 3):
        enlarged = rgb.repeat(step, axis=0).repeat(step, axis=1)
        path = upload(tmp_path, enlarged)
        levels, note = pictures.read_upload(path, *kind)
        np.testing.assert_array_equal(levels, image)
        assert note == ""


def test_centre_of_other_uploads_is_scaled_and_said(tmp_path):
    values = np.zeros((40, 80), "uint8")
    values[:, 20:60] = 255  # the centre is white
    levels, note = pictures.read_upload(
        upload(tmp_path, values), (4, 4, 1), num_levels=4
    )
    assert (levels == 3).all()
    assert "80×40" in note
    assert "4×4 pixels, in grey of 4 levels" in note


def test_lost_levels_are_said_too(tmp_path):
    values = np.full((4, 6), 100, "uint8")
    levels, note = pictures.read_upload(upload(tmp_path, values), *GREY)
    assert (levels == 1).all()
    assert "4 levels" in note


def test_transparent_parts_of_an_upload_become_white(tmp_path):
    values = np.zeros((4, 4, 4), "uint8")
    levels, _ = pictures.read_upload(
        upload(tmp_path, values), (4, 4, 1), num_levels=2
    )
    assert (levels == 1).all()


def test_broken_uploads_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="cannot be read") as error:
        pictures.read_upload(path, *GREY)
    assert str(tmp_path) not in str(error.value)
    file = io.BytesIO()
    noise = np.random.randint(256, size=(99, 99), dtype="uint8")
    Image.fromarray(noise).save(file, "PNG")
    path.write_bytes(file.getvalue()[:5000])
    with pytest.raises(ValueError, match="cannot be read"):
        pictures.read_upload(path, *GREY)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 80)
    with pytest.raises(ValueError, match=r"at\s+most. Received: 9×9"):
        pictures.read_upload(upload(tmp_path, np.zeros((9, 9), "uint8")), *GREY)


def test_drawing_on_an_empty_canvas(tmp_path):
    canvas = np.zeros((448, 448, 4), "uint8")
    drawn = stroke(canvas, slice(0, 112), slice(0, 112), (0, 0, 0))
    marked = stroke(canvas, slice(336, 448), slice(0, 448))
    value = {"background": None, "layers": [drawn, canvas, marked]}
    levels, known, _ = pictures.read_editor(value, (4, 4, 1), 2)
    assert levels[..., 0].tolist()[0] == [0, 1, 1, 1]
    assert levels.sum() == 15
    assert known.sum(axis=1).tolist() == [4, 4, 4, 0]


def test_soft_edges_of_marks_are_no_drawing(kind):
    image = random_image(*kind)
    canvas = pictures.enlarge(image, kind[1])
    soft = stroke(canvas, slice(0, 300), slice(None), opacity=60)
    hard = stroke(canvas, slice(300, None), slice(None))
    value = {"background": canvas, "layers": [soft, hard]}
    levels, known, _ = pictures.read_editor(value, *kind)
    np.testing.assert_array_equal(levels, image)
    assert known[0].all() and not known[-1].any()


def test_pixels_are_redrawn_where_a_quarter_is_marked():
    canvas = pictures.enlarge(np.zeros((4, 4, 1), int), 2)  # squares of 112
    for rows, is_known in ((27, True), (29, False)):
        layer = stroke(canvas, slice(0, rows), slice(0, 112))
        layer |= stroke(canvas, slice(336, None), slice(None))
        value = {"background": canvas, "layers": [layer]}
        _, known, _ = pictures.read_editor(value, (4, 4, 1), 2)
        assert known[0, 0] == is_known
        assert known[0, 1]


def test_other_proportions_are_cropped_with_their_mask():
    canvas = np.zeros((448, 448, 4), "uint8")
    canvas[112:336] = 255  # a wide picture amid the canvas
    layer = stroke(canvas, slice(112, 336), slice(112, 224))
    value = {"background": canvas, "layers": [layer]}
    levels, known, _ = pictures.read_editor(value, (4, 4, 1), 2)
    assert (levels == 1).all()
    # The centre of 224×224, whose left half is marked.
    assert known.tolist() == [[False, False, True, True]] * 4


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "an empty canvas"),
        ({"background": None, "layers": []}, "an empty canvas"),
        (
            {"background": np.full((8, 8, 4), 255, "uint8"), "layers": []},
            "Paint over",
        ),
        (
            {
                "background": np.full((8, 8, 4), 255, "uint8"),
                "layers": [np.full((9, 8, 4), 255, "uint8")],
            },
            "as large as",
        ),
    ],
)
def test_editor_without_picture_or_mark_is_refused(value, words):
    with pytest.raises(ValueError, match=words):
        pictures.read_editor(value, *GREY)


def test_every_colour_but_the_mark_is_a_drawing():
    for colour in pictures.DRAWING_COLOURS:
        red, green, blue = bytes.fromhex(colour[1:])
        layer = np.full((1, 1, 4), (red, green, blue, 255), "uint8")
        assert not pictures._is_mask_colour(layer).any()
    assert bytes.fromhex(pictures.MASK_COLOUR[1:]) == bytes(MASK)


def test_undrawn_pixels_are_marked_in_a_sheet():
    images = np.full((1, 2, 2, 1), 3)
    is_drawn = np.array([[[True, False], [False, False]]])
    sheet = np.asarray(pictures.draw_sheet(images, is_drawn, 4))
    colours = {tuple(pixel) for pixel in sheet.reshape(-1, 3).tolist()}
    assert colours == {(255, 255, 255), pictures._UNDRAWN}


def test_heat_map_is_brightest_where_the_bits_are():
    bits = np.zeros((4, 4))
    bits[1] = 2.0
    heat = np.asarray(pictures.draw_heat(bits)).astype(int).sum(axis=-1)
    step = pictures.CANVAS // 4
    assert heat.shape[1] == pictures.CANVAS
    assert heat[step + 5, 5] > heat[5, 5] + 400
    assert heat[step * 2 + 5, 5] == heat[5, 5]


def test_heat_map_of_equal_bits_is_drawn():
    pictures.draw_heat(np.ones((3, 5)))
