import math

import keras
import numpy as np
from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import group_major
from keras_pixel.layers.buffers import known_groups


@keras.saving.register_keras_serializable(package="keras_pixel")
class CategoricalHead(CausalLayer):
    """Logits of every level of every sub-pixel, from the last features.

    A 1×1 convolution with mask B gives each channel its logits. With `rank`
    it gives `rank` coefficients instead, and the logits are their product
    with a trainable basis over the levels that all channels share. The basis
    starts as damped cosines: nothing tells a softmax that level 17 lies next
    to 18, and with smooth logits from the start it learns several times
    faster. It stays a free categorical distribution of that rank.

    Source: van den Oord et al., 2016, "Pixel Recurrent Neural Networks",
    section 3.5 (softmax over 256 values), https://arxiv.org/abs/1601.06759.
    Differs from it: the low-rank basis.

    Args:
        num_levels: int. Levels of a sub-pixel.
        channels: int. Channels of a pixel. Defaults to `1`.
        rank: int or `None` (full rank, no basis). Defaults to `None`.
        kernel_initializer: Initializer of the 1×1 kernel. Defaults to
            `"glorot_uniform"`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features.

    Input shape:
        `(batch, height, width, in_features)`

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

    def __init__(
        self,
        num_levels,
        channels=1,
        rank=None,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(channels=channels, **kwargs)
        self.num_levels = check_size("num_levels", num_levels, 2)
        if rank is not None:
            rank = check_size("rank", rank, 1, self.num_levels)
        self.rank = rank
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape):
        in_features = input_shape[-1]
        check_divisible("in_features", in_features, self.channels)
        width = self.rank or self.num_levels
        # Output features are laid out channel by channel.
        self.mask = order.channel_mask(
            order.channel_of_feature(in_features, self.channels),
            np.arange(self.channels * width) // width,
            "B",
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=self.mask.shape,
            initializer=self.kernel_initializer,
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.channels * width,),
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
        return self.kernel * ops.cast(self.mask, self.kernel.dtype)

    def call(self, inputs):
        kernel = ops.cast(self.masked_kernel(), self.compute_dtype)
        outputs = ops.matmul(inputs, kernel)
        outputs = outputs + ops.cast(self.bias, self.compute_dtype)
        width = self.rank or self.num_levels
        shape = (*ops.shape(inputs)[:-1], self.channels, width)
        outputs = ops.reshape(outputs, shape)
        if self.rank is not None:
            basis = ops.cast(self.basis, self.compute_dtype)
            outputs = ops.matmul(outputs, basis)
        # (batch, height, width, channels, num_levels)
        # A softmax over 256 levels needs more digits than bfloat16 has.
        return ops.cast(outputs, "float32")

    # === Incremental face ===

    def begin_image(self, batch_size, width):
        dtype = self.compute_dtype
        kernel = group_major(
            ops.cast(self.masked_kernel(), dtype), self.channels, axes=(0,)
        )
        bias = ops.cast(self.bias, dtype)
        features = self.kernel.shape[0] // self.channels
        size = self.rank or self.num_levels
        weights = {
            "kernel": [
                kernel[: (g + 1) * features, g * size : (g + 1) * size]
                for g in range(self.channels)
            ],
            "bias": [
                bias[g * size : (g + 1) * size] for g in range(self.channels)
            ],
            "basis": () if self.rank is None else ops.cast(self.basis, dtype),
        }
        return weights, ()

    def step(self, weights, state, column, group, inputs):
        features = known_groups(self, inputs[0], group + 1)
        outputs = ops.matmul(features, weights["kernel"][group])
        outputs = outputs + weights["bias"][group]
        if self.rank is not None:
            outputs = ops.matmul(outputs, weights["basis"])
        return [ops.cast(outputs, "float32")], state  # (batch, num_levels)

    def compute_output_spec(self, inputs):
        shape = (*inputs.shape[:-1], self.channels, self.num_levels)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "rank": self.rank,
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
