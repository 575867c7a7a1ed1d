"""Images from TensorFlow Datasets, in an order that never changes."""

import difflib
import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import numpy as np

from keras_pixel.data.image_source import Read
from keras_pixel.data.pixels import PixelConverter
from keras_pixel.data.records import RecordFiles
from keras_pixel.data.splits import digest
from keras_pixel.data.splits import split_of
from keras_pixel.files import PathLike
from keras_pixel.start import import_tensorflow

# Fewer pictures than this are decoded one by one: threads cost more.
_FEW = 100
# Encoded pictures held in memory at once.
_MANY = 10_000


class TfdsSource:
    """A TFDS data set with one image feature.

    Images are ordered by their `id` if the data set has one (CIFAR-10), else as
    they are stored. Needs TensorFlow.

    Args:
        name: "name", "name/config" or either with ":version".
        data_dir: folder of prepared data sets, or `None` for TFDS' own.
        download: bool. Whether to download and prepare a missing data set.
    """

    ordered = True

    def __init__(
        self,
        name: str,
        *,
        data_dir: PathLike | None = None,
        download: bool = False,
    ):
        self._tfds = _import_tfds(name)
        self._builder = _builder(self._tfds, name, data_dir, download)
        info = self._builder.info
        self.name = f"tfds:{info.full_name}"
        self._names = {}
        for own in info.splits:
            split = split_of(own)
            if split is not None:
                self._names[split] = own
        self.sizes = {
            split: info.splits[own].num_examples
            for split, own in self._names.items()
        }
        self._find_features(info)
        self._tables: dict[str, _Table] = {}

    def ids(self, part: str) -> list[str]:
        table = self._table(part)
        return [table.ids[position] for position in table.order]

    def record_files(self, part: str) -> tuple[list[str], str, str | None]:
        """Where the pictures of a split lie, without reading any.

        Returns:
            `(paths, image, id)`: TFRecord files, none where the data set is
            stored otherwise, and the names of two features, `None` for an
            `id` that there is none of.
        """
        paths = self._builder.info.splits[self._names[part]].filepaths
        if not self._in_records():
            paths = []
        return [os.fspath(path) for path in paths], self._image, self._id

    def digests(self, part: str, exact: bool = False) -> np.ndarray:
        """Return digests of the encoded pictures, by which copies are found."""
        table = self._table(part)
        return table.digests[table.order]

    def labels(self, part: str) -> np.ndarray | None:
        table = self._table(part)
        if table.labels is None:
            return None
        return table.labels[table.order].astype("int32")

    def read(
        self,
        part: str,
        positions: np.ndarray,
        converter: PixelConverter,
        on_error: str,
    ) -> Read:
        """`(images, labels or None, ids, names of unreadable files)`."""
        table = self._table(part)
        stored = table.order[positions]  # positions in the files
        ids = [table.ids[position] for position in stored]
        images = None
        decoded = self._decoded(table, stored)
        for at, (image, name) in enumerate(zip(decoded, ids, strict=True)):
            image = converter.fit_shape(image, f"image {name}")
            if images is None:
                # Filled in place: a list would be held besides its array.
                images = np.empty((len(ids), *image.shape), "uint8")
            images[at] = image
        labels = self.labels(part)
        if labels is not None:
            labels = labels[positions]
        return [] if images is None else images, labels, ids, []

    def _decoded(
        self, table: "_Table", stored: np.ndarray
    ) -> Iterator[np.ndarray]:
        import tensorflow as tf

        decode = self._builder.info.features[self._image].decode_example
        try:
            with tf.device("CPU"):
                for start in range(0, len(stored), _MANY):
                    encoded = [
                        table.encoded(int(position))
                        for position in stored[start : start + _MANY]
                    ]
                    if len(encoded) <= _FEW:
                        for one in encoded:
                            yield decode(one).numpy()
                        continue
                    # In several threads.
                    dataset = tf.data.Dataset.from_tensor_slices(encoded)
                    dataset = dataset.map(
                        decode, num_parallel_calls=tf.data.AUTOTUNE
                    )
                    yield from dataset.as_numpy_iterator()
        except tf.errors.OpError as error:
            raise self._unreadable(error.message) from error

    def _unreadable(self, problem: object) -> ValueError:
        return ValueError(
            "The files of a TFDS data set must be readable. Received: "
            f"{self.name} in {self._builder.data_path}; {problem} "
            "Prepare it again."
        )

    def _find_features(self, info: Any) -> None:
        features = self._tfds.features
        found = {
            kind: [
                key
                for key, feature in info.features.items()
                if type(feature) is kind
            ]
            for kind in (features.Image, features.ClassLabel, features.Text)
        }
        images, labels, texts = found.values()
        if len(images) != 1:
            raise ValueError(
                "`source` must be a TFDS data set with one image feature. "
                f"Received: {self.name} with image features {sorted(images)} "
                f"among {sorted(info.features)}. Save the images you want as a "
                "folder or an .npz file."
            )
        self._image = images[0]
        dtype = info.features[self._image].np_dtype
        if dtype != np.uint8:
            raise TypeError(
                "Images must have 8 bits per channel. Received: "
                f"{self.name} with dtype={np.dtype(dtype)}. Convert it and "
                "save it as a folder or an .npz file."
            )
        if "label" in labels:
            labels = ["label"]
        self._label = labels[0] if len(labels) == 1 else None
        self._id = "id" if "id" in texts else None
        self.has_labels = self._label is not None
        self.class_names: tuple[str, ...] | None = None
        self.num_classes: int | None = None
        if self.has_labels:
            self.num_classes = info.features[self._label].num_classes
            self.class_names = tuple(info.features[self._label].names)

    def _table(self, part: str) -> "_Table":
        if part not in self._tables:
            self._tables[part] = self._read_table(part)
        return self._tables[part]

    def _read_table(self, part: str) -> "_Table":
        """Read what is known about each picture, without decoding any."""
        import tensorflow as tf

        split = self._builder.info.splits[self._names[part]]
        is_record = self._in_records()
        ids: list[str] = []
        digests: list[int] = []
        labels: list[int] = []
        kept: list[bytes] = []
        try:
            with tf.device("CPU"):
                batches = (
                    self._record_batches(split.filepaths)
                    if is_record
                    else self._raw_batches(self._names[part])
                )
                for batch in batches.as_numpy_iterator():
                    pictures = batch[self._image].tolist()
                    digests += map(digest, pictures)
                    if self._id:
                        ids += [name.decode() for name in batch[self._id]]
                    if self._label:
                        labels += batch[self._label].tolist()
                    if not is_record:
                        kept += pictures
            records = RecordFiles(split.filepaths) if is_record else None
        except tf.errors.OpError as error:
            raise self._unreadable(error.message) from error
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from error
        if len(digests) != self.sizes[part]:
            raise ValueError(
                "A TFDS data set must hold as many images as it declares. "
                f"Received: {self.name}, {part}, with {len(digests)} instead "
                f"of {self.sizes[part]}. Prepare it again."
            )
        order = np.arange(len(digests))
        if self._id:
            order = np.argsort(np.array(ids), kind="stable")
        else:
            ids = [f"{part}/{position}" for position in range(len(digests))]
        return _Table(
            ids,
            order,
            np.array(digests, "uint64"),
            np.array(labels) if self._label else None,
            lambda position: (
                kept[position]
                if records is None
                else self._picture_of(records[position])
            ),
        )

    def _in_records(self) -> bool:
        return self._builder.info.file_format.value == "tfrecord"

    def _record_batches(self, paths: Iterable[PathLike]) -> Any:
        """Examples as stored in TFRecord files, checksums verified."""
        import tensorflow as tf

        wanted = {self._image: tf.string}
        if self._id:
            wanted[self._id] = tf.string
        if self._label:
            wanted[self._label] = tf.int64
        form = {
            key: tf.io.FixedLenFeature((), dtype)
            for key, dtype in wanted.items()
        }
        dataset = tf.data.TFRecordDataset([os.fspath(path) for path in paths])
        # Many at once: a step of the iterator costs more than a picture.
        return dataset.batch(200).map(
            lambda batch: tf.io.parse_example(batch, form)
        )

    def _raw_batches(self, split: str) -> Any:
        """The same for data sets in other file formats, through TFDS."""
        keys = [key for key in (self._image, self._id, self._label) if key]
        dataset = self._builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders={self._image: self._tfds.decode.SkipDecoding()},
            # One file after the other, to keep their order.
            read_config=self._tfds.ReadConfig(
                interleave_cycle_length=1, try_autocache=False
            ),
        )
        dataset = dataset.map(lambda one: {key: one[key] for key in keys})
        return dataset.batch(200)

    def _picture_of(self, record: bytes) -> bytes:
        import tensorflow as tf

        example = tf.train.Example.FromString(record)
        return example.features.feature[self._image].bytes_list.value[0]


class _Table(NamedTuple):
    """The pictures of a split, in the order of the files.

    `order` sorts them by their ids; `encoded` returns the bytes of the picture
    at a position.
    """

    ids: list[str]
    order: np.ndarray
    digests: np.ndarray
    labels: np.ndarray | None
    encoded: Callable[[int], bytes]


def _import_tfds(name: str) -> Any:
    try:
        import_tensorflow()
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            "A TFDS data set needs tensorflow and tensorflow-datasets. "
            f"Received: source={name!r}; {error}. Install them with "
            "`pip install tensorflow tensorflow-datasets`, or load a folder "
            "or an array."
        ) from error
    return tfds


def _builder(
    tfds: Any, name: str, data_dir: PathLike | None, download: bool
) -> Any:
    where = os.fspath(data_dir) if data_dir is not None else None
    hint = ""
    if os.path.exists(name):
        hint = f' The path of that name here is "./{name}".'
    try:
        builder = tfds.builder(
            name, data_dir=where and os.path.expanduser(where)
        )
    except tfds.core.DatasetNotFoundError as error:
        near = difflib.get_close_matches(name, tfds.list_builders(), 3)
        raise ValueError(
            "`source` must be the name of a TFDS data set or a path. "
            f"Received: source={name!r}, data_dir={where!r}, where TFDS knows "
            f"no such data set. Near names: {', '.join(near) or 'none'}. "
            f"A path begins with ./ or /.{hint}"
        ) from error
    except (AssertionError, ValueError) as error:
        raise ValueError(
            "`source` must name a version and configuration that TFDS has. "
            f"Received: source={name!r}, data_dir={where!r}; {error}"
        ) from error
    if download:
        builder.download_and_prepare()
    if not builder.info.splits:
        raise FileNotFoundError(
            f"The TFDS data set {name!r} must be prepared in `data_dir`. "
            f"Received: source={name!r}, data_dir={where!r}, download=False, "
            f"with nothing in {builder.data_path}. Pass the `data_dir` that "
            f"holds it, or download=True to fetch it there.{hint}"
        )
    return builder
