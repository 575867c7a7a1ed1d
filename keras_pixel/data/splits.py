"""Which images belong to training, validation and test.

The three parts never overlap and together make up the source. A split that the
source provides is used as it is; a missing one is taken from the training
images, never from the test images. Copies of a picture among the training
images stay together, so that none is both trained on and measured on.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_pixel.checks import is_integer

SPLITS = ("train", "validation", "test")

# Sub-folders, TFDS splits and array names that mean one of the three.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}

DEFAULT_SIZE = 2000


def split_of(name: str) -> str | None:
    """Return the split that `name` ("val", "Train") means, or `None`."""
    for split, names in SPLIT_NAMES.items():
        if name.lower() in names:
            return split
    return None


def check_split_size(name: str, size: Any) -> None:
    """Raise ValueError unless `size` is `None`, a count or a fraction."""
    if size is None:
        return
    is_count = is_integer(size) and size >= 0
    is_fraction = isinstance(size, (float, np.floating)) and 0 <= size < 1
    if not (is_count or is_fraction):
        raise ValueError(
            f"`{name}` must be a number of images (int, 0 or more) or a "
            "fraction of the training images (float, at least 0.0 and below "
            f"1.0). Received: {name}={size!r}. Leave it out for "
            f"{DEFAULT_SIZE:,} images, or a tenth if that is fewer."
        )


def hashed_order(ids: list[str], seed: int) -> np.ndarray:
    """Return positions of `ids` in a random-looking order that never changes.

    The order depends only on the ids and the seed, not on the version of NumPy.
    An image that is added or removed hardly moves the others, so today's test
    images do not become tomorrow's training images.
    """
    keys = [
        int.from_bytes(
            hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(),
            "big",
        )
        for name in ids
    ]
    return np.argsort(np.array(keys, "uint64"), kind="stable")


def digest(content: bytes) -> int:
    """Return 64 bits that identify the content of a picture."""
    return int.from_bytes(
        hashlib.blake2b(content, digest_size=8).digest(), "big"
    )


def keep_together(
    order: np.ndarray, digests: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Move the copies of a picture directly behind the first of them.

    Args:
        order: positions of images.
        digests: the `digest` of each image, by position.

    Returns:
        The order, and the positions in it where another picture begins,
        including its end. Without copies these are all positions.
    """
    _, picture = np.unique(digests[order], return_inverse=True)
    first = np.full(len(order), len(order))
    np.minimum.at(first, picture, np.arange(len(order)))
    group = first[picture]
    moved = np.argsort(group, kind="stable")
    begins = np.flatnonzero(np.diff(group[moved], prepend=-1))
    return order[moved], np.append(begins, len(order))


def _nearest(wanted: int, allowed: np.ndarray) -> int:
    distance = np.abs(allowed - wanted)
    return int(allowed[np.flatnonzero(distance == distance.min())[-1]])


def choose(
    sizes: dict[str, int],
    ids: Callable[[str], list[str]],
    split: str,
    *,
    digests: Callable[[str], np.ndarray] | None = None,
    validation: int | float | None,
    test: int | float | None,
    seed: int,
    ordered: bool,
    source: str,
) -> tuple[dict[str, np.ndarray], str]:
    """Choose the images of `split`.

    Args:
        sizes: number of images of each split that the source provides.
        ids: function that returns the ids of such a split, in order.
        split: "train", "validation", "test" or "all".
        digests: function that returns the digests of such a split, in order,
            or `None` if all differ. Equal ones stay in one part, so the sizes
            of the parts may differ a little from those requested.
        validation: size of the validation part, if the source has none.
        test: size of the test part, if the source has none.
        seed: int by which the parts are drawn, if they are.
        ordered: whether the source has an official order, so that the last
            training images are used for validation.
        source: name of the source, for messages.

    Returns:
        Dict from split of the source to positions in it, ascending, and a
        description of the choice.
    """
    for name, size in (("validation", validation), ("test", test)):
        if name in sizes and size is not None:
            raise ValueError(
                f"`{name}` is the size of a part taken from the training "
                f"images, but this source has its own {name} images. "
                f"Received: {name}={size}, source={source!r}, with "
                f"{sizes[name]:,} {name} images. Leave `{name}` out."
            )
    if split == "all":
        return {
            part: np.arange(sizes[part]) for part in SPLITS if part in sizes
        }, "all images of every split"
    if split != "train" and split in sizes:
        return {split: np.arange(sizes[split])}, f"its own {split} images"

    total = sizes.get("train", 0)
    if not total:
        raise ValueError(
            f"`split` {split!r} needs training images. Received: "
            f"split={split!r}, source={source!r}, which has {sorted(sizes)}. "
            'Ask for one of these splits, or for split="all".'
        )
    counts = {
        "validation": _count(validation, total, "validation" in sizes),
        "test": _count(test, total, "test" in sizes),
    }
    taken = sum(counts.values())
    if taken >= total:
        raise ValueError(
            "`validation` and `test` must leave some images for training. "
            f"Received: validation={counts['validation']}, "
            f"test={counts['test']} of {total} training images of {source!r}. "
            "Give smaller ones."
        )
    if split != "train" and not counts[split]:
        raise ValueError(
            f"`split` {split!r} would be empty. Received: {split}="
            f"{validation if split == 'validation' else test} of {total} "
            f"training images of {source!r}. Give `{split}`, the number of "
            'images to set aside, or ask for split="all".'
        )

    if not taken:
        return {"train": np.arange(total)}, f"its {total:,} training images"
    drawn = not (ordered and "test" in sizes)
    order = hashed_order(ids("train"), seed) if drawn else np.arange(total)
    allowed = np.arange(total + 1)
    if digests is not None:
        order, allowed = keep_together(order, digests("train"))
    middle = start = total
    if counts["test"]:
        middle = start = _nearest(total - counts["test"], allowed)
    if counts["validation"]:
        start = _nearest(middle - counts["validation"], allowed)
    positions = {
        "train": order[:start],
        "validation": order[start:middle],
        "test": order[middle:],
    }[split]
    copies = total + 1 - len(allowed)
    if not len(positions):
        raise ValueError(
            "Copies of one picture must stay in one part, so a source needs "
            f"different pictures for its parts. Received: split={split!r}, "
            f"source={source!r}, where {copies:,} of {total:,} training "
            f"images are copies of others, which leaves {split!r} empty. "
            "Remove them, or ask for other sizes."
        )
    how = f"drawn with seed {seed}" if drawn else "the last ones"
    note = f"{len(positions):,} of its {total:,} training images, {how}"
    if split == "train":
        note = f"its {total:,} training images"
        kept = " and ".join(name for name in counts if counts[name])
        note += f" without {total - start:,} kept for {kept}, {how}"
    if copies:
        note += f"; {copies:,} copies kept with their originals"
    return {"train": np.sort(positions)}, note


def _count(size: int | float | None, total: int, own: bool) -> int:
    if own:
        return 0
    if size is None:
        return min(DEFAULT_SIZE, total // 10)
    if isinstance(size, (float, np.floating)):
        return int(size * total)
    return int(size)
