"""What a model was constructed with."""

import inspect

import numpy as np

from keras_pixel.checks import did_you_mean

# Arguments of `keras.Model` that every model hands on.
_KERAS_ARGUMENTS = ("name", "trainable")


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
    arguments = {name: _as_plain(value) for name, value in arguments}
    for name in [n for n in arguments if n in variadic]:
        names = [n for n in signature.parameters if n not in ("self", name)]
        for unknown in arguments.pop(name):
            if unknown not in _KERAS_ARGUMENTS:
                raise TypeError(
                    f"`{cls.__name__}` takes the arguments {names}. "
                    f"Received: {unknown}.{did_you_mean(unknown, names)}"
                )
    return arguments


def _as_plain(value):
    # Lists come from JSON: as tuples they equal what was given at first.
    if isinstance(value, (list, tuple)):
        return tuple(_as_plain(x) for x in value)
    return value.item() if isinstance(value, np.generic) else value
