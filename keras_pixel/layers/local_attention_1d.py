import keras
import numpy as np
from keras import ops

from keras_pixel.layers.attention import Attention
from keras_pixel.layers.attention import attend_in_blocks
from keras_pixel.layers.attention import part
from keras_pixel.layers.attention import windows


@keras.saving.register_keras_serializable(package="keras_pixel")
class LocalAttention1D(Attention):
    def __init__(
        self, num_heads, query_length, memory_length, channels=1, **kwargs
    ):
        super().__init__(num_heads, channels=channels, **kwargs)
        self.query_length = query_length
        self.memory_length = memory_length

    def build(self, input_shape):
        super().build(input_shape)
        tokens = self.rows * self.columns
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
        place = np.arange(-self.memory, self.block)
        earlier = place <= np.arange(self.block)[:, None]
        inside = np.arange(self.blocks)[:, None] * self.block + place >= 0
        # (blocks, block, window)
        return ops.logical_and(earlier, inside[:, None, :])
