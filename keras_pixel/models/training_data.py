"""What `fit` and `evaluate` are given: checked, and as Keras takes it.

A model that is told conditions takes batches as dicts: class ids that come as
targets are moved into them.
"""

import contextlib
import sys
import types

import keras
import numpy as np

from keras_pixel.checks import check_images


class TrainingData:
    """Checks images before a model learns from them.

    Arrays are checked as a whole and at once, sets batch by batch as they
    come: nothing is learned from floats or from levels out of range.

    Args:
        image_shape: `(height, width, channels)`.
        num_levels: int.
        conditions: `Conditions` of the model.

    Attributes:
        problems: list of the errors that were raised while a set was read.
            Backends wrap them in errors of their own.
    """

    def __init__(self, image_shape, num_levels, conditions):
        self.image_shape = image_shape
        self.num_levels = num_levels
        self.conditions = conditions
        self.problems = []

    def prepare(self, x, y=None, sample_weight=None, class_weight=None):
        """Checked data, in the same order.

        Args:
            x: images, `{"images": …, "labels": …}`, an object that holds
                `images` (such as `keras_pixel.data.load_data` gives), or a
                set of batches of the first two.
            y: class ids that go with `x`, or `None`.
            sample_weight: array `(images,)`, or `None`.
            class_weight: dict from class id to weight, or `None`.

        Returns:
            `(x, y, sample_weight)` for Keras.

        Raises:
            TypeError: if the images are not integers.
            ValueError: if shape or range are wrong, or the targets are no
                class ids.
        """
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow and isinstance(x, tensorflow.data.Dataset):
            return self._tf_dataset(x), y, sample_weight
        if isinstance(x, keras.utils.PyDataset):
            return _CheckedSet(x, self._batch), y, sample_weight
        if isinstance(x, types.GeneratorType):
            return (self._batch(batch) for batch in x), y, sample_weight
        if x is None or _is_loader(x):
            return x, y, sample_weight
        if hasattr(x, "images"):
            x = self._held(x)
        check_targets(y)
        x = self._checked(self._told(x, y))
        if class_weight is not None and y is None:
            raise ValueError(
                "`class_weight` needs the class of each image. Received: "
                "class_weight without class ids `y`. Give them as `y`, or "
                "weigh the images with `sample_weight`."
            )
        if sample_weight is not None and y is None:
            # Keras drops the weights of data without targets.
            y = np.zeros((len(images_of(x)), 0), "float32")
        return x, y, sample_weight

    def prepare_validation(self, data):
        """The same for `validation_data`, packed or not."""
        if not isinstance(data, (tuple, list)):
            x, y, sample_weight = self.prepare(data)
        else:
            x, y, sample_weight = self.prepare(*data)
        if y is None and sample_weight is None:
            return x
        return (x, y) if sample_weight is None else (x, y, sample_weight)

    @contextlib.contextmanager
    def own_errors(self):
        """Raise the error of a batch itself, not the backend's around it."""
        try:
            yield
        except Exception:
            if self.problems:
                raise self.problems[0] from None
            raise

    def _held(self, data):
        """What a data set in memory holds, as far as the model is told it."""
        if not self.conditions:
            return data.images
        if self.conditions.class_names is None:
            self.conditions.class_names = getattr(data, "class_names", None)
        found = {name: getattr(data, name, None) for name in self._names}
        return {k: v for k, v in found.items() if v is not None}

    @property
    def _names(self):
        return ("images", *self.conditions.names)

    def _told(self, x, y):
        """A batch with its conditions in one dict."""
        if not self.conditions:
            return x
        given = dict(x) if isinstance(x, dict) else {"images": x}
        if "labels" in self._names and y is not None:
            given.setdefault("labels", y)
        # Others are of no use here, and Keras would warn of them.
        return {k: v for k, v in given.items() if k in self._names}

    def _checked(self, x):
        images = images_of(x)
        check_images(images, self.image_shape, self.num_levels, dtype=None)
        if not self.conditions:
            return x
        told = self.conditions.by_image(
            len(images), **{name: x.get(name) for name in self.conditions.names}
        )
        return {"images": images, **told}

    def _batch(self, batch):
        """A batch of a set, checked."""
        try:
            x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
            check_targets(y)
            x = self._checked(self._told(x, y))
        except (TypeError, ValueError) as problem:
            self.problems.append(problem)
            raise
        if not self.conditions:
            return batch
        return keras.utils.pack_x_y_sample_weight(x, y, weight)

    def _tf_dataset(self, dataset):
        import tensorflow as tf

        spec = dataset.element_spec
        x, y, _ = keras.utils.unpack_x_y_sample_weight(spec)
        check_targets(y)
        dtype = images_of(x).dtype
        if not (dtype.is_integer or dtype.is_bool):
            packed = isinstance(spec, tuple) and len(spec) > 1
            scaled = 'tf.cast(images, "uint8")'
            if self.num_levels != 256:
                scaled = (
                    f'tf.cast(tf.cast(images, "int32") * {self.num_levels} '
                    '// 256, "uint8")'
                )
            cast = (
                f"lambda images, labels: ({scaled}, labels)"
                if packed
                else f"lambda images: {scaled}"
            )
            raise TypeError(
                "`images` must hold integer levels 0 … num_levels - 1. "
                f"Received: a data set of {dtype.name}. Cast 8-bit images "
                f"that are kept as floats (0 to 255): `dataset.map({cast})`."
            )

        @tf.autograph.experimental.do_not_convert
        def checked(*element):
            x = self._told(element[0], element[1] if element[1:] else None)
            images = images_of(x)
            given = {"images": images}
            if self.conditions:
                given = x

            def check(*values):
                # A function of Python: assertions would be left out by XLA.
                self._batch(dict(zip(given, values, strict=True)))
                return np.int32(0)

            done = tf.numpy_function(check, [*given.values()], "int32")
            with tf.control_dependencies([done]):
                same = tf.identity(images)
            x = {**x, "images": same} if isinstance(x, dict) else same
            return (x, *element[1:]) if isinstance(spec, tuple) else x

        return dataset.map(checked)


class _CheckedSet(keras.utils.PyDataset):
    """A data set that checks its batches."""

    def __init__(self, dataset, check):
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset
        self.check = check

    def __getitem__(self, index):
        return self.check(self.dataset[index])

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()


def images_of(batch):
    """The images of a batch, which may carry labels in a dict."""
    if isinstance(batch, dict):
        if "images" not in batch:
            raise ValueError(
                'A data set\'s dictionaries must have the key "images". '
                f"Received: keys={sorted(batch)}"
            )
        return batch["images"]
    return batch


def check_targets(y):
    """Refuse targets that are no class ids.

    Class ids `(batch,)`, `(batch, 1)` or one-hot `(batch, classes)` are let
    through: a model without labels has no use for them, and sets with them
    are everywhere.

    Raises:
        ValueError: if `y` is anything else.
    """
    if y is None:
        return
    shape = getattr(y, "shape", None)
    if shape is not None and len(shape) <= 2:
        return
    raise ValueError(
        "A data set must yield `images`, (images, class ids) or {'images': "
        "…, 'labels': …}: the images are their own targets. Received: a "
        f"second element `y` of shape {shape}. Leave it out."
    )


def takes_shuffle(x):
    """Whether Keras can shuffle the data; where it can't, it warns."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow and isinstance(x, tensorflow.data.Dataset):
        return False
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is not None
    return not isinstance(x, types.GeneratorType)


def _is_loader(x):
    """Whether Keras reads `x` by an adapter of another library."""
    return type(x).__module__.split(".")[0] in ("torch", "grain")
