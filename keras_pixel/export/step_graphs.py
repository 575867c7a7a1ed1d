"""The sampler as ONNX graphs of fixed shapes: a step, and row work."""

import json

import keras
import numpy as np
from keras import ops

from keras_pixel.distributions import Categorical
from keras_pixel.export import checks
from keras_pixel.export.conversion import convert
from keras_pixel.export.conversion import session
from keras_pixel.export.graphs import levels_in_range
from keras_pixel.export.graphs import noise_in_range
from keras_pixel.export.graphs import temperature_in_range
from keras_pixel.layers.buffers import portable
from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.loop import Loop
from keras_pixel.sampling.loop import Strategy

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}


class _Stepping(Strategy):
    """Draws by the noise, and around the levels, that a caller hands in.

    Args:
        distribution: the model's `PixelDistribution`.

    Attributes:
        noise: float32 tensor `(lanes, batch, channels)`, of the next step.
        given: int32 tensor likewise, levels to keep, or -1 to draw.
        temperature: float32 tensor `(batch,)`.
        parameters: list of what the levels are drawn by, channel by channel.
    """

    def arrange(self, schedule, inputs):
        return {}

    def choose(self, step, given, channel, parameters, state):
        self.parameters.append(parameters)
        lanes, batch_size, _ = self.noise.shape
        temperature = ops.broadcast_to(self.temperature, (lanes, batch_size))
        # By the probabilities of all levels: without a branch.
        levels = Categorical(self.distribution.num_levels).sample_from_noise(
            self.distribution.level_logits(parameters),
            ops.reshape(self.noise[..., channel], (-1,)),
            temperature=ops.reshape(temperature, (-1,)),
        )
        kept = ops.reshape(self.given[..., channel], (-1,))
        return ops.where(kept >= 0, kept, levels), None, state


class Stepper:
    """The sampler cut into steps whose states the caller keeps.

    States are a dict of tensors of fixed shapes.

    Args:
        model: `PixelModel`.
        batch_size: int.
    """

    def __init__(self, model, batch_size):
        self.graph = DecodingGraph(model)
        self.strategy = _Stepping(model.pixel_distribution)
        self.batch_size = batch_size
        self.schedule = self.make_schedule()
        self._structure = None

    def make_schedule(self):
        """A new one: it keeps tensors of the graph in which it is used."""
        return self.graph.schedule(self.batch_size, fills_lanes=False)

    def layout(self):
        """What a caller must know to lay out noise and levels."""
        return {
            "lag": self.schedule.lag,
            "lanes": self.schedule.grid.lanes,
            "steps_per_call": self.schedule.stride,
            "num_calls": self.schedule.num_blocks,
        }

    def _loop(self):
        return Loop(self.graph, self.make_schedule(), self.strategy, {})

    def first_states(self):
        """States before the first step: dict of tensors."""
        states, _ = self._loop().first_states()
        self._structure = states
        return {
            f"state_{i}": x for i, x in enumerate(keras.tree.flatten(states))
        }

    def start_row(self, states):
        """What finished rows determine.

        Args:
            states: dict of tensors.

        Returns:
            Dict of the states that are new, and of the rows (`row_…`) that
            `draw` takes.
        """
        own = self._packed(states)
        with portable():
            rows, new = self.graph.start_row(self._loop().weights, own)
        rows = {f"row_{i}": row for i, row in rows.items()}
        return {**self._changed(states, new), **rows}

    def draw(self, states, call, noise, temperature, given):
        """Draw the pixels of some steps.

        Args:
            states: dict of tensors, rows included.
            call: int32 scalar, calls so far.
            noise: float32 `(steps_per_call, lanes, batch, channels)` in [0,
                1).
            temperature: float32 `(batch,)`, above 0.
            given: int32, like `noise`: levels to keep, or -1 to draw.

        Returns:
            Levels, int32, like `noise`; parameters of the distribution, one
            more axis; dict of the states that are new.
        """
        loop, new = self._loop(), self._packed(states)
        prefix = "row_"
        rows = {
            int(name.removeprefix(prefix)): row
            for name, row in states.items()
            if name.startswith(prefix)
        }
        shape = noise.shape[1:]
        levels, parameters = [], []
        for phase in range(self.schedule.stride):
            self.strategy.noise = noise[phase]
            self.strategy.given = given[phase]
            self.strategy.temperature = temperature
            self.strategy.parameters = []
            with portable():
                steps = loop.steps(call, phase)
                _, new, _, drawn = loop.draw(steps, rows, new, ())
            levels.append(ops.reshape(drawn["levels"], shape))
            found = ops.stack(self.strategy.parameters, axis=1)
            parameters.append(ops.reshape(found, (*shape, found.shape[-1])))
        return (
            ops.stack(levels),
            ops.stack(parameters),
            self._changed(states, new),
        )

    def _packed(self, states):
        count = len(keras.tree.flatten(self._structure))
        flat = [states[f"state_{i}"] for i in range(count)]
        return keras.tree.pack_sequence_as(self._structure, flat)

    def _changed(self, old, new):
        """Without what stays as it is: the caller need not copy it."""
        return {
            f"state_{i}": x
            for i, x in enumerate(keras.tree.flatten(new))
            if x is not old[f"state_{i}"]
        }


def write_steps(model, folder, metadata, batch_size):
    """Write `step.onnx`, and `row.onnx` where the model has row work.

    Both take the states as `state_…`. A state that a graph changes comes out
    as `next_state_…`, and is what both graphs get from then on; the others
    stay. What a row determines comes out of `row.onnx` as `row_…`, for
    `step.onnx`. `first_states` in the metadata is the number that fills each
    state before the first step.

    Raises:
        NotImplementedError: if a first state is not filled with one number.
    """
    import tensorflow as tf

    stepper = Stepper(model, batch_size)
    with tf.init_scope():
        first = stepper.first_states()
    first = {name: np.asarray(value) for name, value in first.items()}
    metadata = {
        **metadata,
        **stepper.layout(),
        "batch_size": batch_size,
        "first_states": {name: _fill(x) for name, x in first.items()},
    }
    specs = [
        tf.TensorSpec(state.shape, state.dtype, name)
        for name, state in first.items()
    ]
    rows = {}

    def start_row(**states):
        new = stepper.start_row(states)
        rows.update({k: x for k, x in new.items() if k.startswith("row_")})
        return {
            name if name in rows else f"next_{name}": x
            for name, x in new.items()
        }

    if stepper.graph.has_rows:
        path = folder / "row.onnx"
        convert(start_row, specs, path, metadata, optimize=False)

    def draw(call, noise, temperature, given, **states):
        levels, parameters, new = stepper.draw(
            states,
            call,
            noise_in_range(noise),
            temperature_in_range(temperature),
            levels_in_range(given, model.num_levels),
        )
        new = {f"next_{name}": x for name, x in new.items()}
        return {"levels": levels, "logits": parameters, **new}

    layout = stepper.layout()
    shape = (layout["steps_per_call"], layout["lanes"], batch_size)
    shape = (*shape, model.image_shape[-1])
    specs += [tf.TensorSpec(x.shape, x.dtype, k) for k, x in rows.items()]
    specs += [
        tf.TensorSpec((), "int32", "call"),
        tf.TensorSpec(shape, "float32", "noise"),
        tf.TensorSpec((batch_size,), "float32", "temperature"),
        tf.TensorSpec(shape, "int32", "given"),
    ]
    convert(draw, specs, folder / "step.onnx", metadata, optimize=False)


def _fill(state):
    values = np.unique(state)
    if len(values) != 1:
        raise NotImplementedError(
            "`step.onnx` needs layers whose first states hold one number "
            f"throughout. Received: a state of {len(values)} numbers."
        )
    return values[0].item()


def check_steps(model, folder):
    """Draw images step by step with ONNX Runtime and compare with Keras.

    Both what is drawn is compared and the logits that it is drawn by: the
    levels alone could be right by luck.

    Returns:
        Number of sub-pixels that differ because of a tie.

    Raises:
        ExportError: if they are others than those of Keras.
    """
    step = session(folder / "step.onnx")
    graphs = {"step": step}
    if (folder / "row.onnx").exists():
        graphs["row"] = session(folder / "row.onnx")
    metadata = step.loaded.get_modelmeta().custom_metadata_map
    metadata = {key: json.loads(x) for key, x in metadata.items()}
    batch = checks.small_batch(model, metadata["batch_size"])
    noise, temperature = batch["noise"], batch["temperature"]
    states = {
        x.name: np.full(
            x.shape, metadata["first_states"][x.name], _DTYPES[x.type]
        )
        for graph in graphs.values()
        for x in graph.loaded.get_inputs()
        if x.name in metadata["first_states"]
    }
    schedule = Stepper(model, len(noise)).schedule
    calls = (metadata["num_calls"], metadata["steps_per_call"])
    arranged = np.asarray(schedule.by_step(noise))
    # (calls, steps of a call, lanes, batch, channels)
    arranged = arranged.reshape(*calls, *arranged.shape[1:])
    draw = np.full_like(arranged[0], -1, "int32")
    found: dict[str, list] = {"levels": [], "logits": []}

    def advance(graph, **inputs):
        named = [x.name for x in graph.loaded.get_inputs()]
        known = {**states, **inputs}
        outputs = graph(**{name: known[name] for name in named})
        for name, value in outputs.items():
            states[name.removeprefix("next_")] = value
        return outputs

    for call in range(calls[0]):
        if "row" in graphs and call % schedule.width == 0:
            advance(graphs["row"])
        drawn = advance(
            step,
            call=np.int32(call),
            noise=arranged[call],
            temperature=temperature,
            given=draw,
        )
        for name, values in found.items():
            values.append(drawn[name])
    images, logits = (
        np.asarray(schedule.images(np.concatenate(found[name])))
        for name in ("levels", "logits")
    )
    expected = np.asarray(model(images, training=False))
    checks.check_close("logits", logits, expected, checks.LOGITS_TOLERANCE)
    return checks.check_drawn(model, images, noise, temperature)
