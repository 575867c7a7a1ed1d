"""What every distribution over the levels of a sub-pixel offers."""

from abc import ABC
from abc import abstractmethod

from keras_pixel.checks import check_size


class PixelDistribution(ABC):
    """Turns a network's output into the probability of each sub-pixel.

    A distribution holds no weights. Its parameters are the network's output
    (of a whole image, or of one sub-pixel while sampling: `...` below).

    Attributes:
        num_levels: int. Levels `0 … num_levels - 1` of a sub-pixel.

    Raises:
        ValueError: unless `num_levels` is an integer of at least 2.
    """

    def __init__(self, num_levels):
        self.num_levels = check_size("num_levels", num_levels, 2)

    @property
    @abstractmethod
    def num_parameters(self):
        """int. Parameters of one sub-pixel."""

    @abstractmethod
    def log_prob(self, parameters, images):
        """Log-probability of every sub-pixel.

        Args:
            parameters: tensor `(..., num_parameters)` that the network gave
                for `images`.
            images: integer tensor `(...)` of levels.

        Returns:
            float32 tensor `(...)`, nats.
        """

    @abstractmethod
    def level_log_probs(self, parameters):
        """Log-probability of every level of every sub-pixel.

        Returns:
            float32 tensor `(..., num_levels)`, nats.
        """

    def level_logits(self, parameters):
        """Logits of every level of every sub-pixel.

        Returns:
            float32 tensor `(..., num_levels)`: up to a constant for each
            sub-pixel, the log-probabilities of the levels.
        """
        return self.level_log_probs(parameters)

    @abstractmethod
    def entropy(self, parameters):
        """Entropy of every sub-pixel given those before it.

        Returns:
            float32 tensor `(...)`, nats.
        """

    @abstractmethod
    def sample_from_noise(
        self, parameters, noise, temperature=None, top_k=None, top_p=None
    ):
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
    def tfp(self, parameters):
        """The same distribution as a TensorFlow Probability object.

        Returns:
            A `tfp.distributions.Distribution` with the event shape `(height,
            width, channels)`.
        """

    def get_config(self):
        return {"num_levels": self.num_levels}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
