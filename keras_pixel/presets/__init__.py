"""Trained models on disk: load one, list the zoo's, save your own.

A preset is a folder that rebuilds a model: `config.json` (class and
arguments), `model.weights.h5`, and `metadata.json` with what is known about it
and the sha256 of every other file. Those in the zoo also have the recipe they
were trained with, a card and a sheet of samples.
"""

from typing import TYPE_CHECKING
from typing import Any

from keras_pixel.presets.folders import list_models
from keras_pixel.presets.folders import read_metadata

if TYPE_CHECKING:  # what editors and type checkers see
    from keras_pixel.presets.hubs import push_to_hub as push_to_hub
    from keras_pixel.presets.loading import load as load
    from keras_pixel.presets.saving import describe as describe
    from keras_pixel.presets.saving import save_preset as save_preset

__all__ = [
    "describe",
    "list_models",
    "load",
    "push_to_hub",
    "read_metadata",
    "save_preset",
]


def __getattr__(name: str) -> Any:
    # Keras is imported with the first model: listing the zoo needs none.
    if name == "load":
        from keras_pixel.presets.loading import load

        return load
    if name == "push_to_hub":
        from keras_pixel.presets.hubs import push_to_hub

        return push_to_hub
    if name in ("describe", "save_preset"):
        from keras_pixel.presets import saving

        return getattr(saving, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
