from keras import ops

from keras_pixel import order
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import known_groups
from keras_pixel.layers.buffers import matmul_joined
from keras_pixel.layers.buffers import split_groups


class CausalConvolution(CausalLayer):
    """The cached side that all convolutions share.

    What the kernel sees of earlier pixels is one matrix product a step; each
    channel group then adds what it sees of its own pixel. Over whole pixels
    both are one product.

    A subclass has `offsets`, `decode_kernel` and `decode_bias`.
    """

    strides = 1

    def offsets(self):
        """The taps of the kernel that are not masked.

        Returns:
            Dict from `(rows_above, columns_right)`, seen from the output, to
            the tap's `(row, column)` in the kernel.
        """
        raise NotImplementedError

    def decode_kernel(self):
        """Masked kernel `(rows, columns, in_features, filters)`, in the
        layer's dtype, its features channel by channel."""
        raise NotImplementedError

    def decode_bias(self):
        """Bias `(filters,)`, likewise; zeros if there is none."""
        raise NotImplementedError

    def groups_seen(self, group):
        """How many groups of its own pixel an output group sees."""
        return group + 1 if (0, 0) in self.offsets() else 0

    @property
    def sees_pixel(self):
        return self.groups_seen(0) > 0

    def past(self):
        """Offsets of the taps to earlier pixels."""
        return tuple(place for place in self.offsets() if place != (0, 0))

    @property
    def least_lag(self):
        return order.least_lag(self.past())

    @property
    def has_cache(self):
        # A kernel may look ahead in its row: then there is no order at all.
        return order.least_lag(self.past()) is not None

    def init_cache(self, grid):
        kernel, places = self.decode_kernel(), self.offsets()
        taps = grid.taps(self.past())
        size, filters = kernel.shape[2:]
        seen = [kernel[places[offset]] for offset in taps.offsets]
        weights = {"bias": self.decode_bias(), "own": []}
        if self.channels > 1:
            own = kernel[places[0, 0]]
            for group in range(self.channels):
                rows = self.groups_seen(group) * (size // self.channels)
                weights["own"].append(own[:rows, self._part(group, filters)])
        elif self.sees_pixel:
            seen.append(kernel[places[0, 0]])
        if seen:
            seen = seen[0] if len(seen) == 1 else ops.concatenate(seen, axis=0)
            weights["seen"] = seen  # (taps * in_features, filters)
        return weights, {
            "history": taps.init(size, self.compute_dtype),
            "seen": (),
        }

    def decode_step(self, weights, state, step, group, inputs):
        if group == 0:
            state = {**state, "seen": self._seen(weights, state, step, inputs)}
        seen = state["seen"] or split_groups(weights["bias"], self.channels)
        outputs = seen[group]
        number = self.groups_seen(group)
        if self.channels > 1 and number:
            own = known_groups(self, inputs[0], number)
            outputs = ops.matmul(own, weights["own"][group]) + outputs
        elif len(outputs.shape) == 1:  # nothing but a bias
            grid = step.grid.coarser(self.strides)
            outputs = grid.zeros(outputs.shape[0], outputs.dtype) + outputs
        return [outputs], state  # (positions, filters / channels)

    def _seen(self, weights, state, step, inputs):
        """What a pixel's past adds to each group; nothing if it has none."""
        taps = step.grid.taps(self.past())
        features = taps.read(state["history"], step, self.strides)
        if self.channels == 1 and self.sees_pixel:
            own = known_groups(self, inputs[0], 1)
            if features or self.strides > 1:
                own = step.by_lane(own)[:: self.strides]
            features.append(own)
        if not features:
            return ()
        outputs = matmul_joined(features, weights["seen"])
        return split_groups(outputs + weights["bias"], self.channels)

    def finish_pixel(self, weights, state, step, inputs):
        taps = step.grid.taps(self.past())
        history = state["history"]
        if len(taps):
            pixel = known_groups(self, inputs[0], self.channels)
            history = taps.push(history, step, pixel)
        return {"history": history, "seen": ()}

    def _part(self, group, filters):
        size = filters // self.channels
        return slice(group * size, (group + 1) * size)

    def output_stride(self, stride):
        return stride * self.strides
