"""Sampling without caches: a whole forward pass for each sub-pixel."""

from keras import ops

from keras_pixel.compiled import call_model
from keras_pixel.distributions import Categorical
from keras_pixel.layers.buffers import repeat
from keras_pixel.sampling.guidance import guided_logits
from keras_pixel.sampling.loop import OPTIONS
from keras_pixel.sampling.orders import Border


class NaiveProgram:
    """Draws the images of `loop.Program` from the same inputs.

    The reference: it knows nothing of the model but how it is called, and
    works with any causal model.

    Args:
        model: model from images, and conditions, to parameters.
        distribution: its `PixelDistribution`.

    Attributes:
        num_places: int, sub-pixels to draw, the rest stay 0; `None` for all.
    """

    num_places: int | None = None

    def __init__(self, model, distribution):
        self.model = model
        self.distribution = distribution
        self.border = Border(model)

    def __call__(self, inputs):
        border, inputs = self.border, self.border.enter(inputs)
        height, width, channels = inputs["noise"].shape[1:]
        count = height * width * channels
        noise = ops.reshape(inputs["noise"], (-1, count))
        given = ops.zeros_like(noise, dtype="int32")
        known = ops.zeros_like(noise, dtype="bool")
        if "known" in inputs:
            given = ops.reshape(inputs["images"], (-1, count))
            known = ops.repeat(inputs["known"][..., None], channels, axis=-1)
            known = ops.reshape(known, (-1, count))
        options = {name: inputs[name] for name in OPTIONS if name in inputs}
        places = ops.arange(count)

        def draw(index, images):
            pixels = ops.reshape(images, (-1, height, width, channels))
            pixels = border.leave(pixels, inputs)

            def parameters(conditions):
                every = call_model(
                    self.model, pixels, inputs.get(conditions, ())
                )
                every = border.turn(every, inputs)
                every = ops.reshape(every, (-1, count, *every.shape[4:]))
                return ops.take(every, index, axis=1)

            distribution = self.distribution
            found = parameters("conditions")
            if "guidance_scale" in inputs:
                found = guided_logits(
                    distribution,
                    found,
                    parameters("unconditional"),
                    inputs["guidance_scale"],
                )
                distribution = Categorical(distribution.num_levels)
            levels = distribution.sample_from_noise(
                found, ops.take(noise, index, axis=1), **options
            )
            levels = ops.where(
                ops.take(known, index, axis=1),
                ops.take(given, index, axis=1),
                levels,
            )
            return (ops.where(places == index, levels[:, None], images),)

        times = self.num_places or count
        (images,) = repeat(times, draw, (ops.zeros_like(given),))
        images = ops.reshape(images, (-1, height, width, channels))
        return border.leave(images, inputs)
