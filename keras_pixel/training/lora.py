"""Which layers of a model are trained by LoRA, and which whole."""

from collections.abc import Container

import keras

from keras_pixel.layers import lora
from keras_pixel.layers.lora import lora_cost


def enable_lora(
    model: keras.Model,
    rank: int,
    lora_alpha: float | None = None,
    skip: Container[str] = (),
) -> list[str]:
    """Enable LoRA in the layers of a model in which there is less to train.

    Kernels stay as they are, and products of low rank are trained with them:
    of the package's layers, and of those of Keras that have `enable_lora`. A
    layer is left as it is, and trained whole, where the products would hold as
    many weights as its kernels. So are all layers without kernels, such as
    tables of vectors, and biases: they are small. Frozen layers stay frozen.

    A model is compiled after it. When it is saved and loaded again, the
    products are in the kernels and LoRA is off.

    Args:
        model: `PixelModel`, built.
        rank: int. The rank of the products.
        lora_alpha: number; a product counts `lora_alpha / rank` times.
            Defaults to `None`: as `rank`.
        skip: names of layers to be trained whole. Defaults to none.

    Returns:
        List of the names of the layers in which LoRA is now enabled.

    Raises:
        ValueError: if `rank` or `lora_alpha` is not positive, or there is no
            layer for LoRA.

    Example:

    >>> from keras_pixel import PixelCNN
    >>> model = PixelCNN((4, 4, 1), num_levels=2, filters=8, num_blocks=1)
    >>> "block_1_convolution" in enable_lora(model, rank=1)
    True
    """
    found = []
    for layer in model.layers:
        if layer.name in skip or not layer.trainable:
            continue
        kernels, products = lora_cost(layer, rank)
        if products < kernels:
            lora.enable_lora(layer, rank, lora_alpha)
            found.append(layer.name)
    if not found:
        raise ValueError(
            "LoRA needs layers that are not frozen or made anew, and whose "
            "kernels hold more weights than products of its rank. Received: "
            f"rank={rank} for a {type(model).__name__} without such a layer. "
            "Use a lower rank, or no LoRA."
        )
    return found
