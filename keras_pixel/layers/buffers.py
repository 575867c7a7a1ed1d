"""Pieces that the layers' cached sides share."""

import contextlib
import contextvars

import keras
import numpy as np
from keras import ops

from keras_pixel import order

_PORTABLE = contextvars.ContextVar("portable", default=False)
# Below this, a convolution copies its taps into one matrix.
_FEW_FEATURES = 32


@contextlib.contextmanager
def portable():
    """Read and write buffers by operations that need no XLA and convert.

    Elsewhere they are those that XLA does in place. Loops too are then such
    that convert to other formats.
    """
    token = _PORTABLE.set(True)
    try:
        yield
    finally:
        _PORTABLE.reset(token)


def as_portable(function):
    """`function`, run inside `portable`."""

    def run(*args):
        with portable():
            return function(*args)

    return run


def is_portable():
    """Whether `portable` is in force."""
    return _PORTABLE.get()


def known_groups(layer, inputs, number):
    """The first `number` channel groups of a pixel, joined.

    Args:
        layer: the layer that asks, named in the error.
        inputs: list of the groups known so far.
        number: int, at least 1.

    Returns:
        Tensor `(batch, features)`, channel 0's features first.

    Raises:
        ValueError: if fewer are known: the graph is not causal.
    """
    _check_known(layer, inputs, number)
    if number == 1:
        return inputs[0]
    return ops.concatenate(inputs[:number], axis=-1)


def known_group(layer, inputs, group):
    """Channel group `group` of a pixel alone; see `known_groups`."""
    _check_known(layer, inputs, group + 1)
    return inputs[group]


def _check_known(layer, inputs, number):
    if len(inputs) < number:
        raise ValueError(
            "The model is not causal: a layer sees the channel that it helps "
            f'to predict. Received: {type(layer).__name__} (name="'
            f'{layer.name}") on a path from the image with no mask type "A" '
            "before it."
        )


def most_registers():
    """Steps of a history that are best kept as one tensor each.

    XLA writes to a ring in place, and would copy tensors that are handed on
    from step to step; without XLA it is the other way round.
    """
    return 16 if is_portable() else 1


def at_least_float32(x):
    """`x` in float32, or in its own type if that is wider."""
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))


def read_at(buffer, index):
    """`buffer[index]` for an index known only while running."""
    if is_portable():
        return buffer[index]
    start = (index,) + (0,) * (len(buffer.shape) - 1)
    part = ops.slice(buffer, start, (1, *ops.shape(buffer)[1:]))
    return ops.squeeze(part, axis=0)


def write_at(buffer, index, value):
    """`buffer` with `buffer[index]` replaced by `value`."""
    if is_portable():
        index = ops.reshape(ops.cast(index, "int32"), (1, 1))
        return ops.scatter_update(buffer, index, value[None])
    start = (index,) + (0,) * (len(buffer.shape) - 1)
    return ops.slice_update(buffer, start, value[None])


def apart(step, make):
    """`make()`, computed once where XLA would do it again for every use.

    XLA fuses what is small into the loops over what is large, where it is
    made anew for every image; but not what comes out of a condition.

    Args:
        step: `Step`.
        make: function without arguments that makes a tensor. Of the step it
            reads the rows and columns only.
    """
    if is_portable():
        return make()
    # A step keeps what was read of it: not what was read in a branch.
    step.row, step.column  # noqa: B018
    return ops.cond(step.time >= 0, make, lambda: ops.zeros_like(make()))


def repeat(times, body, variables):
    """Run `body(index, *variables)` for index 0 … times - 1.

    Args:
        times: int or int32 scalar tensor.
        body: function that returns the new variables.
        variables: tuple of any nests of tensors.

    Returns:
        The last variables.
    """
    if isinstance(times, int) and times == 1:
        return body(ops.zeros((), "int32"), *variables)
    flat = keras.tree.flatten(variables)

    def flat_body(index, *flat):
        packed = keras.tree.pack_sequence_as(variables, list(flat))
        return (index + 1, *keras.tree.flatten(tuple(body(index, *packed))))

    _, *flat = ops.while_loop(
        lambda index, *_: index < times,
        flat_body,
        (ops.zeros((), "int32"), *flat),
        maximum_iterations=times,
    )
    return keras.tree.pack_sequence_as(variables, flat)


def matmul_joined(features, kernel):
    """Product of features, side by side, and a kernel.

    Args:
        features: list of tensors `(…, features)`.
        kernel: tensor `(all features, filters)`.

    Returns:
        Tensor `(positions, filters)`.
    """
    joined = features[0]
    if len(features) > 1:
        joined = ops.concatenate(features, axis=-1)
    if len(joined.shape) > 2:
        joined = ops.reshape(joined, (-1, joined.shape[-1]))
    return ops.matmul(joined, kernel)


def split_groups(features, channels):
    """Features that lie channel by channel, as a tuple of the groups."""
    if channels == 1:
        return (features,)
    return tuple(ops.split(features, channels, axis=-1))


def channel_major(weights, channels, axes):
    """`weights` with interleaved features put channel by channel.

    Args:
        weights: tensor.
        channels: int. Channels of a pixel.
        axes: axes that hold features.
    """
    if channels == 1:
        return weights
    for axis in axes:
        index = order.channel_major(weights.shape[axis], channels)
        weights = ops.take(weights, index, axis=axis)
    return weights


def convolve_rows(rows, kernel):
    """Convolve finished rows to one output row.

    Args:
        rows: one tensor `(side + width + side, batch, in_features)` for each
            row of the kernel, `side = kernel_width // 2` columns of zeros at
            both ends.
        kernel: tensor `(rows, kernel_width, in_features, filters)`.

    Returns:
        Tensor `(width, batch, filters)`.
    """
    kernel_width = kernel.shape[1]
    columns, _, in_features = rows[0].shape
    width = columns - kernel_width + 1
    if in_features < _FEW_FEATURES:
        return _convolve_patches(rows, kernel, width)
    # A sum of matrix products, one for each tap: no copy of the rows is made.
    total = None
    for i, row in enumerate(rows):
        for j in range(kernel_width):
            taps = ops.reshape(row[j : j + width], (-1, in_features))
            term = ops.matmul(taps, kernel[i, j])  # (width * batch, filters)
            total = term if total is None else total + term
    return ops.reshape(total, (width, -1, kernel.shape[-1]))


def _convolve_patches(rows, kernel, width):
    """One product of all taps: with few features, sums would cost most."""
    places = np.arange(width)[:, None] + np.arange(kernel.shape[1])
    patches = ops.take(ops.stack(rows), places.reshape(-1), axis=1)
    in_features, filters = kernel.shape[2:]
    shape = (len(rows), width, kernel.shape[1], -1, in_features)
    patches = ops.transpose(ops.reshape(patches, shape), (1, 3, 0, 2, 4))
    taps = len(rows) * kernel.shape[1] * in_features
    # (width * batch, rows * kernel_width * in_features)
    patches = ops.reshape(patches, (-1, taps))
    outputs = ops.matmul(patches, ops.reshape(kernel, (-1, filters)))
    return ops.reshape(outputs, (width, -1, filters))
