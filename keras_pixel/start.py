"""How backends start: quietly, and with the programs that were compiled before.

Imports Keras and TensorFlow without the lines that TensorFlow writes.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_CACHE = "KERAS_PIXEL_COMPILATION_CACHE"
_FLAGS = "TF_XLA_FLAGS"
_FOLDER_FLAG = "--tf_xla_persistent_cache_directory"


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


def keep_programs() -> None:
    """Let the backend keep what it compiles, for other processes too.

    In the folder that the environment variable `KERAS_PIXEL_COMPILATION_CACHE`
    names; nothing is done without it. Called before a backend is imported,
    because they read their own variables then: JAX's
    `JAX_COMPILATION_CACHE_DIR`, and TensorFlow's `TF_XLA_FLAGS`, of which only
    programs for CPUs are kept. Both win if they say where already.

    Raises:
        ValueError: if the folder cannot be made, or has a space in its path.
    """
    chosen = os.environ.get(_CACHE)
    if not chosen:
        return
    folder = Path(chosen).expanduser().absolute()
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "jax"))
    flags = os.environ.get(_FLAGS, "")
    if _FOLDER_FLAG in flags:
        return
    folder /= f"tensorflow-{_machine()}"
    try:
        if any(letter.isspace() for letter in str(folder)):
            raise OSError("TensorFlow takes no path with a space")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{_CACHE} must name a folder that can be written to. "
            f"Received: {chosen!r}: {error}. Name another, or none."
        ) from error
    # A program for GPUs may be of another GPU, which TensorFlow does not ask.
    kept = f"{_FOLDER_FLAG}={folder} --tf_xla_persistent_cache_device_types=CPU"
    os.environ[_FLAGS] = f"{flags} {kept}".strip()


def _machine() -> str:
    """A name for what a program must not be run on anything else than.

    TensorFlow compares programs, but neither its version nor the processor.
    """
    versions = []
    for name in ("tensorflow", "tensorflow-cpu", "tf-nightly"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(importlib.metadata.version(name))
    known = [*versions, platform.machine(), os.environ.get("XLA_FLAGS", "")]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        # "flags" on x86, "Features" on ARM.
        wanted = ("model name", "flags", "features")
        found = {line for line in lines if line.lower().startswith(wanted)}
        known += sorted(found)
    except OSError:
        known.append(platform.processor())
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]


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
