"""Each batch is a function of its number: trainings resume exactly."""

import keras
import numpy as np
import pytest

from keras_pixel.data import ImageBatches


def numbered(count, width=2):
    """Images whose pixels are `[number, 100]`: a flip shows."""
    images = np.full((count, 1, width, 1), 100, "uint8")
    images[:, 0, 0, 0] = np.arange(count)
    return images


def numbers(batch):
    return batch.min(axis=(1, 2, 3)).tolist()


def flips(batch):
    return batch[:, 0, 0, 0] == 100


def test_one_pass_in_order_with_its_smaller_last_batch():
    batches = ImageBatches(numbered(5), None, 2)
    assert len(batches) == 3
    assert [numbers(batch) for batch in batches] == [[0, 1], [2, 3], [4]]


def test_drop_remainder():
    batches = ImageBatches(numbered(5), None, 2, drop_remainder=True)
    assert [numbers(batch) for batch in batches] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("repeat", [True, False], ids=["endless", "passes"])
def test_an_epoch_has_every_image_once(repeat):
    batches = ImageBatches(
        numbered(6), None, 2, shuffle=True, seed=3, repeat=repeat
    )
    orders = []
    for epoch in range(3):
        first = 3 * epoch if repeat else 0
        orders.append(sum((numbers(batches[first + i]) for i in range(3)), []))
        batches.on_epoch_end()
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_endless_batches_are_full_and_cross_epochs():
    batches = ImageBatches(numbered(5), None, 2, repeat=True)
    got = [numbers(batches[i]) for i in range(5)]
    assert got == [[0, 1], [2, 3], [4, 0], [1, 2], [3, 4]]
    assert batches.num_batches is None
    with pytest.raises(TypeError, match="have no length"):
        len(batches)


def test_a_batch_may_be_longer_than_the_data():
    batches = ImageBatches(numbered(2), None, 5, repeat=True)
    assert numbers(batches[0]) == [0, 1, 0, 1, 0]
    assert numbers(batches[1]) == [1, 0, 1, 0, 1]


@pytest.mark.parametrize("repeat", [True, False], ids=["endless", "passes"])
def test_any_step_can_be_resumed(repeat):
    options = {
        "shuffle": True,
        "seed": 5,
        "flip": True,
        "repeat": repeat,
    }
    whole = ImageBatches(numbered(7), None, 3, **options)
    steps = []
    for epoch in range(4):
        for i in range(3):
            steps.append(whole[3 * epoch + i if repeat else i])
        whole.on_epoch_end()
    for start in range(9):
        resumed = ImageBatches(
            numbered(7), None, 3, start_step=start, **options
        )
        for i in (2, 0, 1):  # in any order
            np.testing.assert_array_equal(resumed[i], steps[start + i])


def test_other_seeds_give_other_orders():
    first, second = (
        numbers(ImageBatches(numbered(9), None, 9, shuffle=True, seed=s)[0])
        for s in (0, 1)
    )
    assert sorted(first) == sorted(second)
    assert first != second


def test_flips_mirror_half_of_the_images_left_to_right():
    images = numbered(200)
    batches = ImageBatches(images, None, 200, flip=True, seed=1)
    flipped = flips(batches[0])
    assert 70 < flipped.sum() < 130
    for before, after, mirrored in zip(
        images, batches[0], flipped, strict=True
    ):
        want = before[:, ::-1] if mirrored else before
        np.testing.assert_array_equal(after, want)
    assert (flipped != flips(batches[0])).sum() == 0
    batches.on_epoch_end()
    assert (flipped != flips(batches[0])).sum() > 0


def test_flips_leave_the_data_alone():
    images = numbered(20)
    ImageBatches(images, None, 20, flip=True)[0]
    np.testing.assert_array_equal(images, numbered(20))


def test_labels_go_with_their_images():
    batches = ImageBatches(
        numbered(8), 10 * np.arange(8, dtype="int32"), 4, shuffle=True
    )
    for batch in batches:
        want = [10 * number for number in numbers(batch["images"])]
        assert batch["labels"].tolist() == want


@pytest.mark.parametrize("repeat", [True, False], ids=["endless", "passes"])
def test_keras_trains_on_them(repeat):
    read = []

    class Recorder(ImageBatches):
        def __getitem__(self, index):
            batch = super().__getitem__(index)
            read.append((index, numbers(batch)))
            return batch, batch[:, 0, 0].astype("float32")

    inputs = keras.Input((1, 2, 1), dtype="int32", name="images")
    hidden = keras.layers.Rescaling(1.0, dtype="float32")(inputs)
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(hidden))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    batches = Recorder(numbered(6), None, 2, shuffle=True, repeat=repeat)
    model.fit(
        batches,
        epochs=2,
        steps_per_epoch=3 if repeat else None,
        shuffle=False,
        verbose=0,
    )
    if repeat:  # every batch is that of its number, and none is left out
        fresh = ImageBatches(numbered(6), None, 2, shuffle=True, repeat=True)
        assert all(got == numbers(fresh[index]) for index, got in read)
        assert set(range(6)) <= {index for index, _ in read}
    else:  # two whole epochs, each in its own order
        first, second = (
            sum((got for _, got in part), [])
            for part in (read[-6:-3], read[-3:])
        )
        assert sorted(first) == sorted(second) == list(range(6))
        assert first != second


@pytest.mark.parametrize(
    "options, words",
    [
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1"),
        ({"batch_size": 2.0}, "batch_size=2.0"),
        ({"seed": -1}, "`seed` must be an integer of at least 0"),
        ({"start_step": 1.5}, "start_step=1.5"),
        (
            {"batch_size": 6, "drop_remainder": True},
            "leaves no batch at all",
        ),
    ],
)
def test_arguments_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        ImageBatches(numbered(5), None, **{"batch_size": 2, **options})


@pytest.mark.parametrize("index", [-1, 3])
def test_numbers_out_of_range_are_refused(index):
    with pytest.raises(IndexError, match=f"index={index}, num_batches=3"):
        ImageBatches(numbered(5), None, 2)[index]


@pytest.mark.parametrize("repeat", [True, False], ids=["endless", "passes"])
def test_parts_of_a_batch_are_the_batch(repeat):
    options = {"shuffle": True, "seed": 5, "flip": True, "repeat": repeat}
    whole = ImageBatches(numbered(8), None, 4, **options)
    parts = [
        ImageBatches(numbered(8), None, 4, part=(i, 2), **options)
        for i in range(2)
    ]
    for number in range(2):
        found = [part[number] for part in parts]
        assert [len(part) for part in found] == [2, 2]
        np.testing.assert_array_equal(np.concatenate(found), whole[number])


@pytest.mark.parametrize("part", [(2, 2), (0, 3), (-1, 2)])
def test_a_part_must_be_one_of_even_parts(part):
    with pytest.raises(ValueError, match="part"):
        ImageBatches(numbered(8), None, 4, part=part)
