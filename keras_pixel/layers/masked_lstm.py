from keras import ops

from keras_pixel import order
from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.layers import recurrence
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import channel_major
from keras_pixel.layers.buffers import matmul_joined
from keras_pixel.layers.buffers import split_groups
from keras_pixel.layers.lora import LoraKernel
from keras_pixel.layers.lora import LoraLayer
from keras_pixel.layers.masked_conv2d import MaskedConv2D


class MaskedLSTM(LoraLayer, CausalLayer):
    """What LSTMs over rows and over diagonals share.

    The gates of a pixel are a masked convolution of its row
    (input-to-state), plus what finished pixels around it add
    (state-to-state), which needs no mask. The four gates have `filters`
    features each, one gate after the other; as `filters` is divisible by
    `channels`, a feature and its gates belong to one channel.

    Args:
        filters: int. Hidden features. Divisible by `channels`.
        input_width: odd int. Width of the input-to-state kernel.
        taps_above: odd int. Pixels of the row above whose state is seen.
        sees_left: bool. Whether the state of the pixel to the left is seen,
            and the cell goes on from it; else from the pixel above.
        channels: int. Channel groups to keep in order.
    """

    kernel = LoraKernel()

    def __init__(
        self, filters, input_width, taps_above, sees_left, channels, **kwargs
    ):
        super().__init__(channels=channels, **kwargs)
        filters = check_size("filters", filters)
        check_divisible("filters", filters, channels)
        self.filters = filters
        self.taps_above = taps_above
        self.sees_left = sees_left
        self.input_to_state = MaskedConv2D(
            4 * filters,
            (1, input_width),
            channels=channels,
            use_bias=False,
            dtype=self.dtype_policy,
            name="input_to_state",
        )

    def build(self, input_shape):
        self.input_to_state.build(input_shape)
        self.bias = self.add_weight(
            name="bias",
            shape=(4 * self.filters,),
            initializer=recurrence.gate_bias,
        )
        # The pixel to the left, if seen, then those above from left to right.
        self.kernel = self.add_weight(
            name="kernel",
            shape=(
                self.sees_left + self.taps_above,
                self.filters,
                4 * self.filters,
            ),
            initializer="orthogonal",
        )

    def gates(self, inputs):
        """What the inputs add to the gates, with the bias.

        Returns:
            Tensor `(batch, height, width, 4 * filters)`.
        """
        bias = ops.cast(self.bias, self.compute_dtype)
        return self.input_to_state(inputs) + bias

    def flat_kernel(self):
        """State-to-state kernel as one matrix, all taps below each other."""
        kernel = ops.cast(self.kernel, self.compute_dtype)
        return ops.reshape(kernel, (-1, 4 * self.filters))

    # === Cached decoding: features are kept channel by channel ===

    def _offsets(self):
        """Where the states lie that a pixel sees, in the kernel's order."""
        side = self.taps_above // 2
        above = [(1, right) for right in range(-side, side + 1)]
        return ((0, -1), *above) if self.sees_left else tuple(above)

    def _cell_offset(self):
        """Where the cell comes from that a pixel's goes on from."""
        return ((0, -1),) if self.sees_left else ((1, 0),)

    @property
    def least_lag(self):
        own = order.least_lag(self._offsets())
        return max(own, self.input_to_state.least_lag)

    def init_cache(self, grid):
        dtype = self.compute_dtype
        part, part_state = self.input_to_state.init_cache(grid)
        taps, cell = grid.taps(self._offsets()), grid.taps(self._cell_offset())
        # By channel, and in a channel gate after gate.
        kernel = channel_major(
            ops.cast(self.kernel, dtype), self.channels, axes=(1, 2)
        )
        seen = [kernel[self._offsets().index(x)] for x in taps.offsets]
        weights = {
            "input_to_state": part,
            "bias": channel_major(
                ops.cast(self.bias, dtype), self.channels, axes=(0,)
            ),
        }
        if seen:
            weights["kernel"] = ops.concatenate(seen, axis=0)
        state = {
            "input_to_state": part_state,
            "hidden": taps.init(self.filters, dtype),
            "cells": cell.init(self.filters, recurrence.cell_dtype(dtype)),
            # Of this pixel: what its past adds to the gates, the cell that it
            # goes on from, and its own groups so far.
            "seen": (),
            "cell": (),
            "pixel": (),
        }
        return weights, state

    def decode_step(self, weights, state, step, group, inputs):
        if group == 0:
            state = {**state, **self._past(weights, state, step)}
        (gates,), part = self.input_to_state.decode_step(
            weights["input_to_state"],
            state["input_to_state"],
            step,
            group,
            inputs,
        )
        pixel = recurrence.lstm_cell(
            gates + state["seen"][group], state["cell"][group]
        )
        state = {
            **state,
            "input_to_state": part,
            "pixel": (*state["pixel"], pixel),
        }
        return [pixel[0]], state  # (positions, filters / channels)

    def _past(self, weights, state, step):
        grid, dtype = step.grid, self.compute_dtype
        taps, cell = grid.taps(self._offsets()), grid.taps(self._cell_offset())
        seen = grid.zeros(4 * self.filters, dtype)
        features = taps.read(state["hidden"], step)
        if features:
            seen = matmul_joined(features, weights["kernel"])
        cells = cell.read(state["cells"], step)
        if not cells:
            dtype = recurrence.cell_dtype(dtype)
            cells = [grid.zeros(self.filters, dtype)]
        return {
            "seen": split_groups(seen + weights["bias"], self.channels),
            "cell": split_groups(
                ops.reshape(cells[0], (-1, self.filters)), self.channels
            ),
        }

    def finish_pixel(self, weights, state, step, inputs):
        part = self.input_to_state.finish_pixel(
            weights["input_to_state"], state["input_to_state"], step, inputs
        )
        hidden, cell = (
            ops.concatenate(x, axis=-1) if self.channels > 1 else x[0]
            for x in zip(*state["pixel"], strict=True)
        )
        taps = step.grid.taps(self._offsets())
        cells = step.grid.taps(self._cell_offset())
        return {
            "input_to_state": part,
            "hidden": taps.push(state["hidden"], step, hidden),
            "cells": cells.push(state["cells"], step, cell),
            "seen": (),
            "cell": (),
            "pixel": (),
        }

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}
