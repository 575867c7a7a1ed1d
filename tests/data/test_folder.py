"""Folders of pictures: labels, splits, and files that cannot be read."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from keras_pixel.data import load_data
from keras_pixel.data.folder import UnreadableError
from keras_pixel.data.folder import read_picture
from keras_pixel.data.splits import SPLITS
from tests.support.pictures import png_of_16_bits


def picture(value=0, size=(4, 3), mode="RGB"):
    """A picture of one colour; size is (width, height)."""
    return Image.new(mode, size, value)


def save(path, image=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or picture()).save(path)
    return path


@pytest.fixture
def pets(tmp_path):
    """Twelve cats, eight dogs; their red is their number."""
    for number in range(20):
        kind = "cats" if number < 12 else "dogs"
        save(tmp_path / kind / f"{number:02}.png", picture((number, 0, 9)))
    return tmp_path


def test_folders_are_labels(pets):
    data = load_data(pets, "all", labels=True)
    assert data.class_names == ("cats", "dogs") and data.num_classes == 2
    assert data.image_shape == (3, 4, 3)
    assert data.images[:, 0, 0, 0].tolist() == list(range(20))
    assert data.images[0, 2, 3].tolist() == [0, 0, 9]
    assert data.labels.tolist() == [0] * 12 + [1] * 8
    assert data.ids[12] == "dogs/12.png"
    assert load_data(pets, "all").labels is None


def test_parts_are_disjoint_and_cover_the_folder(pets):
    parts = [
        load_data(pets, split, validation=4, test=0.25).ids
        for split in ("train", "validation", "test")
    ]
    assert [len(part) for part in parts] == [11, 4, 5]
    assert len(set(sum(parts, ()))) == 20


def test_files_below_a_label_belong_to_it(pets):
    save(pets / "dogs" / "old" / "deep.png")
    data = load_data(pets, "all", labels=True)
    assert data.labels[data.ids.index("dogs/old/deep.png")] == 1


def test_hidden_and_other_files_are_no_images(pets):
    (pets / "notes.txt").write_text("no image")
    (pets / "cats" / "._00.png").write_text("no image")
    (pets / ".cache").mkdir()
    (pets / ".cache" / "a.png").write_text("no image")
    assert len(load_data(pets, "all")) == 20


def test_loose_files_have_no_label(pets):
    save(pets / "loose.png")
    assert len(load_data(pets, "all")) == 21
    with pytest.raises(ValueError, match="one label per image"):
        load_data(pets, "all", labels=True)


def test_split_folders(tmp_path):
    for split, count in (("train", 10), ("val", 3), ("test", 2)):
        for number in range(count):
            kind = "b" if number else "a"
            save(tmp_path / split / kind / f"{number}.png")
    data = {
        split: load_data(tmp_path, split, labels=True)
        for split in ("train", "validation", "test")
    }
    assert [len(part) for part in data.values()] == [10, 3, 2]
    assert data["validation"].ids[0] == "val/a/0.png"
    assert data["test"].labels.tolist() == [0, 1]
    assert data["train"].class_names == ("a", "b")


def test_classes_are_those_of_all_splits(tmp_path):
    save(tmp_path / "train" / "b" / "0.png")
    save(tmp_path / "train" / "c" / "1.png")
    save(tmp_path / "test" / "a" / "2.png")
    data = load_data(tmp_path, "train", labels=True, validation=0)
    assert data.labels.tolist() == [1, 2] and data.num_classes == 3


@pytest.mark.parametrize(
    "names",
    [
        ("train/a.png", "test/b.png", "more/c.png"),
        ("test/a.png", "b.png"),
        ("val/a.png", "valid/b.png", "train/c.png"),
    ],
    ids=["split and label", "split and loose file", "one split twice"],
)
def test_splits_and_labels_cannot_be_mixed(tmp_path, names):
    for name in names:
        save(tmp_path / name)
    with pytest.raises(ValueError, match="or labels, not both"):
        load_data(tmp_path)


def test_unreadable_files_are_named_in_one_error(pets):
    (pets / "cats" / "03.png").write_bytes(b"no picture")
    whole = (pets / "dogs" / "15.png").read_bytes()
    (pets / "dogs" / "15.png").write_bytes(whole[: len(whole) // 2])
    (pets / "dogs" / "16.jpg").write_bytes(b"")
    with pytest.raises(ValueError) as error:
        load_data(pets, "all")
    message = str(error.value)
    assert "Received: 3 of 21 files" in message
    for name in ("cats/03.png", "dogs/15.png", "dogs/16.jpg"):
        assert f"  {name}: " in message
    assert 'on_error="skip"' in message


def test_links_that_lead_nowhere_are_skipped_in_splits_too(pets):
    (pets / "cats" / "20.png").symlink_to(pets / "gone.png")
    (pets / "dogs" / "21.png").symlink_to(pets / "gone.png")
    sizes = {"validation": 4, "test": 0.25, "on_error": "skip"}
    with pytest.warns(UserWarning, match="skipped"):
        parts = [load_data(pets, split, **sizes) for split in SPLITS]
    assert sum(part.skipped for part in parts) == 2
    assert sum(map(len, parts)) == 20
    with pytest.raises(UnreadableError, match="dogs/21.png: FileNotFound"):
        load_data(pets, "all")


def test_unreadable_files_are_skipped_when_asked(pets):
    (pets / "cats" / "03.png").write_bytes(b"no picture")
    (pets / "dogs" / "15.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="2 unreadable .* cats/03.png") as got:
        data = load_data(pets, "all", labels=True, on_error="skip")
    assert len(got) == 1
    assert data.skipped == 2
    assert data.skipped_files == ("cats/03.png", "dogs/15.png")
    assert len(data) == len(data.labels) == len(data.ids) == 18
    assert data.images[:, 0, 0, 0].tolist() == [
        number for number in range(20) if number not in (3, 15)
    ]
    assert "2 unreadable files skipped" in data.description


def test_nothing_readable(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 unreadable"):
        with pytest.raises(ValueError, match="at least one readable image"):
            load_data(tmp_path, "all", on_error="skip")


def test_other_sizes_are_refused_or_resized(pets):
    save(pets / "dogs" / "wide.png", picture((1, 2, 3), (9, 3)))
    with pytest.raises(ValueError, match=r"dogs/wide.png of shape \(3, 9, 3\)"):
        load_data(pets, "all")
    for resize in ("resize", "center_crop"):
        data = load_data(pets, "all", image_shape=(2, 2, 3), resize=resize)
        assert data.images.shape == (21, 2, 2, 3)
        assert data.images[-1, 0, 0].tolist() == [1, 2, 3]


def test_grey_and_colour_do_not_mix_unasked(pets):
    save(pets / "dogs" / "grey.png", picture(77, mode="L"))
    with pytest.raises(ValueError, match=r"dogs/grey.png of shape \(3, 4, 1\)"):
        load_data(pets, "all")
    data = load_data(pets, "all", image_shape=(3, 4, 3))
    assert data.images[-1, 0, 0].tolist() == [77, 77, 77]
    assert load_data(pets, "all", image_shape=(3, 4, 1)).images.shape[-1] == 1


def test_one_picture(tmp_path):
    path = save(tmp_path / "a.png", picture((1, 2, 3)))
    data = load_data(path, "all")
    assert data.ids == ("a.png",) and data.images.shape == (1, 3, 4, 3)


def test_no_images(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(FileNotFoundError, match="no file that ends in .png"):
        load_data(tmp_path)


@pytest.mark.parametrize(
    "image, values",
    [
        (picture(7, mode="L"), [7]),
        (picture(1, mode="1"), [255]),
        (picture((9, 255), mode="LA"), [9]),
        (picture((1, 2, 3, 255), mode="RGBA"), [1, 2, 3]),
        (picture((1, 2, 3)).quantize(2), [1, 2, 3]),
    ],
    ids=["grey", "bits", "grey opaque", "opaque", "palette"],
)
def test_modes(tmp_path, image, values):
    got = read_picture(save(tmp_path / "a.png", image), None)
    assert got.dtype == np.uint8 and got.shape == (3, 4, len(values))
    assert got[0, 0].tolist() == values


@pytest.mark.parametrize(
    "image, words",
    [
        (picture((1, 2, 3, 9), mode="RGBA"), "partly transparent"),
        (picture(900, mode="I;16"), r"8 bits a channel \(mode I;16\)"),
    ],
    ids=["transparent", "16 bits"],
)
def test_pictures_that_would_lose_something(tmp_path, image, words):
    save(tmp_path / "a.png", image)
    with pytest.raises(ValueError, match=f"a.png: ValueError: .*{words}"):
        load_data(tmp_path, "all")


def test_16_bits_that_pillow_cuts(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of_16_bits())
    with pytest.raises(ValueError, match="a.png: ValueError: of 16 bits"):
        load_data(tmp_path, "all")


def test_folder_that_cannot_be_read(pets, monkeypatch):
    def scan(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(PermissionError):
        load_data(pets, "all")


def test_four_channels_keep_transparency(tmp_path):
    save(tmp_path / "a.png", picture((1, 2, 3, 9), mode="RGBA"))
    data = load_data(tmp_path, "all", image_shape=(3, 4, 4))
    assert data.images[0, 0, 0].tolist() == [1, 2, 3, 9]


def test_animations_are_refused(tmp_path):
    frames = [picture(value, mode="L") for value in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="an animation of 2 pictures"):
        load_data(tmp_path, "all")


def test_pictures_are_turned_upright(tmp_path):
    image = picture(0, (3, 2), "L")
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate clockwise to show
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=exif)
    (tmp_path / "a.png").write_bytes(stream.getvalue())
    got = read_picture(tmp_path / "a.png", None)
    assert got.shape == (3, 2, 1) and got[0, 1, 0] == 255


def test_links_that_lead_back_are_followed_once(pets):
    (pets / "cats" / "loop").symlink_to(pets, target_is_directory=True)
    assert len(load_data(pets, "all")) == 20
