"""PixelCNN: a stack of masked convolutions.

- 7×7 convolution with mask A, then residual bottleneck blocks of 1×1, 3×3,
  1×1 convolutions with mask B, then 1×1 convolutions and a softmax.
- Every layer keeps the colour order R, G, B inside a pixel.
- The 3×3 kernels leave a blind spot: pixels above and to the right that no
  path reaches. `GatedPixelCNN` has none.

Source: van den Oord, Kalchbrenner, Kavukcuoglu, 2016, "Pixel Recurrent Neural
Networks", https://arxiv.org/abs/1601.06759, sections 3.3 to 3.5, table 1.

Differs from it: the softmax head may have a low-rank basis over the levels
and the input may carry Fourier features of the level (both learn faster; see
`CategoricalHead` and `ScaleLevels`); the last convolution of a block starts
small, because there is no normalisation; dropout is offered.
"""

import keras

from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size
from keras_pixel.layers import MaskedConv2D
from keras_pixel.layers import ScaleLevels
from keras_pixel.models import head
from keras_pixel.models.arguments import check_features
from keras_pixel.models.conditioning import Conditioning
from keras_pixel.models.pixel_model import PixelModel


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelCNN(PixelModel):
    """PixelCNN of van den Oord et al., 2016.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        filters: int. Features inside a block (`h` of the paper); between
            blocks there are twice as many. Divisible by the channels.
            Defaults to `126` (the paper has 128, which does not split into
            three channels).
        num_blocks: int. Residual blocks. Defaults to `15` (paper, CIFAR-10).
        kernel_size: odd int, kernel inside a block. Defaults to `3`.
        first_kernel_size: odd int, kernel of the first layer. Defaults to `7`.
        head_filters: int. Features of the 1×1 convolution before the logits;
            0 leaves it out. Defaults to `1023` (the paper has 1024 for
            CIFAR-10, 32 for MNIST). Divisible by the channels.
        head_rank: int or `None`, see `CategoricalHead`.
        num_frequencies: int, see `ScaleLevels`. Defaults to `0`.
        dropout: float. Rate after each block's 3×3 convolution. Defaults to
            `0.0`.
        activation: name or function. Defaults to `"relu"`.
        distribution: "categorical" or "logistic_mixture" (`LogisticMixture`).
            Defaults to `"categorical"`.
        num_mixtures: int, see `LogisticMixture`. Defaults to `10`.
        whole_pixel: bool. Whether the network works over whole pixels: its
            features have no groups by channel, the first layer hides the
            whole pixel, and the head alone puts the channels in order.
            Defaults to `False`, as in the paper.
        lag: int or `None`, see `MaskedConv2D`. Defaults to `None`.
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
        ValueError: if an argument is out of range or not divisible by the
            channels.

    Example:

    >>> model = PixelCNN(image_shape=(4, 4, 1), num_levels=4, filters=8,
    ...                  num_blocks=1, head_filters=8)
    >>> model.sample(2, seed=0).shape
    (2, 4, 4, 1)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        filters=126,
        num_blocks=15,
        kernel_size=3,
        first_kernel_size=7,
        head_filters=1023,
        head_rank=None,
        num_frequencies=0,
        dropout=0.0,
        activation="relu",
        distribution="categorical",
        num_mixtures=10,
        whole_pixel=False,
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
        channels = 1 if whole_pixel else image_shape[-1]
        filters, head_filters = check_features(filters, head_filters, channels)
        num_blocks = check_size("num_blocks", num_blocks, 0)

        def convolution(features, size, name, mask_type="B", scale=1.0):
            return MaskedConv2D(
                features,
                size,
                mask_type=mask_type,
                channels=channels,
                lag=lag,
                kernel_initializer=keras.initializers.VarianceScaling(
                    scale, "fan_avg", "uniform"
                ),
                name=name,
            )

        def activate(x, name):
            return keras.layers.Activation(activation, name=name)(x)

        # === Functional Model ===
        conditioned = Conditioning(
            image_shape, num_classes, label_dropout, condition, orders
        )
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        images = conditioned.into_order(inputs)
        x = ScaleLevels(num_levels, num_frequencies, name="scale_levels")(
            images
        )
        x = convolution(2 * filters, first_kernel_size, "first", "A")(x)
        x = conditioned(x, "first")
        # No residual around the first layer: it would show a value to itself.
        for i in range(num_blocks):
            block = f"block_{i + 1}"
            residual = x
            x = activate(x, f"{block}_activation_1")
            x = convolution(filters, 1, f"{block}_reduce")(x)
            x = conditioned(x, block)
            x = activate(x, f"{block}_activation_2")
            x = convolution(filters, kernel_size, f"{block}_convolution")(x)
            x = activate(x, f"{block}_activation_3")
            if dropout:
                x = keras.layers.Dropout(dropout, name=f"{block}_dropout")(x)
            x = convolution(
                2 * filters, 1, f"{block}_expand", scale=1.0 / num_blocks
            )(x)
            x = keras.layers.Add(name=f"{block}_add")([residual, x])
            # (batch, height, width, 2 * filters)
        x = head.head_convolution(x, head_filters, channels, activation)
        outputs, pixel_distribution = head.parameters(
            x,
            images,
            num_levels,
            distribution,
            num_mixtures,
            head_rank,
            whole_pixel,
        )
        super().__init__(
            [inputs, *conditioned.inputs],
            conditioned.from_order(outputs),
            pixel_distribution,
            num_classes=num_classes,
            label_dropout=label_dropout,
            **kwargs,
        )
