"""The last layers, which the models share."""

import keras

from keras_pixel.distributions import Categorical
from keras_pixel.distributions import LogisticMixture
from keras_pixel.layers import CategoricalHead
from keras_pixel.layers import LogisticMixtureHead
from keras_pixel.layers import MaskedConv2D

DISTRIBUTIONS = ("categorical", "logistic_mixture")


def check_distribution(distribution, head_rank=None):
    """Refuse a name that is none of the distributions.

    Raises:
        ValueError: if there is no such distribution, or `head_rank` is given
            for one that has no basis over the levels.
    """
    if distribution not in DISTRIBUTIONS:
        raise ValueError(
            f"`distribution` must be one of {list(DISTRIBUTIONS)}. "
            f"Received: distribution={distribution!r}"
        )
    if head_rank is not None and distribution != "categorical":
        raise ValueError(
            '`head_rank` is for distribution="categorical": a mixture has no '
            "basis over the levels. "
            f"Received: head_rank={head_rank}, distribution={distribution!r}"
        )


def parameters(
    x,
    images,
    num_levels,
    distribution="categorical",
    num_mixtures=10,
    head_rank=None,
    whole_pixel=False,
):
    """Parameters of every sub-pixel's distribution, and the distribution.

    Args:
        x: symbolic tensor of the last features.
        images: symbolic tensor of the image's levels.
        num_levels: int.
        distribution: "categorical" or "logistic_mixture".
        num_mixtures: int, see `LogisticMixture`.
        head_rank: int or `None`, see `CategoricalHead`.
        whole_pixel: bool. Whether the features have no groups.

    Returns:
        Symbolic tensor `(batch, height, width, channels, parameters)`, and a
        `PixelDistribution`.
    """
    check_distribution(distribution, head_rank)
    channels = images.shape[-1]
    if distribution == "categorical":
        head = CategoricalHead(
            num_levels,
            channels=channels,
            rank=head_rank,
            whole_pixel=whole_pixel,
            name="head",
        )
        outputs = head([x, images] if whole_pixel else x)
        return outputs, Categorical(num_levels)
    head = LogisticMixtureHead(
        num_levels,
        channels=channels,
        num_mixtures=num_mixtures,
        whole_pixel=whole_pixel,
        name="head",
    )
    return head([x, images]), LogisticMixture(num_levels, num_mixtures)


def head_convolution(x, head_filters, channels, activation="relu"):
    """Activation, 1×1 convolution and activation, before the head.

    Args:
        x: symbolic tensor of features.
        head_filters: int. Features of the convolution; 0 leaves it out.
        channels: int. Channel groups of the features.
        activation: name or function. Defaults to `"relu"`.
    """
    x = keras.layers.Activation(activation, name="head_activation_1")(x)
    if not head_filters:
        return x
    x = MaskedConv2D(
        head_filters, 1, channels=channels, name="head_convolution"
    )(x)
    return keras.layers.Activation(activation, name="head_activation_2")(x)
