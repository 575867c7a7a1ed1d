"""Images that can be watched while they are drawn."""

import numpy as np
from keras import ops

from keras_pixel.compiled import Compiled
from keras_pixel.compiled import pad
from keras_pixel.compiled import padded_size


def draw_progressively(programs, make_program, inputs, num_updates, sizes):
    """Draw a batch in parts, and give what there is after each.

    Args:
        programs: `Programs` of the model.
        make_program: function that makes a `Program`, see `ProgramInParts`.
        inputs: dict of nests of arrays, the batch as first axis.
        num_updates: int. Parts, at most.
        sizes: see `Programs.run`.

    Returns:
        Iterator of pairs: uint8 array `(batch, height, width, channels)`, 0
        where nothing is drawn yet, and bool array `(batch, height, width)`,
        whether a pixel is drawn.
    """
    number = len(inputs["noise"])
    if number == 0:
        return
    size = padded_size(number, max(number, sizes[-1]), sizes)
    inputs = pad(inputs, size)
    program = programs.get(
        ("in parts", size, *sorted(inputs)),
        lambda: ProgramInParts(make_program, programs.model),
    )
    for images, is_drawn in program.run(inputs, num_updates):
        images, is_drawn = images[:number], is_drawn[:number]
        yield images.astype("uint8"), is_drawn[..., 0].astype(bool)


class ProgramInParts:
    """A program cut into three that are compiled: first, next and result.

    What is carried between them stays with the backend.

    Args:
        make_program: function that makes a `Program` and takes its
            `fills_lanes`: images that follow one another would not all appear
            at once.
        model: Keras model whose weights the program reads.
    """

    def __init__(self, make_program, model):
        self.program = make_program(fills_lanes=False)
        self._turns = 0  # known once it has begun
        # By XLA only where it pays, on a GPU: on a CPU it may take minutes to
        # compile the second for what takes seconds to run without.
        self._first = Compiled(self._begin, model)
        self._next = Compiled(self._draw, model)
        self._result = Compiled(self._finish, model)

    def run(self, inputs, num_updates):
        """Draw a batch.

        Args:
            inputs: dict of nests of arrays, always of the same shapes.
            num_updates: int. Parts, at most.

        Returns:
            Iterator of pairs of int32 arrays: `(batch, height, width,
            channels)`, levels, and `(batch, height, width, 1)`, 1 where a
            pixel is drawn.
        """
        variables = self._first.tensors(inputs)
        ends = np.linspace(0, self._turns, num_updates + 1).round()
        ends = np.unique(ends.astype("int32"))
        for first, end in zip(ends, ends[1:], strict=False):
            given = {
                "inputs": inputs,
                "variables": variables,
                "first": np.int32(first),
                "turns": np.int32(end - first),
            }
            variables = self._next.tensors(given)
            given = {
                "inputs": inputs,
                "variables": variables,
                "end": np.int32(end),
            }
            yield self._result(given)

    def _begin(self, inputs):
        loop = self.program.begin(inputs)
        # Of coarser grids the last turns may be beyond the image.
        self._turns = int(self._turn_of_pixels(loop).max()) + 1
        return self.program.first_variables(loop)

    def _draw(self, given):
        loop = self.program.begin(given["inputs"])
        return self.program.draw(
            loop, given["variables"], given["first"], given["turns"]
        )

    def _finish(self, given):
        loop = self.program.begin(given["inputs"])
        images = self.program.finish(loop, given["variables"])
        turn = self._turn_of_pixels(loop)[..., None]
        is_drawn = ops.cast(turn < given["end"], "int32")
        count = images.shape[0]
        is_drawn = ops.broadcast_to(is_drawn, (count, *is_drawn.shape))
        is_drawn = self.program.graph.border.leave(is_drawn, loop.inputs)
        return images * is_drawn, is_drawn

    def _turn_of_pixels(self, loop):
        """int32 array `(height, width)`, the turn that a pixel is drawn in."""
        schedule = loop.schedule
        row = np.arange(schedule.height, dtype="int32")[:, None]
        column = np.arange(schedule.width, dtype="int32")
        if self.program.graph.has_rows:
            return np.broadcast_to(row, (len(row), len(column)))
        return (column + schedule.lag * row) // schedule.stride
