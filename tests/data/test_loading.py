"""`load_data` as a whole: its arguments, and what works without TensorFlow."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from keras_pixel.data import load_data
from tests.support.programs import run_program

ROOT = pathlib.Path(__file__).parents[2]


def images(count=30):
    values = np.arange(count * 4) % 256
    return values.reshape(count, 2, 2, 1).astype("uint8")


def test_all_arguments_together():
    data = load_data(
        (images(), np.arange(30) % 3),
        "validation",
        num_levels=4,
        image_shape=(4, 4, 3),
        resize="resize",
        values="pixels",
        labels=True,
        validation=0.2,
        test=5,
        seed=7,
    )
    assert data.images.shape == (6, 4, 4, 3)
    assert data.images.max() < 4 == data.num_levels
    assert data.num_classes == 3 and data.split == "validation"
    assert data.note == "6 of its 30 training images, drawn with seed 7"
    for name, label in zip(data.ids, data.labels, strict=True):
        assert int(name.removeprefix("train/")) % 3 == label


def test_notes_say_what_was_kept():
    assert load_data(images()).note == (
        "its 30 training images without 6 kept for validation and test, "
        "drawn with seed 0"
    )
    everything = load_data(images(), validation=0, test=0)
    assert everything.note == "its 30 training images"


def test_images_follow_their_ids():
    for split in ("train", "validation", "test"):
        data = load_data(images(), split)
        places = [int(name.removeprefix("train/")) for name in data.ids]
        np.testing.assert_array_equal(data.images, images()[places])


def test_a_list_does_for_the_shape():
    data = load_data(images(), image_shape=[2, 2, 3])  # as from JSON
    assert data.image_shape == (2, 2, 3)


def test_binary_images_have_two_levels():
    assert load_data(images(9) % 2, "all", num_levels=2).images.max() == 1
    scaled = load_data(255 * (images(9) % 2), "all", num_levels=2)
    np.testing.assert_array_equal(scaled.images, images(9) % 2)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"split": "val"}, "`split` must be one of"),
        ({"on_error": "ignore"}, "`on_error` must be one of"),
        ({"seed": -1}, "`seed` must be an integer"),
        ({"validation": 1.5}, "`validation` must be a number"),
        ({"test": -3}, "`test` must be a number"),
        ({"labels": True}, "labels=True, source='array', which has none"),
        ({"image_shape": (3, 3, 1)}, "resize=None"),
    ],
)
def test_arguments_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        load_data(images(), **options)


def test_negative_labels_mean_none():
    with pytest.raises(ValueError, match="a label of -1"):
        load_data((images(), np.full(30, -1)), labels=True)


def test_arrays_and_folders_need_no_tensorflow(tmp_path):
    for number in range(10):
        Image.new("L", (2, 2), number).save(tmp_path / f"{number}.png")
    done = run_program(
        "read_without_tensorflow.py", tmp_path, KERAS_BACKEND="jax"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert "needs tensorflow and tensorflow-datasets" in lines[0]
    assert "`tf_dataset` needs TensorFlow" in lines[1]


@pytest.mark.parametrize("kind", ["array", "folder"])
def test_copies_of_a_picture_never_lie_in_two_splits(tmp_path, kind):
    images = np.random.default_rng(0).integers(0, 256, (100, 3, 3, 3), "uint8")
    source = np.concatenate([images, images])
    if kind == "folder":
        for place, image in enumerate(source):
            Image.fromarray(image).save(tmp_path / f"{place:03}.png")
        source = tmp_path
    parts = {
        split: {image.tobytes() for image in load_data(source, split).images}
        for split in ("train", "validation", "test")
    }
    assert sum(len(part) for part in parts.values()) == 100
    assert len(set.union(*parts.values())) == 100
    assert all(parts.values())
