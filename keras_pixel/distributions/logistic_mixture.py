"""A mixture of discretised logistics: few parameters, levels in order."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_pixel.checks import check_size
from keras_pixel.distributions.categorical import Categorical
from keras_pixel.distributions.distribution import PixelDistribution
from keras_pixel.distributions.distribution import Tensor
from keras_pixel.levels import levels_to_floats

# Instead of probability 0, where there is no floor.
_SMALLEST = float(np.finfo("float32").tiny)
# Bounds of `log_scales`, on the scale where levels lie in [-1, 1]: from a
# logistic inside one level of 256 to one that is flat over all of them.
MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 7.0


# From the gradient of the outputs to those of two inputs.
_Gradient = Callable[[Tensor], tuple[Tensor, Tensor]]


@keras.saving.register_keras_serializable(package="keras_pixel")
class LogisticMixture(PixelDistribution):
    """Mixture of logistics, each discretised to `num_levels` bins.

    Levels lie evenly in [-1, 1]. A level's mass under a logistic is that of
    the interval half a level around it; the lowest and the highest level take
    the tails, so masses sum to 1. Into each component a uniform distribution
    is mixed with weight `floor`: no level has probability 0, and no value,
    however far off, costs more than `log(num_levels / floor)` nats (12.5 with
    the defaults). Without it trainings explode. It is drawn from, too: of a
    thousand values one on average is any level at all, which `top_p=0.99`
    leaves out.

    Parameters are `(..., 3 * num_mixtures)`: logits of the components, means,
    log scales (see `split`).

    Source: Salimans et al., 2017, "PixelCNN++", section 2.1,
    https://arxiv.org/abs/1701.05517.
    Differs from it: exact masses at all scales instead of a density in the
    tails; the floor.

    Args:
        num_levels: int. Defaults to `256`.
        num_mixtures: int. Components. Defaults to `10`.
        floor: float in [0, 1). Weight of the uniform distribution. Defaults to
            `0.001`, which costs at most 0.0015 bits/dim.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> import numpy as np
    >>> narrow = LogisticMixture(num_levels=5, num_mixtures=1)
    >>> middle = np.array([[0.0, 0.0, -7.0]], "float32")
    >>> int(narrow.sample_from_noise(middle, np.array([0.5], "float32"))[0])
    2
    """

    searches_levels = True

    def __init__(
        self,
        num_levels: int = 256,
        num_mixtures: int = 10,
        floor: float = 0.001,
    ) -> None:
        super().__init__(num_levels)
        if not 0.0 <= floor < 1.0:
            raise ValueError(
                "`floor` must be at least 0 and below 1. "
                f"Received: floor={floor!r}"
            )
        self.num_mixtures = check_size("num_mixtures", num_mixtures)
        self.floor = float(floor)

    @property
    def num_parameters(self) -> int:
        return 3 * self.num_mixtures

    def split(self, parameters: Tensor) -> list[Tensor]:
        """Logits, means and log scales, each `(..., num_mixtures)`."""
        return ops.split(ops.cast(parameters, "float32"), 3, axis=-1)

    def component_log_probs(
        self, means: Tensor, log_scales: Tensor, images: Tensor
    ) -> Tensor:
        """Log-probability of each sub-pixel under each component.

        Args:
            means: float32 tensor `(..., num_mixtures)`.
            log_scales: float32 tensor `(..., num_mixtures)`.
            images: integer tensor `(...)` of levels.

        Returns:
            float32 tensor `(..., num_mixtures)`, nats.
        """
        levels = ops.cast(images, "int32")[..., None]
        return self._log_masses(means, log_scales, levels)

    def _log_masses(
        self, means: Tensor, log_scales: Tensor, levels: Tensor
    ) -> Tensor:
        """Log-probabilities of levels by logistics that broadcast with them."""
        half = 1.0 / (self.num_levels - 1)  # of a level
        values = levels_to_floats(levels, self.num_levels)
        lowest, highest = levels == 0, levels == self.num_levels - 1
        at_end = ops.logical_or(lowest, highest)

        # The gradient is written out, from what the forward pass has made:
        # forward and backward together take two thirds of the time.
        @ops.custom_gradient
        def run(means: Tensor, log_scales: Tensor) -> tuple[Tensor, _Gradient]:
            inverse = _inverse_scale(log_scales)
            centred = values - means
            # The mass between b and a is sigmoid(a) - sigmoid(b), written as
            # a product: a difference of two numbers near 1 has no digits
            # left.
            top = (centred + half) * inverse
            bottom = (half - centred) * inverse
            below_top = ops.where(highest, 1.0, _sigmoid(top))
            above_bottom = ops.where(lowest, 1.0, _sigmoid(bottom))
            # 1 - exp(-2 * half * inverse), exact where that is small.
            inside = ops.tanh(half * inverse)
            inside = ops.where(at_end, 1.0, 2.0 * inside / (1.0 + inside))
            mass = below_top * above_bottom * inside
            total = (1.0 - self.floor) * mass + self.floor / self.num_levels
            total = ops.maximum(total, _SMALLEST)

            def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
                # Of the logarithm of each factor of the mass, in turn.
                share = upstream * ((1.0 - self.floor) * mass / total)
                above_top, below_bottom = 1.0 - below_top, 1.0 - above_bottom
                of_means = share * inverse * (below_bottom - above_top)
                of_scales = (
                    top * above_top
                    + bottom * below_bottom
                    + 2.0 * half * inverse * (1.0 / inside - 1.0)
                )
                free = ops.logical_and(
                    log_scales >= MIN_LOG_SCALE, log_scales <= MAX_LOG_SCALE
                )
                of_scales = ops.where(free, -share * of_scales, 0.0)
                return (
                    _summed_like(of_means, means),
                    _summed_like(of_scales, log_scales),
                )

            return ops.log(total), gradient

        return run(means, log_scales)

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        logits, means, log_scales = self.split(parameters)
        log_probs = self.component_log_probs(means, log_scales, images)
        return ops.logsumexp(
            ops.log_softmax(logits, axis=-1) + log_probs, axis=-1
        )

    def level_log_probs(self, parameters: Tensor) -> Tensor:
        logits, means, log_scales = self.split(parameters)
        weights = ops.exp(ops.log_softmax(logits, axis=-1))
        levels = np.arange(self.num_levels, dtype="int32")
        # Of whole images component by component: all at once would take
        # `num_mixtures` times the memory. What is drawn by one after the other
        # is small, and a loop would only make its graph large.
        size = 1 if len(logits.shape) > 2 else self.num_mixtures
        total = 0.0
        for start in range(0, self.num_mixtures, size):
            part = slice(start, start + size)
            # Levels along the last axis, for processors go through it fastest.
            log_probs = self._log_masses(
                means[..., part, None], log_scales[..., part, None], levels
            )  # (..., size, num_levels)
            masses = ops.matmul(weights[..., None, part], ops.exp(log_probs))
            total = total + masses[..., 0, :]
        return ops.log(ops.maximum(total, _SMALLEST))

    def entropy(self, parameters: Tensor) -> Tensor:
        log_probs = self.level_log_probs(parameters)
        return -ops.sum(ops.exp(log_probs) * log_probs, axis=-1)

    def sample_from_noise(
        self,
        parameters: Tensor,
        noise: Tensor,
        temperature: Tensor | None = None,
        top_k: Tensor | None = None,
        top_p: Tensor | None = None,
    ) -> Tensor:
        def by_levels(
            parameters: Tensor, noise: Tensor, temperature: Tensor | None
        ) -> Tensor:
            return Categorical(self.num_levels).sample_from_noise(
                self.level_log_probs(parameters),
                noise,
                temperature,
                top_k,
                top_p,
            )

        if top_k is not None or top_p is not None:
            return by_levels(parameters, noise, temperature)
        if temperature is None:
            return self._search(parameters, noise)
        shape = ops.shape(noise)
        temperature = temperature + ops.zeros_like(noise)

        def flat() -> tuple[Tensor, Tensor, Tensor]:
            # Inside the branches: converters know the shapes there only then.
            return (
                ops.reshape(parameters, (-1, self.num_parameters)),
                ops.reshape(noise, (-1,)),
                ops.reshape(temperature, (-1,)),
            )

        levels = ops.cond(
            ops.all(temperature == 1.0),
            lambda: self._search(*flat()[:2]),
            lambda: by_levels(*flat()),
        )
        return ops.reshape(levels, shape)

    def block_probs(self, parameters: Tensor, size: int) -> Tensor:
        ends = np.append(np.arange(0, self.num_levels, size), self.num_levels)
        return self._between(parameters, ops.cast(ends, "int32"))

    def probs_in_block(
        self, parameters: Tensor, blocks: Tensor, size: int
    ) -> Tensor:
        edges = ops.cast(blocks, "int32")[..., None] * size
        edges = edges + np.arange(size + 1, dtype="int32")
        return self._between(parameters, ops.minimum(edges, self.num_levels))

    def _between(self, parameters: Tensor, edges: Tensor) -> Tensor:
        """Probability of the levels from each edge up to the next."""
        below = self._below(self._edge_parts(parameters), edges)
        below = ops.where(edges == 0, 0.0, below)
        below = ops.where(edges == self.num_levels, 1.0, below)
        return ops.maximum(below[..., 1:] - below[..., :-1], 0.0)

    def _search(self, parameters: Tensor, noise: Tensor) -> Tensor:
        """Smallest level whose cumulative probability exceeds `noise`."""
        parts = self._edge_parts(parameters)
        noise = ops.cast(noise, "float32")
        # Among four parts of what is left, three edges at a time: half the
        # steps of a bisection for half as many more edges.
        level = ops.zeros_like(noise, dtype="int32")
        step = 1
        while step < self.num_levels:
            step *= 4
        while step > 1:
            step //= 4
            edges = level[..., None] + step * np.arange(1, 4, dtype="int32")
            goes_on = ops.logical_and(
                self._below(parts, edges) <= noise[..., None],
                edges < self.num_levels,
            )
            passed = ops.sum(ops.cast(goes_on, "int32"), axis=-1)
            level = level + step * passed
        return level

    def _edge_parts(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights, means and inverse scales of the components."""
        logits, means, log_scales = self.split(parameters)
        weights = ops.exp(ops.log_softmax(logits, axis=-1))
        return weights, means, _inverse_scale(log_scales)

    def _below(
        self, parts: tuple[Tensor, Tensor, Tensor], edges: Tensor
    ) -> Tensor:
        """Cumulative probability of all levels below each edge.

        Args:
            parts: see `_edge_parts`.
            edges: int32 tensor `(..., edges)`, levels.
        """
        weights, means, inverse = parts
        share = ops.cast(edges, "float32") / self.num_levels
        value = levels_to_floats(edges, self.num_levels)
        value = value - 1.0 / (self.num_levels - 1)
        below = ops.sigmoid(
            (value[..., None] - means[..., None, :]) * inverse[..., None, :]
        )  # (..., edges, num_mixtures)
        below = ops.sum(weights[..., None, :] * below, axis=-1)
        return (1.0 - self.floor) * below + self.floor * share

    def tfp(self, parameters: Tensor) -> Any:
        # A categorical distribution is exact here, floor and tails included,
        # and takes integers; TFP's quantised logistic has neither.
        return Categorical(self.num_levels).tfp(
            self.level_log_probs(parameters)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_mixtures": self.num_mixtures,
            "floor": self.floor,
        }


def _sigmoid(x: Tensor) -> Tensor:
    """The logistic function, with all digits where it is next to 0.

    ONNX Runtime's own has none left below 1e-7.
    """
    return 1.0 / (1.0 + ops.exp(-x))


def _inverse_scale(log_scales: Tensor) -> Tensor:
    return ops.exp(-ops.clip(log_scales, MIN_LOG_SCALE, MAX_LOG_SCALE))


def _summed_like(gradient: Tensor, inputs: Tensor) -> Tensor:
    """The gradient of inputs that were broadcast."""
    added = len(gradient.shape) - len(inputs.shape)
    if added:
        gradient = ops.sum(gradient, axis=tuple(range(added)))
    axes = tuple(
        axis
        for axis, (size, of_inputs) in enumerate(
            zip(gradient.shape, inputs.shape, strict=True)
        )
        if of_inputs == 1 and size != 1
    )
    return ops.sum(gradient, axis=axes, keepdims=True) if axes else gradient
