import keras
from keras import ops

from keras_pixel.layers import recurrence
from keras_pixel.layers.causal_layer import CausalLayer
from keras_pixel.layers.causal_layer import check_divisible
from keras_pixel.layers.diagonal_lstm import DiagonalLSTM
from keras_pixel.layers.diagonal_lstm import scan_diagonals


@keras.saving.register_keras_serializable(package="keras_pixel")
class DiagonalBiLSTM(CausalLayer):
    """Two LSTMs along diagonals that together see the whole past.

    One goes from the upper left corner (`DiagonalLSTM`), one from the upper
    right. The right one is shifted down by one row before it is added, so
    that no pixel sees itself or pixels to its right. Both go in one scan of
    `height + width - 1` steps.

    As the right one is shifted down, it is made of finished rows only. So its
    input-to-state part needs no mask, and it may be given more than the left
    one: a second input, in which a value may see itself. Without the image as
    second input, a model whose first layer has mask A shows nobody the last
    pixel of the row above, except where the first kernel reaches it.

    Source: van den Oord et al., 2016, "Pixel Recurrent Neural Networks",
    section 3.2, figures 2 and 3, https://arxiv.org/abs/1601.06759.
    Differs from it: the right one has no mask and may have inputs of its own;
    the forget gates start at a bias of 1; the residual connection and the
    1×1 convolution up to the input's features are layers of their own (see
    `PixelRNN`).

    Args:
        filters: int. Hidden features of each LSTM (`h` of the paper). Must be
            divisible by `channels`.
        channels: int. Channel groups to keep in order. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features in which no value sees itself; or a
            list of it and a tensor in which a value may see itself (such as
            scaled levels), for the right LSTM alone.

    Input shape:
        `(batch, height, width, in_features)`, or a list of two such.

    Output shape:
        `(batch, height, width, filters)`

    Raises:
        ValueError: if `filters` or `in_features` is not divisible by
            `channels`.

    Example:

    >>> import numpy as np
    >>> layer = DiagonalBiLSTM(6, channels=3)
    >>> tuple(layer(np.zeros((2, 8, 8, 12), "float32")).shape)
    (2, 8, 8, 6)
    """

    def __init__(self, filters, channels=1, **kwargs):
        super().__init__(channels=channels, **kwargs)
        self.filters = filters
        self.left = DiagonalLSTM(
            filters, channels=channels, dtype=self.dtype_policy, name="left"
        )

    def build(self, input_shape):
        shapes = _as_list(input_shape)
        self.left.build(shapes[0])
        self.in_features = [shape[-1] for shape in shapes]
        for features in self.in_features:
            check_divisible("in_features", features, self.channels)
        self.right_input_kernel = self.add_weight(
            name="right_input_kernel",
            shape=(sum(self.in_features), 4 * self.filters),
        )
        self.right_bias = self.add_weight(
            name="right_bias",
            shape=(4 * self.filters,),
            initializer=recurrence.gate_bias,
        )
        # The pixel to the right, then the pixel above.
        self.right_kernel = self.add_weight(
            name="right_kernel",
            shape=(2, self.filters, 4 * self.filters),
            initializer="orthogonal",
        )

    def call(self, inputs):
        dtype = self.compute_dtype
        inputs = [ops.transpose(x, (1, 2, 0, 3)) for x in _as_list(inputs)]
        # (height, width, batch, in_features)
        flipped = ops.flip(ops.concatenate(inputs, axis=-1), axis=1)
        gates = ops.matmul(flipped, ops.cast(self.right_input_kernel, dtype))
        gates = gates + ops.cast(self.right_bias, dtype)
        kernel = ops.cast(self.right_kernel, dtype)
        kernel = ops.reshape(kernel, (-1, 4 * self.filters))
        left, right = scan_diagonals(
            [self.left.gates(inputs[0]), gates],
            [self.left.flat_kernel(), kernel],
        )
        right = ops.flip(right[:-1], axis=1)
        right = ops.concatenate([ops.zeros_like(left[:1]), right], axis=0)
        return ops.transpose(left + right, (2, 0, 1, 3))

    def compute_output_shape(self, input_shape):
        return (*_as_list(input_shape)[0][:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


def _as_list(inputs):
    """Tensors or shapes of one or two inputs."""
    is_shape = isinstance(inputs, tuple) and isinstance(inputs[-1], int)
    if is_shape or not isinstance(inputs, (list, tuple)):
        return [inputs]
    return list(inputs)
