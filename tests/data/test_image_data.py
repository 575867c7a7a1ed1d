"""`ImageData`: what it says of itself, and its tf.data form."""

import numpy as np
import pytest

from keras_pixel.data import ImageData


def numbered(count=5, labels=False):
    images = np.arange(count, dtype="uint8").reshape(count, 1, 1, 1)
    return ImageData(images, np.arange(count) if labels else None)


def listed(dataset):
    return [batch.numpy().ravel().tolist() for batch in dataset]


def test_what_it_says_of_itself():
    data = ImageData(
        np.ones((1200, 2, 3, 1), "uint8"),
        np.zeros(1200, "int64"),
        num_levels=2,
        num_classes=3,
        class_names=["a", "b", "c"],
        source="folder:photos",
        split="train",
        note="its 1,300 training images without 100",
        skipped_files=["x.png"],
    )
    assert len(data) == 1200
    assert data.image_shape == (2, 3, 1)
    assert data.labels.dtype == np.int32
    assert (data.num_levels, data.num_classes, data.skipped) == (2, 3, 1)
    assert data.class_names == ("a", "b", "c")
    assert data.description == (
        "1,200 images, folder:photos, train: its 1,300 training images "
        "without 100; 1 unreadable files skipped"
    )
    assert "image_shape=(2, 3, 1)" in repr(data)


@pytest.mark.parametrize(
    "images, options, words",
    [
        (np.zeros((2, 2, 2, 1)), {}, "dtype=float64"),
        (np.zeros((2, 2, 1), "uint8"), {}, "`images` must be a uint8 array"),
        (np.zeros((0, 2, 2, 1), "uint8"), {}, "not empty"),
        (np.full((1, 1, 1, 1), 2, "uint8"), {"num_levels": 2}, "highest leve"),
        (np.zeros((2, 1, 1, 1), "uint8"), {"labels": [1]}, "1 labels, 2 im"),
        (np.zeros((2, 1, 1, 1), "uint8"), {"ids": ["a"]}, "1 ids, 2 images"),
    ],
    ids=["dtype", "rank", "empty", "level", "labels", "ids"],
)
def test_refusals(images, options, words):
    with pytest.raises(ValueError, match=words):
        ImageData(images, **options)


def test_batches_pass_every_argument_on():
    batches = numbered().batches(
        2, start_step=1, shuffle=True, seed=3, flip=True, repeat=True
    )
    assert (batches.batch_size, batches.start_step, batches.seed) == (2, 1, 3)
    assert batches.shuffle and batches.flip and batches.repeat
    assert len(numbered().batches(2, drop_remainder=True)) == 2


def test_tf_dataset_in_order():
    pytest.importorskip("tensorflow")
    assert listed(numbered().tf_dataset(2)) == [[0, 1], [2, 3], [4]]
    dropped = numbered().tf_dataset(2, drop_remainder=True)
    assert listed(dropped) == [[0, 1], [2, 3]]
    assert dropped.element_spec.dtype.name == "uint8"
    assert dropped.element_spec.shape.as_list() == [2, 1, 1, 1]


def test_tf_dataset_shuffles_by_seed():
    pytest.importorskip("tensorflow")
    epochs = [
        sum(listed(dataset), [])
        for seed in (0, 0, 1)
        for dataset in [numbered(20).tf_dataset(4, shuffle=True, seed=seed)]
    ]
    assert sorted(epochs[0]) == list(range(20))
    assert epochs[0] == epochs[1]
    assert epochs[0] != epochs[2]
    dataset = numbered(20).tf_dataset(4, shuffle=True)
    assert listed(dataset) != listed(dataset)


def test_tf_dataset_repeats_whole_epochs():
    pytest.importorskip("tensorflow")
    dataset = numbered(3).tf_dataset(2, repeat=True).take(4)
    assert listed(dataset) == [[0, 1], [2], [0, 1], [2]]


def test_tf_dataset_with_labels():
    pytest.importorskip("tensorflow")
    for batch in numbered(6, labels=True).tf_dataset(3, shuffle=True):
        assert batch["labels"].dtype.name == "int32"
        np.testing.assert_array_equal(
            batch["images"].numpy().ravel(), batch["labels"].numpy()
        )


def test_tf_dataset_refuses_before_tensorflow_is_imported():
    with pytest.raises(
        ValueError, match="`batch_size` must be an integer of at least 1"
    ):
        numbered().tf_dataset(0)
    with pytest.raises(ValueError, match="`seed` must be"):
        numbered().tf_dataset(1, seed=-1)
