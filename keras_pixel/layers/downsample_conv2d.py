import keras
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.layers.causal_convolution import CausalConvolution
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer


@keras.saving.register_keras_serializable(package="keras_pixel")
class DownsampleConv2D(LoraLayer, CausalConvolution):
    """Strided convolution to a coarser grid that sees only earlier pixels.

    Position `(i, j)` of the coarse grid stands for pixel `(strides * i,
    strides * j)` and sees that pixel and those up to `strides - 1` rows above
    and columns to the left of it. It is known as soon as that pixel's
    features are. `UpsampleConv2D` goes back.

    Source: Salimans et al., 2017, "PixelCNN++", section 2.3 (downsampling by
    strided convolution), https://arxiv.org/abs/1701.05517.
    Differs from it: one kernel for one stack, with no tap to the right, so
    that the coarse grid keeps the order and the lag of the fine one.

    Args:
        filters: int. Number of output feature maps.
        strides: int, at least 2. Defaults to `2`.
        kernel_initializer: Initializer of the kernel. Defaults to
            `"glorot_uniform"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features over whole pixels.

    Input shape:
        `(batch, height, width, in_features)`

    Output shape:
        `(batch, ceil(height / strides), ceil(width / strides), filters)`

    Raises:
        ValueError: if `filters` or `strides` is out of range.

    Example:

    >>> import numpy as np
    >>> layer = DownsampleConv2D(12)
    >>> tuple(layer(np.zeros((2, 8, 5, 6), "float32")).shape)
    (2, 4, 3, 12)
    """

    kernel = LoraKernel()

    def __init__(
        self, filters, strides=2, kernel_initializer="glorot_uniform", **kwargs
    ):
        super().__init__(**kwargs)
        filters = check_size("filters", filters, 1)
        strides = check_size("strides", strides, 2)
        self.filters = filters
        self.strides = strides
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.strides, self.strides, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer="zeros"
        )

    def call(self, inputs):
        before = self.strides - 1
        inputs = ops.pad(inputs, [[0, 0], [before, 0], [before, 0], [0, 0]])
        outputs = ops.conv(
            inputs, self.kernel, strides=self.strides, padding="valid"
        )
        return outputs + self.bias  # (batch, rows, columns, filters)

    # === Cached decoding, see `CausalConvolution` ===

    def offsets(self):
        last = self.strides - 1
        return {
            (last - i, j - last): (i, j)
            for i in range(self.strides)
            for j in range(self.strides)
        }

    def decode_kernel(self):
        return ops.cast(self.kernel, self.compute_dtype)

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
            "strides": self.strides,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
