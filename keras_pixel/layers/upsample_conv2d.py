import keras
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.checks import pair
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import known_groups
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer


@keras.saving.register_keras_serializable(package="keras_pixel")
class UpsampleConv2D(LoraLayer, CausalLayer):
    """Transposed convolution from a coarser grid back to a finer one.

    Position `(i, j)` of the coarse grid stands for pixel `(strides * i,
    strides * j)` (see `DownsampleConv2D`) and feeds the block of `strides`
    rows and columns whose first pixel that is: all of them come no earlier.

    Source: Salimans et al., 2017, "PixelCNN++", section 2.3 (upsampling by
    transposed strided convolution), https://arxiv.org/abs/1701.05517.
    Differs from it: blocks do not overlap.

    Args:
        filters: int. Number of output feature maps.
        size: pair of ints, rows and columns of the finer grid; what the last
            blocks have beyond it is cut off.
        strides: int, at least 2. Defaults to `2`.
        kernel_initializer: Initializer of the kernel. Defaults to
            `"glorot_uniform"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features over whole pixels.

    Input shape:
        `(batch, ceil(size[0] / strides), ceil(size[1] / strides),
        in_features)`

    Output shape:
        `(batch, *size, filters)`

    Raises:
        ValueError: if an argument is out of range, or the inputs don't fit
            `size`.

    Example:

    >>> import numpy as np
    >>> layer = UpsampleConv2D(6, size=(8, 5))
    >>> tuple(layer(np.zeros((2, 4, 3, 12), "float32")).shape)
    (2, 8, 5, 6)
    """

    kernel = LoraKernel()

    def __init__(
        self,
        filters,
        size,
        strides=2,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters = check_size("filters", filters, 1)
        strides = check_size("strides", strides, 2)
        size = pair("size", size, 1)
        self.filters = filters
        self.size = size
        self.strides = strides
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        expected = tuple(-(-n // self.strides) for n in self.size)
        if tuple(input_shape[1:3]) != expected:
            raise ValueError(
                f"The inputs must have {expected[0]} rows and {expected[1]} "
                f"columns for size={self.size}, strides={self.strides}. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        # A matrix, not four taps: initializers then know that taps are not
        # summed. Rows of a block come first, then columns, then filters.
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.strides**2 * self.filters),
            initializer=self.kernel_initializer,
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.filters,), initializer="zeros"
        )

    def call(self, inputs):
        stride, (rows, columns) = self.strides, inputs.shape[1:3]
        outputs = ops.matmul(inputs, self.kernel)
        blocks = (-1, rows, columns, stride, stride, self.filters)
        outputs = ops.reshape(outputs, blocks)
        outputs = ops.transpose(outputs, (0, 1, 3, 2, 4, 5))
        shape = (-1, rows * stride, columns * stride, self.filters)
        outputs = ops.reshape(outputs, shape)
        height, width = self.size
        # (batch, height, width, filters)
        return outputs[:, :height, :width] + self.bias

    # === Cached decoding: a coarse position feeds its block for a while ===

    def output_stride(self, stride):
        return stride // self.strides

    def init_cache(self, grid):
        stride, coarse = self.strides, grid.coarser(self.strides)
        kernel = ops.cast(self.kernel, self.compute_dtype)
        size = kernel.shape[0]
        blocks = ops.reshape(kernel, (size, stride, stride, self.filters))
        weights = {
            "kernel": [
                [blocks[:, i, j] for j in range(stride)] for i in range(stride)
            ],
            "bias": ops.cast(self.bias, self.compute_dtype),
        }
        # What the coarse grid has had in its last steps, this one included.
        steps = (stride - 1) * (1 + grid.lag) // stride + 1
        coarse = coarse.zeros(size, self.compute_dtype)
        return weights, (coarse,) * steps

    def decode_step(self, weights, state, step, group, inputs):
        stride, lag = self.strides, step.grid.lag
        if step.phase % stride == 0:
            state = (known_groups(self, inputs[0], 1), *state[:-1])
        rows = []
        for row in range(stride):  # of the blocks
            column = (step.phase - lag * row) % stride
            age = (column + lag * row) // stride
            rows.append(ops.matmul(state[age], weights["kernel"][row][column]))
        lanes = (step.grid.lanes // stride, -1, self.filters)
        rows = ops.stack([ops.reshape(x, lanes) for x in rows], axis=1)
        # (coarse lanes, rows of a block, batch, filters)
        outputs = ops.reshape(rows, (-1, self.filters)) + weights["bias"]
        return [outputs], state

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, self.filters)

    def get_config(self):
        config = super().get_config()
        del config["channels"]
        return {
            **config,
            "filters": self.filters,
            "size": self.size,
            "strides": self.strides,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
