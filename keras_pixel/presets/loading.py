"""Rebuilds a model from a preset's folder.

Its class is found by the name it is registered under, so a user's own class
works like the package's.
"""

import inspect
import pathlib
import re
import warnings
from collections.abc import Sequence
from typing import Any

import h5py
import keras
import numpy as np

from keras_pixel import __version__
from keras_pixel.checks import did_you_mean
from keras_pixel.data.discretizer import Discretizer
from keras_pixel.files import PathLike
from keras_pixel.presets import folders


def load(
    name_or_path: PathLike,
    *,
    image_shape: Sequence[int] | None = None,
    weights: bool = True,
    **overrides: Any,
) -> Any:
    """Rebuild a trained model from the zoo or from a preset folder.

    Every file is checked against its sha256 first. What cannot be loaded
    raises an error: a model never comes back with random weights unless
    `weights=False` asks for them.

    Args:
        name_or_path: a name of `list_models()`, or the path of a folder
            written by `save_preset`. A name of the zoo comes first: write
            `"./name"` for a folder of the same name. Or an address on a hub,
            `"hf://owner/name"`, with `@revision` if need be, or
            `"kaggle://owner/model/keras/variation"`: what was fetched is kept
            (extra `hub`).
        image_shape: optional `(height, width, channels)` instead of the
            preset's, for an architecture whose weights do not depend on it.
        weights: bool. `False` builds the model with new, random weights.
        **overrides: other arguments of the model's class, to change them.

    Returns:
        A model of the class that was saved, not compiled. Its `name` is the
        preset's: the `name` of its metadata, or else that of the folder. Its
        `discretizer` is the one that it was saved with, if there was one.

    Raises:
        ValueError: for an unknown name, an altered file, an unknown class,
            or overrides that the weights do not fit.
        FileNotFoundError: for a file of the preset that is not there.

    Example:

    ```python
    model = keras_pixel.load("pixelcnn_cifar10")
    images = model.sample(16, seed=0)  # integer levels (16, 32, 32, 3)
    ```
    """
    folder = folders.find(name_or_path)
    metadata = folders.read_metadata(folder)
    skip = () if weights else (folders.WEIGHTS_FILE,)
    folders.check_files(folder, metadata, skip=skip)
    _warn_of_strangers(folder)
    if image_shape is not None:
        overrides["image_shape"] = tuple(image_shape)
    model = _build(folder, metadata, overrides)
    if "discretizer" in metadata:
        model.discretizer = _discretizer(folder, metadata["discretizer"])
    if weights:
        _load_weights(model, folder, metadata, overrides)
    return model


def _discretizer(folder: pathlib.Path, config: dict[str, Any]) -> Discretizer:
    try:
        return Discretizer.from_config(config)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`discretizer` in `{folders.METADATA_FILE}` must be the config of "
            f"a `Discretizer`, but: {error} Received: the preset "
            f"{folder.name!r}. Fetch or save the preset again."
        ) from error


def _warn_of_strangers(folder: pathlib.Path) -> None:
    unlisted = folders.strangers(folder) or ()
    unlisted = [name for name in unlisted if not name.startswith(".")]
    if unlisted:
        warnings.warn(
            f"{str(folder)!r} holds files that its metadata does not list, so "
            f"they were not checked: {unlisted[:5]}. They are not read.",
            stacklevel=3,
        )


def _check_agree(
    folder: pathlib.Path, metadata: dict[str, Any], arguments: dict[str, Any]
) -> None:
    for key in ("image_shape", "num_levels"):
        said, is_so = metadata.get(key), arguments.get(key)
        if None not in (said, is_so) and said != is_so:
            raise ValueError(
                f"A preset's files must agree on `{key}`. Received: "
                f"{key}={said!r} in `{folders.METADATA_FILE}`, {is_so!r} in "
                f"`{folders.CONFIG_FILE}` of {str(folder)!r}. Fetch or save "
                "the preset again."
            )


def _check_weights(path: pathlib.Path, name: str) -> None:
    try:
        file = h5py.File(path)
    except OSError:
        return  # Keras says what is wrong with the file.
    with file:

        def check(key: str, item: Any) -> None:
            if not isinstance(item, h5py.Dataset):
                return
            problem = None
            if item.dtype.kind not in "fiub":
                problem = f"values of dtype {item.dtype}"
            elif item.dtype.kind == "f" and np.isnan(item[()]).any():
                problem = "NaN"
            if problem:
                raise ValueError(
                    f"The weights of the preset {name!r} must be real numbers. "
                    f"Received: {key!r} with {problem}. Fetch or save the "
                    "preset again."
                )

        file.visititems(check)


def _build(
    folder: pathlib.Path, metadata: dict[str, Any], overrides: dict[str, Any]
) -> keras.Model:
    config = folders.read_json(folder, folders.CONFIG_FILE)
    model_class = _model_class(folder, config)
    arguments = config.get("config")
    if not isinstance(arguments, dict):
        raise ValueError(
            "`config.json` must hold the model's arguments. Received: "
            f"config={arguments!r} in {str(folder)!r}. Save the preset again."
        )
    _check_overrides(model_class, arguments, overrides)
    name = (
        {"name": _model_name(folder, metadata)} if "name" in arguments else {}
    )
    try:
        model = model_class.from_config({**arguments, **name, **overrides})
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{model_class.__name__} must accept the arguments of the preset "
            f"{folder.name!r}, but raised: {error} Received: "
            f"{_arguments(overrides)}, for a preset of "
            f"{metadata.get('versions')}, in keras_pixel {__version__} with "
            f"Keras {keras.__version__}. Change the arguments, or install the "
            "version that saved it."
        ) from error
    _check_agree(folder, metadata, arguments)
    return model


def _check_overrides(
    model_class: type[keras.Model],
    arguments: dict[str, Any],
    overrides: dict[str, Any],
) -> None:
    known = {"name", *arguments}
    for name, parameter in inspect.signature(model_class).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            known.add("dtype")  # as all models of Keras take it
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            known.add(name)
    for name in overrides:
        if name not in known:
            raise TypeError(
                f"{model_class.__name__} must know the arguments given to "
                f"`load`. Received: {_arguments(overrides)}. It knows "
                f"{sorted(known)}."
                + (did_you_mean(name, known) or f" Leave out {name!r}.")
            )


def _model_name(folder: pathlib.Path, metadata: dict[str, Any]) -> str:
    """The preset's name, as far as Keras allows it."""
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        name = folder.resolve().name
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return name if name[:1].isalnum() else f"preset_{name}"


def _model_class(
    folder: pathlib.Path, config: dict[str, Any]
) -> type[keras.Model]:
    name = config.get("registered_name")
    if isinstance(name, str) and name.startswith("keras_pixel>"):
        # Registers the package's own classes, if nobody has imported them.
        from keras_pixel import models  # noqa: F401

    model_class = None
    if isinstance(name, str):
        model_class = keras.saving.get_registered_object(name)
    if isinstance(model_class, type) and issubclass(model_class, keras.Model):
        return model_class
    raise ValueError(
        "The class of a preset must be a registered Keras model. Received: "
        f"registered_name={name!r} in {str(folder)!r}, which is not. Import "
        "the module that defines the class first, or install the version of "
        "keras_pixel that has it."
    )


def _load_weights(
    model: keras.Model,
    folder: pathlib.Path,
    metadata: dict[str, Any],
    overrides: dict[str, Any],
) -> None:
    _check_weights(folder / folders.WEIGHTS_FILE, folder.name)
    expected, received = metadata.get("num_parameters"), model.count_params()
    problem = f"the preset has {expected} parameters, this model {received}."
    cause = None
    if expected == received:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model.load_weights(folder / folders.WEIGHTS_FILE)
            # Where Keras skips a nested layer, it merely warns.
            skipped = [w.message for w in caught if w.category is UserWarning]
            if not skipped:
                return
            problem = str(skipped[0])
        except (KeyError, OSError, ValueError) as error:
            problem, cause = " ".join(str(error).split()), error
    way_out = (
        "Change only arguments that the weights do not depend on, or build the "
        "model anew with `weights=False`."
        if overrides
        else "Fetch or save the preset again."
    )
    raise ValueError(
        f"The weights of the preset {folder.name!r} must fit the model. "
        f"Received: {_arguments(overrides)}; {problem} {way_out}"
    ) from cause


def _arguments(overrides: dict[str, Any]) -> str:
    given = ", ".join(f"{key}={value!r}" for key, value in overrides.items())
    return given or "no changed arguments"
