"""What a model is told on the command line: labels, and a file of contexts."""

import pathlib

import numpy as np


def label(text: str | None) -> int | str | None:
    """A class id or class name, as it is written on the command line."""
    if text is None:
        return None
    return int(text) if text.isdecimal() else text


def labels(texts: list[str] | None, count: int) -> int | str | list | None:
    """Labels of images, from those given on the command line.

    Args:
        texts: class ids or names, or `None`.
        count: int. Images.

    Returns:
        `None` without labels, one label for all images, or a list of `count`
        that takes several in turn.

    Raises:
        ValueError: if ids and names are mixed.
    """
    found = [label(text) for text in texts or ()]
    if len(found) < 2:
        return found[0] if found else None
    if len({type(x) for x in found}) > 1:
        raise ValueError(
            "`--label` must be given by number or by name, not by both. "
            f"Received: {texts}. Use numbers for all."
        )
    return [found[i % len(found)] for i in range(count)]


def read(path: str | None) -> np.ndarray | None:
    """Contexts of a model's encoder, from a .npy file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an array.
    """
    if path is None:
        return None
    if not pathlib.Path(path).is_file():
        raise FileNotFoundError(
            "`--condition` must be a .npy file that exists. "
            f"Received: {path!r}, which does not. Check the path."
        )
    try:
        found = np.load(path, allow_pickle=False)
    except (EOFError, OSError, ValueError) as error:
        raise ValueError(
            "`--condition` must be a .npy file of numbers. "
            f"Received: {path!r}: {error}. Save it with `numpy.save`."
        ) from error
    if not isinstance(found, np.ndarray):
        raise ValueError(
            "`--condition` must be a .npy file of one array. "
            f"Received: {path!r}, several. Save it with `numpy.save`."
        )
    return found
