"""The cached sampler as plain functions, to be traced into other formats.

They take any batch size. `operations` are the functions `(read, write)` that
`keras_pixel.layers.buffers.replaced` takes: the usual ones need XLA.
"""

import keras
from keras import ops

from keras_pixel.layers.buffers import replaced
from keras_pixel.sampling.plan import Plan
from keras_pixel.sampling.plan import is_decodable
from keras_pixel.sampling.programs import CachedProgram
from keras_pixel.sampling.programs import ParallelProgram


def drawing_function(model, distribution, operations=None):
    """The whole sampler as one function.

    Args:
        model: Functional model from images to parameters.
        distribution: its `PixelDistribution`.
        operations: see above, or `None` for a function that XLA will compile.
            Defaults to `None`.

    Returns:
        Function from a dict of tensors (see `programs.py`) to int32 images
        `(batch, height, width, channels)`.
    """
    program: CachedProgram | ParallelProgram
    if is_decodable(model):
        program = CachedProgram(model, distribution)
    else:
        lag = getattr(model, "lag", None)
        program = ParallelProgram(model, distribution, lag)
    if operations is None:
        return program

    def draw(inputs):
        with replaced(*operations):
            return program(inputs)

    return draw


def forward_function(model, operations):
    """The model on whole images, with loops that convert.

    Args:
        model: Functional model from images to parameters.
        operations: see above.

    Returns:
        Function from int32 images to parameters.
    """

    def forward(images):
        with replaced(*operations):
            return model(images, training=False)

    return forward


class Stepper:
    """The sampler cut into steps whose states the caller keeps.

    1. `first_states()`.
    2. `begin_row(states)` at the start of every row: what finished rows
       determine is added to the states.
    3. `draw_pixel(states, column, …)` for every column.

    States are dicts of tensors of fixed shapes.

    Args:
        model: Functional model from images to parameters.
        distribution: its `PixelDistribution`.
        batch_size: int.
        width: int. Columns of the images.
        operations: see above.
    """

    def __init__(self, model, distribution, batch_size, width, operations):
        self.plan = Plan(model)
        self.distribution = distribution
        self.batch_size = batch_size
        self.width = width
        self.operations = operations
        self._structure = None
        self._names: list[str] = []
        self._row_numbers: list[int] = []

    def first_states(self):
        """States before the first row.

        Returns:
            Dict of tensors.
        """
        _, states = self.plan.init_cache(self.batch_size, self.width)
        self._structure = states
        count = len(keras.tree.flatten(states))
        self._names = [f"state_{i}" for i in range(count)]
        return self._named(states)

    def begin_row(self, states):
        """What finished rows determine.

        Args:
            states: dict of tensors.

        Returns:
            Dict of the tensors that are new: states, and rows (`row_…`) to be
            handed to `draw_pixel` with the states.
        """
        with replaced(*self.operations):
            rows, new = self.plan.start_row(
                self._weights(), self._packed(states)
            )
        self._row_numbers = sorted(rows)
        changed = self._changed(states, new)
        changed.update({f"row_{i}": rows[i] for i in sorted(rows)})
        return changed

    def draw_pixel(self, states, column, noise, temperature, given):
        """Draw the channels of one pixel.

        Args:
            states: dict of tensors, rows included.
            column: int32 scalar.
            noise: float32 `(batch, channels)` in [0, 1).
            temperature: float32 `(batch,)`, above 0.
            given: int32 `(batch, channels)`, levels to keep, or -1 to draw.

        Returns:
            Levels, int32 `(batch, channels)`; parameters of the distribution,
            `(batch, channels, …)`; dict of the states that are new.
        """
        weights, current = self._weights(), self._packed(states)
        rows = {i: states[f"row_{i}"] for i in self._row_numbers}
        parameters = []
        with replaced(*self.operations):
            values = self.plan.start_pixel(rows, column)
            for channel in range(self.plan.channels):
                of_channel, current = self.plan.decode_step(
                    weights, current, values, column, channel
                )
                levels = self.distribution.sample_from_noise(
                    of_channel, noise[:, channel], temperature=temperature
                )
                kept = given[:, channel]
                levels = ops.where(kept >= 0, kept, levels)
                parameters.append(of_channel)
                values[0].append(levels[:, None])
            current = self.plan.finish_pixel(weights, current, values, column)
        return (
            ops.concatenate(values[0], axis=-1),
            ops.stack(parameters, axis=1),
            self._changed(states, current),
        )

    def _weights(self):
        weights, _ = self.plan.init_cache(self.batch_size, self.width)
        return weights

    def _named(self, states):
        flat = keras.tree.flatten(states)
        return dict(zip(self._names, flat, strict=True))

    def _packed(self, states):
        flat = [states[name] for name in self._names]
        return keras.tree.pack_sequence_as(self._structure, flat)

    def _changed(self, old, new):
        """Without what stays as it is: the caller need not copy it."""
        return {
            name: tensor
            for name, tensor in self._named(new).items()
            if tensor is not old[name]
        }
