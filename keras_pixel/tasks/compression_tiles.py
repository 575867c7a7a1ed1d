"""Images of any size, as tiles of a model's size in batches of one size."""

import dataclasses
import zlib
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_pixel.order import from_order
from keras_pixel.order import into_order
from keras_pixel.order import is_transposed
from keras_pixel.tasks.compression_file import Item


@dataclasses.dataclass(frozen=True)
class Tile:
    """A part of an image that is coded as one image of the model's size."""

    number: int  # of the image, among all
    item: int
    image: int  # in its item
    top: int
    left: int
    height: int
    width: int
    channels: int
    order: str

    @property
    def place(self) -> tuple[slice, ...]:
        """Where it lies in the image."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    @property
    def inside(self) -> tuple[slice, ...]:
        """What of the tile, turned into its order, is part of the image.

        It is turned alone, so that what lies outside comes after it in every
        order.
        """
        height, width = self.height, self.width
        if is_transposed(self.order):
            height, width = width, height
        return np.s_[:height, :width, : self.channels]

    def read(self, items: Sequence[Item]) -> np.ndarray:
        """Its levels in the image, turned into its order."""
        part = image_of(items, self)[self.place]
        return into_order(np, part, self.order, axis=0)

    def write(self, items: Sequence[Item], levels: np.ndarray) -> None:
        """Put back what `read` gives."""
        part = from_order(np, levels, self.order, axis=0)
        image_of(items, self)[self.place] = part


def tiles_of(
    shapes: Iterable[Sequence[int]],
    tile_shape: Sequence[int],
    orders: Sequence[str],
) -> Iterator[Tile]:
    """Tiles of images, one after the other.

    Args:
        shapes: shapes of the items.
        tile_shape: `(height, width, channels)`.
        orders: list of names, one for each image.
    """
    rows, columns, _ = tile_shape
    number = 0
    for item, shape in enumerate(shapes):
        height, width, channels = shape[-3:]
        for image in range(count(shape)):
            for top in range(0, height, rows):
                for left in range(0, width, columns):
                    yield Tile(
                        number,
                        item,
                        image,
                        top,
                        left,
                        min(rows, height - top),
                        min(columns, width - left),
                        channels,
                        orders[number],
                    )
            number += 1


def count(shape: Sequence[int]) -> int:
    return shape[0] if len(shape) == 4 else 1


def image_of(items: Sequence[Item], tile: Tile) -> np.ndarray:
    levels = items[tile.item].levels
    return levels[tile.image] if levels.ndim == 4 else levels


def batch_of(
    tiles: Sequence[Tile], size: int, model: Any, told: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Levels that are all 0, what is coded of them, and conditions."""
    levels = np.zeros((size, *model.image_shape), "int32")
    is_coded = np.zeros(levels.shape, bool)
    for i, tile in enumerate(tiles):
        is_coded[i][tile.inside] = True
    # Of tiles that there are not: those of the first.
    numbers = [tile.number for tile in tiles]
    numbers += numbers[:1] * (size - len(tiles))
    return levels, is_coded, [values[numbers] for values in told]


def checksum(levels: np.ndarray, tiles: Iterable[Tile]) -> int:
    """Of all images in a batch, in order.

    One for each would be a quarter of what a small digit takes.
    """
    found = 0
    for one, tile in zip(levels, tiles, strict=False):
        found = zlib.crc32(one[tile.inside].astype("uint8").tobytes(), found)
    return found
