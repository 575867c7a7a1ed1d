"""WavefrontPixelCNN: what learns most per hour, drawn along diagonals.

- One stack of gated residual blocks over whole pixels. Kernels have two rows
  and three columns: the row above, and the pixel itself with its left
  neighbour. What they see is known one diagonal earlier (`lag` 2), so all
  pixels of a diagonal are drawn together.
- Three resolutions: strided 2×2 convolutions on the way down, transposed ones
  on the way up, and short cuts between blocks of one resolution. That is how
  two-row kernels see far.
- The head alone puts the channels of a pixel in order: a mixture of logistics
  as in PixelCNN++ (or a categorical distribution, for few levels).

Ours; made of parts of Salimans et al., 2017, "PixelCNN++",
https://arxiv.org/abs/1701.05517 (gated residual blocks, resolutions, short
cuts, mixture), with one stack in place of two. The diagonals are those of van
den Oord et al., 2016, "Pixel Recurrent Neural Networks" (Diagonal BiLSTM),
https://arxiv.org/abs/1601.06759.
"""

import functools

import keras
import numpy as np

from keras_pixel.checks import check_image_shape
from keras_pixel.checks import check_num_levels
from keras_pixel.checks import check_probability
from keras_pixel.checks import check_size
from keras_pixel.layers import BackgroundChannels
from keras_pixel.layers import DownsampleConv2D
from keras_pixel.layers import MaskedConv2D
from keras_pixel.layers import ScaleLevels
from keras_pixel.layers import UpsampleConv2D
from keras_pixel.models import head
from keras_pixel.models.blocks import gated_residual_block
from keras_pixel.models.conditioning import Conditioning
from keras_pixel.models.pixel_model import PixelModel


@keras.saving.register_keras_serializable(package="keras_pixel")
class WavefrontPixelCNN(PixelModel):
    """One stack of gated residual blocks at several resolutions.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        filters: int, or one for each resolution, the finest first. Features
            of a block. Defaults to `64`.
        num_blocks: int, at least 1. Blocks of a resolution on the way down;
            on the way up one more, except in the coarsest. Defaults to `1`.
        num_resolutions: int, at least 1. Each has half the rows and columns
            of the one before. Defaults to `3`.
        kernel_size: odd int or pair of odd ints. Kernel of a block, of which
            the rows down to the centre are kept: `(3, 5)` has two rows of
            five columns. Defaults to `3`.
        first_kernel_size: odd int or pair of odd ints. Kernel of the first
            layer, likewise. Defaults to `7`.
        lag: int, at least 1, or `None`. All kernels are cropped to the
            wavefront of this lag (see `MaskedConv2D`). Defaults to `2`.
        distribution: "logistic_mixture" or "categorical". Defaults to
            `"logistic_mixture"`.
        num_mixtures: int, see `LogisticMixture`. Defaults to `10`.
        coordinates: bool, see `BackgroundChannels`. Defaults to `False`.
        num_frequencies: int, see `ScaleLevels`. Defaults to `0`.
        dropout: float. Rate inside the blocks. Defaults to `0.0`.
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

    >>> model = WavefrontPixelCNN(image_shape=(8, 8, 3), filters=8)
    >>> tuple(model.outputs[0].shape)
    (None, 8, 8, 3, 30)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        filters=64,
        num_blocks=1,
        num_resolutions=3,
        kernel_size=3,
        first_kernel_size=7,
        lag=2,
        distribution="logistic_mixture",
        num_mixtures=10,
        coordinates=False,
        num_frequencies=0,
        dropout=0.0,
        num_classes=None,
        label_dropout=0.0,
        condition=None,
        orders=None,
        **kwargs,
    ):
        image_shape = check_image_shape(image_shape)
        num_levels = check_num_levels(num_levels)
        dropout = check_probability("dropout", dropout)
        num_blocks = check_size("num_blocks", num_blocks)
        num_resolutions = check_size("num_resolutions", num_resolutions)
        widths = _widths(filters, num_resolutions)
        sizes = [image_shape[:2]]
        for _ in range(num_resolutions - 1):
            sizes.append(tuple(-(-n // 2) for n in sizes[-1]))

        def convolve(features, kernel_size=kernel_size, **arguments):
            if kernel_size == 1:
                return keras.layers.Dense(features, **arguments)
            return MaskedConv2D(features, kernel_size, lag=lag, **arguments)

        def block(x, name, level, short_cut=None):
            return gated_residual_block(
                x,
                convolve,
                name,
                short_cut,
                dropout=dropout,
                condition=functools.partial(conditioned, level=level),
            )

        # === Functional Model ===
        conditioned = Conditioning(
            image_shape, num_classes, label_dropout, condition, orders
        )
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        images = conditioned.into_order(inputs)
        x = ScaleLevels(num_levels, num_frequencies, name="scale_levels")(
            images
        )
        x = BackgroundChannels(coordinates, name="background")(x)
        x = MaskedConv2D(
            widths[0], first_kernel_size, mask_type="A", lag=lag, name="first"
        )(x)
        # === Down ===
        short_cuts = [x]
        for i, features in enumerate(widths):
            if i:
                x = DownsampleConv2D(features, name=f"down_{i}")(x)
                short_cuts.append(x)
            for j in range(num_blocks):
                x = block(x, f"down_{i}_block_{j + 1}", i)
                short_cuts.append(x)
        # (batch, rows, columns, widths[-1])
        # === Up ===
        x = short_cuts.pop()
        for i in reversed(range(num_resolutions)):
            coarsest = i == num_resolutions - 1
            if not coarsest:
                x = UpsampleConv2D(widths[i], sizes[i], name=f"up_{i}")(x)
            for j in range(num_blocks + (not coarsest)):
                name = f"up_{i}_block_{j + 1}"
                x = block(x, name, i, short_cuts.pop())
        # (batch, height, width, widths[0])
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


def _widths(filters, num_resolutions):
    """Features of each resolution, checked."""
    if np.iterable(filters):
        widths = tuple(filters)
        if len(widths) != num_resolutions:
            raise ValueError(
                "`filters` must be one integer, or one for each of the "
                f"{num_resolutions} resolutions. Received: filters={filters}"
            )
    else:
        widths = (filters,) * num_resolutions
    return tuple(check_size("filters", width) for width in widths)
