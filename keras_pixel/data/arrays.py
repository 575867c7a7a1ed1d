"""Images from NumPy arrays and from .npy and .npz files."""

import zlib
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Self
from zipfile import BadZipFile

import numpy as np

from keras_pixel.data.image_source import Read
from keras_pixel.data.pixels import PixelConverter
from keras_pixel.data.pixels import as_bytes
from keras_pixel.data.splits import SPLIT_NAMES
from keras_pixel.data.splits import digest

_IMAGES = ("images", "image", "x")
_LABELS = ("labels", "label", "y")


class ArraySource:
    """Images in memory, or in a mapped file.

    Args:
        name: str. What to call the source.
        parts: dict from split to `(images, labels)`, labels `None` if absent.
    """

    ordered = False

    def __init__(self, name: str, parts: dict[str, tuple[Any, Any]]):
        self.name = name
        self.class_names: tuple[str, ...] | None = None
        self.num_classes: int | None = None
        self._parts = {
            split: _checked(images, labels, f"{name}, {split}")
            for split, (images, labels) in parts.items()
        }
        self.sizes = {
            split: len(images) for split, (images, _) in self._parts.items()
        }
        all_labels = [labels for _, labels in self._parts.values()]
        known = [labels for labels in all_labels if labels is not None]
        self.has_labels = len(known) == len(all_labels)
        if self.has_labels:
            self.num_classes = 1 + max(int(part.max()) for part in known)

    @classmethod
    def from_arrays(cls, source: Any) -> Self:
        """Make the source of an array, or of a pair `(images, labels)`."""
        images, labels = source, None
        if isinstance(source, tuple) and len(source) == 2:
            images, labels = source
        return cls("array", {"train": (images, labels)})

    def ids(self, part: str) -> list[str]:
        return [f"{part}/{position}" for position in range(self.sizes[part])]

    def digests(self, part: str, exact: bool = False) -> np.ndarray:
        """Return digests of the images, by which copies are found."""
        images = self._parts[part][0]
        return np.array([digest(image.tobytes()) for image in images], "uint64")

    def labels(self, part: str) -> np.ndarray | None:
        return self._parts[part][1]

    def read(
        self,
        part: str,
        positions: np.ndarray,
        converter: PixelConverter,
        on_error: str,
    ) -> Read:
        """`(images, labels or None, ids, names of unreadable files)`."""
        images, labels = self._parts[part]
        name = f"an array of {self.sizes[part]} images"
        images = as_bytes(images[positions], converter)
        images = converter.fit_shape(images, name)
        ids = [f"{part}/{position}" for position in positions]
        return images, labels if labels is None else labels[positions], ids, []


def read_array_file(path: Path) -> ArraySource:
    """Open the source in a .npy or .npz file; nothing is unpickled."""
    name = f"file:{path.name}"
    try:
        # Opened here: NumPy leaves a broken file open.
        with open(path, "rb") as file:
            if file.read(6) == b"\x93NUMPY":
                # Mapped: only the requested split of a large file is read.
                images = np.load(path, mmap_mode="r", allow_pickle=False)
                arrays = {"images": images}
            else:
                file.seek(0)
                with np.load(file, allow_pickle=False) as loaded:
                    arrays = {key: loaded[key] for key in loaded.files}
    except (OSError, EOFError, ValueError, BadZipFile, zlib.error) as error:
        raise ValueError(
            "`source` must be a .npy or .npz file of plain arrays. Received: "
            f"source={str(path)!r}, which cannot be read: {error}"
        ) from error
    return ArraySource(name, _named_parts(arrays, path))


def _named_parts(
    arrays: Mapping[str, np.ndarray], path: Path
) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    names = list(arrays)
    parts = {}
    for split, words in SPLIT_NAMES.items():
        images = _find(names, _IMAGES, words, path)
        if images is not None:
            labels = _find(names, _LABELS, words, path)
            parts[split] = (images, labels)
    single = _find(names, _IMAGES, (), path)
    if single is None and not parts and len(names) == 1:
        single = names[0]
    if bool(parts) == (single is not None):
        raise ValueError(
            "An .npz file must hold `images` and, if it has them, `labels`; "
            "or a pair of these for each split: `x_train`, `y_train`, "
            "`x_test`, … or `train_images`, `train_labels`, … "
            f"Received: {path} with {sorted(names)}. Rename its arrays."
        )
    if single is not None:
        parts = {"train": (single, _find(names, _LABELS, (), path))}
    return {
        split: (arrays[images], None if labels is None else arrays[labels])
        for split, (images, labels) in parts.items()
    }


def _find(
    names: Iterable[str],
    kinds: Iterable[str],
    splits: Sequence[str],
    path: Path,
) -> str | None:
    wanted = set(kinds)
    if splits:
        wanted = {f"{kind}_{split}" for kind in kinds for split in splits}
        wanted |= {f"{split}_{kind}" for kind in kinds for split in splits}
    found = [name for name in names if name.lower() in wanted]
    if len(found) > 1:
        raise ValueError(
            "An .npz file must hold one array of each kind. Received: "
            f"{path} with {sorted(found)}, which mean the same. Remove one."
        )
    return found[0] if found else None


def _checked(
    images: Any, labels: Any, name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    images = _as_array("images", images, name)
    if images.dtype != bool and not np.issubdtype(images.dtype, np.integer):
        raise TypeError(
            "Images must be integers, not scaled: 8-bit values or levels. "
            f"Received: dtype={images.dtype} ({name}). If they are scaled to "
            '[0, 1], use (255 * images).round().astype("uint8").'
        )
    if images.ndim == 3 and images.shape[-1] > 4:
        images = images[..., None]
    if images.ndim != 4 or not images.size:
        raise ValueError(
            "Images must be an array (images, height, width, channels), or "
            "(images, height, width) for grey ones, and not empty. Received: "
            f"shape={images.shape} ({name}). A single image needs "
            "images[None], narrow grey images need images[..., None]."
        )
    if labels is None:
        return images, None
    labels = _as_array("labels", labels, name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"Labels must be integers. Received: dtype={labels.dtype} "
            f"({name}). Number them with "
            "np.unique(labels, return_inverse=True)[1]."
        )
    if labels.shape != (len(images),):
        raise ValueError(
            "Labels must be one integer per image. Received: labels of shape "
            f"{labels.shape} with {len(images)} images ({name})."
        )
    return images, labels


def _as_array(what: str, values: Any, name: str) -> np.ndarray:
    if not hasattr(values, "__array__"):
        raise TypeError(
            f"`source` must be a TFDS name, a path, an array, or a pair "
            f"(images, labels) of arrays. Received: {what} of type "
            f"{type(values).__name__} ({name}). Use np.asarray or np.stack."
        )
    return np.asarray(values)
