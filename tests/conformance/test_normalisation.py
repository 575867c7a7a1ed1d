"""Do the probabilities of ALL tiny images sum to 1?

Fails for any leak, any wrong likelihood and any wrong order.
"""

import inspect
import itertools

import keras
import numpy as np
import pytest

from keras_pixel import layers
from keras_pixel import models
from tests.support import catalogue
from tests.support.smallest import SMALLEST

# What makes a model of one class that is drawn along a wavefront.
WAVEFRONT = {
    models.ImageTransformer: {"first_kernel_size": 3},
    models.PixelCNNPlusPlus: {"distribution": "categorical"},
    models.PixelSNAIL: {"distribution": "categorical", "num_heads": 2},
}
IMAGES = {
    "2x2_grey": ((2, 2, 1), 2),
    "2x1_rgb": ((2, 1, 3), 2),
    "1x3_two_channels_3_levels": ((1, 3, 2), 3),
    "1x4_sequence_4_levels": ((1, 4, 1), 4),
}


# Arguments that change what the probabilities are made of.
VARIANTS = {
    f"{model_class.__name__}_{name}": (model_class, arguments)
    for model_class in SMALLEST
    for name, arguments in {
        "mixture": {"distribution": "logistic_mixture", "num_mixtures": 2},
        "categorical": {"distribution": "categorical"},
        "whole_pixel": {"whole_pixel": True},
        "whole_pixel_mixture": {
            "whole_pixel": True,
            "distribution": "logistic_mixture",
            "num_mixtures": 2,
        },
        "lag": {"lag": 1},
    }.items()
    if set(arguments) <= set(inspect.signature(model_class).parameters)
    # Asked below, with the arguments that a lag needs.
    and not (name == "lag" and model_class in WAVEFRONT)
}


def all_images(image_shape, num_levels):
    """Every image there is."""
    size = int(np.prod(image_shape))
    values = list(itertools.product(range(num_levels), repeat=size))
    return np.array(values, "uint8").reshape(-1, *image_shape)


def total_probability(model):
    images = all_images(model.image_shape, model.num_levels)
    log_prob = model.log_prob(images, batch_size=len(images))
    return np.exp(log_prob.astype("float64")).sum()


def test_all_images_are_counted():
    assert len(np.unique(all_images((2, 1, 3), 2), axis=0)) == 64


@pytest.mark.parametrize("image_shape, num_levels", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("model_class", SMALLEST)
def test_probabilities_of_all_images_sum_to_one(
    model_class, image_shape, num_levels
):
    model = model_class(image_shape, num_levels, **SMALLEST[model_class])
    catalogue.randomize(model)
    assert total_probability(model) == pytest.approx(1.0, abs=1e-5)


# Three channels and four levels: all the parts of a mixture's head.
@pytest.mark.parametrize("image_shape", [(1, 2, 2), (1, 1, 3)])
@pytest.mark.parametrize(
    "model_class, arguments", VARIANTS.values(), ids=VARIANTS
)
def test_probabilities_sum_to_one_in_every_variant(
    model_class, arguments, image_shape
):
    model = model_class(
        image_shape, 4, **{**SMALLEST[model_class], **arguments}
    )
    catalogue.randomize(model)
    assert total_probability(model) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("lag", [1, 2])
@pytest.mark.parametrize("image_shape", [(3, 3, 1), (2, 2, 2)], ids=str)
@pytest.mark.parametrize("model_class", WAVEFRONT)
def test_probabilities_on_a_wavefront_sum_to_one(model_class, image_shape, lag):
    arguments = {**SMALLEST[model_class], **WAVEFRONT[model_class]}
    model = model_class(image_shape, 2, lag=lag, **arguments)
    catalogue.randomize(model)
    assert total_probability(model) == pytest.approx(1.0, abs=1e-5)


def test_every_model_class_is_asked():
    assert set(SMALLEST) == {case.model_class for case in catalogue.MODELS}


def test_mask_b_in_the_first_layer_is_found():
    images = keras.Input((2, 2, 1), dtype="int32")
    x = layers.ScaleLevels(2)(images)
    x = layers.MaskedConv2D(4, 3, mask_type="B")(x)
    logits = layers.CategoricalHead(2)(x)
    leaking = catalogue.randomize(
        models.PixelModel(images, logits, num_levels=2)
    )
    assert abs(total_probability(leaking) - 1.0) > 1e-3
