import math

import keras
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_size
from keras_pixel.layers.attention_blocks import HIDDEN
from keras_pixel.layers.base import CausalLayer


@keras.saving.register_keras_serializable(package="keras_pixel")
class StrictAttention2D(CausalLayer):
    """Pixels attend to earlier pixels, never to themselves.

    Because a pixel does not see itself, keys and values may be made of the
    image itself, and queries of features that know earlier pixels only. The
    first pixel sees nothing: its output is exactly 0. There are no weights:
    projections to queries, keys and values are layers of their own.

    Time and memory grow with the square of the number of pixels (32×32: a
    matrix of a million scores for each image and head). The softmax is
    computed in float32.

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
    >>> float(outputs[0, 0, 0, 0]), float(outputs[0, 0, 1, 0])
    (0.0, 1.0)
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
            scores = ops.where(self.mask, ops.cast(scores, "float32"), HIDDEN)
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
