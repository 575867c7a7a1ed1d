"""Integer levels <-> floats in [-1, 1], and bits/dim from nats."""

import math

from keras import ops


def levels_to_floats(images, num_levels, dtype="float32"):
    """Scale integer levels to [-1, 1].

    Args:
        images: integer tensor of levels in `0 … num_levels - 1`.
        num_levels: int, at least 2.
        dtype: dtype of the result.

    Returns:
        Float tensor of the same shape: level 0 is -1, the highest is 1.
    """
    # Scaled in float32: bfloat16 cannot tell 255 from 256.
    floats = ops.cast(images, "float32") * (2.0 / (num_levels - 1)) - 1.0
    return ops.cast(floats, dtype)


def floats_to_levels(floats, num_levels):
    """Nearest integer level of floats in [-1, 1].

    Args:
        floats: float tensor. Values outside [-1, 1] go to the nearest end.
        num_levels: int, at least 2.

    Returns:
        int32 tensor of the same shape.
    """
    scaled = (ops.cast(floats, "float32") + 1.0) * ((num_levels - 1) / 2.0)
    return ops.cast(ops.clip(ops.round(scaled), 0, num_levels - 1), "int32")


def bits_per_dim(log_prob, image_shape):
    """Bits per sub-pixel from the nats of whole images.

    Args:
        log_prob: log-probabilities in nats: a number, an array or a tensor.
        image_shape: `(height, width, channels)`.

    Returns:
        `-log_prob / (height * width * channels * ln 2)`.
    """
    return log_prob / -(math.prod(image_shape) * math.log(2))
