import keras
import numpy as np
from keras import ops

from keras_pixel.checks import check_choice
from keras_pixel.checks import check_divisible
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import known_group
from keras_pixel.layers.tokens import from_tokens

KINDS = ("learned", "sinusoidal")


@keras.saving.register_keras_serializable(package="keras_pixel")
class PositionalEncoding2D(CausalLayer):
    """Add to every token what tells its row, column and channel.

    "sinusoidal": half of the features get sines and cosines of the row, half of
    them those of the place in the row, column and channel in one. No weights:
    a model fits images of any size.

    "learned": a trainable vector for every row, for every column and (of
    several) for every channel. The weights fit one image size.

    Source: Parmar et al., 2018, "Image Transformer", section 3.1,
    https://arxiv.org/abs/1802.05751.
    Differs from it: the learned vectors have all features and are added up.

    Args:
        channels: int. Channels of a pixel; features are tokens of them, see
            `keras_pixel.layers.tokens`. Defaults to `1`.
        kind: "learned" or "sinusoidal". Defaults to `"learned"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features.

    Input shape:
        `(batch, height, width, channels * hidden_dim)`

    Output shape:
        That of the inputs.

    Raises:
        ValueError: if `kind` is unknown, the features don't split into
            `channels`, or height or width is unknown.

    Example:

    >>> import numpy as np
    >>> layer = PositionalEncoding2D(kind="sinusoidal")
    >>> outputs = layer(np.zeros((1, 3, 3, 4), "float32"))
    >>> np.round(np.array(outputs)[0, 0, 1], 2).tolist()  # row 0, column 1
    [0.0, 1.0, 0.83..., 0.54...]
    """

    def __init__(self, channels=1, kind="learned", **kwargs):
        super().__init__(channels=channels, **kwargs)
        self.kind = check_choice("kind", kind, KINDS)

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

    # === Cached decoding ===

    def init_cache(self, grid):
        rows, tokens = self.tables()
        return (
            rows,
            ops.reshape(tokens, (-1, self.channels, rows.shape[-1])),
        ), ()

    def decode_step(self, weights, state, step, group, inputs):
        rows, tokens = weights
        place = ops.take(rows, step.row, axis=0)
        place = place + ops.take(tokens[:, group], step.column, axis=0)
        token = step.by_lane(known_group(self, inputs[0], group))
        outputs = token + place[:, None]  # (lanes, batch, hidden_dim)
        return [ops.reshape(outputs, (-1, self.hidden_dim))], state

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
