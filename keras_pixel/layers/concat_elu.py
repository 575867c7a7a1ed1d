import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_pixel")
class ConcatELU(keras.layers.Layer):
    """ELU of the features and of their negatives, side by side.

    No feature is lost where it is negative: both signs have a slope.

    Source: Salimans et al., 2017, "PixelCNN++", section 2.5,
    https://arxiv.org/abs/1701.05517 (the activation stands in the authors'
    code; it is the concatenated ReLU of Shang et al., 2016, with ELU).

    Args:
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features.

    Input shape:
        `(..., features)`

    Output shape:
        `(..., 2 * features)`

    Example:

    >>> import numpy as np
    >>> tuple(ConcatELU()(np.zeros((2, 8, 8, 12), "float32")).shape)
    (2, 8, 8, 24)
    """

    # Each feature by itself: may be run on one channel group of a pixel.
    elementwise = True

    def call(self, inputs):
        # In float32 under every policy: TensorFlow's ELU of bfloat16 takes
        # twice the time on a CPU, casts included. Joined last, so that
        # what is written and read again is narrow.
        wide = ops.cast(inputs, "float32")
        halves = [ops.cast(ops.elu(x), inputs.dtype) for x in (wide, -wide)]
        return ops.concatenate(halves, axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 2 * input_shape[-1])
