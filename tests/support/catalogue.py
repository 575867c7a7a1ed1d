"""Every layer, distribution and model of the package at its smallest.

`tests/conformance/` asks its questions of all of them. A new public class is
added here (a test says so if it is not).
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from keras_pixel import distributions
from keras_pixel import layers
from keras_pixel import models
from tests.support import reach


@dataclasses.dataclass(frozen=True)
class LayerCase:
    """A layer with its arguments.

    `reach` is that of the layer alone, `mask_type` "A" if it may come first.
    """

    name: str
    layer_class: type
    arguments: dict
    in_features: int
    reach: Callable
    channels: int = 1
    mask_type: str = "B"

    def make(self):
        return self.layer_class(**self.arguments)

    def on_features(self, height, width):
        """The layer alone: features in, features out."""
        inputs = keras.Input((height, width, self.in_features))
        if not isinstance(self.make(), layers.GatedMaskedConv2D):
            return keras.Model(inputs, self.make()(inputs))
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
        if self.layer_class is layers.ScaleLevels:
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
            x = self.make()(x)
        return keras.Model(inputs, x)


@dataclasses.dataclass(frozen=True)
class ModelCase:
    """A model with its arguments; `reach` is what it sees of the past."""

    name: str
    model_class: type
    arguments: dict
    reach: Callable

    def make(self, **overrides):
        return randomize(self.model_class(**{**self.arguments, **overrides}))

    @property
    def channels(self):
        return self.arguments["image_shape"][-1]


def _convolution(
    layer_class, window, name, kernel_size, mask_type, channels=1, **arguments
):
    return LayerCase(
        name,
        layer_class,
        {
            **{"filters": 2 * channels, "kernel_size": kernel_size},
            **{"mask_type": mask_type, "channels": channels, **arguments},
        },
        in_features=channels * (1 if mask_type == "A" else 2),
        reach=window(np.broadcast_to(kernel_size, 2), mask_type),
        channels=channels,
        mask_type=mask_type,
    )


def _masked(name, *args, **arguments):
    name = f"masked_conv2d_{name}"
    return _convolution(
        layers.MaskedConv2D, reach.window, name, *args, **arguments
    )


def _gated(name, *args, **arguments):
    name = f"gated_masked_conv2d_{name}"
    return _convolution(
        layers.GatedMaskedConv2D, reach.gated_window, name, *args, **arguments
    )


def _head(name, channels=1, **arguments):
    return LayerCase(
        f"categorical_head_{name}",
        layers.CategoricalHead,
        {"num_levels": 4, "channels": channels, **arguments},
        in_features=2 * channels,
        reach=reach.window((1, 1), "B"),
        channels=channels,
    )


def _scale(name, channels=1, **arguments):
    return LayerCase(
        f"scale_levels_{name}",
        layers.ScaleLevels,
        {"num_levels": 4, **arguments},
        in_features=channels,
        reach=reach.same_channel,
        channels=channels,
    )


LAYERS = [
    _masked("a_grey", 3, "A"),
    _masked("a_rgb", 3, "A", channels=3),
    _masked("a_wide", (1, 5), "A", channels=2),
    _masked("a_tall", (5, 1), "A"),
    _masked("b_grey", (5, 3), "B"),
    _masked("b_rgb", 3, "B", channels=3),
    _masked("b_1x1_no_bias", 1, "B", channels=2, use_bias=False),
    _gated("a_grey", 3, "A"),
    _gated("a_rgb", (3, 5), "A", channels=3),
    _gated("b_grey", (5, 3), "B"),
    _gated("b_rgb", 3, "B", channels=3),
    _gated("b_1x1", 1, "B", channels=2),
    _head("grey"),
    _head("rgb", channels=3),
    _head("low_rank", channels=2, rank=2),
    _scale("rgb", channels=3),
    _scale("waves", channels=2, num_frequencies=2),
]

DISTRIBUTIONS = {distributions.Categorical: {"num_levels": 4}}


MODELS = [
    ModelCase(
        "pixel_cnn_grey",
        models.PixelCNN,
        {
            **{"image_shape": (4, 5, 1), "num_levels": 4},
            "filters": 8,
            "num_blocks": 1,
            "first_kernel_size": 3,
            "head_filters": 8,
        },
        # Two kernels of 3 in a row: two rows up, and a blind spot.
        reach=reach.pixel_cnn(3, 3),
    ),
    ModelCase(
        "pixel_cnn_rgb",
        models.PixelCNN,
        {
            "image_shape": (3, 4, 3),
            "num_levels": 2,
            "filters": 12,
            "num_blocks": 2,
            "first_kernel_size": 3,
            "head_filters": 0,
            "head_rank": 2,
            "num_frequencies": 1,
            "dropout": 0.5,
            "activation": "gelu",
        },
        reach=reach.pixel_cnn(3, 3, 3),
    ),
    ModelCase(
        "gated_pixel_cnn_grey",
        models.GatedPixelCNN,
        {
            **{"image_shape": (4, 5, 1), "num_levels": 4},
            "filters": 4,
            "num_layers": 2,
            "first_kernel_size": 5,
            "head_filters": 12,
        },
        reach=reach.whole_past,
    ),
    ModelCase(
        "gated_pixel_cnn_two_channels",
        models.GatedPixelCNN,
        {
            "image_shape": (3, 4, 2),
            "num_levels": 3,
            "filters": 12,
            "num_layers": 2,
            "first_kernel_size": 3,
            "head_filters": 0,
            "head_rank": 2,
            "num_frequencies": 1,
            "dropout": 0.5,
        },
        reach=reach.whole_past,
    ),
]


def randomize(model, seed=0):
    """Give every weight, biases too, mild random values."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        scale = 1.0 / np.sqrt(max(np.prod(weight.shape[:-1]), 4))
        weight.assign(random.normal(0.0, scale, weight.shape))
    return model


def levels(model, count=2, seed=0):
    """Random images for a model."""
    random = np.random.default_rng(seed)
    shape = (count, *model.image_shape)
    return random.integers(model.num_levels, size=shape).astype("uint8")


def named(cases):
    """Keyword arguments of `pytest.mark.parametrize` for a list of cases."""
    return {"argvalues": cases, "ids": [case.name for case in cases]}
