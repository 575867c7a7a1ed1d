"""A Functional model as a graph that is computed step by step."""

import math

import keras
from keras import ops

from keras_pixel.layers.base import Available
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import read_at
from keras_pixel.sampling.pointwise import pointwise_kind
from keras_pixel.sampling.pointwise import run_pointwise
from keras_pixel.sampling.schedule import Schedule

_ELSE = 'or sample with `method="naive"`.'


class DecodingGraph:
    """The layers of a model in order, and when each tensor is known.

    Causal layers run their cached side; pointwise Keras layers run as they
    are, on the positions of a step; what depends on conditions alone is
    computed once, by any layers, before the first step. Anything else is
    refused by name.

    Tensors are numbered; 0 is the image.

    Args:
        model: Functional `keras.Model` from integer images, and conditions,
            to parameters.

    Attributes:
        channels: int. Channels of the images.
        dtype: that the model takes images in.
        lag: int, the least lag of a wavefront that the model can be drawn
            along; `None` for raster order only.
        stride: int. The least common multiple of all grids' strides, mostly
            that of the coarsest: after so many steps all have had turns.
        fills_lanes: bool, see `CausalLayer`.

    Raises:
        NotImplementedError: if a layer of the model is neither causal nor
            pointwise, or has no cached side.
        ValueError: if the model is not causal.
    """

    def __init__(self, model):
        self.image_shape = tuple(model.inputs[0].shape[1:])
        self.dtype = model.inputs[0].dtype
        self.channels = self.image_shape[-1]
        self.nodes: list[_Node] = []
        self.available: dict[int, Available] = {}  # by a tensor's number
        self.strides: dict[int, int] = {}  # likewise
        self._numbers: dict[int, int] = {}  # of tensors, by their ids
        self._kept: list = []  # those tensors, so that ids stay unique
        image, *conditions = (
            keras.Input(batch_shape=x.shape, dtype=x.dtype)
            for x in model.inputs
        )
        self._number(image, Available.CHANNEL)
        self.conditions = [self._number(x, Available.START) for x in conditions]
        outputs = self._record(model, [image, *conditions])
        self.output = self._numbers[id(outputs[0])]
        causal = [n.layer for n in self.nodes if isinstance(n, _CausalNode)]
        lags = [layer.least_lag for layer in causal]
        self.lag = None if None in lags else max(lags, default=1)
        self.stride = math.lcm(*self.strides.values())
        if self.stride > 1:
            _check_lanes(causal)
        self.fills_lanes = all(layer.fills_lanes for layer in causal)
        if self.available[self.output] > Available.CHANNEL:
            raise ValueError(
                "The model is not causal: the parameters of a channel depend "
                "on that channel itself. Put a layer with mask type "
                '"A" on every path from the image. '
                f"Received: a model that ends in {self._last()}"
            )

    def _last(self):
        return next(
            describe(node.layer)
            for node in self.nodes
            if self.output in node.outputs
        )

    def _number(self, tensor, available, stride=1):
        number = self._numbers.setdefault(id(tensor), len(self._numbers))
        if number not in self.available:
            self._kept.append(tensor)
            self.available[number] = available
            self.strides[number] = stride
        return number

    def _record(self, model, inputs):
        """Number the tensors of a model, and keep its layers as nodes."""

        def record(layer, *args, **kwargs):
            outputs = layer(*args, **kwargs)
            if isinstance(layer, keras.Model) and layer.outputs:
                self._look_into(layer, args, outputs)
            else:
                self._add(layer, args, kwargs, outputs)
            return outputs

        # Of the graph alone: a compiled model's optimizer would be made anew.
        # A Sequential too is a graph between its inputs and outputs.
        graph = keras.Model(model.inputs, model.outputs)
        copy = keras.models.clone_model(
            graph,
            input_tensors=inputs,
            clone_function=lambda layer: layer,
            call_function=record,
        )
        return copy.outputs

    def _look_into(self, model, args, outputs):
        """Keep the layers of a model inside the model."""
        inner = [
            keras.Input(batch_shape=x.shape, dtype=x.dtype)
            for x in keras.tree.flatten(args)
        ]
        same = list(zip(inner, keras.tree.flatten(args), strict=True))
        for x, outer in same:
            self._numbers[id(x)] = self._numbers[id(outer)]
        found = self._record(model, inner)
        for x, outer in zip(found, keras.tree.flatten(outputs), strict=True):
            self._numbers[id(outer)] = self._numbers[id(x)]
        self._kept += [*inner, *keras.tree.flatten(outputs)]

    def _add(self, layer, args, kwargs, outputs):
        inputs = [
            self._numbers[id(x)]
            for x in keras.tree.flatten((args, kwargs))
            if isinstance(x, keras.KerasTensor)
        ]
        known = [self.available[i] for i in inputs]
        flat_outputs = keras.tree.flatten(outputs)
        node: _Node
        if all(x == Available.START for x in known):
            node = _StartNode(layer, args, kwargs, len(flat_outputs))
        elif isinstance(layer, CausalLayer):
            node = _CausalNode(layer, self.channels)
        else:
            node = _PointwiseNode(layer, args, kwargs, self.channels)
        if not isinstance(node, _StartNode):
            _check_conditions(layer, args, kwargs, known)
        strides = {
            self.strides[i]
            for i, available in zip(inputs, known, strict=True)
            if available != Available.START
        }
        stride = max(strides, default=1)
        node.inputs = inputs
        node.known = dict(zip(inputs, known, strict=True))
        node.available = node.available_at(known)
        node.stride = node.output_stride(stride)
        # A layer between two grids works in the steps of the finer one.
        node.works_at = min(stride, node.stride)
        node.outputs = [
            self._number(x, available, node.stride)
            for x, available in zip(flat_outputs, node.available, strict=True)
        ]
        self.nodes.append(node)

    def schedule(
        self, num_images, lag=None, image_shape=None, fills_lanes=True
    ):
        """The schedule of the model.

        Args:
            num_images: int or scalar tensor.
            lag: int. Defaults to `None`, the model's.
            image_shape: `(height, width, channels)`. Defaults to `None`, that
                of the model.
            fills_lanes: bool. Whether images may follow one another in the
                lanes, if the model allows it. Defaults to `True`.
        """
        image_shape = image_shape or self.image_shape
        least = image_shape[1] if self.lag is None else self.lag
        if lag is not None and lag < min(least, image_shape[1]):
            raise ValueError(
                "`lag` must be at least the model's own. "
                f"Received: lag={lag}, model.lag={self.lag}"
            )
        return Schedule(
            image_shape,
            num_images,
            self.lag if lag is None else lag,
            self.stride,
            self.fills_lanes and fills_lanes,
        )

    # === Steps ===

    def init_cache(self, schedule, conditions=()):
        """Weights (used by all steps), and the first state of every node.

        Args:
            schedule: `Schedule`.
            conditions: list of tensors, the model's inputs after the image.
        """
        known = dict(zip(self.conditions, conditions, strict=True))
        weights: list = []
        states: list = []
        for node in self.nodes:
            if isinstance(node, _StartNode):
                node.compute(known)
                weights.append(())
                states.append(())
                continue
            grid = schedule.grid.coarser(node.works_at)
            given = {
                i: _Condition(known[i], schedule, node.stride)
                for i in node.inputs
                if i in known
            }
            node_weights, state = node.init_cache(grid)
            weights.append({"own": node_weights, "conditions": given})
            states.append(state)
        return weights, tuple(states)

    @property
    def has_rows(self):
        """Whether some tensors are known by row."""
        return Available.ROW in self.available.values() or any(
            isinstance(node, _CausalNode)
            and type(node.layer).start_row is not CausalLayer.start_row
            for node in self.nodes
        )

    def start_row(self, weights, states):
        """What finished rows determine: known rows, and the states."""
        rows: dict = {}
        new_states = []
        for node, w, state in zip(self.nodes, weights, states, strict=True):
            if isinstance(node, _StartNode):
                new_states.append(state)
                continue
            outputs, state = node.start_row(
                w["own"], state, [rows.get(i) for i in node.inputs]
            )
            new_states.append(state)
            rows.update(
                (i, row)
                for i, row in zip(node.outputs, outputs, strict=True)
                if row is not None
            )
        return rows, tuple(new_states)

    def start_pixel(self, rows, steps):
        """Values of a step that are known before anything is drawn.

        Returns:
            Dict from a tensor's number to the list of its channel groups that
            are known so far; what is known by row or by pixel is one group.
        """
        values: dict[int, list] = {0: []}
        for number, row in rows.items():
            values[number] = [read_at(row, steps[1].raster_column)]
        return values

    def decode_step(self, weights, states, values, steps, group):
        """Parameters of channel `group`, given the values so far.

        Args:
            weights, states: see `init_cache`.
            values: see `start_pixel`; `values[0]` holds the levels drawn so
                far, each `(positions, 1)`. What is computed here is added.
            steps: dict from strides to `Step`, of the grids that have their
                turn.
            group: int, the channel.

        Returns:
            Tensor `(positions, num_parameters)`, and the states.
        """
        new_states = []
        for node, w, state in zip(self.nodes, weights, states, strict=True):
            known = node.available[-1]
            due = known == Available.CHANNEL or (
                known == Available.PIXEL and group == 0
            )
            if due and node.stride in steps and node.works_at in steps:
                state = node.decode_step(
                    w, state, values, steps[node.works_at], group
                )
            new_states.append(state)
        of_output = values.get(self.output, [])
        if self.available[self.output] != Available.CHANNEL:
            of_output = split_channels(of_output[0], self.channels)
        if len(of_output) <= group:
            raise ValueError(
                "The model is not causal: the parameters of a channel depend "
                "on that channel itself. "
                f"Received: channel {group} of {self.channels}. Put a layer "
                'with mask type "A" on every path from the image.'
            )
        return of_output[group], tuple(new_states)

    def finish_pixel(self, weights, states, values, steps):
        """States after a step all of whose levels are known."""
        new_states = []
        for node, w, state in zip(self.nodes, weights, states, strict=True):
            if node.works_at in steps and not isinstance(node, _StartNode):
                step = steps[node.works_at]
                if (
                    node.available[-1] == Available.AFTER
                    and node.stride in steps
                ):
                    state = node.decode_step(w, state, values, step, 0, True)
                state = node.finish_pixel(w, state, values, step)
            new_states.append(state)
        return tuple(new_states)


class _Node:
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


class _StartNode(_Node):
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


class _Condition:
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

    def at(self, step):
        """Tensor `(positions, features)`."""
        if self.is_map:
            found = step.at_lanes(self.value)
        else:
            image = step.at_lanes(step.grid.places["image"])
            found = ops.take(self.value, image, axis=0)
        return ops.reshape(found, (-1, found.shape[-1]))


class _CausalNode(_Node):
    def __init__(self, layer, channels):
        super().__init__(layer)
        self.channels = channels
        if layer.channels not in (1, channels):
            raise NotImplementedError(
                "Cached sampling needs causal layers with as many `channels` "
                "as the images have, or 1 to work on whole pixels. "
                f"Received: channels={layer.channels} in {describe(layer)}, "
                f"images with {channels}. Give it {channels}, {_ELSE}"
            )
        if not layer.has_cache:
            raise NotImplementedError(
                "Cached sampling needs layers with a cached side. "
                f"Received: {describe(layer)}. Implement `init_cache` and the "
                f"rest (see `CausalLayer`), {_ELSE}"
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


class _PointwiseNode(_Node):
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
                f"a cached side (see `CausalLayer`), {_ELSE}"
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


def _check_lanes(layers):
    """Refuse layers that have one lane only beside coarser grids."""
    for layer in layers:
        if layer.least_lag is None and not layer.takes_lanes:
            raise NotImplementedError(
                "Cached sampling in raster order needs a model without "
                f"strided layers. Received: {describe(layer)}, which is drawn "
                "in raster order only, in a model with strides. Use a layer "
                f"with a `lag`, leave out the strides, {_ELSE}"
            )


def _check_conditions(layer, args, kwargs, known):
    """Refuse conditions that are spread along rows or columns only."""
    tensors = [
        x
        for x in keras.tree.flatten((args, kwargs))
        if isinstance(x, keras.KerasTensor)
    ]
    of_image = [
        x.shape[1:3]
        for x, available in zip(tensors, known, strict=True)
        if available != Available.START
    ]
    for x, available in zip(tensors, known, strict=True):
        if (
            available == Available.START
            and len(x.shape) == 4
            and x.shape[1:3] not in ((1, 1), *of_image)
        ):
            raise NotImplementedError(
                "Cached sampling needs conditions that are the same for all "
                "pixels, or maps with the rows and columns of the features "
                f"that they meet. Received: shape={x.shape} in "
                f"{describe(layer)}. Repeat it to a whole map, {_ELSE}"
            )


def is_decodable(model):
    """Whether a model can be drawn step by step (see `DecodingGraph`)."""
    try:
        DecodingGraph(model)
    except NotImplementedError:
        return False
    return True


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
