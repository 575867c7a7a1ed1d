"""A Functional graph as a list of steps that work along the sequence."""

import keras
from keras import ops

from keras_pixel.layers.base import CausalLayer
from keras_pixel.layers.buffers import read_at
from keras_pixel.sampling.pointwise import pointwise_kind
from keras_pixel.sampling.pointwise import run_pointwise


class Plan:
    """Runs a model's graph row by row and pixel by pixel.

    Causal layers run their cached side; pointwise Keras layers run as
    they are, on a row or on a channel group of a pixel; anything else is
    refused by name.

    Args:
        model: Functional `keras.Model` from integer images to parameters.

    Raises:
        NotImplementedError: if a layer of the model is neither causal nor
            pointwise.
    """

    def __init__(self, model):
        self.channels = model.inputs[0].shape[-1]
        self.nodes = []
        self._record(model)

    def _record(self, model):
        numbers: dict[int, int] = {}  # id of a symbolic tensor -> its number
        kept = []  # keeps those tensors alive, so that ids stay unique
        by_row = {0: False}

        def number_of(tensor):
            if id(tensor) not in numbers:
                numbers[id(tensor)] = len(numbers)
                kept.append(tensor)
            return numbers[id(tensor)]

        def record(layer, *args, **kwargs):
            outputs = layer(*args, **kwargs)
            inputs = [
                number_of(x)
                for x in keras.tree.flatten((args, kwargs))
                if isinstance(x, keras.KerasTensor)
            ]
            node = _Node(
                layer,
                args,
                inputs,
                [number_of(x) for x in keras.tree.flatten(outputs)],
                [by_row[i] for i in inputs],
                self.channels,
            )
            by_row.update(zip(node.outputs, node.outputs_by_row, strict=True))
            self.nodes.append(node)
            return outputs

        copy = keras.Input(batch_shape=model.inputs[0].shape, dtype="int32")
        number_of(copy)
        # Of the graph alone: a compiled model's optimizer would be made anew.
        result = keras.models.clone_model(
            keras.Model(model.inputs[0], model.outputs),
            input_tensors=copy,
            clone_function=lambda layer: layer,
            call_function=record,
        )
        self.output = numbers[id(result.outputs[0])]

    def init_cache(self, batch_size, width):
        """Weights (used by all steps) and the first state of every node."""
        pairs = [node.init_cache(batch_size, width) for node in self.nodes]
        weights, states = zip(*pairs, strict=True)
        return weights, states

    def start_row(self, weights, states):
        """What finished rows determine: known rows, and the states."""
        rows: dict = {}
        new_states = []
        for node, w, state in zip(self.nodes, weights, states, strict=True):
            outputs, state = node.start_row(
                w, state, [rows.get(i) for i in node.inputs]
            )
            new_states.append(state)
            rows.update(
                (i, row)
                for i, row in zip(node.outputs, outputs, strict=True)
                if row is not None
            )
        return rows, tuple(new_states)

    def start_pixel(self, rows, column):
        """Values of a pixel that its row determines, group by group."""
        values: dict[int, list] = {0: []}
        for number, row in rows.items():
            features = read_at(row, column)  # (batch, features)
            values[number] = split_channels(features, self.channels)
        return values

    def decode_step(self, weights, states, values, column, group):
        """Parameters of channel `group`, given the pixel's values so far.

        `values[0]` holds the levels known so far, each `(batch, 1)`. The
        groups computed here are added to `values`.
        """
        new_states = []
        for node, w, state in zip(self.nodes, weights, states, strict=True):
            state = node.decode_step(w, state, values, column, group)
            new_states.append(state)
        self._check_known(values, group)
        return values[self.output][group], tuple(new_states)

    def _check_known(self, values, group):
        if len(values.get(self.output, [])) <= group:
            raise ValueError(
                "The model is not causal: the parameters of a channel depend "
                "on that channel itself. "
                f"Received: channel {group} of {self.channels}. Put a layer "
                'with mask type "A" on every path from the image.'
            )

    def finish_pixel(self, weights, states, values, column):
        """States after a pixel all of whose levels are known."""
        return tuple(
            node.finish_pixel(w, state, values, column)
            for node, w, state in zip(self.nodes, weights, states, strict=True)
        )


class _Node:
    """One call of one layer in the graph."""

    def __init__(self, layer, args, inputs, outputs, by_row, channels):
        self.layer = layer
        self.args = args
        self.inputs = inputs
        self.outputs = outputs
        self.channels = channels
        self.inputs_by_row = by_row
        self.is_causal = isinstance(layer, CausalLayer)
        if self.is_causal:
            if layer.channels != channels:
                raise NotImplementedError(
                    "Cached sampling needs causal layers with as many "
                    "`channels` as the images have. "
                    f"Received: channels={layer.channels} in "
                    f"{_describe(layer)}, images with {channels}. Sample with "
                    '`method="parallel"`.'
                )
            if not layer.has_cache:
                raise NotImplementedError(
                    "Cached sampling needs layers with a cached side. "
                    f"Received: {_describe(layer)}. Implement `init_cache` "
                    "and the rest (see `CausalLayer`), or sample with "
                    '`method="parallel"`.'
                )
            self.outputs_by_row = layer.known_by_row(by_row)
        else:
            self.kind = pointwise_kind(layer, args)
            self.outputs_by_row = [all(by_row)]
            self._check_pointwise()

    def _check_pointwise(self):
        if self.kind is None:
            raise NotImplementedError(
                "Cached sampling needs causal layers and pointwise Keras "
                f"layers only. Received: {_describe(self.layer)}. Give it "
                "a cached side (see `CausalLayer`), or sample with "
                '`method="parallel"`.'
            )
        mixes = self.kind == "pixel" and self.channels > 1
        if mixes and not self.outputs_by_row[0]:
            raise NotImplementedError(
                "A layer that mixes all features of a pixel shows later "
                f"channels to earlier ones. Received: {_describe(self.layer)} "
                f"in a model of {self.channels} channels. Use "
                "`MaskedConv2D(features, 1, channels="
                f"{self.channels})` in its place."
            )

    def init_cache(self, batch_size, width):
        if self.is_causal:
            return self.layer.init_cache(batch_size, width)
        return (), ()

    def start_row(self, weights, state, rows):
        if self.is_causal:
            return self.layer.start_row(weights, state, rows)
        if self.outputs_by_row[0]:
            return [run_pointwise(self.layer, self.args, rows)], state
        return [None], state

    def decode_step(self, weights, state, values, column, group):
        if all(self.outputs_by_row):
            return state
        if not self.is_causal:
            self._run_known_groups(values)
            return state
        inputs = [values.get(i, []) for i in self.inputs]
        outputs, state = self.layer.decode_step(
            weights, state, column, group, inputs
        )
        self._add(values, outputs)
        return state

    def finish_pixel(self, weights, state, values, column):
        if self.is_causal:
            inputs = [values[i] for i in self.inputs]
            return self.layer.finish_pixel(weights, state, column, inputs)
        # What follows the image itself gets its last channel only now.
        if not self.outputs_by_row[0]:
            self._run_known_groups(values)
        return state

    def _run_known_groups(self, values):
        done = len(values.get(self.outputs[0], []))
        known = min(len(values.get(i, [])) for i in self.inputs)
        for group in range(done, known):
            of_group = [values[i][group] for i in self.inputs]
            output = run_pointwise(self.layer, self.args, of_group, group)
            self._add(values, [output])

    def _add(self, values, outputs):
        for number, by_row, output in zip(
            self.outputs, self.outputs_by_row, outputs, strict=True
        ):
            if not by_row:
                values.setdefault(number, []).append(output)


def is_decodable(model):
    """Whether a model can be drawn step by step (see `Plan`)."""
    try:
        Plan(model)
    except NotImplementedError:
        return False
    return True


def split_channels(features, channels):
    """Interleaved features `(batch, features)` as one tensor a channel."""
    if channels == 1:
        return [features]
    size = features.shape[-1] // channels
    parted = ops.reshape(features, (-1, size, channels))
    return [parted[:, :, c] for c in range(channels)]


def _describe(layer):
    return f'{type(layer).__name__} (name="{layer.name}")'
