"""Models whose weights are computed, and their layers."""

import numpy as np

from keras_pixel import layers
from keras_pixel import models
from tests.support import reach
from tests.support.cases import LayerCase
from tests.support.cases import ModelCase


def nothing(image_shape):
    return np.zeros(image_shape * 2, bool)


def _layer(name, layer_class, seen, channels):
    return LayerCase(
        name,
        layer_class,
        {"num_levels": 4, "channels": channels},
        in_features=channels,
        reach=seen,
        channels=channels,
        mask_type="A",
        takes_levels=True,
    )


LAYERS = [
    _layer("pixel_logits_grey", layers.PixelLogits, nothing, 1),
    _layer("pixel_logits_rgb", layers.PixelLogits, nothing, 3),
    _layer(
        "linear_normal_head_grey", layers.LinearNormalHead, reach.whole_past, 1
    ),
    _layer(
        "linear_normal_head_rgb", layers.LinearNormalHead, reach.whole_past, 3
    ),
]


def _model(name, model_class, seen, image_shape, **arguments):
    return ModelCase(
        name,
        model_class,
        {"image_shape": image_shape, "num_levels": 4, **arguments},
        reach=seen,
        trainable=False,
    )


MODELS = [
    _model(
        "independent_pixels_rgb",
        models.IndependentPixels,
        nothing,
        (3, 2, 3),
        smoothing=0.5,
    ),
    _model(
        "gaussian_pixels_grey",
        models.GaussianPixels,
        reach.whole_past,
        (3, 5, 1),
        ridge=0.1,
    ),
    _model(
        "gaussian_pixels_rgb",
        models.GaussianPixels,
        reach.whole_past,
        (2, 3, 3),
        floor=0.01,
    ),
]
