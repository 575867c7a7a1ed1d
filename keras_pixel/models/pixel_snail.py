"""PixelSNAIL: gated residual blocks in turn with attention.

- One stack of causal convolutions over whole pixels, whose kernels of 2×2 see
  the pixels above and to the left.
- After every few blocks attention over all pixels before: convolutions see
  near, attention sees far. Keys and values are made of the image too, so a
  pixel must not see itself; queries know the features before it only.
- The row and the column of a pixel are features of queries, keys and values.
- A mixture of logistics, as in PixelCNN++.

Source: Chen et al., 2018, "PixelSNAIL: An Improved Autoregressive Generative
Model", https://arxiv.org/abs/1712.09763; sizes and details from the authors'
code, https://github.com/neocxi/pixelsnail-public (`h12_noup_smallkey`).

Differs from it: each coordinate is one channel, from -1 to 1, and a channel of
ones comes with them (the authors' code has each coordinate three times, once
for each colour); weight normalisation starts from the kernels' initializer,
not from a batch of data, and the head has none; the mixture has a floor (see
`LogisticMixture`); `lag` restricts attention to a wavefront.
"""

import functools

import keras

from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size
from keras_pixel.layers import BackgroundChannels
from keras_pixel.layers import ScaleLevels
from keras_pixel.layers import ShiftedConv2D
from keras_pixel.layers import StrictAttention2D
from keras_pixel.models import head
from keras_pixel.models.blocks import gated_residual_block
from keras_pixel.models.conditioning import Conditioning
from keras_pixel.models.pixel_model import PixelModel


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelSNAIL(PixelModel):
    """PixelSNAIL of Chen et al., 2018.

    The defaults are the authors' model of CIFAR-10. A residual block has `12
    F²` weights, 48 of them 37,748,736 at F = 256 filters. Attention has four
    parts: keys and values with A = F + 6 features `3 A² + 144 A`, queries with
    B = F + 3 features `3 B² + 16 B`, mixing `3 F² + 128 F`; twelve times that
    is 8,141,076. The first convolutions have 5,120 weights and the head
    25,600. With 70,440 biases and 70,340 lengths of weight normalisation this
    makes 46,061,312; the authors' code, whose coordinates are six channels
    (A = F + 9, B = F + 6) and whose head has lengths, has 46,180,788.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        filters: int. Features of the stack. Defaults to `256`.
        num_blocks: int, at least 1. Blocks, each of residual blocks and
            attention. Defaults to `12`.
        num_residual_blocks: int, at least 1. Gated residual blocks of a
            block. Defaults to `4`.
        key_dim: int. Features of keys and queries, for each head. Defaults to
            `16`.
        value_dim: int. Features of values, for each head. Defaults to `128`.
        num_heads: int. Defaults to `1`.
        dropout: float. Rate inside the residual blocks. Defaults to `0.5`.
        weight_norm: bool, see `ShiftedConv2D`. Defaults to `True`.
        distribution: "logistic_mixture" or "categorical". Defaults to
            `"logistic_mixture"`.
        num_mixtures: int, see `LogisticMixture`. Defaults to `10`.
        lag: int or `None`. Attention and kernels see only what a wavefront of
            this lag has drawn before (see `StrictAttention2D`); from 2 on the
            kernels see all they see without. Defaults to `None`: all pixels
            before in raster order.
        num_classes: int. Classes of labels that the model is told, or `None`
            for a model without labels. Defaults to `None`.
        label_dropout: float. How often a label is left out in training, so
            that the model can do without (see `PixelModel.sample`). Defaults
            to `0.0`.
        condition: `keras.Model`, the encoder of any other context, from one
            input to vectors `(batch, features)` or maps `(batch, height,
            width, features)`. Defaults to `None`.
        orders: name of the raster order in which the pixels are predicted, or
            a list of several (`keras_pixel.order.ORDERS`): then the model is
            told the order of each image. Defaults to `None`, "right_down".
        **kwargs: `dtype`, and `keras.Model` arguments, such as `name`.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> model = PixelSNAIL(image_shape=(8, 8, 3), filters=4, num_blocks=1,
    ...                    num_residual_blocks=1, key_dim=2, value_dim=4)
    >>> tuple(model.outputs[0].shape)
    (None, 8, 8, 3, 30)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        filters=256,
        num_blocks=12,
        num_residual_blocks=4,
        key_dim=16,
        value_dim=128,
        num_heads=1,
        dropout=0.5,
        weight_norm=True,
        distribution="logistic_mixture",
        num_mixtures=10,
        lag=None,
        num_classes=None,
        label_dropout=0.0,
        condition=None,
        orders=None,
        **kwargs,
    ):
        image_shape = check_image_shape(image_shape)
        num_levels = check_num_levels(num_levels)
        dropout = check_probability("dropout", dropout)
        filters = check_size("filters", filters)
        num_blocks = check_size("num_blocks", num_blocks)
        num_residual_blocks = check_size(
            "num_residual_blocks", num_residual_blocks
        )
        key_dim = check_size("key_dim", key_dim)
        value_dim = check_size("value_dim", value_dim)
        num_heads = check_size("num_heads", num_heads)

        def convolution(features, kernel_size=1, **arguments):
            return ShiftedConv2D(
                features,
                kernel_size,
                lag=lag,
                weight_norm=weight_norm,
                **arguments,
            )

        def block(x, kernel_size, name, short_cut=None):
            def convolve(features, kernel_size=kernel_size, **arguments):
                return convolution(features, kernel_size, **arguments)

            activation = functools.partial(keras.layers.Activation, "elu")
            return gated_residual_block(
                x, convolve, name, short_cut, activation, dropout, conditioned
            )

        def attend(x, image, name):
            keys_values = keras.layers.Concatenate(name=f"{name}_joined")(
                [image, x]
            )
            keys_values = block(keys_values, 1, f"{name}_keys_values_block")
            keys_values = convolution(
                num_heads * (key_dim + value_dim), name=f"{name}_keys_values"
            )(keys_values)
            queries = BackgroundChannels(True, name=f"{name}_background")(x)
            queries = block(queries, 1, f"{name}_queries_block")
            queries = convolution(num_heads * key_dim, name=f"{name}_queries")(
                queries
            )
            attended = StrictAttention2D(key_dim, num_heads, lag, name=name)(
                [queries, keys_values]
            )  # (batch, height, width, num_heads * value_dim)
            return block(x, 1, f"{name}_mixing", attended)

        # === Functional Model ===
        conditioned = Conditioning(
            image_shape, num_classes, label_dropout, condition, orders
        )
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        images = conditioned.into_order(inputs)
        scaled = ScaleLevels(num_levels, name="scale_levels")(images)
        x = BackgroundChannels(name="background")(scaled)
        above = convolution(
            filters, (1, 3), stack="vertical", shift=(1, 0), name="first_above"
        )(x)
        left = convolution(filters, (2, 1), shift=(0, 1), name="first_left")(x)
        x = keras.layers.Add(name="first")([above, left])
        image = BackgroundChannels(True, name="coordinates")(scaled)
        for i in range(num_blocks):
            for j in range(num_residual_blocks):
                x = block(x, 2, f"block_{i + 1}_{j + 1}")
            x = attend(x, image, f"block_{i + 1}_attention")
            # (batch, height, width, filters)
        x = keras.layers.Activation("elu", name="head_activation")(x)
        outputs, pixel_distribution = head.parameters(
            x, images, num_levels, distribution, num_mixtures, whole_pixel=True
        )
        super().__init__(
            [inputs, *conditioned.inputs],
            conditioned.from_order(outputs),
            pixel_distribution,
            num_classes=num_classes,
            label_dropout=label_dropout,
            **kwargs,
        )
