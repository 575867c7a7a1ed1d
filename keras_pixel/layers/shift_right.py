import keras
from keras import ops

from keras_pixel.checks import check_divisible
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.tokens import from_tokens
from keras_pixel.layers.tokens import to_tokens


@keras.saving.register_keras_serializable(package="keras_pixel")
class ShiftRight(CausalLayer):
    """Move every sub-pixel one place on: each sees the one before it.

    A trainable start token comes first, and the last sub-pixel drops out.
    It is to layers over the sequence of sub-pixels (attention, LSTM) what
    mask type "A" is to convolutions: use it once, before all of them.

    Source: Parmar et al., 2018, "Image Transformer", section 3,
    https://arxiv.org/abs/1802.05751 (and every language model).

    Args:
        channels: int. Channels of a pixel; features are tokens of them, see
            `keras_pixel.layers.tokens`. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor, scaled image values or embedded levels.

    Input shape:
        `(batch, height, width, channels * hidden_dim)`

    Output shape:
        That of the inputs.

    Raises:
        ValueError: if the features don't split into `channels`.

    Example:

    >>> import numpy as np
    >>> image = np.arange(1.0, 5.0).reshape((1, 2, 2, 1))
    >>> shifted = ShiftRight()(image)  # the start token is 0 at first
    >>> [float(x) for x in np.array(shifted).reshape(-1)]
    [0.0, 1.0, 2.0, 3.0]
    """

    def __init__(self, channels=1, **kwargs):
        super().__init__(channels=channels, **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        features = input_shape[-1]
        check_divisible("in_features", features, self.channels)
        self.start = self.add_weight(
            name="start",
            shape=(features // self.channels,),
            initializer="zeros",
        )

    def call(self, inputs):
        tokens = to_tokens(inputs, self.channels)
        _, height, columns, hidden_dim = tokens.shape
        tokens = ops.reshape(tokens, (-1, height * columns, hidden_dim))
        start = ops.zeros_like(tokens[:, :1])
        start = start + ops.cast(self.start, self.compute_dtype)
        tokens = ops.concatenate([start, tokens[:, :-1]], axis=1)
        # (batch, height * width * channels, hidden_dim)
        tokens = ops.reshape(tokens, (-1, height, columns, hidden_dim))
        return from_tokens(tokens, self.channels)

    # === Cached decoding ===

    @property
    def sees_pixel(self):
        return False

    @property
    def least_lag(self):
        return None

    def init_cache(self, grid):
        batch_size = grid.batch_size
        dtype = self.compute_dtype
        start = ops.cast(self.start, dtype)
        state = {
            # The last sub-pixel of the pixel before, of any row.
            "last": ops.zeros((batch_size, start.shape[0]), dtype),
            # 1 until there is one: first states hold one number each.
            "at_start": ops.ones((batch_size, 1), dtype),
        }
        return start, state

    def decode_step(self, weights, state, step, group, inputs):
        if group:
            return [inputs[0][group - 1]], state
        return [state["last"] + state["at_start"] * weights], state

    def finish_pixel(self, weights, state, step, inputs):
        return {
            "last": inputs[0][self.channels - 1],
            "at_start": ops.zeros_like(state["at_start"]),
        }

    def compute_output_shape(self, input_shape):
        return input_shape
