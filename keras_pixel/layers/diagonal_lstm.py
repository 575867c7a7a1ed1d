import keras
from keras import ops

from keras_pixel.layers import recurrence
from keras_pixel.layers.masked_lstm import MaskedLSTM
from keras_pixel.layers.skew import skew
from keras_pixel.layers.skew import unskew


@keras.saving.register_keras_serializable(package="keras_pixel")
class DiagonalLSTM(MaskedLSTM):
    """LSTM along diagonals: everything above and to the left is seen.

    The gates of a pixel are a 1×1 masked convolution of its features
    (input-to-state, mask B) plus the hidden states of the pixels to the left
    and above (state-to-state); the cell goes on from the pixel to the left.
    So the pixels of a diagonal don't depend on each other: `height + width -
    1` steps do all. It is one half of `DiagonalBiLSTM`; by itself it does not
    see the pixels above and to the right.

    Source: van den Oord et al., 2016, "Pixel Recurrent Neural Networks",
    section 3.2, https://arxiv.org/abs/1601.06759.
    Differs from it: the forget gate starts at a bias of 1.

    Args:
        filters: int. Hidden features (`h` of the paper). Must be divisible by
            `channels`.
        channels: int. Channel groups to keep in order. Defaults to `1`.
        **kwargs: Base layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: float tensor of features in which no value sees itself.

    Input shape:
        `(batch, height, width, in_features)`

    Output shape:
        `(batch, height, width, filters)`

    Raises:
        ValueError: if `filters` or `in_features` is not divisible by
            `channels`.

    Example:

    >>> import numpy as np
    >>> layer = DiagonalLSTM(6, channels=3)
    >>> tuple(layer(np.zeros((2, 8, 8, 12), "float32")).shape)
    (2, 8, 8, 6)
    """

    def __init__(self, filters, channels=1, **kwargs):
        super().__init__(
            filters,
            input_width=1,
            taps_above=1,
            sees_left=True,
            channels=channels,
            **kwargs,
        )
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        inputs = ops.transpose(inputs, (1, 2, 0, 3))
        (hidden,) = scan_diagonals([self.gates(inputs)], [self.flat_kernel()])
        return ops.transpose(hidden, (2, 0, 1, 3))


def scan_diagonals(gates, kernels):
    """LSTMs from the upper left corner, all in one scan over the diagonals.

    Args:
        gates: list of tensors `(height, width, batch, 4 * filters)`, with the
            bias, one for each LSTM.
        kernels: list of tensors `(2 * filters, 4 * filters)`: pixel to the
            left, then pixel above.

    Returns:
        List of hidden states `(height, width, batch, filters)`.
    """
    # The bias is in the gates before they are skewed, and there is none in
    # the state-to-state part: so what lies left of the image stays zero.
    return unskew(
        recurrence.lstm(skew(gates), ops.stack(kernels), offsets=(0, -1))
    )
