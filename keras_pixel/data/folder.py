"""Images from files: a folder of pictures, or one picture."""

import collections
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import BinaryIO

import numpy as np

from keras_pixel.data.image_source import Read
from keras_pixel.data.pixels import PixelConverter
from keras_pixel.data.splits import digest
from keras_pixel.data.splits import split_of

SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".gif",
    ".webp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
)


class UnreadableError(ValueError):
    """Unreadable picture files; `problems` has `(name, why)` of each."""

    def __init__(self, message: str, problems: list[tuple[str, str]]):
        super().__init__(message)
        self.problems = problems


class FolderSource:
    """Pictures in a folder, whose sub-folders are the labels.

    If every sub-folder is called train, validation (or val, valid) or test,
    they are splits, and the labels are the folders within them.

    Args:
        path: a folder, or one picture.
    """

    ordered = False

    def __init__(self, path: Path):
        self.name = f"folder:{path.name}"
        self._root = path
        if path.is_file():
            self._root, files = path.parent, [path.name]
        else:
            files = find_pictures(path)
        if not files:
            raise FileNotFoundError(
                "A folder of images must hold some, directly or in "
                f"sub-folders. Received: {path}, with no file that ends in "
                f"{', '.join(SUFFIXES)}."
            )
        self._files = _by_split(files, path)
        # Depth of the folder that is the label: below the split, if any.
        self._depth = 1 if split_of(files[0].split("/")[0]) else 0
        self.sizes = {part: len(names) for part, names in self._files.items()}
        classes = {self._class_of(name) for name in files}
        self.has_labels = None not in classes
        self.class_names: tuple[str, ...] | None = None
        self.num_classes: int | None = None
        if self.has_labels:
            self.class_names = tuple(sorted(map(str, classes)))
            self.num_classes = len(classes)

    def ids(self, part: str) -> list[str]:
        return self._files[part]

    def path(self, name: str) -> Path:
        """The file of an image, given its id."""
        return self._root / name

    def digests(self, part: str, exact: bool = False) -> np.ndarray:
        """Return digests of the files, by which copies are found.

        Unless `exact`, only files of equal size are read: others cannot be
        copies. A file that cannot be read is a copy of none; `read` names it.
        """
        names = self._files[part]
        sizes = [_size(self._root / name) for name in names]
        shared = collections.Counter(sizes)

        def digest_of(name: str, size: int | None) -> int:
            if size is not None and shared[size] == 1 and not exact:
                return size
            try:
                return digest((self._root / name).read_bytes())
            except OSError:
                return digest(name.encode())

        return np.array(list(map(digest_of, names, sizes)), "uint64")

    def labels(self, part: str) -> np.ndarray | None:
        return self._labels_of(self._files[part])

    def read(
        self,
        part: str,
        positions: np.ndarray,
        converter: PixelConverter,
        on_error: str,
    ) -> Read:
        """`(images, labels or None, ids, names of unreadable files)`."""
        images, ids, unreadable = [], [], []
        wanted = converter.image_shape
        for position in positions:
            name = self._files[part][position]
            try:
                image = read_picture(
                    self._root / name, None if wanted is None else wanted[2]
                )
            except MemoryError:
                raise
            # A broken file makes Pillow raise almost anything. Nothing is
            # hidden: every such file is named with the reason.
            except Exception as error:
                unreadable.append((name, f"{type(error).__name__}: {error}"))
                continue
            if not unreadable or on_error == "skip":
                images.append(converter.fit_shape(image, name))
                ids.append(name)
        if unreadable and on_error == "raise":
            listing = "\n".join(f"  {name}: {why}" for name, why in unreadable)
            raise UnreadableError(
                "Every image file must be readable. Received: "
                f"{len(unreadable)} of {len(positions)} files in {self._root} "
                f"that are not:\n{listing}\nRepair or remove them, or pass "
                'on_error="skip" to leave them out.',
                unreadable,
            )
        labels = self._labels_of(ids)
        return images, labels, ids, [name for name, _ in unreadable]

    def _labels_of(self, names: Sequence[str]) -> np.ndarray | None:
        if not self.has_labels:
            return None
        numbers: dict[str | None, int] = {
            name: i for i, name in enumerate(self.class_names or ())
        }
        return np.array(
            [numbers[self._class_of(name)] for name in names], "int32"
        )

    def _class_of(self, name: str) -> str | None:
        folders = name.split("/")[self._depth : -1]
        return folders[0] if folders else None


def _size(path: Path) -> int | None:
    """Bytes of a file, or `None` of a link that leads nowhere."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def read_picture(path: Path | BinaryIO, channels: int | None) -> np.ndarray:
    """Read one picture as 8-bit values, upright.

    Args:
        path: the file, or a file of bytes that is open.
        channels: int or None. `4` keeps transparency; otherwise a picture with
            transparent parts is an error, as their colours mean nothing.

    Returns:
        uint8 array `(height, width, channels)`: 1 channel for a grey picture,
        3 for a coloured one, 4 (RGB and opacity) if requested.
    """
    from PIL import Image
    from PIL import ImageOps

    with Image.open(path) as file:
        # An MPO file of a camera is one photograph followed by previews.
        frames = getattr(file, "n_frames", 1)
        if frames > 1 and file.format != "MPO":
            raise ValueError(f"an animation of {frames} pictures, not one")
        is_deep = is_cut_to_bytes(file)
        file.load()
        picture = ImageOps.exif_transpose(file)
        if is_deep:
            raise ValueError("of 16 bits a channel, not 8")
        if picture.mode not in _GREY + _COLOUR:
            raise ValueError(f"not of 8 bits a channel (mode {picture.mode})")
        colours = "L" if picture.mode in _GREY else "RGB"
        if channels == 4:
            return np.array(picture.convert("RGBA"))
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            if np.array(picture)[..., 3].min() < 255:
                raise ValueError(
                    "partly transparent; flatten it, or ask for 4 channels "
                    "by `image_shape`"
                )
        image = np.array(picture.convert(colours))
    return image[..., None] if colours == "L" else image


def is_cut_to_bytes(picture: Any) -> bool:
    """Whether Pillow gives 8 bits of a picture's 16, without a word.

    Args:
        picture: `PIL.Image.Image`, opened, and not loaded yet.
    """
    return any(
        str(word).startswith(("L;16", "LA;16", "RGB;16", "RGBA;16", "CMYK;16"))
        for tile in getattr(picture, "tile", ())
        for word in (tile[3] if isinstance(tile[3], tuple) else (tile[3],))
    )


_GREY = ("1", "L", "LA")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


def find_pictures(root: Path) -> list[str]:
    """Paths below `root`, such as "a/b.png", sorted.

    Links are followed; hidden files and folders are passed over.

    Raises:
        OSError: if a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise error

    files, seen = [], set()
    for folder, folders, names in os.walk(root, onerror=fail, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link back to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(
            name for name in folders if not name.startswith(".")
        )
        files += [
            (Path(folder) / name).relative_to(root).as_posix()
            for name in names
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(files)


def _by_split(files: list[str], path: Path) -> dict[str, list[str]]:
    firsts = sorted({name.rpartition("/")[0].split("/")[0] for name in files})
    splits = [split_of(first) for first in firsts]
    if not any(splits):
        return {"train": files}  # folders are labels, if there are any
    if not all(splits) or len(set(splits)) < len(splits):
        raise ValueError(
            "The folders of a data set must be splits (train, validation, "
            "test, one of each) or labels, not both. Received: "
            f"{path} with {[first or 'loose files' for first in firsts]}. "
            "Rename or move some of them."
        )
    return {
        split: [name for name in files if name.split("/")[0] == first]
        for first, split in zip(firsts, splits, strict=True)
        if split is not None  # none is, here
    }
