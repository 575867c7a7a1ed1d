"""A Functional model as a graph that is computed step by step."""

import math

import keras

from keras_pixel.layers.base import Available
from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.reorder import Reorder
from keras_pixel.sampling.nodes import WAY_OUT
from keras_pixel.sampling.nodes import CausalNode
from keras_pixel.sampling.nodes import Condition
from keras_pixel.sampling.nodes import Node
from keras_pixel.sampling.nodes import PointwiseNode
from keras_pixel.sampling.nodes import StartNode
from keras_pixel.sampling.nodes import describe
from keras_pixel.sampling.nodes import split_channels
from keras_pixel.sampling.orders import Border
from keras_pixel.sampling.schedule import Schedule


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
        border: `Border` between images and the order that they are drawn in.

    Raises:
        NotImplementedError: if a layer of the model is neither causal nor
            pointwise, or has no cached side.
        ValueError: if the model is not causal.
    """

    def __init__(self, model):
        self.image_shape = tuple(model.inputs[0].shape[1:])
        self.dtype = model.inputs[0].dtype
        self.channels = self.image_shape[-1]
        self.nodes: list[Node] = []
        self.available: dict[int, Available] = {}  # by a tensor's number
        self.strides: dict[int, int] = {}  # likewise
        self._numbers: dict[int, int] = {}  # of tensors, by their ids
        self._kept: list = []  # those tensors, so that ids stay unique
        image, *conditions = (
            keras.Input(batch_shape=x.shape, dtype=x.dtype)
            for x in model.inputs
        )
        self._number(image, Available.CHANNEL)
        self.border = Border(model)
        self._turned: set[int] = set()  # ids of tensors that were turned back
        self.conditions = [self._number(x, Available.START) for x in conditions]
        outputs = self._record(model, [image, *conditions])
        self.output = self._numbers[id(outputs[0])]
        if self.border.is_crossed and id(outputs[0]) not in self._turned:
            raise ValueError(
                "`Reorder(orders, inverse=True)` must be the last layer of a "
                "model that has it. "
                f"Received: a model that ends in {self._last()}"
            )
        causal = [n.layer for n in self.nodes if isinstance(n, CausalNode)]
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
        if isinstance(layer, Reorder) and known[0] != Available.START:
            self._turn(layer, inputs[0], outputs)
            return
        flat_outputs = keras.tree.flatten(outputs)
        node: Node
        if all(x == Available.START for x in known):
            node = StartNode(layer, args, kwargs, len(flat_outputs))
        elif isinstance(layer, CausalLayer):
            node = CausalNode(layer, self.channels)
        else:
            node = PointwiseNode(layer, args, kwargs, self.channels)
        if not isinstance(node, StartNode):
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

    def _turn(self, layer, number, outputs):
        """Steps are taken in the turned image: there nothing is to be done."""
        if layer.orders != self.border.orders:
            raise ValueError(
                "All `Reorder` layers of a model must have the same orders, "
                "and the last one be outside of models inside the model. "
                f"Received: {list(layer.orders)} in {describe(layer)} beside "
                f"{list(self.border.orders)}."
            )
        self._numbers[id(outputs)] = number
        self._kept.append(outputs)
        if layer.inverse:
            self._turned.add(id(outputs))

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
            if isinstance(node, StartNode):
                node.compute(known)
                weights.append(())
                states.append(())
                continue
            grid = schedule.grid.coarser(node.works_at)
            given = {
                i: Condition(known[i], schedule, node.stride)
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
            isinstance(node, CausalNode)
            and type(node.layer).start_row is not CausalLayer.start_row
            for node in self.nodes
        )

    def start_row(self, weights, states, step):
        """What finished rows determine: known rows, and the states.

        Args:
            weights, states: see `init_cache`.
            step: `Step` of the row's first pixel, on the finest grid.
        """
        rows: dict = {}
        new_states = []
        for node, w, state in zip(self.nodes, weights, states, strict=True):
            if isinstance(node, StartNode):
                new_states.append(state)
                continue
            known = {i: x.at_row(step) for i, x in w["conditions"].items()}
            outputs, state = node.start_row(
                w["own"], state, [{**rows, **known}.get(i) for i in node.inputs]
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
            if node.works_at in steps and not isinstance(node, StartNode):
                step = steps[node.works_at]
                if (
                    node.available[-1] == Available.AFTER
                    and node.stride in steps
                ):
                    state = node.decode_step(w, state, values, step, 0, True)
                state = node.finish_pixel(w, state, values, step)
            new_states.append(state)
        return tuple(new_states)


def _check_lanes(layers):
    """Refuse layers that have one lane only beside coarser grids."""
    for layer in layers:
        if layer.least_lag is None and not layer.takes_lanes:
            raise NotImplementedError(
                "Cached sampling in raster order needs a model without "
                f"strided layers. Received: {describe(layer)}, which is drawn "
                "in raster order only, in a model with strides. Use a layer "
                f"with a `lag`, leave out the strides, {WAY_OUT}"
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
                f"{describe(layer)}. Repeat it to a whole map, {WAY_OUT}"
            )


def is_decodable(model):
    """Whether a model can be drawn step by step (see `DecodingGraph`)."""
    try:
        DecodingGraph(model)
    except NotImplementedError:
        return False
    return True
