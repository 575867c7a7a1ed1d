"""Checks of a recipe's values, each with an error that says the way out."""

import difflib
import json
import math
from pathlib import Path


def check_type(name, value, kind):
    """Refuse a value that is not of one type."""
    if not isinstance(value, kind):
        raise TypeError(
            f"`{name}` must be {_WORDS[kind]}. Received: {name}={value!r} "
            f"of type {type(value).__name__}."
        )


def check_number(name, value, kind, least):
    """Refuse anything but a finite number of at least `least`."""
    kinds = (int, float) if kind is float else (int,)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(
            f"`{name}` must be {_WORDS[kind]}. Received: {name}={value!r} "
            f"of type {type(value).__name__}."
        )
    if not math.isfinite(value) or value < least:
        raise ValueError(
            f"`{name}` must be at least {least} and finite. Received: "
            f"{name}={value}."
        )


def check_choice(name, value, choices):
    """Refuse a value that is not one of a few, showing the near ones."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"`{name}` must be one of {sorted(choices)}. Received: "
            f"{name}={value!r}.{did_you_mean(str(value), choices)}"
        )


def check_keys(name, config, required, optional):
    """Refuse a missing or an unknown key, showing the near ones."""
    check_type(name, config, dict)
    known = [*required, *(key for key in optional if key not in required)]
    for key in config:
        if key not in known:
            raise ValueError(
                f"`{name}` must have no other keys than {sorted(known)}. "
                f"Received: key={key!r}.{did_you_mean(str(key), known)}"
            )
    missing = [key for key in required if key not in config]
    if missing:
        raise ValueError(
            f"`{name}` must have the keys {sorted(required)}. Received: "
            f"keys={sorted(config)}. Add {missing}."
        )


def check_multiple(name, value, log_every):
    """Refuse a number of steps that does not end with a logging window."""
    if value % log_every:
        raise ValueError(
            f"`{name}` must be a multiple of `log_every`. Received: "
            f"{name}={value}, log_every={log_every}. Use "
            f"{name}={(value // log_every + 1) * log_every} or another "
            "`log_every`."
        )


def read_json(what, path):
    """Read a JSON file, or say which file cannot be read."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{what} must be a file that exists. Received: "
            f"path={str(path)!r}, which does not. Check the path."
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{what} must be a JSON file. Received: path={str(path)!r}, "
            f"which is not: {error}."
        ) from error


def did_you_mean(word, known):
    """A sentence with the known words nearest to a wrong one, or nothing."""
    near = difflib.get_close_matches(word, list(known), cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


_WORDS = {
    str: "a string",
    dict: "an object (a dict)",
    bool: "true or false (a bool)",
    int: "a whole number (an int)",
    float: "a number (a float)",
}
