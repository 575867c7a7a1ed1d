"""The Gaussian policy of the examples, by hand."""

import math

import numpy as np

from examples import policies


def test_gaussian_loss():
    gaussian = policies.GaussianPolicy(4, (-1.0, 0.2), (1.0, 0.35), units=4)
    # Scaled to 0 and 1; means 0 and 0; standard deviations 1 and 2.
    action = np.array([[0.0, 0.35]], "float32")
    parameters = np.array([[0.0, 0.0, 0.0, math.log(2)]], "float32")
    nats = gaussian.loss(action, parameters)
    expected = math.log(2 * math.pi) + math.log(2) + 1 / 8
    np.testing.assert_allclose(nats, [expected], rtol=1e-5)
    error = gaussian.squared_error(action, parameters)
    np.testing.assert_allclose(error, [1.0], rtol=1e-5)


def test_gaussian_draws_about_its_mean_and_within_bounds():
    gaussian = policies.GaussianPolicy(3, (-2.0,), (2.0,), units=4)
    *_, bias = gaussian.model.weights
    gaussian.model.layers[-1].kernel.assign(np.zeros((8, 2)))
    bias.assign([0.5, math.log(0.1)])  # scaled: 1.0, give or take 0.2
    seen = np.zeros((400, 3), "float32")
    np.testing.assert_allclose(gaussian.act_mean(seen), 1.0)
    drawn = gaussian.act(seen, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(), 1.0, atol=0.05)
    np.testing.assert_allclose(drawn.std(), 0.2, atol=0.05)
    bias.assign([3.0, 0.0])
    assert gaussian.act(seen, np.random.default_rng(0)).max() == 2.0
