import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.checks import pair
from keras_pixel.layers.attention import Attention
from keras_pixel.layers.attention_blocks import attend_in_blocks
from keras_pixel.layers.attention_blocks import part
from keras_pixel.layers.attention_blocks import windows
from keras_pixel.layers.kv_cache import age_of_slots


@keras.saving.register_keras_serializable(package="keras_pixel")
class LocalAttention2D(Attention):
    """Attention inside blocks of the image, and to a memory around each.

    The image is cut into blocks of `query_shape` pixels. A token sees what
    comes before it in raster order, itself included, among: its own block,
    `memory_flange[0]` rows above it, and `memory_flange[1]` columns to the
    left and right of both. It sees itself, so the sequence must have been
    moved on before: by `ShiftRight`, or by a convolution with mask type "A".

    Time and memory grow linearly with the number of tokens. Blocks at the
    edges are filled up if need be. Sampling keeps the keys and values of the
    rows in reach.

    Source: Parmar et al., 2018, "Image Transformer", section 3.3 (2D local
    attention), https://arxiv.org/abs/1802.05751.
    Differs from it: the paper generates one block after the other; here
    tokens keep raster order, as in the rest of the library. So beside its
    block a token sees the rows above its own, on both sides; in the paper's
    order it sees all of the block to the left and none of that to the right.

    Args:
        num_heads: int. Divides `hidden_dim`.
        query_shape: pair of ints, rows and columns of a block in pixels.
        memory_flange: pair of ints of at least 0, rows above a block and
            columns on each side of it that it sees, in pixels.
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
    >>> layer = LocalAttention2D(2, query_shape=(2, 3), memory_flange=(1, 2))
    >>> tuple(layer(np.zeros((2, 4, 4, 8), "float32")).shape)
    (2, 4, 4, 8)
    """

    def __init__(
        self,
        num_heads,
        query_shape,
        memory_flange,
        channels=1,
        lag=None,
        **kwargs,
    ):
        super().__init__(num_heads, channels=channels, lag=lag, **kwargs)
        self.query_shape = pair("query_shape", query_shape, 1)
        self.memory_flange = pair("memory_flange", memory_flange, 0)

    def build(self, input_shape):
        super().build(input_shape)
        # In tokens, and no larger than the image.
        scale = (1, self.channels)
        size = (self.rows, self.columns)
        self.block = tuple(
            min(q * s, n)
            for q, s, n in zip(self.query_shape, scale, size, strict=True)
        )
        self.blocks = tuple(
            -(-n // b) for n, b in zip(size, self.block, strict=True)
        )
        self.flange = tuple(
            min(m * s, (n - 1) * b)
            for m, s, n, b in zip(
                self.memory_flange, scale, self.blocks, self.block, strict=True
            )
        )

    def attend(self, projected):
        heads, size = self.num_heads, self.key_dim
        (rows, columns), (height, width) = self.blocks, self.block
        below = rows * height - self.rows
        right = columns * width - self.columns
        x = projected
        if below or right:
            x = ops.pad(
                x, [[0, 0], [0, below], [0, right], [0, 0], [0, 0], [0, 0]]
            )
        x = ops.reshape(x, (-1, rows, height, columns, width, 3, heads, size))
        x = ops.transpose(x, (5, 0, 6, 1, 3, 2, 4, 7))
        # (3, batch, heads, rows, columns, height, width, key_dim) of blocks
        x = ops.reshape(x, (3, -1, rows, columns, height, width, size))
        queries, keys, values = ops.unstack(x, 3)
        keys, values = self._windows(keys), self._windows(values)
        queries, keys, values = (
            ops.reshape(y, (-1, rows * columns, y.shape[3] * y.shape[4], size))
            for y in (queries, keys, values)
        )
        outputs = attend_in_blocks(queries, keys, values, self.visible())
        blocks = (-1, heads, rows, columns, height, width, size)
        outputs = ops.transpose(
            ops.reshape(outputs, blocks), (0, 2, 4, 3, 5, 1, 6)
        )
        shape = (-1, rows * height, columns * width, heads, size)
        outputs = part(ops.reshape(outputs, shape), 1, 0, self.rows)
        return part(outputs, 2, 0, self.columns)

    def _windows(self, x):
        above, side = self.flange
        return windows(windows(x, 1, 3, above, 0), 2, 4, side, side)

    def visible(self):
        """Which places of its window a token of a block sees."""
        (rows, columns), (height, width) = self.blocks, self.block
        above, side = self.flange
        down = np.arange(-above, height)[:, None]
        along = np.arange(-side, width + side)[None, :]
        row = np.arange(height)[:, None, None, None]
        column = np.arange(width)[None, :, None, None]
        # Blocks and their margins are whole pixels.
        pixel, channel = np.divmod(column, self.channels)
        seen_pixel, seen_channel = np.divmod(along, self.channels)
        earlier = order.is_attended(
            row - down, seen_pixel - pixel, channel - seen_channel, self.lag
        )
        top = np.arange(rows)[:, None, None, None] * height + down
        left = np.arange(columns)[None, :, None, None] * width + along
        inside = (top >= 0) & (left >= 0) & (left < self.columns)
        block, window = height * width, earlier.shape[2] * earlier.shape[3]
        # (blocks, block, window)
        return ops.logical_and(
            earlier.reshape(block, window),
            inside.reshape(rows * columns, 1, window),
        )

    def sees(self, query, key):
        (height, width), (above, side) = self.block, self.flange
        place, seen = (
            token["column"] * self.channels + token["channel"]
            for token in (query, key)
        )
        top = query["row"] // height * height - above
        left = place // width * width - side
        in_columns = (seen >= left) & (seen < left + width + 2 * side)
        in_window = (key["row"] >= top) & in_columns
        return super().sees(query, key) & in_window

    def largest_age(self, grid):
        (height, width), (above, side) = self.block, self.flange
        rows = min(above + height, self.rows) - 1
        columns = min(side + width, self.columns) - 1
        return grid.lag * rows + columns // self.channels

    # === Cached decoding: the rows in reach, column after column ===

    @property
    def _rows_kept(self):
        return min(self.flange[0] + self.block[0], self.rows)

    @property
    def _columns_read(self):
        columns = self.block[1] + 2 * self.flange[1]
        # Reading all costs less than copying a part that is not much smaller.
        return self.columns if self.columns <= 2 * columns else columns

    @property
    def slots(self):
        return self._rows_kept * self.columns

    def slot(self, row, column):
        return column * self._rows_kept + row % self._rows_kept

    def cache_mask(self, row, column):
        (height, width), (above, side) = self.block, self.flange
        rows = self._rows_kept
        slots = np.arange(rows * self._columns_read, dtype="int32")
        age = age_of_slots(row, rows, ops.convert_to_tensor(slots % rows))
        place = ops.convert_to_tensor(slots // rows)
        place = place + self._first_column(column)
        left = column // width * width - side
        last = ops.where(age > 0, left + width + 2 * side - 1, column)
        in_rows = age <= ops.minimum(above + row % height, row)
        in_columns = ops.logical_and(place >= left, place <= last)
        return ops.logical_and(in_rows, in_columns)

    def read_slots(self, buffer, column):
        if self._columns_read == self.columns:
            return buffer
        size = self._rows_kept * self.key_dim
        start = (0, 0, self._first_column(column) * size)
        batch_size = ops.shape(buffer)[1]
        shape = (self.num_heads, batch_size, self._columns_read * size)
        return ops.slice(buffer, start, shape)

    def _first_column(self, column):
        first = column // self.block[1] * self.block[1] - self.flange[1]
        last = self.columns - self._columns_read
        return ops.minimum(ops.maximum(first, 0), last)

    def get_config(self):
        return {
            **super().get_config(),
            "query_shape": self.query_shape,
            "memory_flange": self.memory_flange,
        }
