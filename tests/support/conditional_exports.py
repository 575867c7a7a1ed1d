"""The smallest models that are told labels or another condition, to export."""

import keras
import numpy as np

from keras_pixel.models import GatedPixelCNN
from keras_pixel.models import ImageTransformer
from keras_pixel.models import PixelCNN
from keras_pixel.models import WavefrontPixelCNN
from tests.support.cases import randomize


def rows():
    """Labels, which may be left out, and a map, in a model with row work."""
    model = GatedPixelCNN(
        (3, 4, 1),
        num_levels=4,
        filters=4,
        num_layers=1,
        first_kernel_size=3,
        head_filters=0,
        num_classes=3,
        label_dropout=0.5,
        condition=_map_encoder(3, 4),
        name="rows",
    )
    model.class_names = ["cat", "dog", "owl"]
    return randomize(model)


def strides():
    """A map at two resolutions, along a wavefront."""
    return randomize(
        WavefrontPixelCNN(
            (4, 4, 1),
            num_levels=4,
            filters=4,
            num_resolutions=2,
            num_mixtures=2,
            first_kernel_size=3,
            condition=_map_encoder(4, 4),
            name="strides",
        )
    )


def vector():
    """A context of one integer, which an encoder turns into a vector."""
    context = keras.Input((), dtype="int32")
    features = keras.layers.Embedding(2, 3)(context)
    return randomize(
        ImageTransformer(
            (3, 4, 1),
            num_levels=4,
            attention="full",
            num_layers=1,
            hidden_dim=4,
            num_heads=1,
            intermediate_dim=4,
            condition=keras.Model(context, features),
            name="vector",
        )
    )


def orders():
    """Two orders, one of them by columns, along a wavefront."""
    return randomize(
        PixelCNN(
            (3, 3, 2),
            num_levels=4,
            filters=4,
            num_blocks=1,
            first_kernel_size=3,
            head_filters=0,
            orders=("left_up", "down_right"),
            name="orders",
        )
    )


def conditions(model, count, seed=0):
    """Labels and contexts for a model, by name."""
    random = np.random.default_rng(seed)
    told = model.conditions.random_inputs(random, count)
    return dict(zip(model.conditions.names, told, strict=True))


def _map_encoder(height, width):
    context = keras.Input((height, width, 2))
    return keras.Model(context, keras.layers.Conv2D(3, 1)(context))
