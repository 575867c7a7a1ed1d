"""What all causal layers share: two ways to compute the same thing."""

import enum

import keras

from keras_pixel.checks import check_size


class Available(enum.IntEnum):
    """When a tensor is known while an image is drawn.

    Attributes:
        START: before the first pixel: it depends on labels and conditions
            only.
        ROW: when its row begins, in raster order: it depends on finished rows
            only.
        PIXEL: before any channel of its pixel.
        CHANNEL: channel by channel, in groups of features.
        AFTER: once its pixel is finished. Only later pixels may see it.
    """

    START = 0
    ROW = 1
    PIXEL = 2
    CHANNEL = 3
    AFTER = 4


class CausalLayer(keras.layers.Layer):
    """Base of all layers that see only earlier values.

    A causal layer computes the same thing in two ways, with the same weights.

    `call(inputs)` works on the whole image at once: training and scoring.

    The cached side works along the sequence: sampling. A step draws one pixel
    in each lane of a `Grid`, in each of the images that are drawn side by
    side; these are the *positions* of a step, lane after lane. Features of a
    step are `(positions, features)`. The methods are called in this order,
    and none changes anything but the state that it returns. In every tensor
    of the state the axis before the last counts images, or lanes and images
    together, so that beam search and particles can move images about.

    1. `init_cache(grid)`: weights in the layout that the steps use (made
       once), and the first state (any nest of tensors).
    2. `start_row(weights, state, rows)`, in raster order only: what finished
       rows determine. `rows` has one entry per input: its row `(width, batch,
       features)` where it is known by now, else None. Returns one entry per
       output and the state.
    3. `decode_step(weights, state, step, group, inputs)`: features of channel
       group `group`, for each output. `inputs` has one entry per input: the
       list of the groups that are known so far, each `(positions, features /
       channels)`. A layer whose outputs are known by pixel is called once,
       with `group` 0, and its inputs have one group, or none yet.
    4. `finish_pixel(weights, state, step, inputs)`: all groups of the pixel
       are known. Returns the state.

    What a layer has seen of earlier pixels it keeps in a history, which
    `step.grid.taps` reads and writes: see `Grid`. So a layer of one's own
    needs `call`, `init_cache`, `decode_step`, mostly `finish_pixel`, and
    `least_lag`.

    Attributes:
        channels: int. Channel groups of the features; 1 in a layer over whole
            pixels.
        sees_pixel: bool. Whether outputs depend on the input's own pixel.
        fills_lanes: bool. Whether several images may be drawn one after the
            other in the same lanes.
        takes_lanes: bool. Whether a layer for raster order only can be drawn
            in more lanes than one, as models with strided layers are.
    """

    fills_lanes = True
    takes_lanes = False

    def __init__(self, channels=1, **kwargs):
        super().__init__(**kwargs)
        self.channels = check_size("channels", channels)

    @property
    def sees_pixel(self):
        return True

    @property
    def has_cache(self):
        """Whether the layer can be decoded step by step."""
        return type(self).init_cache is not CausalLayer.init_cache

    @property
    def least_lag(self):
        """The least lag of a wavefront that the layer can be drawn along.

        An int, or `None` for raster order only. See `order.is_past`.
        """
        return 1

    def available_at(self, inputs):
        """When the outputs are known.

        Args:
            inputs: list of `Available`, one per input.

        Returns:
            List of `Available`, one per output.
        """
        if self.channels > 1:
            return [Available.CHANNEL]
        if self.sees_pixel and max(inputs) > Available.PIXEL:
            return [Available.AFTER]
        return [Available.PIXEL]

    def output_stride(self, stride):
        """Pixels from one position of the output's grid to the next.

        Args:
            stride: int, that of the input's grid.
        """
        return stride

    def init_cache(self, grid):
        raise NotImplementedError(
            f"{type(self).__name__} has no cached side: `init_cache` "
            "is not implemented."
        )

    def start_row(self, weights, state, rows):
        return [None], state

    def decode_step(self, weights, state, step, group, inputs):
        raise NotImplementedError(
            f"{type(self).__name__} has no cached side: `decode_step` is not "
            "implemented."
        )

    def finish_pixel(self, weights, state, step, inputs):
        return state

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
