"""What a model was constructed with."""

import functools
import inspect

import keras
import numpy as np

from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
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
        ValueError: if `dtype` is no dtype policy.
    """
    signature = inspect.signature(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:
        return {}  # Python says what is missing when it calls `__init__`.
    bound.apply_defaults()
    _, *given = bound.arguments.items()
    variadic = {
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD
    }
    arguments = {name: _as_plain(value) for name, value in given}
    for name in [n for n in arguments if n in variadic]:
        names = [n for n in signature.parameters if n not in ("self", name)]
        # A graph of one's own is built already.
        if "outputs" not in names:
            names.append("dtype")
        for unknown, value in arguments.pop(name).items():
            if unknown in _KERAS_ARGUMENTS:
                continue
            if unknown not in names:
                near = did_you_mean(unknown, names) or " Leave it out."
                raise TypeError(
                    f"`{cls.__name__}` takes the arguments {names}. "
                    f"Received: {unknown}={value!r}.{near}"
                )
            if value is not None:
                arguments["dtype"] = _policy(value).name
    return arguments


def check_features(filters, head_filters, channels):
    """Numbers of features that split into channel groups, as `int`.

    Args:
        filters: int, at least 1.
        head_filters: int, at least 0.
        channels: int. Channel groups of the features.

    Raises:
        ValueError: if one is out of range or does not divide.
    """
    filters = check_size("filters", filters)
    head_filters = check_size("head_filters", head_filters, 0)
    check_divisible("filters", filters, channels)
    check_divisible("head_filters", head_filters, channels)
    return filters, head_filters


def under_dtype_policy(init):
    """A constructor that takes `dtype` and builds its layers under it.

    Args:
        init: `__init__` of a class of models.

    Returns:
        The same with the keyword argument `dtype`: a dtype policy, its name,
        or `None` for the global one.
    """
    signature = inspect.signature(init)
    if "dtype" in signature.parameters:
        return init

    @functools.wraps(init)
    def build(self, *args, dtype=None, **kwargs):
        if dtype is None:
            return init(self, *args, **kwargs)
        former = keras.config.dtype_policy()
        keras.config.set_dtype_policy(_policy(dtype))
        try:
            return init(self, *args, **kwargs)
        finally:
            keras.config.set_dtype_policy(former)

    # Keras looks at the constructor, and not at what is wrapped.
    vars(build)["__signature__"] = signature
    return build


def _policy(dtype):
    try:
        return keras.dtype_policies.get(dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "`dtype` must be a dtype policy or its name. "
            f'Received: dtype={dtype!r}. Use for example "float32" or '
            '"mixed_bfloat16".'
        ) from error


def _as_plain(value):
    # Lists come from JSON: as tuples they equal what was given at first.
    if isinstance(value, (list, tuple)):
        return tuple(_as_plain(x) for x in value)
    return value.item() if isinstance(value, np.generic) else value
