"""Is what was exported what Keras computes?"""

import logging
import math

import numpy as np
from keras import tree

from keras_pixel.compiled import call_model
from keras_pixel.export.graphs import condition_specs
from keras_pixel.export.precision import TOLERANCES
from keras_pixel.levels import nats_to_bits_per_dim

FLOAT32 = TOLERANCES["float32"]


class ExportError(RuntimeError):
    """What was exported does not give what Keras gives."""


def check_scores(model, batch, log_prob, bits_per_dim, tolerances=FLOAT32):
    """Compare scores with those of Keras.

    Args:
        model: `PixelModel`.
        batch: see `small_batch`.
        log_prob, bits_per_dim: arrays `(batch,)`.
        tolerances: `Tolerances`. Defaults to those of float32.

    Raises:
        ExportError: if they differ by more than `tolerances` says.
    """
    levels = batch["images"].astype("int32")
    parameters = call_model(model, levels, conditions(model, batch).values())
    expected = model.pixel_distribution.log_prob(parameters, levels)
    expected = np.asarray(expected).sum(axis=(1, 2, 3))
    check_close("log_prob", log_prob, expected, tolerances.scores)
    expected = nats_to_bits_per_dim(-expected, math.prod(model.image_shape))
    check_close("bits_per_dim", bits_per_dim, expected, tolerances.scores)


def check_close(name, received, expected, tolerance):
    """Compare tensors, relative to the largest value of the expected one.

    Raises:
        ExportError: if they differ in shape or by more than `tolerance`.
    """
    received, expected = np.asarray(received), np.asarray(expected)
    if received.shape != expected.shape or received.dtype != expected.dtype:
        raise ExportError(
            f"The exported `{name}` must have the shape and dtype that Keras "
            f"gives. Received: {received.dtype} {received.shape}, expected "
            f"{expected.dtype} {expected.shape}."
        )
    scale = max(float(np.abs(expected).max(initial=0)), 1e-30)
    error = float(np.abs(received - expected).max(initial=0)) / scale
    if not error <= tolerance:
        raise ExportError(
            f"The exported `{name}` must equal that of Keras within a "
            f"relative {tolerance}. Received: {error:.3g}."
        )


def check_drawn(
    model,
    images,
    noise,
    temperature,
    known=None,
    conditions=(),
    tolerances=FLOAT32,
):
    """Check that images are those that `noise` makes, by Keras.

    One forward pass of Keras says, given the sub-pixels before it, which
    level the noise makes of every sub-pixel.

    Args:
        model: `PixelModel`.
        images: levels that the exported sampler drew.
        noise: float array of the same shape.
        temperature: float array `(batch,)`.
        known: bool array `(batch, height, width)` of pixels not drawn, or
            `None`.
        conditions: arrays, the model's inputs after the images.
        tolerances: `Tolerances`. Defaults to those of float32.

    Returns:
        Number of sub-pixels that differ as `tolerances` allow: in float32
        because the cumulative probability is within 1e-5 of the noise.

    Raises:
        ExportError: if a level differs for another reason.
    """
    differs, is_tie = differing(
        model, images, noise, temperature, conditions, tolerances
    )
    if known is not None:
        differs &= ~np.asarray(known, bool)[..., None]
    if (differs & ~is_tie).any():
        raise ExportError(
            "The exported sampler must draw what Keras draws from the same "
            f"noise. Received: {int((differs & ~is_tie).sum())} of "
            f"{differs.size} sub-pixels differ."
        )
    return int(differs.sum())


def differing(
    model, images, noise, temperature, conditions=(), tolerances=FLOAT32
):
    """Which sub-pixels are not those that `noise` makes, by Keras.

    Args:
        model, images, noise, temperature, conditions, tolerances: see
            `check_drawn`.

    Returns:
        Two bool arrays of the shape of `images`: which differ; and where it
        is within `tolerances`.
    """
    images = np.asarray(images)
    parameters = call_model(model, images.astype("int32"), conditions)
    tail = np.asarray(temperature, "float32")[:, None, None, None]

    def levels_for(shift):
        shifted = np.clip(noise + np.float32(shift), 0, np.float32(1 - 2**-24))
        drawn = model.pixel_distribution.sample_from_noise(
            parameters, shifted.astype("float32"), temperature=tail
        )
        return np.asarray(drawn)

    off = int(tolerances.levels * model.num_levels)
    lowest, highest = (
        levels_for(sign * tolerances.tie) + sign * off for sign in (-1, 1)
    )
    is_tie = (lowest <= images) & (images <= highest)
    return levels_for(0.0) != images, is_tie


def report_ties(path, count, tolerances=FLOAT32):
    """Log how many levels differ because of a tie.

    From such a level on the rest of the image may be another one.
    """
    logging.getLogger("keras_pixel").info(
        "%s: of the sub-pixels drawn to check it, %d differ from Keras', each "
        "by a tie: the cumulative probability is within %g of the noise",
        path,
        count,
        tolerances.tie,
    )


def small_batch(model, count=2):
    """One array for each input of an export, to compare with.

    Returns:
        Dict of NumPy arrays.
    """
    random = np.random.default_rng(0)
    shape = (count, *model.image_shape)
    return {
        "images": random.integers(model.num_levels, size=shape).astype("uint8"),
        "noise": random.random((count, *model.noise_shape), "float32"),
        "temperature": np.linspace(1.0, 0.8, count, dtype="float32"),
        "mask": random.integers(2, size=shape[:3]).astype("uint8"),
        "seed": np.arange(count, dtype="int32"),
        **{
            spec.name: _told(spec, model.conditions, random)
            for spec in condition_specs(model, count)
        },
    }


def _told(spec, conditions, random):
    dtype, shape = spec.dtype.as_numpy_dtype, tuple(spec.shape)
    if spec.name == "labels":
        # From the last one down: first without a label, where that is one.
        ids = conditions.num_labels - 1 - np.arange(shape[0])
        return (ids % conditions.num_labels).astype(dtype)
    if spec.name == "order":
        return (np.arange(*shape) % len(conditions.orders)).astype(dtype)
    if spec.dtype.is_floating:
        return random.random(shape).astype(dtype)
    # Only the encoder knows how large a context's integers may be.
    return random.integers(2, size=shape).astype(dtype)


def conditions(model, batch):
    """What the model is told beside the images, of a batch by name."""
    return {name: batch[name] for name in model.conditions.names}


def to_numpy(outputs):
    """Nest of tensors as NumPy arrays."""
    return tree.map_structure(np.asarray, outputs)
