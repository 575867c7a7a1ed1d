"""One discretised normal for each sub-pixel: a mean and a scale."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_pixel.checks import check_probability
from keras_pixel.distributions.categorical import Categorical
from keras_pixel.distributions.distribution import PixelDistribution
from keras_pixel.distributions.distribution import Tensor
from keras_pixel.levels import levels_to_floats

# Instead of probability 0, where there is no floor.
_SMALLEST = float(np.finfo("float32").tiny)
# Bounds of `log_scales`, on the scale where levels lie in [-1, 1]: from a
# normal inside one level of 256 to one that puts nearly all into the two ends.
MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 2.0
# Of log erfc, by powers of 1 / (1 + z / 2), see `_log_tail`.
_COEFFICIENTS = (
    *(0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807),
    *(-0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223),
)


@keras.saving.register_keras_serializable(package="keras_pixel")
class DiscretizedNormal(PixelDistribution):
    """A normal distribution, discretised to `num_levels` bins.

    Levels lie evenly in [-1, 1]. A level's mass is that of the interval half a
    level around it; the lowest and the highest level take the tails, so masses
    sum to 1. A uniform distribution is mixed in with weight `floor`: no value
    costs more than `log(num_levels / floor)` nats. Masses are exact to about
    seven digits relative to themselves, in the tails too.

    Parameters are `(..., 2)`: the mean, and the logarithm of the standard
    deviation, clipped to [-7, 2].

    Args:
        num_levels: int. Defaults to `256`.
        floor: float in [0, 1). Weight of the uniform distribution. Defaults to
            `0.001`, which costs at most 0.0015 bits/dim.

    Raises:
        ValueError: if an argument is out of range.

    Example:

    >>> import numpy as np
    >>> narrow = DiscretizedNormal(num_levels=5)
    >>> middle = np.array([[0.0, -7.0]], "float32")
    >>> int(narrow.sample_from_noise(middle, np.array([0.5], "float32"))[0])
    2
    """

    def __init__(self, num_levels: int = 256, floor: float = 0.001) -> None:
        super().__init__(num_levels)
        self.floor = float(check_probability("floor", floor))

    @property
    def num_parameters(self) -> int:
        return 2

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        return self._log_prob(parameters, ops.cast(images, "int32"))

    def level_log_probs(self, parameters: Tensor) -> Tensor:
        levels = np.arange(self.num_levels, dtype="int32")
        return self._log_prob(parameters[..., None, :], levels)

    def _log_prob(self, parameters: Tensor, levels: Tensor) -> Tensor:
        parameters = ops.cast(parameters, "float32")
        means, log_scales = parameters[..., 0], parameters[..., 1]
        inverse = ops.exp(-ops.clip(log_scales, MIN_LOG_SCALE, MAX_LOG_SCALE))
        half = 1.0 / (self.num_levels - 1)  # of a level
        centred = levels_to_floats(levels, self.num_levels) - means
        # Above the mean, where tails are small and have all their digits: the
        # normal is the same on both sides.
        low = (ops.abs(centred) - half) * inverse
        high = (ops.abs(centred) + half) * inverse
        log_low, log_high = _log_tail(ops.abs(low)), _log_tail(high)
        tail = ops.exp(log_low)
        # 1 - exp(log_high - log_low), exact where that is small. (`expm1`
        # does not convert to ONNX.)
        share = ops.tanh(0.5 * (log_low - log_high))
        inside = ops.where(
            low >= 0.0,
            tail * 2.0 * share / (1.0 + share),
            1.0 - tail - ops.exp(log_high),
        )
        # The ends take what lies beyond their inner edge.
        lowest, highest = levels == 0, levels == self.num_levels - 1
        inner = ops.where(lowest, -centred, centred) - half
        below = ops.exp(_log_tail(ops.abs(inner) * inverse))
        end = ops.where(inner >= 0.0, below, 1.0 - below)
        mass = ops.where(ops.logical_or(lowest, highest), end, inside)
        total = (1.0 - self.floor) * mass + self.floor / self.num_levels
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
        return Categorical(self.num_levels).sample_from_noise(
            self.level_log_probs(parameters), noise, temperature, top_k, top_p
        )

    def tfp(self, parameters: Tensor) -> Any:
        # Exact here, floor and tails included; TFP's quantised normal has no
        # floor.
        return Categorical(self.num_levels).tfp(
            self.level_log_probs(parameters)
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "floor": self.floor}


def _log_tail(x: Tensor) -> Tensor:
    """Logarithm of the mass of a standard normal above `x`, at least 0.

    Relative error of the mass at most 1.2e-7 everywhere, which `ops.erf` has
    not: near 1 float32 has no digits left for a tail.

    Source: Press et al., 1992, "Numerical Recipes in C", section 6.2, `erfcc`.
    """
    z = x * math.sqrt(0.5)
    t = 1.0 / (1.0 + 0.5 * z)
    series = ops.zeros_like(t)
    for coefficient in _COEFFICIENTS:
        series = series * t + coefficient
    return math.log(0.5) + ops.log(t) - z * z + series
