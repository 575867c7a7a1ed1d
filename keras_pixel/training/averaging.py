"""The moving average of the weights, which forgets how it began."""

import keras
from keras import ops


class WarmAverage:
    """Mixin for Keras' optimizers: the average's momentum grows at first.

    Keras starts the average with the weights after the first step, and keeps
    the part `ema_momentum ** steps` of them: at 0.999 a third after 1,000
    steps. Here step `s` (from 0) uses `min(ema_momentum, (1 + s) / (10 + s))`:
    a young average is one over about the last ninth of the steps. It is a
    function of the number of steps alone, so nothing more is to be saved.

    `ema_momentum` is given per step; Keras moves the average after every
    batch, also where gradients are accumulated over several of them.
    """

    # What the optimizer has.
    iterations: keras.Variable
    gradient_accumulation_steps: int | None

    @property
    def ema_momentum(self):
        """Momentum of the batch to come, which Keras asks for at each one."""
        step = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self._full_momentum, (1 + step) / (10 + step))
        return momentum ** (1 / (self.gradient_accumulation_steps or 1))

    @ema_momentum.setter
    def ema_momentum(self, value):
        self._full_momentum = value
