"""The three parts of a source: their sizes, and that they never overlap."""

import numpy as np
import pytest

from keras_pixel.data.splits import check_split_size
from keras_pixel.data.splits import choose
from keras_pixel.data.splits import hashed_order
from keras_pixel.data.splits import split_of


def parts(sizes, *, ordered=False, validation=None, test=None, seed=0):
    """Ids of train, validation and test, as `choose` gives them."""

    names = {
        part: [f"{part}/{place}" for place in range(size)]
        for part, size in sizes.items()
    }
    chosen = {}
    for split in ("train", "validation", "test"):
        positions, _ = choose(
            sizes,
            names.get,
            split,
            validation=validation,
            test=test,
            seed=seed,
            ordered=ordered,
            source="tiny",
        )
        chosen[split] = [
            names[part][place]
            for part, places in positions.items()
            for place in places
        ]
    return chosen


@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "drawn"])
@pytest.mark.parametrize(
    "sizes",
    [
        {"train": 50},
        {"train": 50, "test": 7},
        {"train": 50, "validation": 6},
        {"train": 50, "validation": 6, "test": 7},
    ],
    ids=["train only", "with test", "with validation", "with both"],
)
def test_parts_are_disjoint_and_cover_everything(sizes, ordered):
    chosen = parts(sizes, ordered=ordered)
    together = sum(chosen.values(), [])
    assert len(together) == len(set(together)) == sum(sizes.values())
    for split in ("validation", "test"):
        assert len(chosen[split]) == sizes.get(split, 5)


def test_ordered_source_gives_its_last_training_images():
    chosen = parts({"train": 6, "test": 2}, ordered=True, validation=2)
    assert chosen == {
        "train": ["train/0", "train/1", "train/2", "train/3"],
        "validation": ["train/4", "train/5"],
        "test": ["test/0", "test/1"],
    }


def test_default_is_2000_or_a_tenth():
    sizes = {"train": 49_928, "test": 1}
    assert len(parts(sizes, ordered=True)["validation"]) == 2000
    assert len(parts({"train": 119, "test": 1})["validation"]) == 11


def test_fractions_are_of_the_training_images():
    chosen = parts({"train": 40}, validation=0.25, test=0.1)
    assert {k: len(v) for k, v in chosen.items()} == {
        "train": 26,
        "validation": 10,
        "test": 4,
    }


def test_drawn_parts_depend_on_the_seed_alone():
    assert parts({"train": 50}) == parts({"train": 50})
    assert parts({"train": 50}) != parts({"train": 50}, seed=1)


def test_drawn_order_is_frozen():
    # A change of it would turn test images of old models into training ones.
    order = hashed_order([f"train/{place}" for place in range(8)], 0)
    assert order.tolist() == FROZEN_ORDER


FROZEN_ORDER = [0, 3, 5, 6, 1, 7, 2, 4]


def test_drawn_order_hardly_moves_when_an_image_comes():
    names = [f"{place}.png" for place in range(100)]
    before = [names[place] for place in hashed_order(names, 0)]
    more = ["new.png", *names]
    after = [more[place] for place in hashed_order(more, 0)]
    after.remove("new.png")
    assert after == before


@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "drawn"])
def test_copies_of_a_picture_lie_in_one_part(ordered):
    # 100 pictures, each there twice, far apart.
    digests = np.tile(np.arange(100, dtype="uint64"), 2)
    found = {}
    for split in ("train", "validation", "test"):
        positions, note = choose(
            {"train": 200, "test": 3} if ordered else {"train": 200},
            lambda part: [f"{part}/{place}" for place in range(200)],
            split,
            digests=lambda part: digests,
            validation=15,
            test=None if ordered else 15,
            seed=0,
            ordered=ordered,
            source="tiny",
        )
        if not (ordered and split == "test"):
            found[split] = digests[positions["train"]]
            assert "100 copies kept" in note
    assert sum(len(part) for part in found.values()) == 200
    for split, part in found.items():
        others = [found[other] for other in found if other != split]
        assert not np.isin(part, np.concatenate(others)).any()
        assert len(part) > 12


def test_nothing_but_copies_leaves_no_validation():
    with pytest.raises(ValueError, match="39 of 40 training images are copies"):
        choose(
            {"train": 40},
            lambda part: [str(place) for place in range(40)],
            "validation",
            digests=lambda part: np.zeros(40, "uint64"),
            validation=4,
            test=4,
            seed=0,
            ordered=False,
            source="tiny",
        )


def test_all_is_every_image_of_every_split():
    positions, note = choose(
        {"train": 3, "test": 2},
        None,
        "all",
        validation=None,
        test=None,
        seed=0,
        ordered=False,
        source="tiny",
    )
    assert {k: v.tolist() for k, v in positions.items()} == {
        "train": [0, 1, 2],
        "test": [0, 1],
    }
    assert note == "all images of every split"


@pytest.mark.parametrize(
    "sizes, options, words",
    [
        ({"train": 9, "test": 1}, {"test": 2}, "has its own test"),
        ({"train": 9, "validation": 1}, {"validation": 2}, "has its own"),
        ({"test": 9}, {}, "needs training images"),
        ({"train": 9}, {"validation": 5, "test": 4}, "leave some images"),
        ({"train": 30}, {"validation": 0}, "'validation' would be empty"),
        ({"train": 9, "test": 1}, {}, "'validation' would be empty"),
    ],
    ids=["test", "validation", "no train", "too many", "none", "too few"],
)
def test_refusals(sizes, options, words):
    with pytest.raises(ValueError, match=words):
        parts(sizes, **options)


def test_own_split_needs_no_training_images():
    positions, _ = choose(
        {"test": 4},
        None,
        "test",
        validation=None,
        test=None,
        seed=0,
        ordered=True,
        source="tiny",
    )
    assert positions["test"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [-1, 1.0, -0.1, True, "10", [1]])
def test_sizes_are_counts_or_fractions(size):
    with pytest.raises(ValueError, match="Received: test="):
        check_split_size("test", size)


@pytest.mark.parametrize("size", [None, 0, 3, 0.0, 0.5, np.int64(2)])
def test_good_sizes(size):
    check_split_size("test", size)


def test_split_names():
    assert split_of("val") == split_of("Validation") == "validation"
    assert split_of("training") == "train"
    assert split_of("cats") is None
