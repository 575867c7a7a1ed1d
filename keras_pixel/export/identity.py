"""Which model a served version is of: kept beside it, compared with the next.

A server replaces one version by the next while it runs. Clients may then find
other numbers, but must not find another model. Of a model that is told labels
or another condition, clients find here what they may send.
"""

import json
import re
from typing import Any

import keras

from keras_pixel import files
from keras_pixel.layers.lora import num_parameters
from keras_pixel.order import ORDERS

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
        "num_parameters": num_parameters(model),
        # The config of a graph of one's own numbers its layers anew each time.
        "arguments": None if "graph" in config else _plain(config),
        **describe_conditions(model),
    }
    # By its class: what has no JSON has an address in its text.
    return json.loads(
        json.dumps(described, default=lambda value: type(value).__name__)
    )


def describe_conditions(model):
    """What the model may be told beside the images, for its clients.

    Returns:
        Dict of JSON values, empty for a model of images only. For labels
        `num_classes`; `class_names`, a list, or `None` where they are not
        known; and `no_label`, the id that stands for no label, or `None`
        where there is none. For another condition its `condition_shape`,
        without the batch, and `condition_dtype`. `orders`, the names of the
        raster orders, unless there is the usual one only.
    """
    conditions = model.conditions
    found: dict[str, Any] = {}
    if conditions.num_classes is not None:
        names, number = conditions.class_names, conditions.num_classes
        found["num_classes"] = number
        found["class_names"] = None if names is None else list(names)
        found["no_label"] = number if conditions.label_dropout else None
    for x in model.inputs[1:]:
        if x.name == "condition":
            found["condition_shape"] = list(x.shape[1:])
            found["condition_dtype"] = x.dtype
    if conditions.orders != ORDERS[:1]:
        found["orders"] = list(conditions.orders)
    return found


def read_identity(folder):
    """What a version's folder says of its model; `{}` if it says nothing."""
    path = folder / IDENTITY_FILE
    # A version of someone else's making says nothing.
    return files.read_json(path, f"`{IDENTITY_FILE}`") if path.is_file() else {}


def write_identity(model, folder):
    """Write it into a version's folder."""
    path = folder / IDENTITY_FILE
    path.parent.mkdir(exist_ok=True)
    files.write_text(path, files.to_json(identity(model)))


def check_next_version(name, model, latest):
    """Check that a model may follow a version that is there.

    Args:
        name: str. What the model is served as.
        model: `PixelModel`.
        latest: `pathlib.Path` of the version, or `None`.

    Raises:
        ValueError: if that version is of another preset or architecture.
    """
    there = {} if latest is None else read_identity(latest)
    if not there:
        return
    new = identity(model)
    differing = [
        key
        for key, value in new.items()
        # Without names of its own it may be anyone's.
        if value != there.get(key)
        and not (
            key in ("name", "class_names") and None in (value, there.get(key))
        )
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
            "a name of its own: give `{name: model}` in place of the model."
        )


def _is_automatic(model):
    """Did Keras name the model, by its class and a number?"""
    name = re.sub(r"_\d+$", "", model.name).replace("_", "")
    return name == type(model).__name__.lower()


def _plain(config):
    # Nor is an encoder the same twice; its shape is said.
    return {
        key: value
        for key, value in config.items()
        if key not in ("name", "condition") or value is None
    }


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:197] + "..."
