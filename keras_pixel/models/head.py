"""The last layers, which the convolutional and recurrent models share."""

import keras

from keras_pixel.layers import CategoricalHead
from keras_pixel.layers import MaskedConv2D


def logits(x, num_levels, channels, head_filters, head_rank, activation="relu"):
    """Activation, 1×1 convolution, activation and logits.

    Args:
        x: symbolic tensor of features.
        num_levels: int.
        channels: int. Channels of a pixel.
        head_filters: int. Features of the convolution; 0 leaves it out.
        head_rank: int or `None`, see `CategoricalHead`.
        activation: name or function. Defaults to `"relu"`.

    Returns:
        Symbolic tensor `(batch, height, width, channels, num_levels)`.
    """
    x = keras.layers.Activation(activation, name="head_activation_1")(x)
    if head_filters:
        x = MaskedConv2D(
            head_filters, 1, channels=channels, name="head_convolution"
        )(x)
        x = keras.layers.Activation(activation, name="head_activation_2")(x)
    return CategoricalHead(
        num_levels, channels=channels, rank=head_rank, name="head"
    )(x)
