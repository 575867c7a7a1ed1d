"""Batches without TensorFlow, each determined by its number alone."""

from typing import Any

import keras
import numpy as np

from keras_pixel.checks import check_size
from keras_pixel.data.stored import StoredImages


class ImageBatches(keras.utils.PyDataset):
    """Batches of images for `fit` on any backend, resumable at any step.

    Batches have no state. The order of epoch `e` depends on `(seed, e)` and
    the flips of step `s` on `(seed, s)`, so a training that stopped after `s`
    steps continues with `start_step=s` as if it had never stopped.

    With `repeat` the batches never end: one epoch follows another, and every
    batch is full. Give `fit` its `steps_per_epoch`. Use this for trainings that
    may be resumed.

    Without `repeat` one pass is one epoch, whose last batch may be smaller.
    Keras calls `on_epoch_end` between passes (and once before the first pass
    of a `fit`); the next pass is the next epoch. Pass `shuffle=False` to
    `fit`, which would otherwise shuffle these batches again.

    Args:
        images: uint8 array `(images, height, width, channels)`, or
            `StoredImages`.
        labels: int32 array `(images,)`, or `None`.
        batch_size: int. Images per batch.
        shuffle: bool. Whether to shuffle the images anew in each epoch.
        seed: int, 0 or more.
        start_step: int. Number of the first batch.
        flip: bool. Whether to mirror each image left to right with
            probability one half.
        repeat: bool. Whether to continue without end.
        drop_remainder: bool. Whether to drop a smaller last batch.
        part: `(index, count)`, if each batch is shared by several processes:
            these batches hold the rows of the process `index`, from 0, of
            `count`. Defaults to `(0, 1)`, all.
        **kwargs: arguments of `keras.utils.PyDataset`, such as `workers`.

    Batches are `images`, or `{"images": …, "labels": …}` with labels.

    Example:

    >>> images = np.zeros((5, 2, 2, 1), "uint8")
    >>> [len(batch) for batch in ImageBatches(images, None, 2)]
    [2, 2, 1]
    """

    def __init__(
        self,
        images: np.ndarray | StoredImages,
        labels: np.ndarray | None,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        start_step: int = 0,
        flip: bool = False,
        repeat: bool = False,
        drop_remainder: bool = False,
        part: tuple[int, int] = (0, 1),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        must_drop = drop_remainder and not repeat
        self.batch_size = check_batch_size(batch_size, len(images), must_drop)
        self.seed = check_size("seed", seed, 0)
        self.start_step = check_size("start_step", start_step, 0)
        self.images = images
        self.labels = labels
        self.shuffle = shuffle
        self.flip = flip
        self.repeat = repeat
        self.drop_remainder = drop_remainder
        self.part = _check_part(part, batch_size)
        self.passes = 0
        self._order = (-1, np.arange(len(images)))

    @property
    def batches_per_epoch(self) -> int:
        """Batches in one pass over the images; with `repeat`, full ones."""
        if self.repeat or self.drop_remainder:
            return len(self.images) // self.batch_size
        return -(-len(self.images) // self.batch_size)

    @property
    def num_batches(self) -> int | None:
        """See `keras.utils.PyDataset`; `None` if the batches never end."""
        return None if self.repeat else self.batches_per_epoch

    def __len__(self) -> int:
        if self.repeat:
            raise TypeError(
                "Batches that repeat have no length. Received: repeat=True. "
                "See `batches_per_epoch`."
            )
        return self.batches_per_epoch

    def __getitem__(self, index: int) -> np.ndarray | dict[str, np.ndarray]:
        if index < 0 or not (self.repeat or index < len(self)):
            raise IndexError(
                f"`index` must be a batch's number. Received: index={index}, "
                f"num_batches={self.num_batches}."
            )
        step = self.start_step + int(index)
        if not self.repeat:
            step += self.passes * self.batches_per_epoch
        chosen = self._positions(step)
        index, count = self.part
        number = len(chosen)
        rows = slice(index * number // count, (index + 1) * number // count)
        chosen = chosen[rows]
        images = self.images[chosen]  # (batch, height, width, channels)
        if self.flip:
            mirrored = self._generator(1, step).random(number)[rows] < 0.5
            images[mirrored] = images[mirrored][:, :, ::-1]
        if self.labels is None:
            return images
        return {"images": images, "labels": self.labels[chosen]}

    def on_epoch_end(self) -> None:
        # Keras continues to read endless batches, and starts others at 0.
        self.passes += 0 if self.repeat else 1

    def _positions(self, step: int) -> np.ndarray:
        if not self.repeat:
            epoch, batch = divmod(step, self.batches_per_epoch)
            start = batch * self.batch_size
            return self._epoch_order(epoch)[start : start + self.batch_size]
        parts = []
        missing = self.batch_size
        epoch, start = divmod(step * self.batch_size, len(self.images))
        while missing:
            part = self._epoch_order(epoch)[start : start + missing]
            parts.append(part)
            missing -= len(part)
            epoch, start = epoch + 1, 0
        return np.concatenate(parts)

    def _epoch_order(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return self._order[1]
        # Read and set as one object, since several threads may ask at once.
        known, order = self._order
        if known != epoch:
            order = self._generator(0, epoch).permutation(len(self.images))
            self._order = (epoch, order)
        return order

    def _generator(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, number])


def check_batch_size(batch_size: Any, num_images: int, drop: bool) -> int:
    """Return a batch size that gives at least one batch, as an `int`."""
    batch_size = check_size("batch_size", batch_size)
    if drop and batch_size > num_images:
        raise ValueError(
            "`drop_remainder` leaves no batch at all: `batch_size` is more "
            f"than the images there are. Received: batch_size={batch_size}, "
            f"images={num_images}. Use a batch_size of at most {num_images}."
        )
    return batch_size


def _check_part(part: tuple[int, int], batch_size: int) -> tuple[int, int]:
    """Return a share of a batch, an index and of how many."""
    index, count = part
    count = check_size("part[1]", count)
    index = check_size("part[0]", index, 0)
    if index >= count or batch_size % count:
        raise ValueError(
            "`part` must be (index, count) with an index below the count, and "
            "the count divide `batch_size`. "
            f"Received: part={part}, batch_size={batch_size}"
        )
    return index, count
