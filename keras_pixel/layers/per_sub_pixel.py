import keras

from keras_pixel.checks import check_divisible
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import known_group
from keras_pixel.layers.tokens import from_tokens
from keras_pixel.layers.tokens import to_tokens

_ON_LAST_AXIS = (
    keras.layers.Dense,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
)


@keras.saving.register_keras_serializable(package="keras_pixel")
class PerSubPixel(CausalLayer):
    """The same layers, with the same weights, on every sub-pixel's token.

    For Keras layers that work on the last axis. In a feed-forward network
    hand all of them to one `PerSubPixel`: the tokens are laid out once.

    Source: Vaswani et al., 2017, section 3.3 (position-wise networks),
    https://arxiv.org/abs/1706.03762.

    Args:
        layers: Keras layer, or list of them to be run one after the other:
            Dense, LayerNormalization or RMSNormalization.
        channels: int. Channels of a pixel; features are tokens of them, see
            `keras_pixel.layers.tokens`. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features.

    Input shape:
        `(batch, height, width, channels * hidden_dim)`

    Output shape:
        `(batch, height, width, channels * features)`, with the features of
        the last layer.

    Raises:
        ValueError: if a layer is another one, or the features don't split
            into `channels`.

    Example:

    >>> import numpy as np
    >>> layer = PerSubPixel(keras.layers.Dense(5), channels=3)
    >>> tuple(layer(np.zeros((2, 4, 4, 6), "float32")).shape)
    (2, 4, 4, 15)
    """

    def __init__(self, layers, channels=1, **kwargs):
        super().__init__(channels=channels, **kwargs)
        if not isinstance(layers, (list, tuple)):
            layers = [layers]
        if not layers:
            raise ValueError(
                "`layers` must hold at least one layer. "
                f"Received: layers={layers!r}. Leave `PerSubPixel` out."
            )
        self.layers = [_checked(layer) for layer in layers]

    def build(self, input_shape):
        check_divisible("in_features", input_shape[-1], self.channels)
        *shape, width, features = input_shape
        if width is not None:
            width = width * self.channels
        shape = (*shape, width, features // self.channels)
        for layer in self.layers:
            if not layer.built:
                layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, inputs):
        tokens = to_tokens(inputs, self.channels)
        # (batch, height, width * channels, features / channels)
        return from_tokens(self._run(tokens), self.channels)

    def _run(self, tokens):
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens

    # === Cached decoding ===

    def init_cache(self, grid):
        return (), ()

    def decode_step(self, weights, state, step, group, inputs):
        token = known_group(self, inputs[0], group)
        # The layers were built for the four axes of images.
        outputs = self._run(token[:, None, None])
        return [outputs[:, 0, 0]], state  # (positions, features / channels)

    def compute_output_shape(self, input_shape):
        shape = (*input_shape[:-1], input_shape[-1] // self.channels)
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return (*input_shape[:-1], shape[-1] * self.channels)

    def get_config(self):
        return {
            **super().get_config(),
            "layers": [
                keras.saving.serialize_keras_object(x) for x in self.layers
            ],
        }


def _checked(layer):
    if isinstance(layer, dict):  # from a config
        layer = keras.saving.deserialize_keras_object(layer)
    axis = getattr(layer, "axis", -1)
    if isinstance(layer, _ON_LAST_AXIS) and axis in (-1, [-1], (-1,)):
        return layer
    raise ValueError(
        "`layers` must be Keras layers that work on the last axis alone: "
        "Dense, LayerNormalization or RMSNormalization. "
        f"Received: layers={layer}"
    )
