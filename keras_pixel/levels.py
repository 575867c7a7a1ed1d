"""Integer levels <-> floats in [-1, 1], and nats -> bits per dimension."""

import math
from typing import Any

from keras import ops


def levels_to_floats(
    images: Any, num_levels: int, dtype: str = "float32"
) -> Any:
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


def floats_to_levels(floats: Any, num_levels: int) -> Any:
    """Nearest integer level of floats in [-1, 1].

    Args:
        floats: float tensor. Values outside [-1, 1] go to the nearest end.
        num_levels: int, at least 2.

    Returns:
        int32 tensor of the same shape.
    """
    scaled = (ops.cast(floats, "float32") + 1.0) * ((num_levels - 1) / 2.0)
    return ops.cast(ops.clip(ops.round(scaled), 0, num_levels - 1), "int32")


def nats_to_bits_per_dim(nats: Any, num_dims: Any) -> Any:
    """Bits per dimension of negative log-probabilities.

    Args:
        nats: number, array or tensor, nats per image.
        num_dims: number or array. Sub-pixels of an image.

    Returns:
        `nats / (num_dims * ln 2)`, of the type of `nats`.
    """
    return nats / (num_dims * math.log(2))
