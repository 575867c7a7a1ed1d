"""Models so small that all their images can be listed."""

import itertools

import numpy as np

from keras_pixel.models import GatedPixelCNN
from keras_pixel.models import PixelCNN

SHAPES = {"pixelcnn": (2, 3, 1), "gated": (2, 2, 3)}


def tiny_model(kind, scale=0.4, seed=0):
    """Model of 2 levels with random weights; `scale=0` makes it uniform."""
    if kind == "pixelcnn":
        model = PixelCNN(
            SHAPES[kind],
            num_levels=2,
            filters=4,
            num_blocks=1,
            first_kernel_size=3,
            head_filters=0,
        )
    else:
        model = GatedPixelCNN(
            SHAPES[kind],
            num_levels=2,
            filters=6,
            num_layers=1,
            first_kernel_size=3,
            head_filters=0,
        )
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(scale * random.normal(size=weight.shape))
    return model


def all_completions(image, mask):
    """Every image of 2 levels that agrees with `image` where it is known.

    In lexicographic order of the unknown sub-pixels.
    """
    free = np.broadcast_to(~mask[..., None], image.shape)
    number = int(free.sum())
    found = np.repeat(image[None], 2**number, axis=0)
    found[:, free] = list(itertools.product((0, 1), repeat=number))
    return found
