"""Streamed images: the same ones, read when a batch has them."""

import pathlib
import shutil
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from keras_pixel.data import load_data


@pytest.fixture
def sources(tmp_path):
    """The same images as a file, and as a folder with labels."""
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 5, 3), "uint8")
    np.save(tmp_path / "images.npy", images)
    for place, image in enumerate(images):
        path = tmp_path / "folder" / f"{place % 3}" / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return {"file": tmp_path / "images.npy", "folder": tmp_path / "folder"}


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("split", ["train", "validation", "all"])
def test_streamed_images_are_the_same(sources, kind, split):
    options = {
        "num_levels": 16,
        "values": "pixels",
        "image_shape": (3, 3, 1),
        "resize": "center_crop",
    }
    held = load_data(sources[kind], split, **options)
    streamed = load_data(sources[kind], split, stream=True, **options)
    assert streamed.ids == held.ids and streamed.image_shape == (3, 3, 1)
    assert streamed.images.shape == held.images.shape
    assert streamed.images.size == held.images.size
    np.testing.assert_array_equal(streamed.images, held.images)
    np.testing.assert_array_equal(streamed.images[3], held.images[3])
    np.testing.assert_array_equal(streamed.images[2:5], held.images[2:5])
    assert streamed.images[:0].shape == (0, 3, 3, 1)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_streamed_batches_resume_exactly(sources, kind):
    options = {"shuffle": True, "seed": 3, "flip": True, "repeat": True}
    held = load_data(sources[kind]).batches(7, **options)
    streamed = load_data(sources[kind], stream=True)
    late = streamed.batches(7, start_step=9, **options)
    for step in range(3):
        np.testing.assert_array_equal(late[step], held[9 + step])


def test_streamed_labels(sources):
    held, streamed = (
        load_data(sources["folder"], labels=True, stream=stream)
        for stream in (False, True)
    )
    assert streamed.labels.tolist() == held.labels.tolist()
    batch = streamed.batches(5)[1]
    assert batch["labels"].tolist() == held.labels[5:10].tolist()


def test_a_large_file_stays_on_the_disk(tmp_path):
    shape = (2000, 32, 32, 3)
    images = np.lib.format.open_memmap(
        tmp_path / "large.npy", "w+", "uint8", shape
    )
    images[:, 0, 0] = np.random.default_rng(0).integers(0, 256, (2000, 3))
    images.flush()
    tracemalloc.start()
    data = load_data(tmp_path / "large.npy", stream=True)
    for batch in range(20):
        data.batches(16, shuffle=True)[batch]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.nbytes / 5


def test_what_is_held_is_not_copied_twice(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2000, 32, 32, 3))
    np.save(tmp_path / "large.npy", images.astype("uint8"))
    del images
    for num_levels in (256, 4):
        tracemalloc.start()
        data = load_data(
            tmp_path / "large.npy", num_levels=num_levels, values="pixels"
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2.5 * data.images.nbytes


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_fingerprint_sees_the_content(sources, kind, tmp_path):
    def fingerprint(source):
        return load_data(source, "all", stream=True).fingerprint()

    before = fingerprint(sources[kind])
    assert before == fingerprint(sources[kind])
    if kind == "file":
        images = np.load(sources[kind])
        images[7, 0, 0, 0] ^= 1
        np.save(sources[kind], images)
    else:
        pictures = sorted(pathlib.Path(sources[kind]).rglob("*.png"))
        shutil.copy(pictures[0], pictures[1])
    assert before != fingerprint(sources[kind])


def test_an_unreadable_file_is_named_when_it_is_read(sources):
    path = sources["folder"] / "1" / "01.png"
    path.write_bytes(b"no picture")
    images = load_data(sources["folder"], "all", stream=True).images
    with pytest.raises(ValueError, match="1/01.png: Unidentified"):
        np.asarray(images)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on_error": "skip"}, "cannot leave out unreadable ones"),
        ({"num_levels": 4}, "`values` must say"),
    ],
    ids=["skip", "values"],
)
def test_refusals(sources, options, words):
    with pytest.raises(ValueError, match=words):
        load_data(sources["folder"], stream=True, **options)


def test_tf_dataset_needs_images_in_memory(sources):
    with pytest.raises(ValueError, match="Received: images that are streamed"):
        load_data(sources["file"], stream=True).tf_dataset(2)
