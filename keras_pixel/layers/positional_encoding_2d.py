import keras
import numpy as np
from keras import ops

from keras_pixel.layers.causal_layer import CausalLayer
from keras_pixel.layers.causal_layer import check_divisible
from keras_pixel.layers.incremental import known_group
from keras_pixel.layers.incremental import read_at
from keras_pixel.layers.tokens import from_tokens

KINDS = ("learned", "sinusoidal")


@keras.saving.register_keras_serializable(package="keras_pixel")
class PositionalEncoding2D(CausalLayer):
    def __init__(self, channels=1, kind="learned", **kwargs):
        super().__init__(channels=channels, **kwargs)
        if kind not in KINDS:
            raise ValueError(
                '`kind` must be "learned" or "sinusoidal". '
                f"Received: kind={kind!r}"
            )
        self.kind = kind

    def build(self, input_shape):
        _, height, width, features = input_shape
        check_divisible("in_features", features, self.channels)
        if height is None or width is None:
            raise ValueError(
                "Positions must be numbered within a known height and width. "
                f"Received: input_shape={tuple(input_shape)}. Give "
                "`keras.Input` both."
            )
        self.size = (height, width)
        self.hidden_dim = features // self.channels
        if self.kind == "sinusoidal":
            return
        for name, number in (
            ("row", height),
            ("column", width),
            ("channel", self.channels),
        ):
            if name == "channel" and number == 1:
                continue  # would be added to every token alike
            table = self.add_weight(
                name=f"{name}_table",
                shape=(number, self.hidden_dim),
                initializer=keras.initializers.RandomNormal(0.0, 0.02),
            )
            setattr(self, f"{name}_table", table)

    def call(self, inputs):
        rows, tokens = self.tables()
        grid = rows[None, :, None] + tokens[None, None]
        # (1, height, width * channels, hidden_dim)
        return inputs + from_tokens(grid, self.channels)

    def tables(self):
        """What is added to a token for its row, and for its place in it.

        Returns:
            Tensors `(height, hidden_dim)` and `(width * channels,
            hidden_dim)`.
        """
        height, width = self.size
        if self.kind == "sinusoidal":
            half = self.hidden_dim // 2
            rest = self.hidden_dim - half
            rows = np.pad(_waves(height, half), [[0, 0], [0, rest]])
            tokens = _waves(width * self.channels, rest)
            tokens = np.pad(tokens, [[0, 0], [half, 0]])
        else:
            rows, tokens = self.row_table, self.column_table
            if self.channels > 1:
                tokens = tokens[:, None] + self.channel_table
                tokens = ops.reshape(tokens, (-1, self.hidden_dim))
        dtype = self.compute_dtype
        return ops.cast(rows, dtype), ops.cast(tokens, dtype)

    # === Incremental face ===

    def begin_image(self, batch_size, width):
        # The number of the row.
        return self.tables(), ops.zeros((batch_size, 1), "int32") - 1

    def begin_row(self, weights, state, rows):
        return [None], state + 1

    def step(self, weights, state, column, group, inputs):
        rows, tokens = weights
        place = read_at(rows, state[0, 0])
        place = place + read_at(tokens, column * self.channels + group)
        return [known_group(self, inputs[0], group) + place], state

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


def _waves(count, size):
    """Sines and cosines of the place, at falling frequencies."""
    feature = np.arange(size)
    frequency = 10000.0 ** (-(feature // 2 * 2) / max(size, 1))
    angle = np.arange(count)[:, None] * frequency
    waves = np.where(feature % 2, np.cos(angle), np.sin(angle))
    return waves.astype("float32")
