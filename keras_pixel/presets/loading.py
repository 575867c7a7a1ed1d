"""Rebuilds a model from a preset's folder.

A model is rebuilt by the name its class is registered under, so a user's own
class works like the package's.
"""

import inspect
import re
import warnings

import keras

from keras_pixel import __version__
from keras_pixel.presets import folders


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
        A model of the class that was saved, not compiled. Its `name` is that
        of the preset, by which it is exported and served.

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
    folder = folders.find(name_or_path)
    metadata = folders.read_metadata(folder)
    skip = () if weights else (folders.WEIGHTS_FILE,)
    folders.check_files(folder, metadata, skip=skip)
    if image_shape is not None:
        overrides["image_shape"] = tuple(image_shape)
    model = _build(folder, metadata, overrides)
    if "name" not in overrides:
        model.name = _name(folder, metadata)
    if weights:
        _load_weights(model, folder, metadata, overrides)
    return model


def _build(folder, metadata, overrides):
    config = folders.read_json(folder, folders.CONFIG_FILE)
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
            f"{metadata.get('versions')}, in keras_pixel {__version__} with "
            f"Keras {keras.__version__}. Change the arguments, or install the "
            "version which saved it."
        ) from error


def _name(folder, metadata):
    """The preset's name, of letters that Keras and a path allow."""
    # A training's folder ends in "preset"; the recipe has the name.
    name = metadata.get("name")
    name = name if isinstance(name, str) and name else folder.resolve().name
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip("_.-")
    return name or "preset"


def _model_class(folder, config):
    name = config.get("registered_name")
    if isinstance(name, str) and name.startswith("keras_pixel>"):
        # Registers the package's own classes, if nobody has imported them.
        from keras_pixel import models  # noqa: F401

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
                model.load_weights(folder / folders.WEIGHTS_FILE)
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
