"""A softmax over the levels: any shape of distribution, no order assumed."""

import keras
from keras import ops

from keras_pixel.distributions.distribution import PixelDistribution

# Levels of one block of the two-step search in `_pick`.
_BLOCK = 16


@keras.saving.register_keras_serializable(package="keras_pixel")
class Categorical(PixelDistribution):
    """Categorical distribution over `num_levels` levels, given as logits.

    Parameters are logits `(..., num_levels)`. See `PixelDistribution` for the
    methods.

    Source: van den Oord et al., 2016, "Pixel Recurrent Neural Networks",
    section 3.5, https://arxiv.org/abs/1601.06759.

    Args:
        num_levels: int.

    Example:

    >>> import numpy as np
    >>> uniform = Categorical(num_levels=4)
    >>> logits = np.zeros((1, 4), "float32")
    >>> int(uniform.sample_from_noise(logits, np.array([0.6], "float32"))[0])
    2
    """

    @property
    def num_parameters(self):
        return self.num_levels

    def log_prob(self, parameters, images):
        logits = ops.cast(parameters, "float32")
        levels = ops.cast(images, "int32")
        chosen = ops.take_along_axis(logits, levels[..., None], axis=-1)
        return chosen[..., 0] - ops.logsumexp(logits, axis=-1)

    def level_log_probs(self, parameters):
        return ops.log_softmax(ops.cast(parameters, "float32"), axis=-1)

    def entropy(self, parameters):
        log_probs = self.level_log_probs(parameters)
        # A level of probability 0 (logit -inf) adds nothing, not NaN.
        terms = ops.where(
            ops.isfinite(log_probs), ops.exp(log_probs) * log_probs, 0.0
        )
        return -ops.sum(terms, axis=-1)

    def sample_from_noise(
        self, parameters, noise, temperature=None, top_k=None, top_p=None
    ):
        logits = ops.cast(parameters, "float32")
        if temperature is not None:
            logits = logits / ops.cast(temperature, "float32")[..., None]
        # The highest logit becomes 0: exp cannot overflow.
        logits = logits - ops.max(logits, axis=-1, keepdims=True)
        weights = ops.exp(logits)
        if top_k is not None or top_p is not None:
            weights = _keep_most_probable(weights, top_k, top_p)
        return _pick(weights, noise)

    def tfp(self, parameters):
        try:
            import tensorflow_probability as tfp
        except ImportError as error:
            raise ImportError(
                "TFP distributions need TensorFlow Probability: "
                'pip install "tensorflow-probability[tf]".'
            ) from error
        return tfp.distributions.Independent(
            tfp.distributions.Categorical(logits=parameters),
            reinterpreted_batch_ndims=3,
        )


def _keep_most_probable(weights, top_k, top_p):
    """Set to zero the levels that `top_k` and `top_p` leave out."""
    descending = ops.flip(ops.sort(weights, axis=-1), axis=-1)
    smallest = ops.zeros_like(weights[..., :1])
    if top_k is not None:
        last = ops.clip(ops.cast(top_k, "int32") - 1, 0, weights.shape[-1] - 1)
        last = ops.broadcast_to(last, ops.shape(weights)[:-1])
        smallest = ops.take_along_axis(descending, last[..., None], axis=-1)
    if top_p is not None:
        total = ops.sum(descending, axis=-1, keepdims=True)
        before = ops.cumsum(descending, axis=-1) - descending
        # A level is kept while those above it have not reached top_p; the
        # most probable one always is.
        kept = before < ops.cast(top_p, "float32")[..., None] * total
        floor = ops.min(
            ops.where(kept, descending, descending[..., :1]),
            axis=-1,
            keepdims=True,
        )
        smallest = ops.maximum(smallest, floor)
    return ops.where(weights >= smallest, weights, 0.0)


def _pick(weights, noise):
    """Smallest level whose cumulative share of the weights exceeds `noise`.

    Two steps, over blocks of 16 levels and then inside one block, cost less
    than one running sum over 256 levels.
    """
    num_levels = weights.shape[-1]
    noise = ops.cast(noise, "float32")[..., None]
    if num_levels % _BLOCK or num_levels == _BLOCK:
        return _first_above(ops.cumsum(weights, axis=-1), noise)
    # One axis may be of unknown size while exporting.
    lead = [-1 if size is None else size for size in weights.shape[:-1]]
    blocks = ops.reshape(
        weights, (*lead, num_levels // _BLOCK, _BLOCK)
    )  # (..., blocks, 16)
    block_ends = ops.cumsum(ops.sum(blocks, axis=-1), axis=-1)
    target = noise * block_ends[..., -1:]
    block = _count(block_ends <= target)  # (...)
    block = ops.minimum(block, num_levels // _BLOCK - 1)
    chosen = ops.one_hot(block, num_levels // _BLOCK, dtype="float32")
    inside = ops.sum(blocks * chosen[..., None], axis=-2)  # (..., 16)
    start = ops.sum(
        ops.where(block_ends <= target, ops.sum(blocks, axis=-1), 0.0),
        axis=-1,
        keepdims=True,
    )
    ends = ops.cumsum(inside, axis=-1)
    level = _count(ends <= target - start)
    # Rounding may leave the target just above the block's end; then its last
    # level with any probability is meant.
    level = ops.minimum(level, _last_positive(inside))
    return block * _BLOCK + level


def _first_above(ends, noise):
    target = noise * ends[..., -1:]
    # Rounding of a running sum cannot carry the target to the total: noise
    # is at most 1 - 2**-24.
    return _count(ends <= target)


def _count(flags):
    return ops.sum(ops.cast(flags, "int32"), axis=-1)


def _last_positive(weights):
    size = weights.shape[-1]
    index = ops.arange(size, dtype="int32")
    return ops.max(ops.where(weights > 0, index, 0), axis=-1)
