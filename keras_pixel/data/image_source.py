"""What all sources of images have in common."""

from typing import Protocol

import numpy as np

from keras_pixel.data.pixels import PixelConverter

# Images, labels or None, ids, and names of unreadable files.
Read = tuple[
    list[np.ndarray] | np.ndarray, np.ndarray | None, list[str], list[str]
]


class ImageSource(Protocol):
    """Images in splits of their own, read by their positions in these.

    Attributes:
        name: what it is, such as "tfds:mnist:3.0.1".
        ordered: whether the source has an official order.
        sizes: number of images of each split.
        has_labels: whether each image has one label.
        num_classes, class_names: of the labels; `None` if unknown.
    """

    name: str
    ordered: bool
    sizes: dict[str, int]
    has_labels: bool
    num_classes: int | None
    class_names: tuple[str, ...] | None

    def ids(self, part: str) -> list[str]:
        """Ids of the images of a split."""

    def labels(self, part: str) -> np.ndarray | None:
        """Labels of a split, from 0 up, or `None`."""

    def digests(self, part: str, exact: bool = False) -> np.ndarray:
        """Digests of the images of a split, by which copies are found."""

    def read(
        self,
        part: str,
        positions: np.ndarray,
        converter: PixelConverter,
        on_error: str,
    ) -> Read:
        """Images of a split at some positions, fitted to the converter."""
