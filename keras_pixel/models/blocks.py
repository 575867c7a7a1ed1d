"""The gated residual block, which models over whole pixels share."""

import keras

from keras_pixel.layers import ConcatELU
from keras_pixel.layers import GatedResidual


def gated_residual_block(
    x,
    convolve,
    name,
    short_cut=None,
    activation=ConcatELU,
    dropout=0.0,
    condition=None,
):
    """Two convolutions and a gate: `x + a * sigmoid(b)`.

    Args:
        x: symbolic tensor of features.
        convolve: function of the number of filters, and keyword arguments of
            the layer such as `name`, to a convolution.
        name: name of the block, which the names of its layers start with.
        short_cut: symbolic tensor of features of another layer, which are
            added after the first convolution by a 1×1 convolution. Defaults to
            `None`.
        activation: function of keyword arguments such as `name` to a layer.
            Defaults to `ConcatELU`.
        dropout: float. Rate after the second activation. Defaults to `0.0`.
        condition: function of features and a name to features that know of a
            condition, see `Conditioning`. Defaults to `None`.

    Returns:
        Symbolic tensor of the shape of `x`.
    """
    features = x.shape[-1]
    y = activation(name=f"{name}_activation_1")(x)
    y = convolve(features, name=f"{name}_convolution_1")(y)
    if short_cut is not None:
        other = activation(name=f"{name}_activation_short_cut")(short_cut)
        other = convolve(features, kernel_size=1, name=f"{name}_short_cut")(
            other
        )
        y = keras.layers.Add(name=f"{name}_add")([y, other])
    if condition is not None:
        y = condition(y, name)
    y = activation(name=f"{name}_activation_2")(y)
    if dropout:
        y = keras.layers.Dropout(dropout, name=f"{name}_dropout")(y)
    # Small: at first a block changes little.
    y = convolve(
        2 * features,
        kernel_initializer=keras.initializers.VarianceScaling(
            0.05, "fan_avg", "uniform"
        ),
        name=f"{name}_convolution_2",
    )(y)
    return GatedResidual(name=f"{name}_gate")([x, y])
