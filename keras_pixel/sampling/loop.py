"""One loop draws all images; strategies say what is done at each step.

Inputs are a dict of tensors with the batch as first axis; see `Drawing`. The
model's inputs beside the image are a list under "conditions".
"""

import keras
from keras import ops

from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.buffers import repeat
from keras_pixel.layers.buffers import write_at
from keras_pixel.layers.grid import Step

OPTIONS = ("temperature", "top_k", "top_p")


class Strategy:
    """What is done with the parameters of each sub-pixel.

    Args:
        distribution: the model's `PixelDistribution`.
    """

    # Whether images may follow one another in the lanes.
    fills_lanes = True
    # Whether candidates change places.
    moves = False

    def __init__(self, distribution):
        self.distribution = distribution

    def size(self, inputs):
        """How many images are drawn, and `(height, width, channels)`."""
        raise NotImplementedError

    def conditions(self, inputs):
        """The model's inputs beside the image, `(num_images, …)` each."""
        return inputs.get("conditions", ())

    def arrange(self, schedule, inputs):
        """What `choose` reads, laid out along the steps.

        Args:
            schedule: `Schedule`.
            inputs: dict of tensors.

        Returns:
            Dict of tensors `(num_steps, …)`.
        """
        raise NotImplementedError

    def init_state(self, schedule, inputs):
        """What is carried from step to step: any nest of tensors."""
        return ()

    def choose(self, step, given, channel, parameters, state):
        """Levels of one channel of the pixels of a step.

        Args:
            step: `Step`.
            given: what `arrange` has at this step.
            channel: int.
            parameters: tensor `(positions, num_parameters)`.
            state: see `init_state`.

        Returns:
            levels: int32 tensor `(positions,)`.
            moves: `None`; or, where candidates change places, which ones
                these continue, int32 tensor `(batch,)`, and whether any is
                not in its own place, bool scalar tensor.
            state: the new one.
        """
        raise NotImplementedError

    def result(self, images, state):
        """What the program returns.

        Args:
            images: int32 tensor `(num_images, height, width, channels)`.
            state: see `init_state`.
        """
        return images


class Drawing(Strategy):
    """Draws each sub-pixel by its number of the noise.

    Inputs:

    - `noise`: float32 `(batch, height, width, channels)` in [0, 1).
    - `images`: int32 `(batch, height, width, channels)`, levels of known
      pixels, and `known`: bool `(batch, height, width)`; or neither.
    - `temperature`: float32 `(batch,)`, `top_k`: int32 `(batch,)` and
      `top_p`: float32 `(batch,)`, each of them or absent.
    """

    def size(self, inputs):
        noise = inputs["noise"]
        return ops.shape(noise)[0], tuple(noise.shape[1:])

    def arrange(self, schedule, inputs):
        given = {"noise": schedule.by_step(inputs["noise"])}
        if "known" in inputs:
            given["images"] = schedule.by_step(inputs["images"])
            given["known"] = schedule.by_step(inputs["known"])
        return given

    def init_state(self, schedule, inputs):
        self.options = {
            name: schedule.by_image(inputs[name])
            for name in OPTIONS
            if name in inputs
        }
        return ()

    def choose(self, step, given, channel, parameters, state):
        noise = ops.reshape(given["noise"][..., channel], (-1,))
        levels = self.distribution.sample_from_noise(
            parameters, noise, **self._options(step)
        )
        return self.kept(given, channel, levels), None, state

    @staticmethod
    def kept(given, channel, levels):
        """Levels, or those of known pixels: what is kept is fed back."""
        if "known" not in given:
            return levels
        shape = ops.shape(levels)
        return ops.where(
            ops.reshape(given["known"], shape),
            ops.reshape(given["images"][..., channel], shape),
            levels,
        )

    def _options(self, step):
        options = {}
        for name, value in self.options.items():
            image = step.at_lanes(step.grid.places["image"])
            value = ops.take(value, image, axis=0)  # (lanes, batch)
            options[name] = ops.reshape(value, (-1,))
        return options


class Program:
    """Images drawn by a strategy: a function of a dict of tensors.

    It may be run in parts, too: `begin`, `draw` a number of turns again and
    again, and `finish`. A turn is a step of the coarsest grid, or a row where
    some of the model is computed by rows.

    Args:
        graph: `DecodingGraph`.
        strategy: `Strategy`.
        lag: int, of the wavefront. Defaults to `None`, the model's own.
        fills_lanes: bool. Whether images may follow one another in the lanes,
            where model and strategy allow it. Defaults to `True`.
    """

    def __init__(self, graph, strategy, lag=None, fills_lanes=True):
        self.graph = graph
        self.strategy = strategy
        self.lag = lag
        self.fills_lanes = fills_lanes and strategy.fills_lanes

    def __call__(self, inputs):
        loop = self.begin(inputs)
        variables = self.draw(loop, self.first_variables(loop), 0, loop.turns)
        return self.finish(loop, variables)

    def begin(self, inputs):
        """The `Loop` over these inputs."""
        graph, strategy = self.graph, self.strategy
        inputs = graph.border.enter(inputs)
        num_images, image_shape = strategy.size(inputs)
        schedule = graph.schedule(
            num_images, self.lag, image_shape, self.fills_lanes
        )
        return Loop(graph, schedule, strategy, inputs)

    def first_variables(self, loop):
        """What is carried from turn to turn: any nest of tensors."""
        states, state = loop.first_states()
        grid, steps = loop.schedule.grid, loop.schedule.num_steps
        shape = (steps, grid.positions, self.graph.channels)
        kept = {"levels": ops.zeros(shape, "int32")}
        if self.strategy.moves:
            kept["parents"] = ops.zeros((steps, grid.batch_size), "int32")
        return states, state, kept

    def draw(self, loop, variables, first, turns):
        """Draw some turns.

        Args:
            loop: `Loop`.
            variables: see `first_variables`.
            first: int or int32 scalar tensor. Turns so far.
            turns: int or int32 scalar tensor. How many are drawn.

        Returns:
            The new variables.
        """
        draw = self._draw_row if self.graph.has_rows else self._draw_block
        return repeat(
            turns,
            lambda turn, *variables: draw(loop, first + turn, *variables),
            variables,
        )

    def finish(self, loop, variables):
        """What the program returns, given all that was drawn."""
        _, state, kept = variables
        schedule = loop.schedule
        grid = schedule.grid
        shape = (schedule.num_steps, grid.lanes, grid.batch_size)
        levels = ops.reshape(kept["levels"], (*shape, self.graph.channels))
        if self.strategy.moves:
            levels = _follow_back(levels, kept["parents"])
        result = self.strategy.result(schedule.images(levels), state)
        return self.graph.border.leave(result, loop.inputs)

    def _draw_block(self, loop, block, states, state, kept):
        for phase in range(loop.schedule.stride):
            steps = loop.steps(block, phase)
            _, states, state, drawn = loop.draw(steps, {}, states, state)
            kept = _keep(kept, steps[1].time, drawn)
        return states, state, kept

    def _draw_row(self, loop, row, states, state, kept):
        """What finished rows determine is made once a row."""
        width = loop.schedule.width
        first = loop.steps(row * width, 0)[1]
        rows, states = self.graph.start_row(loop.weights, states, first)

        def draw_pixel(column, rows, states, state, kept):
            steps = loop.steps(row * width + column, 0)
            *variables, drawn = loop.draw(steps, rows, states, state)
            return *variables, _keep(kept, steps[1].time, drawn)

        return repeat(width, draw_pixel, (rows, states, state, kept))[1:]


def _keep(kept, time, drawn):
    """What is kept of all steps, with that of one step written to it."""
    return {
        name: write_at(buffer, time, drawn[name])
        for name, buffer in kept.items()
    }


class Loop:
    """What the steps share: weights, and what they read.

    Args:
        graph, strategy: see `Program`.
        schedule: `Schedule`.
        inputs: dict of tensors, turned into the model's orders.

    Attributes:
        turns: int or scalar tensor, in which all is drawn, see `Program`.
    """

    def __init__(self, graph, schedule, strategy, inputs):
        self.graph = graph
        self.schedule = schedule
        self.strategy = strategy
        self.inputs = inputs
        self.turns = schedule.height if graph.has_rows else schedule.num_blocks
        strides = {*graph.strides.values(), 1}
        self.grids = {n: schedule.grid.coarser(n) for n in sorted(strides)}
        for grid in self.grids.values():
            grid.places  # noqa: B018 - made here, before the loop begins
        self.weights, self._states = graph.init_cache(
            schedule, strategy.conditions(inputs)
        )
        self.given = strategy.arrange(schedule, inputs)
        self._state = strategy.init_state(schedule, inputs)

    def first_states(self):
        """Of the graph and of the strategy."""
        return self._states, self._state

    def steps(self, block, phase):
        """The `Step` on each grid that has its turn.

        Args:
            block: int32 scalar tensor. Blocks of `schedule.stride` steps so
                far.
            phase: int. Steps in this block so far.
        """
        found = {}
        for stride, grid in self.grids.items():
            if phase % stride == 0:
                time = block * (self.schedule.stride // stride)
                phase_here = phase // stride
                found[stride] = Step(grid, time + phase_here, phase_here)
        return found

    def draw(self, steps, rows, states, state):
        """One step: all channels of the pixels whose turn it is.

        Args:
            steps: see `steps`.
            rows: what finished rows determine, see `DecodingGraph`.
            states: of the graph.
            state: of the strategy.

        Returns:
            The new `rows`, `states` and `state`, and a dict of what is to be
            kept of this step.
        """
        graph, step = self.graph, steps[1]
        given = {k: read_at(x, step.time) for k, x in self.given.items()}
        values = graph.start_pixel(rows, steps)
        lineage = None
        for channel in range(graph.channels):
            parameters, states = graph.decode_step(
                self.weights, states, values, steps, channel
            )
            levels, moves, state = self.strategy.choose(
                step, given, channel, parameters, state
            )
            if moves is not None:
                rows, states, values = move((rows, states, values), *moves)
                lineage = (
                    moves[0] if lineage is None else ops.take(lineage, moves[0])
                )
            values[0].append(ops.cast(levels[:, None], graph.dtype))
        states = graph.finish_pixel(self.weights, states, values, steps)
        levels = ops.concatenate(values[0], axis=-1)
        drawn = {"levels": ops.cast(levels, "int32")}
        if lineage is not None:
            drawn["parents"] = lineage
        return rows, states, state, drawn


def move(tensors, parents, moved):
    """Put the candidates `parents` in the places of all.

    Args:
        tensors: nest of tensors whose axis before the last counts
            candidates, or lanes and candidates.
        parents: int32 tensor `(count,)`.
        moved: bool tensor `()`. If False the tensors stay as they are,
            without a copy.
    """
    flat = keras.tree.flatten(tensors)
    count = parents.shape[0]
    for x in flat:
        if len(x.shape) < 2 or x.shape[-2] % count:
            raise ValueError(
                "Every tensor in the state of a causal layer must have the "
                "batch as last axis but one, so that beams and particles can "
                f"be moved. Received: a tensor of shape {tuple(x.shape)} with "
                f"{count} candidates. See `CausalLayer`."
            )

    def moved_one(x):
        if x.shape[-2] == count:
            return ops.take(x, parents, axis=-2)
        lanes = x.shape[-2] // count
        parted = ops.reshape(x, (*x.shape[:-2], lanes, count, x.shape[-1]))
        return ops.reshape(ops.take(parted, parents, axis=-2), x.shape)

    flat = ops.cond(
        moved,
        lambda: [moved_one(x) for x in flat],
        lambda: [ops.convert_to_tensor(x) for x in flat],
    )
    return keras.tree.pack_sequence_as(tensors, flat)


def _follow_back(levels, parents):
    """The levels of the candidates that are left at the end.

    Args:
        levels: int32 tensor `(num_steps, lanes, count, channels)`, of the
            candidates after each step.
        parents: int32 tensor `(num_steps, count)`, which candidates of the
            step before these continue.
    """
    steps, count = parents.shape

    def follow(index, own, found):
        time = steps - 1 - index
        here = ops.take(read_at(levels, time), own, axis=1)
        own = ops.take(read_at(parents, time), own)
        return own, write_at(found, time, here)

    own = ops.arange(count, dtype="int32")
    return repeat(steps, follow, (own, ops.zeros_like(levels)))[1]
