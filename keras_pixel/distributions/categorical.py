"""A softmax over the levels: any shape of distribution, no order assumed."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_pixel.distributions.distribution import PixelDistribution
from keras_pixel.distributions.distribution import Tensor

# Levels of one block of the two-step search in `_pick`.
_BLOCK = 16
# Smaller numbers count as 0 where denormal ones are flushed.
_SMALLEST = float(np.finfo("float32").tiny)


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
    def num_parameters(self) -> int:
        return self.num_levels

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        logits = ops.cast(parameters, "float32")
        levels = ops.cast(images, "int32")
        chosen = ops.take_along_axis(logits, levels[..., None], axis=-1)
        return chosen[..., 0] - ops.logsumexp(logits, axis=-1)

    def level_logits(self, parameters: Tensor) -> Tensor:
        return ops.cast(parameters, "float32")

    def level_log_probs(self, parameters: Tensor) -> Tensor:
        return ops.log_softmax(ops.cast(parameters, "float32"), axis=-1)

    def entropy(self, parameters: Tensor) -> Tensor:
        log_probs = self.level_log_probs(parameters)
        # A level of probability 0 (logit -inf) adds nothing, not NaN; what is
        # NaN stays so.
        terms = ops.where(
            log_probs == -float("inf"), 0.0, ops.exp(log_probs) * log_probs
        )
        return -ops.sum(terms, axis=-1)

    def sample_from_noise(
        self,
        parameters: Tensor,
        noise: Tensor,
        temperature: Tensor | None = None,
        top_k: Tensor | None = None,
        top_p: Tensor | None = None,
    ) -> Tensor:
        logits = ops.cast(parameters, "float32")
        # The highest logit becomes 0: exp cannot overflow, and at any
        # temperature it stays the highest.
        logits = logits - ops.max(logits, axis=-1, keepdims=True)
        if temperature is not None:
            temperature = ops.cast(temperature, "float32")[..., None]
            logits = logits / ops.maximum(temperature, _SMALLEST)
        weights = ops.exp(logits)
        if top_k is not None or top_p is not None:
            weights = _keep_most_probable(weights, top_k, top_p)
        return _pick(weights, noise)

    def tfp(self, parameters: Tensor) -> Any:
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


def _keep_most_probable(
    weights: Tensor, top_k: Tensor | None, top_p: Tensor | None
) -> Tensor:
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


def _pick(weights: Tensor, noise: Tensor) -> Tensor:
    """Smallest level whose cumulative share of the weights exceeds `noise`.

    Two steps, over blocks of 16 levels and then inside one block, cost less
    than one running sum over 256 levels.
    """
    num_levels = weights.shape[-1]
    noise = ops.cast(noise, "float32")[..., None]
    if num_levels % _BLOCK or num_levels == _BLOCK:
        ends = ops.cumsum(weights, axis=-1)
        return _first_above(weights, ends, noise * ends[..., -1:])
    # One axis may be of unknown size while exporting.
    lead = [-1 if size is None else size for size in weights.shape[:-1]]
    blocks = ops.reshape(
        weights, (*lead, num_levels // _BLOCK, _BLOCK)
    )  # (..., blocks, 16)
    sums = ops.sum(blocks, axis=-1)  # (..., blocks)
    block_ends = ops.cumsum(sums, axis=-1)
    target = noise * block_ends[..., -1:]
    block = _first_above(sums, block_ends, target)  # (...)
    chosen = ops.one_hot(block, num_levels // _BLOCK, dtype="float32")
    inside = ops.sum(blocks * chosen[..., None], axis=-2)  # (..., 16)
    start = ops.sum(
        ops.where(block_ends <= target, sums, 0.0), axis=-1, keepdims=True
    )
    level = _first_above(inside, ops.cumsum(inside, axis=-1), target - start)
    return block * _BLOCK + level


def _first_above(weights: Tensor, ends: Tensor, target: Tensor) -> Tensor:
    """First index of any weight whose running sum lies above the target.

    Running sums are rounded, and the target that is left inside a block too:
    it may lie a little below 0, or above the block's end. Then the block's
    first or last index of any weight is meant, never one of weight 0.
    """
    size = weights.shape[-1]
    index = ops.arange(size, dtype="int32")
    positive = weights > 0
    above = ops.logical_and(positive, ends > target)
    first = ops.min(ops.where(above, index, size), axis=-1)
    last = ops.max(ops.where(positive, index, 0), axis=-1)
    return ops.minimum(first, last)
