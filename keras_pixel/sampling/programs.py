"""Sampling programs: noise in, images out.

Each is a function of a dict of tensors with the batch as first axis:

- `noise`: float32 `(batch, height, width, channels)` in [0, 1).
- `temperature`: float32 `(batch,)`.
- `images`: int32 `(batch, height, width, channels)`, levels of known pixels.
- `known`: bool `(batch, height, width)`.
- `top_k`: int32 `(batch,)` and `top_p`: float32 `(batch,)`, or absent.
"""

import keras
from keras import ops

from keras_pixel.layers.buffers import read_at
from keras_pixel.layers.buffers import write_at
from keras_pixel.sampling.plan import Plan


class CachedProgram:
    """Draws images with the layers' caches: one pass in all.

    Args:
        model: Functional model from images to parameters.
        distribution: its `PixelDistribution`.
    """

    def __init__(self, model, distribution):
        self.distribution = distribution
        self.plan = Plan(model)

    def __call__(self, inputs):
        plan = self.plan
        batch_size, height, width, channels = ops.shape(inputs["noise"])
        weights, states = plan.init_cache(batch_size, width)
        # Read one sub-pixel at a time: (height, width, channels, batch).
        noise = ops.transpose(inputs["noise"], (1, 2, 3, 0))
        given = ops.transpose(inputs["images"], (1, 2, 3, 0))
        known = ops.transpose(inputs["known"], (1, 2, 0))

        def draw_row(row, images, states):
            rows, states = plan.start_row(weights, states)
            row_noise = read_at(noise, row)
            row_given, row_known = read_at(given, row), read_at(known, row)

            def draw_pixel(column, row_images, states):
                values = plan.start_pixel(rows, column)
                # For each channel (batch,).
                pixel_noise = ops.unstack(read_at(row_noise, column), channels)
                pixel_given = ops.unstack(read_at(row_given, column), channels)
                pixel_known = read_at(row_known, column)  # (batch,)
                for channel in range(channels):
                    parameters, states = plan.decode_step(
                        weights, states, values, column, channel
                    )
                    levels = self.distribution.sample_from_noise(
                        parameters, pixel_noise[channel], **options(inputs)
                    )
                    # The level that is kept is the level that is fed back.
                    levels = ops.where(
                        pixel_known, pixel_given[channel], levels
                    )
                    values[0].append(levels[:, None])
                states = plan.finish_pixel(weights, states, values, column)
                pixel = ops.concatenate(values[0], axis=-1)
                return column + 1, write_at(row_images, column, pixel), states

            _, row_images, states = repeat(
                width,
                draw_pixel,
                (ops.zeros((width, batch_size, channels), "int32"), states),
            )
            return row + 1, write_at(images, row, row_images), states

        images = ops.zeros((height, width, batch_size, channels), "int32")
        _, images, _ = repeat(height, draw_row, (images, states))
        return ops.transpose(images, (2, 0, 1, 3))


class NaiveProgram:
    """Draws the same images with a whole forward pass for each sub-pixel.

    The reference: it knows nothing of the graph but `model(images)`.

    Args:
        model: model from images to parameters.
        distribution: its `PixelDistribution`.

    Attributes:
        num_places: int, sub-pixels to draw, the rest stay 0; `None` for all.
    """

    num_places: int | None = None

    def __init__(self, model, distribution):
        self.model = model
        self.distribution = distribution

    def __call__(self, inputs):
        noise = inputs["noise"]
        batch_size, height, width, channels = noise.shape
        count = height * width * channels
        noise = ops.reshape(noise, (batch_size, count))
        given = ops.reshape(inputs["images"], (batch_size, count))
        known = ops.repeat(inputs["known"][..., None], channels, axis=-1)
        known = ops.reshape(known, (batch_size, count))
        places = ops.arange(count)

        def draw(index, images):
            parameters = self.model(
                ops.reshape(images, (batch_size, height, width, channels)),
                training=False,
            )
            tail = parameters.shape[4:]
            parameters = ops.reshape(parameters, (batch_size, count, *tail))
            levels = self.distribution.sample_from_noise(
                ops.take(parameters, index, axis=1),
                ops.take(noise, index, axis=1),
                **options(inputs),
            )
            levels = ops.where(
                ops.take(known, index, axis=1),
                ops.take(given, index, axis=1),
                levels,
            )
            images = ops.where(places == index, levels[:, None], images)
            return index + 1, images

        times = self.num_places or count
        _, images = repeat(times, draw, (ops.zeros_like(given),))
        return ops.reshape(images, (batch_size, height, width, channels))


class ParallelProgram:
    """Draws the same images with a forward pass for each wavefront.

    All pixels of one time `column + lag * row` are drawn together, channel by
    channel: `channels * (width + lag * (height - 1))` passes. For models whose
    layers have no cached side.

    Args:
        model: model from images to parameters. A pixel's parameters depend on
            pixels of an earlier time only.
        distribution: its `PixelDistribution`.
        lag: int, or `None` for raster order: one pixel at a time.
    """

    def __init__(self, model, distribution, lag=None):
        self.model = model
        self.distribution = distribution
        self.lag = lag

    def __call__(self, inputs):
        height, width, channels = inputs["noise"].shape[1:]
        lag = self.lag or width
        rows = ops.arange(height, dtype="int32")[:, None]
        columns = ops.arange(width, dtype="int32")
        given, known = inputs["images"], inputs["known"][..., None]
        # One value an image, beside one pixel of every row.
        chosen = {name: x[:, None] for name, x in options(inputs).items()}

        def draw(index, images):
            time, channel = index // channels, index % channels
            parameters = self.model(images, training=False)
            now = columns == time - lag * rows  # (height, width)
            levels = self.distribution.sample_from_noise(
                _pick(ops.take(parameters, channel, axis=3), now[..., None]),
                _pick(ops.take(inputs["noise"], channel, axis=3), now),
                **chosen,
            )  # (batch, height): of no use where a row has no pixel now
            here = ops.logical_and(
                now[..., None],
                ops.arange(channels, dtype="int32") == channel,
            )
            here = ops.logical_and(here, ops.logical_not(known))
            images = ops.where(here, levels[:, :, None, None], images)
            return index + 1, images

        steps = channels * (width + lag * (height - 1))
        images = ops.where(known, given, ops.zeros_like(given))
        _, images = repeat(steps, draw, (images,))
        return images


def _pick(values, now):
    """The values `(batch, height, …)` of the one pixel of each row."""
    # Not multiplied: a logit may be infinite.
    return ops.sum(ops.where(now, values, 0.0), axis=2)


def options(inputs):
    """Arguments of `sample_from_noise` out of a program's inputs."""
    names = ("temperature", "top_k", "top_p")
    return {name: inputs[name] for name in names if name in inputs}


def repeat(times, body, variables):
    """Run `body(index, *variables)` for index 0 … times - 1.

    `body` returns the next index and the variables, any nests of tensors.
    """
    flat = keras.tree.flatten(variables)

    def flat_body(index, *flat):
        packed = keras.tree.pack_sequence_as(variables, flat)
        index, *results = body(index, *packed)
        return (index, *keras.tree.flatten(tuple(results)))

    index, *flat = ops.while_loop(
        lambda index, *_: index < times,
        flat_body,
        (ops.zeros((), "int32"), *flat),
        maximum_iterations=times,
    )
    return (index, *keras.tree.pack_sequence_as(variables, flat))
