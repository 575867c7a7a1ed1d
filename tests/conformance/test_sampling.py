"""Is a sample a function of its noise, whatever way it is drawn?

Each compiled sampler takes seconds to build, so few models are asked and they
are shared; the random graphs of `test_compositions.py` cover the steps.
"""

import numpy as np
import pytest

from keras_pixel import models
from keras_pixel.checks import check_images
from keras_pixel.sampling import schedule
from tests.support import catalogue
from tests.support.catalogue import named

CASES = [
    case
    for case in catalogue.MODELS
    if case.name
    in (
        "pixel_cnn_rgb",
        "gated_pixel_cnn_grey",
        "image_transformer_2d_two_channels",
        "pixel_lstm_embedding_two_channels",
        "pixel_rnn_diagonal_bilstm_two_channels",
    )
]


@pytest.fixture(scope="module", params=CASES, ids=[c.name for c in CASES])
def model(request):
    return request.param.make()


def noise_for(model, count=4):
    random = np.random.default_rng(0)
    return random.random((count, *model.noise_shape), dtype="float32")


def test_same_noise_same_images(model):
    noise = noise_for(model)
    images = model.sample(noise=noise)
    assert images.shape == noise.shape
    assert images.dtype == "uint8"
    check_images(images, model.image_shape, model.num_levels)
    np.testing.assert_array_equal(model.sample(noise=noise), images)
    other = model.sample(noise=noise[::-1].copy())
    np.testing.assert_array_equal(other[::-1], images)


def test_cached_sampler_draws_what_the_naive_one_draws(model):
    noise = noise_for(model)
    np.testing.assert_array_equal(
        model.sample(noise=noise), model.sample(noise=noise, method="naive")
    )


OTHERS = [case for case in catalogue.MODELS if case not in CASES]
ASKED = {case.model_class for case in CASES}


@pytest.mark.parametrize(
    "case",
    **named(
        OTHERS,
        often=[
            case
            for case in catalogue.one_of_each(OTHERS)
            if case.model_class not in ASKED
        ],
    ),
)
def test_all_other_models_are_drawn_as_the_naive_sampler_does(case):
    model = case.make()
    noise = noise_for(model)
    images = model.sample(noise=noise)
    np.testing.assert_array_equal(
        images, model.sample(noise=noise, method="naive")
    )
    known = np.random.default_rng(2).random(images.shape[:3]) < 0.5
    given = catalogue.levels(model, 4, seed=1)
    completed = model.complete(given, known, noise=noise, top_k=2)
    np.testing.assert_array_equal(completed[known], given[known])
    naive = model.complete(given, known, noise=noise, top_k=2, method="naive")
    np.testing.assert_array_equal(completed, naive)


def test_whole_passes_for_a_model_with_a_cache_too():
    model = models.PixelCNN(
        (4, 5, 3), 4, filters=6, num_blocks=2, head_filters=0, lag=1
    )
    catalogue.randomize(model)
    noise = noise_for(model)
    cached = model.sample(noise=noise)
    np.testing.assert_array_equal(
        model.sample(noise=noise, method="naive"), cached
    )


def test_no_cache_is_said_with_a_way_out():
    model = models.PixelCNNPlusPlus(
        (2, 3, 3), 4, filters=4, num_blocks=1, num_mixtures=1
    )
    with pytest.raises(NotImplementedError, match='method="naive"'):
        model.sample(1, method="cached")


def test_images_that_follow_one_another_in_the_lanes(monkeypatch):
    monkeypatch.setenv("KERAS_PIXEL_XLA", "0")  # five programs, run once each
    model = models.WavefrontPixelCNN(
        (5, 7, 3), 4, filters=4, num_mixtures=2, num_resolutions=2
    )
    catalogue.randomize(model)
    noise = noise_for(model, 5)
    alone = model.sample(noise=noise, batch_size=1)
    monkeypatch.setattr(schedule, "_POSITIONS", 4)
    model.sampler.programs.clear()
    options = {"temperature": [0.5, 1.0, 1.5, 1.0, 2.0]}
    stacked = model.sample(noise=noise)
    np.testing.assert_array_equal(stacked, alone)
    np.testing.assert_array_equal(
        model.sample(noise=noise, **options),
        model.sample(noise=noise, method="naive", **options),
    )
    known = np.random.default_rng(0).random((5, 5, 7)) < 0.5
    completed = model.complete(stacked, known, noise=noise[::-1].copy())
    naive = model.complete(
        stacked, known, noise=noise[::-1].copy(), method="naive"
    )
    np.testing.assert_array_equal(completed, naive)


def test_levels_are_those_of_the_inverse_cdf_given_the_image(model):
    # Fed back are the drawn levels themselves: scoring the finished images
    # gives the very probabilities that they were drawn with.
    noise = noise_for(model)
    images = model.sample(noise=noise)
    logits = np.asarray(model(images, training=False), "float64")
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    ends = np.cumsum(weights, axis=-1) / weights.sum(axis=-1, keepdims=True)
    slack = 1e-5
    low = (ends <= noise[..., None] - slack).sum(axis=-1)
    high = (ends <= noise[..., None] + slack).sum(axis=-1)
    assert ((low <= images) & (images <= high)).all()


def test_known_pixels_stay_untouched(model):
    images = catalogue.levels(model, 4, seed=1)
    mask = np.random.default_rng(2).random(images.shape[:3]) < 0.5
    noise = noise_for(model)
    completed = model.complete(images, mask, noise=noise)
    np.testing.assert_array_equal(completed[mask], images[mask])
    naive = model.complete(images, mask, noise=noise, method="naive")
    np.testing.assert_array_equal(completed, naive)
    # What was in the unknown pixels makes no difference.
    other = np.where(mask[..., None], images, model.num_levels - 1 - images)
    again = model.complete(other, mask, noise=noise)
    np.testing.assert_array_equal(completed, again)


def test_nothing_and_everything_known(model):
    images = catalogue.levels(model, 4, seed=1)
    noise = noise_for(model)
    nothing = np.zeros(images.shape[1:3], bool)
    np.testing.assert_array_equal(
        model.complete(images, nothing, noise=noise), model.sample(noise=noise)
    )
    np.testing.assert_array_equal(
        model.complete(images, ~nothing, noise=noise), images
    )


@pytest.mark.parametrize("case", **named(CASES[:1]))
def test_options_give_the_same_images_in_both_samplers(case):
    model = case.make(num_levels=4, head_rank=None)
    noise = noise_for(model)
    options = {
        "temperature": [0.5, 1.0, 2.0, 1.0],
        "top_k": [4, 2, 1, 3],
        "top_p": [0.5, 1.0, 1.0, 0.9],
    }
    cached = model.sample(noise=noise, **options)
    naive = model.sample(noise=noise, method="naive", **options)
    np.testing.assert_array_equal(cached, naive)
    # With top_k=1 each level is the most probable one given those before.
    best = np.argmax(model(cached[2:3], training=False), axis=-1)
    np.testing.assert_array_equal(cached[2:3], best)


def test_frequencies_are_the_probabilities():
    # 2x1x1 with 2 levels: four images, drawn 4,000 times.
    model = models.PixelCNN(
        (2, 1, 1), 2, filters=4, num_blocks=1, head_filters=4
    )
    catalogue.randomize(model)
    images = model.sample(4000, seed=0, batch_size=4000, method="naive")
    codes = images[:, 0, 0, 0] * 2 + images[:, 1, 0, 0]
    found = np.bincount(codes, minlength=4) / 4000
    every = np.array([0, 0, 0, 1, 1, 0, 1, 1], "uint8").reshape(4, 2, 1, 1)
    np.testing.assert_allclose(found, np.exp(model.log_prob(every)), atol=0.03)
