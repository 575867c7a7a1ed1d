"""Checks of the arguments that models share."""

import difflib
import inspect

import numpy as np

from keras_pixel.layers.causal_layer import check_divisible
from keras_pixel.layers.causal_layer import check_size
from keras_pixel.layers.causal_layer import is_integer

# Arguments of `keras.Model` that every model hands on.
_KERAS_ARGUMENTS = ("name", "trainable")


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


def constructor_arguments(cls, args, kwargs):
    """What a model is constructed with, the defaults filled in.

    Args:
        cls: class of models; its `**kwargs` are arguments of Keras' models.
        args: positional arguments of the constructor.
        kwargs: keyword arguments.

    Returns:
        Dict of name and value, without Keras' own arguments.

    Raises:
        TypeError: if there is an argument that neither the class nor Keras
            has; the message has the nearest name.
    """
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:
        return {}  # Python says what is missing when it calls `__init__`.
    bound.apply_defaults()
    _, *arguments = bound.arguments.items()
    variadic = {
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD
    }
    # Lists come from JSON: as tuples they equal what was given at first.
    arguments = {name: _as_tuple(value) for name, value in arguments}
    for name in [n for n in arguments if n in variadic]:
        names = [n for n in signature.parameters if n not in ("self", name)]
        for unknown in arguments.pop(name):
            if unknown not in _KERAS_ARGUMENTS:
                near = difflib.get_close_matches(unknown, names, 1, 0.5)
                hint = f" Did you mean `{near[0]}`?" if near else ""
                raise TypeError(
                    f"`{cls.__name__}` takes the arguments {names}. "
                    f"Received: {unknown}.{hint}"
                )
    return arguments


def _as_tuple(value):
    if isinstance(value, (list, tuple)):
        return tuple(_as_tuple(x) for x in value)
    return value
