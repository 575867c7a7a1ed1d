"""What the catalogue's entries are made of."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from keras_pixel import layers


@dataclasses.dataclass(frozen=True)
class LayerCase:
    """A layer with its arguments.

    `reach` is that of the layer alone, `mask_type` "A" if it may come first.
    A layer that `takes_levels` reads integer images only. `call` says how a
    layer is called that takes several inputs or gives another size: a
    function of the layer and of features, to features of the same size. A
    layer that is not `decodable` sees pixels to its right.
    """

    name: str
    layer_class: type
    arguments: dict
    in_features: int
    reach: Callable
    channels: int = 1
    mask_type: str = "B"
    takes_levels: bool = False
    call: Callable | None = None
    decodable: bool = True

    def make(self):
        return self.layer_class(**self.arguments)

    def apply(self, inputs):
        layer = self.make()
        return self.call(layer, inputs) if self.call else layer(inputs)

    def on_features(self, height, width):
        """The layer alone: features in, features out."""
        dtype = "int32" if self.takes_levels else None
        inputs = keras.Input((height, width, self.in_features), dtype=dtype)
        if not isinstance(self.make(), layers.GatedMaskedConv2D):
            return keras.Model(inputs, self.apply(inputs))
        vertical = inputs
        if self.mask_type == "B":  # expects a stack that is shifted down
            vertical = keras.layers.ZeroPadding2D(((1, 0), (0, 0)))(inputs)
            vertical = keras.layers.Cropping2D(((0, 1), (0, 0)))(vertical)
        return keras.Model(inputs, self.make()([vertical, inputs])[1])

    def on_levels(self, height, width, num_levels=4):
        """A causal model that ends in the layer: integer images in."""
        inputs = keras.Input((height, width, self.channels), dtype="int32")
        x = layers.ScaleLevels(num_levels)(inputs)
        is_gated = isinstance(self.make(), layers.GatedMaskedConv2D)
        if self.takes_levels and self.mask_type == "A":
            x = self.make()(inputs)
        elif self.layer_class in (layers.ScaleLevels, layers.EmbedLevels):
            x = self.make()(inputs)
            x = layers.MaskedConv2D(
                self.channels, 3, mask_type="A", channels=self.channels
            )(x)
        elif is_gated and self.mask_type == "A":
            x = self.make()([x, x])[1]
        elif is_gated:
            first = layers.GatedMaskedConv2D(
                self.in_features, 3, mask_type="A", channels=self.channels
            )
            x = self.make()(first([x, x]))[1]
        else:
            if self.mask_type == "B":
                x = layers.MaskedConv2D(
                    self.in_features, 3, "A", channels=self.channels
                )(x)
            x = self.apply(x)
        return keras.Model(inputs, x)


@dataclasses.dataclass(frozen=True)
class ModelCase:
    """A model with its arguments; `reach` is what it sees of the past.

    Where the head alone puts the channels in order, and reads the image for
    it, `pixel_reach` is what the features before it see, over whole pixels:
    `reach` with one channel. A model that is not `decodable` is drawn by whole
    forward passes. One that is not `trainable` has weights that are computed,
    for one size of images in float32, and no hidden features.
    """

    name: str
    model_class: type
    arguments: dict
    reach: Callable
    pixel_reach: Callable | None = None
    decodable: bool = True
    trainable: bool = True

    def make(self, **overrides):
        return randomize(self.model_class(**{**self.arguments, **overrides}))

    @property
    def channels(self):
        return self.arguments["image_shape"][-1]


def randomize(model, seed=0):
    """Give every weight, biases too, mild random values."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        scale = 1.0 / np.sqrt(max(np.prod(weight.shape[:-1]), 4))
        weight.assign(random.normal(0.0, scale, weight.shape))
    return model
