import keras
import numpy as np
from keras import ops

from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import known_groups


@keras.saving.register_keras_serializable(package="keras_pixel")
class BackgroundChannels(CausalLayer):
    """Joins channels that tell where a pixel lies.

    A channel of ones tells the image from the zeros that convolutions put
    around it. With `coordinates` the row and the column follow, each from -1
    to 1. For networks over whole pixels: the new channels belong to no colour.

    Source: Salimans et al., 2017, "PixelCNN++" (ones) and Chen et al., 2018,
    "PixelSNAIL" (coordinates), both in the authors' code.

    Args:
        coordinates: bool. Whether to add row and column. Defaults to `False`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor, image values scaled to [-1, 1] or features.

    Input shape:
        `(batch, height, width, features)`

    Output shape:
        `(batch, height, width, features + 1)`, with `coordinates` `features +
        3`.

    Raises:
        ValueError: if height or width is unknown.

    Example:

    >>> import numpy as np
    >>> layer = BackgroundChannels()
    >>> tuple(layer(np.zeros((2, 8, 8, 3), "float32")).shape)
    (2, 8, 8, 4)
    """

    def __init__(self, coordinates=False, **kwargs):
        super().__init__(**kwargs)
        self.coordinates = bool(coordinates)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        if None in input_shape[1:3]:
            raise ValueError(
                "The height and width of the inputs must be known. "
                f"Received: input_shape={tuple(input_shape)}. Give "
                "`keras.Input` both."
            )

    def background(self, height, width):
        """The channels that are joined, `(height, width, 1 or 3)`."""
        channels = [np.ones((height, width))]
        if self.coordinates:
            row = np.linspace(-1, 1, height)[:, None]
            column = np.linspace(-1, 1, width)[None, :]
            channels += [np.broadcast_to(row, (height, width))]
            channels += [np.broadcast_to(column, (height, width))]
        return np.stack(channels, axis=-1).astype("float32")

    def call(self, inputs):
        background = self.background(*inputs.shape[1:3])
        background = ops.cast(background, inputs.dtype)[None]
        shape = (ops.shape(inputs)[0], *background.shape[1:])
        return ops.concatenate(
            [inputs, ops.broadcast_to(background, shape)], axis=-1
        )

    # === Cached decoding ===

    def init_cache(self, grid):
        table = self.background(grid.height, grid.width)
        table = ops.cast(table, self.compute_dtype)
        return ops.reshape(table, (-1, table.shape[-1])), ()

    def decode_step(self, weights, state, step, group, inputs):
        pixel = step.by_lane(known_groups(self, inputs[0], 1))
        place = step.row * step.grid.width + step.column
        background = ops.take(weights, place, axis=0)[:, None]
        background = ops.broadcast_to(
            background, (*ops.shape(pixel)[:2], background.shape[-1])
        )  # (lanes, batch, 1 or 3)
        outputs = ops.concatenate([pixel, background], axis=-1)
        return [ops.reshape(outputs, (-1, outputs.shape[-1]))], state

    def compute_output_shape(self, input_shape):
        added = 3 if self.coordinates else 1
        return (*input_shape[:-1], input_shape[-1] + added)

    def get_config(self):
        config = super().get_config()
        del config["channels"]
        return {**config, "coordinates": self.coordinates}
