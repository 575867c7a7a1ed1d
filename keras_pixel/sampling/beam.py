"""Beam search: the most probable images, or completions, that it finds."""

from typing import NamedTuple

import numpy as np
from keras import ops

from keras_pixel.checks import check_completion
from keras_pixel.checks import check_finite
from keras_pixel.checks import check_size
from keras_pixel.sampling.candidates import Candidates


class BeamResult(NamedTuple):
    """What `beam_search` finds.

    Attributes:
        images: NumPy uint8 array of levels `(batch, height, width,
            channels)`, with `num_variants` `(batch, num_variants, height,
            width, channels)`, the most probable first.
        log_prob: NumPy float32 array `(batch,)` or `(batch, num_variants)`:
            log-probability of each whole image, nats. `-inf` where there are
            fewer completions than `num_variants`; such images mean nothing.
    """

    images: np.ndarray
    log_prob: np.ndarray


def beam_search(
    sampler,
    images,
    mask,
    *,
    labels=None,
    condition=None,
    order=None,
    beam_width=8,
    num_variants=None,
    batch_size=256,
):
    """Search the most probable completion of each image.

    The image is filled sub-pixel by sub-pixel, and the `beam_width` most
    probable prefixes are kept; ties are broken by the lower level. Prefixes
    are those of the order in which the model is drawn, that of its
    wavefronts or raster order: a narrow beam may find other images in one
    than in the other. A known
    sub-pixel adds its log-probability and does not branch. Exact if no more
    than `beam_width` prefixes ever compete, a good guess otherwise. Mind that
    the most probable image is not a typical one: it tends to be flat.

    For the most probable whole image let `mask` be False everywhere.

    Args:
        sampler: `Sampler` of the model.
        images: array `(batch, height, width, channels)` of levels; those of
            unknown pixels are not looked at.
        mask: bool array `(height, width)` or `(batch, height, width)`, True
            where a pixel is known.
        labels, condition: as in `Sampler.sample`.
        order: as in `Sampler.complete`.
        beam_width: int. Prefixes kept for each image. Defaults to `8`.
        num_variants: int up to `beam_width`, the best completions of each
            image that are returned, or `None` for the best alone.
        batch_size: int. Prefixes, of all images, worked on at once (at least
            those of one image). Defaults to `256`.

    Returns:
        `BeamResult`.

    Raises:
        TypeError: if the images are not integers.
        ValueError: if an argument is out of range.
    """
    beam_width = check_size("beam_width", beam_width)
    batch_size = check_size("batch_size", batch_size)
    if num_variants is not None:
        num_variants = check_size("num_variants", num_variants)
        if num_variants > beam_width:
            raise ValueError(
                "`num_variants` must be at most `beam_width`. "
                f"Received: num_variants={num_variants}, "
                f"beam_width={beam_width}. Widen the beam."
            )
    images, known = check_completion(
        images, mask, sampler.image_shape, sampler.distribution.num_levels
    )
    order = sampler.conditions.choose_order(order, known)
    told = sampler.conditions.program_inputs(
        len(images), labels, condition, order=order
    )
    outputs = sampler.decode(
        Beam,
        {"images": images, "known": known, **told},
        max(1, batch_size // beam_width),
        num_candidates=beam_width,
    )
    wanted = num_variants or 1
    found = np.zeros((len(images), wanted, *sampler.image_shape), "uint8")
    log_prob = np.zeros((len(images), wanted), "float32")
    start = 0
    for output in outputs:
        scores = output["log_prob"]  # (n, beam_width)
        # Known pixels after the last branching may have changed the order.
        best = np.argsort(-scores, axis=1, kind="stable")[:, :wanted]
        stop = start + len(best)
        log_prob[start:stop] = np.take_along_axis(scores, best, axis=1)
        found[start:stop] = output["images"][
            np.arange(len(best))[:, None], best
        ]
        start = stop
    check_finite(log_prob)
    if num_variants is None:
        return BeamResult(found[:, 0], log_prob[:, 0])
    return BeamResult(found, log_prob)


class Beam(Candidates):
    """Keeps the most probable prefixes.

    Inputs are `images` and `known`. Beside `images` it returns `log_prob`
    `(batch, num_candidates)`, nats.
    """

    def first_scores(self, batch_size):
        # One prefix is alive at first, the empty one: no duplicates arise.
        alive = ops.arange(self.num_candidates) == 0
        scores = ops.where(alive, 0.0, -float("inf"))
        scores = ops.cast(scores, "float32")
        shape = (batch_size, self.num_candidates)
        return {"log_prob": ops.broadcast_to(scores, shape)}

    def select(self, inputs, pixel, channel, parameters, scores):
        log_probs = self.distribution.level_log_probs(parameters)
        num_levels, width = log_probs.shape[-1], self.num_candidates
        log_probs = ops.reshape(log_probs, (-1, width, num_levels))
        total = scores["log_prob"][..., None] + log_probs
        # (batch, beam, levels)
        best, place = ops.top_k(
            ops.reshape(total, (-1, width * num_levels)), width
        )
        given = pixel["given"][:, channel, None]  # (batch, 1)
        known = pixel["known"][:, None]
        index = ops.broadcast_to(given, best.shape)[..., None]
        of_given = ops.take_along_axis(total, index, axis=-1)[..., 0]
        own_place = ops.arange(width, dtype="int32")
        levels = ops.where(known, given, place % num_levels)
        parents = ops.where(known, own_place, place // num_levels)
        moved = ops.logical_not(ops.all(known))
        return (
            ops.cast(levels, "int32"),
            ops.cast(parents, "int32"),
            moved,
            {"log_prob": ops.where(known, of_given, best)},
        )
