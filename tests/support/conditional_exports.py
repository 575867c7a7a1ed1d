"""The smallest models that are told labels or another condition, to export."""

import keras
import numpy as np

from keras_pixel.models import GatedPixelCNN
from keras_pixel.models import ImageTransformer
from keras_pixel.models import WavefrontPixelCNN
from tests.support.cases import randomize

NUM_CLASSES = 3


def labels():
    """Labels, which may be left out, in a model with row work."""
    model = GatedPixelCNN(
        (3, 4, 1),
        num_levels=4,
        filters=4,
        num_layers=1,
        first_kernel_size=3,
        head_filters=0,
        num_classes=NUM_CLASSES,
        label_dropout=0.5,
        name="labels",
    )
    model.class_names = ["cat", "dog", "owl"]
    return randomize(model)


def vector():
    """A context that is one integer, and an encoder to a vector."""
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


def row_map():
    """Labels and a map, which differs from row to row, and row work."""
    return randomize(
        GatedPixelCNN(
            (3, 4, 1),
            num_levels=4,
            filters=4,
            num_layers=1,
            first_kernel_size=3,
            head_filters=0,
            num_classes=NUM_CLASSES,
            condition=_map_encoder(3, 4),
            name="row_map",
        )
    )


def strided_map():
    """A map at two resolutions, drawn along a wavefront."""
    return randomize(
        WavefrontPixelCNN(
            (4, 4, 1),
            num_levels=4,
            filters=4,
            num_resolutions=2,
            num_mixtures=2,
            first_kernel_size=3,
            condition=_map_encoder(4, 4),
            name="strided_map",
        )
    )


MODELS = [labels, vector, row_map, strided_map]


def _map_encoder(height, width):
    context = keras.Input((height, width, 2))
    return keras.Model(context, keras.layers.Conv2D(3, 1)(context))


def conditions(model, count, seed=0):
    """Labels and contexts for a model, by name; classes only, no "no label"."""
    random = np.random.default_rng(seed)
    found = {}
    for x in model.inputs[1:]:
        shape = (count, *x.shape[1:])
        if x.name == "labels":
            found[x.name] = random.integers(NUM_CLASSES, size=shape)
        elif x.dtype == "int32":
            found[x.name] = random.integers(2, size=shape)
        else:
            found[x.name] = random.normal(size=shape)
        found[x.name] = found[x.name].astype(x.dtype)
    return found
