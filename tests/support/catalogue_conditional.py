"""Every family told a label, or a vector and a map, at its smallest."""

import dataclasses

import keras
import numpy as np

from keras_pixel import models
from tests.support.cases import randomize

IMAGE_SHAPE = (3, 4, 1)
NUM_CLASSES = 3

_SMALLEST = {
    models.PixelCNN: {"filters": 6, "num_blocks": 1, "head_filters": 6},
    models.GatedPixelCNN: {"filters": 6, "num_layers": 2, "head_filters": 6},
    models.ImageTransformer: {
        "num_layers": 1,
        "hidden_dim": 4,
        "num_heads": 2,
        "intermediate_dim": 4,
        "query_shape": (1, 2),
        "memory_flange": (0, 1),
    },
    models.PixelLSTM: {"hidden_dim": 4, "num_layers": 1},
    models.WavefrontPixelCNN: {
        "filters": 4,
        "num_resolutions": 2,
        "num_mixtures": 2,
    },
    models.PixelRNN: {"filters": 6, "num_layers": 1, "head_filters": 6},
    models.PixelCNNPlusPlus: {
        "filters": 3,
        "num_blocks": 1,
        "num_resolutions": 2,
        "num_mixtures": 2,
        "lag": 2,
    },
    models.PixelSNAIL: {
        "filters": 3,
        "num_blocks": 1,
        "num_residual_blocks": 1,
        "key_dim": 2,
        "value_dim": 2,
        "num_mixtures": 2,
    },
}


def encoder(image_shape=IMAGE_SHAPE):
    """From a picture of the image's size to a vector and a map of it."""
    context = keras.Input((*image_shape[:2], 1))
    x = keras.layers.Conv2D(2, 3, padding="same")(context)
    return keras.Model(context, [keras.layers.Flatten()(x), x])


@dataclasses.dataclass(frozen=True)
class ConditionalCase:
    """A family with something that it is told."""

    model_class: type
    kind: str

    @property
    def name(self):
        return f"{self.model_class.__name__}_{self.kind}"

    def arguments(self, image_shape=IMAGE_SHAPE):
        """What is told: arguments of the model, new ones in each call."""
        return {
            "label": {"num_classes": NUM_CLASSES, "label_dropout": 0.25},
            "vector_and_map": {"condition": encoder(image_shape)},
        }[self.kind]

    def make(self, image_shape=IMAGE_SHAPE, num_levels=3, told=True):
        arguments = self.arguments(image_shape) if told else {}
        smallest = _SMALLEST[self.model_class]
        model = self.model_class(
            image_shape, num_levels, **{**smallest, **arguments}
        )
        return randomize(model)


def told(model, count, seed=0):
    """Random conditions of a model: arguments of its methods."""
    random = np.random.default_rng(seed)
    found = model.conditions.random_inputs(random, count)
    return dict(zip(model.conditions.names, found, strict=True))


CASES = [
    ConditionalCase(model_class, kind)
    for model_class in _SMALLEST
    for kind in ("label", "vector_and_map")
]
