"""The nodes of a decoding graph: one call of one layer each."""

import keras
from keras import ops

from keras_pixel.layers.base import Available
from keras_pixel.layers.buffers import read_at
from keras_pixel.sampling.pointwise import pointwise_kind
from keras_pixel.sampling.pointwise import run_pointwise

# How messages end that refuse a layer.
WAY_OUT = 'or sample with `method="naive"`.'


class Node:
    """One call of one layer in the graph.

    Attributes:
        inputs, outputs: lists of tensors' numbers.
        known: dict from an input's number to its `Available`.
        available: list of `Available`, one per output.
        stride: int, of the outputs' grid.
        works_at: int, the stride of the finer of its grids.
    """

    inputs: list[int]
    outputs: list[int]
    known: dict[int, Available]
    available: list[Available]
    stride: int
    works_at: int

    def __init__(self, layer):
        self.layer = layer

    def output_stride(self, stride):
        return stride

    def init_cache(self, grid):
        return (), ()

    def start_row(self, weights, state, rows):
        return [None] * len(self.outputs), state

    def decode_step(self, weights, state, values, step, group, finished=False):
        """Adds outputs to `values`; with `finished` all inputs are known."""
        raise NotImplementedError

    def finish_pixel(self, weights, state, values, step):
        return state


class StartNode(Node):
    """A layer on what depends on conditions alone."""

    def __init__(self, layer, args, kwargs, num_outputs):
        super().__init__(layer)
        self.args, self.kwargs = args, kwargs
        self.num_outputs = num_outputs

    def available_at(self, inputs):
        return [Available.START] * self.num_outputs

    def compute(self, known):
        given = iter([known[i] for i in self.inputs])
        args, kwargs = keras.tree.map_structure(
            lambda x: next(given) if isinstance(x, keras.KerasTensor) else x,
            (self.args, self.kwargs),
        )
        outputs = keras.tree.flatten(self.layer(*args, **kwargs))
        known.update(zip(self.outputs, outputs, strict=True))


class Condition:
    """What conditions give to each position of a step.

    Args:
        value: tensor `(num_images, features)` or `(num_images, 1, 1,
            features)`, the same for all pixels of an image, or a map
            `(num_images, height, width, features)`.
        schedule: `Schedule`.
        stride: int, of the grid that a map is on.
    """

    def __init__(self, value, schedule, stride):
        grid = schedule.grid.coarser(stride)
        self.is_map = False
        if len(value.shape) == 4:
            height, width, features = value.shape[1:]
            self.is_map = (height, width) == (grid.height, grid.width)
            if not self.is_map:
                value = ops.reshape(value, (-1, features))
        if self.is_map:
            self.value = schedule.by_step(value, grid)
        else:
            self.value = schedule.by_image(value)

    def at_row(self, step):
        """In raster order, where a row begins: `(width, batch, features)`."""
        grid = step.grid
        if self.is_map:
            # The number of images may be known only while running.
            shape = (grid.height, grid.width, -1, self.value.shape[-1])
            return read_at(ops.reshape(self.value, shape), step.row[0])
        # No images follow one another in the only lane.
        return ops.repeat(self.value, grid.width, axis=0)

    def at(self, step):
        """Tensor `(positions, features)`."""
        if self.is_map:
            found = step.at_lanes(self.value)
        else:
            image = step.at_lanes(step.grid.places["image"])
            found = ops.take(self.value, image, axis=0)
        return ops.reshape(found, (-1, found.shape[-1]))


class CausalNode(Node):
    def __init__(self, layer, channels):
        super().__init__(layer)
        self.channels = channels
        if layer.channels not in (1, channels):
            raise NotImplementedError(
                "Cached sampling needs causal layers with as many `channels` "
                "as the images have, or 1 to work on whole pixels. "
                f"Received: channels={layer.channels} in {describe(layer)}, "
                f"images with {channels}. Give it {channels}, {WAY_OUT}"
            )
        if not layer.has_cache:
            raise NotImplementedError(
                "Cached sampling needs layers with a cached side. "
                f"Received: {describe(layer)}. Implement `init_cache` and the "
                f"rest (see `CausalLayer`), {WAY_OUT}"
            )

    def available_at(self, inputs):
        return self.layer.available_at(inputs)

    def output_stride(self, stride):
        return self.layer.output_stride(stride)

    def init_cache(self, grid):
        return self.layer.init_cache(grid)

    def start_row(self, weights, state, rows):
        return self.layer.start_row(weights, state, rows)

    def decode_step(self, weights, state, values, step, group, finished=False):
        inputs = self._inputs(weights, values, step, finished)
        outputs, state = self.layer.decode_step(
            weights["own"], state, step, group, inputs
        )
        for number, output in zip(self.outputs, outputs, strict=True):
            if output is not None:
                values.setdefault(number, []).append(output)
        return state

    def finish_pixel(self, weights, state, values, step):
        inputs = self._inputs(weights, values, step, True)
        return self.layer.finish_pixel(weights["own"], state, step, inputs)

    def _inputs(self, weights, values, step, finished):
        """For each input the list of its groups that are known so far."""
        return [
            [
                self._cast(x)
                for x in self._groups(i, weights, values, step, finished)
            ]
            for i in self.inputs
        ]

    def _groups(self, number, weights, values, step, finished):
        if number in weights["conditions"]:
            groups = [weights["conditions"][number].at(step)]
        else:
            groups = values.get(number, [])
        if self.available[-1] == Available.CHANNEL:
            # What is known by row may be of features of any number.
            splits = groups and groups[0].shape[-1] % self.layer.channels == 0
            if splits and self._is_whole(number) and self.layer.channels > 1:
                return split_channels(groups[0], self.channels)
            return groups
        # Over whole pixels: one group, once all of it is known.
        if self._is_whole(number):
            return groups
        return [join_channels(groups)] if finished else []

    def _is_whole(self, number):
        return self.known[number] != Available.CHANNEL

    def _cast(self, features):
        if not self.layer.autocast or not keras.backend.is_float_dtype(
            keras.backend.standardize_dtype(features.dtype)
        ):
            return features
        return ops.cast(features, self.layer.compute_dtype)


class PointwiseNode(Node):
    def __init__(self, layer, args, kwargs, channels):
        super().__init__(layer)
        self.args, self.kwargs = args, kwargs
        self.channels = channels
        ranks = [
            len(x.shape)
            for x in keras.tree.flatten((args, kwargs))
            if isinstance(x, keras.KerasTensor)
        ]
        self.rank = max(ranks)
        self.kind = pointwise_kind(layer, args, kwargs)
        if self.kind == "pixel" and min(ranks) > 4:
            # After the head, channels have an axis of their own.
            self.kind = "element"
        if self.kind is None:
            raise NotImplementedError(
                "Cached sampling needs causal layers and pointwise Keras "
                f"layers only. Received: {describe(layer)}. Give it "
                f"a cached side (see `CausalLayer`), {WAY_OUT}"
            )

    def available_at(self, inputs):
        latest = max(inputs)
        if latest == Available.CHANNEL and self.kind == "pixel":
            # It mixes the channels: known when the last one is.
            latest = Available.AFTER
        return [max(latest, Available.ROW)]

    def start_row(self, weights, state, rows):
        if self.available[0] == Available.ROW:
            return [self._run(rows)], state
        return [None], state

    def decode_step(self, weights, state, values, step, group, finished=False):
        number = self.outputs[0]
        if self.available[0] != Available.CHANNEL:
            given = [self._whole(i, weights, values, step) for i in self.inputs]
            values[number] = [self._run(given)]
            return state
        # Group by group, as far as the inputs are known.
        inputs = [self._parts(i, weights, values, step) for i in self.inputs]
        done = values.setdefault(number, [])
        for i in range(len(done), min(map(len, inputs))):
            given = [x[i] for x in inputs]
            done.append(self._run(given, i))
        return state

    def _run(self, tensors, group=None):
        return run_pointwise(
            self.layer, self.args, self.kwargs, tensors, group, self.rank
        )

    def finish_pixel(self, weights, state, values, step):
        # What follows the image itself gets its last channel only now.
        if self.available[0] == Available.CHANNEL:
            self.decode_step(weights, state, values, step, 0)
        return state

    def _whole(self, number, weights, values, step):
        if number in weights["conditions"]:
            return weights["conditions"][number].at(step)
        return join_channels(values[number])

    def _parts(self, number, weights, values, step):
        if number in weights["conditions"]:
            groups = [weights["conditions"][number].at(step)]
        else:
            groups = values.get(number, [])
        if self.known[number] != Available.CHANNEL and groups:
            return split_channels(groups[0], self.channels)
        return groups


def split_channels(features, channels):
    """Interleaved features `(positions, features)` as one tensor a channel."""
    if channels == 1:
        return [features]
    size = features.shape[-1] // channels
    parted = ops.reshape(features, (-1, size, channels))
    return [parted[:, :, c] for c in range(channels)]


def join_channels(groups):
    """Undo `split_channels`."""
    if len(groups) == 1:
        return groups[0]
    if groups[0].shape[-1] == 1:
        return ops.concatenate(groups, axis=-1)
    joined = ops.stack(groups, axis=-1)  # (positions, size, channels)
    return ops.reshape(joined, (-1, joined.shape[1] * joined.shape[2]))


def describe(layer):
    """A layer's class and name, for messages."""
    return f'{type(layer).__name__} (name="{layer.name}")'
