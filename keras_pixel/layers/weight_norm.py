"""Weight normalisation: a kernel as directions, times trainable lengths.

Salimans and Kingma, 2016, https://arxiv.org/abs/1602.07868. At least in
float32: a sum of many squares needs more digits than bfloat16 has.
"""

from keras import ops

from keras_pixel.layers.buffers import at_least_float32


def lengths(kernel, axes):
    """Lengths of the filters of a kernel.

    Args:
        kernel: tensor.
        axes: axes that are summed over, all but that of the filters.

    Returns:
        Tensor `(filters,)`, of float32 or the kernel's type if wider.
    """
    kernel = at_least_float32(kernel)
    return ops.sqrt(ops.sum(ops.square(kernel), axis=axes))


def normalised(kernel, length, axes):
    """A kernel whose filters have the given lengths.

    Args:
        kernel: tensor that says the directions.
        length: tensor `(filters,)`.
        axes: as in `lengths`.

    Returns:
        Tensor of the kernel's shape, typed as by `lengths`.
    """
    kernel = at_least_float32(kernel)
    squares = ops.sum(ops.square(kernel), axis=axes, keepdims=True)
    length = ops.reshape(ops.cast(length, kernel.dtype), squares.shape)
    return kernel * (length * ops.rsqrt(squares + 1e-12))
