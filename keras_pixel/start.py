"""Imports Keras without the lines that TensorFlow writes as it starts."""

import os
import sys

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_keras():
    """Import Keras quietly, unless the environment asks for the lines.

    TensorFlow's switch `TF_CPP_MIN_LOG_LEVEL` is set to 3, unless it is set
    already; what goes wrong is raised in Python anyway, and at 2 a machine
    without a GPU is reported as an error. TensorFlow heeds it too late for
    its first lines, which a library writes that knows no Python: the standard
    error is closed to them while Keras is imported. With 0 in the environment
    all lines are shown; so they are if Keras was imported before.
    """
    if "keras" in sys.modules:
        return
    if os.environ.setdefault(_LEVEL, "3") == "0":
        import keras  # noqa: F401

        return
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        import keras  # noqa: F401

        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
