"""TFDS data sets: a tiny one written here, and the real ones if they are there.

The real ones are looked for in the folder KERAS_PIXEL_DATA, or in
../shared/data beside the repository.
"""

import os
import pathlib

import numpy as np
import pytest

from keras_pixel.data import load_data
from keras_pixel.data import tfds_source

pytest.importorskip("tensorflow")

REAL = pathlib.Path(
    os.environ.get("KERAS_PIXEL_DATA")
    or pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
)


def write(folder, name, splits, with_id=True, image_keys=("image",)):
    """Writes a data set of 4 x 4 images; pixel and id are the number."""
    import tensorflow_datasets as tfds

    features = {key: tfds.features.Image(shape=(4, 4, 3)) for key in image_keys}
    features["label"] = tfds.features.ClassLabel(names=["even", "odd"])
    if with_id:
        features["id"] = tfds.features.Text()

    def examples(split, count):
        for number in range(count):
            example = {
                key: np.full((4, 4, 3), number, "uint8") for key in image_keys
            }
            example["label"] = number % 2
            if with_id:
                example["id"] = f"{split}_{number:05}"
            yield number, example

    def info(builder):
        return builder.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features)
        )

    def generators(builder, manager):
        return {split: examples(split, n) for split, n in splits.items()}

    builder = type(
        "".join(word.title() for word in name.split("_")),
        (tfds.core.GeneratorBasedBuilder,),
        {
            "VERSION": tfds.core.Version("1.0.0"),
            "_info": info,
            "_split_generators": generators,
            "_generate_examples": None,
            "pkg_dir_path": folder,
            "__module__": __name__,
        },
        # Written twice where two workers share this file's tests.
        skip_registration=True,
    )(data_dir=folder)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write(
        tmp_path_factory.mktemp("tfds"), "tiny_ids", {"train": 30, "test": 4}
    )


def test_images_come_in_order_of_id(tiny):
    data = load_data("tiny_ids", data_dir=tiny, labels=True)
    assert data.source == "tfds:tiny_ids/1.0.0"
    assert data.ids == tuple(f"train_{i:05}" for i in range(27))
    assert data.images[:, 0, 0, 0].tolist() == list(range(27))
    assert data.labels.tolist() == [i % 2 for i in range(27)]
    assert data.class_names == ("even", "odd") and data.num_classes == 2


def test_validation_is_the_last_training_images(tiny):
    data = load_data("tiny_ids", "validation", data_dir=tiny, validation=2)
    assert data.ids == ("train_00028", "train_00029")
    assert data.images[:, 0, 0, 0].tolist() == [28, 29]
    assert data.note == "2 of its 30 training images, the last ones"
    test = load_data("tiny_ids", "test", data_dir=tiny)
    assert test.ids == tuple(f"test_{i:05}" for i in range(4))


def test_shape_and_levels(tiny):
    data = load_data(
        "tiny_ids:1.0.0",
        "test",
        data_dir=str(tiny),
        num_levels=128,
        values="pixels",
        image_shape=(2, 2, 1),
        resize="center_crop",
    )
    assert data.image_shape == (2, 2, 1)
    assert data.images[:, 0, 0, 0].tolist() == [0, 0, 1, 1]


def test_without_id_and_test_split(tmp_path):
    write(tmp_path, "tiny_plain", {"train": 30}, with_id=False)
    parts = [
        load_data("tiny_plain", split, data_dir=tmp_path)
        for split in ("train", "validation", "test")
    ]
    assert [len(part) for part in parts] == [24, 3, 3]
    numbers = np.concatenate([part.images[:, 0, 0, 0] for part in parts])
    assert sorted(numbers.tolist()) == list(range(30))
    again = load_data("tiny_plain", "test", data_dir=tmp_path)
    np.testing.assert_array_equal(parts[2].images, again.images)


def test_files_of_another_kind_give_the_same(tiny, monkeypatch):
    expected = load_data("tiny_ids", "validation", data_dir=tiny, labels=True)
    monkeypatch.setattr(tfds_source.TfdsSource, "_in_records", lambda _: False)
    found = load_data("tiny_ids", "validation", data_dir=tiny, labels=True)
    np.testing.assert_array_equal(found.images, expected.images)
    assert found.labels.tolist() == expected.labels.tolist()
    assert found.ids == expected.ids


def test_only_the_images_asked_for_are_decoded(tiny, monkeypatch):
    decoded = []
    true = tfds_source.TfdsSource._decoded

    def decode(self, table, stored):
        decoded.append(len(stored))
        return true(self, table, stored)

    monkeypatch.setattr(tfds_source.TfdsSource, "_decoded", decode)
    load_data("tiny_ids", "validation", data_dir=tiny, validation=2)
    assert decoded == [2]


def test_streamed_images_are_the_same(tiny):
    held, streamed = (
        load_data("tiny_ids", data_dir=tiny, labels=True, stream=stream)
        for stream in (False, True)
    )
    np.testing.assert_array_equal(streamed.images, held.images)
    assert streamed.labels.tolist() == held.labels.tolist()
    assert streamed.ids == held.ids
    assert (
        streamed.fingerprint()
        == load_data(
            "tiny_ids", data_dir=tiny, labels=True, stream=True
        ).fingerprint()
    )


def test_several_image_features_are_refused(tmp_path):
    write(tmp_path, "tiny_two", {"train": 2}, image_keys=("left", "right"))
    with pytest.raises(ValueError, match=r"image features \['left', 'right'\]"):
        load_data("tiny_two", data_dir=tmp_path)


def test_damaged_files_are_named(tmp_path):
    write(tmp_path, "tiny_broken", {"train": 30, "test": 2}, with_id=False)
    (path,) = tmp_path.glob("tiny_broken/*/*train*")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="must be readable.*tiny_broken"):
        load_data("tiny_broken", "validation", data_dir=tmp_path)


def test_unknown_name_lists_near_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cifar11").mkdir()
    with pytest.raises(ValueError, match='cifar10.*here is "./cifar11"'):
        load_data("cifar11", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["mnist:9.9.9", "cifar10/none"])
def test_unknown_version_or_configuration(tmp_path, name):
    with pytest.raises(ValueError, match="version and configuration that TFDS"):
        load_data(name, data_dir=tmp_path)


def test_what_is_not_prepared_is_said_and_not_downloaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="download=True to fetch it"):
        load_data("mnist", data_dir=tmp_path)
    assert not any(tmp_path.iterdir())


def real(name):
    if not (REAL / name).is_dir():
        pytest.skip(f"the real {name} is not in {REAL}")
    return {"source": name, "data_dir": REAL}


def test_real_cifar10():
    test = load_data(**real("cifar10"), split="test", labels=True)
    assert len(test) == 9980 and test.image_shape == (32, 32, 3)
    assert [test.class_names[label] for label in test.labels[:4]] == [
        "cat",
        "ship",
        "ship",
        "airplane",
    ]


@pytest.mark.slow
def test_real_cifar10_parts():
    cifar10 = real("cifar10")
    parts = [
        load_data(**cifar10, split=split)
        for split in ("train", "validation", "test")
    ]
    assert [len(part) for part in parts] == [49_928 - 2000, 2000, 9980]
    assert len(set().union(*(part.ids for part in parts))) == 49_928 + 9980
    assert max(parts[0].ids) < min(parts[1].ids)
    assert parts[1].ids[-1] == "train_49999"


def test_real_mnist():
    mnist = real("mnist")
    validation = load_data(**mnist, split="validation")
    assert len(validation) == 2000
    assert validation.ids[0] == "train/58000"
    assert validation.images.max() == 255


def test_real_binarized_mnist():
    source = real("binarized_mnist")
    data = load_data(**source, split="validation", num_levels=2)
    assert len(data) == 10_000  # its own, not taken from training
    assert sorted(np.unique(data.images)) == [0, 1]
    assert 0.05 < data.images.mean() < 0.25
