"""Every family told a label, or a vector and a map, at its smallest."""

import dataclasses

import keras
import numpy as np

from keras_pixel import models
from keras_pixel.models.closed_form import ClosedFormModel
from tests.support.cases import randomize
from tests.support.smallest import SMALLEST

IMAGE_SHAPE = (3, 4, 1)
NUM_CLASSES = 3

# Where a family is not at its smallest: several layers, a coarser grid, a model
# that is drawn step by step.
_MORE = {
    models.GatedPixelCNN: {"num_layers": 2},
    models.WavefrontPixelCNN: {"num_resolutions": 2},
    models.PixelCNNPlusPlus: {"lag": 2},
}
_FAMILIES = [
    model_class
    for model_class in SMALLEST
    if not issubclass(model_class, ClosedFormModel)
]


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
        smallest = {
            **SMALLEST[self.model_class],
            **_MORE.get(self.model_class, {}),
        }
        model = self.model_class(
            image_shape, num_levels, **smallest, **arguments
        )
        return randomize(model)


def told(model, count, seed=0):
    """Random conditions of a model: arguments of its methods."""
    random = np.random.default_rng(seed)
    found = model.conditions.random_inputs(random, count)
    return dict(zip(model.conditions.names, found, strict=True))


CASES = [
    ConditionalCase(model_class, kind)
    for model_class in _FAMILIES
    for kind in ("label", "vector_and_map")
]
