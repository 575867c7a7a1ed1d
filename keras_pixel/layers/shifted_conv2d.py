import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_size
from keras_pixel.checks import is_integer
from keras_pixel.checks import pair
from keras_pixel.layers.causal_convolution import CausalConvolution
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer
from keras_pixel.layers.weight_norm import lengths
from keras_pixel.layers.weight_norm import normalised

STACKS = ("vertical", "horizontal")


@keras.saving.register_keras_serializable(package="keras_pixel")
class ShiftedConv2D(LoraLayer, CausalConvolution):
    """Convolution of one of two stacks that are causal by their shifts.

    No mask: the kernel lies above and to the left of its output, and the
    image is moved once, in the first layer, by `shift`.

    - The kernel of the "vertical" stack has its output in the middle of its
      last row. It sees its own row on both sides, so its input must know
      finished rows only: moved down, with `shift=(1, 0)`, in the first layer.
    - The kernel of the "horizontal" stack has its output at the end of its
      last row. It sees no column further on, so its input may know all
      earlier pixels: moved down or right in the first layer. It may take
      features of the vertical stack as well.

    With `strides` position `(i, j)` of the coarser grid stands for pixel
    `(strides * i, strides * j)`; `ShiftedConv2DTranspose` goes back.

    Source: Salimans et al., 2017, "PixelCNN++", section 2.3, and the authors'
    code (`down_shifted_conv2d`, `down_right_shifted_conv2d`, `down_shift`,
    `right_shift`, `nin`), https://arxiv.org/abs/1701.05517.
    Differs from it: the shift is part of the first convolution; images of odd
    size; `lag`; weight normalisation is optional and starts from the
    kernel's initializer, not from a batch of data.

    Args:
        filters: int. Number of output feature maps.
        kernel_size: int or pair of ints, rows and columns. In the vertical
            stack the columns must be odd.
        stack: "vertical" or "horizontal". Defaults to `"horizontal"`.
        strides: int. Defaults to `1`.
        shift: pair of ints of at least 0: rows down and columns to the right
            by which the input is moved. Defaults to `(0, 0)`.
        lag: int or `None`. Crops the kernel to the wavefront of this lag
            (`keras_pixel.order.is_past`). Defaults to `None`: the kernel as
            it is.
        weight_norm: bool. Give every filter a trainable length and a kernel
            that only says the direction (Salimans and Kingma, 2016). Defaults
            to `False`.
        kernel_initializer: Initializer of the kernel. Defaults to
            `"glorot_uniform"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor, image values scaled to [-1, 1] or features, over
            whole pixels.

    Input shape:
        `(batch, height, width, in_features)`

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), filters)`

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> import numpy as np
    >>> layer = ShiftedConv2D(12, (2, 3), stack="vertical", shift=(1, 0))
    >>> tuple(layer(np.zeros((2, 8, 5, 3), "float32")).shape)
    (2, 8, 5, 12)
    """

    kernel = LoraKernel()

    def __init__(
        self,
        filters,
        kernel_size,
        stack="horizontal",
        strides=1,
        shift=(0, 0),
        lag=None,
        weight_norm=False,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters = check_size("filters", filters, 1)
        strides = check_size("strides", strides, 1)
        if lag is not None:
            lag = check_size("lag", lag, 1)
        self.filters = filters
        self.kernel_size = check_kernel(kernel_size, stack)
        self.stack = stack
        self.strides = strides
        self.shift = pair("shift", shift, 0)
        self.lag = lag
        self.weight_norm = bool(weight_norm)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        rows_above, columns_right = order.shifted_taps(
            self.kernel_size, self.stack, self.shift
        )
        self.mask = order.crop_taps(rows_above, columns_right, self.lag)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            autocast=not self.weight_norm,
        )
        if self.weight_norm:
            self.length = self.add_weight(
                name="length",
                shape=(self.filters,),
                initializer=lambda *args, **kwargs: lengths(
                    self.masked_kernel(), (0, 1, 2)
                ),
                autocast=False,
            )
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer="zeros"
        )

    def masked_kernel(self):
        """Kernel with what may not be seen set to zero."""
        kernel = self.kernel
        return kernel * ops.cast(self.mask[..., None, None], kernel.dtype)

    def effective_kernel(self):
        """Kernel that the inputs are convolved with, masked and normalised."""
        kernel = self.masked_kernel()
        if self.weight_norm:
            kernel = normalised(kernel, self.length, (0, 1, 2))
        return ops.cast(kernel, self.compute_dtype)

    def call(self, inputs):
        kernel = self.effective_kernel()
        bias = ops.cast(self.bias, self.compute_dtype)
        (rows, columns), (down, right) = self.kernel_size, self.shift
        if rows == columns == self.strides == 1 and not (down or right):
            return ops.matmul(inputs, kernel[0, 0]) + bias
        ahead = columns // 2 if self.stack == "vertical" else 0
        inputs = ops.pad(
            inputs,
            [
                [0, 0],
                [rows - 1 + down, 0],
                [columns - 1 - ahead + right, ahead],
                [0, 0],
            ],
        )
        # What is moved out of the image is cut off.
        inputs = inputs[:, : -down or None, : -right or None]
        # (batch, rows - 1 + height, columns - 1 + width, in_features)
        outputs = ops.conv(
            inputs, kernel, strides=self.strides, padding="valid"
        )
        return outputs + bias  # (batch, height, width, filters) of the grid

    # === Cached decoding, see `CausalConvolution` ===

    def offsets(self):
        rows_above, columns_right = order.shifted_taps(
            self.kernel_size, self.stack, self.shift
        )
        kept = order.crop_taps(rows_above, columns_right, self.lag)
        return {
            (int(rows_above[i, 0]), int(columns_right[0, j])): (i, j)
            for i, j in zip(
                *map(np.ndarray.tolist, kept.nonzero()), strict=True
            )
        }

    def decode_kernel(self):
        return self.effective_kernel()

    def decode_bias(self):
        return ops.cast(self.bias, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        size = [n and -(-n // self.strides) for n in input_shape[1:3]]
        return (input_shape[0], *size, self.filters)

    def get_config(self):
        config = super().get_config()
        del config["channels"]
        return {
            **config,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "stack": self.stack,
            "strides": self.strides,
            "shift": self.shift,
            "lag": self.lag,
            "weight_norm": self.weight_norm,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }


def check_kernel(kernel_size, stack):
    """Return `kernel_size` as a pair of ints that fits `stack`, or refuse."""
    if stack not in STACKS:
        raise ValueError(
            f"`stack` must be one of {list(STACKS)}. Received: stack={stack!r}"
        )
    size = kernel_size
    if is_integer(size):
        size = (size, size)
    size = pair("kernel_size", size, 1)
    if stack == "vertical" and size[1] % 2 == 0:
        raise ValueError(
            "`kernel_size` must have an odd number of columns in the vertical "
            "stack, so that its last row has a middle. "
            f"Received: kernel_size={kernel_size!r}"
        )
    return size
