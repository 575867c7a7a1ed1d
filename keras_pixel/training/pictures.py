"""Pictures of a training: sheets of samples and the learning curve."""

import math

import numpy as np

from keras_pixel.files import atomic_file

_BLUE, _ORANGE, _GREY, _BLACK = "#1f6fb2", "#d9660b", "#d8d8d8", "#333333"


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


def learning_curve(history, size=(720, 400)):
    """Picture of bits/dim against steps, of training and validation.

    Args:
        history: a `History`.
        size: (width, height) in pixels.

    Returns:
        A `PIL.Image.Image`.
    """
    from PIL import Image
    from PIL import ImageDraw

    curves = [
        ("training", _BLUE, *history.column("bits_per_dim")),
        ("validation", _ORANGE, *history.column("validation_bits_per_dim")),
    ]
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = 60, 30, size[0] - 20, size[1] - 40
    values = [value for curve in curves for value in curve[3]]
    if not values:
        return picture
    # The first, untrained values would press all others against the floor.
    low, high = min(values), float(np.quantile(values, 0.95))
    high = max(high, low + 1e-3)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    last = max(max(curve[2], default=0) for curve in curves) or 1

    def place(step, value):
        part = min(max((value - low) / (high - low), 0.0), 1.0)
        return (
            left + (right - left) * step / last,
            bottom - (bottom - top) * part,
        )

    for tick in _ticks(low, high):
        y = place(0, tick)[1]
        draw.line([(left, y), (right, y)], fill=_GREY)
        draw.text((left - 8, y), f"{tick:.4g}", fill=_BLACK, anchor="rm")
    for tick in _ticks(0, last):
        x = place(tick, low)[0]
        draw.line([(x, bottom), (x, bottom + 4)], fill=_BLACK)
        draw.text((x, bottom + 8), f"{tick:,.0f}", fill=_BLACK, anchor="mt")
    draw.line([(left, bottom), (right, bottom)], fill=_BLACK)
    draw.text((right, size[1] - 14), "steps", fill=_BLACK, anchor="rm")
    draw.text((left, 14), "bits/dim", fill=_BLACK, anchor="lm")
    for index, (name, color, steps, values) in enumerate(curves):
        points = [
            place(step, value)
            for step, value in zip(steps, values, strict=True)
        ]
        if len(points) > 1:
            draw.line(points, fill=color, width=2)
        if points:
            x, y = points[-1]
            draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=color)
            text = f"{name} {values[-1]:.4g}"
            draw.text((160 + 200 * index, 14), text, fill=color, anchor="lm")
    return picture


def save_picture(picture, path):
    """Write a picture as PNG, all or nothing."""
    with atomic_file(path) as file:
        picture.save(file, format="PNG")


def _ticks(low, high, count=6):
    step = 10.0 ** math.floor(math.log10((high - low) / count))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= count)
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step) + 1)]
