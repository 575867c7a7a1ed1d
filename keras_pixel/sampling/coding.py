"""A model run step by step, for a host that codes levels in between.

A compressor and its decompressor must agree on every probability to the last
bit. Both run the programs here, on batches of one size.
"""

import sys

import keras
import numpy as np
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.compiled import Compiled
from keras_pixel.layers.buffers import as_portable
from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.loop import Loop
from keras_pixel.sampling.loop import Strategy

# Levels of a block, where there are more than two of them.
_BLOCK = 16
# Instead of 0: a block without any probability must be coded all the same.
_SMALLEST = float(np.finfo("float32").tiny)


class StepCoder:
    """Gives the probabilities of all sub-pixels in flight, step after step.

    A step is cut into one program for each channel, which is given the levels
    of the channel before it. What the programs keep stays with the backend:
    levels are sent there and probabilities back, for all lanes and images at
    once. Of many levels first that of a block of 16 is asked for, and then
    those in the block: so few of them are computed.

    Args:
        model: `PixelModel` that is decodable.
        batch_size: int. Images in a batch, always.
        lag: int, of the wavefront. Defaults to `None`, the model's own.

    Attributes:
        lag: int, that of the schedule.
        num_steps: int. Steps in which a batch is coded.

    Raises:
        NotImplementedError: if a layer of the model has no cached side.
        ValueError: if `lag` is less than the model's own.
    """

    def __init__(self, model, batch_size, lag=None):
        self.model = model
        self.distribution = model.pixel_distribution
        self.batch_size = check_size("batch_size", batch_size)
        self.graph = DecodingGraph(model)
        self._lag = lag
        schedule = self._schedule()
        self._stride, self._width = schedule.stride, schedule.width
        self.lag = schedule.lag
        self.num_steps = schedule.num_steps
        self._places = {
            name: ops.convert_to_numpy(table)
            for name, table in schedule.grid.places.items()
        }
        num_levels = self.distribution.num_levels
        self._block = _BLOCK if num_levels > 2 * _BLOCK else 1
        self._programs = {}

    def run(self, code, images, is_coded, conditions=()):
        """Go through a batch of images.

        A sub-pixel that is not coded takes the level of the channel before
        it; in the first channel that of the pixel to the left; in the first
        column that of the row above; and in the first row 0.

        Args:
            code: function from float32 probabilities `(n, symbols)` and
                int32 symbols `(n,)`, of what `images` hold, to int32 symbols
                `(n,)`, which are what they hold from then on. It is called
                with all sub-pixels of one channel of a step that are coded.
                With more than 32 levels it is called twice: with blocks of
                16 levels, and with the levels in a block.
            images: int32 array `(batch_size, height, width, channels)`, turned
                into the order that the model draws each in; it is written
                to.
            is_coded: bool array of the same shape.
            conditions: list of arrays `(batch_size, …)`, the model's inputs
                after the image.
        """
        conditions = [ops.convert_to_tensor(x) for x in conditions]
        found = self._call(("first",), {"conditions": conditions})
        weights, kept = found["weights"], found["kept"]
        levels = np.zeros(self._places["row"].shape[1] * self.batch_size, "i4")
        for time in range(self._steps_until(is_coded)):
            block, phase = divmod(time, self._stride)
            here = self._positions(time)
            for channel in range(self.graph.channels):
                is_first = time == 0 and channel == 0
                starts_row = (
                    channel == 0
                    and self.graph.has_rows
                    and time % self._width == 0
                )
                found = self._call(
                    ("channel", phase, channel, is_first, starts_row),
                    {
                        "weights": weights,
                        "block": np.int32(block),
                        "kept": kept,
                        "levels": levels,
                    },
                )
                kept = found["kept"]
                levels = self._coded(
                    code, found, images, is_coded, here, channel
                )

    def _steps_until(self, is_coded):
        """Steps up to the last in which anything is coded."""
        rows, columns = np.nonzero(is_coded.any(axis=(0, 3)))
        return int((columns + self.lag * rows).max(initial=-1)) + 1

    def _positions(self, time):
        """Image, row and column of each position, and whether it is idle."""
        image, row, column, is_pixel = (
            self._places[name][time]
            for name in ("image", "row", "column", "is_pixel")
        )
        image = image[:, None] * self.batch_size + np.arange(self.batch_size)
        shape = image.shape  # (lanes, batch)
        return [image.reshape(-1)] + [
            np.broadcast_to(x[:, None], shape).reshape(-1)
            for x in (row, column, is_pixel)
        ]

    def _coded(self, code, found, images, is_coded, here, channel):
        """Levels of one channel of a step, coded where they are to be."""
        image, row, column, is_pixel = here
        if channel:
            levels = images[image, row, column, channel - 1]
        else:
            left = images[image, row, column - 1, 0]
            above = images[image, row - 1, column, 0]
            levels = np.where(column > 0, left, np.where(row > 0, above, 0))
        levels = np.where(is_pixel, levels, 0).astype("int32")
        chosen = is_pixel & is_coded[image, row, column, channel]
        if chosen.any():
            known = images[image, row, column, channel]
            symbols = _coded_where(
                chosen, code, found["probabilities"], known // self._block
            )
            if self._block > 1:
                inside = self._call(
                    ("inside",),
                    {"parameters": found["parameters"], "blocks": symbols},
                )
                within = _coded_where(chosen, code, inside, known % self._block)
                symbols = symbols * self._block + within
            levels = np.where(chosen, symbols, levels)
        drawn = np.flatnonzero(is_pixel)
        images[image[drawn], row[drawn], column[drawn], channel] = levels[drawn]
        return levels

    # === Programs ===

    def _call(self, key, inputs):
        if key not in self._programs:
            name, *numbers = key
            function = getattr(self, f"_{name}")
            self._programs[key] = Compiled(
                lambda inputs: function(inputs, *numbers),
                self.model,
                # Without XLA: it would copy all that is kept in every call.
                jit_compile=keras.backend.backend() == "jax",
                is_fixed=True,
            )
        return self._programs[key].tensors(inputs)

    @as_portable
    def _first(self, inputs):
        """Weights as the steps use them, and the first states."""
        loop = self._loop(inputs["conditions"])
        states, _ = loop.first_states()
        return {"weights": _tensors(loop.weights), "kept": ({}, states, {})}

    @as_portable
    def _channel(self, inputs, phase, channel, is_first, starts_row):
        """Probabilities of one channel of a step, given the one before."""
        loop, (rows, states, values) = self._continued(inputs)
        levels, block = inputs["levels"], inputs["block"]
        steps = loop.steps(block, phase)
        if not is_first:
            values[0].append(ops.cast(levels[:, None], self.graph.dtype))
        if channel == 0:
            if not is_first:
                last = (phase - 1) % self._stride
                before = loop.steps(block - 1 if phase == 0 else block, last)
                states = self.graph.finish_pixel(
                    loop.weights, states, values, before
                )
            if starts_row:
                rows, states = self.graph.start_row(
                    loop.weights, states, steps[1]
                )
            values = self.graph.start_pixel(rows, steps)
        parameters, states = self.graph.decode_step(
            loop.weights, states, values, steps, channel
        )
        return {
            "kept": (rows, states, values),
            **self._probabilities(parameters),
        }

    def _probabilities(self, parameters):
        if self._block == 1:
            log_probs = self.distribution.level_log_probs(parameters)
            return {"probabilities": ops.exp(log_probs)}
        blocks = self.distribution.block_probs(parameters, self._block)
        return {"probabilities": blocks, "parameters": parameters}

    def _inside(self, inputs):
        """Probabilities of the levels in a block."""
        found = self.distribution.probs_in_block(
            inputs["parameters"], inputs["blocks"], self._block
        )
        return ops.maximum(found, _SMALLEST)

    def _schedule(self):
        # A new one each time: it keeps tensors of the graph it is used in.
        return self.graph.schedule(
            self.batch_size, self._lag, fills_lanes=False
        )

    def _loop(self, conditions):
        strategy = _Coding(self.distribution)
        inputs = {"conditions": conditions}
        return Loop(self.graph, self._schedule(), strategy, inputs)

    def _continued(self, inputs):
        """The loop, with the weights that it is given, and what was kept."""
        any_conditions = [
            ops.zeros((self.batch_size, *x.shape[1:]), x.dtype)
            for x in self.model.inputs[1:]
        ]
        # What it computes for itself is used nowhere, so it is never run.
        loop = self._loop(any_conditions)
        _set_tensors(loop.weights, inputs["weights"])
        rows, states, values = inputs["kept"]
        values = {number: [*groups] for number, groups in values.items()}
        return loop, (rows, states, values)


class _Coding(Strategy):
    """Leaves the choice of levels to the host."""

    def arrange(self, schedule, inputs):
        return {}


def _coded_where(chosen, code, probabilities, symbols):
    """Symbols of some positions, and 0 for the others."""
    probabilities = ops.convert_to_numpy(probabilities)
    coded = np.zeros_like(symbols)
    if chosen.all():
        coded[:] = code(probabilities, symbols)
    else:
        coded[chosen] = code(probabilities[chosen], symbols[chosen])
    return coded


def _tensors(weights):
    """The tensors of a loop's weights, flat."""
    found = []
    for of_node in weights:
        if of_node:
            found += [
                x
                for x in keras.tree.flatten(of_node["own"])
                if ops.is_tensor(x)
            ]
            found += [x.value for x in of_node["conditions"].values()]
    return found


def _set_tensors(weights, tensors):
    """Replace the tensors of a loop's weights, see `_tensors`."""
    left = iter(tensors)
    for of_node in weights:
        if of_node:
            of_node["own"] = keras.tree.map_structure(
                lambda x: next(left) if ops.is_tensor(x) else x, of_node["own"]
            )
            for condition in of_node["conditions"].values():
                condition.value = next(left)


def environment():
    """What the last bits of a model's numbers depend on, in words.

    Returns:
        Dict of strings: the versions of Keras and its backend, and the kind
        of device.
    """
    backend = keras.backend.backend()
    version = getattr(sys.modules.get(backend), "__version__", "")
    devices = keras.distribution.list_devices()
    return {
        "keras": keras.__version__,
        "backend": f"{backend} {version}".strip(),
        "device": devices[0].split(":")[0] if devices else "cpu",
    }
