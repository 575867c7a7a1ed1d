"""Checkpoints: the whole state of a training in one file, written atomically.

A file is an uncompressed `.npz` (a zip with a checksum for each array, nothing
pickled). It is written under another name, flushed to disk and renamed, so a
file with the final name is complete unless the disk damages it later; the two
newest are kept, so that even then one remains.
"""

import json
import os
import re
import zipfile
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_pixel.files import PathLike
from keras_pixel.files import atomic_file
from keras_pixel.files import remove_leftovers

KEPT = 2
_PATTERN = re.compile(r"checkpoint-(\d{9})\.npz")


def save_arrays(
    path: PathLike, arrays: Mapping[str, np.ndarray], metadata: dict[str, Any]
) -> None:
    """Write arrays and a JSON-able `metadata` to `path`, all or nothing."""
    stored: dict[str, Any] = {}
    dtypes: dict[str, str] = {}
    for name, value in arrays.items():
        value = np.asarray(value)
        dtypes[name] = value.dtype.name
        if value.dtype.name == "bfloat16":  # a dtype that .npy cannot name
            value = value.view("uint16")
        stored[name] = value
    text = json.dumps({"metadata": metadata, "dtypes": dtypes})
    stored["json"] = np.frombuffer(text.encode(), "uint8")
    with atomic_file(path) as file:
        np.savez(file, **stored)


def load_arrays(
    path: PathLike,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `save_arrays` wrote: `(arrays, metadata)`.

    Raises:
        ValueError: if the file is truncated or altered.
    """
    try:
        with open(path, "rb") as opened:
            with np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        content = json.loads(arrays.pop("json").tobytes().decode())
        for name, dtype in content["dtypes"].items():
            if dtype == "bfloat16":
                # NumPy knows this name once Keras is imported.
                arrays[name] = arrays[name].view(np.dtype("bfloat16"))
        return arrays, content["metadata"]
    except (
        zipfile.BadZipFile,
        ValueError,
        KeyError,
        EOFError,
        OSError,
    ) as error:
        raise ValueError(
            "A checkpoint must be a complete file of this package. Received: "
            f"path={str(path)!r}, which is truncated or altered ({error})."
        ) from error


class Checkpoints:
    """The checkpoints of one training, in a folder of their own.

    Args:
        folder: path. Made if it is not there.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def paths(self) -> list[Path]:
        """Paths of the checkpoints, newest first."""
        found = [p for p in self.folder.iterdir() if _PATTERN.fullmatch(p.name)]
        return sorted(found, reverse=True)

    def save(self, model: keras.Model, metadata: dict[str, Any]) -> None:
        """Write the state of a compiled model; delete all but the newest two.

        Args:
            model: compiled model whose optimizer is built.
            metadata: dict with the number of `step`s done, and any other
                plain values.

        Raises:
            FloatingPointError: if a weight is not finite; nothing is written.
        """
        arrays = {
            name: np.array(ops.convert_to_numpy(variable.value))
            for name, variable in state(model).items()
        }
        for name, value in arrays.items():
            if value.dtype.kind not in "iub" and not np.all(
                np.isfinite(value.astype("float32"))
            ):
                path = state(model)[name].path
                raise FloatingPointError(
                    "Weights must be finite to be saved. Received: "
                    f"variable={path!r} with NaN or infinite values."
                )
        # Names have a fixed width, so that they sort by step.
        name = f"checkpoint-{metadata['step']:09d}.npz"
        save_arrays(self.folder / name, arrays, metadata)
        for path in self.paths()[KEPT:]:
            path.unlink()

    def restore(
        self, model: keras.Model, say: Callable[[str], object] = print
    ) -> dict[str, Any] | None:
        """Load the newest readable state into a model.

        Args:
            model: compiled model whose optimizer is built.
            say: function called with each message. A checkpoint that cannot
                be read is reported and renamed to `….damaged`, and the one
                before it is used.

        Returns:
            The checkpoint's metadata, or `None` where there is no checkpoint.

        Raises:
            ValueError: if there are checkpoints and none can be read, or one
                does not fit the model. The model is left as it was.
        """
        remove_leftovers(self.folder)
        paths = self.paths()
        for path in paths:
            try:
                arrays, metadata = load_arrays(path)
            except ValueError as error:
                say(f"{error} Going back to the checkpoint before it.")
                os.replace(path, path.with_name(path.name + ".damaged"))
                continue
            assign(model, arrays, path)
            return metadata
        if paths or any(self.folder.glob("*.damaged")):
            raise ValueError(
                "A training must resume from a checkpoint that can be read. "
                f"Received: folder={str(self.folder)!r}, where none can. "
                "Train into another folder to start again."
            )
        return None


def state(model: keras.Model) -> dict[str, keras.Variable]:
    """Return every variable that training depends on, by a stable name.

    Names are positions, because Keras' own names depend on what else was
    built in the same process.
    """
    variables = {}
    for room, found in (
        ("model", model.variables),
        ("optimizer", model.optimizer.variables),
    ):
        for index, variable in enumerate(found):
            variables[f"{room}/{index:05d}"] = variable
    return variables


def assign(
    model: keras.Model, arrays: Mapping[str, np.ndarray], path: PathLike
) -> None:
    """Assign the arrays of a checkpoint to a model, all or none."""
    variables = state(model)
    expected = {n: tuple(v.shape) for n, v in variables.items()}
    received = {n: v.shape for n, v in arrays.items()}
    if expected != received:
        differ = sorted(
            name
            for name in expected | received
            if expected.get(name) != received.get(name)
        )
        name = differ[0]
        raise ValueError(
            "A checkpoint must fit the model it is loaded into. Received: "
            f"path={str(path)!r} with {len(received)} variables, {name} of "
            f"shape {received.get(name)}, for a model with {len(expected)}, "
            f"{name} of shape {expected.get(name)}. Use the recipe that the "
            "training was started with."
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
