"""Gated PixelCNN: two stacks, gates, no blind spot.

- A vertical stack sees the rows above, a horizontal stack the pixels to the
  left; a 1×1 convolution leads from the first to the second at each layer.
- Units are `tanh(a) * sigmoid(b)` in place of ReLU; the horizontal stack has
  residual connections.

Source: van den Oord et al., 2016, "Conditional Image Generation with PixelCNN
Decoders", https://arxiv.org/abs/1606.05328, section 2.

Differs from it: the softmax head may have a low-rank basis over the levels
and the input may carry Fourier features of the level (both learn faster; see
`CategoricalHead` and `ScaleLevels`); dropout is offered; no label yet.
"""

import keras

from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size
from keras_pixel.layers import GatedMaskedConv2D
from keras_pixel.layers import ScaleLevels
from keras_pixel.models import head
from keras_pixel.models.arguments import check_features
from keras_pixel.models.conditioning import Conditioning
from keras_pixel.models.pixel_model import PixelModel


@keras.saving.register_keras_serializable(package="keras_pixel")
class GatedPixelCNN(PixelModel):
    """Gated PixelCNN of van den Oord et al., 2016.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        filters: int. Features of each stack (`p` of the paper). Divisible by
            the channels. Defaults to `126` (the paper has 128 for ImageNet,
            which does not split into three channels).
        num_layers: int. Gated layers after the first. Defaults to `15`.
        kernel_size: odd int, kernel of these layers. Defaults to `3`.
        first_kernel_size: odd int, kernel of the first layer. Defaults to `7`.
        head_filters: int. Features of the 1×1 convolution before the logits;
            0 leaves it out. Defaults to `1023`. Divisible by the channels.
        head_rank: int or `None`, see `CategoricalHead`.
        num_frequencies: int, see `ScaleLevels`. Defaults to `0`.
        dropout: float. Rate on the horizontal stack before the head and
            between layers. Defaults to `0.0`.
        distribution: "categorical" or "logistic_mixture" (`LogisticMixture`).
            Defaults to `"categorical"`.
        num_mixtures: int, see `LogisticMixture`. Defaults to `10`.
        whole_pixel: bool. Whether the network works over whole pixels: its
            features have no groups by channel, the first layer hides the
            whole pixel, and the head alone puts the channels in order.
            Defaults to `False`, as in the paper.
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

    >>> model = GatedPixelCNN(image_shape=(4, 4, 1), num_levels=4, filters=8,
    ...                       num_layers=1, head_filters=8)
    >>> model.sample(2, seed=0).shape
    (2, 4, 4, 1)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        filters=126,
        num_layers=15,
        kernel_size=3,
        first_kernel_size=7,
        head_filters=1023,
        head_rank=None,
        num_frequencies=0,
        dropout=0.0,
        distribution="categorical",
        num_mixtures=10,
        whole_pixel=False,
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
        num_layers = check_size("num_layers", num_layers, 0)

        # === Functional Model ===
        conditioned = Conditioning(
            image_shape, num_classes, label_dropout, condition, orders
        )
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        images = conditioned.into_order(inputs)
        x = ScaleLevels(num_levels, num_frequencies, name="scale_levels")(
            images
        )
        vertical, horizontal = GatedMaskedConv2D(
            filters,
            first_kernel_size,
            mask_type="A",
            channels=channels,
            name="first",
        )([x, x, *conditioned.gates(4 * filters, "first")])
        for i in range(num_layers):
            if dropout:
                horizontal = keras.layers.Dropout(
                    dropout, name=f"dropout_{i + 1}"
                )(horizontal)
            gates = conditioned.gates(4 * filters, f"gated_{i + 1}")
            vertical, horizontal = GatedMaskedConv2D(
                filters, kernel_size, channels=channels, name=f"gated_{i + 1}"
            )([vertical, horizontal, *gates])
            # twice (batch, height, width, filters)
        x = head.head_convolution(horizontal, head_filters, channels)
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
