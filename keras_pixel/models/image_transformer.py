"""Image Transformer: masked self-attention over the sub-pixels.

- Every sub-pixel is a token; tokens come in raster order, R, G, B inside a
  pixel, so the order alone keeps the colours apart.
- Attention is local: inside blocks of the sequence (1D) or of the image (2D)
  and to a memory before them. So cost grows linearly with the image.
- `attention="full"` is the plain pixel Transformer, as in image GPT.

Source: Parmar et al., 2018, "Image Transformer",
https://arxiv.org/abs/1802.05751, sections 3.1 to 3.3; for "full" Chen et al.,
2020, "Generative Pretraining from Pixels", section 2.

Differs from them: blocks normalise first, as image GPT does (Image Transformer
normalises last); blocks hold whole pixels; 2D attention keeps raster order
(see `LocalAttention2D`); `lag` restricts attention to a wavefront; dropout acts
on what a block adds only. A masked convolution may take the place of embedding
and shift: it learns much faster in a short training. The categorical head may
have a low-rank basis over the levels (see `CategoricalHead`). Image GPT's
palette of 512 colours is not used.
"""

import keras

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size
from keras_pixel.checks import pair
from keras_pixel.layers import CausalAttention
from keras_pixel.layers import EmbedLevels
from keras_pixel.layers import LocalAttention1D
from keras_pixel.layers import LocalAttention2D
from keras_pixel.layers import MaskedConv2D
from keras_pixel.layers import PerSubPixel
from keras_pixel.layers import PositionalEncoding2D
from keras_pixel.layers import ScaleLevels
from keras_pixel.layers import ShiftRight
from keras_pixel.models import head
from keras_pixel.models.conditioning import Conditioning
from keras_pixel.models.pixel_model import PixelModel

_ATTENTIONS = ("full", "local_1d", "local_2d")
# Blocks and memories in pixels, if none are given. 86 pixels of three channels
# are the 256 sub-pixels of the authors' code.
_BLOCKS = {
    "full": (None, None),
    "local_1d": ((1, 86), (0, 86)),
    "local_2d": ((8, 8), (8, 8)),
}


@keras.saving.register_keras_serializable(package="keras_pixel")
class ImageTransformer(PixelModel):
    """Image Transformer of Parmar et al., 2018, and image GPT's attention.

    The defaults are the size of the authors' model of CIFAR-10.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        attention: "full", "local_1d" or "local_2d". Defaults to `"local_1d"`.
        num_layers: int. Blocks of attention and feed-forward network.
            Defaults to `12`.
        hidden_dim: int. Features of a token. Defaults to `512`.
        num_heads: int. Divides `hidden_dim`. Defaults to `4`.
        intermediate_dim: int. Features inside the feed-forward network.
            Defaults to `2048`.
        query_shape: pair of ints, rows and columns of a block in pixels. For
            "local_1d" `(1, n)`: `n` pixels in raster order, which may run
            over several rows. Defaults to `None`: `(1, 86)` for "local_1d",
            `(8, 8)` for "local_2d".
        memory_flange: pair of ints. For "local_2d" rows above and columns on
            each side of a block, in pixels; for "local_1d" `(0, m)`: the `m`
            pixels before it. Defaults to `None`: `(0, 86)` and `(8, 8)`.
        positional_encoding: "sinusoidal", "learned" (weights for one image
            size) or `None`. Defaults to `"sinusoidal"`.
        dropout: float. Rate on what attention and feed-forward networks add.
            Defaults to `0.0` (the authors' code has 0.3).
        first_kernel_size: odd int or `None`. With an int the model starts
            with a convolution of that size with mask A over the scaled
            image; with `None` with embedded levels moved on by one place.
            Defaults to `None`, as in the paper.
        num_frequencies: int, see `ScaleLevels`; for `first_kernel_size` only.
            Defaults to `0`.
        head_rank: int or `None`, see `CategoricalHead`.
        activation: name or function, of the feed-forward networks. Defaults
            to `"relu"`.
        distribution: "categorical" or "logistic_mixture" (`LogisticMixture`).
            Defaults to `"categorical"`.
        num_mixtures: int, see `LogisticMixture`. Defaults to `10`.
        lag: int or `None`. Attention and the first convolution see only what
            a wavefront of this lag has drawn before (see `CausalAttention`);
            needs `first_kernel_size`. Defaults to `None`: raster order.
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
        ValueError: if an argument is out of range or does not fit
            `attention`.

    Example:

    >>> model = ImageTransformer(image_shape=(4, 4, 1), num_levels=4,
    ...                          attention="local_2d", num_layers=1,
    ...                          hidden_dim=8, num_heads=2,
    ...                          intermediate_dim=16, query_shape=(2, 2),
    ...                          memory_flange=(1, 1))
    >>> model.sample(2, seed=0).shape
    (2, 4, 4, 1)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        attention="local_1d",
        num_layers=12,
        hidden_dim=512,
        num_heads=4,
        intermediate_dim=2048,
        query_shape=None,
        memory_flange=None,
        positional_encoding="sinusoidal",
        dropout=0.0,
        first_kernel_size=None,
        num_frequencies=0,
        head_rank=None,
        activation="relu",
        distribution="categorical",
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
        channels = image_shape[-1]
        num_layers = check_size("num_layers", num_layers)
        hidden_dim = check_size("hidden_dim", hidden_dim)
        num_heads = check_size("num_heads", num_heads)
        intermediate_dim = check_size("intermediate_dim", intermediate_dim)
        query, flange = _blocks(attention, query_shape, memory_flange)
        if num_frequencies and first_kernel_size is None:
            raise ValueError(
                "`num_frequencies` needs `first_kernel_size`: embedded levels "
                "have no Fourier features. "
                f"Received: num_frequencies={num_frequencies}, "
                "first_kernel_size=None"
            )

        if lag is not None and first_kernel_size is None:
            raise ValueError(
                "`lag` needs `first_kernel_size`: an embedded level that is "
                "moved on by one place goes from the end of a row to the next "
                "row, which a wavefront begins before that end. "
                f"Received: lag={lag}, first_kernel_size=None. Use "
                "`first_kernel_size=3` or more."
            )

        def per_sub_pixel(layers, name):
            return PerSubPixel(layers, channels=channels, name=name)

        def normalise(x, name):
            norm = keras.layers.LayerNormalization(epsilon=1e-6)
            return per_sub_pixel(norm, name)(x)

        def attend(x, name):
            options = {"channels": channels, "lag": lag, "name": name}
            if attention == "full":
                return CausalAttention(num_heads, **options)(x)
            if attention == "local_1d":
                return LocalAttention1D(
                    num_heads, query[1], flange[1], **options
                )(x)
            return LocalAttention2D(num_heads, query, flange, **options)(x)

        def add(x, change, name):
            if dropout:
                change = keras.layers.Dropout(dropout, name=f"{name}_dropout")(
                    change
                )
            return keras.layers.Add(name=f"{name}_add")([x, change])

        # === Functional Model ===
        conditioned = Conditioning(
            image_shape, num_classes, label_dropout, condition, orders
        )
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        images = conditioned.into_order(inputs)
        if first_kernel_size is None:
            x = EmbedLevels(
                num_levels, hidden_dim, channels=channels, name="embed_levels"
            )(images)
            x = ShiftRight(channels=channels, name="shift_right")(x)
        else:
            x = ScaleLevels(num_levels, num_frequencies, name="scale_levels")(
                images
            )
            x = MaskedConv2D(
                channels * hidden_dim,
                first_kernel_size,
                mask_type="A",
                channels=channels,
                lag=lag,
                name="first",
            )(x)
        if positional_encoding is not None:
            x = PositionalEncoding2D(
                channels=channels, kind=positional_encoding, name="positions"
            )(x)
        for i in range(num_layers):
            block = f"block_{i + 1}"
            change = normalise(x, f"{block}_attention_norm")
            change = conditioned(change, f"{block}_attention_norm")
            change = attend(change, f"{block}_attention")
            x = add(x, change, f"{block}_attention")
            change = normalise(x, f"{block}_feed_forward_norm")
            change = conditioned(change, f"{block}_feed_forward_norm")
            change = per_sub_pixel(
                [
                    keras.layers.Dense(intermediate_dim, activation),
                    keras.layers.Dense(hidden_dim),
                ],
                f"{block}_feed_forward",
            )(change)
            x = add(x, change, f"{block}_feed_forward")
            # (batch, height, width, channels * hidden_dim)
        x = normalise(x, "last_norm")
        outputs, pixel_distribution = head.parameters(
            x, images, num_levels, distribution, num_mixtures, head_rank
        )
        super().__init__(
            [inputs, *conditioned.inputs],
            conditioned.from_order(outputs),
            pixel_distribution,
            num_classes=num_classes,
            label_dropout=label_dropout,
            **kwargs,
        )


def _blocks(attention, query_shape, memory_flange):
    """Blocks and memories as pairs, checked, with the defaults filled in."""
    check_choice("attention", attention, _ATTENTIONS)
    pairs = []
    for name, value, default, least in (
        ("query_shape", query_shape, _BLOCKS[attention][0], 1),
        ("memory_flange", memory_flange, _BLOCKS[attention][1], 0),
    ):
        if attention == "full" and value is not None:
            raise ValueError(
                f'`{name}` is for local attention; "full" has no blocks. '
                f'Received: {name}={value}, attention="full"'
            )
        if attention != "full" and value is not None:
            value = pair(name, value, least)
            if attention == "local_1d" and value[0] != least:
                raise ValueError(
                    f"`{name}` of 1D attention counts pixels in raster order "
                    f"and must be ({least}, n). Received: {name}={value}"
                )
        pairs.append(default if value is None else value)
    return pairs
