"""Sheets of images, and pictures in files."""

import math
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from keras_pixel.files import PathLike
from keras_pixel.files import atomic_file

if TYPE_CHECKING:
    from PIL import Image


def image_sheet(
    images: Any,
    num_levels: int,
    columns: int | None = None,
    scale: int | None = None,
) -> "Image.Image":
    """Make one picture of many images, in rows.

    Args:
        images: integer levels (batch, height, width, channels). Unless there
            are 3 channels, each is shown as a grey image beside the others.
        num_levels: int. Levels `0` and `num_levels - 1` become black and
            white.
        columns: int. Images in a row. Defaults to `None`: a roughly square
            picture.
        scale: int. Size of an image's pixel in the picture. Defaults to
            `None`: small images are enlarged.

    Returns:
        A `PIL.Image.Image`.
    """
    from PIL import Image

    images = np.asarray(images)
    count, height, width, channels = images.shape
    if channels != 3:
        # (batch, height, channels * width, 1)
        images = images.transpose(0, 1, 3, 2)
        images = images.reshape(count, height, channels * width, 1)
        width = channels * width
    images = to_bytes(images, num_levels)
    images = np.broadcast_to(images, (count, height, width, 3))
    columns = columns or max(1, round(math.sqrt(count * height / width)))
    rows = math.ceil(count / columns)
    scale = scale or max(1, 64 // max(height, width))
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width, gap = height * scale, width * scale, 2
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, 3),
        255,
        "uint8",
    )
    for index, image in enumerate(images):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return Image.fromarray(sheet)


def cut_sheet(
    sheet: np.ndarray, image_shape: tuple[int, int, int], num_levels: int
) -> np.ndarray | None:
    """Take the images out of a picture that `image_sheet` made.

    Args:
        sheet: uint8 array `(height, width, 3)`.
        image_shape: `(height, width, channels)` of an image.
        num_levels: int.

    Returns:
        int32 levels `(images, height, width, channels)`, or `None` if it
        cannot be cut surely: for other than 1 or 3 channels, or where images
        have white borders of their own.
    """
    height, width, channels = image_shape
    is_inside = (sheet != 255).any(axis=2)
    tops, lefts = _runs(is_inside.any(axis=1)), _runs(is_inside.any(axis=0))
    sizes = {(size, "rows") for _, size in tops}
    sizes |= {(size, "columns") for _, size in lefts}
    scale = tops[0][1] // height if tops else 0
    wanted = {(height * scale, "rows"), (width * scale, "columns")}
    if sizes != wanted or channels not in (1, 3):
        return None
    cells = [
        sheet[top : top + rows : scale, left : left + columns : scale]
        for top, rows in tops
        for left, columns in lefts
    ]
    # A last row that is not full ends in white cells.
    cells = [cell for cell in cells if (cell != 255).any()]
    levels = np.stack(cells).astype("int32") * num_levels // 256
    return levels[..., :channels]


def _runs(is_inside: np.ndarray) -> list[tuple[int, int]]:
    """`(start, length)` of each run of True."""
    edges = np.flatnonzero(np.diff(np.pad(is_inside.astype("int8"), 1)))
    return [(a, b - a) for a, b in edges.reshape(-1, 2)]


def to_bytes(levels: Any, num_levels: int) -> np.ndarray:
    """Convert levels to 8-bit values, which quantise to the same levels."""
    # Rounded up, because quantisation rounds down.
    scaled = -(-np.asarray(levels, "int64") * 255 // (num_levels - 1))
    return scaled.astype("uint8")


def save_picture(picture: "Image.Image", path: PathLike) -> None:
    """Write a picture as PNG, completely or not at all."""
    with atomic_file(path) as file:
        picture.save(file, format="PNG")
