import keras
from keras import ops

from keras_pixel.checks import check_divisible
from keras_pixel.layers import recurrence
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import channel_major
from keras_pixel.layers.buffers import known_groups
from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.buffers import write_at
from keras_pixel.layers.diagonal_lstm import DiagonalLSTM
from keras_pixel.layers.diagonal_lstm import scan_diagonals
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer


@keras.saving.register_keras_serializable(package="keras_pixel")
class DiagonalBiLSTM(LoraLayer, CausalLayer):
    """Two LSTMs along diagonals that together see the whole past.

    One goes from the upper left corner (`DiagonalLSTM`), one from the upper
    right. The right one is shifted down by one row before it is added, so
    that no pixel sees itself or pixels to its right. Both go in one scan of
    `height + width - 1` steps.

    As the right one is shifted down, it is made of finished rows only. So its
    input-to-state part needs no mask, and it may be given more than the left
    one: a second input, in which a value may see itself. Without the image as
    second input, a model whose first layer has mask A shows nobody the last
    pixel of the row above, except where the first kernel reaches it.

    Source: van den Oord et al., 2016, "Pixel Recurrent Neural Networks",
    section 3.2, figures 2 and 3, https://arxiv.org/abs/1601.06759.
    Differs from it: the right one has no mask and may have inputs of its own;
    the forget gates start at a bias of 1; the residual connection and the
    1×1 convolution up to the input's features are layers of their own (see
    `PixelRNN`).

    Args:
        filters: int. Hidden features of each LSTM (`h` of the paper). Must be
            divisible by `channels`.
        channels: int. Channel groups to keep in order. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features in which no value sees itself; or a
            list of it and a tensor in which a value may see itself (such as
            scaled levels), for the right LSTM alone.

    Input shape:
        `(batch, height, width, in_features)`, or a list of two such.

    Output shape:
        `(batch, height, width, filters)`

    Raises:
        ValueError: if `filters` or `in_features` is not divisible by
            `channels`, or there are more than two inputs or of other sizes.

    Example:

    >>> import numpy as np
    >>> layer = DiagonalBiLSTM(6, channels=3)
    >>> tuple(layer(np.zeros((2, 8, 8, 12), "float32")).shape)
    (2, 8, 8, 6)
    """

    right_input_kernel = LoraKernel()
    right_kernel = LoraKernel()

    def __init__(self, filters, channels=1, **kwargs):
        super().__init__(channels=channels, **kwargs)
        self.filters = filters
        self.left = DiagonalLSTM(
            filters, channels=channels, dtype=self.dtype_policy, name="left"
        )

    def build(self, input_shape):
        shapes = [tuple(shape) for shape in _as_list(input_shape)]
        if len(shapes) > 2 or any(
            len(shape) != 4 or shape[1:3] != shapes[0][1:3] for shape in shapes
        ):
            raise ValueError(
                "`inputs` must be one tensor (batch, height, width, "
                "in_features), or two of the same height and width. "
                f"Received: inputs.shape={input_shape}. Join more of them "
                "with `keras.layers.Concatenate`."
            )
        self.left.build(shapes[0])
        self.in_features = [shape[-1] for shape in shapes]
        for features in self.in_features:
            check_divisible("in_features", features, self.channels)
        self.right_input_kernel = self.add_weight(
            name="right_input_kernel",
            shape=(sum(self.in_features), 4 * self.filters),
        )
        self.right_bias = self.add_weight(
            name="right_bias",
            shape=(4 * self.filters,),
            initializer=recurrence.gate_bias,
        )
        # The pixel to the right, then the pixel above.
        self.right_kernel = self.add_weight(
            name="right_kernel",
            shape=(2, self.filters, 4 * self.filters),
            initializer="orthogonal",
        )

    def call(self, inputs):
        dtype = self.compute_dtype
        inputs = [ops.transpose(x, (1, 2, 0, 3)) for x in _as_list(inputs)]
        # (height, width, batch, in_features)
        flipped = ops.flip(ops.concatenate(inputs, axis=-1), axis=1)
        gates = ops.matmul(flipped, ops.cast(self.right_input_kernel, dtype))
        gates = gates + ops.cast(self.right_bias, dtype)
        kernel = ops.cast(self.right_kernel, dtype)
        kernel = ops.reshape(kernel, (-1, 4 * self.filters))
        left, right = scan_diagonals(
            [self.left.gates(inputs[0]), gates],
            [self.left.flat_kernel(), kernel],
        )
        right = ops.flip(right[:-1], axis=1)
        right = ops.concatenate([ops.zeros_like(left[:1]), right], axis=0)
        return ops.transpose(left + right, (2, 0, 1, 3))

    # === Cached decoding: the right LSTM is row work ===

    @property
    def least_lag(self):
        return None

    def available_at(self, inputs):
        # The second input is seen in finished rows only.
        return super().available_at(inputs[:1])

    def init_cache(self, grid):
        dtype, batch_size, width = (
            self.compute_dtype,
            grid.batch_size,
            grid.width,
        )
        left, left_state = self.left.init_cache(grid)
        # Pixels are kept channel by channel, one input after the other.
        first = self.in_features[0]
        input_kernel = ops.cast(self.right_input_kernel, dtype)
        input_kernel = ops.concatenate(
            [
                channel_major(part, self.channels, axes=(0,))
                for part in (input_kernel[:first], input_kernel[first:])
            ],
            axis=0,
        )
        kernel = ops.cast(self.right_kernel, dtype)
        weights = {
            "left": left,
            "input_kernel": self._gates_channel_major(input_kernel),
            "bias": self._gates_channel_major(ops.cast(self.right_bias, dtype)),
            "kernel": self._gates_channel_major(
                channel_major(kernel, self.channels, axes=(1,))
            ),
        }
        features = sum(self.in_features)
        state = {
            "left": left_state,
            # This row's pixels, until they are those of the row above.
            "row": ops.zeros((width, batch_size, features), dtype),
            "right": ops.zeros((width, batch_size, self.filters), dtype),
            # 0 for the first row, which has nothing above it.
            "begun": ops.zeros((batch_size, 1), dtype),
        }
        return weights, state

    def start_row(self, weights, state, rows):
        # The right LSTM over the finished row; `right` is what it had in the
        # row above that.
        to_right, above = weights["kernel"][0], weights["kernel"][1]
        gates = ops.matmul(state["row"], weights["input_kernel"])
        gates = gates + ops.matmul(state["right"], above) + weights["bias"]
        hidden, _ = recurrence.run_lstm(
            gates[:, None, None], to_right[None], reverse=True
        )
        right = hidden[:, 0, 0] * state["begun"]  # (width, batch, filters)
        return [None], {
            **state,
            "right": right,
            "begun": ops.ones_like(state["begun"]),
        }

    def decode_step(self, weights, state, step, group, inputs):
        (outputs,), left = self.left.decode_step(
            weights["left"], state["left"], step, group, inputs[:1]
        )
        size = self.filters // self.channels
        right = read_at(state["right"], step.raster_column)
        outputs = outputs + right[:, group * size : (group + 1) * size]
        return [outputs], {**state, "left": left}

    def finish_pixel(self, weights, state, step, inputs):
        left = self.left.finish_pixel(
            weights["left"], state["left"], step, inputs[:1]
        )
        pixel = [known_groups(self, x, self.channels) for x in inputs]
        pixel = ops.concatenate(pixel, axis=-1)
        row = write_at(state["row"], step.raster_column, pixel)
        return {**state, "left": left, "row": row}

    def _gates_channel_major(self, weights):
        """Features of each gate put channel by channel."""
        if self.channels == 1:
            return weights
        shape = weights.shape
        parted = ops.reshape(weights, (*shape[:-1], 4, self.filters))
        parted = channel_major(parted, self.channels, axes=(-1,))
        return ops.reshape(parted, shape)

    def compute_output_shape(self, input_shape):
        return (*_as_list(input_shape)[0][:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def _as_list(inputs):
    """Tensors or shapes of one or two inputs."""
    if not isinstance(inputs, (list, tuple)) or isinstance(
        inputs[-1], (int, type(None))
    ):
        return [inputs]
    return list(inputs)
