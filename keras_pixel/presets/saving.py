"""Saves a model as a preset folder, completely or not at all."""

import hashlib
import os
import pathlib
import tempfile
from collections.abc import Iterable
from typing import Any

import h5py
import keras
import numpy as np

from keras_pixel import __version__
from keras_pixel.files import PathLike
from keras_pixel.files import atomic_folder
from keras_pixel.files import is_free
from keras_pixel.files import to_json
from keras_pixel.layers.lora import num_parameters
from keras_pixel.order import ORDERS
from keras_pixel.presets import folders

_WEIGHTS_DTYPES = ("float32", "float16")
# Arguments worth reading without opening `config.json`.
_SHAPE_KEYS = ("image_shape", "num_levels", "num_classes", "class_names")


def save_preset(
    model: keras.Model,
    path: PathLike,
    metadata: dict[str, Any] | None = None,
    dtype: str = "float32",
    overwrite: bool = False,
    files: dict[str, bytes] | None = None,
) -> pathlib.Path:
    """Save a model as a preset folder, which `load(path)` gives back.

    A `keras_pixel.data.Discretizer` that is set as `model.discretizer` is
    saved and loaded with the model.

    Where LoRA is enabled, the kernels are saved with what it adds to them; the
    preset has none.

    The folder is written under another name beside `path` and then renamed:
    what is at `path` is always complete.

    Args:
        model: a built Keras model of a registered class.
        path: the folder to create.
        metadata: dict of what is worth knowing about the model (JSON values),
            kept in `metadata.json`, or `None`.
        dtype: "float32" keeps the weights exactly. "float16" halves the file
            and rounds them; they are still loaded as float32.
        overwrite: bool. Whether to replace a preset that exists at `path`. A
            folder with any other file in it is never replaced.
        files: dict of other files for the folder, name to bytes, or `None`.

    Returns:
        The folder's absolute path, a `pathlib.Path`.

    Raises:
        FileExistsError: if `path` exists, unless `overwrite=True` and it is a
            preset with nothing else in its folder.
        ValueError: for a class that is not registered, a quantised model,
            weights too large for float16, or a discretizer with another number
            of levels.

    Example:

    ```python
    keras_pixel.presets.save_preset(model, "my_model")
    model = keras_pixel.load("my_model")
    ```
    """
    _check_model(model)
    if dtype not in _WEIGHTS_DTYPES:
        raise ValueError(
            f"`dtype` must be one of {_WEIGHTS_DTYPES}. "
            f"Received: dtype={dtype!r}. "
            'Choose "float32" to keep the weights exactly.'
        )
    described = describe(model, dtype)
    metadata = dict(metadata or {})
    taken = sorted({"files", *described} & set(metadata))
    if taken:
        raise ValueError(
            "`metadata` must not hold what the model itself determines. "
            f"Received: metadata with {taken}. Rename those entries."
        )
    _check_names(files or {})
    config = {
        "class_name": type(model).__name__,
        "registered_name": keras.saving.get_registered_name(type(model)),
        "config": _without_lora(model.get_config()),
    }
    contents = {
        **(files or {}),
        folders.CONFIG_FILE: to_json(config).encode(),
        folders.WEIGHTS_FILE: _weights(model, dtype),
    }
    return _write_folder(path, {**metadata, **described}, contents, overwrite)


def describe(model: keras.Model, dtype: str = "float32") -> dict[str, Any]:
    """Return the entries of `metadata.json` that the model determines."""
    config = model.get_config()
    # A graph of the user's own has its shape only in the graph.
    found = {k: config.get(k, getattr(model, k, None)) for k in _SHAPE_KEYS}
    return {
        "format": folders.FORMAT,
        "class_name": type(model).__name__,
        **{key: value for key, value in found.items() if value is not None},
        "num_parameters": num_parameters(model),
        "weights_dtype": dtype,
        **_orders(model),
        **_decoding(model),
        **_discretizer(model),
        "versions": {
            "keras_pixel": __version__,
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
        },
    }


def _orders(model: Any) -> dict[str, Any]:
    """The raster orders of a model, unless there is the usual one only."""
    orders = getattr(model, "orders", ORDERS[:1])
    return {} if orders == ORDERS[:1] else {"orders": list(orders)}


def _decoding(model: Any) -> dict[str, Any]:
    """How images are drawn, where the model says it."""
    sampler = getattr(model, "sampler", None)
    if sampler is None:
        return {}
    try:
        method = "cached" if sampler.is_decodable else "naive"
        lag, steps = sampler.lag, sampler.num_steps
    except ValueError:  # not causal: it is saved all the same
        return {}
    height, width, _ = model.image_shape
    if steps >= height * width:  # a pixel a step, whatever the lag is
        lag = None
    return {"decoding": {"method": method, "lag": lag, "steps": steps}}


def _discretizer(model: Any) -> dict[str, Any]:
    """How the levels are made of values, where the model has it."""
    discretizer = getattr(model, "discretizer", None)
    if discretizer is None:
        return {}
    num_levels = getattr(model, "num_levels", None)
    if discretizer.num_bins != num_levels:
        raise ValueError(
            "`model.discretizer` must have as many bins as the model has "
            "levels. Received: discretizer.num_bins="
            f"{discretizer.num_bins}, num_levels={num_levels}. Set the one "
            "that the model was trained with, or None."
        )
    return {"discretizer": discretizer.get_config()}


def _without_lora(config: Any) -> Any:
    """A config in which Keras' own layers have no LoRA.

    What it added is in the weights.
    """
    if isinstance(config, (list, tuple)):
        return type(config)(_without_lora(item) for item in config)
    if not isinstance(config, dict):
        return config
    config = {key: _without_lora(value) for key, value in config.items()}
    of_keras = str(config.get("module")).split(".")[0] == "keras"
    if of_keras and isinstance(config.get("config"), dict):
        for key in ("lora_rank", "lora_alpha"):
            config["config"].pop(key, None)
    return config


def _check_model(model: keras.Model) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a Keras model. "
            f"Received: model={model!r} of type {type(model).__name__}. "
            "Give a built model, such as `keras_pixel.models.PixelCNN(...)`."
        )
    name = keras.saving.get_registered_name(type(model))
    if keras.saving.get_registered_object(name) is not type(model):
        raise ValueError(
            "The model's class must be registered, so that `load` finds it. "
            f"Received: model of class {type(model).__name__}. Put "
            '`@keras.saving.register_keras_serializable(package="...")` '
            "above the class."
        )
    if not model.built:
        raise ValueError(
            "`model` must be built before it is saved. Received: "
            f"model={model.name!r}, not built. Call it on a batch first."
        )
    for layer in model._flatten_layers():
        policy = layer.dtype_policy
        if isinstance(policy, keras.dtype_policies.QuantizedDTypePolicy):
            raise ValueError(
                "A preset must be of a model that is not quantised: `load` "
                "builds one that is not. Received: a model whose layer "
                f"{layer.name!r} has the dtype policy {policy.name!r}. Save it "
                "before `quantize`, and call that again after `load`."
            )


def _check_names(names: Iterable[str]) -> None:
    own = (
        folders.CONFIG_FILE,
        folders.METADATA_FILE,
        folders.WEIGHTS_FILE,
    )
    for name in names:
        if name in own or not folders.is_plain(name):
            raise ValueError(
                "`files` must have plain names, other than those of the "
                f"preset's own files {own}. Received: name={name!r}. "
                "Rename it."
            )


def _weights(model: keras.Model, dtype: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder) / "whole.weights.h5"
        stored = pathlib.Path(folder) / folders.WEIGHTS_FILE
        model.save_weights(whole)
        _copy_weights(whole, stored, dtype)
        return stored.read_bytes()


def _write_folder(
    path: PathLike,
    metadata: dict[str, Any],
    contents: dict[str, bytes],
    overwrite: bool,
) -> pathlib.Path:
    """Write a preset's files and its metadata, then move them into place.

    Args:
        path: the folder to create.
        metadata: dict; the size and sha256 of each file are added to it.
        contents: dict of file name to bytes.
        overwrite: bool. Whether to replace a preset that exists there.

    Returns:
        The folder's absolute path.
    """
    path = pathlib.Path(os.path.abspath(os.path.expanduser(path)))
    check_free(path, overwrite)
    entries = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in contents.items()
    }
    text = to_json({**metadata, "files": entries})
    with atomic_folder(path, replace=True) as new:
        for name, data in contents.items():
            (new / name).write_bytes(data)
        (new / folders.METADATA_FILE).write_text(text, encoding="utf-8")
    return path


def check_free(path: PathLike, overwrite: bool) -> None:
    """Raise FileExistsError unless a preset may be written to a path."""
    path = pathlib.Path(path)
    if is_free(path) and not path.is_symlink():
        return
    if not overwrite:
        raise FileExistsError(
            "`path` must be a new folder. Received: "
            f"path={str(path)!r}, which exists. Give another path, or "
            "`overwrite=True` to replace the preset there."
        )
    # Never remove what someone else put there.
    strangers = folders.strangers(path)
    if strangers is None:
        raise FileExistsError(
            "`overwrite=True` replaces presets only. Received: "
            f"path={str(path)!r}, which is not a preset folder. Give another "
            "path, or remove that one yourself."
        )
    if strangers:
        raise FileExistsError(
            "`overwrite=True` replaces a preset's own files only, those in "
            f"its `{folders.METADATA_FILE}`. Received: path={str(path)!r}, "
            f"which also holds {strangers[:5]}"
            f"{' and more' if strangers[5:] else ''}. Move them elsewhere, or "
            "give another path."
        )


def _copy_weights(
    source: pathlib.Path, target: pathlib.Path, dtype: str
) -> None:
    """Copy a Keras weights file, storing its float32 values as `dtype`.

    The optimizer's state of a compiled model is left out. Keras reads the
    float16 values into float32 variables exactly, so the copy stays a plain
    `.weights.h5` file.
    """
    with h5py.File(source, "r") as old, h5py.File(target, "w") as new:

        def copy(name: str, item: Any) -> None:
            if name.split("/")[0] == "optimizer":
                return
            if isinstance(item, h5py.Dataset):
                values = _cast(item[()], dtype, name)
                copied = new.create_dataset(name, data=values)
            else:
                copied = new.require_group(name)
            copied.attrs.update(item.attrs)

        old.visititems(copy)


def _cast(values: np.ndarray, dtype: str, name: str) -> np.ndarray:
    if values.dtype.kind in "fc" and np.isnan(values).any():
        raise ValueError(
            "A model's weights must be numbers to be saved. Received: "
            f"{name!r} with NaN. Return to a state from before the training "
            "failed."
        )
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
