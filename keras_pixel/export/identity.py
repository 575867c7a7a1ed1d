"""Which model a served version is of: kept beside it, compared with the next.

A server replaces one version by the next while it runs. Clients may then find
other numbers, but must not find another model.
"""

import json
import re

import keras

from keras_pixel import files

# TF-Serving passes over what else is in a version's `assets.extra`.
IDENTITY_FILE = "assets.extra/keras_pixel.json"


def identity(model):
    """What the versions of one served model have in common.

    Returns:
        Dict of JSON values.
    """
    config = model.get_config()
    described = {
        "name": None if _is_automatic(model) else model.name,
        "class": keras.saving.get_registered_name(type(model)),
        "image_shape": model.image_shape,
        "num_levels": model.num_levels,
        "num_parameters": model.count_params(),
        # The config of a graph of one's own numbers its layers anew each time.
        "arguments": None if "layers" in config else _plain(config),
    }
    # By its class: what has no JSON has an address in its text.
    return json.loads(
        json.dumps(described, default=lambda value: type(value).__name__)
    )


def write_identity(model, folder):
    """Write it into a version's folder."""
    files.write_text(folder / IDENTITY_FILE, files.to_json(identity(model)))


def check_next_version(name, model, latest):
    """Check that a model may follow a version that is there.

    Args:
        name: str. What the model is served as.
        model: `PixelModel`.
        latest: `pathlib.Path` of the version, or `None`.

    Raises:
        ValueError: if that version is of another preset or architecture.
    """
    # A version of someone else's making says nothing.
    if latest is None or not (latest / IDENTITY_FILE).is_file():
        return
    there = files.read_json(latest / IDENTITY_FILE, f"`{IDENTITY_FILE}`")
    new = identity(model)
    differing = [
        key
        for key, value in new.items()
        # Without a name of its own it may be anyone's.
        if value != there.get(key)
        and not (key == "name" and None in (value, there.get(key)))
    ]
    if differing:
        received = "; ".join(
            f"{key}={_short(new[key])} after {_short(there.get(key))}"
            for key in differing
        )
        raise ValueError(
            "The next version of a served model must be of the same preset "
            "and architecture, as a running server replaces one by the other. "
            f"Received: a version of {name!r} with {received}. Serve it under "
            "a name of its own: `tf_serving({name: model}, folder)`."
        )


def _is_automatic(model):
    """Did Keras name the model, by its class and a number?"""
    name = re.sub(r"_\d+$", "", model.name).replace("_", "")
    return name == type(model).__name__.lower()


def _plain(config):
    return {key: value for key, value in config.items() if key != "name"}


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:197] + "..."
