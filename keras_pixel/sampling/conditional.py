"""Exact likelihood of the unknown pixels given those before them."""

import numpy as np
from keras import ops

from keras_pixel.checks import check_images
from keras_pixel.checks import check_mask
from keras_pixel.checks import check_size
from keras_pixel.compiled import call_model
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.order import into_order


def conditional_bits_per_dim(
    sampler,
    images,
    mask,
    *,
    labels=None,
    condition=None,
    order=None,
    batch_size=32,
    jit_compile="auto",
):
    """Bits that each unknown sub-pixel costs, given the known ones.

    Exact, and therefore only for known pixels that come first in the order:
    in raster order full rows, then the left part of a row.

    Args:
        sampler: `Sampler` of the model.
        images: array `(batch, height, width, channels)` of levels, those of
            the unknown pixels too: they are what is scored.
        mask: bool array `(height, width)` or `(batch, height, width)`, True
            where a pixel is known.
        labels, condition: as in `Sampler.sample`.
        order: as in `Sampler.complete`.
        batch_size: int. Images that go through the network at once.
        jit_compile: as in `keras.Model.compile`.

    Returns:
        NumPy float32 array `(batch,)`: `-log p(unknown | known)` over the
        number of unknown sub-pixels and `ln 2`.

    Raises:
        TypeError: if the images are not integers.
        ValueError: if a mask is no prefix in the order or leaves no pixel
            unknown, or an argument is out of range.
    """
    batch_size = check_size("batch_size", batch_size)
    images = check_images(
        images, sampler.image_shape, sampler.distribution.num_levels
    )
    known = check_mask(mask, images, sampler.image_shape)
    conditions = sampler.conditions
    order = conditions.choose_order(order, known)
    told = conditions.program_inputs(
        len(images), labels, condition, order=order
    )
    _check_prefix(known, conditions.names_of_orders(len(images), order))
    outputs = sampler.run(
        "conditional",
        lambda: ConditionalProgram(sampler.model, sampler.distribution),
        {"images": images, "unknown": ~known, **told},
        batch_size,
        jit_compile=jit_compile,
    )
    log_prob = np.concatenate([np.zeros(0, "float32"), *outputs])
    num_unknown = (~known).sum(axis=(1, 2)) * sampler.image_shape[-1]
    return nats_to_bits_per_dim(-log_prob, num_unknown).astype("float32")


class ConditionalProgram:
    """Log-probability of the sub-pixels of the pixels that `unknown` marks."""

    def __init__(self, model, distribution):
        self.model = model
        self.distribution = distribution

    def __call__(self, inputs):
        parameters = call_model(
            self.model, inputs["images"], inputs.get("conditions", ())
        )
        log_prob = self.distribution.log_prob(parameters, inputs["images"])
        log_prob = ops.where(inputs["unknown"][..., None], log_prob, 0.0)
        return ops.sum(log_prob, axis=(1, 2, 3))


def _check_prefix(known, orders):
    """Refuse masks whose known pixels don't all come before the unknown."""
    place = np.moveaxis(np.indices(known.shape[1:]), 0, -1)
    for i, order in enumerate(orders):
        flat = into_order(np, known[i], order, axis=0).reshape(-1)
        number = int(flat.sum())
        if number == flat.size:
            raise ValueError(
                "`mask` must leave at least one pixel unknown: these are "
                f"scored. Received: all True for image {i}."
            )
        if not flat[:number].all():
            places = into_order(np, place, order, axis=0).reshape(-1, 2)
            unknown = tuple(places[np.argmin(flat)].tolist())
            late = tuple(places[np.flatnonzero(flat)[-1]].tolist())
            raise ValueError(
                "`mask` must be a prefix in raster order (every known pixel "
                "before every unknown one): only then is the conditional "
                f"probability exact. Received: for image {i}, pixel {unknown} "
                f"unknown and pixel {late} after it known, in the order "
                f"{order!r}. For other masks "
                "estimate `log_prob(images) - particles(images, mask)"
                ".log_prob_known`."
            )
