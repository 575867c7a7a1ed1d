"""Integer levels <-> floats in [-1, 1]: the only two conversions."""

import numpy as np
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


def check_images(images, image_shape, num_levels):
    """Refuse what is not a batch of integer levels; return it as an array.

    Args:
        images: array or tensor `(batch, height, width, channels)` of integer
            levels.
        image_shape: `(height, width, channels)` that is expected.
        num_levels: int.

    Returns:
        NumPy int32 array.

    Raises:
        TypeError: if the values are not integers.
        ValueError: if shape or range are wrong.
    """
    array = _to_numpy(images)
    if array.dtype == np.bool_ and num_levels == 2:
        array = array.astype("uint8")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(
            "`images` must hold integer levels 0 … num_levels - 1. "
            f"Received: images.dtype={array.dtype}. For floats in [-1, 1] use "
            "`keras_pixel.floats_to_levels(images, num_levels)`."
        )
    expected = tuple(image_shape)
    if array.ndim != 4 or array.shape[1:] != expected:
        hint = ""
        if array.shape == expected:
            hint = " For a single image use `images[None]`."
        elif array.ndim == 3 and (*array.shape[1:], 1) == expected:
            hint = " For grey images use `images[..., None]`."
        raise ValueError(
            "`images` must have the shape (batch, height, width, channels) "
            f"with image_shape={expected}. "
            f"Received: images.shape={array.shape}.{hint}"
        )
    if array.size:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= num_levels:
            raise ValueError(
                f"`images` must hold levels from 0 to {num_levels - 1} "
                f"(num_levels={num_levels}). Received: levels from {low} to "
                f"{high}. Quantise 8-bit images with "
                f"`images.astype(int) * {num_levels} // 256`."
            )
    return array.astype("int32")


def _to_numpy(images):
    if isinstance(images, np.ndarray):
        return images
    try:
        return np.asarray(ops.convert_to_numpy(images))
    except Exception as error:
        raise TypeError(
            "`images` must be an array or a tensor of integer levels. "
            f"Received: {type(images).__name__}."
        ) from error
