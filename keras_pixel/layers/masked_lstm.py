from keras import ops

from keras_pixel.checks import check_divisible
from keras_pixel.checks import check_size
from keras_pixel.layers import recurrence
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import channel_major
from keras_pixel.layers.buffers import convolve_rows
from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.buffers import write_at
from keras_pixel.layers.masked_conv2d import MaskedConv2D


class MaskedLSTM(CausalLayer):
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

    def init_cache(self, batch_size, width):
        dtype = self.compute_dtype
        cell_dtype = recurrence.cell_dtype(dtype)
        part, part_state = self.input_to_state.init_cache(batch_size, width)
        # By channel, and in a channel gate after gate.
        kernel = channel_major(
            ops.cast(self.kernel, dtype), self.channels, axes=(1, 2)
        )
        weights = {
            "input_to_state": part,
            "left": kernel[0] if self.sees_left else (),
            "above": kernel[None, int(self.sees_left) :],
            "bias": channel_major(
                ops.cast(self.bias, dtype), self.channels, axes=(0,)
            ),
        }
        columns = width + 2 * (self.taps_above // 2)
        row = ops.zeros((columns, batch_size, self.filters), dtype)
        above = ops.zeros((width, batch_size, 4 * self.filters), dtype)
        cells = ops.zeros(
            (1 if self.sees_left else width, batch_size, self.filters),
            cell_dtype,
        )
        state = {
            "input_to_state": part_state,
            # Hidden states of the row above, overwritten by this row's: what
            # they add to all pixels of this row is known when it starts.
            "row": row,
            "above": above,
            # What finished pixels add to the gates of this pixel, by group.
            "seen": self._groups(above[0]),
            # Cells to go on from: of the pixel to the left, or of the row
            # above, overwritten by this row's.
            "cells": cells,
            "cell": self._groups(cells[0]),
            # Groups of this pixel, gathered until `finish_pixel`.
            "pixel": (),
        }
        return weights, state

    def start_row(self, weights, state, rows):
        _, part = self.input_to_state.start_row(
            weights["input_to_state"], state["input_to_state"], [None]
        )
        above = convolve_rows([state["row"]], weights["above"])
        above = above + weights["bias"]  # (width, batch, 4 * filters)
        cells = state["cells"]
        if self.sees_left:
            cells = ops.zeros_like(cells)
        return [None], {
            **state,
            "input_to_state": part,
            "above": above,
            "seen": self._groups(above[0]),
            "cells": cells,
            "cell": self._groups(cells[0]),
        }

    def decode_step(self, weights, state, column, group, inputs):
        (gates,), _ = self.input_to_state.decode_step(
            weights["input_to_state"],
            state["input_to_state"],
            column,
            group,
            inputs,
        )
        pixel = recurrence.lstm_cell(
            gates + state["seen"][group], state["cell"][group]
        )
        state = {**state, "pixel": (*state["pixel"], pixel)}
        return [pixel[0]], state  # (batch, filters / channels)

    def finish_pixel(self, weights, state, column, inputs):
        part = self.input_to_state.finish_pixel(
            weights["input_to_state"], state["input_to_state"], column, inputs
        )
        hidden, cell = (
            ops.concatenate(x, axis=-1) if self.channels > 1 else x[0]
            for x in zip(*state["pixel"], strict=True)
        )
        width = state["above"].shape[0]
        after = ops.minimum(column + 1, width - 1)
        seen = read_at(state["above"], after)
        if self.sees_left:
            seen = seen + ops.matmul(hidden, weights["left"])
            cells, new_cell = state["cells"], cell
        else:
            new_cell = read_at(state["cells"], after)
            cells = write_at(state["cells"], column, cell)
        row = write_at(state["row"], column + self.taps_above // 2, hidden)
        return {
            "input_to_state": part,
            "row": row,
            "above": state["above"],
            "seen": self._groups(seen),
            "cells": cells,
            "cell": self._groups(new_cell),
            "pixel": (),
        }

    def _groups(self, features):
        if self.channels == 1:
            return (features,)
        return tuple(ops.split(features, self.channels, axis=-1))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}
