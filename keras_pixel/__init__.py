"""Autoregressive image models for Keras, with export."""

import importlib
from typing import TYPE_CHECKING
from typing import Any

from keras_pixel.start import keep_programs as _keep_programs

__version__ = "0.1.0"

if TYPE_CHECKING:  # what editors and type checkers see
    from keras_pixel import data as data
    from keras_pixel import distributions as distributions
    from keras_pixel import export as export
    from keras_pixel import layers as layers
    from keras_pixel import models as models
    from keras_pixel import presets as presets
    from keras_pixel import sampling as sampling
    from keras_pixel import tasks as tasks
    from keras_pixel import training as training
    from keras_pixel.levels import floats_to_levels as floats_to_levels
    from keras_pixel.levels import levels_to_floats as levels_to_floats
    from keras_pixel.models import GatedPixelCNN as GatedPixelCNN
    from keras_pixel.models import GaussianPixels as GaussianPixels
    from keras_pixel.models import ImageTransformer as ImageTransformer
    from keras_pixel.models import IndependentPixels as IndependentPixels
    from keras_pixel.models import PixelCNN as PixelCNN
    from keras_pixel.models import PixelCNNPlusPlus as PixelCNNPlusPlus
    from keras_pixel.models import PixelLSTM as PixelLSTM
    from keras_pixel.models import PixelModel as PixelModel
    from keras_pixel.models import PixelRNN as PixelRNN
    from keras_pixel.models import PixelSNAIL as PixelSNAIL
    from keras_pixel.models import WavefrontPixelCNN as WavefrontPixelCNN
    from keras_pixel.models import check_causality as check_causality
    from keras_pixel.presets import list_models as list_models
    from keras_pixel.presets import load as load

# Public name -> the module that holds it, "" for a module of that name.
# Imported when first used: `keras-pixel --help` waits for no backend.
_HOMES = {
    "GatedPixelCNN": "models",
    "GaussianPixels": "models",
    "ImageTransformer": "models",
    "IndependentPixels": "models",
    "PixelCNN": "models",
    "PixelCNNPlusPlus": "models",
    "PixelLSTM": "models",
    "PixelModel": "models",
    "PixelRNN": "models",
    "PixelSNAIL": "models",
    "WavefrontPixelCNN": "models",
    "check_causality": "models",
    "data": "",
    "distributions": "",
    "export": "",
    "floats_to_levels": "levels",
    "layers": "",
    "levels_to_floats": "levels",
    "list_models": "presets",
    "load": "presets",
    "models": "",
    "presets": "",
    "sampling": "",
    "tasks": "",
    "training": "",
}

__all__ = sorted(_HOMES)

# Before a backend is imported: it would not heed them later.
_keep_programs()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'keras_pixel' has no attribute {name!r}")
    _check_keras()
    home = importlib.import_module(f"keras_pixel.{_HOMES[name] or name}")
    value = getattr(home, name) if _HOMES[name] else home
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _check_keras() -> None:
    """Refuse Keras before 3.15.

    Raises:
        ImportError: if Keras is missing or too old.
    """
    advice = 'Install it with: pip install --upgrade "keras>=3.15"'
    from keras_pixel.start import import_keras

    try:
        import_keras()
        import keras
    except ModuleNotFoundError as error:
        if error.name != "keras":
            raise ImportError(
                "Keras' backend is missing. "
                f"Received: no module named {error.name!r}. Install it, or "
                "choose another backend with the environment variable "
                "KERAS_BACKEND (tensorflow or jax)."
            ) from error
        raise ImportError(
            f"keras_pixel needs Keras 3.15 or later. {advice}"
        ) from error
    version = tuple(int(part) for part in keras.__version__.split(".")[:2])
    if version < (3, 15):
        raise ImportError(
            "keras_pixel needs Keras 3.15 or later. "
            f"Received: keras=={keras.__version__}. {advice}"
        )
