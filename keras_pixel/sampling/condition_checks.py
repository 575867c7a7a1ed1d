"""Checks of what a model is told beside its images, and of its classes."""

import numpy as np

from keras_pixel.checks import did_you_mean
from keras_pixel.checks import to_numpy


def check_labels(labels, count, num_classes, class_names=None):
    """Return class ids, one for each image.

    Args:
        labels: class id or class name, or a list or an array of one for each
            image.
        count: int. Images.
        num_classes: int.
        class_names: sequence of strings, or `None` where they are not known.

    Returns:
        int32 array `(count,)`.

    Raises:
        TypeError: if the labels are neither integers nor names.
        ValueError: if they are missing, unknown, out of range, or too many or
            too few.
    """
    names = list(class_names or ())
    choice = f"from 0 to {num_classes - 1}"
    if names:
        choice += f", or one of {names[:20]}"
    if labels is None:
        raise ValueError(
            "`labels` must be given: this model is told the class of each "
            f"image. Received: labels=None. Give a class id {choice}."
        )
    array = labels if isinstance(labels, np.ndarray) else np.asarray(labels)
    if array.dtype.kind in "UO" and all(
        isinstance(x, str) for x in array.reshape(-1)
    ):
        for word in array.reshape(-1).tolist():
            if word not in names:
                raise ValueError(
                    f"`labels` must be class ids {choice}. "
                    f"Received: {word!r}.{did_you_mean(word, names)}"
                )
        ids = [names.index(word) for word in array.reshape(-1)]
        array = np.array(ids, "int32").reshape(array.shape)
    if not np.issubdtype(array.dtype, np.integer) and array.size:
        raise TypeError(
            f"`labels` must be class ids {choice}. "
            f"Received: labels of dtype {array.dtype}. For one-hot labels use "
            "`labels.argmax(axis=-1)`."
        )
    if array.shape == (count, 1):
        array = array[:, 0]
    if array.shape not in ((), (count,)):
        raise ValueError(
            "`labels` must be one for all images or one for each of the "
            f"{count}. Received: labels of shape {array.shape}. Give as many "
            "as there are images."
        )
    if array.size and not 0 <= array.min() <= array.max() < num_classes:
        raise ValueError(
            f"`labels` must be class ids {choice}. "
            f"Received: ids from {array.min()} to {array.max()}. Use one of "
            "these."
        )
    return np.broadcast_to(array.astype("int32"), (count,))


def check_condition(condition, count, shape, dtype, name="condition"):
    """Return contexts, one for each image.

    Args:
        condition: array `(count, *shape)`, or of `shape` for all images.
        count: int. Images.
        shape: of one context.
        dtype: that the model's encoder takes.
        name: str. The argument. Defaults to `"condition"`.

    Returns:
        Array `(count, *shape)`.

    Raises:
        ValueError: if it is missing, of another shape, or not finite.
    """
    shape = tuple(shape)
    if condition is None:
        raise ValueError(
            f"`{name}` must be given: this model is told a context of each "
            f"image. Received: {name}=None. Give an array of shape {shape} "
            "for all images, or one for each."
        )
    array = to_numpy(condition, name, f"values of {dtype}")
    if array.shape not in (shape, (count, *shape)):
        raise ValueError(
            f"`{name}` must have the shape {shape}, for all images, or "
            f"{(count, *shape)}, one for each. "
            f"Received: {name}.shape={array.shape}. Reshape it."
        )
    whole = np.issubdtype(np.dtype(dtype), np.integer)
    if array.dtype.kind not in ("iub" if whole else "iubf"):
        raise ValueError(
            f"`{name}` must hold values of {dtype}. "
            f"Received: {name}.dtype={array.dtype}. Cast it."
        )
    if whole and array.size:
        limits = np.iinfo(np.dtype(dtype))
        if array.min() < limits.min or array.max() > limits.max:
            raise ValueError(
                f"`{name}` must hold values of {dtype}, from {limits.min} to "
                f"{limits.max}. Received: values from {array.min()} to "
                f"{array.max()}. Look for what the encoder does not know."
            )
    array = array.astype(dtype)
    if not np.isfinite(array).all():
        raise ValueError(
            f"`{name}` must be finite. Received: NaN or infinity. Look for "
            "what is missing in the contexts."
        )
    return np.broadcast_to(array, (count, *shape))


def check_class_names(names, num_classes):
    """Return the names of all classes as a tuple.

    Raises:
        ValueError: unless there is one name for each class, each another.
    """
    names = tuple(names) if np.iterable(names) else names
    if (
        isinstance(names, tuple)
        and len(names) == num_classes
        and all(isinstance(name, str) for name in names)
        and len({*names}) == len(names)
    ):
        return names
    raise ValueError(
        f"`class_names` must be {num_classes} strings, each another, one for "
        f"each class. Received: class_names={names!r}. Give one for each of "
        "`num_classes`."
    )


def check_prior(prior, num_classes):
    """Return how frequent the classes are, in sum 1.

    Args:
        prior: array `(num_classes,)` of numbers of at least 0, or `None` for
            equal ones.
        num_classes: int.

    Raises:
        ValueError: if they are not that, or all 0.
    """
    if prior is None:
        return np.full(num_classes, 1.0 / num_classes)
    array = np.asarray(prior, "float64")
    if (
        array.shape != (num_classes,)
        or not np.isfinite(array).all()
        or array.min() < 0
        or not array.any()
    ):
        raise ValueError(
            f"`prior` must be {num_classes} numbers of at least 0, one for "
            f"each class, not all 0. Received: prior={prior!r}. Leave it out "
            "for equal ones."
        )
    array = array / array.max()  # a sum of huge numbers is infinite
    return array / array.sum()
