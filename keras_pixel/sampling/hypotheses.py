"""Programs that follow several hypotheses of each image, side by side."""

import keras
from keras import ops

from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.buffers import write_at
from keras_pixel.sampling.plan import Plan
from keras_pixel.sampling.programs import repeat


class HypothesesProgram:
    """One pass over the image with `num_hypotheses` prefixes per image.

    After each sub-pixel's parameters are known, `choose` says its levels and
    which hypothesis each one continues: those left out are dropped, others
    go on more than once. All that belongs to a hypothesis (states, features
    of its row and pixel, levels) follows it.

    Takes a dict of arrays with the batch as first axis, at least `images`
    and `known` as in `programs.py`, and returns `images` `(batch,
    num_hypotheses, height, width, channels)` beside the last tally.

    Args:
        model: Functional model from images to parameters.
        distribution: its `PixelDistribution`.
        num_hypotheses: int.
    """

    def __init__(self, model, distribution, num_hypotheses):
        self.distribution = distribution
        self.num_hypotheses = num_hypotheses
        self.plan = Plan(model)

    def first_tally(self, batch_size):
        """What is counted along the way: a dict of tensors."""
        raise NotImplementedError

    def pixel_by_pixel(self, inputs):
        """What `choose` reads at each pixel: a dict of tensors.

        Each starts with the axes `(height, width)`; those that are kept by
        channel go on with `(channels,)`.
        """
        return {
            "given": ops.transpose(inputs["images"], (1, 2, 3, 0)),
            "known": ops.transpose(inputs["known"], (1, 2, 0)),
        }

    def choose(self, inputs, pixel, channel, parameters, tally):
        """Levels of the sub-pixel, and which hypotheses they continue.

        Args:
            inputs: the program's inputs.
            pixel: what `pixel_by_pixel` gives at this pixel.
            channel: int.
            parameters: of this sub-pixel, batch * num_hypotheses of them,
                those of one image side by side.
            tally: dict of tensors.

        Returns:
            levels: int32 tensor `(batch, num_hypotheses)`.
            parents: int32 tensor `(batch, num_hypotheses)`, index of the
                hypothesis of the same image that each level continues.
            moved: bool tensor `()`. False if every level continues the
                hypothesis in its own place.
            tally: the new one.
        """
        raise NotImplementedError

    def __call__(self, inputs):
        plan = self.plan
        batch_size, height, width, channels = inputs["images"].shape
        count = batch_size * self.num_hypotheses
        weights, states = plan.init_cache(count, width)
        by_pixel = self.pixel_by_pixel(inputs)
        places = ops.arange(count, dtype="int32")[:, None]  # (count, 1)
        first = ops.arange(batch_size, dtype="int32") * self.num_hypotheses

        def follow_row(row, images, states, tally):
            rows, states = plan.start_row(weights, states)
            by_column = {k: read_at(v, row) for k, v in by_pixel.items()}

            def follow_pixel(column, rows, row_images, lineage, states, tally):
                values = plan.start_pixel(rows, column)
                pixel = {k: read_at(v, column) for k, v in by_column.items()}
                for channel in range(channels):
                    parameters, states = plan.decode_step(
                        weights, states, values, column, channel
                    )
                    levels, parents, moved, tally = self.choose(
                        inputs, pixel, channel, parameters, tally
                    )
                    parents = ops.reshape(parents + first[:, None], (-1,))
                    rows, row_images, lineage, states, values = move(
                        (rows, row_images, lineage, states, values),
                        parents,
                        moved,
                    )
                    values[0].append(ops.reshape(levels, (-1, 1)))
                states = plan.finish_pixel(weights, states, values, column)
                row_images = write_at(
                    row_images, column, ops.concatenate(values[0], axis=-1)
                )
                return column + 1, rows, row_images, lineage, states, tally

            row_images = ops.zeros((width, count, channels), "int32")
            _, _, row_images, lineage, states, tally = repeat(
                width,
                follow_pixel,
                (rows, row_images, places, states, tally),
            )
            # Rows above are moved once a row: no sub-pixel reads them.
            images = ops.take(images, lineage[:, 0], axis=-2)
            return row + 1, write_at(images, row, row_images), states, tally

        images = ops.zeros((height, width, count, channels), "int32")
        _, images, _, tally = repeat(
            height, follow_row, (images, states, self.first_tally(batch_size))
        )
        images = ops.transpose(images, (2, 0, 1, 3))
        shape = (batch_size, self.num_hypotheses, height, width, channels)
        return {"images": ops.reshape(images, shape), **tally}


def move(tensors, parents, moved):
    """Put the hypotheses `parents` in the places of all.

    Args:
        tensors: nest of tensors `(..., count, features)`.
        parents: int32 tensor `(count,)`.
        moved: bool tensor `()`. If False the tensors stay as they are,
            without a copy.
    """
    flat = keras.tree.flatten(tensors)
    count = parents.shape[0]
    for x in flat:
        if len(x.shape) < 2 or x.shape[-2] != count:
            raise ValueError(
                "Every tensor in the state of a causal layer must have the "
                "batch as last axis but one, so that beams and particles can "
                f"be moved. Received: a tensor of shape {tuple(x.shape)} with "
                f"{count} hypotheses. See `CausalLayer`."
            )
    flat = ops.cond(
        moved,
        lambda: [ops.take(x, parents, axis=-2) for x in flat],
        lambda: [ops.convert_to_tensor(x) for x in flat],
    )
    return keras.tree.pack_sequence_as(tensors, flat)
