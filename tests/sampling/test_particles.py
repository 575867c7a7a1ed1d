import numpy as np
import pytest
from keras import ops

from keras_pixel.sampling.particles import _normalise
from keras_pixel.sampling.particles import systematic
from tests.support.tiny import all_completions
from tests.support.tiny import tiny_model

# Unknown pixels before, between and after known ones.
MASKS = {
    "pixelcnn": np.array([[0, 1, 0], [0, 1, 1]], bool),
    "gated": np.array([[0, 1], [0, 1]], bool),
}
# Known levels that say much of what the unknown ones before them are.
IMAGES = {
    "pixelcnn": np.zeros((2, 3, 1), int),
    "gated": np.array([[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [1, 0, 1]]]),
}
SEEDS = {"pixelcnn": 53, "gated": 10}
MANY = 1024


@pytest.fixture(scope="module")
def models():
    return {kind: tiny_model(kind, 1.0, SEEDS[kind]) for kind in SEEDS}


@pytest.fixture(scope="module")
def pixelcnn(models):
    return models["pixelcnn"]


@pytest.mark.parametrize("kind", sorted(MASKS))
def test_estimate_and_particles_are_right(models, kind):
    model, mask, image = models[kind], MASKS[kind], IMAGES[kind]
    every = all_completions(image, mask)
    joint = np.exp(model.log_prob(every).astype("float64"))
    # Many runs with few particles: the probability itself is unbiased.
    found = model.particles(
        np.repeat(image[None], MANY, axis=0),
        mask,
        num_particles=4,
        seed=0,
        batch_size=1024,
    )
    estimates = np.exp(found.log_prob_known)
    error = estimates.std() / np.sqrt(MANY)
    assert 0 < error < 0.05 * joint.sum()
    assert abs(estimates.mean() - joint.sum()) < 4 * error
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=1e-5)
    # One run with many: weights follow the distribution given all known.
    noise = np.random.default_rng(1).random((1, MANY + 1, *image.shape))
    found = model.particles(image[None], mask, num_particles=MANY, noise=noise)
    assert np.exp(found.log_prob_known[0]) == pytest.approx(
        joint.sum(), rel=0.1
    )
    same = (every[:, None] == found.images[0]).all(axis=(2, 3, 4))
    estimate = same @ found.weights[0]  # (completions,)
    assert estimate.sum() == pytest.approx(1.0, abs=1e-4)
    distance = np.abs(estimate - joint / joint.sum()).sum() / 2
    assert distance < 0.08
    # Here ancestral completion, which does not look ahead, is far off.
    blind = model.complete(
        np.repeat(image[None], MANY, axis=0),
        mask,
        noise=noise[0, :-1],
        batch_size=256,
    )
    same = (every[:, None] == blind).all(axis=(2, 3, 4)).mean(axis=1)
    assert np.abs(same - joint / joint.sum()).sum() / 2 > 2 * distance
    # It drew the first pixels of the same particles; some were dropped.
    assert (blind[:, 0, 0] != found.images[0, :, 0, 0]).any()


def test_one_particle_is_ancestral_completion(pixelcnn):
    mask = MASKS["pixelcnn"]
    random = np.random.default_rng(0)
    images = random.integers(2, size=(3, 2, 3, 1))
    noise = random.random((3, 2, 2, 3, 1), dtype="float32")
    completed = pixelcnn.complete(images, mask, num_particles=1, noise=noise)
    expected = pixelcnn.complete(images, mask, noise=noise[:, 0])
    np.testing.assert_array_equal(completed, expected)


def test_log_prob_of_a_prefix_is_exact(pixelcnn):
    images = np.random.default_rng(1).integers(2, size=(3, 2, 3, 1))
    mask = np.array([[1, 1, 1], [1, 0, 0]], bool)
    found = pixelcnn.particles(images, mask, num_particles=4, seed=0)
    np.testing.assert_allclose(found.weights, 0.25, atol=1e-6)
    expected = []
    for image in images:
        log_prob = pixelcnn.log_prob(all_completions(image, mask))
        expected.append(np.log(np.exp(log_prob).sum()))
    np.testing.assert_allclose(found.log_prob_known, expected, atol=1e-5)
    # The chain rule: p(image) = p(known) p(unknown | known).
    bits = pixelcnn.conditional_bits_per_dim(images, mask)
    np.testing.assert_allclose(
        -bits * 2 * np.log(2),
        pixelcnn.log_prob(images) - expected,
        atol=1e-5,
    )
    found = pixelcnn.particles(images, mask | True, num_particles=4, seed=0)
    np.testing.assert_allclose(
        found.log_prob_known, pixelcnn.log_prob(images), atol=1e-5
    )


@pytest.mark.graphs
def test_completions_fit_and_repeat(pixelcnn):
    mask = MASKS["pixelcnn"]
    images = np.random.default_rng(2).integers(2, size=(3, 2, 3, 1))
    options = {"num_particles": 4, "num_variants": 3, "seed": 3}
    completed = pixelcnn.complete(images, mask, **options)
    assert completed.shape == (3, 3, 2, 3, 1)
    assert completed.dtype == np.uint8
    known = np.broadcast_to(images[:, None], completed.shape)[:, :, mask]
    np.testing.assert_array_equal(completed[:, :, mask], known)
    again = pixelcnn.complete(images, mask, batch_size=4, **options)
    np.testing.assert_array_equal(completed, again)
    none = pixelcnn.complete(images[:0], mask, **options)
    assert none.shape == (0, 3, 2, 3, 1)


def test_conditional_bits_per_dim_of_nothing_known(pixelcnn):
    images = np.random.default_rng(4).integers(2, size=(2, 2, 3, 1))
    bits = pixelcnn.conditional_bits_per_dim(images, np.zeros((2, 3), bool))
    np.testing.assert_allclose(bits, pixelcnn.bits_per_dim(images), atol=1e-5)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            [[1, 1, 1], [0, 1, 0]],
            r"prefix in raster order.*pixel \(1, 0\) unknown and pixel "
            r"\(1, 1\) after it known",
        ),
        ([[1, 1, 1], [1, 1, 1]], "at least one pixel unknown"),
    ],
)
def test_conditional_bits_per_dim_refuses(pixelcnn, mask, message):
    images = np.zeros((1, 2, 3, 1), int)
    with pytest.raises(ValueError, match=message):
        pixelcnn.conditional_bits_per_dim(images, np.array(mask, bool))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"num_particles": 0},
            "`num_particles` must be an integer of at least 1",
        ),
        (
            {"num_variants": 0},
            "`num_variants` must be an integer of at least 1",
        ),
        ({"method": "naive"}, "`method` must be left out"),
        ({"noise": np.zeros((1, 2, 3, 1))}, "num_particles [+] 1, height"),
        ({"temperature": 0.0}, "`temperature` must be above 0"),
        ({"batch_size": 0}, "`batch_size` must be an integer of at least 1"),
    ],
)
def test_bad_arguments(pixelcnn, arguments, message):
    arguments = {"num_particles": 4, **arguments}
    with pytest.raises(ValueError, match=message):
        pixelcnn.complete(
            np.zeros((1, 2, 3, 1), int), MASKS["pixelcnn"], **arguments
        )


def test_systematic_draws_by_weight():
    weights = np.array([[1, 0, 2, 1, 0]], "float32")
    for noise in (0.0, 0.3):
        drawn = systematic(np, weights, np.array([noise], "float32"), 8)
        counts = np.bincount(drawn[0], minlength=5)
        np.testing.assert_array_equal(counts, [2, 0, 4, 2, 0])
    # Rounding up to the very end finds no index without weight either.
    largest = np.nextafter(np.float32(1), np.float32(0))
    drawn = systematic(np, weights, np.array([largest]), 8)
    assert set(drawn[0]) == {0, 2, 3}


def test_impossible_known_pixels_leave_equal_weights():
    log_weights = np.array([[-np.inf, -np.inf], [0.0, -np.inf]], "float32")
    weights, mean = _normalise(ops.convert_to_tensor(log_weights))
    np.testing.assert_allclose(mean, [-np.inf, -np.log(2)], atol=1e-6)
    np.testing.assert_allclose(
        weights, [[0, 0], [np.log(2), -np.inf]], atol=1e-6
    )
