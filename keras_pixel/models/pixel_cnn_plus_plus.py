"""PixelCNN++: whole pixels, two stacks, three resolutions, a mixture.

- Two stacks over whole pixels: the vertical one knows the rows above, the
  horizontal one all pixels before. Shifts make them causal, not masks.
- Gated residual blocks, at three resolutions, with short cuts from the way
  down to the way up.
- A mixture of logistics instead of a softmax; the head alone puts the
  channels of a pixel in order.

Source: Salimans et al., 2017, "PixelCNN++: Improving the PixelCNN with
Discretized Logistic Mixture Likelihood and Other Modifications",
https://arxiv.org/abs/1701.05517; sizes and details from the authors' code,
https://github.com/openai/pixel-cnn.

Differs from it: images of any size; weight normalisation starts from the
kernels' initializer, not from a batch of data, and the head has none; the
mixture has a floor (see `LogisticMixture`); `lag` crops all kernels to a
wavefront. The paper's geometry itself needs raster order: its vertical stack
sees a column further to the right with each layer.
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
from keras_pixel.layers import ShiftedConv2DTranspose
from keras_pixel.models import head
from keras_pixel.models.blocks import gated_residual_block
from keras_pixel.models.conditioning import Conditioning
from keras_pixel.models.pixel_model import PixelModel

_KERNELS = {"vertical": (2, 3), "horizontal": (2, 2)}


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelCNNPlusPlus(PixelModel):
    """PixelCNN++ of Salimans et al., 2017.

    The defaults are the authors' model of CIFAR-10. With F filters a block of
    the vertical stack has `36 F²` weights, one of the horizontal stack `24
    F²`, and each short cut `2 F²` for every F features. So the way down has
    `15 * (36 + 24 + 2) F²`, the way up `17 * (38 + 28) F²`, and the strided
    and transposed convolutions `40 F²`: 53,555,200 at F = 160. The first
    convolutions have `44 F = 7,040`, the head `100 F = 16,000`, and there are
    `252 F + 100 = 40,420` biases: 53,618,660. With as many lengths of weight
    normalisation the authors' code has 53,659,080; here the head has none,
    which leaves 53,658,980.

    Args:
        image_shape: `(height, width, channels)`. Defaults to `(32, 32, 3)`.
        num_levels: int from 2 to 256. Defaults to `256`.
        filters: int. Features of both stacks. Defaults to `160`.
        num_blocks: int, at least 1. Blocks of a resolution and stack on the
            way down; on the way up one more, except in the coarsest. Defaults
            to `5`.
        num_resolutions: int, at least 1. Each has half the rows and columns
            of the one before. Defaults to `3`.
        dropout: float. Rate inside the blocks. Defaults to `0.5`.
        weight_norm: bool, see `ShiftedConv2D`. Defaults to `True`.
        distribution: "logistic_mixture" or "categorical". Defaults to
            `"logistic_mixture"`.
        num_mixtures: int, see `LogisticMixture`. Defaults to `10`.
        lag: int or `None`. Crops all kernels to the wavefront of this lag
            (see `ShiftedConv2D`). Defaults to `None`: the paper's geometry.
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

    >>> model = PixelCNNPlusPlus(image_shape=(8, 8, 3), filters=4,
    ...                          num_blocks=1, num_resolutions=2)
    >>> tuple(model.outputs[0].shape)
    (None, 8, 8, 3, 30)
    """

    def __init__(
        self,
        image_shape=(32, 32, 3),
        num_levels=256,
        filters=160,
        num_blocks=5,
        num_resolutions=3,
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
        num_blocks = check_size("num_blocks", num_blocks)
        num_resolutions = check_size("num_resolutions", num_resolutions)
        sizes = [image_shape[:2]]
        for _ in range(num_resolutions - 1):
            sizes.append(tuple(-(-n // 2) for n in sizes[-1]))
        options = {"lag": lag, "weight_norm": weight_norm}

        def convolve(x, kernel_size, stack, name, strides=1, shift=(0, 0)):
            return ShiftedConv2D(
                filters,
                kernel_size,
                stack,
                strides,
                shift,
                name=name,
                **options,
            )(x)

        def block(x, stack, name, level, short_cut=None):
            def convolution(features, kernel_size=_KERNELS[stack], **arguments):
                return ShiftedConv2D(
                    features, kernel_size, stack, **options, **arguments
                )

            return gated_residual_block(
                x,
                convolution,
                f"{name}_{stack}",
                short_cut,
                dropout=dropout,
                condition=functools.partial(conditioned, level=level),
            )

        def upsample(x, stack, i):
            return ShiftedConv2DTranspose(
                filters,
                _KERNELS[stack],
                sizes[i],
                stack,
                name=f"up_{i}_{stack}",
                **options,
            )(x)

        # === Functional Model ===
        conditioned = Conditioning(
            image_shape, num_classes, label_dropout, condition, orders
        )
        inputs = keras.Input(image_shape, dtype="int32", name="images")
        images = conditioned.into_order(inputs)
        x = ScaleLevels(num_levels, name="scale_levels")(images)
        x = BackgroundChannels(name="background")(x)
        vertical = convolve(
            x, (2, 3), "vertical", "first_vertical", shift=(1, 0)
        )
        above = convolve(x, (1, 3), "vertical", "first_above", shift=(1, 0))
        left = convolve(x, (2, 1), "horizontal", "first_left", shift=(0, 1))
        horizontal = keras.layers.Add(name="first_horizontal")([above, left])
        # === Down ===
        short_cuts = [(vertical, horizontal)]
        for i in range(num_resolutions):
            if i:
                vertical = convolve(
                    vertical, (2, 3), "vertical", f"down_{i}_vertical", 2
                )
                horizontal = convolve(
                    horizontal, (2, 2), "horizontal", f"down_{i}_horizontal", 2
                )
                short_cuts.append((vertical, horizontal))
            for j in range(num_blocks):
                name = f"down_{i}_block_{j + 1}"
                vertical = block(vertical, "vertical", name, i)
                horizontal = block(horizontal, "horizontal", name, i, vertical)
                short_cuts.append((vertical, horizontal))
        # two of (batch, rows, columns, filters)
        # === Up ===
        vertical, horizontal = short_cuts.pop()
        for i in reversed(range(num_resolutions)):
            coarsest = i == num_resolutions - 1
            if not coarsest:
                vertical = upsample(vertical, "vertical", i)
                horizontal = upsample(horizontal, "horizontal", i)
            for j in range(num_blocks + (not coarsest)):
                name = f"up_{i}_block_{j + 1}"
                of_vertical, of_horizontal = short_cuts.pop()
                vertical = block(vertical, "vertical", name, i, of_vertical)
                joined = keras.layers.Concatenate(name=f"{name}_joined")(
                    [vertical, of_horizontal]
                )
                horizontal = block(horizontal, "horizontal", name, i, joined)
        # two of (batch, height, width, filters)
        x = keras.layers.Activation("elu", name="head_activation")(horizontal)
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
