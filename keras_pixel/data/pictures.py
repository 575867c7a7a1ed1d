"""Sheets of images, and pictures in files."""

import math

import numpy as np

from keras_pixel.files import atomic_file


def image_sheet(images, num_levels, columns=None, scale=None):
    """One picture of many images, in rows.

    Args:
        images: integer levels (batch, height, width, channels). Anything but
            3 channels is shown as grey images, side by side.
        num_levels: int. Levels `0` and `num_levels - 1` become black and
            white.
        columns: int. Images in a row. Defaults to about the square root.
        scale: int. Pixels of the picture per pixel of an image, each way.
            Defaults to what makes small images visible.

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


def to_bytes(levels, num_levels):
    """8-bit values of levels; quantised again they give the same levels."""
    # Rounded up: what is read back is rounded down.
    scaled = -(-np.asarray(levels, "int64") * 255 // (num_levels - 1))
    return scaled.astype("uint8")


def save_picture(picture, path):
    """Write a picture as PNG, all or nothing."""
    with atomic_file(path) as file:
        picture.save(file, format="PNG")
