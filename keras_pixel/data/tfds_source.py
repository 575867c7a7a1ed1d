"""Images from TensorFlow Datasets, in an order that never changes."""

import difflib
import os

import numpy as np

from keras_pixel.data.pixels import PixelConverter
from keras_pixel.data.splits import split_of


class TfdsSource:
    """A TFDS data set with one image feature.

    Images come in order of their `id` where the data set has one (CIFAR-10),
    else in the order in which they are stored. Needs TensorFlow.

    Args:
        name: "name", "name/config" or either with ":version".
        data_dir: folder of prepared data sets, or `None` for TFDS' own.
        download: bool. Whether to download and prepare what is not there.
    """

    ordered = True

    def __init__(self, name: str, *, data_dir=None, download: bool = False):
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
        self._order_of: dict = {}

    def ids(self, part: str) -> list[str]:
        names = self._file_ids(part)
        return [names[position] for position in self._order(part)]

    def read(self, part, positions, converter: PixelConverter, on_error):
        """`(images, labels or None, ids, names of unreadable files)`."""
        import tensorflow as tf

        stored = self._order(part)[positions]  # positions in the files
        rank = {int(place): at for at, place in enumerate(stored)}
        wanted = np.zeros(self.sizes[part], bool)
        wanted[stored] = True
        decode = self._builder.info.features[self._image].decode_example
        with tf.device("CPU"):
            wanted = tf.constant(wanted)
            # Only the images asked for are decoded.
            first, last = int(stored.min()), int(stored.max())
            split = f"{self._names[part]}[{first}:{last + 1}]"
            dataset = self._raw(split).enumerate(first)
            dataset = dataset.filter(lambda at, _: wanted[at])
            dataset = dataset.map(
                lambda at, example: (
                    at,
                    decode(example[self._image]),
                    example[self._label] if self._label else at,
                ),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        images: list[np.ndarray | None] = [None] * len(stored)
        labels = np.zeros(len(stored), "int32")
        names = self._file_ids(part)
        for at, image, label in self._examples(dataset):
            place = rank[int(at)]
            images[place] = converter.fit_shape(image, f"image {names[at]}")
            labels[place] = label if self._label else 0
        if any(image is None for image in images):
            raise ValueError(
                "A TFDS data set must hold as many images as it states. "
                f"Received: {self.name}, {part}, with fewer than "
                f"{self.sizes[part]}. Prepare it again."
            )
        ids = [names[place] for place in stored]
        return images, labels if self._label else None, ids, []

    def _find_features(self, info):
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
                f"Received: {self.name} with image features {images} among "
                f"{sorted(info.features)}. Save the images you want as a "
                "folder or an .npz file."
            )
        self._image = images[0]
        dtype = info.features[self._image].np_dtype
        if dtype != np.uint8:
            raise TypeError(
                "Images must be of 8 bits a channel. Received: "
                f"{self.name} with dtype={np.dtype(dtype)}. Convert it and "
                "save it as a folder or an .npz file."
            )
        if "label" in labels:
            labels = ["label"]
        self._label = labels[0] if len(labels) == 1 else None
        self._id = "id" if "id" in texts else None
        self.has_labels = self._label is not None
        self.class_names = self.num_classes = None
        if self.has_labels:
            self.num_classes = info.features[self._label].num_classes
            self.class_names = tuple(info.features[self._label].names)

    def _raw(self, split):
        """Examples of a TFDS split as stored, pictures not yet decoded."""
        return self._builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders={self._image: self._tfds.decode.SkipDecoding()},
            # One file after the other: the order is that of the files.
            read_config=self._tfds.ReadConfig(
                interleave_cycle_length=1, try_autocache=False
            ),
        )

    def _examples(self, dataset):
        import tensorflow as tf

        try:
            yield from dataset.as_numpy_iterator()
        except tf.errors.OpError as error:
            raise ValueError(
                "The files of a TFDS data set must be readable. Received: "
                f"{self.name} in {self._builder.data_path}; {error.message} "
                "Prepare it again."
            ) from error

    def _file_ids(self, part):
        if part not in self._order_of:
            names = [f"{part}/{place}" for place in range(self.sizes[part])]
            order = np.arange(len(names))
            if self._id:
                stored = self._raw(self._names[part])
                stored = stored.map(lambda example: example[self._id])
                # Many at once: each step of the iterator costs more than an id.
                batches = self._examples(stored.batch(1000))
                names = [name.decode() for batch in batches for name in batch]
                order = np.argsort(np.array(names), kind="stable")
            self._order_of[part] = (names, order)
        return self._order_of[part][0]

    def _order(self, part):
        self._file_ids(part)
        return self._order_of[part][1]


def _import_tfds(name):
    try:
        import tensorflow  # noqa: F401
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            "A TFDS data set needs tensorflow and tensorflow-datasets. "
            f"Received: source={name!r}; {error}. Install them with "
            "`pip install tensorflow tensorflow-datasets`, or load a folder "
            "or an array."
        ) from error
    return tfds


def _builder(tfds, name, data_dir, download):
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
