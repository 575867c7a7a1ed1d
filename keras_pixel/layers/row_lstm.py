import keras
from keras import ops

from keras_pixel.checks import is_integer
from keras_pixel.checks import odd_pair
from keras_pixel.layers import recurrence
from keras_pixel.layers.masked_lstm import MaskedLSTM


@keras.saving.register_keras_serializable(package="keras_pixel")
class RowLSTM(MaskedLSTM):
    """LSTM from row to row: a triangle of the rows above is seen.

    All pixels of a row are computed at once. The gates are a masked
    convolution over the row (input-to-state, mask B) plus a convolution over
    the hidden states of the row above (state-to-state); the cell goes on from
    the pixel above. With `kernel_size=3` each row further up is seen one
    column wider to both sides, so pixels far to the sides are not seen.

    Source: van den Oord et al., 2016, "Pixel Recurrent Neural Networks",
    section 3.1, https://arxiv.org/abs/1601.06759.
    Differs from it: the forget gate starts at a bias of 1; the residual
    connection and the 1×1 convolution up to the input's features are layers
    of their own (see `PixelRNN`).

    Args:
        filters: int. Hidden features (`h` of the paper). Must be divisible by
            `channels`.
        kernel_size: odd int, `k` of the paper, of both convolutions. Defaults
            to `3`.
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
            `channels`, or `kernel_size` is not an odd positive integer.

    Example:

    >>> import numpy as np
    >>> layer = RowLSTM(6, channels=3)
    >>> tuple(layer(np.zeros((2, 8, 8, 12), "float32")).shape)
    (2, 8, 8, 6)
    """

    def __init__(self, filters, kernel_size=3, channels=1, **kwargs):
        if not is_integer(kernel_size):
            raise ValueError(
                "`kernel_size` must be one odd positive integer: a row has "
                f"one side. Received: kernel_size={kernel_size!r}. Use for "
                "example 3."
            )
        kernel_size, _ = odd_pair("kernel_size", kernel_size)
        super().__init__(
            filters,
            input_width=kernel_size,
            taps_above=kernel_size,
            sees_left=False,
            channels=channels,
            **kwargs,
        )
        self.kernel_size = kernel_size
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        side = self.kernel_size // 2
        gates = ops.transpose(self.gates(inputs), (1, 2, 0, 3))
        hidden = recurrence.lstm(
            gates[:, None],  # (height, 1, width, batch, 4 * filters)
            self.flat_kernel()[None],
            offsets=tuple(range(-side, side + 1)),
        )[:, 0]
        return ops.transpose(hidden, (2, 0, 1, 3))

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size}
