"""A moving average of the weights that forgets its first values."""

from typing import Any

import keras
from keras import ops


class WarmAverage:
    """Mixin for Keras' optimizers: the average's momentum grows at first.

    Keras starts the average with the weights after the first step, whose share
    is still `ema_momentum ** steps` later on: at 0.999 a third after 1,000
    steps. Here step `s` (from 0) uses `min(ema_momentum, (1 + s) / (10 + s))`,
    so an early average covers about the last ninth of the steps. The momentum
    depends only on the number of steps, so a checkpoint needs nothing more.

    `ema_momentum` is given per step; Keras updates the average after every
    batch, even where gradients are accumulated over several of them.
    """

    # Attributes of the optimizer.
    iterations: keras.Variable
    gradient_accumulation_steps: int | None

    @property
    def ema_momentum(self) -> Any:
        """Momentum of the next batch; Keras asks for it at every batch."""
        step = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self._full_momentum, (1 + step) / (10 + step))
        return momentum ** (1 / (self.gradient_accumulation_steps or 1))

    @ema_momentum.setter
    def ema_momentum(self, value: float) -> None:
        self._full_momentum = value
