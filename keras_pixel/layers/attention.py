"""What the attention layers share: projections, and what steps keep."""

import math

import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.layers.attention_blocks import masked_softmax
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import apart
from keras_pixel.layers.buffers import known_group
from keras_pixel.layers.kv_cache import age_of_slots
from keras_pixel.layers.kv_cache import heads_first
from keras_pixel.layers.kv_cache import heads_last
from keras_pixel.layers.kv_cache import kept_places
from keras_pixel.layers.kv_cache import write_tokens
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer
from keras_pixel.layers.tokens import from_tokens
from keras_pixel.layers.tokens import to_tokens


class Attention(LoraLayer, CausalLayer):
    """Base of the layers in which tokens attend to earlier tokens.

    A subclass says in `attend` which tokens a token sees. The projections to
    queries, keys and values have no biases, as in the paper.

    Args:
        num_heads: int. Divides the size of a token.
        channels: int. Channels of a pixel. Defaults to `1`.
        lag: int or `None`. Of the other pixels a token sees only those with
            an earlier time `column + lag * row`. Defaults to `None`.
        kernel_initializer: Initializer of the projections.
        **kwargs: Base layer arguments, such as `name` and `dtype`.
    """

    kernel = LoraKernel()
    output_kernel = LoraKernel()

    def __init__(
        self,
        num_heads,
        channels=1,
        lag=None,
        kernel_initializer="lecun_normal",
        **kwargs,
    ):
        super().__init__(channels=channels, **kwargs)
        self.num_heads = check_size("num_heads", num_heads)
        if lag is not None:
            lag = check_size("lag", lag)
        self.lag = lag
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        _, height, width, in_features = input_shape
        check_divisible("in_features", in_features, self.channels)
        hidden_dim = in_features // self.channels
        if hidden_dim % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the size of a token (features / "
                f"channels). Received: num_heads={self.num_heads}, tokens of "
                f"{hidden_dim}."
            )
        if height is None or width is None:
            raise ValueError(
                "Attention must know the height and width of its inputs. "
                f"Received: input_shape={tuple(input_shape)}. Give "
                "`keras.Input` both."
            )
        self.rows, self.columns = height, width * self.channels
        self.hidden_dim = hidden_dim
        self.key_dim = hidden_dim // self.num_heads
        # Queries, keys and values side by side, in each head after head.
        self.kernel = self.add_weight(
            name="kernel",
            shape=(hidden_dim, 3 * hidden_dim),
            initializer=self.kernel_initializer,
        )
        self.output_kernel = self.add_weight(
            name="output_kernel",
            shape=(hidden_dim, hidden_dim),
            initializer=self.kernel_initializer,
        )

    def call(self, inputs):
        tokens = to_tokens(inputs, self.channels)
        # (batch, rows, columns, hidden_dim)
        flat = ops.reshape(tokens, (-1, self.hidden_dim))
        projected = ops.matmul(flat, self.projection())
        parts = (self.rows, self.columns, 3, self.num_heads, self.key_dim)
        outputs = self.attend(ops.reshape(projected, (-1, *parts)))
        flat = ops.reshape(outputs, (-1, self.hidden_dim))
        outputs = ops.matmul(
            flat, ops.cast(self.output_kernel, self.compute_dtype)
        )
        shape = (-1, self.rows, self.columns, self.hidden_dim)
        return from_tokens(ops.reshape(outputs, shape), self.channels)

    def attend(self, projected):
        """Weighted means of the values that each token sees.

        Args:
            projected: tensor `(batch, rows, columns, 3, num_heads,
                key_dim)`: queries (scaled), keys and values of all tokens.

        Returns:
            Tensor `(batch, rows, columns, num_heads, key_dim)`.
        """
        raise NotImplementedError

    def projection(self):
        """Kernel to queries, keys and values, with the queries scaled."""
        scale = np.ones((3, self.hidden_dim), "float32")
        scale[0] = 1.0 / math.sqrt(self.key_dim)
        kernel = self.kernel
        kernel = kernel * ops.cast(scale.reshape(-1), kernel.dtype)
        return ops.cast(kernel, self.compute_dtype)

    # === Cached decoding: keys and values of what is in reach ===

    # A token's keys and values go to a slot, where they replace those of a
    # token out of reach. Along a wavefront that is a token of the same lane
    # some steps ago; in raster order there are as few slots as can be.
    # Here tokens follow one another in blocks of `self.block` with
    # `self.memory` tokens before; `LocalAttention2D` says otherwise.

    @property
    def slots(self):
        """How many tokens are kept."""
        return self.memory + self.block

    def slot(self, row, column):
        """Where a token is kept."""
        return (row * self.columns + column) % self.slots

    def cache_mask(self, row, column):
        """Which slots hold what a token sees, itself included.

        Returns:
            Bool tensor `(slots read,)`.
        """
        place = row * self.columns + column
        slots = ops.arange(self.slots, dtype="int32")
        age = age_of_slots(place, self.slots, slots)
        in_reach = self.memory + place % self.block
        return ops.logical_and(age <= in_reach, age <= place)

    def read_slots(self, buffer, column):
        """The slots that a token in `column` may see.

        Returns:
            Tensor `(num_heads, batch, slots read * key_dim)`.
        """
        return buffer

    @property
    def least_lag(self):
        return self.lag

    def largest_age(self, grid):
        """How many steps ago, at most, was drawn what a pixel sees.

        Args:
            grid: `Grid` along whose wavefront pixels are drawn.
        """
        return grid.num_steps - 1

    # One image at a time sees what is kept.
    fills_lanes = False

    def sees(self, query, key):
        """Which tokens see which, on a wavefront.

        Args:
            query: dict of int32 tensors `row`, `column` and `channel` of the
                tokens that see.
            key: likewise, of those that are seen.

        Returns:
            Bool tensor.
        """
        return order.is_attended(
            query["row"] - key["row"],
            key["column"] - query["column"],
            query["channel"] - key["channel"],
            self.lag,
        )

    def init_cache(self, grid):
        weights = {
            "projection": self.projection(),
            "output": ops.cast(self.output_kernel, self.compute_dtype),
        }
        if self.lag is None:
            slots = self.slots
        else:
            slots = self._steps_kept(grid) * self.channels * grid.lanes
        # The slots of an image lie side by side: a matrix for each head.
        shape = (self.num_heads, grid.batch_size, slots * self.key_dim)
        state = {
            "keys": ops.zeros(shape, self.compute_dtype),
            "values": ops.zeros(shape, self.compute_dtype),
        }
        return weights, state

    def decode_step(self, weights, state, step, group, inputs):
        token = known_group(self, inputs[0], group)
        lanes, size = step.grid.lanes, self.key_dim
        projected = ops.matmul(token, weights["projection"])
        query, *new = (
            heads_first(x, lanes, self.num_heads)
            for x in ops.split(projected, 3, axis=-1)
        )  # (num_heads, batch, lanes, key_dim)
        if self.lag is None:
            row = step.row[0]
            column = step.raster_column * self.channels + group
            slot = self.slot(row, column)
            visible = apart(step, lambda: self.cache_mask(row, column))
        else:
            steps = self._steps_kept(step.grid)
            slot = (step.place(steps) * self.channels + group) * lanes
            visible = apart(step, lambda: self._visible(steps, step, group))
        kept = {
            name: write_tokens(state[name], slot, value)
            for name, value in zip(("keys", "values"), new, strict=True)
        }
        seen = kept
        if self.lag is None:
            seen = {k: self.read_slots(x, column) for k, x in kept.items()}
        shape = (self.num_heads, -1, visible.shape[-1], size)
        keys, values = (ops.reshape(x, shape) for x in seen.values())
        # (num_heads, batch, slots read, key_dim)
        scores = ops.matmul(query, ops.swapaxes(keys, -1, -2))
        outputs = ops.matmul(masked_softmax(scores, visible), values)
        outputs = ops.matmul(heads_last(outputs), weights["output"])
        return [outputs], kept  # (positions, hidden_dim)

    def _steps_kept(self, grid):
        return min(self.largest_age(grid) + 1, grid.num_steps)

    def _visible(self, steps, step, group):
        """Which of the kept tokens those of this step see.

        Returns:
            Bool tensor `(lanes, steps * channels * lanes)`.
        """
        places = kept_places(step, steps, self.channels)
        query = {
            "row": step.row[:, None],
            "column": step.column[:, None],
            "channel": group,
        }
        return ops.logical_and(self.sees(query, places), places["is_pixel"])

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "lag": self.lag,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
