"""What the examples of policies share: two policies, and their training."""

import math
import time

import keras
import numpy as np

from keras_pixel import models
from keras_pixel import tasks

BATCH_SIZE = 128


def encoder(observed, units):
    """From an observation to features; the same for both policies.

    Args:
        observed: int. Numbers of an observation.
        units: int. Features.
    """
    seen = keras.Input((observed,))
    x = keras.layers.Dense(units, activation="silu")(seen)
    x = keras.layers.Dense(units, activation="silu")(x)
    return keras.Model(seen, x, name="encoder")


def autoregressive_policy(observed, discretizer, units):
    """A `tasks.Policy` of the dimensions that `discretizer` has."""
    keras.utils.set_random_seed(0)
    model = models.PixelLSTM(
        (1, discretizer.num_dims, 1),
        discretizer.num_bins,
        hidden_dim=units // 2,
        num_layers=1,
        condition=encoder(observed, units),
        name="policy",
    )
    return tasks.Policy(model, discretizer)


class GaussianPolicy:
    """A mean and a standard deviation for each dimension of an action.

    Two more layers make up for those of the autoregressive model.

    Args:
        observed: int. Numbers of an observation.
        low, high: the bounds of each dimension.
        units: int. Features of the encoder.

    Attributes:
        model: from an observation to means and logarithms of standard
            deviations of actions that are scaled to [-1, 1].
    """

    def __init__(self, observed, low, high, units):
        keras.utils.set_random_seed(0)
        features = encoder(observed, units)
        x = features.output
        for _ in range(2):
            x = keras.layers.Dense(2 * units, activation="silu")(x)
        parameters = keras.layers.Dense(2 * len(low))(x)
        self.model = keras.Model(features.input, parameters, name="gaussian")
        self.low = np.array(low, "float32")
        self.high = np.array(high, "float32")

    def loss(self, actions, parameters):
        """Nats of an action that is scaled to [-1, 1]."""
        mean, log_std = keras.ops.split(parameters, 2, axis=-1)
        # Wide enough not to run away where all actions are the same.
        log_std = keras.ops.maximum(log_std, -4.0)
        error = (self._scaled(actions) - mean) * keras.ops.exp(-log_std)
        nats = 0.5 * error**2 + log_std + 0.5 * math.log(2 * math.pi)
        return keras.ops.sum(nats, axis=-1)

    def squared_error(self, actions, parameters):
        """Of the mean alone, for a regression: then `act_mean` is the policy.

        The standard deviations are not trained.
        """
        mean, _ = keras.ops.split(parameters, 2, axis=-1)
        return keras.ops.sum((self._scaled(actions) - mean) ** 2, axis=-1)

    def _scaled(self, actions):
        return 2 * (actions - self.low) / (self.high - self.low) - 1

    def act(self, observations, seed=None):
        """Actions drawn with the generator `seed`, or the means without."""
        parameters = np.asarray(self.model.predict_on_batch(observations))
        mean, log_std = np.split(parameters, 2, axis=-1)
        if seed is not None:
            mean = mean + np.exp(np.maximum(log_std, -4)) * seed.normal(
                size=mean.shape
            )
        low, high = self.low.astype("float64"), self.high.astype("float64")
        return np.clip(low + (mean + 1) / 2 * (high - low), low, high)

    def act_mean(self, observations, seed=None):
        """The means, whatever the `seed`."""
        return self.act(observations)


def train_both(policy, gaussian, observations, actions, steps):
    """Train both policies on the same actions in the same order."""
    train(
        policy.model,
        {"images": policy.levels(actions), "condition": observations},
        None,
        steps,
    )
    train(
        gaussian.model,
        observations,
        actions.astype("float32"),
        steps,
        gaussian.loss,
    )


def train(model, inputs, targets, steps, loss=None):
    """Train on batches drawn by a seed: the same for each model."""
    keras.utils.set_random_seed(0)
    count = len(keras.tree.flatten(inputs)[0])
    picked = np.random.default_rng(0).integers(count, size=steps * BATCH_SIZE)
    inputs, targets = keras.tree.map_structure(
        lambda x: x if x is None else x[picked], (inputs, targets)
    )
    rate = keras.optimizers.schedules.CosineDecay(0.003, steps)
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(optimizer, **({} if loss is None else {"loss": loss}))
    start = time.monotonic()
    model.fit(inputs, targets, BATCH_SIZE, shuffle=False, verbose=0)
    print(f"{model.name}: {steps} steps in {time.monotonic() - start:.0f} s")
