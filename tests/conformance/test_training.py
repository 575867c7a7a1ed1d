"""Does one step of training reach every weight, with the right numbers?"""

import math

import keras
import numpy as np
import pytest

from tests.support import catalogue
from tests.support.catalogue import named
from tests.support.catalogue import one_of_each
from tests.support.catalogue import trainable


class Spread(keras.optimizers.SGD):
    """Adds up how far each weight was asked to move."""

    def __init__(self):
        super().__init__(learning_rate=1e-3)
        self.asked = {}

    def apply(self, grads, trainable_variables=None):
        for grad, weight in zip(grads, trainable_variables, strict=True):
            if grad is None:
                asked = 0.0
            else:  # an embedding's are rows of it
                grad = np.asarray(grad + keras.ops.zeros_like(weight))
                asked = float(abs(grad).max())
            self.asked[weight.path] = self.asked.get(weight.path, 0.0) + asked
        return super().apply(grads, trainable_variables)


TRAINABLE = trainable(catalogue.MODELS)


@pytest.mark.parametrize("case", **named(TRAINABLE, one_of_each(TRAINABLE)))
def test_one_step_gives_every_trainable_weight_a_gradient(case):
    model = case.make(dropout=0.0)
    optimizer = Spread()
    model.compile(optimizer=optimizer, run_eagerly=True)
    model.fit(catalogue.levels(model, 8), batch_size=8, verbose=0)
    assert len(optimizer.asked) == len(model.trainable_weights)
    assert [path for path, asked in optimizer.asked.items() if not asked] == []


@pytest.mark.parametrize("case", **named(TRAINABLE, one_of_each(TRAINABLE)))
def test_dropout_acts_in_training_and_nowhere_else(case):
    model = case.make(dropout=0.5)
    images = catalogue.levels(model)
    first, second = (np.array(model(images, training=True)) for _ in range(2))
    assert (first != second).any()
    first, second = (np.array(model(images)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_dropout_acts_in_fit():
    model = catalogue.MODELS[0].make(dropout=0.5)
    # A learning rate of 0, and the same batch each time.
    model.compile(keras.optimizers.SGD(0.0))
    history = model.fit(catalogue.levels(model), epochs=3, verbose=0).history
    assert len(set(history["loss"])) == 3


@pytest.mark.parametrize("case", **named(catalogue.MODELS[:3:2]))
def test_fit_reports_what_log_prob_says(case):
    model = case.make()
    images = catalogue.levels(model, 5)
    # A learning rate of 0: the numbers are those of the weights at hand.
    model.compile(optimizer=keras.optimizers.SGD(0.0))
    # The last batch is a partial one.
    found = model.evaluate(images, batch_size=2, verbose=0, return_dict=True)
    nats = -model.log_prob(images).mean() / np.prod(model.image_shape)
    assert found["loss"] == pytest.approx(nats, rel=1e-4)
    assert found["bits_per_dim"] == pytest.approx(nats / math.log(2), rel=1e-4)
    assert model.bits_per_dim(images).mean() == pytest.approx(
        nats / math.log(2), rel=1e-4
    )


def test_training_lowers_bits_per_dim():
    model = catalogue.MODELS[0].make()
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    images = np.full((8, *model.image_shape), 2, "uint8")
    history = model.fit(images, epochs=15, batch_size=8, verbose=0).history
    assert history["bits_per_dim"][-1] < 0.5 * history["bits_per_dim"][0]
