"""Sequential Monte Carlo: completions that fit all known pixels."""

import math
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_pixel.checks import check_completion
from keras_pixel.checks import check_finite
from keras_pixel.checks import check_noise
from keras_pixel.checks import check_options
from keras_pixel.checks import check_size
from keras_pixel.sampling.candidates import Candidates
from keras_pixel.sampling.loop import OPTIONS
from keras_pixel.sampling.noise import check_noise_alone
from keras_pixel.sampling.noise import make_noise
from keras_pixel.sampling.orders import turn_each


class Particles(NamedTuple):
    """Weighted completions of each image.

    Attributes:
        images: NumPy uint8 array of levels `(batch, num_particles, height,
            width, channels)`.
        weights: NumPy float32 array `(batch, num_particles)`; those of an
            image sum to 1.
        log_prob_known: NumPy float32 array `(batch,)`: estimated
            log-probability, nats, of all known sub-pixels of each image. Its
            exponential is an unbiased estimate of their probability, so the
            logarithm is on average a little too low. Exact if the known
            pixels come first in raster order.
    """

    images: np.ndarray
    weights: np.ndarray
    log_prob_known: np.ndarray


def draw_particles(
    sampler,
    images,
    mask,
    *,
    labels=None,
    condition=None,
    order=None,
    num_particles=64,
    noise=None,
    seed=None,
    temperature=1.0,
    top_k=None,
    top_p=None,
    batch_size=256,
):
    """Draw completions that know of known pixels to come, with weights.

    Sequential Monte Carlo in the order in which the model is drawn: that of
    its wavefronts, or raster order. Each particle draws its unknown
    sub-pixels from the model. A known sub-pixel multiplies its weight by the
    probability that the model gives to the known level after this particle's
    past. Where the effective sample size falls below half of the particles
    and unknown pixels are still to come, particles are resampled
    (systematically): those that fit badly are dropped, good ones go on more
    than once. With more and more particles, one drawn by weight is a draw
    from the model's distribution given *all* known pixels.

    Args:
        sampler: `Sampler` of the model.
        images: array `(batch, height, width, channels)` of levels; those of
            unknown pixels are not looked at.
        mask: bool array `(height, width)` or `(batch, height, width)`, True
            where a pixel is known.
        labels, condition: as in `Sampler.sample`.
        order: as in `Sampler.complete`.
        num_particles: int. Particles of each image. Defaults to `64`.
        noise: array `(batch, num_particles + 1, height, width, channels)` in
            [0, 1), in place of `seed`: what draws the sub-pixels of each
            particle, and at last what resamples them at each known sub-pixel.
        seed: int that makes the noise, or `None` for fresh noise.
        temperature, top_k, top_p: how unknown sub-pixels are drawn, for all
            or per image, as in `Sampler.sample`. Known ones are weighed by
            the model as it is; so with these options `log_prob_known` is no
            estimate of the model's own probability.
        batch_size: int. Particles, of all images, worked on at once (at least
            those of one image). Defaults to `256`.

    Returns:
        `Particles`.

    Raises:
        TypeError: if the images are not integers.
        ValueError: if an argument is out of range.
    """
    check_noise_alone(noise, seed)
    num_particles = check_size("num_particles", num_particles)
    batch_size = check_size("batch_size", batch_size)
    num_levels = sampler.distribution.num_levels
    images, known = check_completion(
        images, mask, sampler.image_shape, num_levels
    )
    noise = particle_noise(
        noise, len(images), num_particles, sampler.image_shape, seed
    )
    conditions = sampler.conditions
    order = conditions.choose_order(order, known)
    orders = conditions.names_of_orders(len(images), order)
    inputs = {
        "images": images,
        "known": known,
        # Once all is drawn resampling would only lose particles.
        "resamples": known & _unknown_ahead(known, sampler.lag, orders),
        "noise": noise[:, :-1],
        "resampling_noise": noise[:, -1],
        **check_options(
            len(images),
            num_levels,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        ),
        **conditions.program_inputs(
            len(images), labels, condition, order=order
        ),
    }
    outputs = sampler.decode(
        ParticleFilter,
        inputs,
        max(1, batch_size // num_particles),
        num_candidates=num_particles,
    )
    drawn = np.zeros(noise[:, :-1].shape, "uint8")
    weights = np.zeros(noise.shape[:1] + (num_particles,), "float32")
    log_prob_known = np.zeros(len(images), "float32")
    start = 0
    for output in outputs:
        part = slice(start, start + len(output["images"]))
        drawn[part] = output["images"]
        # Kept so that their mean is 1.
        weights[part] = np.exp(output["log_weights"]) / num_particles
        log_prob_known[part] = output["log_prob_known"]
        start = part.stop
    check_finite(log_prob_known)
    return Particles(drawn, weights, log_prob_known)


def _unknown_ahead(known, lag, orders):
    """Where unknown pixels are still to come, in the order of drawing."""
    known = turn_each(known, orders)
    height, width = known.shape[1:]
    row, column = np.indices((height, width)).reshape(2, -1)
    lag = width if lag is None else min(lag, width)
    sequence = np.lexsort((row, column + lag * row))
    unknown = ~known.reshape(len(known), height * width)[:, sequence]
    ahead = np.empty_like(unknown)
    ahead[:, sequence] = np.cumsum(unknown[:, ::-1], axis=1)[:, ::-1] > 0
    return turn_each(ahead.reshape(known.shape), orders, inverse=True)


def complete_by_particles(
    sampler, images, mask, *, num_variants=None, **kwargs
):
    """Completions drawn from particles by their weights.

    See `draw_particles` and `Sampler.complete` for the arguments.

    Returns:
        As `Sampler.complete`.
    """
    if "method" in kwargs:
        raise ValueError(
            "`method` must be left out with `num_particles`: particles are "
            f"always drawn cached. Received: method={kwargs['method']!r}"
        )
    check_noise_alone(kwargs.get("noise"), kwargs.get("seed"))
    wanted = 1 if num_variants is None else num_variants
    wanted = check_size("num_variants", wanted)
    kwargs["num_particles"] = check_size(
        "num_particles", kwargs["num_particles"]
    )
    images, mask = check_completion(
        images, mask, sampler.image_shape, sampler.distribution.num_levels
    )
    # Made here, because the choice of variants needs a number of it.
    kwargs["noise"] = noise = particle_noise(
        kwargs.pop("noise", None),
        len(images),
        kwargs["num_particles"],
        sampler.image_shape,
        kwargs.pop("seed", None),
    )
    conditions = sampler.conditions
    order = conditions.choose_order(kwargs.pop("order", None), mask)
    particles = draw_particles(sampler, images, mask, order=order, **kwargs)
    # The first sub-pixel's number is free: all particles are equal there and
    # are never resampled.
    orders = conditions.names_of_orders(len(images), order)
    first = turn_each(noise[:, -1], orders)[:, 0, 0, 0]
    chosen = systematic(np, particles.weights, first, wanted)
    completed = particles.images[np.arange(len(chosen))[:, None], chosen]
    return completed[:, 0] if num_variants is None else completed


def particle_noise(noise, num_images, num_particles, image_shape, seed):
    """Noise of the shape that `draw_particles` wants, checked or made."""
    shape = (num_images, num_particles + 1, *image_shape)
    if noise is None:
        noise = make_noise(shape[0] * shape[1], image_shape, seed)
        return noise.reshape(shape)
    if np.shape(noise) != shape:
        raise ValueError(
            "`noise` must have the shape (batch, num_particles + 1, height, "
            f"width, channels) = {shape}. "
            f"Received: noise.shape={np.shape(noise)}"
        )
    flat = np.reshape(noise, (shape[0] * shape[1], *image_shape))
    return check_noise(flat, image_shape).reshape(shape)


class ParticleFilter(Candidates):
    """Draws particles and weighs them by the known pixels.

    Inputs beside `images` and `known`, and the options of sampling:

    - `resamples`: bool `(batch, height, width)`, where it may.
    - `noise`: float32 `(batch, particles, height, width, channels)`.
    - `resampling_noise`: float32 `(batch, height, width, channels)`.

    Beside `images` it returns `log_weights` `(batch, particles)`, whose
    exponentials have a mean of 1, and `log_prob_known` `(batch,)`, nats.
    """

    def first_scores(self, batch_size):
        return {
            "log_weights": ops.zeros((batch_size, self.num_candidates)),
            "log_prob_known": ops.zeros((batch_size,)),
        }

    def arrange(self, schedule, inputs):
        noise = inputs["noise"]
        noise = ops.reshape(noise, (-1, *noise.shape[2:]))
        return {
            **super().arrange(schedule, inputs),
            "resamples": schedule.by_step(inputs["resamples"]),
            "noise": schedule.by_step(noise),
            "resampling_noise": schedule.by_step(inputs["resampling_noise"]),
        }

    def select(self, inputs, pixel, channel, parameters, scores):
        count = self.num_candidates
        own_options = {
            name: ops.repeat(value, count)
            for name, value in inputs.items()
            if name in OPTIONS
        }
        drawn = self.distribution.sample_from_noise(
            parameters, pixel["noise"][:, channel], **own_options
        )
        given = pixel["given"][:, channel]  # (batch,)
        known = pixel["known"][:, None]
        gain = self.distribution.log_prob(parameters, ops.repeat(given, count))
        gain = ops.where(known, ops.reshape(gain, (-1, count)), 0.0)
        log_weights, mean = _normalise(scores["log_weights"] + gain)
        log_prob = scores["log_prob_known"] + ops.where(known[:, 0], mean, 0.0)

        weights = ops.exp(log_weights)  # mean 1
        # Effective sample size: count**2 / sum(weights**2).
        crowded = ops.sum(ops.square(weights), axis=-1) > 2.0 * count
        crowded = ops.logical_and(crowded, pixel["resamples"])
        parents = systematic(
            ops, weights, pixel["resampling_noise"][:, channel], count
        )
        parents = ops.where(
            crowded[:, None],
            ops.cast(parents, "int32"),
            ops.arange(count, dtype="int32"),
        )
        levels = ops.where(
            known, given[:, None], ops.reshape(drawn, (-1, count))
        )
        return (
            ops.cast(levels, "int32"),
            parents,
            ops.any(crowded),
            {
                "log_weights": ops.where(crowded[:, None], 0.0, log_weights),
                "log_prob_known": log_prob,
            },
        )


def _normalise(log_weights):
    """Log-weights whose exponentials have a mean of 1, and the log-mean."""
    mean = ops.logsumexp(log_weights, axis=-1)
    mean = mean - math.log(log_weights.shape[-1])
    # Known pixels that no particle can explain leave all weights equal.
    possible = mean > -float("inf")
    shifted = log_weights - ops.where(possible, mean, 0.0)[:, None]
    return ops.where(possible[:, None], shifted, 0.0), mean


def systematic(numpy, weights, noise, count):
    """Draw `count` indices by weight, evenly spaced from one number a row.

    Args:
        numpy: `keras.ops` or `numpy`.
        weights: `(batch, particles)`, of any sum above 0.
        noise: `(batch,)` in [0, 1).
        count: int.

    Returns:
        Integers `(batch, count)`, ascending. Index `i` is drawn `count *
        weights[i] / sum(weights)` times on average.
    """
    ends = numpy.cumsum(weights, axis=-1)[:, None, :]
    total = ends[:, :, -1:]
    steps = (noise[:, None] + numpy.arange(count, dtype="float32")) / count
    before = ends <= steps[:, :, None] * total  # (batch, count, particles)
    # Rounding may carry a step to the total: then the last particle of any
    # weight is meant.
    before = numpy.logical_and(before, ends < total)
    return numpy.sum(before, axis=-1)
