import math

import keras
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_size
from keras_pixel.layers.attention_blocks import HIDDEN
from keras_pixel.layers.base import Available
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import apart
from keras_pixel.layers.buffers import at_least_float32
from keras_pixel.layers.buffers import known_groups
from keras_pixel.layers.kv_cache import heads_first
from keras_pixel.layers.kv_cache import heads_last
from keras_pixel.layers.kv_cache import token_places
from keras_pixel.layers.kv_cache import write_tokens


@keras.saving.register_keras_serializable(package="keras_pixel")
class StrictAttention2D(CausalLayer):
    """Pixels attend to earlier pixels, never to themselves.

    Because a pixel does not see itself, keys and values may be made of the
    image itself, and queries of features that know earlier pixels only. The
    first pixel sees nothing: its output is exactly 0. There are no weights:
    projections to queries, keys and values are layers of their own.

    Time and memory grow with the square of the number of pixels (32×32: a
    matrix of a million scores for each image and head). The softmax is
    computed in float32 at least.

    Source: Chen et al., 2018, "PixelSNAIL", section 2,
    https://arxiv.org/abs/1712.09763.
    Differs from it: several heads; `lag`.

    Args:
        key_dim: int. Features of a key and of a query, for each head.
        num_heads: int. Defaults to `1`.
        lag: int or `None`. A pixel sees only what a wavefront of this lag has
            drawn before it: pixels with an earlier time `column + lag * row`,
            in no row below (`keras_pixel.order.is_past`). Defaults to `None`:
            all pixels before it in raster order.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: list of two float tensors: queries, head after head; and keys
            and values, first the keys head after head, then the values.

    Input shape:
        `(batch, height, width, num_heads * key_dim)` and `(batch, height,
        width, num_heads * (key_dim + value_dim))`

    Output shape:
        `(batch, height, width, num_heads * value_dim)`

    Raises:
        ValueError: if an argument is out of range, the inputs don't fit
            `key_dim` and `num_heads`, or height or width is unknown.

    Example:

    >>> import numpy as np
    >>> layer = StrictAttention2D(key_dim=4)
    >>> queries = np.zeros((2, 3, 3, 4), "float32")
    >>> keys_values = np.ones((2, 3, 3, 4 + 6), "float32")
    >>> outputs = np.array(layer([queries, keys_values]))
    >>> bool((outputs[:, 0, 0] == 0).all())  # nothing lies before it
    True
    >>> np.allclose(outputs[:, 0, 1], 1)
    True
    """

    def __init__(self, key_dim, num_heads=1, lag=None, **kwargs):
        super().__init__(**kwargs)
        key_dim = check_size("key_dim", key_dim, 1)
        num_heads = check_size("num_heads", num_heads, 1)
        if lag is not None:
            lag = check_size("lag", lag, 1)
        self.key_dim = key_dim
        self.num_heads = num_heads
        self.lag = lag

    def build(self, input_shape):
        queries, keys_values = input_shape
        size = self.num_heads * self.key_dim
        if queries[-1] != size:
            raise ValueError(
                "The queries must have `num_heads` * `key_dim` features. "
                f"Received: {queries[-1]} features, "
                f"num_heads={self.num_heads}, key_dim={self.key_dim}. "
                f"Use {size}."
            )
        of_values = keys_values[-1] - size
        if of_values < 1 or of_values % self.num_heads:
            raise ValueError(
                "Keys and values must have `num_heads` * (`key_dim` + "
                f"value_dim) features. Received: {keys_values[-1]} features, "
                f"num_heads={self.num_heads}, key_dim={self.key_dim}. "
                f"Use {size + self.num_heads}, {size + 2 * self.num_heads}, …"
            )
        if None in queries[1:3]:
            raise ValueError(
                "Attention must know the height and width of its inputs. "
                f"Received: input_shape={tuple(queries)}. Give `keras.Input` "
                "both."
            )
        self.value_dim = of_values // self.num_heads
        self.mask = order.attention_mask((*queries[1:3], 1), self.lag, True)

    def call(self, inputs):
        queries, keys_values = inputs
        _, height, width, size = queries.shape
        queries = self._heads(queries, self.key_dim)
        keys = self._heads(keys_values[..., :size], self.key_dim)
        values = self._heads(keys_values[..., size:], self.value_dim)
        # (batch, num_heads, pixels, key_dim or value_dim)
        if height * width == 1:  # nothing to see, and Keras would warn
            outputs = ops.zeros_like(values)
        else:
            queries = queries * (1.0 / math.sqrt(self.key_dim))
            scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
            # (batch, num_heads, pixels that see, pixels that are seen)
            # Replaced, not added to: nothing hidden leaks, not even an inf.
            scores = ops.where(self.mask, at_least_float32(scores), HIDDEN)
            weights = ops.cast(ops.softmax(scores, axis=-1), values.dtype)
            outputs = ops.matmul(weights, values)
            # A softmax over nothing but hidden scores is even, not 0.
            sees = self.mask.any(axis=-1, keepdims=True)
            outputs = ops.where(sees, outputs, ops.zeros_like(outputs))
        outputs = ops.transpose(outputs, (0, 2, 1, 3))
        shape = (-1, height, width, self.num_heads * self.value_dim)
        return ops.reshape(outputs, shape)

    def _heads(self, features, size):
        _, height, width, _ = features.shape
        shape = (-1, height * width, self.num_heads, size)
        return ops.transpose(ops.reshape(features, shape), (0, 2, 1, 3))

    # === Cached decoding: keys and values of all pixels are kept ===

    fills_lanes = False  # one image at a time sees what is kept
    takes_lanes = True  # pixels are found by their rows and columns

    @property
    def least_lag(self):
        return self.lag

    def available_at(self, inputs):
        # Keys and values may be those of the finished pixel.
        known = inputs[0] <= Available.PIXEL
        return [Available.PIXEL if known else Available.AFTER]

    def init_cache(self, grid):
        pixels = grid.num_steps * grid.lanes
        sizes = {"keys": self.key_dim, "values": self.value_dim}
        state = {
            name: ops.zeros(
                (self.num_heads, grid.batch_size, pixels * size),
                self.compute_dtype,
            )
            for name, size in sizes.items()
        }
        return token_places(grid), state

    def decode_step(self, weights, state, step, group, inputs):
        query = known_groups(self, inputs[0], 1)
        query = heads_first(query, step.grid.lanes, self.num_heads)
        query = query * (1.0 / math.sqrt(self.key_dim))
        keys, values = (
            ops.reshape(
                state[name], (self.num_heads, -1, weights["row"].shape[0], size)
            )
            for name, size in (
                ("keys", self.key_dim),
                ("values", self.value_dim),
            )
        )  # (num_heads, batch, pixels, key_dim or value_dim)
        visible = apart(step, lambda: self._visible(weights, step))
        if visible.shape[-1] == 1:  # nothing to see, and Keras would warn
            outputs = ops.zeros_like(query[..., :1]) + 0.0 * values
        else:
            scores = ops.matmul(query, ops.swapaxes(keys, -1, -2))
            scores = ops.where(visible, at_least_float32(scores), HIDDEN)
            shares = ops.cast(ops.softmax(scores, axis=-1), values.dtype)
            outputs = ops.matmul(shares, values)
            sees = ops.any(visible, axis=-1)[:, None]
            outputs = ops.where(sees, outputs, ops.zeros_like(outputs))
        return [heads_last(outputs)], state  # (positions, heads * value_dim)

    def _visible(self, places, step):
        """Which of all pixels those of this step see: `(lanes, pixels)`."""
        visible = order.is_past(
            step.row[:, None] - places["row"],
            places["column"] - step.column[:, None],
            self.lag,
        )
        return ops.logical_and(visible, places["is_pixel"])

    def finish_pixel(self, weights, state, step, inputs):
        pixel = known_groups(self, inputs[1], 1)
        size, lanes = self.num_heads * self.key_dim, step.grid.lanes
        parts = {"keys": pixel[:, :size], "values": pixel[:, size:]}
        return {
            name: write_tokens(
                state[name],
                step.time * lanes,
                heads_first(part, lanes, self.num_heads),
            )
            for name, part in parts.items()
        }

    def compute_output_shape(self, input_shape):
        queries, keys_values = input_shape
        of_keys = self.num_heads * self.key_dim
        return (*queries[:-1], keys_values[-1] - of_keys)

    def get_config(self):
        config = super().get_config()
        del config["channels"]
        return {
            **config,
            "key_dim": self.key_dim,
            "num_heads": self.num_heads,
            "lag": self.lag,
        }
