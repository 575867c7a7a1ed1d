import math

import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.layers.base import Available
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import channel_major
from keras_pixel.layers.buffers import known_groups
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer


@keras.saving.register_keras_serializable(package="keras_pixel")
class CategoricalHead(LoraLayer, CausalLayer):
    """Logits of every level of every sub-pixel, from the last features.

    A 1×1 convolution with mask B gives each channel its logits. With `rank`
    it gives `rank` coefficients instead, and the logits are their product
    with a trainable basis over the levels that all channels share. The basis
    starts as damped cosines: nothing tells a softmax that level 17 lies next
    to 18, and with smooth logits from the start it learns several times
    faster. It stays a free categorical distribution of that rank.

    With `whole_pixel` the features have no groups: they are those of a network
    over whole pixels, which knows nothing of the pixel itself. The head then
    reads the image too, and the logits of a channel get a term from a table
    for the value of each channel before it.

    Source: van den Oord et al., 2016, "Pixel Recurrent Neural Networks",
    section 3.5 (softmax over 256 values), https://arxiv.org/abs/1601.06759.
    Differs from it: the low-rank basis, and `whole_pixel`.

    Args:
        num_levels: int. Levels of a sub-pixel.
        channels: int. Channels of a pixel. Defaults to `1`.
        rank: int or `None` (full rank, no basis). Defaults to `None`.
        whole_pixel: bool. Whether the features are over whole pixels, without
            groups. Defaults to `False`.
        kernel_initializer: Initializer of the 1×1 kernel. Defaults to
            `"glorot_uniform"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features; with `whole_pixel` a list of them
            and of the integer tensor of the image's levels.

    Input shape:
        `(batch, height, width, in_features)`, with `whole_pixel` also
        `(batch, height, width, channels)`

    Output shape:
        `(batch, height, width, channels, num_levels)`, float32.

    Raises:
        ValueError: if `num_levels` or `rank` is out of range, or
            `in_features` is not divisible by `channels`.

    Example:

    >>> import numpy as np
    >>> layer = CategoricalHead(num_levels=256, channels=3, rank=64)
    >>> tuple(layer(np.zeros((2, 8, 8, 12), "float32")).shape)
    (2, 8, 8, 3, 256)
    """

    kernel = LoraKernel()

    def __init__(
        self,
        num_levels,
        channels=1,
        rank=None,
        whole_pixel=False,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        channels = check_size("channels", channels)
        super().__init__(channels=1 if whole_pixel else channels, **kwargs)
        self.image_channels = channels
        self.whole_pixel = bool(whole_pixel)
        self.num_levels = check_size("num_levels", num_levels, 2)
        if rank is not None:
            rank = check_size("rank", rank, 1, self.num_levels)
        self.rank = rank
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        if self.whole_pixel:
            input_shape, images = input_shape
            if images[-1] != self.image_channels:
                raise ValueError(
                    "The second input must be the image's levels. "
                    f"Received: {images[-1]} channels, "
                    f"channels={self.image_channels}"
                )
        in_features = input_shape[-1]
        check_divisible("in_features", in_features, self.channels)
        width = self.rank or self.num_levels
        # Output features are laid out channel by channel.
        self.mask = order.channel_mask(
            order.channel_of_feature(in_features, self.channels),
            np.arange(self.image_channels * width) // width,
            "B",
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=self.mask.shape,
            initializer=self.kernel_initializer,
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.image_channels * width,),
            initializer="zeros",
        )
        pairs = self.image_channels * (self.image_channels - 1) // 2
        if self.whole_pixel and pairs:
            # Of channel 1 after 0, 2 after 0, 2 after 1, …
            self.tables = self.add_weight(
                name="tables",
                shape=(pairs, self.num_levels, width),
                initializer="zeros",
            )
        if self.rank is not None:
            self.basis = self.add_weight(
                name="basis",
                shape=(self.rank, self.num_levels),
                initializer=_cosines,
            )

    def masked_kernel(self):
        """Kernel with what may not be seen set to zero."""
        kernel = self.kernel
        return kernel * ops.cast(self.mask, kernel.dtype)

    def call(self, inputs):
        if self.whole_pixel:
            inputs, images = inputs
        kernel = ops.cast(self.masked_kernel(), self.compute_dtype)
        outputs = ops.matmul(inputs, kernel)
        outputs = outputs + ops.cast(self.bias, self.compute_dtype)
        width = self.rank or self.num_levels
        shape = (*ops.shape(inputs)[:-1], self.image_channels, width)
        outputs = ops.reshape(outputs, shape)
        if self.whole_pixel and self.image_channels > 1:
            levels = ops.unstack(images, self.image_channels, axis=-1)
            outputs = outputs + ops.stack(
                [
                    self._of_earlier(levels[:c], outputs[..., c, :])
                    for c in range(self.image_channels)
                ],
                axis=-2,
            )
        if self.rank is not None:
            basis = ops.cast(self.basis, self.compute_dtype)
            outputs = ops.matmul(outputs, basis)
        # (batch, height, width, channels, num_levels)
        # A softmax over 256 levels needs more digits than bfloat16 has.
        return ops.cast(outputs, "float32")

    def _of_earlier(self, levels, like):
        """What the channels before one add to its outputs."""
        total, first = (
            ops.zeros_like(like),
            len(levels) * (len(levels) - 1) // 2,
        )
        for i, of_channel in enumerate(levels):
            table = ops.cast(self.tables[first + i], self.compute_dtype)
            total = total + ops.take(table, of_channel, axis=0)
        return total

    # === Cached decoding ===

    def available_at(self, inputs):
        return [Available.CHANNEL]

    def init_cache(self, grid):
        dtype = self.compute_dtype
        kernel = channel_major(
            ops.cast(self.masked_kernel(), dtype), self.channels, axes=(0,)
        )
        bias = ops.cast(self.bias, dtype)
        features = kernel.shape[0] // self.channels
        size = self.rank or self.num_levels
        groups = range(self.image_channels)
        weights = {
            "kernel": [
                kernel[: (g + 1) * features, g * size : (g + 1) * size]
                for g in groups
            ],
            "bias": [bias[g * size : (g + 1) * size] for g in groups],
            "basis": () if self.rank is None else ops.cast(self.basis, dtype),
        }
        return weights, ()

    def decode_step(self, weights, state, step, group, inputs):
        number = 1 if self.whole_pixel else group + 1
        features = known_groups(self, inputs[0], number)
        outputs = ops.matmul(features, weights["kernel"][group])
        outputs = outputs + weights["bias"][group]
        if self.whole_pixel:
            levels = [known[:, 0] for known in inputs[1][:group]]
            outputs = outputs + self._of_earlier(levels, outputs)
        if self.rank is not None:
            outputs = ops.matmul(outputs, weights["basis"])
        return [ops.cast(outputs, "float32")], state  # (positions, num_levels)

    def compute_output_spec(self, inputs):
        features = inputs[0] if self.whole_pixel else inputs
        shape = (*features.shape[:-1], self.image_channels, self.num_levels)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "channels": self.image_channels,
            "rank": self.rank,
            "whole_pixel": self.whole_pixel,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
        }


def _cosines(shape, dtype=None):
    rank, num_levels = shape
    k = np.arange(rank)[:, None]
    level = np.arange(num_levels)[None, :]
    waves = np.cos(math.pi * k * (level + 0.5) / num_levels)
    # High waves are damped: they are the ones that make logits rough.
    return ops.cast(waves / (1.0 + k / 8.0), dtype)
