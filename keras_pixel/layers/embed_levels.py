import keras
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.layers.tokens import from_tokens


@keras.saving.register_keras_serializable(package="keras_pixel")
class EmbedLevels(keras.layers.Layer):
    """A trainable vector for every level of every channel.

    Source: Parmar et al., 2018, "Image Transformer", section 3.1
    (categorical inputs: 256 vectors for each channel),
    https://arxiv.org/abs/1802.05751.

    Args:
        num_levels: int. Levels of a sub-pixel.
        hidden_dim: int. Size of a vector.
        channels: int. Channels of a pixel. Defaults to `1`.
        embeddings_initializer: Initializer of the vectors. Defaults to a
            normal distribution of standard deviation 0.02.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: integer tensor of levels `0 … num_levels - 1`.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, height, width, channels * hidden_dim)`, feature `f` from
        channel `f % channels`.

    Raises:
        ValueError: if `num_levels` or `hidden_dim` is out of range, or the
            inputs don't have `channels` channels.

    Example:

    >>> import numpy as np
    >>> layer = EmbedLevels(num_levels=256, hidden_dim=8, channels=3)
    >>> tuple(layer(np.zeros((2, 4, 4, 3), "int32")).shape)
    (2, 4, 4, 24)
    """

    def __init__(
        self,
        num_levels,
        hidden_dim,
        channels=1,
        embeddings_initializer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_levels = check_size("num_levels", num_levels, 2)
        self.hidden_dim = check_size("hidden_dim", hidden_dim)
        self.channels = check_size("channels", channels)
        if embeddings_initializer is None:
            embeddings_initializer = keras.initializers.RandomNormal(0.0, 0.02)
        self.embeddings_initializer = keras.initializers.get(
            embeddings_initializer
        )
        # Levels must not be rounded to a low precision on their way in.
        self.autocast = False
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        if input_shape[-1] != self.channels:
            raise ValueError(
                "`inputs` must be images with `channels` channels. "
                f"Received: inputs.shape={tuple(input_shape)}, "
                f"channels={self.channels}"
            )
        # One table of all channels: channel c's level v is row
        # `c * num_levels + v`.
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.channels * self.num_levels, self.hidden_dim),
            initializer=self.embeddings_initializer,
        )

    def call(self, inputs):
        first = ops.arange(self.channels, dtype="int32") * self.num_levels
        rows = ops.cast(inputs, "int32") + first
        table = ops.cast(self.embeddings, self.compute_dtype)
        vectors = ops.take(table, rows, axis=0)
        # (batch, height, width, channels, hidden_dim)
        _, height, width, channels = inputs.shape
        tokens = ops.reshape(
            vectors, (-1, height, width * channels, self.hidden_dim)
        )
        return from_tokens(tokens, self.channels)

    def call_group(self, inputs, group):
        """Vectors of one channel of a pixel, for the sampler.

        Args:
            inputs: integer tensor `(batch, 1)`.
            group: int, the channel.

        Returns:
            Tensor `(batch, hidden_dim)`.
        """
        rows = ops.cast(inputs[:, 0], "int32") + group * self.num_levels
        table = ops.cast(self.embeddings, self.compute_dtype)
        return ops.take(table, rows, axis=0)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.channels * self.hidden_dim)

    def compute_output_spec(self, inputs):
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_levels": self.num_levels,
            "hidden_dim": self.hidden_dim,
            "channels": self.channels,
            "embeddings_initializer": keras.initializers.serialize(
                self.embeddings_initializer
            ),
        }
