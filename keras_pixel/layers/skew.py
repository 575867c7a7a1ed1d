"""Rows moved against each other, so that a diagonal becomes a column.

Each row stands one column further right than the row above it: the pixel
`(row, column)` comes to stand in column `row + column`. Pixels of a diagonal,
none of which depends on another, then have their turn at the same time.

Pixels are laid out `(height, width, batch, features)`: a pixel of all images
is moved as one block.
"""

import numpy as np
from keras import ops


def skew(maps):
    """Put the diagonals of maps one after the other.

    Args:
        maps: list of tensors `(height, width, batch, features)`.

    Returns:
        Tensor `(width + height - 1, len(maps), height, batch, features)`,
        zeros where no pixel came to stand.
    """
    height, width = maps[0].shape[:2]
    pixels = height * width
    time = np.arange(width + height - 1)[:, None, None]
    row = np.arange(height)
    column = time - row  # (time, 1, row)
    number = np.arange(len(maps))[:, None]
    index = number * pixels + row * width + column
    # Nothing comes from the row of zeros behind all pixels.
    inside = (column >= 0) & (column < width)
    index = np.where(inside, index, len(maps) * pixels).astype("int32")
    flat = [ops.reshape(x, (pixels, *ops.shape(x)[2:])) for x in maps]
    flat.append(ops.zeros_like(flat[0][:1]))
    return ops.take(ops.concatenate(flat, axis=0), index, axis=0)


def unskew(sequence):
    """Undo `skew`.

    Args:
        sequence: tensor `(width + height - 1, count, height, batch,
            features)`.

    Returns:
        List of tensors `(height, width, batch, features)`.
    """
    length, count, height = sequence.shape[:3]
    row = np.arange(height)[:, None]
    time = row + np.arange(length + 1 - height)  # (height, width)
    flat = ops.reshape(
        sequence, (length * count * height, *ops.shape(sequence)[3:])
    )
    indices = [(time * count + i) * height + row for i in range(count)]
    return [ops.take(flat, i.astype("int32"), axis=0) for i in indices]
