import math

import keras
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.levels import levels_to_floats


@keras.saving.register_keras_serializable(package="keras_pixel")
class ScaleLevels(keras.layers.Layer):
    """Scale integer levels to [-1, 1], if asked with Fourier features.

    With `num_frequencies=K` each channel also gets `cos(pi k t)` and
    `sin(pi k t)` of its position `t` in [0, 1] between the lowest and the
    highest level, for `k = 1 … K`. A linear map of them tells neighbouring
    levels apart, which a network of ReLUs has to learn slowly from one float.

    Source: the Fourier features of Tancik et al., 2020,
    https://arxiv.org/abs/2006.10739, at integer frequencies.

    Args:
        num_levels: int, at least 2.
        num_frequencies: int. Defaults to `0`, the scaled value alone.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: integer tensor of levels `0 … num_levels - 1`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, height, width, channels * (1 + 2 * num_frequencies))`,
        feature `f` from channel `f % channels`.

    Raises:
        ValueError: if `num_levels` or `num_frequencies` is out of range.

    Example:

    >>> import numpy as np
    >>> layer = ScaleLevels(num_levels=256)
    >>> float(layer(np.full((1, 2, 2, 1), 255))[0, 0, 0, 0])
    1.0
    """

    # Each channel by itself: may be run on one channel group of a pixel.
    elementwise = True

    def __init__(self, num_levels, num_frequencies=0, **kwargs):
        super().__init__(**kwargs)
        self.num_levels = check_size("num_levels", num_levels, 2)
        self.num_frequencies = check_size("num_frequencies", num_frequencies, 0)

    def call(self, inputs):
        scaled = levels_to_floats(inputs, self.num_levels)
        features = [scaled]
        for k in range(1, self.num_frequencies + 1):
            angle = (scaled + 1.0) * (0.5 * math.pi * k)
            features += [ops.cos(angle), ops.sin(angle)]
        # Joined frequency by frequency, so that the channels stay interleaved.
        outputs = ops.concatenate(features, axis=-1)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        features = input_shape[-1] * (1 + 2 * self.num_frequencies)
        return (*input_shape[:-1], features)

    def get_config(self):
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "num_frequencies": self.num_frequencies,
        }
