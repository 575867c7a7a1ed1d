"""Sheets of images, and pictures in files."""

import math

import numpy as np

from keras_pixel.files import atomic_file


def image_sheet(images, num_levels, columns=None, scale=None):
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


def to_bytes(levels, num_levels):
    """Convert levels to 8-bit values, which quantise to the same levels."""
    # Rounded up, because quantisation rounds down.
    scaled = -(-np.asarray(levels, "int64") * 255 // (num_levels - 1))
    return scaled.astype("uint8")


def save_picture(picture, path):
    """Write a picture as PNG, completely or not at all."""
    with atomic_file(path) as file:
        picture.save(file, format="PNG")
