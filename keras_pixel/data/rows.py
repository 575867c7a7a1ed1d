"""Images one after the other, from sources of any size, for bulk work.

Unlike `load_data` nothing is held but names and positions, and an image that
cannot be read has an error in its place.
"""

import dataclasses
import errno
import functools
import glob
import hashlib
import io
import itertools
import os
import pathlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_pixel.checks import check_choice
from keras_pixel.data import row_files
from keras_pixel.data.arrays import ArraySource
from keras_pixel.data.folder import FolderSource
from keras_pixel.data.folder import read_picture
from keras_pixel.data.pixels import PixelConverter
from keras_pixel.data.pixels import as_bytes
from keras_pixel.data.sources import is_path
from keras_pixel.data.sources import open_source

# What a row holds: the bytes of a picture, its file, or values; or a function
# that reads one of these.
Value = bytes | pathlib.Path | np.ndarray | Callable[[], Any]
_ALL = "all"
# What begins so is none of a folder's files of rows.
_HIDDEN = (".", "_")
# Faults of the machine or the network, not of a picture.
_TEMPORARY = (
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    *(errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN),
)


@dataclasses.dataclass(frozen=True)
class RowBatch:
    """Successive images of a source.

    Attributes:
        ids: list of str, one for each image.
        images: uint8 array `(readable, height, width, channels)` of levels, of
            those images that can be read.
        errors: list, `None` for each of these images, and a string that says
            what is wrong for each of the others.
    """

    ids: list[str]
    images: np.ndarray
    errors: list[str | None]


class Rows:
    """The images of a source, by their numbers.

    Args:
        identity: dict of JSON values: what tells the source from others.
        count: int. Images.
        read: function from two numbers, the first image and that after the
            last, to an iterator of `(id, value)`.
        converter: `PixelConverter` with an `image_shape`.
    """

    def __init__(
        self,
        identity: dict[str, Any],
        count: int,
        read: Callable[[int, int], Iterator[tuple[str, Value]]],
        converter: PixelConverter,
    ):
        self.identity = {**identity, "num_images": count}
        self._count = count
        self._read = read
        self._converter = converter

    def __len__(self) -> int:
        return self._count

    def batches(
        self, start: int, stop: int, batch_size: int
    ) -> Iterator[RowBatch]:
        """Yield the images `start` to `stop - 1` as `RowBatch`es."""
        rows = self._read(start, stop)
        shape = self._converter.image_shape or ()
        while part := list(itertools.islice(rows, batch_size)):
            ids, images, errors = [], [], []
            for name, value in part:
                found = self._levels(name, value)
                is_error = isinstance(found, str)
                ids.append(name)
                errors.append(found if is_error else None)
                images += [] if is_error else [found]
            none = np.zeros((0, *shape), "uint8")
            yield RowBatch(ids, np.stack(images) if images else none, errors)

    def _levels(self, name: str, value: Value) -> Any:
        """Levels of an image, or what is wrong with it."""
        converter = self._converter
        shape = converter.image_shape or ()
        try:
            found: Any = value() if callable(value) else value
            if found is None:
                raise ValueError("no image")
            if isinstance(found, bytes):
                found = io.BytesIO(found)
            if isinstance(found, io.BytesIO | pathlib.Path):
                found = read_picture(found, shape[2])
            else:
                found = as_bytes(found, converter)
            image = converter.fit_shape(found, name)
            return converter.quantise(image[None])[0]
        except MemoryError:
            raise
        # A broken file makes Pillow raise almost anything. Nothing is hidden:
        # the error stands in the place of the image.
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _TEMPORARY:
                raise
            return f"{type(error).__name__}: {error}"


def open_rows(
    source: Any,
    *,
    image_shape: tuple[int, int, int],
    num_levels: int,
    split: str = _ALL,
    data_dir: str | None = None,
    resize: str | None = None,
    values: str | None = None,
    image_column: str | None = None,
    id_column: str | None = None,
) -> Rows:
    """Open a source of images of any size.

    Args:
        source: as in `load_data`, an array, a folder, a picture, an .npy or
            .npz file or a TFDS name; or files ending in .parquet or
            .tfrecord, with a pattern such as "images/*.parquet", or a folder
            of them.
        image_shape, num_levels: what the images become.
        split: one of the source's own splits, or "all".
        data_dir: folder of prepared TFDS data sets.
        resize: see `load_data`.
        values: "pixels" for values from 0 to 255, "levels" for levels.
            Defaults to `None`: levels in arrays and in lists of numbers of a
            Parquet file, and pixels in pictures; of a TFDS data set it must
            be said for fewer than 256 levels.
        image_column: name of the column (of the feature, in a TFRecord) of
            the images. Defaults to `None`: "image", or the only one that can
            hold images.
        id_column: name of that of their ids. Defaults to `None`: "id" if it
            is there, else images are numbered.

    Returns:
        `Rows`.

    Raises:
        ValueError, TypeError: if an argument or the source is not as above.
        FileNotFoundError: if there is no such path.
        ImportError: if pyarrow, or TensorFlow, is missing.
    """
    columns = {"image_column": image_column, "id_column": id_column}
    paths = _row_files(source)
    pictures, numbers = (
        PixelConverter(num_levels, image_shape, resize, values or default)
        for default in ("pixels", "levels")
    )
    if paths is not None:
        _check_left_out("files of rows", split=split, data_dir=data_dir)
        if paths[0].suffix == ".parquet":
            table = row_files.ParquetRows(paths, **columns)
            converter = pictures if table.is_encoded else numbers
            shape = None if table.is_encoded else image_shape
            return Rows(
                table.identity,
                len(table),
                lambda start, stop: table.read(start, stop, shape),
                converter,
            )
        records = row_files.RecordRows(paths, **columns)
        return Rows(records.identity, len(records), records.read, pictures)
    _check_left_out("a source without columns", **columns)
    opened = open_source(source, data_dir=data_dir)
    parts = _parts(opened, split)
    if isinstance(opened, FolderSource):
        return _folder_rows(opened, parts, pictures)
    if isinstance(opened, ArraySource):
        identity = {"name": opened.name, "split": split}
        if not isinstance(source, (str, os.PathLike)):
            array = source[0] if isinstance(source, tuple) else source
            content = np.ascontiguousarray(array)
            identity["sha256"] = hashlib.sha256(content.data).hexdigest()
        return _source_rows(opened, parts, identity, numbers)
    if num_levels < 256 and values is None:
        raise ValueError(
            "`values` must say what a TFDS data set holds, unless the model "
            "has 256 levels. Received: values=None, "
            f'num_levels={num_levels}. Pass values="pixels" for 8-bit '
            'values, or values="levels" for levels.'
        )
    identity = {"name": opened.name, "split": split}
    tables: list[row_files.RecordRows] = []
    for part in parts:
        stored, image, name = opened.record_files(part)
        if stored:
            paths = [pathlib.Path(path) for path in stored]
            tables.append(row_files.RecordRows(paths, image, name, part))
    if len(tables) == len(parts):
        return Rows(
            identity,
            sum(map(len, tables)),
            lambda start, stop: _chained(tables, start, stop),
            pictures,
        )
    return _source_rows(opened, parts, identity, pictures)


def absolute(source: Any) -> Any:
    """A source as processes with other working directories name it."""
    if not isinstance(source, (str, os.PathLike)):
        return source
    is_local = isinstance(source, os.PathLike) or is_path(source)
    if is_local or _row_files(source) is not None:
        return os.path.abspath(os.path.expanduser(source))
    return source


def _row_files(source: Any) -> list[pathlib.Path] | None:
    """The Parquet or TFRecord files that a source means, or `None`."""
    if not isinstance(source, (str, os.PathLike)):
        return None
    path = pathlib.Path(source).expanduser()
    found = [path]
    if path.is_dir() and not (isinstance(source, str) and not is_path(source)):
        found = [x for x in path.iterdir() if not x.name.startswith(_HIDDEN)]
    elif set(str(source)) & set("*?["):
        found = [pathlib.Path(x) for x in glob.glob(str(path))] or found
    if not any(row_files.kind_of(x) for x in found):
        return None
    kinds = {row_files.kind_of(x) for x in found}
    if len(kinds) > 1 or None in kinds:
        raise ValueError(
            "The files of a source must all be Parquet files (.parquet), or "
            "all TFRecord files (.tfrecord). Received: "
            f"source={str(source)!r}, with {sorted(x.name for x in found)[:5]}"
            '. Name them by a pattern such as "images/*.parquet".'
        )
    for one in found:
        if not one.is_file():
            raise FileNotFoundError(
                "`source` must be a folder or file that exists. Received: "
                f"source={str(source)!r}, which does not. Check the path."
            )
    return sorted(found)


def _check_left_out(what: str, **given: Any) -> None:
    for name, value in given.items():
        if value not in (None, _ALL):
            raise ValueError(
                f"`{name}` must be left out for {what}. "
                f"Received: {name}={value!r}. Leave it out."
            )


def _parts(opened: Any, split: str) -> list[str]:
    parts = list(opened.sizes)
    if split == _ALL:
        return parts
    return [check_choice("split", split, (*parts, _ALL))]


def _folder_rows(
    opened: FolderSource, parts: list[str], converter: PixelConverter
) -> Rows:
    names = [name for part in parts for name in opened.ids(part)]
    found = hashlib.sha256()
    for name in names:
        found.update(f"{name}\n".encode(errors="surrogateescape"))
    identity = {"name": opened.name, "sha256": found.hexdigest()}

    def read(start: int, stop: int) -> Iterator[tuple[str, Value]]:
        for name in names[start:stop]:
            yield name, opened.path(name)

    return Rows(identity, len(names), read, converter)


def _source_rows(
    opened: Any,
    parts: list[str],
    identity: dict[str, Any],
    converter: PixelConverter,
) -> Rows:
    """Rows of a source that reads images by their positions."""

    def read(start: int, stop: int) -> Iterator[tuple[str, Value]]:
        first = 0
        for part in parts:
            size = opened.sizes[part]
            for number in range(max(start - first, 0), min(stop - first, size)):
                yield (
                    f"{part}/{number}",
                    functools.partial(_one_of, opened, part, number, converter),
                )
            first += size

    count = sum(opened.sizes[part] for part in parts)
    return Rows(identity, count, read, converter)


def _one_of(
    opened: Any, part: str, number: int, converter: PixelConverter
) -> np.ndarray:
    images, *_ = opened.read(part, [number], converter, "raise")
    return images[0]


def _chained(
    tables: list[row_files.RecordRows], start: int, stop: int
) -> Iterator[tuple[str, Value]]:
    """Rows of several tables, as if they were one."""
    for table in tables:
        size = len(table)
        yield from table.read(max(start, 0), min(stop, size))
        start, stop = start - size, stop - size
