"""The categorical distribution against plain NumPy."""

import numpy as np
import pytest

from keras_pixel.distributions import Categorical
from keras_pixel.distributions import categorical

LAST = np.float32(1 - 2**-24)  # the largest noise there is
NUM_LEVELS = [2, 3, 4, 15, 16, 17, 32, 100, 255, 256]


def random_logits(num_levels, count=200, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0, 2, (count, num_levels)).astype("float32")


def probabilities(logits, temperature=1.0):
    logits = logits.astype("float64") / temperature
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def assert_inverse_cdf(levels, probs, noise):
    """`levels` are those of a plain inverse CDF, rounding errors apart."""
    ends = np.cumsum(probs, axis=-1)
    noise = noise[..., None].astype("float64")
    low = (ends <= noise - 1e-5).sum(axis=-1)
    high = (ends <= noise + 1e-5).sum(axis=-1)
    high = np.minimum(high, last_possible(probs))
    assert ((low <= levels) & (levels <= high)).all()
    assert (np.take_along_axis(probs, levels[..., None], -1) > 0).all()
    # Rounding decides in few places.
    assert (low == high).mean() > 0.98


def last_possible(probs):
    return probs.shape[-1] - 1 - np.argmax(probs[..., ::-1] > 0, axis=-1)


def draw(logits, noise, **options):
    levels = Categorical(logits.shape[-1]).sample_from_noise(
        logits, noise, **options
    )
    return np.asarray(levels)


@pytest.mark.parametrize(
    ("noise", "level"),
    [(0.0, 0), (0.2, 0), (0.25, 1), (0.49, 1), (0.5, 3), (0.9, 3), (LAST, 3)],
)
def test_levels_by_hand(noise, level):
    # Probabilities 1/4, 1/4, 0, 1/2.
    logits = np.log([[1.0, 1.0, 1e-30, 2.0]]).astype("float32")
    assert draw(logits, np.float32([noise])).tolist() == [level]


@pytest.mark.parametrize("num_levels", NUM_LEVELS)
def test_sample_is_the_inverse_cdf(num_levels):
    logits = random_logits(num_levels)
    noise = np.random.default_rng(1).random(len(logits), dtype="float32")
    assert_inverse_cdf(draw(logits, noise), probabilities(logits), noise)


@pytest.mark.parametrize("num_levels", NUM_LEVELS)
def test_extremes_of_noise_stay_among_possible_levels(num_levels):
    logits = random_logits(num_levels)
    first, last = num_levels // 3, num_levels - 1 - num_levels // 3
    logits[:, :first] = -np.inf
    logits[:, last + 1 :] = -np.inf
    lowest = draw(logits, np.zeros(len(logits), "float32"))
    assert (lowest == first).all()
    highest = draw(logits, np.full(len(logits), LAST))
    assert (highest <= last).all()
    # Levels that are less probable than rounding errors may be passed over.
    tail = np.cumsum(probabilities(logits)[:, ::-1], axis=-1)[:, ::-1]
    above = np.take_along_axis(
        np.pad(tail, ((0, 0), (0, 1))), highest[:, None] + 1, axis=1
    )
    assert (above < 1e-5).all()


@pytest.mark.parametrize("num_levels", [2, 16, 17, 256])
def test_one_certain_level_is_always_drawn(num_levels):
    noise = np.float32([0.0, 1e-30, 0.5, LAST])
    for level in {0, num_levels // 2, num_levels - 1}:
        logits = np.full((4, num_levels), -200.0, "float32")
        logits[:, level] = 300.0
        assert draw(logits, noise).tolist() == [level] * 4


def test_two_step_search_is_the_running_sum():
    # 256 levels are searched in blocks of 16; 255 and one impossible level
    # in one step.
    logits = random_logits(255, 2000)
    noise = np.random.default_rng(1).random(len(logits), dtype="float32")
    padded = np.pad(logits, ((0, 0), (0, 1)), constant_values=-np.inf)
    same = draw(padded, noise) == draw(logits, noise)
    assert same.mean() > 0.998


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_divides_the_logits(temperature):
    logits = random_logits(8)
    noise = np.random.default_rng(1).random(len(logits), dtype="float32")
    levels = draw(logits, noise, temperature=np.float32([temperature]))
    assert_inverse_cdf(levels, probabilities(logits, temperature), noise)


def numpy_top_k(probs, top_k):
    kept = np.zeros_like(probs)
    for row, out in zip(probs, kept, strict=True):
        best = np.argsort(-row, kind="stable")[:top_k]
        out[best] = row[best]
    return kept / kept.sum(axis=-1, keepdims=True)


def numpy_top_p(probs, top_p):
    kept = np.zeros_like(probs)
    for row, out in zip(probs, kept, strict=True):
        total = 0.0
        for level in np.argsort(-row, kind="stable"):
            if total >= top_p:
                break
            out[level] = row[level]
            total += row[level]
    return kept / kept.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("num_levels", [5, 256])
@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_top_k(num_levels, top_k):
    logits = random_logits(num_levels)
    noise = np.random.default_rng(1).random(len(logits), dtype="float32")
    levels = draw(logits, noise, top_k=np.int32([top_k]))
    expected = numpy_top_k(probabilities(logits), top_k)
    assert_inverse_cdf(levels, expected, noise)


@pytest.mark.parametrize("num_levels", [5, 256])
@pytest.mark.parametrize("top_p", [0.05, 0.6, 0.95])
def test_top_p(num_levels, top_p):
    logits = random_logits(num_levels)
    noise = np.random.default_rng(1).random(len(logits), dtype="float32")
    levels = draw(logits, noise, top_p=np.float32([top_p]))
    expected = numpy_top_p(probabilities(logits), top_p)
    assert_inverse_cdf(levels, expected, noise)


def test_options_that_leave_all_in_change_nothing():
    logits = random_logits(16)
    noise = np.random.default_rng(1).random(len(logits), dtype="float32")
    found = draw(
        logits,
        noise,
        temperature=np.float32([1]),
        top_k=np.int32([16]),
        top_p=np.float32([1]),
    )
    assert (found == draw(logits, noise)).all()


def test_options_may_differ_by_image():
    logits = random_logits(4, 1).repeat(3, axis=0)
    noise = np.full(3, LAST)
    levels = draw(logits, noise, top_k=np.int32([1, 2, 4]))
    order = np.argsort(-logits[0])
    expected = [order[0], max(order[:2]), 3]
    assert levels.tolist() == expected


def test_levels_that_tie_are_kept_together():
    logits = np.zeros((1, 4), "float32")
    levels = draw(logits, np.float32([0.99]), top_k=np.int32([1]))
    assert levels.tolist() == [3]


@pytest.mark.parametrize("num_levels", [2, 256])
def test_log_prob_against_numpy(num_levels):
    logits = random_logits(num_levels)
    levels = np.random.default_rng(1).integers(num_levels, size=len(logits))
    found = Categorical(num_levels).log_prob(logits, levels.astype("uint8"))
    expected = np.log(probabilities(logits))[range(len(logits)), levels]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_log_prob_of_huge_logits_is_finite():
    logits = np.array([[0.0, 1e4]], "float32")
    found = Categorical(2).log_prob(logits, np.array([0]))
    assert float(found[0]) == -1e4


@pytest.mark.parametrize("num_levels", [2, 256])
def test_entropy_against_numpy(num_levels):
    logits = random_logits(num_levels)
    probs = probabilities(logits)
    expected = -(probs * np.log(probs)).sum(axis=-1)
    found = Categorical(num_levels).entropy(logits)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_entropy_of_uniform_and_certain():
    logits = np.array([[0, 0, 0, 0], [0, -np.inf, -np.inf, -np.inf]], "float32")
    found = np.asarray(Categorical(4).entropy(logits))
    np.testing.assert_allclose(found, [np.log(4), 0], atol=1e-6)


def test_tfp_object_says_the_same():
    pytest.importorskip("tensorflow_probability")
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 3, 4, 3, 5)).astype("float32")
    images = random.integers(5, size=(2, 3, 4, 3))
    categorical = Categorical(5)
    tfp_object = categorical.tfp(logits)
    assert tfp_object.batch_shape == (2,)
    assert tfp_object.event_shape == (3, 4, 3)
    log_prob = np.asarray(categorical.log_prob(logits, images))
    np.testing.assert_allclose(
        tfp_object.log_prob(images), log_prob.sum(axis=(1, 2, 3)), rtol=1e-5
    )
    entropy = np.asarray(categorical.entropy(logits))
    np.testing.assert_allclose(
        tfp_object.entropy(), entropy.sum(axis=(1, 2, 3)), rtol=1e-5
    )


@pytest.mark.parametrize("num_levels", [144, 256])
def test_level_of_probability_0_is_never_drawn(num_levels):
    # Noise within rounding of every border between levels, half of which are
    # impossible.
    random = np.random.default_rng(0)
    logits = random_logits(num_levels, 16)
    logits[random.random(logits.shape) < 0.5] = -np.inf
    probs = probabilities(logits)
    ends = np.cumsum(probs, axis=-1).astype("float32")[..., None]
    steps = np.arange(-4, 5, dtype="float32") * np.float32(2**-25)
    noise = np.clip(ends + steps, 0, LAST)  # (rows, levels, steps)
    noise = noise.reshape(len(logits), -1)
    levels = draw(np.repeat(logits[:, None], noise.shape[1], axis=1), noise)
    assert (np.take_along_axis(probs, levels, axis=-1) > 0).all()


def test_target_below_its_block_gives_a_possible_level():
    weights = np.float32([[0, 0, 1, 0, 2, 0]])
    ends = np.cumsum(weights, axis=-1)
    for target, level in ((-1e-7, 2), (0.0, 2), (1.0, 4), (3.0, 4), (9.0, 4)):
        found = categorical._first_above(weights, ends, np.float32([[target]]))
        assert np.asarray(found).tolist() == [level]


@pytest.mark.parametrize("temperature", [1e-45, 1e-38, 1e-10])
def test_tiny_temperature_gives_the_most_probable_level(temperature):
    logits = 100 + random_logits(16)
    noise = np.random.default_rng(1).random(len(logits), dtype="float32")
    levels = draw(logits, noise, temperature=np.float32([temperature]))
    assert (levels == logits.argmax(axis=-1)).all()


def test_entropy_of_nan_is_nan_and_of_one_level_is_0():
    logits = np.float32([[np.nan, 0], [0, -np.inf]])
    found = np.asarray(Categorical(2).entropy(logits))
    assert np.isnan(found[0]) and found[1] == 0


@pytest.mark.parametrize("num_levels", [1, 4.0, True, "4"])
def test_wrong_number_of_levels_is_refused(num_levels):
    with pytest.raises(ValueError, match="`num_levels` must be an integer"):
        Categorical(num_levels)
