"""PixelLSTM: a language model over the sub-pixels of an image.

- Each sub-pixel is embedded (or scaled), all are moved on by one place behind a
  start token, and LSTMs go over them in raster order.
- No convolution: on a `(1, T, 1)` image it is the usual recurrent language
  model.
- LSTMs after the first have residual connections.

Source: Graves, 2013, "Generating Sequences With Recurrent Neural Networks",
https://arxiv.org/abs/1308.0850, section 2.

Differs from it: residual connections instead of connections from the input to
every LSTM and from every LSTM to the output; no peephole connections; dropout
is offered. (LSTMs in two dimensions over an image: Theis and Bethge, 2015,
https://arxiv.org/abs/1506.03478.)
"""

import keras

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size
from keras_pixel.layers import EmbedLevels
from keras_pixel.layers import ScaleLevels
from keras_pixel.layers import ScanlineLSTM
from keras_pixel.layers import ShiftRight
from keras_pixel.models import head
from keras_pixel.models.conditioning import Conditioning
from keras_pixel.models.pixel_model import PixelModel


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelLSTM(PixelModel):
    """Stacked LSTM over the sub-pixels in raster order.

    It takes `height * width * channels` steps one after the other, in
    training too: for small images and sequences.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(28, 28, 1)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        hidden_dim: int. Features of each LSTM. Defaults to `256`.
        num_layers: int. Defaults to `2`.
        inputs: `"embedding"` (a trainable vector for each level, of
            `hidden_dim` features) or `"scaled"` (one float in [-1, 1]).
            Defaults to `"embedding"`.
        num_frequencies: int, see `ScaleLevels`; with scaled inputs only.
            Defaults to `0`.
        head_rank: int or `None`, see `CategoricalHead`.
        dropout: float. Rate after each LSTM. Defaults to `0.0`.
        distribution: "categorical" or "logistic_mixture" (`LogisticMixture`).
            Defaults to `"categorical"`.
        num_mixtures: int, see `LogisticMixture`. Defaults to `10`.
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
        ValueError: if an argument is out of range or `inputs` is unknown.

    Example:

    >>> model = PixelLSTM(image_shape=(4, 4, 1), num_levels=4, hidden_dim=8)
    >>> model.sample(2, seed=0).shape
    (2, 4, 4, 1)
    """

    def __init__(
        self,
        image_shape=(28, 28, 1),
        num_levels=256,
        hidden_dim=256,
        num_layers=2,
        inputs="embedding",
        num_frequencies=0,
        head_rank=None,
        dropout=0.0,
        distribution="categorical",
        num_mixtures=10,
        num_classes=None,
        label_dropout=0.0,
        condition=None,
        orders=None,
        **kwargs,
    ):
        image_shape = check_image_shape(image_shape)
        num_levels = check_num_levels(num_levels)
        dropout = check_probability("dropout", dropout)
        channels = image_shape[-1]
        hidden_dim = check_size("hidden_dim", hidden_dim)
        num_layers = check_size("num_layers", num_layers)
        check_choice("inputs", inputs, ("embedding", "scaled"))
        if num_frequencies and inputs != "scaled":
            raise ValueError(
                '`num_frequencies` is for inputs="scaled"; an embedding needs '
                "no Fourier features. "
                f"Received: num_frequencies={num_frequencies}, "
                f"inputs={inputs!r}"
            )

        # === Functional Model ===
        conditioned = Conditioning(
            image_shape, num_classes, label_dropout, condition, orders
        )
        given = keras.Input(image_shape, dtype="int32", name="images")
        images = conditioned.into_order(given)
        if inputs == "embedding":
            x = EmbedLevels(
                num_levels, hidden_dim, channels=channels, name="embed_levels"
            )(images)
        else:
            x = ScaleLevels(num_levels, num_frequencies, name="scale_levels")(
                images
            )
        x = ShiftRight(channels=channels, name="shift_right")(x)
        x = conditioned(x, "first")
        for i in range(num_layers):
            residual = x
            x = ScanlineLSTM(
                hidden_dim, channels=channels, name=f"lstm_{i + 1}"
            )(x)
            x = conditioned(x, f"lstm_{i + 1}")
            if dropout:
                x = keras.layers.Dropout(dropout, name=f"dropout_{i + 1}")(x)
            if i:
                x = keras.layers.Add(name=f"add_{i + 1}")([residual, x])
            # (batch, height, width, channels * hidden_dim)
        outputs, pixel_distribution = head.parameters(
            x, images, num_levels, distribution, num_mixtures, head_rank
        )
        super().__init__(
            [given, *conditioned.inputs],
            conditioned.from_order(outputs),
            pixel_distribution,
            num_classes=num_classes,
            label_dropout=label_dropout,
            **kwargs,
        )
