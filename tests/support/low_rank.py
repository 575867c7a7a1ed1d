"""LoRA with products that are not zero."""

import numpy as np

from keras_pixel.layers import lora


def with_lora(model, rank=2, seed=1):
    """Enable LoRA in all layers that have it, with random factors."""
    for layer in model.layers:
        lora.enable_lora(layer, rank)
    random = np.random.default_rng(seed)
    for weight in factors(model):
        weight.assign(random.normal(0.0, 0.3, weight.shape))
    return model


def factors(model):
    return [x for x in model.weights if x.name.startswith("lora_")]
