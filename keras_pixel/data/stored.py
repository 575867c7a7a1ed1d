"""Images that stay in their files and are read on demand."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_pixel.data.image_source import ImageSource
from keras_pixel.data.pixels import PixelConverter

# Images that are read at once if all of them are requested.
_CHUNK = 256


class StoredImages:
    """Integer levels, indexed like an array, read batch by batch.

    Args:
        source: a source of images; see `sources`.
        chosen: dict from split of the source to positions in it.
        converter: `PixelConverter` of the values.

    Example:

    ```python
    images = load_data("photos/", stream=True, values="pixels").images
    batch = images[[3, 14, 15]]  # uint8 (3, height, width, channels)
    ```
    """

    dtype = np.dtype("uint8")
    ndim = 4

    def __init__(
        self,
        source: ImageSource,
        chosen: dict[str, np.ndarray],
        converter: PixelConverter,
    ):
        self._source = source
        self._converter = converter
        self._parts = list(chosen)
        # (part, position) of each image.
        self._places = np.concatenate(
            [
                np.stack([np.full(len(positions), number), positions], axis=1)
                for number, positions in enumerate(chosen.values())
            ]
        )
        # The first image determines the shape unless one was requested.
        image_shape = converter.image_shape or self[0].shape
        self.shape = (len(self), *image_shape)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def __getitem__(self, index: Any) -> np.ndarray:
        if np.ndim(index) == 0 and not isinstance(index, slice):
            return self[np.array([index])][0]
        wanted = self._places[index]
        images: list = [None] * len(wanted)
        for number, part in enumerate(self._parts):
            at = np.flatnonzero(wanted[:, 0] == number)
            if len(at):
                found, *_ = self._source.read(
                    part, wanted[at, 1], self._converter, "raise"
                )
                for position, image in zip(at, found, strict=True):
                    images[position] = image
        if not images:
            return np.zeros((0, *self.shape[1:]), self.dtype)
        return self._converter.quantise(np.stack(images))

    def __array__(
        self, dtype: Any = None, copy: bool | None = None
    ) -> np.ndarray:
        images = np.concatenate(list(self.chunks()))
        return images if dtype is None else images.astype(dtype)

    def digests(self) -> np.ndarray:
        """Return digests of the stored images."""
        return np.concatenate(
            [
                self._source.digests(part, exact=True)[
                    self._places[self._places[:, 0] == number, 1]
                ]
                for number, part in enumerate(self._parts)
            ]
        )

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield all images, a few hundred at a time."""
        for start in range(0, len(self), _CHUNK):
            yield self[start : start + _CHUNK]
