"""Imports Keras and TensorFlow without the lines that TensorFlow writes."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_keras() -> None:
    """Import Keras quietly, unless the environment asks for the lines.

    TensorFlow's switch `TF_CPP_MIN_LOG_LEVEL` is set to 3, unless it is set
    already; what goes wrong is raised in Python anyway, and at 2 a machine
    without a GPU is reported as an error. TensorFlow heeds it too late for
    its first lines, which a library writes that knows no Python: the standard
    error is closed to them while Keras is imported. With 0 in the environment
    all lines are shown; so they are if Keras was imported before.
    """
    if "keras" not in sys.modules:
        with _no_standard_error():
            import keras  # noqa: F401


def import_tensorflow() -> Any:
    """Import TensorFlow likewise, where another backend has not.

    Returns:
        The module `tensorflow`.

    Raises:
        ImportError: if it is not installed.
    """
    if sys.modules.get("tensorflow") is not None:
        return sys.modules["tensorflow"]
    with _no_standard_error():
        import tensorflow

        # It looks for GPUs at the first use, and says so once more.
        tensorflow.config.list_physical_devices()
    return tensorflow


@contextlib.contextmanager
def _no_standard_error() -> Iterator[None]:
    """Within it nothing is written to the standard error, unless asked for."""
    if os.environ.setdefault(_LEVEL, "3") == "0":
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
