"""The learning rate: a linear warm-up, then a decay until training ends."""

import math
from typing import Any

import keras
from keras import ops

from keras_pixel.checks import check_choice

DECAYS = ("constant", "linear", "cosine", "exponential")


@keras.saving.register_keras_serializable(package="keras_pixel")
class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises linearly, then falls until the last step.

    Warm-up: step `s` (from 0) uses `learning_rate * (s + 1) / warmup_steps`.
    Then, with `p` the fraction of the remaining steps already done:

    - `"constant"`: `learning_rate`;
    - `"linear"`: `learning_rate * (1 - (1 - final_fraction) * p)`;
    - `"cosine"`: between the same two values, along half a cosine;
    - `"exponential"`: `learning_rate * final_fraction ** p`.

    Args:
        learning_rate: float. The highest learning rate.
        steps: int. Steps of the whole training; after them the learning rate
            stays at its last value.
        warmup_steps: int. Steps of the warm-up. Defaults to `0`.
        decay: str, one of the four above. Defaults to `"constant"`.
        final_fraction: float. Fraction of `learning_rate` left at the end.
            Defaults to `0.0`; must be positive for `"exponential"`.
        batches_per_step: int. Batches whose gradients are accumulated into
            one step: the optimizer counts batches. Defaults to `1`.

    Raises:
        ValueError: if `decay` is unknown, or `final_fraction` is `0` for an
            exponential decay.

    Example:

    >>> schedule = WarmupDecay(0.1, steps=10, warmup_steps=2, decay="linear")
    >>> [round(schedule.at(step), 3) for step in (0, 1, 2, 6, 10)]
    [0.05, 0.1, 0.1, 0.05, 0.0]
    """

    def __init__(
        self,
        learning_rate: float,
        steps: int,
        warmup_steps: int = 0,
        decay: str = "constant",
        final_fraction: float = 0.0,
        batches_per_step: int = 1,
    ) -> None:
        super().__init__()
        check_choice("decay", decay, DECAYS)
        if decay == "exponential" and not final_fraction > 0:
            raise ValueError(
                "`final_fraction` must be positive for an exponential decay, "
                "which never reaches 0. Received: "
                f"final_fraction={final_fraction}. Use for example 0.01."
            )
        self.learning_rate = learning_rate
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.decay = decay
        self.final_fraction = final_fraction
        self.batches_per_step = batches_per_step

    def __call__(self, step: Any) -> Any:
        # Integer division first: a float32 cannot count past 16 million.
        step = ops.cast(
            ops.floor_divide(step, self.batches_per_step), "float32"
        )
        factor = 1.0
        if self.warmup_steps:
            factor = ops.minimum((step + 1.0) / self.warmup_steps, 1.0)
        span = max(self.steps - self.warmup_steps, 1)
        part = ops.clip((step - self.warmup_steps) / span, 0.0, 1.0)
        left = 1.0 - self.final_fraction
        if self.decay == "linear":
            factor = factor * (1.0 - left * part)
        elif self.decay == "cosine":
            half = 0.5 + 0.5 * ops.cos(math.pi * part)
            factor = factor * (self.final_fraction + left * half)
        elif self.decay == "exponential":
            factor = factor * ops.exp(math.log(self.final_fraction) * part)
        return ops.cast(self.learning_rate * factor, "float32")

    def at(self, step: int) -> float:
        """Return the learning rate of a step (not batch) as a Python float."""
        return float(
            ops.convert_to_numpy(self(int(step) * self.batches_per_step))
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "decay": self.decay,
            "final_fraction": self.final_fraction,
            "batches_per_step": self.batches_per_step,
        }
