import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_size
from keras_pixel.checks import pair
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import known_groups
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer
from keras_pixel.layers.shifted_conv2d import check_kernel
from keras_pixel.layers.weight_norm import lengths
from keras_pixel.layers.weight_norm import normalised


@keras.saving.register_keras_serializable(package="keras_pixel")
class ShiftedConv2DTranspose(LoraLayer, CausalLayer):
    """Transposed convolution of one of two stacks, back to a finer grid.

    Position `(i, j)` of the coarse grid stands for pixel `(strides * i,
    strides * j)` (see `ShiftedConv2D`). In the "horizontal" stack it feeds
    the pixels below and to the right of that pixel, itself included, as far
    as the kernel goes; in the "vertical" stack, whose features know finished
    rows only, also those to the left of it.

    Source: Salimans et al., 2017, "PixelCNN++", section 2.3, and the authors'
    code (`down_shifted_deconv2d`, `down_right_shifted_deconv2d`),
    https://arxiv.org/abs/1701.05517.
    Differs from it: images of odd size; `lag`; weight normalisation as in
    `ShiftedConv2D`.

    Args:
        filters: int. Number of output feature maps.
        kernel_size: int or pair of ints, rows and columns; in the vertical
            stack the columns must be odd. Large enough for every pixel to be
            fed: at least `strides`, and in the vertical stack at least
            `2 * strides - 1` columns.
        size: pair of ints, rows and columns of the finer grid.
        stack: "vertical" or "horizontal". Defaults to `"horizontal"`.
        strides: int, at least 2. Defaults to `2`.
        lag: int or `None`, see `ShiftedConv2D`. Defaults to `None`.
        weight_norm: bool, see `ShiftedConv2D`. Defaults to `False`.
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
    >>> layer = ShiftedConv2DTranspose(6, (2, 2), size=(8, 5))
    >>> tuple(layer(np.zeros((2, 4, 3, 12), "float32")).shape)
    (2, 8, 5, 6)
    """

    kernel = LoraKernel()

    def __init__(
        self,
        filters,
        kernel_size,
        size,
        stack="horizontal",
        strides=2,
        lag=None,
        weight_norm=False,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        filters = check_size("filters", filters, 1)
        strides = check_size("strides", strides, 2)
        if lag is not None:
            lag = check_size("lag", lag, 1)
        size = pair("size", size, 1)
        kernel_size = check_kernel(kernel_size, stack)
        least = (strides, strides if stack == "horizontal" else 2 * strides - 1)
        if kernel_size[0] < least[0] or kernel_size[1] < least[1]:
            raise ValueError(
                "`kernel_size` must be so large that every pixel is fed. "
                f"Received: kernel_size={kernel_size}, strides={strides}, "
                f"stack={stack!r}. Use at least {least[0]} rows and {least[1]} "
                "columns."
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.size = size
        self.stack = stack
        self.strides = strides
        self.lag = lag
        self.weight_norm = bool(weight_norm)
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
        # The mirror image of a kernel that is not transposed.
        rows_above, columns_right = (
            taps[::-1, ::-1]
            for taps in order.shifted_taps(self.kernel_size, self.stack)
        )
        self.mask = order.crop_taps(rows_above, columns_right, self.lag)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, self.filters, input_shape[-1]),
            initializer=self.kernel_initializer,
            autocast=not self.weight_norm,
        )
        if self.weight_norm:
            self.length = self.add_weight(
                name="length",
                shape=(self.filters,),
                initializer=lambda *args, **kwargs: lengths(
                    self.masked_kernel(), (0, 1, 3)
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
        """Kernel that is convolved with, masked and normalised."""
        kernel = self.masked_kernel()
        if self.weight_norm:
            kernel = normalised(kernel, self.length, (0, 1, 3))
        return ops.cast(kernel, self.compute_dtype)

    def call(self, inputs):
        (height, width), columns = self.size, self.kernel_size[1]
        outputs = ops.conv_transpose(
            inputs,
            self.effective_kernel(),
            strides=self.strides,
            padding="valid",
        )
        left = columns // 2 if self.stack == "vertical" else 0
        outputs = outputs[:, :height, left : left + width]
        # (batch, height, width, filters)
        return outputs + ops.cast(self.bias, self.compute_dtype)

    # === Cached decoding: coarse positions feed finer ones for a while ===

    def output_stride(self, stride):
        return stride // self.strides

    def _taps(self, lag):
        """How each pixel of a block is fed.

        Returns:
            Dict from a pixel's place in its block to a list of `(above,
            right, age, (row, column))`: the coarse position, seen from that
            of the block; the coarse steps since it was known; the kernel's
            tap.
        """
        stride = self.strides
        taps: dict[tuple, list] = {}
        left = self.kernel_size[1] // 2 if self.stack == "vertical" else 0
        kept = [tuple(place) for place in np.argwhere(self.mask).tolist()]
        for place in np.ndindex(stride, stride):
            taps[place] = []
            for row, column in kept:
                above, rest_of_row = divmod(row - place[0], stride)
                leftwards, rest = divmod(column - left - place[1], stride)
                if rest_of_row == 0 and rest == 0:
                    age = (place[1] + lag * place[0]) // stride
                    age += leftwards + lag * above
                    taps[place].append((above, -leftwards, age, (row, column)))
        return taps

    @property
    def least_lag(self):
        for lag in range(1, 1 + self.strides * sum(self.kernel_size)):
            taps = [tap for taps in self._taps(lag).values() for tap in taps]
            if min(age for _, _, age, _ in taps) >= 0:
                return lag
        return None

    @property
    def has_cache(self):
        return self.least_lag is not None

    def init_cache(self, grid):
        coarse = grid.coarser(self.strides)
        kernel = ops.swapaxes(self.effective_kernel(), -1, -2)
        taps = self._taps(grid.lag)
        row, column = (
            grid.places[name] // self.strides for name in ("row", "column")
        )
        lane = np.arange(coarse.lanes, dtype="int32")
        sources = {}
        for place, found in taps.items():
            for above, right, *_ in found:
                first = place[0]  # the fine lanes with this row of a block
                rows = row[:, first :: self.strides]
                seen = column[:, first :: self.strides] + right
                exists = ops.logical_and(seen >= 0, seen < coarse.width)
                exists = ops.logical_and(exists, rows >= above)
                source = (lane - above) % coarse.lanes
                source = ops.where(exists, source, coarse.lanes)
                sources[first, above, right] = ops.cast(source, "int32")
        weights = {
            "kernel": {k: kernel[k] for tap in taps.values() for *_, k in tap},
            "bias": ops.cast(self.bias, self.compute_dtype),
            "sources": sources,
        }
        steps = 1 + max(age for tap in taps.values() for _, _, age, _ in tap)
        shape = (coarse.lanes + 1, coarse.batch_size, kernel.shape[2])
        return weights, (ops.zeros(shape, self.compute_dtype),) * steps

    def decode_step(self, weights, state, step, group, inputs):
        stride, lag = self.strides, step.grid.lag
        lanes = step.grid.lanes // stride
        if step.phase % stride == 0:
            coarse = known_groups(self, inputs[0], 1)
            coarse = ops.reshape(coarse, (lanes, -1, coarse.shape[-1]))
            coarse = ops.pad(coarse, [[0, 1], [0, 0], [0, 0]])
            state = (coarse, *state[:-1])
        taps, rows = self._taps(lag), []
        coarse = step.grid.coarser(stride)
        zeros = coarse.zeros(self.filters, self.compute_dtype)
        for row in range(stride):  # of the blocks
            column = (step.phase - lag * row) % stride
            total = zeros + weights["bias"]
            for above, right, age, tap in taps[row, column]:
                source = step.at_lanes(weights["sources"][row, above, right])
                seen = ops.take(state[age], source, axis=0)
                seen = ops.reshape(seen, (-1, seen.shape[-1]))
                total = total + ops.matmul(seen, weights["kernel"][tap])
            rows.append(ops.reshape(total, (lanes, -1, self.filters)))
        outputs = ops.stack(rows, axis=1)
        # (coarse lanes, rows of a block, batch, filters)
        return [ops.reshape(outputs, (-1, self.filters))], state

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, self.filters)

    def get_config(self):
        config = super().get_config()
        del config["channels"]
        return {
            **config,
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "size": self.size,
            "stack": self.stack,
            "strides": self.strides,
            "lag": self.lag,
            "weight_norm": self.weight_norm,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
