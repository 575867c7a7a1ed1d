"""Sampling without caches: whole forward passes, for any causal model.

They draw the images of `loop.Program` from the same inputs, and know nothing
of the model but how it is called.
"""

from keras import ops

from keras_pixel.layers.buffers import repeat
from keras_pixel.sampling.loop import OPTIONS


def forward(model, images, inputs):
    """Parameters of all sub-pixels of `images`, under the same conditions."""
    conditions = inputs.get("conditions", ())
    return model([images, *conditions] if conditions else images, training=False)


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
        given, known = _known(inputs)
        given = ops.reshape(given, (batch_size, count))
        known = ops.repeat(known[..., None], channels, axis=-1)
        known = ops.reshape(known, (batch_size, count))
        places = ops.arange(count)

        def draw(index, images):
            parameters = forward(
                self.model,
                ops.reshape(images, (batch_size, height, width, channels)),
                inputs,
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
            return (images,)

        times = self.num_places or count
        (images,) = repeat(times, draw, (ops.zeros_like(given),))
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
        given, known = _known(inputs)
        known = known[..., None]
        # One value an image, beside one pixel of every row.
        chosen = {name: x[:, None] for name, x in options(inputs).items()}

        def draw(index, images):
            time, channel = index // channels, index % channels
            parameters = forward(self.model, images, inputs)
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
            return (images,)

        steps = channels * (width + lag * (height - 1))
        images = ops.where(known, given, ops.zeros_like(given))
        (images,) = repeat(steps, draw, (images,))
        return images


def _pick(values, now):
    """The values `(batch, height, …)` of the one pixel of each row."""
    # Not multiplied: a logit may be infinite.
    return ops.sum(ops.where(now, values, 0.0), axis=2)


def _known(inputs):
    """Levels and mask of the known pixels; of none if none are given."""
    if "known" in inputs:
        return inputs["images"], inputs["known"]
    images = ops.zeros_like(inputs["noise"], dtype="int32")
    return images, ops.zeros_like(images[..., 0], dtype="bool")


def options(inputs):
    """Arguments of `sample_from_noise` out of a program's inputs."""
    return {name: inputs[name] for name in OPTIONS if name in inputs}
