"""What all causal layers share: two ways to compute the same thing."""

import keras

from keras_pixel.checks import check_size


class CausalLayer(keras.layers.Layer):
    """Base of all layers that see only earlier values in raster order.

    A causal layer computes the same thing in two ways, with the same weights.

    `call(inputs)` works on the whole image at once: training and scoring.

    The cached side works along the sequence: sampling. A tensor is known
    either when its *row* starts (it depends on finished rows only) or when
    its *pixel* comes. Rows are laid out `(width, batch, features)`; a pixel's
    features come as one tensor `(batch, features / channels)` per channel
    group, in the order of the channels. The methods are called in this order,
    and none changes anything but the state that it returns. In every tensor
    of the state the batch is the last axis but one, as in rows and pixels, so
    that beam search and particles can move images about in the batch.

    1. `init_cache(batch_size, width)`: weights in the layout that the steps
       use (made once), and the first state (any nest of tensors).
    2. `start_row(weights, state, rows)`: what finished rows determine.
       `rows` has one entry per input: its row where it is known by now, else
       None. Returns one entry per output (its whole row, or None where it is
       known only pixel by pixel) and the state.
    3. `decode_step(weights, state, column, group, inputs)`: the features of
       channel group `group` of the pixel in `column`. `inputs` has one entry
       per input: the list of the groups that are known so far, or, of an
       input known by row, the list of all its groups. Returns one tensor
       `(batch, features / channels)` per output (None where it is known by
       row).
    4. `finish_pixel(weights, state, column, inputs)`: all groups of the pixel
       are known. Returns the state.

    Attributes:
        channels: int. Channel groups of the features.
    """

    def __init__(self, channels=1, **kwargs):
        super().__init__(**kwargs)
        self.channels = check_size("channels", channels)

    def known_by_row(self, inputs_known_by_row):
        """Which outputs are known when their row starts.

        Args:
            inputs_known_by_row: list of bool, one per input.

        Returns:
            List of bool, one per output.
        """
        return [False]

    @property
    def has_cache(self):
        """Whether the layer can be decoded step by step."""
        return type(self).init_cache is not CausalLayer.init_cache

    def init_cache(self, batch_size, width):
        raise NotImplementedError(
            f"{type(self).__name__} has no cached side: `init_cache` "
            "is not implemented."
        )

    def start_row(self, weights, state, rows):
        return [None], state

    def decode_step(self, weights, state, column, group, inputs):
        raise NotImplementedError(
            f"{type(self).__name__} has no cached side: `decode_step` is not "
            "implemented."
        )

    def finish_pixel(self, weights, state, column, inputs):
        return state

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
