"""Weight normalisation: a kernel as directions, times trainable lengths.

Salimans and Kingma, 2016, https://arxiv.org/abs/1602.07868. In float32: a sum
of many squares needs more digits than bfloat16 has.
"""

from keras import ops


def lengths(kernel, axes):
    """Lengths of the filters of a kernel.

    Args:
        kernel: tensor.
        axes: axes that are summed over, all but that of the filters.

    Returns:
        float32 tensor `(filters,)`.
    """
    kernel = ops.cast(kernel, "float32")
    return ops.sqrt(ops.sum(ops.square(kernel), axis=axes))


def normalised(kernel, length, axes):
    """A kernel whose filters have the given lengths.

    Args:
        kernel: tensor that says the directions.
        length: tensor `(filters,)`.
        axes: as in `lengths`.

    Returns:
        float32 tensor of the kernel's shape.
    """
    kernel = ops.cast(kernel, "float32")
    squares = ops.sum(ops.square(kernel), axis=axes, keepdims=True)
    length = ops.reshape(ops.cast(length, "float32"), squares.shape)
    return kernel * (length * ops.rsqrt(squares + 1e-12))
