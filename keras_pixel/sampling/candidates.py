"""Several continuations of each image, side by side."""

import keras
from keras import ops

from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.buffers import repeat
from keras_pixel.layers.buffers import write_at
from keras_pixel.sampling.loop import Strategy


class Candidates(Strategy):
    """Follows `num_candidates` continuations of each image.

    After each sub-pixel's parameters are known, `select` says its levels and
    which candidate each one continues: those left out are dropped, others go
    on more than once. The pixels of one step are taken one after the other,
    from the top row down: they do not depend on each other.

    Takes at least `images` and `known`, see `Drawing`, and returns `images`
    `(batch, num_candidates, height, width, channels)` beside the last scores.

    Args:
        distribution: the model's `PixelDistribution`.
        num_candidates: int.
    """

    fills_lanes = False
    moves = True

    def __init__(self, distribution, num_candidates):
        super().__init__(distribution)
        self.num_candidates = num_candidates

    def size(self, inputs):
        batch_size, *image_shape = inputs["images"].shape
        return batch_size * self.num_candidates, tuple(image_shape)

    def conditions(self, inputs):
        return [
            ops.repeat(x, self.num_candidates, axis=0)
            for x in super().conditions(inputs)
        ]

    def arrange(self, schedule, inputs):
        # (num_steps, lanes, batch, …)
        return {
            "given": schedule.by_step(inputs["images"]),
            "known": schedule.by_step(inputs["known"]),
        }

    def init_state(self, schedule, inputs):
        self.inputs = inputs
        return self.first_scores(inputs["images"].shape[0])

    def first_scores(self, batch_size):
        """What is counted along the way: a dict of tensors."""
        raise NotImplementedError

    def select(self, inputs, pixel, channel, parameters, scores):
        """Levels of one sub-pixel, and which candidates they continue.

        Args:
            inputs: the program's inputs.
            pixel: what `arrange` gives at this pixel, `(batch, …)`.
            channel: int.
            parameters: of this sub-pixel, batch * num_candidates of them,
                those of one image side by side.
            scores: dict of tensors.

        Returns:
            levels: int32 tensor `(batch, num_candidates)`.
            parents: int32 tensor `(batch, num_candidates)`, index of the
                candidate of the same image that each level continues.
            moved: bool tensor `()`. False if every level continues the
                candidate in its own place.
            scores: the new ones.
        """
        raise NotImplementedError

    def choose(self, step, given, channel, parameters, state):
        parameters = step.by_lane(parameters)
        lanes, count = parameters.shape[:2]
        is_pixel = step.at_lanes(step.grid.places["is_pixel"])
        places = ops.arange(count, dtype="int32")
        first = places // self.num_candidates * self.num_candidates

        # The lane of the top row: below it come the lanes after it.
        row = ops.where(is_pixel, step.row, step.grid.height)
        top = ops.cast(ops.argmin(row), "int32")

        def take_lane(index, levels, parents, moved, scores):
            lane = (top + index) % lanes
            own = ops.take(read_at(parameters, lane), parents, axis=0)
            pixel = {name: read_at(x, lane) for name, x in given.items()}
            drawn, continued, any_moved, new = self.select(
                self.inputs, pixel, channel, own, scores
            )
            here = read_at(is_pixel, lane)
            continued = ops.reshape(continued, (-1,)) + first
            continued = ops.where(here, continued, places)
            levels = ops.take(levels, continued, axis=1)
            levels = write_at(levels, lane, ops.reshape(drawn, (-1,)))
            scores = keras.tree.map_structure(
                lambda a, b: ops.where(here, a, b), new, scores
            )
            return (
                levels,
                ops.take(parents, continued),
                ops.logical_or(moved, ops.logical_and(here, any_moved)),
                scores,
            )

        levels = ops.zeros((lanes, count), "int32")
        moved = ops.zeros((), "bool")
        levels, parents, moved, state = repeat(
            lanes, take_lane, (levels, places, moved, state)
        )
        return ops.reshape(levels, (-1,)), (parents, moved), state

    def result(self, images, state):
        shape = (-1, self.num_candidates, *images.shape[1:])
        return {"images": ops.reshape(images, shape), **state}
