"""Checks of the arguments that models share."""

import numpy as np

from keras_pixel.layers.causal_layer import check_divisible
from keras_pixel.layers.causal_layer import check_size
from keras_pixel.layers.causal_layer import is_integer


def check_image_arguments(image_shape, num_levels):
    """Refuse what cannot be an image; return the checked shape.

    Raises:
        ValueError: if `image_shape` is not three positive integers or
            `num_levels` is not from 2 to 256.
    """
    shape = tuple(image_shape) if np.iterable(image_shape) else ()
    shape = tuple(int(n) if isinstance(n, np.integer) else n for n in shape)
    if len(shape) != 3 or not all(is_integer(n, 1) for n in shape):
        raise ValueError(
            "`image_shape` must be three positive integers (height, width, "
            f"channels). Received: image_shape={image_shape}. For grey "
            "images write (height, width, 1)."
        )
    if not is_integer(num_levels, 2) or num_levels > 256:
        raise ValueError(
            "`num_levels` must be an integer from 2 to 256. "
            f"Received: num_levels={num_levels!r}"
        )
    return shape


def check_sizes(channels, *, filters, head_filters, depth):
    """Refuse numbers of features and layers that make no model.

    Args:
        channels: int. Channels of a pixel.
        filters: int from 1 up, divisible by `channels`.
        head_filters: int from 0 up, likewise.
        depth: dict of one entry, name and number of blocks or layers after the
            first, from 0 up.

    Raises:
        ValueError: if one of them is out of range or does not divide.
    """
    limits = {"filters": (filters, 1), "head_filters": (head_filters, 0)}
    limits.update({name: (value, 0) for name, value in depth.items()})
    for name, (value, least) in limits.items():
        check_size(name, value, least)
    check_divisible("filters", filters, channels)
    check_divisible("head_filters", head_filters, channels)


def check_positive(**sizes):
    """Refuse arguments that are no positive integers.

    Raises:
        ValueError: naming the first that is none.
    """
    for name, value in sizes.items():
        if not is_integer(value, 1):
            raise ValueError(
                f"`{name}` must be a positive integer. "
                f"Received: {name}={value!r}"
            )
