"""Arrays in memory and in .npy and .npz files."""

import numpy as np
import pytest

from keras_pixel.data import load_data
from keras_pixel.data.arrays import ArraySource
from keras_pixel.data.arrays import read_array_file


def images(count=20, size=5, channels=1):
    values = np.arange(count * size * size * channels) % 256
    return values.reshape(count, size, size, channels).astype("uint8")


def test_array_and_pair():
    data = load_data(images(), "all")
    np.testing.assert_array_equal(data.images, images())
    assert data.labels is None and data.source == "array"
    pair = load_data((images(), np.arange(20)[:, None]), "all", labels=True)
    assert pair.labels.tolist() == list(range(20))
    assert pair.num_classes == 20
    without = load_data((images(), np.arange(20)), "all")
    assert without.labels is None and without.num_classes is None


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16"])
def test_integers_of_any_width(dtype):
    data = load_data(images(1, 5).astype(dtype), "all")
    assert data.images.dtype == np.uint8
    np.testing.assert_array_equal(data.images, images(1, 5))


def test_grey_arrays_need_no_channel_axis():
    data = load_data(images()[..., 0], "all")
    assert data.image_shape == (5, 5, 1)


def test_boolean_arrays_are_two_levels():
    data = load_data(images() > 100, "all", num_levels=2)
    np.testing.assert_array_equal(data.images, images() > 100)


def test_the_data_are_copied():
    source = images()
    data = load_data(source, "all")
    data.images[:] = 0
    np.testing.assert_array_equal(source, images())


@pytest.mark.parametrize(
    "source, error, words",
    [
        (images() / 255, TypeError, "dtype=float64"),
        (images()[0], ValueError, r"shape=\(5, 5, 1\)"),
        (images()[0, ..., 0], ValueError, r"shape=\(5, 5\)"),
        (images()[:0], ValueError, "not empty"),
        (images()[None], ValueError, "Images must be an array"),
        (list(images()), TypeError, "images of type list"),
        (None, TypeError, "images of type NoneType"),
        ((images(), [1] * 20), TypeError, "labels of type list"),
        ((images(), np.zeros(20)), TypeError, "Labels must be integers"),
        ((images(), np.zeros(9, int)), ValueError, "one integer per image"),
        (np.array([None]), TypeError, "dtype=object"),
    ],
    ids=[
        "float",
        "one image",
        "one grey image",
        "empty",
        "rank 5",
        "list",
        "none",
        "list of labels",
        "float labels",
        "few labels",
        "objects",
    ],
)
def test_refusals(source, error, words):
    with pytest.raises(error, match=words):
        load_data(source)


def test_npy_file(tmp_path):
    np.save(tmp_path / "a.npy", images())
    data = load_data(tmp_path / "a.npy", "all")
    np.testing.assert_array_equal(data.images, images())
    assert data.source == "file:a.npy"


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("images_train", "labels_train", "images_test", "labels_test"),
    ],
    ids=["Keras", "MedMNIST", "other"],
)
def test_npz_with_splits(tmp_path, names):
    arrays = (images(), np.arange(20), images(4), np.arange(4))
    path = tmp_path / "a.npz"
    np.savez(path, **dict(zip(names, arrays, strict=True)))
    test = load_data(path, "test", labels=True)
    assert test.labels.tolist() == [0, 1, 2, 3]
    assert test.num_classes == 20  # of the whole source
    assert len(load_data(path, "validation")) == 2
    assert len(load_data(path)) == 18


@pytest.mark.parametrize("name", ["images", "x", "anything"])
def test_npz_of_one_array(tmp_path, name):
    np.savez(tmp_path / "a.npz", **{name: images()})
    assert len(load_data(tmp_path / "a.npz", "all")) == 20


def test_npz_images_and_labels(tmp_path):
    np.savez(tmp_path / "a.npz", images=images(), labels=np.arange(20))
    assert load_data(tmp_path / "a.npz", "all", labels=True).num_classes == 20


@pytest.mark.parametrize(
    "names, words",
    [
        (("a", "b"), r"with \['a', 'b'\]"),
        (("images", "x_train"), "Rename its arrays"),
        (("x", "images"), "which mean the same"),
        (("x_val", "x_valid"), "which mean the same"),
    ],
)
def test_npz_names_must_be_clear(tmp_path, names, words):
    np.savez(tmp_path / "a.npz", **{name: images() for name in names})
    with pytest.raises(ValueError, match=words):
        load_data(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04broken"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_broken_files_are_named(tmp_path, content, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="broken.*cannot be read"):
        load_data(path)


def test_damaged_npz_is_named(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, images=images())
    content = bytearray(path.read_bytes())
    content[150:170] = bytes(20)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged.*cannot be read"):
        load_data(path)


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "pickled.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="pickled.*cannot be read"):
        load_data(path)


def test_source_faces():
    source = ArraySource.from_arrays((images(3), np.array([0, 2, 1])))
    assert source.sizes == {"train": 3}
    assert source.ids("train") == ["train/0", "train/1", "train/2"]
    assert source.has_labels and source.num_classes == 3


def test_file_and_array_have_the_same_parts(tmp_path):
    np.save(tmp_path / "a.npy", images())
    parts = [load_data(a, "test").ids for a in (images(), tmp_path / "a.npy")]
    assert parts[0] == parts[1]
    assert read_array_file(tmp_path / "a.npy").sizes == {"train": 20}
