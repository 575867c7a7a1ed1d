import keras
import numpy as np
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.layers.base import Available
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import known_group
from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.kv_cache import write_tokens
from keras_pixel.layers.pixel_logits import check_levels
from keras_pixel.levels import levels_to_floats


@keras.saving.register_keras_serializable(package="keras_pixel")
class LinearNormalHead(CausalLayer):
    """Means that are linear in all values before, and a scale of each place.

    Parameters of a `DiscretizedNormal` for every sub-pixel, from the image
    itself: the mean of value `k` of the sequence is `bias[k]` plus the sum of
    `kernel[k, j] * value[j]` over `j < k`, its log scale `log_scales[k]`.
    Values are levels scaled to [-1, 1]. Such are the conditionals of a
    multivariate normal, one value after the other.

    The kernel is strictly lower triangular. It is stored as a rectangle of
    half its size, and computed in float32 under every dtype policy. The
    weights are not trainable; `GaussianPixels` computes them.

    Args:
        num_levels: int. Levels of a sub-pixel. Defaults to `256`.
        channels: int. Channels of a pixel. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name`.

    Call arguments:
        inputs: integer tensor of the images' levels.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, height, width, channels, 2)`, float32: means and log scales.

    Raises:
        ValueError: if an argument is out of range, or the images have other
            channels.

    Example:

    >>> import numpy as np
    >>> layer = LinearNormalHead(num_levels=256, channels=3)
    >>> tuple(layer(np.zeros((2, 8, 8, 3), "int32")).shape)
    (2, 8, 8, 3, 2)
    """

    def __init__(self, num_levels=256, channels=1, **kwargs):
        super().__init__(channels=channels, **kwargs)
        self.num_levels = check_size("num_levels", num_levels, 2)

    def build(self, input_shape):
        check_levels(input_shape, self.channels)
        self.num_values = int(np.prod(input_shape[1:]))
        half = (self.num_values + 1) // 2
        for name, shape in (
            ("folded", (half, 2 * half)),
            ("bias", (self.num_values,)),
            ("log_scales", (self.num_values,)),
        ):
            weight = self.add_weight(
                name=name,
                shape=shape,
                initializer="zeros",
                trainable=False,
                autocast=False,
            )
            setattr(self, name, weight)

    def kernel(self):
        """float32 tensor `(values, values)`, row `k` that of value `k`."""
        folded = ops.cast(self.folded, "float32")
        # Long rows begin at the left of the rectangle, the short ones, which
        # fill its rest, at the right: turned by half a turn.
        whole = ops.concatenate([ops.flip(folded, (0, 1)), folded], axis=0)
        whole = whole[: self.num_values, : self.num_values]
        place = np.arange(self.num_values, dtype="int32")
        return ops.where(place[:, None] > place, whole, 0.0)

    def assign(self, kernel, bias, log_scales):
        """Set the weights.

        Args:
            kernel: array `(values, values)`; what is not below the diagonal
                is left out.
            bias: array `(values,)`.
            log_scales: array `(values,)`.
        """
        half = self.folded.shape[0]
        rest = 2 * half - self.num_values
        whole = np.pad(np.tril(kernel, -1), [[0, rest], [0, rest]])
        self.folded.assign(whole[half:] + whole[:half][::-1, ::-1])
        self.bias.assign(bias)
        self.log_scales.assign(log_scales)

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        values = levels_to_floats(inputs, self.num_levels)
        values = ops.reshape(values, (-1, self.num_values))
        means = ops.matmul(values, ops.transpose(self.kernel())) + self.bias
        scales = ops.zeros_like(means) + self.log_scales
        parameters = ops.stack([means, scales], axis=-1)  # (batch, values, 2)
        return ops.reshape(parameters, (-1, height, width, channels, 2))

    # === Cached decoding: all values are kept ===

    fills_lanes = False  # one image at a time sees what is kept

    @property
    def sees_pixel(self):
        return False

    @property
    def least_lag(self):
        return None

    def available_at(self, inputs):
        return [Available.CHANNEL]

    def init_cache(self, grid):
        weights = {
            "kernel": self.kernel(),
            "bias": ops.cast(self.bias, "float32"),
            "log_scales": ops.cast(self.log_scales, "float32"),
        }
        return weights, ops.zeros((1, grid.batch_size, self.num_values))

    def decode_step(self, weights, state, step, group, inputs):
        if group:
            state = self._keep(state, step, group - 1, inputs)
        row, bias, log_scale = (
            read_at(weights[name], self._place(step, group))
            for name in ("kernel", "bias", "log_scales")
        )
        mean = ops.matmul(state[0], row[:, None]) + bias
        scale = ops.zeros_like(mean) + log_scale
        return [ops.concatenate([mean, scale], axis=-1)], state

    def finish_pixel(self, weights, state, step, inputs):
        return self._keep(state, step, self.channels - 1, inputs)

    def _place(self, step, group):
        """Where a value of this step stands in the sequence."""
        pixel = step.row[0] * step.grid.width + step.raster_column
        return pixel * self.channels + group

    def _keep(self, state, step, group, inputs):
        value = known_group(self, inputs[0], group)
        value = levels_to_floats(value, self.num_levels)[None, :, None]
        return write_tokens(state, self._place(step, group), value)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((*inputs.shape, 2), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "num_levels": self.num_levels}
