"""Keys and values of earlier tokens, and where these tokens lie."""

import numpy as np
from keras import ops

from keras_pixel.layers.buffers import is_portable


def token_places(grid, channels=1):
    """Where each token lies, in the order in which they are kept.

    Step after step, in a step channel after channel, then lane after lane.

    Args:
        grid: `Grid`.
        channels: int. Tokens of a pixel.

    Returns:
        Dict of tensors `(num_steps * channels * lanes,)`: int32 `row`,
        `column` and `channel`, and bool `is_pixel`, False for what an idle
        lane left.
    """
    shape = (grid.num_steps, channels, grid.lanes)
    return _of_tokens(grid.places, shape)


def _of_tokens(tables, shape):
    """Tables of pixels, and the channel, for each of their tokens."""
    places = {
        name: ops.reshape(ops.broadcast_to(table[:, None], shape), (-1,))
        for name, table in tables.items()
    }
    channel = np.arange(shape[1], dtype="int32")[:, None]
    channel = np.broadcast_to(channel, shape).reshape(-1)
    return {**places, "channel": ops.convert_to_tensor(channel)}


def kept_places(step, steps, channels):
    """Where each token lies that a ring of the last steps holds.

    Args:
        step: `Step`.
        steps: int. Steps in the ring, this one included.
        channels: int. Tokens of a pixel.

    Returns:
        Dict of tensors `(steps * channels * lanes,)` as from `token_places`,
        in the order of the ring.
    """
    grid = step.grid
    age = age_of_slots(step.time, steps, ops.arange(steps, dtype="int32"))
    time = step.time - age  # below 0 where nothing is kept yet
    tables = {
        name: ops.take(table, ops.maximum(time, 0), axis=0)
        for name, table in grid.places.items()
    }
    begun = (time >= 0)[:, None]
    tables["is_pixel"] = ops.logical_and(tables["is_pixel"], begun)
    return _of_tokens(tables, (steps, channels, grid.lanes))


def age_of_slots(place, size, slots):
    """How many places ago each slot of a ring was written.

    Args:
        place: int32 scalar, the place being written now.
        size: int. Slots of the ring.
        slots: int32 tensor, numbers of slots.
    """
    now = place % size
    # Not a remainder of each: it would be the most expensive part of a step,
    # and ONNX has another remainder of what is negative.
    return now - slots + ops.where(slots > now, size, 0)


def write_tokens(buffer, first, value):
    """`buffer` with some neighbouring tokens replaced.

    Args:
        buffer: tensor `(num_heads, batch, tokens * size)`.
        first: int32 scalar, the first of them, known only while running.
        value: tensor `(num_heads, batch, lanes, size)`.
    """
    heads, _, lanes, size = value.shape
    if not is_portable():
        value = ops.reshape(value, (heads, -1, lanes * size))
        return ops.slice_update(buffer, (0, 0, first * size), value)
    blocks = buffer.shape[-1] // (lanes * size)
    parted = ops.reshape(buffer, (heads, -1, blocks, lanes * size))
    here = ops.arange(blocks, dtype="int32")[:, None] == first // lanes
    value = ops.reshape(value, (heads, -1, 1, lanes * size))
    parted = ops.where(here, value, parted)
    return ops.reshape(parted, (heads, -1, blocks * lanes * size))


def heads_first(features, lanes, num_heads):
    """`(positions, num_heads * size)` as `(num_heads, batch, lanes, size)`."""
    size = features.shape[-1] // num_heads
    parted = ops.reshape(features, (lanes, -1, num_heads, size))
    return ops.transpose(parted, (2, 1, 0, 3))


def heads_last(outputs):
    """Undo `heads_first`."""
    heads, _, _, size = outputs.shape
    outputs = ops.transpose(outputs, (2, 1, 0, 3))
    return ops.reshape(outputs, (-1, heads * size))
