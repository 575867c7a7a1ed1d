"""PixelRNN: convolutional LSTMs over the rows or the diagonals of an image.

- 7×7 convolution with mask A, then LSTM layers with residual connections, then
  1×1 convolutions and a softmax.
- `"row_lstm"` goes from row to row and sees a triangle above each pixel;
  `"diagonal_bilstm"` goes along diagonals from both upper corners and sees the
  whole past.
- LSTMs have `filters` features; a 1×1 convolution brings them back to the
  `2 * filters` of the residual connections.
- Every layer keeps the colour order R, G, B inside a pixel.

Source: van den Oord, Kalchbrenner, Kavukcuoglu, 2016, "Pixel Recurrent Neural
Networks", https://arxiv.org/abs/1601.06759, sections 3.1 to 3.5, table 1.

Differs from it: the softmax head may have a low-rank basis over the levels
and the input may carry Fourier features of the level (both learn faster; see
`CategoricalHead` and `ScaleLevels`); the 1×1 convolution of a layer starts
small, because there is no normalisation; the forget gates start open; the
first Diagonal BiLSTM is shown the image for its finished rows, without which
the last pixel of the row above is hidden from most of a row; dropout is
offered.
"""

import keras

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size
from keras_pixel.layers import DiagonalBiLSTM
from keras_pixel.layers import MaskedConv2D
from keras_pixel.layers import RowLSTM
from keras_pixel.layers import ScaleLevels
from keras_pixel.models import head
from keras_pixel.models.arguments import check_features
from keras_pixel.models.conditioning import Conditioning
from keras_pixel.models.pixel_model import PixelModel

VARIANTS = ("row_lstm", "diagonal_bilstm")


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelRNN(PixelModel):
    """PixelRNN of van den Oord et al., 2016.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        variant: `"row_lstm"` or `"diagonal_bilstm"`. Defaults to
            `"diagonal_bilstm"`, which is slower and better.
        filters: int. Features of an LSTM (`h` of the paper); between layers
            there are twice as many. Divisible by the channels. Defaults to
            `126` (the paper has 128, which does not split into three
            channels; 16 for MNIST).
        num_layers: int. LSTM layers. Defaults to `12` (paper, CIFAR-10; 7 for
            MNIST).
        kernel_size: odd int, kernel of `"row_lstm"`; `"diagonal_bilstm"` has
            none. Defaults to `3`.
        first_kernel_size: odd int, kernel of the first layer. Defaults to `7`.
        head_filters: int. Features of the 1×1 convolution before the logits;
            0 leaves it out. Defaults to `1023` (the paper has 1024 for
            CIFAR-10, 32 for MNIST). Divisible by the channels.
        head_rank: int or `None`, see `CategoricalHead`.
        num_frequencies: int, see `ScaleLevels`. Defaults to `0`.
        dropout: float. Rate after each LSTM. Defaults to `0.0`.
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
            channels, or `variant` is unknown.

    Example:

    >>> model = PixelRNN(image_shape=(4, 4, 1), num_levels=4, filters=8,
    ...                  num_layers=1, head_filters=8)
    >>> model.sample(2, seed=0).shape
    (2, 4, 4, 1)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        variant="diagonal_bilstm",
        filters=126,
        num_layers=12,
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
        check_choice("variant", variant, VARIANTS)

        def lstm(name):
            if variant == "row_lstm":
                return RowLSTM(
                    filters, kernel_size, channels=channels, name=name
                )
            return DiagonalBiLSTM(filters, channels=channels, name=name)

        # === Functional Model ===
        conditioned = Conditioning(
            image_shape, num_classes, label_dropout, condition, orders
        )
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        images = conditioned.into_order(inputs)
        scaled = ScaleLevels(num_levels, num_frequencies, name="scale_levels")(
            images
        )
        x = MaskedConv2D(
            2 * filters,
            first_kernel_size,
            mask_type="A",
            channels=channels,
            name="first",
        )(scaled)
        x = conditioned(x, "first")
        for i in range(num_layers):
            residual = x
            if variant == "diagonal_bilstm" and i == 0:
                x = [x, scaled]
            x = lstm(f"lstm_{i + 1}")(x)
            x = conditioned(x, f"lstm_{i + 1}")
            if dropout:
                x = keras.layers.Dropout(dropout, name=f"dropout_{i + 1}")(x)
            x = MaskedConv2D(
                2 * filters,
                1,
                channels=channels,
                kernel_initializer=keras.initializers.VarianceScaling(
                    1.0 / num_layers, "fan_avg", "uniform"
                ),
                name=f"expand_{i + 1}",
            )(x)
            x = keras.layers.Add(name=f"add_{i + 1}")([residual, x])
            # (batch, height, width, 2 * filters)
        x = head.head_convolution(x, head_filters, channels)
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
