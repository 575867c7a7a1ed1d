"""The images of one split, as integer levels."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_pixel.checks import check_size
from keras_pixel.data.batches import ImageBatches
from keras_pixel.data.batches import check_batch_size
from keras_pixel.data.stored import StoredImages
from keras_pixel.start import import_tensorflow


class ImageData:
    """Images as integer levels, with their labels and their origin.

    Args:
        images: uint8 array `(images, height, width, channels)` of levels 0 to
            `num_levels - 1`; or `StoredImages`, which are read on demand.
        labels: int array `(images,)` from 0 up, or `None`.
        num_levels: int from 2 to 256.
        num_classes: int, or `None` if unknown.
        class_names: sequence of str, one per class, or `None`.
        source: str. What the images were read from.
        split: "train", "validation", "test" or "all".
        note: str. Which images of the source these are, in words.
        ids: sequence of str, one per image: its TFDS id, position or file, by
            which the splits of a source can be compared.
        skipped_files: names of the files that could not be read.

    Further attributes: `image_shape`, `(height, width, channels)`;
    `skipped`, the number of files that could not be read; `description`, one
    line for a model's card.

    Example:

    >>> data = ImageData(np.zeros((5, 2, 2, 1), "uint8"), num_levels=2)
    >>> len(data), data.image_shape
    (5, (2, 2, 1))
    """

    def __init__(
        self,
        images: np.ndarray | StoredImages,
        labels: np.ndarray | None = None,
        *,
        num_levels: int = 256,
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
        source: str = "array",
        split: str = "all",
        note: str = "",
        ids: Sequence[str] | None = None,
        skipped_files: Sequence[str] = (),
    ):
        if not isinstance(images, StoredImages):
            images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
            raise ValueError(
                "`images` must be a uint8 array (images, height, width, "
                f"channels), not empty. Received: dtype={images.dtype}, "
                f"shape={images.shape}. `load_data` makes it from other "
                "arrays."
            )
        if isinstance(images, np.ndarray) and images.max() >= num_levels:
            raise ValueError(
                "`images` must hold levels from 0 to num_levels - 1. "
                f"Received: num_levels={num_levels}, highest level="
                f"{images.max()}. `load_data` quantises."
            )
        if labels is not None:
            labels = np.asarray(labels, "int32")
        for name, values in (("labels", labels), ("ids", ids)):
            if values is not None and len(values) != len(images):
                raise ValueError(
                    f"`{name}` must have one entry per image. Received: "
                    f"{len(values)} {name}, {len(images)} images. Give as "
                    "many."
                )
        self.images = images
        self.labels = labels
        self.num_levels = int(num_levels)
        self.image_shape = tuple(int(size) for size in images.shape[1:])
        self.num_classes = num_classes
        self.class_names = None if class_names is None else tuple(class_names)
        self.source = source
        self.split = split
        self.note = note
        self.ids = None if ids is None else tuple(ids)
        self.skipped_files = tuple(skipped_files)

    @property
    def skipped(self) -> int:
        """Number of files that could not be read."""
        return len(self.skipped_files)

    @property
    def description(self) -> str:
        """One line that says what these images are."""
        words = f"{len(self):,} images, {self.source}, {self.split}"
        if self.note:
            words += f": {self.note}"
        if self.skipped:
            words += f"; {self.skipped:,} unreadable files skipped"
        return words

    def fingerprint(self) -> str:
        """Return the SHA-256 of the ids, levels and labels, in order."""
        found = hashlib.sha256()
        for name in self.ids or ():
            found.update(f"{name}\n".encode())
        found.update(repr((self.images.shape, self.num_levels)).encode())
        if isinstance(self.images, StoredImages):
            found.update(self.images.digests().data)
        else:
            found.update(np.ascontiguousarray(self.images).data)
        if self.labels is not None:
            found.update(np.ascontiguousarray(self.labels).data)
        return found.hexdigest()

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return (
            f"ImageData({self.description}; image_shape={self.image_shape}, "
            f"num_levels={self.num_levels}, num_classes={self.num_classes})"
        )

    def batches(
        self,
        batch_size: int,
        *,
        start_step: int = 0,
        shuffle: bool = False,
        seed: int = 0,
        flip: bool = False,
        repeat: bool = False,
        drop_remainder: bool = False,
        **kwargs: Any,
    ) -> ImageBatches:
        """Make batches for any backend, without TensorFlow; see `ImageBatches`.

        Returns:
            A `keras.utils.PyDataset` of `images`, or of
            `{"images": …, "labels": …}` where there are labels.
        """
        return ImageBatches(
            self.images,
            self.labels,
            batch_size,
            start_step=start_step,
            shuffle=shuffle,
            seed=seed,
            flip=flip,
            repeat=repeat,
            drop_remainder=drop_remainder,
            **kwargs,
        )

    def tf_dataset(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        repeat: bool = False,
        drop_remainder: bool = False,
    ) -> Any:
        """Make a `tf.data.Dataset` of batches. Needs TensorFlow.

        Args:
            batch_size: int. Images per batch; the last of an epoch may be
                smaller.
            shuffle: bool. Whether to shuffle the images anew in each epoch.
            seed: int, 0 or more. The same seed gives the same orders.
            repeat: bool. Whether to repeat epochs without end.
            drop_remainder: bool. Whether to drop a smaller last batch.

        Returns:
            Data set of `images`, or of `{"images": …, "labels": …}` where
            there are labels.
        """
        if isinstance(self.images, StoredImages):
            raise ValueError(
                "`tf_dataset` needs images in memory. Received: images that "
                "are streamed. Use `batches`, or load them without "
                "`stream=True`."
            )
        batch_size = check_batch_size(batch_size, len(self), drop_remainder)
        seed = check_size("seed", seed, 0)
        try:
            tf = import_tensorflow()
        except ImportError as error:
            raise ImportError(
                "`tf_dataset` needs TensorFlow. Received: "
                f"{error}. Install it with `pip install tensorflow`, or use "
                "`batches`, which works without."
            ) from error

        with tf.device("CPU"):
            arrays = tf.constant(self.images)
            if self.labels is not None:
                arrays = {
                    "images": arrays,
                    "labels": tf.constant(self.labels),
                }
        # Shuffles positions rather than images: the buffer holds them all.
        dataset = tf.data.Dataset.range(len(self))
        if shuffle:
            dataset = dataset.shuffle(len(self), seed=seed)
        dataset = dataset.batch(batch_size, drop_remainder=drop_remainder)
        if repeat:
            dataset = dataset.repeat()
        return dataset.map(
            lambda chosen: tf.nest.map_structure(
                lambda array: tf.gather(array, chosen), arrays
            )
        ).prefetch(tf.data.AUTOTUNE)
