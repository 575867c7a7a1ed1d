"""Writes a preset's folder, whole or not at all."""

import hashlib
import json
import os
import pathlib
import secrets
import shutil

import h5py
import numpy as np

from keras_pixel._preset_files import CONFIG_FILE
from keras_pixel._preset_files import METADATA_FILE


def to_json(value):
    """JSON text as every file here has it: indented, ending in a newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + (
        "\n"
    )


def write_folder(path, metadata, contents, overwrite):
    """Writes a preset's files and its metadata, then puts them in place.

    Args:
        path: the folder to make.
        metadata: dict; the size and sha256 of each file are added to it.
        contents: dict of file name to bytes.
        overwrite: whether a preset that is there already is replaced.

    Returns:
        The folder's absolute path.
    """
    path = pathlib.Path(os.path.abspath(path))
    _check_free(path, overwrite)
    entries = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in contents.items()
    }
    text = to_json({**metadata, "files": entries})
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that renaming stays on one file system.
    token = secrets.token_hex(4)
    new = path.parent / f".{path.name}.new-{token}"
    old = path.parent / f".{path.name}.old-{token}"
    try:
        new.mkdir()
        for name, data in contents.items():
            (new / name).write_bytes(data)
        (new / METADATA_FILE).write_text(text, encoding="utf-8")
        if path.exists():
            path.rename(old)
        new.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
    return path


def _check_free(path, overwrite):
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise FileExistsError(
            "`path` must be a new folder. Received: "
            f"path={str(path)!r}, which exists. Give another path, or "
            "`overwrite=True` to replace the preset there."
        )
    # Never remove a folder that holds something else than a preset.
    if not (path / CONFIG_FILE).is_file():
        raise FileExistsError(
            "`overwrite=True` replaces presets only. Received: "
            f"path={str(path)!r}, which is not a preset folder. Give another "
            "path, or remove that one yourself."
        )


def copy_weights(source, target, dtype):
    """Copies a Keras weights file, its float32 values stored as `dtype`.

    The optimizer's state of a compiled model is left out. Keras reads the
    float16 values into float32 variables exactly, so the copy stays a plain
    `.weights.h5` file.
    """
    with h5py.File(source, "r") as old, h5py.File(target, "w") as new:

        def copy(name, item):
            if name.split("/")[0] == "optimizer":
                return
            if isinstance(item, h5py.Dataset):
                values = _cast(item[()], dtype, name)
                copied = new.create_dataset(name, data=values)
            else:
                copied = new.require_group(name)
            copied.attrs.update(item.attrs)

        old.visititems(copy)


def _cast(values, dtype, name):
    if dtype == "float32" or values.dtype != np.float32:
        return values
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    if not np.array_equal(np.isfinite(cast), np.isfinite(values)):
        raise ValueError(
            f'With `dtype="{dtype}"` every weight must lie within its range. '
            f"Received: {name!r} with values up to {np.abs(values).max():g}. "
            'Save with `dtype="float32"`.'
        )
    return cast
