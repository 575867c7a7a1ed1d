import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_size
from keras_pixel.layers.attention import Attention
from keras_pixel.layers.attention_blocks import attend_in_blocks
from keras_pixel.layers.attention_blocks import part
from keras_pixel.layers.attention_blocks import windows


@keras.saving.register_keras_serializable(package="keras_pixel")
class LocalAttention1D(Attention):
    """Attention inside blocks of the sequence, and to a memory before each.

    The sequence of sub-pixels in raster order is cut into blocks of
    `query_length` pixels. A token sees itself, the tokens before it in its
    block, and the last `memory_length` pixels before the block. It sees
    itself, so the sequence must have been moved on before: by `ShiftRight`,
    or by a convolution with mask type "A".

    Time and memory grow linearly with the number of tokens. The last block
    is filled up if need be. Sampling keeps the keys and values of one block
    and its memory.

    Source: Parmar et al., 2018, "Image Transformer", section 3.3 (1D local
    attention), https://arxiv.org/abs/1802.05751.
    Differs from it: blocks and memory hold whole pixels, where the paper
    counts sub-pixels.

    Args:
        num_heads: int. Divides `hidden_dim`.
        query_length: int. Pixels of a block.
        memory_length: int, at least 0. Pixels before a block that it sees.
        channels: int. Channels of a pixel; features are tokens of them, see
            `keras_pixel.layers.tokens`. Defaults to `1`.
        lag: int or `None`. Of the other pixels a token sees only what a
            wavefront of this lag has drawn before: those with an earlier time
            `column + lag * row` (`keras_pixel.order.is_past`). Defaults to
            `None`: all of them in raster order.
        kernel_initializer: Initializer of the projections. Defaults to
            `"lecun_normal"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features.

    Input shape:
        `(batch, height, width, channels * hidden_dim)`

    Output shape:
        That of the inputs.

    Raises:
        ValueError: if an argument is out of range, the features don't split
            into `channels`, the tokens don't split into `num_heads`, or
            height or width is unknown.

    Example:

    >>> import numpy as np
    >>> layer = LocalAttention1D(num_heads=2, query_length=5, memory_length=3)
    >>> tuple(layer(np.zeros((2, 4, 4, 8), "float32")).shape)
    (2, 4, 4, 8)
    """

    def __init__(
        self,
        num_heads,
        query_length,
        memory_length,
        channels=1,
        lag=None,
        **kwargs,
    ):
        super().__init__(num_heads, channels=channels, lag=lag, **kwargs)
        query_length = check_size("query_length", query_length)
        memory_length = check_size("memory_length", memory_length, 0)
        self.query_length = query_length
        self.memory_length = memory_length

    def build(self, input_shape):
        super().build(input_shape)
        tokens = self.rows * self.columns
        # In tokens, and no more than there are.
        self.block = min(self.query_length * self.channels, tokens)
        self.blocks = -(-tokens // self.block)
        self.memory = min(
            self.memory_length * self.channels, (self.blocks - 1) * self.block
        )

    def attend(self, projected):
        heads, size = self.num_heads, self.key_dim
        tokens = self.rows * self.columns
        x = ops.reshape(projected, (-1, tokens, 3, heads, size))
        surplus = self.blocks * self.block - tokens
        if surplus:
            x = ops.pad(x, [[0, 0], [0, surplus], [0, 0], [0, 0], [0, 0]])
        x = ops.reshape(x, (-1, self.blocks, self.block, 3, heads, size))
        x = ops.transpose(x, (3, 0, 4, 1, 2, 5))
        # (3, batch, heads, blocks, block, key_dim)
        x = ops.reshape(x, (3, -1, self.blocks, self.block, size))
        queries, *seen = ops.unstack(x, 3)
        keys, values = (windows(y, 1, 2, self.memory, 0) for y in seen)
        outputs = attend_in_blocks(queries, keys, values, self.visible())
        shape = (-1, heads, self.blocks * self.block, size)
        outputs = ops.reshape(outputs, shape)
        if surplus:
            outputs = part(outputs, 2, 0, tokens)
        outputs = ops.transpose(outputs, (0, 2, 1, 3))
        return ops.reshape(outputs, (-1, self.rows, self.columns, heads, size))

    def visible(self):
        """Which places of its window a token of a block sees."""
        start = np.arange(self.blocks)[:, None, None] * self.block
        seeing = start + np.arange(self.block)[:, None]
        seen = start + np.arange(-self.memory, self.block)
        rows, columns, channels = (
            first - second
            for first, second in zip(
                self._places(seeing), self._places(seen), strict=True
            )
        )
        # (blocks, block, window)
        return (seen >= 0) & order.is_attended(
            rows, -columns, channels, self.lag
        )

    def _places(self, tokens):
        """Rows, columns and channels of tokens of the sequence."""
        row, column = np.divmod(tokens, self.columns)
        return row, *np.divmod(column, self.channels)

    def sees(self, query, key):
        first = self._place(query) // self.block * self.block - self.memory
        return super().sees(query, key) & (self._place(key) >= first)

    def largest_age(self, grid):
        width = self.columns // self.channels
        # The first token of a pixel may see the last one of another.
        reach = (self.memory + self.block + self.channels - 2) // self.channels
        # So many rows above, and as far to the left as the reach allows.
        return max(
            grid.lag * above + min(width - 1, reach - above * width)
            for above in range(reach // width + 2)
        )

    def _place(self, token):
        column = token["column"] * self.channels + token["channel"]
        return token["row"] * self.columns + column

    def get_config(self):
        return {
            **super().get_config(),
            "query_length": self.query_length,
            "memory_length": self.memory_length,
        }
