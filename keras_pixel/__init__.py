"""Autoregressive image models for Keras, with export."""

from keras_pixel._keras_version import check_keras

check_keras()

from keras_pixel import data  # noqa: E402
from keras_pixel import distributions  # noqa: E402
from keras_pixel import layers  # noqa: E402
from keras_pixel import models  # noqa: E402
from keras_pixel import sampling  # noqa: E402
from keras_pixel import training  # noqa: E402
from keras_pixel.levels import floats_to_levels  # noqa: E402
from keras_pixel.levels import levels_to_floats  # noqa: E402
from keras_pixel.models import PixelCNN  # noqa: E402
from keras_pixel.models import PixelModel  # noqa: E402
from keras_pixel.presets import list_models  # noqa: E402
from keras_pixel.presets import load  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "PixelCNN",
    "PixelModel",
    "data",
    "distributions",
    "floats_to_levels",
    "layers",
    "levels_to_floats",
    "list_models",
    "load",
    "models",
    "sampling",
    "training",
]
