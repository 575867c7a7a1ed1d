import keras
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.layers.base import Available
from keras_pixel.layers.base import CausalLayer


@keras.saving.register_keras_serializable(package="keras_pixel")
class PixelLogits(CausalLayer):
    """Logits of every level at every place, whatever the image shows.

    The head of a model that sees nothing: each sub-pixel has a distribution of
    its own. The image says how many images there are, no more.

    The weights are not trainable; `IndependentPixels` counts them.

    Args:
        num_levels: int. Levels of a sub-pixel.
        channels: int. Channels of a pixel. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name`.

    Call arguments:
        inputs: integer tensor of the images' levels.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, height, width, channels, num_levels)`, float32.

    Raises:
        ValueError: if an argument is out of range, or the images have other
            channels.

    Example:

    >>> import numpy as np
    >>> layer = PixelLogits(num_levels=4, channels=3)
    >>> tuple(layer(np.zeros((2, 8, 8, 3), "int32")).shape)
    (2, 8, 8, 3, 4)
    """

    def __init__(self, num_levels, channels=1, **kwargs):
        super().__init__(channels=channels, **kwargs)
        self.num_levels = check_size("num_levels", num_levels, 2)

    def build(self, input_shape):
        check_levels(input_shape, self.channels)
        self.logits = self.add_weight(
            name="logits",
            shape=(*input_shape[1:], self.num_levels),
            initializer="zeros",
            trainable=False,
            autocast=False,
        )

    def call(self, inputs):
        zeros = ops.cast(ops.zeros_like(inputs), "float32")
        # (batch, height, width, channels, num_levels)
        return zeros[..., None] + ops.cast(self.logits, "float32")

    # === Cached decoding ===

    @property
    def sees_pixel(self):
        return False

    def available_at(self, inputs):
        return [Available.CHANNEL]

    def init_cache(self, grid):
        shape = (grid.height * grid.width, self.channels, self.num_levels)
        return ops.reshape(ops.cast(self.logits, "float32"), shape), ()

    def decode_step(self, weights, state, step, group, inputs):
        place = step.row * step.grid.width + step.column  # (lanes,)
        logits = ops.take(weights[:, group], place, axis=0)
        zeros = step.by_lane(step.grid.zeros(self.num_levels, "float32"))
        outputs = zeros + logits[:, None]  # (lanes, batch, num_levels)
        return [ops.reshape(outputs, (-1, self.num_levels))], state

    def compute_output_spec(self, inputs):
        shape = (*inputs.shape, self.num_levels)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "num_levels": self.num_levels}


def check_levels(input_shape, channels):
    """Refuse inputs that are no images of a known size.

    Args:
        input_shape: shape of the layer's input.
        channels: int. The layer's channels.

    Raises:
        ValueError: if the channels differ, or height or width is unknown.
    """
    if len(input_shape) == 4 and input_shape[-1] == channels:
        if None not in input_shape[1:]:
            return
    raise ValueError(
        "`inputs` must be images of known height and width, with `channels` "
        f"channels. Received: inputs.shape={tuple(input_shape)}, "
        f"channels={channels}. Give `keras.Input` the whole shape."
    )
