"""Checks of arguments: one for each kind, each with one wording.

An error says the rule, with the argument in backticks; what was received; and
the way out. Integers of NumPy are integers and come back as `int`; booleans
never are.
"""

import difflib
import math
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import TypeGuard

import numpy as np

# The largest float32 below 1: noise of 1 would lie above every level.
_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))
_WORDS = {
    str: "a string",
    dict: "an object (a dict)",
    bool: "true or false (a bool)",
}


# === Numbers ===


def is_integer(value: object) -> TypeGuard[int | np.integer]:
    """Whether `value` is an `int` or an integer of NumPy, and not a bool."""
    whole = isinstance(value, (int, np.integer))
    return whole and not isinstance(value, bool)


def check_size(
    name: str, value: Any, least: int = 1, most: int | None = None
) -> int:
    """Return an integer as an `int`.

    Args:
        name: str. The argument.
        value: what was given.
        least: int. The smallest value allowed. Defaults to `1`.
        most: int, the largest value allowed, or `None`.

    Raises:
        ValueError: unless `value` is an integer in this range.
    """
    whole = is_integer(value)
    if whole and value >= least and (most is None or value <= most):
        return int(value)
    rule = (
        f"an integer of at least {least}"
        if most is None
        else f"an integer from {least} to {most}"
    )
    too_high = most is not None and whole and value > most
    way_out = f"{most} or less" if too_high else f"{least} or more"
    raise ValueError(
        f"`{name}` must be {rule}. Received: {name}={value!r}. Use {way_out}."
    )


def check_number(
    name: str,
    value: Any,
    least: float | None = None,
    above: float | None = None,
    way_out: str | None = None,
    most: float | None = None,
) -> int | float:
    """Return a finite number as it is, an `int` or a `float`.

    Args:
        name: str. The argument.
        value: what was given.
        least: the smallest value allowed, or `None`.
        above: what the value must lie above, or `None`.
        way_out: str. A better one than a number in the range.
        most: the largest value allowed, or `None`.

    Raises:
        ValueError: unless `value` is such a number.
    """
    number = isinstance(value, (int, float, np.integer, np.floating))
    # An `int` may be too large to be asked whether it is finite.
    if is_integer(value) or (
        number and not isinstance(value, bool) and math.isfinite(value)
    ):
        if (
            (least is None or value >= least)
            and (above is None or value > above)
            and (most is None or value <= most)
        ):
            return value.item() if isinstance(value, np.generic) else value
    limit = f" of at least {least}" if least is not None else ""
    limit = f" above {above}" if above is not None else limit
    if most is not None:
        limit += f" and at most {most}"
    raise ValueError(
        f"`{name}` must be a finite number{limit}. "
        f"Received: {name}={value!r}. {way_out or f'Use one{limit}.'}"
    )


def check_probability(name: str, value: Any) -> int | float:
    """Return a number in [0, 1) as it is.

    Raises:
        ValueError: unless `value` is one.
    """
    number = isinstance(value, (int, float, np.integer, np.floating))
    if number and not isinstance(value, bool) and 0 <= value < 1:
        return value.item() if isinstance(value, np.generic) else value
    raise ValueError(
        f"`{name}` must be a number of at least 0 and below 1. "
        f"Received: {name}={value!r}. Use 0 to switch it off."
    )


def check_divisible(name: str, value: int, channels: int) -> None:
    """Check that features split into the channels.

    Raises:
        ValueError: unless `value` is divisible by `channels`.
    """
    if value % channels == 0:
        return
    low = value - value % channels
    options = [str(n) for n in (low, low + channels) if n > 0]
    raise ValueError(
        f"`{name}` must be divisible by `channels`, so that every feature map "
        f"belongs to one channel. Received: {name}={value}, "
        f"channels={channels}. Use {' or '.join(options)}."
    )


def check_multiple(name: str, value: int, log_every: int) -> None:
    """Check that a number of steps ends with a logging window.

    Raises:
        ValueError: unless `value` is a multiple of `log_every`.
    """
    if value % log_every:
        raise ValueError(
            f"`{name}` must be a multiple of `log_every`. Received: "
            f"{name}={value}, log_every={log_every}. Use "
            f"{name}={(value // log_every + 1) * log_every} or another "
            "`log_every`."
        )


def pair(name: str, value: Any, least: int) -> tuple[int, int]:
    """Return (rows, columns) as two `int`.

    Raises:
        ValueError: unless they are two integers of at least `least`.
    """
    sizes = tuple(value) if np.iterable(value) else ()
    if len(sizes) == 2 and all(is_integer(n) and n >= least for n in sizes):
        return int(sizes[0]), int(sizes[1])
    near = max(value, least) if is_integer(value) else least
    raise ValueError(
        f"`{name}` must be a pair (rows, columns) of integers of at least "
        f"{least}. Received: {name}={value!r}. Use for example ({near}, "
        f"{near})."
    )


def odd_pair(name: str, value: Any) -> tuple[int, int]:
    """Return one odd integer, or a pair of them, as two `int`.

    Raises:
        ValueError: unless they are odd and positive.
    """
    sizes = tuple(value) if np.iterable(value) else (value, value)
    whole = len(sizes) == 2 and all(is_integer(n) for n in sizes)
    if whole and all(n >= 1 and n % 2 for n in sizes):
        return int(sizes[0]), int(sizes[1])
    near = tuple(max(int(n), 1) | 1 for n in sizes) if whole else (3, 3)
    raise ValueError(
        f"`{name}` must be an odd positive integer or a pair of them, so that "
        f"the kernel has a centre. Received: {name}={value!r}. Use for "
        f"example {near}."
    )


def check_seed(seed: Any) -> int | np.random.Generator | None:
    """Return a seed as an `int`, `None`, or the generator it is.

    Raises:
        ValueError: unless it is an integer of at least 0, `None` or a NumPy
            generator.
    """
    if seed is None or isinstance(seed, np.random.Generator):
        return seed
    if is_integer(seed) and seed >= 0:
        return int(seed)
    raise ValueError(
        "`seed` must be an integer of at least 0, or None for fresh noise. "
        f"Received: seed={seed!r}. Use 0 or more."
    )


# === Words ===


def check_type(name: str, value: Any, kind: type) -> None:
    """Check that a value is a string, a dict or a bool.

    Raises:
        TypeError: unless `value` is of the type `kind`.
    """
    if not isinstance(value, kind):
        raise TypeError(
            f"`{name}` must be {_WORDS[kind]}. Received: {name}={value!r} "
            f"of type {type(value).__name__}. Convert it first."
        )


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """Return one of a few words, or `None` where that is one of them.

    Raises:
        ValueError: unless `value` is one of `choices`, naming the near ones.
    """
    choices = list(choices)
    for choice in choices:
        # A member of an enumeration of strings is such a string.
        kind = str if isinstance(value, str) else type(value)
        if type(choice) is kind and value == choice:
            return choice
    raise ValueError(
        f"`{name}` must be one of {choices}. Received: {name}={value!r}."
        + (did_you_mean(value, choices) or " Choose one of these.")
    )


def check_keys(
    name: str, config: Any, required: Sequence[str], optional: Iterable[str]
) -> None:
    """Check the keys of a dict.

    Raises:
        TypeError: unless `config` is a dict.
        ValueError: if a key is unknown, naming the near ones, or missing.
    """
    check_type(name, config, dict)
    known = [*required, *(key for key in optional if key not in required)]
    for key in config:
        if key not in known:
            raise ValueError(
                f"`{name}` must have no other keys than {sorted(known)}. "
                f"Received: key={key!r}."
                + (did_you_mean(key, known) or " Leave it out.")
            )
    missing = [key for key in required if key not in config]
    if missing:
        raise ValueError(
            f"`{name}` must have the keys {sorted(required)}. Received: "
            f"keys={sorted(config)}. Add {missing}."
        )


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """A sentence with the known words nearest to a wrong one, or nothing."""
    words = [name for name in known if isinstance(name, str)]
    near = difflib.get_close_matches(str(word), words, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


# === Images ===


def check_image_shape(image_shape: Any) -> tuple[int, int, int]:
    """Return `(height, width, channels)` as a tuple of `int`.

    Raises:
        ValueError: unless they are three positive integers.
    """
    sizes = tuple(image_shape) if np.iterable(image_shape) else ()
    if len(sizes) == 3 and all(is_integer(n) and n > 0 for n in sizes):
        height, width, channels = map(int, sizes)
        return height, width, channels
    raise ValueError(
        "`image_shape` must be three positive integers (height, width, "
        f"channels). Received: image_shape={image_shape!r}. For grey images "
        "write (height, width, 1)."
    )


def check_num_levels(num_levels: Any) -> int:
    """Return the number of levels of a sub-pixel as an `int`.

    Raises:
        ValueError: unless it is an integer from 2 to 256.
    """
    return check_size("num_levels", num_levels, 2, 256)


def check_images(
    images: Any,
    image_shape: Sequence[int],
    num_levels: int,
    dtype: str | None = "int32",
) -> np.ndarray:
    """Return a batch of integer levels as an array.

    Args:
        images: array or tensor `(batch, height, width, channels)` of integer
            levels.
        image_shape: `(height, width, channels)` that is expected.
        num_levels: int.
        dtype: integer dtype of the result, or `None` for that of the images.
            Defaults to `"int32"`.

    Returns:
        NumPy array.

    Raises:
        TypeError: if the values are not integers.
        ValueError: if shape or range are wrong.
    """
    array = to_numpy(images)
    if array.dtype == np.bool_ and num_levels == 2:
        array = array.astype("uint8")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(
            "`images` must hold integer levels 0 … num_levels - 1. "
            f"Received: images.dtype={array.dtype}. "
            + _way_to_levels(array, num_levels)
        )
    _check_shape_of_images(array, image_shape)
    if array.size:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= num_levels:
            raise ValueError(
                f"`images` must hold levels from 0 to {num_levels - 1} "
                f"(num_levels={num_levels}). Received: levels from {low} to "
                f"{high}. {_way_into_range(low, high, num_levels)}"
            )
    return array if dtype is None else array.astype(dtype)


def _way_into_range(low: int, high: int, num_levels: int) -> str:
    for bits in (8, 16):
        if low >= 0 and num_levels < 2**bits and high < 2**bits:
            return (
                f"Quantise {bits}-bit images with "
                f"`images.astype(int) * {num_levels} // {2**bits}`."
            )
    return (
        "Convert them, or leave out what is no level: "
        f"`images.clip(0, {num_levels - 1})`."
    )


def _way_to_levels(array: np.ndarray, num_levels: int) -> str:
    if array.dtype == np.bool_:
        return 'For images of two levels use `images.astype("uint8")`.'
    scaled = (
        "For floats in [-1, 1] use `keras_pixel.floats_to_levels(images, "
        "num_levels)`"
    )
    if not np.issubdtype(array.dtype, np.floating) or not array.size:
        return scaled + "."
    if array.min() >= 0 and array.max() > 1:
        if num_levels == 256:
            return (
                "For levels that are kept as floats use "
                '`images.astype("uint8")`.'
            )
        return (
            "For 8-bit images that are kept as floats use "
            f"`images.astype(int) * {num_levels} // 256`."
        )
    if array.min() >= 0:
        scaled += (
            ", for floats in [0, 1] "
            f'`(images * {num_levels - 1}).round().astype("uint8")`'
        )
    return scaled + "."


def _check_shape_of_images(
    array: np.ndarray, image_shape: Sequence[int]
) -> None:
    expected = tuple(image_shape)
    if array.ndim == 4 and array.shape[1:] == expected:
        return
    way_out = "Resize or crop the images, or take a model of their shape."
    if array.shape == expected:
        way_out = "For a single image use `images[None]`."
    elif array.ndim == 3 and (*array.shape[1:], 1) == expected:
        way_out = "For grey images use `images[..., None]`."
    raise ValueError(
        "`images` must have the shape (batch, height, width, channels) "
        f"with image_shape={expected}. "
        f"Received: images.shape={array.shape}. {way_out}"
    )


def to_numpy(
    images: Any, name: str = "images", kind: str = "integer levels"
) -> np.ndarray:
    """An array or a tensor as a NumPy array.

    Args:
        images: what was given.
        name: str. The argument. Defaults to `"images"`.
        kind: str. What it should hold, in words.

    Raises:
        TypeError: if it cannot be converted.
    """
    if isinstance(images, np.ndarray):
        return images
    # Only tensors need Keras.
    from keras import ops

    try:
        return np.asarray(ops.convert_to_numpy(images))
    except Exception as error:
        raise TypeError(
            f"`{name}` must be an array or a tensor of {kind}. "
            f"Received: {type(images).__name__}. "
            + (
                "Read files with `keras_pixel.data.load_data`."
                if name == "images"
                else "Its rows must be of one length."
            )
        ) from error


def check_mask(
    mask: Any, images: np.ndarray, image_shape: Sequence[int]
) -> np.ndarray:
    """Return one mask for each image.

    Args:
        mask: array `(height, width)` or `(batch, height, width)`, True where
            a pixel is known.
        images: array `(batch, height, width, channels)`.
        image_shape: `(height, width, channels)` that is expected.

    Returns:
        Bool array `(batch, height, width)`.

    Raises:
        ValueError: if shape or values are wrong.
    """
    mask = to_numpy(mask, "mask", "booleans")
    _check_shape_of_images(images, image_shape)
    shapes = (images.shape[1:3], images.shape[:3])
    if mask.shape not in shapes:
        raise ValueError(
            "`mask` must have the shape (height, width) or (batch, height, "
            f"width): {shapes[0]} or {shapes[1]}. "
            f"Received: mask.shape={mask.shape}. Give one mask for all "
            "images, or one for each."
        )
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        numbers = mask.dtype.kind in "iuf"
        raise ValueError(
            "`mask` must hold booleans, True where a pixel is known. "
            f"Received: mask.dtype={mask.dtype}"
            + (f", from {mask.min()} to {mask.max()}" if numbers else "")
            + ". Use for example `mask > 0.5`."
        )
    return np.broadcast_to(mask.astype(bool), shapes[1])


def check_completion(
    images: Any, mask: Any, image_shape: Sequence[int], num_levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return images to be completed; levels of unknown pixels become 0.

    See `check_images` and `check_mask` for arguments and errors.

    Returns:
        int32 array of the images' shape, and bool array `(batch, height,
        width)`, True where a pixel is known.
    """
    images = to_numpy(images)
    known = check_mask(mask, images, image_shape)
    # In the images' own type: what is refused elsewhere is refused here.
    images = np.where(known[..., None], images, images.dtype.type(0))
    return check_images(images, image_shape, num_levels), known


def check_noise(noise: Any, image_shape: Sequence[int]) -> np.ndarray:
    """Return uniform noise for images as float32, all of it below 1.

    Args:
        noise: float array `(num_images, height, width, channels)`.
        image_shape: `(height, width, channels)` that is expected.

    Raises:
        ValueError: if shape, type or range are wrong.
    """
    noise = np.asarray(noise)
    if noise.ndim != 4 or noise.shape[1:] != tuple(image_shape):
        raise ValueError(
            "`noise` must have the shape (num_images, height, width, "
            f"channels) with image_shape={tuple(image_shape)}. "
            f"Received: noise.shape={noise.shape}. Draw it of that shape, or "
            "give `num_images` and `seed`."
        )
    if not np.issubdtype(noise.dtype, np.floating) or (
        noise.size and not (noise.min() >= 0 and noise.max() < 1)
    ):
        raise ValueError(
            "`noise` must be floats in [0, 1). "
            f"Received: noise.dtype={noise.dtype}"
            + (f", from {noise.min()} to {noise.max()}" if noise.size else "")
            + ". Draw it uniformly, as NumPy's `random` does."
        )
    return np.minimum(noise.astype("float32"), _BELOW_ONE)


def check_options(
    count: int, num_levels: int, temperature: Any, top_k: Any, top_p: Any
) -> dict[str, np.ndarray]:
    """Return how to draw levels, one value for each image.

    Args:
        count: int. Images.
        num_levels: int.
        temperature, top_k, top_p: numbers, one for all images or one for
            each; `top_k` and `top_p` may be `None`.

    Returns:
        Dict of arrays `(count,)`: `temperature`, and `top_k` and `top_p`
        where given.

    Raises:
        ValueError: if one of them is out of range.
    """
    values = {"temperature": _vector("temperature", temperature, count)}
    if not (values["temperature"] > 0).all() or not (
        np.isfinite(values["temperature"]).all()
    ):
        raise ValueError(
            "`temperature` must be above 0 and finite. "
            f"Received: temperature={temperature}. For the most probable "
            "level of each sub-pixel use top_k=1."
        )
    if top_k is not None:
        values["top_k"] = _vector("top_k", top_k, count)
        whole = values["top_k"] == np.floor(values["top_k"])
        if not (whole & (values["top_k"] >= 1)).all():
            raise ValueError(
                "`top_k` must be an integer of at least 1. "
                f"Received: top_k={top_k}. Use 1 or more."
            )
        values["top_k"] = np.minimum(values["top_k"], num_levels)
        values["top_k"] = values["top_k"].astype("int32")
    if top_p is not None:
        values["top_p"] = _vector("top_p", top_p, count)
        if not ((values["top_p"] > 0) & (values["top_p"] <= 1)).all():
            raise ValueError(
                "`top_p` must be above 0 and at most 1. "
                f"Received: top_p={top_p}. Use 1 for all levels."
            )
    return values


def check_finite(log_prob: np.ndarray) -> None:
    """Check that log-probabilities are numbers; `-inf` is one.

    Raises:
        ValueError: if one is NaN.
    """
    if np.isnan(log_prob).any():
        raise ValueError(
            "The output of the model must be finite. Received: "
            "log-probabilities that are NaN. Look for weights that are NaN "
            "or very large; under a low-precision dtype policy try float32."
        )


def _vector(name: str, value: Any, count: int) -> np.ndarray:
    try:
        # Words and booleans would become numbers.
        if np.asarray(value).dtype.kind in "bSU":
            raise TypeError
        array = np.asarray(value, "float32")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{name}` must be one number, or one for each of the {count} "
            f"images. Received: {name}={value!r}. Give a number."
        ) from error
    if array.shape not in ((), (count,)):
        raise ValueError(
            f"`{name}` must be one number, or one for each of the {count} "
            f"images. Received: {name} of shape {array.shape}. Give one for "
            "all."
        )
    return np.broadcast_to(array, (count,))


def check_numbers(name: str, value: Any, count: int) -> np.ndarray:
    """Return finite numbers, one for each image.

    Args:
        name: str. The argument.
        value: a number, or one for each image.
        count: int. Images.

    Returns:
        float32 array `(count,)`.

    Raises:
        ValueError: unless all of them are finite.
    """
    numbers = _vector(name, value, count)
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"`{name}` must be finite. Received: {name}={value!r}. Use a "
            "number."
        )
    return numbers
