"""The sampler cut into steps, to be traced into other formats."""

from typing import Any

import keras
from keras import ops

from keras_pixel.distributions import Categorical
from keras_pixel.layers.buffers import portable
from keras_pixel.sampling.graph import DecodingGraph
from keras_pixel.sampling.loop import Loop
from keras_pixel.sampling.loop import Strategy


class _Stepping(Strategy):
    """Draws by the noise, and around the levels, that a caller hands in.

    Args:
        distribution: the model's `PixelDistribution`.

    Attributes:
        noise: float32 tensor `(lanes, batch, channels)`, of the next step.
        given: int32 tensor likewise, levels to keep, or -1 to draw.
        temperature: float32 tensor `(batch,)`, or `None` for 1.
        parameters: list of what the levels are drawn by, channel by channel.
    """

    noise: Any
    given: Any
    temperature: Any
    parameters: list

    def arrange(self, schedule, inputs):
        return {}

    def choose(self, step, given, channel, parameters, state):
        self.parameters.append(parameters)
        noise = ops.reshape(self.noise[..., channel], (-1,))
        if self.temperature is None:
            levels = self.distribution.sample_from_noise(parameters, noise)
        else:
            levels = self._by_all_levels(parameters, noise)
        kept = ops.reshape(self.given[..., channel], (-1,))
        return ops.where(kept >= 0, kept, levels), None, state

    def _by_all_levels(self, parameters, noise):
        """At any temperature without a branch."""
        lanes, batch_size, _ = self.noise.shape
        temperature = ops.broadcast_to(self.temperature, (lanes, batch_size))
        return Categorical(self.distribution.num_levels).sample_from_noise(
            self.distribution.level_logits(parameters),
            noise,
            temperature=ops.reshape(temperature, (-1,)),
        )


class Stepper:
    """The sampler cut into steps whose states the caller keeps.

    States are a dict of tensors of fixed shapes.

    Args:
        model: `PixelModel`.
        batch_size: int.
    """

    def __init__(self, model, batch_size):
        self.model = model
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

    def _loop(self, conditions):
        inputs = {"conditions": conditions}
        return Loop(self.graph, self.make_schedule(), self.strategy, inputs)

    def first_states(self):
        """States before the first step: dict of tensors."""
        # They are the same whatever the conditions.
        any_conditions = [
            ops.zeros((self.batch_size, *x.shape[1:]), x.dtype)
            for x in self.model.inputs[1:]
        ]
        states, _ = self._loop(any_conditions).first_states()
        self._structure = states
        return {
            f"state_{i}": x for i, x in enumerate(keras.tree.flatten(states))
        }

    def start_row(self, states, row=0, conditions=()):
        """What finished rows determine.

        Args:
            states: dict of tensors.
            row: int32 scalar, the row that begins. Only conditions that are
                maps make a difference between rows.
            conditions: list of tensors `(batch, …)`, the model's inputs after
                the image.

        Returns:
            Dict of the states that are new, and of the rows (`row_…`) that
            `draw` takes.
        """
        own = self._packed(states)
        with portable():
            loop = self._loop(conditions)
            first = loop.steps(row * self.schedule.width, 0)[1]
            rows, new = self.graph.start_row(loop.weights, own, first)
        rows = {f"row_{i}": row for i, row in rows.items()}
        return {**self._changed(states, new), **rows}

    def draw(self, states, call, noise, temperature, given, conditions=()):
        """Draw the pixels of some steps.

        Args:
            states: dict of tensors, rows included.
            call: int32 scalar, calls so far.
            noise: float32 `(steps_per_call, lanes, batch, channels)` in [0,
                1).
            temperature: float32 `(batch,)`, above 0, or `None` for 1.
            given: int32, like `noise`: levels to keep, or -1 to draw.
            conditions: as in `start_row`.

        Returns:
            Levels, int32, like `noise`; parameters of the distribution, one
            more axis; dict of the states that are new.
        """
        loop, new = self._loop(conditions), self._packed(states)
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
