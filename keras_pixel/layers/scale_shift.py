import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_pixel")
class ScaleShift(keras.layers.Layer):
    """Scales and shifts features as a condition says: `x * (1 + a) + b`.

    `a` and `b` are the two halves of the second input's features, which
    depend on labels or another condition: made by a layer that starts at
    zero, they change nothing at first.

    Source: Perez et al., 2018, "FiLM: Visual Reasoning with a General
    Conditioning Layer", section 2.1, https://arxiv.org/abs/1709.07871.

    Args:
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: list of two float tensors, features and what changes them.

    Input shape:
        `(batch, height, width, features)`, and `(batch, height, width, 2 *
        features)` or, the same for all pixels, `(batch, 1, 1, 2 * features)`

    Output shape:
        `(batch, height, width, features)`

    Raises:
        ValueError: if the second input does not have twice the features of
            the first.

    Example:

    >>> import numpy as np
    >>> x, change = np.ones((2, 4, 4, 3)), np.zeros((2, 1, 1, 6))
    >>> float(ScaleShift()([x, change])[0, 0, 0, 0])
    1.0
    """

    # Each feature by itself: may be run on one channel group of a pixel.
    elementwise = True

    def build(self, input_shape):
        features, change = (shape[-1] for shape in input_shape)
        if change != 2 * features:
            raise ValueError(
                "The second input must have twice the features of the first: "
                f"scale and shift. Received: {change} features beside "
                f"{features}. Use {2 * features}."
            )

    def call(self, inputs):
        features, change = inputs
        # Split, not sliced: a slice's gradient fills an array of zeros.
        scale, shift = ops.split(change, 2, axis=-1)
        return features * (1.0 + scale) + shift

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])
