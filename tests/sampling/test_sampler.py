"""The samplers' arguments and what comes back, on the naive sampler."""

import keras
import numpy as np
import pytest

from keras_pixel.models import PixelCNN
from keras_pixel.sampling import noise
from keras_pixel.sampling import sampler
from tests.support import catalogue


@pytest.fixture(scope="module")
def model():
    return catalogue.randomize(
        PixelCNN((2, 2, 1), 4, filters=4, num_blocks=1, head_filters=0)
    )


def sample(model, *args, **kwargs):
    return model.sample(*args, method="naive", **kwargs)


def test_seed_makes_noise_and_nothing_else(model):
    images = sample(model, 4, seed=3)
    assert images.shape == (4, 2, 2, 1)
    assert images.dtype == "uint8"
    np.testing.assert_array_equal(sample(model, 4, seed=3), images)
    # The first images are the same whatever the number and the batches.
    np.testing.assert_array_equal(sample(model, 3, seed=3), images[:3])
    np.testing.assert_array_equal(
        sample(model, 4, seed=3, batch_size=3), images
    )


def test_generator_goes_on_as_its_seed_begins(model):
    random = np.random.default_rng(3)
    one, two = sample(model, 4, seed=random), sample(model, 4, seed=random)
    np.testing.assert_array_equal(one, sample(model, 4, seed=3))
    np.testing.assert_array_equal(two, sample(model, 8, seed=3)[4:])


def test_no_images_are_no_images(model):
    assert sample(model, 0).shape == (0, 2, 2, 1)


def test_extreme_noise_gives_lowest_and_highest_levels(model):
    noise = np.zeros((1, 2, 2, 1), "float32")
    assert (sample(model, noise=noise) == 0).all()
    assert (sample(model, noise=noise + np.float32(1 - 2**-24)) == 3).all()


def test_images_come_batch_by_batch(model):
    batches = list(
        model.sampler.stream(4, seed=3, batch_size=3, method="naive")
    )
    assert [len(x) for x in batches] == [3, 1]
    np.testing.assert_array_equal(
        np.concatenate(batches), sample(model, 4, seed=3)
    )


def test_noise_of_a_stream_is_made_batch_by_batch(model, monkeypatch):
    made, make_noise = [], noise.make_noise

    def note(num_images, *args, **kwargs):
        made.append(num_images)
        return make_noise(num_images, *args, **kwargs)

    expected = sample(model, 8, seed=3)
    monkeypatch.setattr(noise, "make_noise", note)
    batches = model.sampler.stream(1000, seed=3, batch_size=4, method="naive")
    np.testing.assert_array_equal(next(batches), expected[:4])
    np.testing.assert_array_equal(next(batches), expected[4:])
    assert made == [4, 4]


def test_variants_of_a_completion_differ_where_unknown(model):
    images = catalogue.levels(model, 2)
    mask = np.array([[True, True], [False, False]])
    variants = model.complete(
        images, mask, num_variants=2, seed=0, method="naive"
    )
    assert variants.shape == (2, 2, 2, 2, 1)
    assert (variants[:, :, 0] == images[:, None, 0]).all()
    assert (variants[:, 0] != variants[:, 1]).any()


def test_unknown_pixels_are_not_looked_at(model):
    images = np.full((1, 2, 2, 1), 99)
    completed = model.complete(
        images, np.zeros((2, 2), bool), seed=0, method="naive"
    )
    assert completed.max() < 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "`num_images` or `noise` must be given"),
        (
            {"num_images": 2, "noise": np.zeros((2, 2, 2, 1))},
            "Leave out `num_images` and `seed`",
        ),
        ({"noise": np.zeros((2, 2, 2, 1)), "seed": 0}, "seed=0"),
        ({"noise": np.zeros((2, 2, 2, 3))}, "`noise` must have the shape"),
        ({"num_images": 1, "method": "fast"}, "`method` must be one of.*fast"),
        ({"num_images": 1, "batch_size": 0}, "`batch_size` must be.*=0"),
        ({"num_images": 1, "temperature": -1}, "`temperature` must be above"),
        ({"num_images": 2, "top_k": [1, 2, 3]}, "each of the 2 images"),
        ({"num_images": 2, "temperature": "a"}, "temperature='a'. Give a nu"),
        ({"num_images": 2, "method": []}, "`method` must be one of"),
        ({"num_images": 2, "seed": -1}, "`seed` must be an integer"),
        ({"num_images": 2, "seed": 1.5}, "`seed` must be an integer"),
        ({"num_images": 2, "batch_size": 1.5}, "`batch_size` must be an int"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_wrong_argument_is_refused(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.sample(**arguments)


def test_arguments_are_checked_before_the_first_batch(model):
    with pytest.raises(ValueError, match="`temperature`"):
        model.sampler.stream(4, temperature=0)


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (np.zeros((1, 2, 2, 1)), TypeError, "must hold integer levels"),
        (np.full((1, 2, 2, 1), 4), ValueError, "levels from 0 to 3"),
        (np.zeros((2, 2, 1), int), ValueError, "`images` must have the shape"),
    ],
    ids=["floats", "range", "shape"],
)
def test_wrong_known_images_are_refused(model, images, error, words):
    with pytest.raises(error, match=words):
        model.complete(images, np.ones((2, 2), bool))


IMAGES = np.zeros((2, 2, 2, 1), int)
NOISE = np.zeros((2, 2, 2, 1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"noise": NOISE, "seed": 0}, "place of a seed. Received: seed=0"),
        (
            {"noise": np.zeros((3, 3, 2, 2, 1)), "seed": 0, "num_particles": 2},
            "place of a seed. Received: seed=0",
        ),
        (
            {"noise": NOISE.reshape(4, 2, 1, 1)},
            r"shape of the result.*shape=\(4, 2, 1, 1\)",
        ),
        ({"noise": NOISE, "num_variants": 2}, r": \(2, 2, 2, 2, 1\). Received"),
        ({"num_variants": 0}, "`num_variants` must be an integer of at least"),
        ({"num_variants": 1.5}, "`num_variants` must be an integer"),
        ({"num_variants": "a"}, "`num_variants` must be an integer"),
        ({"num_particles": 2, "num_variants": -1}, "`num_variants` must be"),
        ({"batch_size": -1}, "`batch_size` must be an integer"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_wrong_argument_of_a_completion_is_refused(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.complete(IMAGES, np.ones((2, 2), bool), **arguments)


def test_noise_and_seed_of_particles_exclude_each_other(model):
    noise = np.zeros((2, 3, 2, 2, 1))
    with pytest.raises(ValueError, match="place of a seed"):
        model.particles(
            IMAGES, np.ones((2, 2)), num_particles=2, noise=noise, seed=0
        )


@pytest.mark.parametrize(
    "draw",
    [
        lambda model, mask: model.sample(1, method="naive"),
        lambda model, mask: model.complete(IMAGES, mask, method="naive"),
        lambda model, mask: model.particles(IMAGES, mask, num_particles=2),
        lambda model, mask: model.beam_search(IMAGES, mask),
    ],
    ids=["sample", "complete", "particles", "beam_search"],
)
def test_weights_that_are_nan_are_named(draw):
    model = PixelCNN((2, 2, 1), 4, filters=4, num_blocks=0, head_filters=0)
    first = model.get_layer("first")
    first.bias.assign(np.full(first.bias.shape, np.nan))
    with pytest.raises(ValueError, match="must be finite.*'first/bias'"):
        draw(model, np.zeros((2, 2), bool))


def test_scores_that_are_nan_are_an_error_that_names_the_weights():
    model = PixelCNN((2, 2, 1), 4, filters=4, num_blocks=0, head_filters=0)
    weights = model.weights[-1]
    weights.assign(np.full(weights.shape, np.nan))
    for reduce in ("images", "sub_pixels"):
        with pytest.raises(ValueError, match="must be finite"):
            model.log_prob(IMAGES, reduce=reduce)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="JAX is always compiled"
)
@pytest.mark.parametrize(
    ("variable", "drawing", "scoring"),
    [("1", True, "auto"), ("0", False, False)],
)
def test_xla_is_left_out_on_request_and_never_added(
    model, monkeypatch, variable, drawing, scoring
):
    asked = []

    def run(key, make_program, inputs, batch_size, jit_compile, **others):
        asked.append(jit_compile)
        return iter([np.zeros(1, "float32")])

    monkeypatch.setenv("KERAS_PIXEL_XLA", variable)
    monkeypatch.setattr(model.sampler, "check_weights", lambda: None)
    monkeypatch.setattr(model.sampler.programs, "run", run)
    image, mask = np.zeros((1, 2, 2, 1), "uint8"), np.zeros((2, 2), bool)
    list(model.sampler.run("drawn", None, {}, 1))
    model.conditional_bits_per_dim(image, mask)
    assert asked == [drawing, scoring]


@pytest.mark.graphs
def test_cores_share_a_batch(model, monkeypatch):
    noise = np.random.default_rng(0).random((7, *model.noise_shape), "float32")
    options = {"temperature": np.linspace(0.5, 2.0, 7)}
    known = noise[..., 0] < 0.5
    drawn = {}
    for threads in (1, 3):
        monkeypatch.setattr(sampler, "num_threads", lambda n=threads: n)
        images = model.sample(noise=noise, **options)
        completed = model.complete(images, known, noise=1 - noise, **options)
        drawn[threads] = images, completed
    np.testing.assert_array_equal(drawn[3], drawn[1])
