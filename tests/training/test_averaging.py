import keras
import numpy as np
import pytest

from keras_pixel.training import Recipe
from keras_pixel.training.building import make_optimizer
from tests.training.test_recipe import config


def averages(batches, **changes):
    """The average after each batch; a step takes 1 off the weight."""
    recipe = Recipe.from_dict(
        config(optimizer={"name": "sgd", "learning_rate": 1.0}, **changes)
    )
    optimizer = make_optimizer(recipe)
    weight = keras.Variable(np.zeros(1, "float32"))
    optimizer.build([weight])
    target = keras.Variable(np.zeros(1, "float32"))
    found = []
    for _ in range(batches):
        optimizer.apply([keras.ops.ones(1)], [weight])
        optimizer.finalize_variable_values([target])
        found.append(float(target.numpy()[0]))
    return found, weight


def test_the_first_steps_are_soon_forgotten():
    # Weights -1, -2, -3: momenta 0, 2/11 and 3/12.
    second = -(2 * 1 + 9 * 2) / 11
    third = (3 * second - 9 * 3) / 12
    found, _ = averages(3, ema_momentum=0.999)
    assert found == pytest.approx([-1, second, third], rel=1e-5)


def test_the_momentum_stops_at_the_highest():
    found, _ = averages(12, ema_momentum=0.5)
    # From step 8 on (from 0) the momentum is 9/18 and stays there.
    for step in range(8, 12):
        half = (found[step - 1] - (step + 1)) / 2
        assert found[step] == pytest.approx(half, rel=1e-5)
    assert found[7] == pytest.approx((8 * found[6] - 9 * 8) / 17, rel=1e-5)


def test_the_momentum_of_a_step_is_spread_over_its_batches():
    found, weight = averages(4, ema_momentum=0.999, accumulation_steps=2)
    assert weight.numpy() == pytest.approx([-2])
    # Weights 0, -1, -1, -2: momenta 0, 0, then the root of 2/11.
    momentum = (2 / 11) ** 0.5
    last = -momentum - (1 - momentum) * 2
    assert found == pytest.approx([0, -1, -1, last], rel=1e-5)


def test_without_an_average_the_optimizer_is_that_of_keras():
    optimizer = make_optimizer(Recipe.from_dict(config()))
    assert type(optimizer) is keras.optimizers.Adam
    assert not optimizer.use_ema
