"""The discretised normal against plain Python in float64."""

import math

import keras
import numpy as np
import pytest

from keras_pixel.distributions import DiscretizedNormal

NUM_LEVELS = [2, 3, 16, 255, 256]


def tail(x):
    return 0.5 * math.erfc(x / math.sqrt(2.0))


def mass(low, high):
    """Of a standard normal, by the smaller tails."""
    if low > 0:
        return tail(low) - tail(high)
    return tail(-high) - tail(-low)


def probabilities(parameters, num_levels, floor=0.001):
    edges = (np.arange(num_levels - 1) + 0.5) * 2 / (num_levels - 1) - 1
    edges = np.concatenate([[-np.inf], edges, [np.inf]])
    rows = []
    for mean, log_scale in parameters.astype("float64"):
        at = (edges - mean) / math.exp(min(max(log_scale, -7), 2))
        rows.append([mass(*pair) for pair in zip(at, at[1:], strict=False)])
    return (1 - floor) * np.array(rows) + floor / num_levels


def random_parameters(count=40, seed=0):
    random = np.random.default_rng(seed)
    means, log_scales = random.normal(size=count), random.uniform(-7, 2, count)
    return np.stack([means, log_scales], axis=-1).astype("float32")


def every_log_prob(normal, parameters):
    """Of each level: `(rows, num_levels)`."""
    shape = (len(parameters), normal.num_levels)
    levels = np.broadcast_to(np.arange(normal.num_levels), shape)
    each = np.broadcast_to(parameters[:, None], (*shape, 2))
    return np.asarray(normal.log_prob(each, levels))


def test_masses_by_hand():
    # Three levels -1, 0, 1, edges at -0.5 and 0.5: the middle one has 38.3%
    # of a standard normal.
    normal = DiscretizedNormal(3, floor=0.0)
    found = np.exp(every_log_prob(normal, np.zeros((1, 2), "float32")))
    expected = [[0.3085375, 0.3829249, 0.3085375]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("num_levels", NUM_LEVELS)
def test_log_prob_against_float64(num_levels):
    normal = DiscretizedNormal(num_levels)
    parameters = random_parameters()
    expected = np.log(probabilities(parameters, num_levels))
    found = every_log_prob(normal, parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-4)
    levels = np.asarray(normal.level_log_probs(parameters))
    np.testing.assert_allclose(levels, found, rtol=1e-5, atol=1e-5)


def test_tails_have_all_their_digits():
    # Ten and twelve standard deviations off, where 1 - erf has none left.
    normal = DiscretizedNormal(256, floor=0.0)
    width = 2 / 255
    for sigmas in (5.0, 10.0, 12.0):
        scale = (100 * width) / sigmas
        parameters = np.float32([[-1.0, math.log(scale)]])
        found = np.asarray(normal.log_prob(parameters, np.array([100])))
        low, high = (99.5 * width / scale, 100.5 * width / scale)
        expected = math.log(tail(low) - tail(high))
        assert found[0] == pytest.approx(expected, rel=1e-5)


EXTREME = {
    "narrow": (0.1, -50.0),
    "flat": (0.1, 50.0),
    "far above": (1e6, -3.0),
    "far below": (-1e6, -7.0),
    "just outside": (1.5, -7.0),
    "on a level": (-1.0, -7.0),
}


@pytest.mark.parametrize("num_levels", [2, 256])
@pytest.mark.parametrize("case", EXTREME)
@pytest.mark.parametrize("floor", [0.0, 0.001])
def test_extreme_parameters(case, num_levels, floor):
    normal = DiscretizedNormal(num_levels, floor=floor)
    parameters = np.float32([EXTREME[case]])
    found = every_log_prob(normal, parameters).astype("float64")
    assert np.isfinite(found).all()
    expected = probabilities(parameters, num_levels, floor)
    np.testing.assert_allclose(np.exp(found), expected, rtol=2e-3, atol=1e-30)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-5)
    if floor:
        assert found.min() >= np.log(floor / num_levels) - 1e-4


@pytest.mark.parametrize("num_levels", NUM_LEVELS)
def test_probabilities_sum_to_one(num_levels):
    normal = DiscretizedNormal(num_levels)
    total = np.exp(normal.level_log_probs(random_parameters(200))).sum(axis=-1)
    np.testing.assert_allclose(total, 1.0, atol=1e-5)


def test_sample_is_the_inverse_cdf():
    normal = DiscretizedNormal(16)
    parameters = random_parameters(500)
    noise = np.random.default_rng(1).random(500, dtype="float32")
    ends = np.cumsum(probabilities(parameters, 16), axis=-1)
    levels = np.asarray(normal.sample_from_noise(parameters, noise))
    assert (levels >= (ends <= noise[:, None] - 1e-5).sum(axis=-1)).all()
    assert (levels <= (ends <= noise[:, None] + 1e-5).sum(axis=-1)).all()


def test_options_are_those_of_the_level_probabilities():
    normal = DiscretizedNormal(16)
    parameters = random_parameters(100)
    noise = np.random.default_rng(1).random(100, dtype="float32")
    best = np.argmax(normal.level_log_probs(parameters), axis=-1)
    levels = normal.sample_from_noise(parameters, noise, top_k=np.int32([1]))
    assert (np.asarray(levels) == best).all()


def test_entropy_against_float64():
    normal = DiscretizedNormal(64)
    parameters = random_parameters()
    probs = probabilities(parameters, 64)
    expected = -(probs * np.log(probs)).sum(axis=-1)
    found = normal.entropy(parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_tfp_object_says_the_same():
    pytest.importorskip("tensorflow_probability")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TFP works on TensorFlow's tensors")
    normal = DiscretizedNormal(16)
    parameters = random_parameters(24).reshape(2, 2, 3, 2, 2)
    images = np.random.default_rng(0).integers(16, size=(2, 2, 3, 2))
    log_prob = np.asarray(normal.log_prob(parameters, images))
    np.testing.assert_allclose(
        normal.tfp(parameters).log_prob(images),
        log_prob.sum(axis=(1, 2, 3)),
        rtol=1e-4,
    )


def test_comes_back_from_its_config():
    normal = DiscretizedNormal(16, floor=0.01)
    again = DiscretizedNormal.from_config(normal.get_config())
    assert again.get_config() == {"num_levels": 16, "floor": 0.01}
    assert again.num_parameters == 2


def test_floor_out_of_range_is_refused():
    with pytest.raises(ValueError, match="`floor` must be a number of at"):
        DiscretizedNormal(16, floor=1.0)
