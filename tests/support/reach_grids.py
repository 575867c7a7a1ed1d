"""Reach of networks with several resolutions, composed tap by tap.

`seen` is a bool array `(pixels, rows, columns)`: which pixels of the image a
position of a grid sees. Everything here is worked from the words of the
layers, not from their masks.
"""

import numpy as np


def kernel(stack, rows, columns, shift=(0, 0), lag=None):
    """Taps of a shifted kernel: pairs of rows up and columns right."""
    if stack == "vertical":
        across = range(-(columns // 2), columns // 2 + 1)
    else:
        across = range(-(columns - 1), 1)
    taps = [
        (up + shift[0], right - shift[1])
        for up in range(rows)
        for right in across
    ]
    return [
        (up, right)
        for up, right in taps
        if lag is None or (up, right) == (0, 0) or right < lag * up
    ]


def image(height, width):
    """Each pixel sees itself."""
    return np.eye(height * width, dtype=bool).reshape(-1, height, width)


def convolve(seen, taps, strides=1):
    """Position `(i, j)` of a coarser grid is `(strides * i, strides * j)`."""
    _, height, width = seen.shape
    size = (-(-height // strides), -(-width // strides))
    found = np.zeros((len(seen), *size), bool)
    for i, j in np.ndindex(size):
        for up, right in taps:
            row, column = strides * i - up, strides * j + right
            if 0 <= row < height and 0 <= column < width:
                found[:, i, j] |= seen[:, row, column]
    return found


def transpose(seen, taps, size, strides=2):
    """Back to the finer grid of `size`."""
    found = np.zeros((len(seen), *size), bool)
    for i, j in np.ndindex(seen.shape[1:]):
        for up, right in taps:
            # The fine position from which `(i, j)` lies up and right.
            row, column = strides * i + up, strides * j - right
            if 0 <= row < size[0] and 0 <= column < size[1]:
                found[:, row, column] |= seen[:, i, j]
    return found


def blocks_of_two(seen, size):
    """Each position of a coarser grid repeated in rows and columns."""
    return seen.repeat(2, axis=1).repeat(2, axis=2)[:, : size[0], : size[1]]


def as_reach(network):
    """Reach of a network over whole pixels, for images of one channel.

    Args:
        network: function of `seen` of the image, to that of the features.
    """

    def reach(image_shape):
        height, width, _ = image_shape
        seen = network(image(height, width))
        return seen.reshape(height, width, 1, height, width, 1)

    return reach


def visible(height, width, lag=None):
    """Which pixels a pixel attends to, `(pixels seen, pixels that see)`.

    All before it in raster order; with `lag` of them only those with an
    earlier time.
    """
    rows, columns = np.divmod(np.arange(height * width), width)
    before = np.arange(height * width)[:, None] < np.arange(height * width)
    time = columns + (0 if lag is None else lag) * rows
    return before if lag is None else before & (time[:, None] < time)


def attend(seen, lag=None):
    """What a pixel gets from all pixels that it attends to."""
    _, height, width = seen.shape
    mask = visible(height, width, lag).astype(int)
    flat = seen.reshape(len(seen), -1).astype(int)
    return (flat @ mask > 0).reshape(seen.shape)


def strict_attention(lag=None, of_queries=True):
    """Reach of strict attention, whose queries may be made of its inputs.

    A query makes a difference where there are two pixels to choose from.
    """

    def network(seen):
        _, height, width = seen.shape
        choice = visible(height, width, lag).sum(axis=0) > 1
        own = seen & (choice.reshape(height, width) & of_queries)
        return attend(seen, lag) | own

    return as_reach(network)


def pixel_cnn_plus_plus(num_blocks, num_resolutions, lag=None):
    """Two stacks, on the way down and up, with short cuts."""
    vertical = kernel("vertical", 2, 3, lag=lag)
    horizontal = kernel("horizontal", 2, 2, lag=lag)

    def block(seen, taps, short_cut=False):
        return convolve(convolve(seen, taps) | short_cut, taps)

    def network(seen):
        sizes = [seen.shape[1:]]
        v = convolve(seen, kernel("vertical", 2, 3, (1, 0), lag))
        h = convolve(seen, kernel("vertical", 1, 3, (1, 0), lag))
        h |= convolve(seen, kernel("horizontal", 2, 1, (0, 1), lag))
        kept = [(v, h)]
        for level in range(num_resolutions):
            if level:
                v, h = convolve(v, vertical, 2), convolve(h, horizontal, 2)
                sizes.append(v.shape[1:])
                kept.append((v, h))
            for _ in range(num_blocks):
                v = block(v, vertical)
                h = block(h, horizontal, v)
                kept.append((v, h))
        v, h = kept.pop()
        for level in reversed(range(num_resolutions)):
            finer = level < num_resolutions - 1
            if finer:
                v = transpose(v, vertical, sizes[level])
                h = transpose(h, horizontal, sizes[level])
            for _ in range(num_blocks + finer):
                short_v, short_h = kept.pop()
                v = block(v, vertical, short_v)
                h = block(h, horizontal, v | short_h)
        return h

    return as_reach(network)


def pixel_snail(num_blocks, num_residual_blocks, lag=None):
    """Kernels of 2×2, and attention to features and to the image."""

    def network(seen):
        x = convolve(seen, kernel("vertical", 1, 3, (1, 0), lag))
        x |= convolve(seen, kernel("horizontal", 2, 1, (0, 1), lag))
        taps = kernel("horizontal", 2, 2, lag=lag)
        for _ in range(num_blocks):
            for _ in range(2 * num_residual_blocks):
                x = convolve(x, taps)
            x = x | attend(x | seen, lag)
        return x

    return as_reach(network)
