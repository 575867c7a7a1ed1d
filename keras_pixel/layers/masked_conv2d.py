import keras
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.checks import is_integer
from keras_pixel.checks import odd_pair
from keras_pixel.checks import pair
from keras_pixel.layers.buffers import channel_major
from keras_pixel.layers.causal_convolution import CausalConvolution
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer


@keras.saving.register_keras_serializable(package="keras_pixel")
class MaskedConv2D(LoraLayer, CausalConvolution):
    """2D convolution that sees only earlier values in raster order.

    Use mask type "A" once, as the first layer: a value must not see itself.
    Use "B" everywhere after it. With `channels=3` the mask also orders the
    colours: red sees no other colour of its pixel, green sees red, blue
    sees red and green. With `channels=1` on an image of several channels,
    mask "A" hides the whole pixel.

    Source: van den Oord et al., 2016, "Pixel Recurrent Neural Networks",
    section 3.4, https://arxiv.org/abs/1601.06759.
    Differs from it: feature maps are interleaved, RGBRGB… (feature `f`
    belongs to channel `f % channels`), and the kernel holds only the rows
    down to the centre, because the others would be multiplied by zero.
    `dilation_rate` is from van den Oord et al., 2016, "WaveNet", section 2.1,
    https://arxiv.org/abs/1609.03499: its kernels of 2 are `kernel_size=(1,
    3)` here, which sees its own place and one to the left.

    Args:
        filters: int. Number of output feature maps. Must be divisible by
            `channels`.
        kernel_size: odd int or pair of odd ints.
        mask_type: "A" (centre hidden) or "B" (centre shown).
        channels: int. Channel groups to keep in order. Defaults to `1`.
        lag: int or `None`. Crops the kernel to the wavefront of this lag: of
            the row `a` rows above only columns up to `lag * a - 1` to the
            right are seen, so that all pixels of one diagonal can be drawn
            together (`keras_pixel.order.is_past`). Defaults to `None`: the
            kernel as it is.
        dilation_rate: int or pair of ints: rows and columns from one tap of
            the kernel to the next. Defaults to `1`.
        use_bias: bool. Defaults to `True`.
        kernel_initializer: Initializer of the kernel. Defaults to
            `"glorot_uniform"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor, image values scaled to [-1, 1] or features.

    Input shape:
        `(batch, height, width, in_features)`

    Output shape:
        `(batch, height, width, filters)`

    Raises:
        ValueError: if `filters` or `in_features` is not divisible by
            `channels`, `kernel_size` is even, `mask_type` is unknown, or
            `lag` or `dilation_rate` is not positive.

    Example:

    >>> import numpy as np
    >>> layer = MaskedConv2D(12, kernel_size=7, mask_type="A", channels=3)
    >>> tuple(layer(np.zeros((2, 8, 8, 3), "float32")).shape)
    (2, 8, 8, 12)
    """

    kernel = LoraKernel()

    def __init__(
        self,
        filters,
        kernel_size,
        mask_type="B",
        channels=1,
        lag=None,
        dilation_rate=1,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(channels=channels, **kwargs)
        filters = check_size("filters", filters)
        if mask_type not in order.MASK_TYPES:
            raise ValueError(
                '`mask_type` must be "A" (centre hidden, first layer only) or '
                f'"B" (centre shown). Received: mask_type={mask_type!r}'
            )
        check_divisible("filters", filters, channels)
        self.filters = filters
        self.kernel_size = odd_pair("kernel_size", kernel_size)
        if lag is not None:
            lag = check_size("lag", lag)
        if is_integer(dilation_rate):
            dilation_rate = (dilation_rate, dilation_rate)
        self.mask_type = mask_type
        self.lag = lag
        self.dilation_rate = pair("dilation_rate", dilation_rate, 1)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        in_features = input_shape[-1]
        check_divisible("in_features", in_features, self.channels)
        self.mask = order.convolution_mask(
            self.kernel_size,
            in_features,
            self.filters,
            self.channels,
            self.mask_type,
            self.lag,
            self.dilation_rate,
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=self.mask.shape,
            initializer=self.kernel_initializer,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.filters,), initializer="zeros"
            )

    def masked_kernel(self):
        """Kernel with what may not be seen set to zero."""
        # Multiplied at use: the weights themselves are never changed here.
        kernel = self.kernel
        return kernel * ops.cast(self.mask, kernel.dtype)

    def call(self, inputs):
        rows, side = self.kernel_size[0] // 2, self.kernel_size[1] // 2
        down, across = self.dilation_rate
        kernel = ops.cast(self.masked_kernel(), self.compute_dtype)
        if rows or side:
            # In a kernel of one row all columns to the right are masked.
            ahead = max(right for _, right in self.offsets()) // across
            kernel = kernel[:, : side + ahead + 1]
            inputs = ops.pad(
                inputs,
                [
                    [0, 0],
                    [down * rows, 0],
                    [across * side, across * ahead],
                    [0, 0],
                ],
            )
            outputs = ops.conv(
                inputs,
                kernel,
                padding="valid",
                dilation_rate=self.dilation_rate,
            )
        else:
            outputs = ops.matmul(inputs, kernel[0, 0])
        # (batch, height, width, filters)
        if self.use_bias:
            outputs = outputs + ops.cast(self.bias, self.compute_dtype)
        return outputs

    # === Cached decoding, see `CausalConvolution` ===

    def offsets(self):
        rows, side = self.kernel_size[0] // 2, self.kernel_size[1] // 2
        down, across = self.dilation_rate
        places = {}
        for row in range(rows + 1):
            for column in range(self.kernel_size[1]):
                offset = down * (rows - row), across * (column - side)
                if offset == (0, 0) or order.is_past(*offset, self.lag):
                    places[offset] = row, column
        return places

    def groups_seen(self, group):
        return group if self.mask_type == "A" else group + 1

    def decode_kernel(self):
        kernel = ops.cast(self.masked_kernel(), self.compute_dtype)
        return channel_major(kernel, self.channels, axes=(2, 3))

    def decode_bias(self):
        if not self.use_bias:
            return ops.zeros((self.filters,), self.compute_dtype)
        bias = ops.cast(self.bias, self.compute_dtype)
        return channel_major(bias, self.channels, axes=(0,))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "mask_type": self.mask_type,
            "lag": self.lag,
            "dilation_rate": self.dilation_rate,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
