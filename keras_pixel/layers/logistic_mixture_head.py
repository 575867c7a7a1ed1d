import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.distributions import LogisticMixture
from keras_pixel.layers.base import Available
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import channel_major
from keras_pixel.layers.buffers import known_groups
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer
from keras_pixel.levels import levels_to_floats


@keras.saving.register_keras_serializable(package="keras_pixel")
class LogisticMixtureHead(LoraLayer, CausalLayer):
    """Parameters of a `LogisticMixture` for every sub-pixel.

    The channels of a pixel are put in order here: the means of a channel are
    shifted by coefficients times the values of the channels before it, which
    the head reads from the image. So a network over whole pixels, which knows
    nothing of the pixel itself, still gives each channel an exact
    distribution given those before it.

    - With `whole_pixel` the features have no groups, and a pixel chooses one
      component for all its channels, as in PixelCNN++: after each channel the
      weights of the components are updated by the likelihood of its value.
    - Without it feature `f` belongs to channel `f % channels`, and each
      channel has components of its own.

    Computed in float32 under every dtype policy: bfloat16 cannot tell
    neighbouring levels apart.

    Source: Salimans et al., 2017, "PixelCNN++", sections 2.1 and 2.2,
    https://arxiv.org/abs/1701.05517.
    Differs from it: the joint distribution of a pixel is given channel by
    channel; the floor (see `LogisticMixture`); any number of channels.

    Args:
        num_levels: int. Levels of a sub-pixel. Defaults to `256`.
        channels: int. Channels of a pixel. Defaults to `1`.
        num_mixtures: int. Components. Defaults to `10`.
        whole_pixel: bool. Whether the features are over whole pixels, without
            groups. Defaults to `True`.
        floor: float, see `LogisticMixture`. Defaults to `0.001`.
        kernel_initializer: Initializer of the 1×1 kernel. Defaults to
            `None`: a small one, so that training starts from the biases:
            means evenly over [-0.9, 0.9], log scales of -1.7.
        **kwargs: Base layer arguments, such as `name`.

    Call arguments:
        inputs: list of a float tensor of features and the integer tensor of
            the image's levels.

    Input shape:
        `(batch, height, width, in_features)` and `(batch, height, width,
        channels)`

    Output shape:
        `(batch, height, width, channels, 3 * num_mixtures)`, float32.

    Raises:
        ValueError: if an argument is out of range, or the inputs don't fit.

    Example:

    >>> import numpy as np
    >>> layer = LogisticMixtureHead(num_levels=256, channels=3)
    >>> features = np.zeros((2, 8, 8, 12), "float32")
    >>> images = np.zeros((2, 8, 8, 3), "int32")
    >>> tuple(layer([features, images]).shape)
    (2, 8, 8, 3, 30)
    """

    kernel = LoraKernel()

    def __init__(
        self,
        num_levels=256,
        channels=1,
        num_mixtures=10,
        whole_pixel=True,
        floor=0.001,
        kernel_initializer=None,
        **kwargs,
    ):
        channels = check_size("channels", channels)
        groups = 1 if whole_pixel else channels
        super().__init__(channels=groups, **kwargs)
        self.image_channels = channels
        self.whole_pixel = bool(whole_pixel)
        self.distribution = LogisticMixture(num_levels, num_mixtures, floor)
        if kernel_initializer is None:
            kernel_initializer = keras.initializers.VarianceScaling(0.01)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        features, images = input_shape
        if images[-1] != self.image_channels:
            raise ValueError(
                "The second input must be the image's levels. "
                f"Received: {images[-1]} channels, "
                f"channels={self.image_channels}"
            )
        check_divisible("in_features", features[-1], self.channels)
        # Outputs are laid out channel by channel.
        sizes = [self._size(c) for c in range(self.image_channels)]
        of_channel = np.repeat(np.arange(self.image_channels), sizes)
        self.mask = order.channel_mask(
            order.channel_of_feature(features[-1], self.channels),
            of_channel,
            "B",
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=self.mask.shape,
            initializer=self.kernel_initializer,
            autocast=False,
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(len(of_channel),),
            initializer=self._first_bias,
            autocast=False,
        )

    def _parts(self, channel):
        """Numbers of logits, means, log scales and coefficients."""
        number = self.distribution.num_mixtures
        # Over whole pixels the first channel's logits are those of all.
        own_logits = not self.whole_pixel or channel == 0
        return [number * own_logits, number, number, number * channel]

    def _size(self, channel):
        return sum(self._parts(channel))

    def _first_bias(self, shape, dtype=None):
        parts = []
        for channel in range(self.image_channels):
            logits, means, log_scales, coefficients = self._parts(channel)
            parts += [
                np.zeros(logits),
                np.linspace(-0.9, 0.9, means) if means > 1 else np.zeros(means),
                np.full(log_scales, -1.7),
                np.zeros(coefficients),
            ]
        return ops.cast(np.concatenate(parts), dtype)

    def masked_kernel(self):
        """Kernel with what may not be seen set to zero."""
        kernel = self.kernel
        return kernel * ops.cast(self.mask, kernel.dtype)

    def call(self, inputs):
        features, images = inputs
        kernel = ops.cast(self.masked_kernel(), "float32")
        outputs = ops.matmul(ops.cast(features, "float32"), kernel)
        outputs = outputs + ops.cast(self.bias, "float32")
        # Split, not sliced: a slice's gradient fills an array of zeros.
        sizes = [self._size(c) for c in range(self.image_channels)]
        parts = [outputs]
        if len(sizes) > 1:
            parts = ops.split(outputs, np.cumsum(sizes)[:-1].tolist(), axis=-1)
        levels = ops.unstack(images, self.image_channels, axis=-1)
        parameters: list = []
        logits = None
        for channel, part in enumerate(parts):
            found, logits = self._channel(
                part, logits, parameters, levels[:channel]
            )
            parameters.append(found)
        # (batch, height, width, channels, 3 * num_mixtures)
        return ops.stack(parameters, axis=-2)

    def _channel(self, outputs, logits, earlier, levels):
        """Parameters of one channel, given those before it.

        Args:
            outputs: tensor `(..., size)`, the network's for this channel.
            logits: tensor `(..., num_mixtures)` of the channel before it, or
                `None`.
            earlier: list of the parameters of the channels before it.
            levels: list of the levels `(...)` of the channels before it.

        Returns:
            Its parameters `(..., 3 * num_mixtures)`, and its logits.
        """
        number = self.distribution.num_mixtures
        parts = ops.split(outputs, outputs.shape[-1] // number, axis=-1)
        if not self.whole_pixel or not levels:
            logits, *parts = parts
        else:
            _, former, scales = self.distribution.split(earlier[-1])
            logits = logits + self.distribution.component_log_probs(
                former, scales, levels[-1]
            )
        means, log_scales, *coefficients = parts
        for of_channel, factor in zip(levels, coefficients, strict=True):
            value = levels_to_floats(of_channel, self.distribution.num_levels)
            means = means + ops.tanh(factor) * value[..., None]
        return ops.concatenate([logits, means, log_scales], axis=-1), logits

    # === Cached decoding ===

    def available_at(self, inputs):
        return [Available.CHANNEL]

    def init_cache(self, grid):
        kernel = channel_major(
            ops.cast(self.masked_kernel(), "float32"), self.channels, axes=(0,)
        )
        bias = ops.cast(self.bias, "float32")
        weights: dict[str, list] = {"kernel": [], "bias": []}
        start, size = 0, kernel.shape[0] // self.channels
        for channel in range(self.image_channels):
            part = slice(start, start + self._size(channel))
            number = 1 if self.whole_pixel else channel + 1
            weights["kernel"].append(kernel[: number * size, part])
            weights["bias"].append(bias[part])
            start = part.stop
        return weights, {
            "parameters": (),
            "logits": (),
        }

    def decode_step(self, weights, state, step, group, inputs):
        features, levels = inputs
        known = known_groups(
            self, features, 1 if self.whole_pixel else group + 1
        )
        known = ops.cast(known, "float32")
        outputs = ops.matmul(known, weights["kernel"][group])
        outputs = outputs + weights["bias"][group]
        found, logits = self._channel(
            outputs,
            state["logits"],
            state["parameters"],
            [known[:, 0] for known in levels[:group]],
        )
        state = {
            "parameters": (*state["parameters"], found),
            "logits": logits,
        }
        return [found], state

    def finish_pixel(self, weights, state, step, inputs):
        return {"parameters": (), "logits": ()}

    def compute_output_spec(self, inputs):
        shape = (*inputs[1].shape, self.distribution.num_parameters)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            **self.distribution.get_config(),
            "channels": self.image_channels,
            "whole_pixel": self.whole_pixel,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }
