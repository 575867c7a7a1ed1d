import keras
from keras import ops

from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.layers import recurrence
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import known_group
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer
from keras_pixel.layers.tokens import from_tokens
from keras_pixel.layers.tokens import to_tokens


@keras.saving.register_keras_serializable(package="keras_pixel")
class ScanlineLSTM(LoraLayer, CausalLayer):
    """LSTM over the sub-pixels in raster order: one step for each.

    The simplest recurrent model of an image: a language model over its
    levels. All channels share the weights. A sub-pixel sees itself and all
    before it, so use `ShiftRight` once before all of them.

    Source: Graves, 2013, "Generating Sequences With Recurrent Neural
    Networks", section 2.1, https://arxiv.org/abs/1308.0850.
    Differs from it: no peephole connections; the forget gate starts at a
    bias of 1.

    Args:
        hidden_dim: int. Hidden features of a sub-pixel.
        channels: int. Channels of a pixel; features are tokens of them, see
            `keras_pixel.layers.tokens`. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor, tokens shifted by one place.

    Input shape:
        `(batch, height, width, in_features)`

    Output shape:
        `(batch, height, width, channels * hidden_dim)`

    Raises:
        ValueError: if `hidden_dim` is not positive, or `in_features` is not
            divisible by `channels`.

    Example:

    >>> import numpy as np
    >>> layer = ScanlineLSTM(5, channels=3)
    >>> tuple(layer(np.zeros((2, 4, 4, 12), "float32")).shape)
    (2, 4, 4, 15)
    """

    input_kernel = LoraKernel()
    kernel = LoraKernel()

    def __init__(self, hidden_dim, channels=1, **kwargs):
        super().__init__(channels=channels, **kwargs)
        hidden_dim = check_size("hidden_dim", hidden_dim)
        self.hidden_dim = hidden_dim
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        in_features = input_shape[-1]
        check_divisible("in_features", in_features, self.channels)
        self.input_kernel = self.add_weight(
            name="input_kernel",
            shape=(in_features // self.channels, 4 * self.hidden_dim),
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.hidden_dim, 4 * self.hidden_dim),
            initializer="orthogonal",
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(4 * self.hidden_dim,),
            initializer=recurrence.gate_bias,
        )

    def call(self, inputs):
        dtype = self.compute_dtype
        tokens = to_tokens(inputs, self.channels)
        _, height, columns, size = tokens.shape
        tokens = ops.reshape(tokens, (-1, height * columns, size))
        tokens = ops.transpose(tokens, (1, 0, 2))  # (time, batch, size)
        gates = ops.matmul(tokens, ops.cast(self.input_kernel, dtype))
        gates = gates + ops.cast(self.bias, dtype)
        kernel = ops.cast(self.kernel, dtype)
        hidden = recurrence.lstm(gates[:, None, None], kernel[None])
        hidden = ops.transpose(hidden[:, 0, 0], (1, 0, 2))
        hidden = ops.reshape(hidden, (-1, height, columns, self.hidden_dim))
        return from_tokens(hidden, self.channels)

    # === Cached decoding: a token is a channel group of a pixel ===

    @property
    def least_lag(self):
        return None

    def init_cache(self, grid):
        dtype = self.compute_dtype
        weights = {
            "input_kernel": ops.cast(self.input_kernel, dtype),
            "kernel": ops.cast(self.kernel, dtype),
            "bias": ops.cast(self.bias, dtype),
        }
        zeros = ops.zeros((grid.batch_size, self.hidden_dim), dtype)
        return weights, (
            zeros,
            ops.cast(zeros, recurrence.cell_dtype(dtype)),
        )

    def decode_step(self, weights, state, step, group, inputs):
        hidden, cell = state
        token = known_group(self, inputs[0], group)
        gates = ops.matmul(token, weights["input_kernel"])
        gates = gates + ops.matmul(hidden, weights["kernel"])
        state = recurrence.lstm_cell(gates + weights["bias"], cell)
        return [state[0]], state  # (batch, hidden_dim)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.channels * self.hidden_dim)

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}
