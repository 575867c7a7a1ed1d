import keras
from keras import ops

from keras_pixel.layers.causal_layer import CausalLayer
from keras_pixel.layers.causal_layer import check_divisible
from keras_pixel.layers.incremental import known_group
from keras_pixel.layers.tokens import from_tokens
from keras_pixel.layers.tokens import to_tokens

_ON_LAST_AXIS = (
    keras.layers.Dense,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
)


@keras.saving.register_keras_serializable(package="keras_pixel")
class PerSubPixel(CausalLayer):
    def __init__(self, layers, channels=1, **kwargs):
        super().__init__(channels=channels, **kwargs)
        if not isinstance(layers, (list, tuple)):
            layers = [layers]
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

    # === Incremental face ===

    def begin_image(self, batch_size, width):
        return (), ()

    def step(self, weights, state, column, group, inputs):
        token = known_group(self, inputs[0], group)
        # The layers were built for the four axes of images.
        outputs = self._run(token[:, None, None])
        return [outputs[:, 0, 0]], state  # (batch, features / channels)

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

    @classmethod
    def from_config(cls, config):
        layers = [
            keras.saving.deserialize_keras_object(x) for x in config["layers"]
        ]
        return cls(**{**config, "layers": layers})


def _checked(layer):
    axis = getattr(layer, "axis", -1)
    if isinstance(layer, _ON_LAST_AXIS) and axis in (-1, [-1], (-1,)):
        return layer
    raise ValueError(
        "`layers` must be Keras layers that work on the last axis alone: "
        "Dense, LayerNormalization or RMSNormalization. "
        f"Received: layers={layer}"
    )
