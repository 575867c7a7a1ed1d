import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_pixel")
class GatedResidual(keras.layers.Layer):
    """A residual connection through a gate: `x + a * sigmoid(b)`.

    `a` and `b` are the two halves of the second input's features.

    Source: Salimans et al., 2017, "PixelCNN++", section 2.5,
    https://arxiv.org/abs/1701.05517 (the gate stands in the authors' code).

    Args:
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: list of two float tensors, the features to keep and those
            that make change and gate.

    Input shape:
        `(..., features)` and `(..., 2 * features)`

    Output shape:
        `(..., features)`

    Raises:
        ValueError: if the second input does not have twice the features of
            the first.

    Example:

    >>> import numpy as np
    >>> x, y = np.ones((2, 4, 4, 3)), np.zeros((2, 4, 4, 6))
    >>> float(GatedResidual()([x, y])[0, 0, 0, 0])
    1.0
    """

    # Each feature by itself: may be run on one channel group of a pixel.
    elementwise = True

    def build(self, input_shape):
        kept, change = (shape[-1] for shape in input_shape)
        if change != 2 * kept:
            raise ValueError(
                "The second input must have twice the features of the first: "
                f"change and gate. Received: {change} features beside {kept}. "
                f"Use {2 * kept}."
            )

    def call(self, inputs):
        kept, change = inputs
        # Split, not sliced: a slice's gradient fills an array of zeros.
        change, gate = ops.split(change, 2, axis=-1)
        # In float32 under every policy: TensorFlow's sigmoid of bfloat16
        # takes twice the time on a CPU, casts included.
        gate = ops.sigmoid(ops.cast(gate, "float32"))
        return kept + change * ops.cast(gate, change.dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])
