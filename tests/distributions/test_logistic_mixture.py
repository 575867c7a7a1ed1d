"""The mixture of logistics against plain NumPy in float64."""

import keras
import numpy as np
import pytest

from keras_pixel.distributions import LogisticMixture

LAST = np.float32(1 - 2**-24)  # the largest noise there is
NUM_LEVELS = [2, 3, 4, 5, 100, 255, 256]


def random_parameters(num_mixtures, count=50, seed=0, spread=1.0):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2 * spread, (count, num_mixtures))
    means = random.normal(0, 0.7 * spread, (count, num_mixtures))
    log_scales = random.uniform(-6, 1, (count, num_mixtures))
    return np.concatenate([logits, means, log_scales], -1).astype("float32")


def sigmoid(x):
    # Of both signs without overflow.
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def numpy_probabilities(parameters, num_levels, floor=0.001):
    """Of every level, by differences of the cumulative function.

    Where both ends lie above the mean, of the upper tails: float64 has no
    digits left next to 1.
    """
    logits, means, log_scales = np.split(
        parameters.astype("float64")[..., None, :], 3, axis=-1
    )
    log_scales = np.clip(log_scales, -7, 7)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    edges = (np.arange(num_levels - 1) + 0.5) * 2 / (num_levels - 1) - 1
    edges = np.concatenate([[-np.inf], edges, [np.inf]])[:, None]
    low = (edges[:-1] - means) / np.exp(log_scales)
    high = (edges[1:] - means) / np.exp(log_scales)
    masses = np.where(
        low > 0,
        sigmoid(-low) - sigmoid(-high),
        sigmoid(high) - sigmoid(low),
    )
    mixed = (weights * masses).sum(axis=-1)
    return (1 - floor) * mixed + floor / num_levels


def every_log_prob(mixture, parameters):
    """Of each level: `(rows, num_levels)`."""
    shape = (len(parameters), mixture.num_levels)
    levels = np.broadcast_to(np.arange(mixture.num_levels), shape)
    each = np.repeat(parameters[:, None], mixture.num_levels, axis=1)
    return np.asarray(mixture.log_prob(each, levels))


def test_masses_by_hand():
    # One logistic in the middle of three levels -1, 0, 1, of scale 1: the
    # edges are at -0.5 and 0.5.
    mixture = LogisticMixture(3, num_mixtures=1, floor=0.0)
    found = np.exp(every_log_prob(mixture, np.zeros((1, 3), "float32")))
    side = 1 / (1 + np.exp(0.5))
    np.testing.assert_allclose(found, [[side, 1 - 2 * side, side]], rtol=1e-6)


@pytest.mark.parametrize("num_levels", NUM_LEVELS)
@pytest.mark.parametrize("num_mixtures", [1, 5])
def test_log_prob_against_numpy(num_levels, num_mixtures):
    mixture = LogisticMixture(num_levels, num_mixtures)
    parameters = random_parameters(num_mixtures)
    expected = np.log(numpy_probabilities(parameters, num_levels))
    found = every_log_prob(mixture, parameters)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)
    # Of sub-pixels in a row, and of those of images: two ways to add up.
    for shape in ((50,), (5, 2, 5)):
        levels = mixture.level_log_probs(parameters.reshape(*shape, -1))
        np.testing.assert_allclose(
            np.reshape(levels, found.shape), found, rtol=1e-5, atol=1e-5
        )


EXTREME = {
    "narrow": (0.0, 0.1, -50.0),
    "flat": (0.0, 0.1, 50.0),
    "far above": (0.0, 1e6, -3.0),
    "far below": (0.0, -1e6, -7.0),
    "just outside": (0.0, 1.5, -7.0),
    "huge logit": (1e8, 0.0, -2.0),
}


@pytest.mark.parametrize("num_levels", [2, 256])
@pytest.mark.parametrize("case", EXTREME)
@pytest.mark.parametrize("floor", [0.0, 0.001])
def test_extreme_parameters(case, num_levels, floor):
    mixture = LogisticMixture(num_levels, num_mixtures=2, floor=floor)
    logit, mean, log_scale = EXTREME[case]
    parameters = np.float32([[logit, 0, mean, mean, log_scale, log_scale]])
    found = every_log_prob(mixture, parameters).astype("float64")
    assert np.isfinite(found).all()
    expected = numpy_probabilities(parameters, num_levels, floor)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-3, atol=1e-30)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-5)
    if floor:
        # What bounds the loss.
        assert found.min() >= np.log(floor / num_levels) - 1e-4


@pytest.mark.parametrize("num_levels", NUM_LEVELS)
def test_probabilities_sum_to_one(num_levels):
    mixture = LogisticMixture(num_levels, num_mixtures=5)
    parameters = random_parameters(5, 200, spread=3.0)
    total = np.exp(mixture.level_log_probs(parameters)).sum(axis=-1)
    np.testing.assert_allclose(total, 1.0, atol=1e-5)


def test_gradients_are_finite_everywhere():
    tf = pytest.importorskip("tensorflow")
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes gradients with TensorFlow")
    mixture = LogisticMixture(256, num_mixtures=2)
    rows = [
        [logit, 0, mean, mean, log_scale, log_scale]
        for logit, mean, log_scale in EXTREME.values()
    ]
    parameters = tf.constant(rows, "float32")
    for level in (0, 1, 128, 255):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            log_prob = mixture.log_prob(parameters, tf.fill([len(rows)], level))
        gradient = tape.gradient(log_prob, parameters)
        assert np.isfinite(gradient).all()
        # Far off, the floor holds and nothing is pulled at.
        assert np.abs(gradient).max() < 2000


@pytest.mark.parametrize("num_levels", NUM_LEVELS)
def test_sample_is_the_inverse_cdf(num_levels):
    mixture = LogisticMixture(num_levels, num_mixtures=5)
    parameters = random_parameters(5, 2000)
    noise = np.random.default_rng(1).random(2000, dtype="float32")
    ends = np.cumsum(numpy_probabilities(parameters, num_levels), axis=-1)
    low = (ends <= noise[:, None] - 1e-5).sum(axis=-1)
    high = (ends[:, :-1] <= noise[:, None] + 1e-5).sum(axis=-1)
    for options in ({}, {"temperature": np.float32([1.0])}):
        levels = np.asarray(
            mixture.sample_from_noise(parameters, noise, **options)
        )
        assert ((low <= levels) & (levels <= high)).all()
    assert (low == high).mean() > 0.98


@pytest.mark.parametrize("num_levels", NUM_LEVELS)
def test_extremes_of_noise_give_the_extreme_levels(num_levels):
    mixture = LogisticMixture(num_levels, num_mixtures=3)
    parameters = random_parameters(3, 20)
    lowest = mixture.sample_from_noise(parameters, np.zeros(20, "float32"))
    assert np.asarray(lowest).tolist() == [0] * 20
    highest = mixture.sample_from_noise(parameters, np.full(20, LAST))
    assert (np.asarray(highest) == num_levels - 1).all()


def test_options_are_those_of_the_level_probabilities():
    mixture = LogisticMixture(16, num_mixtures=3)
    parameters = random_parameters(3, 100)
    noise = np.random.default_rng(1).random(100, dtype="float32")
    best = np.argmax(mixture.level_log_probs(parameters), axis=-1)
    levels = mixture.sample_from_noise(parameters, noise, top_k=np.int32([1]))
    assert (np.asarray(levels) == best).all()
    levels = mixture.sample_from_noise(
        parameters, noise, temperature=np.float32([0.01])
    )
    assert (np.asarray(levels) == best).mean() > 0.95


def test_logits_of_the_levels_are_their_log_probabilities():
    mixture = LogisticMixture(16, num_mixtures=3)
    parameters = random_parameters(3)
    np.testing.assert_array_equal(
        mixture.level_logits(parameters), mixture.level_log_probs(parameters)
    )


def test_entropy_against_numpy():
    mixture = LogisticMixture(64, num_mixtures=4)
    parameters = random_parameters(4)
    probs = numpy_probabilities(parameters, 64)
    expected = -(probs * np.log(probs)).sum(axis=-1)
    found = mixture.entropy(parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_tfp_object_says_the_same():
    pytest.importorskip("tensorflow_probability")
    mixture = LogisticMixture(16, num_mixtures=2)
    parameters = random_parameters(2, 2 * 12).reshape(2, 2, 3, 2, 6)
    images = np.random.default_rng(0).integers(16, size=(2, 2, 3, 2))
    tfp_object = mixture.tfp(parameters)
    assert tfp_object.batch_shape == (2,)
    assert tfp_object.event_shape == (2, 3, 2)
    log_prob = np.asarray(mixture.log_prob(parameters, images))
    np.testing.assert_allclose(
        tfp_object.log_prob(images), log_prob.sum(axis=(1, 2, 3)), rtol=1e-5
    )


def test_comes_back_from_its_config():
    mixture = LogisticMixture(16, num_mixtures=2, floor=0.01)
    again = LogisticMixture.from_config(mixture.get_config())
    assert again.get_config() == mixture.get_config()
    assert again.num_parameters == 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_mixtures": 0}, "`num_mixtures` must be"),
        ({"num_mixtures": 2.0}, "num_mixtures=2.0"),
        ({"floor": 1.0}, "`floor` must be at least 0 and below 1"),
        ({"floor": -0.1}, "floor=-0.1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        LogisticMixture(16, **arguments)


@pytest.mark.parametrize("shape", [(12,), (3, 4)])
def test_gradients_of_all_levels_are_those_of_each(shape):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes gradients with TensorFlow")
    import tensorflow as tf

    mixture = LogisticMixture(num_levels=5, num_mixtures=2)
    random = np.random.default_rng(0)
    parameters = tf.constant(random.normal(size=(*shape, 6)), "float32")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(parameters)
        together = mixture.level_log_probs(parameters)
        each = [
            mixture.log_prob(parameters, np.full(shape, level))
            for level in range(5)
        ]
        each = tf.stack(each, axis=-1)
    np.testing.assert_allclose(together, each, atol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(together, parameters),
        tape.gradient(each, parameters),
        atol=1e-5,
    )


def test_gradient_is_the_slope():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes gradients with TensorFlow")
    import tensorflow as tf

    mixture = LogisticMixture(num_levels=5, num_mixtures=2)
    random = np.random.default_rng(0)
    parameters = random.normal(size=(5, 6)).astype("float32")
    levels = np.arange(5)
    found = tf.constant(parameters)
    with tf.GradientTape() as tape:
        tape.watch(found)
        total = tf.reduce_sum(mixture.log_prob(found, levels))
    gradient = tape.gradient(total, found).numpy()
    step = 1e-2
    for k in range(6):
        move = step * np.eye(6, dtype="float32")[k]
        above = mixture.log_prob(parameters + move, levels)
        below = mixture.log_prob(parameters - move, levels)
        slope = (np.asarray(above) - np.asarray(below)) / (2 * step)
        np.testing.assert_allclose(gradient[:, k], slope, atol=2e-3)
