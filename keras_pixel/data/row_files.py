"""Rows of Parquet and TFRecord files, of which a part is read at a time."""

import bisect
import pathlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_pixel.data.records import RecordFiles
from keras_pixel.start import import_tensorflow

_IMAGE, _ID = "image", "id"
# Rows of a Parquet file that are decoded at once.
_ROWS = 64


def kind_of(path: pathlib.Path) -> str | None:
    """ "parquet", "tfrecord" or `None`, by the name of a file.

    TFRecord files may be numbered, as in "x.tfrecord-00000-of-00010".
    """
    if path.suffix == ".parquet":
        return "parquet"
    return "tfrecord" if path.suffix.startswith(".tfrecord") else None


def _identity(paths: list[pathlib.Path]) -> dict[str, Any]:
    return {
        "name": f"file:{paths[0].name}",
        "files": [[path.name, path.stat().st_size] for path in paths],
    }


class ParquetRows:
    """A column of images in Parquet files: encoded, or lists of levels.

    A column of structs with `bytes`, as Hugging Face's data sets have it, is
    one of encoded images, too. Of levels a list holds those of an image, row
    by row, however it is nested.

    Args:
        paths: the files, in order.
        image_column, id_column: see `open_rows`.

    Attributes:
        is_encoded: bool. Whether images are encoded.
    """

    def __init__(
        self,
        paths: list[pathlib.Path],
        image_column: str | None = None,
        id_column: str | None = None,
    ):
        parquet = import_parquet("A Parquet file")
        self.identity = _identity(paths)
        self._paths = paths
        # (file, row group) of each group, and the number of its first row.
        self._groups: list[tuple[int, int]] = []
        self._starts = [0]
        schema = None
        for number, path in enumerate(paths):
            try:
                with parquet.ParquetFile(path) as file:
                    sizes = [
                        file.metadata.row_group(group).num_rows
                        for group in range(file.num_row_groups)
                    ]
                    schema = schema or file.schema_arrow
            # pyarrow's own errors are ValueErrors, too.
            except (OSError, ValueError) as error:
                raise ValueError(
                    "A Parquet file must be readable. Received: "
                    f"{str(path)!r}, which is not: {error}. Write it again."
                ) from error
            for group, size in enumerate(sizes):
                self._groups.append((number, group))
                self._starts.append(self._starts[-1] + size)
        self._image, self.is_encoded = _image_column(schema, image_column)
        self._id = _id_column(schema, id_column)

    def __len__(self) -> int:
        return self._starts[-1]

    def read(
        self,
        start: int,
        stop: int,
        image_shape: tuple[int, int, int] | None = None,
    ) -> Iterator[tuple[str, Any]]:
        """Yield `(id, value)` of the rows `start` to `stop - 1`.

        Args:
            start, stop: ints.
            image_shape: of an image whose levels are listed; else `None`.
        """
        parquet = import_parquet("A Parquet file")
        columns = [self._image, *([] if self._id is None else [self._id])]
        while start < min(stop, len(self)):
            group = bisect.bisect_right(self._starts, start) - 1
            number, place = self._groups[group]
            at, end = self._starts[group : group + 2]
            with parquet.ParquetFile(self._paths[number]) as file:
                for batch in file.iter_batches(
                    _ROWS, row_groups=[place], columns=columns
                ):
                    for row in range(
                        max(start - at, 0), min(stop - at, len(batch))
                    ):
                        name = str(at + row)
                        if self._id is not None:
                            name = str(batch.column(self._id)[row].as_py())
                        cell = batch.column(self._image)[row]
                        yield name, _value(cell, image_shape)
                    at += len(batch)
                    if at >= stop:
                        break
            start = end


def _value(cell: Any, image_shape: Any) -> Any:
    """The bytes of a cell, or a function that makes an array of its list."""
    if image_shape is not None:
        return lambda: _listed(cell, image_shape)
    value = cell.as_py()
    return value["bytes"] if isinstance(value, dict) else value


def _listed(cell: Any, image_shape: tuple[int, int, int]) -> Any:
    values = cell.values
    if values is None:
        return None
    while hasattr(values, "flatten") and values.type.num_fields:
        values = values.flatten()
    array = values.to_numpy(zero_copy_only=False)
    if array.size != np.prod(image_shape):
        raise ValueError(
            f"a list of levels must have {np.prod(image_shape):,} for "
            f"image_shape={image_shape}, not {array.size:,}"
        )
    return array.reshape(image_shape)


def _image_column(schema: Any, wanted: str | None) -> tuple[str, bool]:
    """Name of the column of images, and whether they are encoded."""
    kinds = {field.name: _kind(field.type) for field in schema}
    fitting = [name for name, kind in kinds.items() if kind is not None]
    if wanted is None:
        wanted = _IMAGE
        if wanted not in kinds and len(fitting) == 1:
            wanted = fitting[0]
    if wanted not in fitting:
        raise ValueError(
            "`image_column` must name a column of encoded images (binary, or "
            "structs with `bytes`) or of levels (lists of integers). "
            f"Received: image_column={wanted!r}, columns that can be: "
            f"{fitting}, of {sorted(kinds)}. Name one of them."
        )
    return wanted, kinds[wanted] == "encoded"


def _kind(kind: Any) -> str | None:
    import pyarrow

    types = pyarrow.types
    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    if types.is_binary(kind) or types.is_large_binary(kind):
        return "encoded"
    depth = 0
    while _is_list(types, kind):
        kind, depth = kind.value_type, depth + 1
    return "levels" if depth and types.is_integer(kind) else None


def _is_list(types: Any, kind: Any) -> bool:
    return (
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
    )


def _id_column(schema: Any, wanted: str | None) -> str | None:
    if wanted is None:
        return _ID if _ID in schema.names else None
    if wanted not in schema.names:
        raise ValueError(
            "`id_column` must name a column. "
            f"Received: id_column={wanted!r}, columns: {schema.names}. Name "
            "one of them, or leave it out to number the images."
        )
    return wanted


class RecordRows:
    """Encoded images in TFRecord files of `tf.train.Example`s.

    Needs TensorFlow.

    Args:
        paths: the files, in order.
        image_column, id_column: names of features, see `open_rows`.
        part: str. What precedes the numbers of images without ids. Defaults
            to `None`: nothing.
    """

    def __init__(
        self,
        paths: list[pathlib.Path],
        image_column: str | None = None,
        id_column: str | None = None,
        part: str | None = None,
    ):
        self.identity = _identity(paths)
        self._records = RecordFiles(paths)
        self._image = image_column or _IMAGE
        self._id = id_column
        self._part = part

    def __len__(self) -> int:
        return len(self._records)

    def read(self, start: int, stop: int) -> Iterator[tuple[str, Any]]:
        """Yield `(id, value)` of the records `start` to `stop - 1`."""
        try:
            tf = import_tensorflow()
        except ImportError as error:
            raise ImportError(
                "TFRecord files need TensorFlow. "
                f"Received: {error}. Install it with `pip install tensorflow`, "
                "or give a folder or Parquet files."
            ) from error
        parse = tf.train.Example.FromString
        for index in range(start, stop):
            name = str(index) if self._part is None else f"{self._part}/{index}"
            yield self._row(name, self._records[index], parse)

    def _row(
        self, name: str, record: bytes, parse: Callable[[bytes], Any]
    ) -> tuple[str, Any]:
        try:
            features = parse(record).features.feature
        # The error of the record, of a class that depends on protobuf.
        except Exception as error:
            return name, _raise(ValueError(f"no tf.train.Example: {error}"))
        found = features[self._id or _ID]
        ids = list(found.bytes_list.value or found.int64_list.value)
        if ids and isinstance(ids[0], bytes):
            ids = [ids[0].decode(errors="replace")]
        values = features[self._image].bytes_list.value
        problem = f"no bytes in the feature {self._image!r}"
        value = values[0] if values else _raise(ValueError(problem))
        return str(ids[0]) if ids else name, value


def _raise(error: Exception) -> Callable[[], Any]:
    """A value that cannot be read."""

    def read() -> Any:
        raise error

    return read


def import_parquet(what: str) -> Any:
    """pyarrow.parquet.

    Args:
        what: str, what needs it.

    Raises:
        ImportError: if pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            f"{what} needs pyarrow. Received: no such package. Install it "
            'with `pip install "keras-pixel[bulk]"`.'
        ) from error
    return pyarrow.parquet
