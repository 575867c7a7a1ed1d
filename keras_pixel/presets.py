"""Trained models on disk: load one, list the zoo's, save your own.

A preset is a folder that rebuilds a model: `config.json` (class and
arguments), `model.weights.h5`, and `metadata.json` with what is known about it
and the sha256 of every other file. Those of the zoo also have the recipe they
were trained with, a card and a sheet of samples.

This file imports no other of the package's: a model is rebuilt by the name its
class is registered under, so a user's own class works like the package's.
"""

import importlib
import inspect
import pathlib
import sys
import tempfile
import warnings

import keras

from keras_pixel import _preset_files
from keras_pixel import _preset_writing
from keras_pixel._preset_files import list_models
from keras_pixel._preset_files import read_metadata

__all__ = ["describe", "list_models", "load", "read_metadata", "save_preset"]

_WEIGHTS_DTYPES = ("float32", "float16")
# Arguments worth reading without opening `config.json`.
_SHAPE_KEYS = ("image_shape", "num_levels")


def load(name_or_path, *, image_shape=None, weights=True, **overrides):
    """Rebuilds a trained model from the zoo or from a preset folder.

    Every file is checked against its sha256 first. What cannot be loaded
    raises an error: a model never comes back with random weights unless
    `weights=False` asks for them.

    Args:
        name_or_path: a name of `list_models()`, or the path of a folder
            written by `save_preset`. A name of the zoo comes first: write
            `"./name"` for a folder of the same name.
        image_shape: optional `(height, width, channels)` instead of the
            preset's, for an architecture whose weights do not depend on it.
        weights: False builds the model with new, random weights.
        **overrides: other arguments of the model's class to change.

    Returns:
        A model of the class that was saved, not compiled.

    Raises:
        ValueError: for an unknown name, an altered file, an unknown class,
            or overrides which the weights do not fit.
        FileNotFoundError: for a file of the preset that is not there.

    Example:

    ```python
    model = keras_pixel.load("pixelcnn_cifar10")
    images = model.sample(16, seed=0)  # integer levels (16, 32, 32, 3)
    ```
    """
    folder = _preset_files.find(name_or_path)
    metadata = read_metadata(folder)
    skip = () if weights else (_preset_files.WEIGHTS_FILE,)
    _preset_files.check_files(folder, metadata, skip=skip)
    if image_shape is not None:
        overrides["image_shape"] = tuple(image_shape)
    model = _build(folder, metadata, overrides)
    if weights:
        _load_weights(model, folder, metadata, overrides)
    return model


def save_preset(
    model, path, metadata=None, dtype="float32", overwrite=False, files=None
):
    """Saves a model as a preset folder, which `load(path)` gives back.

    The folder is written under another name beside `path` and then renamed:
    what is at `path` is always whole.

    Args:
        model: a built Keras model of a registered class.
        path: the folder to make.
        metadata: optional dict of what is worth knowing about the model
            (JSON values), kept in `metadata.json`.
        dtype: "float32" keeps the weights exactly. "float16" halves the file
            and rounds them; they are loaded as float32 all the same.
        overwrite: whether a preset that is at `path` already is replaced.
        files: optional dict of other files for the folder: name to bytes.

    Returns:
        The folder's absolute path, a `pathlib.Path`.

    Raises:
        FileExistsError: if `path` exists, unless it is a preset and
            `overwrite=True`.
        ValueError: for a class that is not registered, or weights too large
            for float16.

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
            "`metadata` must not hold what is found from the model itself. "
            f"Received: metadata with {taken}. Rename those entries."
        )
    _check_names(files or {})
    config = {
        "class_name": type(model).__name__,
        "registered_name": keras.saving.get_registered_name(type(model)),
        "config": model.get_config(),
    }
    contents = {
        **(files or {}),
        _preset_files.CONFIG_FILE: _preset_writing.to_json(config).encode(),
        _preset_files.WEIGHTS_FILE: _weights(model, dtype),
    }
    return _preset_writing.write_folder(
        path, {**metadata, **described}, contents, overwrite
    )


def describe(model, dtype="float32"):
    """The entries of `metadata.json` that are found from the model itself."""
    config = model.get_config()
    # A graph of the user's own has its shape in the graph alone.
    found = {k: config.get(k, getattr(model, k, None)) for k in _SHAPE_KEYS}
    return {
        "format": _preset_files.FORMAT,
        "class_name": type(model).__name__,
        **{key: value for key, value in found.items() if value is not None},
        "num_parameters": model.count_params(),
        "weights_dtype": dtype,
        "versions": {
            "keras_pixel": _version(),
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
        },
    }


def _version():
    # Not imported from there: the package's `__init__` imports this file.
    return getattr(sys.modules[__package__], "__version__", "unknown")


def _check_model(model):
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


def _check_names(names):
    own = (
        _preset_files.CONFIG_FILE,
        _preset_files.METADATA_FILE,
        _preset_files.WEIGHTS_FILE,
    )
    for name in names:
        if name in own or not _preset_files.is_plain(name):
            raise ValueError(
                "`files` must have plain names, other than those of the "
                f"preset's own files {own}. Received: name={name!r}. "
                "Rename it."
            )


def _weights(model, dtype):
    with tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder) / "whole.weights.h5"
        stored = pathlib.Path(folder) / _preset_files.WEIGHTS_FILE
        model.save_weights(whole)
        _preset_writing.copy_weights(whole, stored, dtype)
        return stored.read_bytes()


def _build(folder, metadata, overrides):
    config = _preset_files.read_json(folder, _preset_files.CONFIG_FILE)
    model_class = _model_class(folder, config)
    arguments = config.get("config")
    if not isinstance(arguments, dict):
        raise ValueError(
            "`config.json` must hold the model's arguments. Received: "
            f"config={arguments!r} in {str(folder)!r}. Save the preset again."
        )
    known = {"name", *arguments, *inspect.signature(model_class).parameters}
    if not known.issuperset(overrides):
        raise TypeError(
            f"{model_class.__name__} must know the arguments given to `load`. "
            f"Received: {_arguments(overrides)}. It knows {sorted(known)}."
        )
    try:
        return model_class.from_config({**arguments, **overrides})
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{model_class.__name__} must accept the arguments of the preset "
            f"{folder.name!r}; it said: {error} Received: "
            f"{_arguments(overrides)}, for a preset of "
            f"{metadata.get('versions')}, in keras_pixel {_version()} with "
            f"Keras {keras.__version__}. Change the arguments, or install the "
            "version which saved it."
        ) from error


def _model_class(folder, config):
    name = config.get("registered_name")
    if isinstance(name, str) and name.startswith(f"{__package__}>"):
        # Registers the package's own classes, if nobody has imported them.
        importlib.import_module(f"{__package__}.models")
    model_class = keras.saving.get_registered_object(name)
    if isinstance(model_class, type) and issubclass(model_class, keras.Model):
        return model_class
    raise ValueError(
        "The class of a preset must be a registered Keras model. Received: "
        f"registered_name={name!r} in {str(folder)!r}, which is not. Import "
        "the module that defines the class first, or install the version of "
        "keras_pixel that has it."
    )


def _load_weights(model, folder, metadata, overrides):
    expected, received = metadata.get("num_parameters"), model.count_params()
    problem = f"the preset has {expected} parameters, this model {received}."
    cause = None
    if expected == received:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.load_weights(folder / _preset_files.WEIGHTS_FILE)
            # Keras only warns where it leaves a nested layer as initialized.
            skipped = [w.message for w in caught if w.category is UserWarning]
            if not skipped:
                return
            problem = str(skipped[0])
        except (KeyError, OSError, ValueError) as error:
            problem, cause = " ".join(str(error).split()), error
    way_out = (
        "Change what the weights do not depend on only, or build it anew with "
        "`weights=False`."
        if overrides
        else "Fetch or save the preset again."
    )
    raise ValueError(
        f"The weights of the preset {folder.name!r} must fit the model. "
        f"Received: {_arguments(overrides)}; {problem} {way_out}"
    ) from cause


def _arguments(overrides):
    given = ", ".join(f"{key}={value!r}" for key, value in overrides.items())
    return given or "no changed arguments"
