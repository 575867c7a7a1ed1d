"""Attention inside blocks, and the windows that the blocks see."""

import keras
from keras import ops

# Added to the scores of what a token may not see: so large that the score is
# lost in the rounding, and no score brings it back. Finite, because a padded
# token may see nothing at all.
HIDDEN = -1e30
HIDDEN_FLOAT16 = -65504.0  # its lowest number


def attend_in_blocks(queries, keys, values, visible):
    """Softmax attention inside blocks.

    Args:
        queries: tensor `(n, blocks, block, key_dim)`, scaled.
        keys: tensor `(n, blocks, window, key_dim)`.
        values: tensor like `keys`.
        visible: bool tensor `(blocks, block, window)`.

    Returns:
        Tensor like `queries`.
    """
    scores = ops.einsum("nbqd,nbkd->nbqk", queries, keys)
    return ops.matmul(masked_softmax(scores, visible), values)


def masked_softmax(scores, visible):
    """Softmax over what is visible.

    Args:
        scores: float tensor.
        visible: bool tensor that broadcasts to `scores`.
    """
    if scores.shape[-1] == 1:  # nothing to share, and Keras would warn
        return ops.ones_like(scores)
    dtype = keras.backend.standardize_dtype(scores.dtype)
    hidden = HIDDEN_FLOAT16 if dtype == "float16" else HIDDEN
    hidden = ops.cast(ops.where(visible, 0.0, hidden), dtype)
    return ops.softmax(scores + hidden, axis=-1)


def windows(x, axis, inner, before, after):
    """Each block of an axis with its neighbourhood: copies in linear number.

    Args:
        x: tensor with the blocks along `axis` and the places in a block along
            `inner`.
        axis: int.
        inner: int.
        before: int. Places to add in front of each block.
        after: int. Places to add behind it.

    Returns:
        Tensor like `x` with `before + block + after` places along `inner`,
        zeros where there is no block.
    """
    count, size = x.shape[axis], x.shape[inner]
    back, ahead = -(-before // size), -(-after // size)
    padding = [[0, 0] for _ in x.shape]
    padding[axis] = [back, ahead]
    padded = ops.pad(x, padding) if back or ahead else x
    parts = []
    for shift in range(-back, ahead + 1):
        blocks = part(padded, axis, back + shift, count)
        first = max(0, -before - shift * size)
        last = min(size, size + after - shift * size)
        parts.append(part(blocks, inner, first, last - first))
    return ops.concatenate(parts, axis=inner) if len(parts) > 1 else parts[0]


def part(x, axis, first, count):
    """Some places of an axis."""
    # By `split`, because TensorFlow's gradient of a slice is ten times slower.
    ends = [first, first + count]
    inside = [end for end in ends if 0 < end < x.shape[axis]]
    if not inside:
        return x
    return ops.split(x, inside, axis=axis)[int(first > 0)]
