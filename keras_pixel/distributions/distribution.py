"""What every distribution over the levels of a sub-pixel offers."""

from abc import ABC
from abc import abstractmethod
from typing import Any
from typing import Self

from keras import ops

from keras_pixel.checks import check_size

# A tensor of the backend, of a graph or in memory, or a NumPy array.
Tensor = Any
# Instead of a logit of minus infinity.
_LOWEST = -1e30


class PixelDistribution(ABC):
    """Turns a network's output into the probability of each sub-pixel.

    A distribution holds no weights. Its parameters are the network's output
    (of a whole image, or of one sub-pixel while sampling: `...` below).

    Attributes:
        num_levels: int. Levels `0 … num_levels - 1` of a sub-pixel.
        searches_levels: bool. Whether a level is searched for at a
            temperature of 1, so that most levels' probabilities are never
            computed.

    Raises:
        ValueError: unless `num_levels` is an integer of at least 2.
    """

    searches_levels = False

    def __init__(self, num_levels: int) -> None:
        self.num_levels = check_size("num_levels", num_levels, 2)

    @property
    @abstractmethod
    def num_parameters(self) -> int:
        """int. Parameters of one sub-pixel."""

    @abstractmethod
    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Log-probability of every sub-pixel.

        Args:
            parameters: tensor `(..., num_parameters)` that the network gave
                for `images`.
            images: integer tensor `(...)` of levels.

        Returns:
            float32 tensor `(...)`, nats.
        """

    @abstractmethod
    def level_log_probs(self, parameters: Tensor) -> Tensor:
        """Log-probability of every level of every sub-pixel.

        Returns:
            float32 tensor `(..., num_levels)`, nats.
        """

    def level_logits(self, parameters: Tensor) -> Tensor:
        """Logits of every level of every sub-pixel.

        Returns:
            float32 tensor `(..., num_levels)`: up to a constant for each
            sub-pixel, the log-probabilities of the levels.
        """
        return self.level_log_probs(parameters)

    def block_probs(self, parameters: Tensor, size: int) -> Tensor:
        """Probability of each block of levels that follow one another.

        Args:
            parameters: parameters of one or more sub-pixels.
            size: int. Levels of a block; the last may have fewer.

        Returns:
            float32 tensor `(..., num_blocks)`.
        """
        logits = self._logits_by_block(parameters, size)
        highest = ops.max(logits, axis=(-2, -1), keepdims=True)
        sums = ops.sum(ops.exp(logits - highest), axis=-1)
        return sums / ops.sum(sums, axis=-1, keepdims=True)

    def probs_in_block(
        self, parameters: Tensor, blocks: Tensor, size: int
    ) -> Tensor:
        """Probability of each level of a block, given that it is in it.

        Args:
            parameters: parameters of one or more sub-pixels.
            blocks: int32 tensor `(...)`, one block of each.
            size: int. Levels of a block.

        Returns:
            float32 tensor `(..., size)`, up to a factor for each sub-pixel.
            Where rounding leaves nothing of a block, all are 0 or the same.
        """
        logits = self._logits_by_block(parameters, size)
        chosen = ops.cast(blocks, "int32")[..., None, None]
        logits = ops.take_along_axis(logits, chosen, axis=-2)[..., 0, :]
        # Not NaN if no level of the block has any probability.
        return ops.softmax(ops.maximum(logits, _LOWEST), axis=-1)

    def _logits_by_block(self, parameters: Tensor, size: int) -> Tensor:
        """Logits `(..., num_blocks, size)`."""
        logits = self.level_logits(parameters)
        missing = -self.num_levels % size
        if missing:
            none = ops.full_like(logits[..., :missing], -float("inf"))
            logits = ops.concatenate([logits, none], axis=-1)
        shape = (*logits.shape[:-1], -1, size)
        return ops.reshape(logits, shape)

    @abstractmethod
    def entropy(self, parameters: Tensor) -> Tensor:
        """Entropy of every sub-pixel given those before it.

        Returns:
            float32 tensor `(...)`, nats.
        """

    @abstractmethod
    def sample_from_noise(
        self,
        parameters: Tensor,
        noise: Tensor,
        temperature: Tensor | None = None,
        top_k: Tensor | None = None,
        top_p: Tensor | None = None,
    ) -> Tensor:
        """Levels as a deterministic function of uniform noise.

        Args:
            parameters: parameters of one or more sub-pixels.
            noise: float32 tensor `(...)` in [0, 1).
            temperature: float tensor that broadcasts against `noise`, above
                0, or `None` for 1. Divides the logits.
            top_k: int tensor that broadcasts against `noise`: only so many
                of the most probable levels are drawn from; `None` for all.
            top_p: float tensor likewise: only the most probable levels whose
                probabilities reach `top_p` together; `None` for all.

        Returns:
            int32 tensor `(...)`: the smallest level whose cumulative
            probability, from level 0 up, exceeds the noise.
        """

    @abstractmethod
    def tfp(self, parameters: Tensor) -> Any:
        """The same distribution as a TensorFlow Probability object.

        Returns:
            A `tfp.distributions.Distribution` with the event shape `(height,
            width, channels)`.
        """

    def get_config(self) -> dict[str, Any]:
        return {"num_levels": self.num_levels}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)
