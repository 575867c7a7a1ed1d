"""Independent and Gaussian pixels: numbers by hand, and one pass over data."""

import math

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import data
from keras_pixel import layers
from keras_pixel import models


def images_of(*rows, dtype="uint8"):
    """Images of one row each."""
    array = np.array(rows, dtype)
    return array.reshape(len(rows), 1, -1, 1)


@pytest.fixture(scope="module")
def pictures():
    """Neighbours that go together, of 4 levels."""
    random = np.random.default_rng(0)
    walks = random.integers(-1, 2, size=(300, 2 * 3 * 2)).cumsum(axis=1)
    walks = (walks + 2).clip(0, 3)
    return walks.astype("uint8").reshape(300, 2, 3, 2)


def tails(x):
    return 0.5 * math.erfc(x / math.sqrt(2.0))


# === Independent pixels ===


def test_counts_by_hand():
    # The first value: 0, 0, 1, 2; the second: 3 always. One more of each.
    images = images_of([0, 3], [0, 3], [1, 3], [2, 3])
    model = models.IndependentPixels((1, 2, 1), num_levels=4)
    assert model.fit_closed_form(images) is model
    found = np.exp(model.log_prob(images, reduce="sub_pixels"))[..., 0]
    expected = [[3 / 8, 5 / 8], [3 / 8, 5 / 8], [2 / 8, 5 / 8], [2 / 8, 5 / 8]]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)


def test_smoothing_by_hand():
    images = images_of([0], [0], [1])
    model = models.IndependentPixels((1, 1, 1), num_levels=2, smoothing=0.5)
    model.fit_closed_form(images)
    found = np.exp(model.log_prob(images_of([0], [1])))
    np.testing.assert_allclose(found, [2.5 / 4, 1.5 / 4], rtol=1e-6)


def test_before_counting_all_levels_are_equal():
    model = models.IndependentPixels((2, 2, 1), num_levels=4)
    bits = model.bits_per_dim(np.zeros((1, 2, 2, 1), "uint8"))
    np.testing.assert_allclose(bits, [2.0], rtol=1e-6)


def test_the_public_check_says_that_it_sees_nothing():
    model = models.IndependentPixels((2, 2, 1), num_levels=4)
    with pytest.raises(ValueError, match="The model sees nothing"):
        keras_pixel.check_causality(model)


# === Gaussian pixels ===


def test_conditionals_by_hand():
    # Of two values, -1 or 1 each and equal three times out of four: means 0,
    # variances 1, covariance 0.5. So the second has the mean 0.5 * first and
    # the variance 0.75.
    images = images_of(*[[0, 0], [1, 1]] * 3, [0, 1], [1, 0])
    model = models.GaussianPixels((1, 2, 1), 2, ridge=1e-9, floor=0.0)
    model.fit_closed_form(images)
    parameters = np.asarray(model(images_of([0, 0], [1, 1])))[:, 0, :, 0]
    np.testing.assert_allclose(parameters[:, 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(parameters[:, 1, 0], [-0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(
        parameters[:, 1, 1], 0.5 * math.log(0.75), rtol=1e-5
    )
    # The edge lies at 0: half the mass, then what lies below it.
    expected = 0.5 * tails(-0.5 / math.sqrt(0.75))
    found = np.exp(model.log_prob(images_of([0, 0])))
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_ridge_by_hand():
    images = images_of(*[[0, 0], [1, 1]] * 3, [0, 1], [1, 0])
    model = models.GaussianPixels((1, 2, 1), 2, ridge=1.0)
    model.fit_closed_form(images)
    parameters = np.asarray(model(images_of([1, 1])))[0, 0, :, 0]
    # Variances 2, covariance 0.5.
    expected = [[0, 0.5 * math.log(2)], [0.25, 0.5 * math.log(2 - 0.125)]]
    np.testing.assert_allclose(parameters, expected, atol=1e-6)


def test_density_is_that_of_the_multivariate_normal(pictures):
    # With 256 levels and wide scales a mass is the density times a volume.
    random = np.random.default_rng(0)
    mixing = random.normal(size=(4, 4))
    floats = 128 + 20 * random.normal(size=(500, 4)) @ mixing
    images = floats.round().clip(0, 255).astype("uint8").reshape(-1, 2, 2, 1)
    model = models.GaussianPixels((2, 2, 1), 256, ridge=1e-6, floor=0.0)
    found = model.fit_closed_form(images).log_prob(images[:50])
    values = images.reshape(-1, 4) * (2 / 255) - 1
    centred = values - values.mean(axis=0)
    covariance = centred.T @ centred / len(values) + 1e-6 * np.eye(4)
    inside = np.linalg.solve(covariance, centred[:50].T).T
    expected = -0.5 * (centred[:50] * inside).sum(axis=1)
    expected -= 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    expected += 4 * math.log(2 / 255)
    middle = (images[:50] > 0).all((1, 2, 3)) & (images[:50] < 255).all(
        (1, 2, 3)
    )
    assert middle.sum() > 20
    np.testing.assert_allclose(found[middle], expected[middle], atol=0.02)


def test_it_beats_independent_pixels_where_values_hang_together(pictures):
    shape = pictures.shape[1:]
    apart = models.IndependentPixels(shape, 4).fit_closed_form(pictures)
    joint = models.GaussianPixels(shape, 4).fit_closed_form(pictures)
    bits = [model.bits_per_dim(pictures).mean() for model in (apart, joint)]
    assert bits[1] < bits[0]


@pytest.mark.parametrize("size", [1, 2, 5, 6])
def test_the_triangle_is_stored_and_found_again(size):
    layer = layers.LinearNormalHead(num_levels=4)
    layer.build((None, 1, size, 1))
    kernel = np.random.default_rng(0).normal(size=(size, size))
    layer.assign(kernel, np.zeros(size), np.zeros(size))
    np.testing.assert_allclose(
        layer.kernel(), np.tril(kernel, -1), rtol=1e-6, atol=0
    )
    # About half of what a square would take.
    assert np.prod(layer.folded.shape) <= (size + 1) ** 2 / 2


# === One pass over any data ===


def sources(pictures):
    labelled = {"images": pictures, "labels": np.zeros(len(pictures))}
    loaded = data.ImageData(pictures, np.zeros(300, int), num_levels=4)
    parts = np.array_split(pictures, 7)
    return {
        "array": pictures,
        "dict": labelled,
        "load_data": loaded,
        "batches": loaded.batches(64, shuffle=True),
        "generator": (part for part in parts),
        "pairs": [(part, np.zeros(len(part))) for part in parts],
        "tensors": [keras.ops.convert_to_tensor(part) for part in parts],
    }


@pytest.mark.parametrize("form", sources(np.zeros((300, 1, 1, 1), "uint8")))
@pytest.mark.parametrize(
    "model_class", [models.IndependentPixels, models.GaussianPixels]
)
def test_every_form_of_data_gives_the_same_weights(model_class, form, pictures):
    expected = model_class(pictures.shape[1:], 4).fit_closed_form(pictures, 300)
    model = model_class(pictures.shape[1:], 4)
    model.fit_closed_form(sources(pictures)[form], batch_size=50)
    for weight, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_tf_dataset_gives_the_same_weights(pictures):
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices(pictures).batch(70)
    model = models.GaussianPixels(pictures.shape[1:], 4)
    model.fit_closed_form(dataset)
    expected = models.GaussianPixels(pictures.shape[1:], 4)
    expected.fit_closed_form(pictures)
    np.testing.assert_array_equal(
        model.get_layer("head").folded, expected.get_layer("head").folded
    )
    with pytest.raises(ValueError, match="`data` must end"):
        model.fit_closed_form(dataset.repeat())


def test_wrong_data_are_refused(pictures):
    model = models.IndependentPixels(pictures.shape[1:], 4)
    with pytest.raises(ValueError, match="`data` must hold at least one image"):
        model.fit_closed_form([])
    with pytest.raises(TypeError, match="`images` must hold integer levels"):
        model.fit_closed_form(pictures / 4.0)
    with pytest.raises(ValueError, match="levels from 0 to 3"):
        model.fit_closed_form(pictures + 1)
    endless = data.ImageData(pictures, num_levels=4).batches(10, repeat=True)
    with pytest.raises(ValueError, match="`data` must end"):
        model.fit_closed_form(endless)


def test_training_is_refused_with_a_way_out(pictures):
    model = models.GaussianPixels(pictures.shape[1:], 4)
    assert model.trainable_weights == []
    with pytest.raises(NotImplementedError, match="model.fit_closed_form"):
        model.fit(pictures)


@pytest.mark.parametrize(
    ("model_class", "arguments", "words"),
    [
        (models.IndependentPixels, {"smoothing": 0}, "`smoothing` must be"),
        (models.GaussianPixels, {"ridge": 0.0}, "`ridge` must be a finite"),
        (models.GaussianPixels, {"floor": 1}, "`floor` must be a number"),
    ],
)
def test_wrong_arguments_are_refused(model_class, arguments, words):
    with pytest.raises(ValueError, match=words):
        model_class((2, 2, 1), 4, **arguments)


def test_hidden_features_are_refused():
    model = models.GaussianPixels((2, 2, 1), 4)
    assert model.feature_layers == []
    with pytest.raises(ValueError, match="a GaussianPixels, which has none"):
        model.features(np.zeros((1, 2, 2, 1), "uint8"))


def test_the_best_completion_by_beam_search(pictures):
    model = models.GaussianPixels(pictures.shape[1:], 4)
    model.fit_closed_form(pictures)
    known = np.ones((2, 3), bool)
    known[1, 2] = False
    result = model.beam_search(pictures[:2], known, beam_width=16)
    every = np.repeat(pictures[:2], 16, axis=0)
    every[:, 1, 2] = np.tile(np.indices((4, 4)).reshape(2, -1).T, (2, 1))
    scores = model.log_prob(every).reshape(2, 16)
    np.testing.assert_allclose(result.log_prob, scores.max(axis=1), rtol=1e-5)


def test_images_of_unknown_size_are_refused():
    for layer in (layers.LinearNormalHead(4), layers.PixelLogits(4)):
        with pytest.raises(ValueError, match="known height and width"):
            layer.build((None, None, 3, 1))
        with pytest.raises(ValueError, match="channels=1"):
            layer.build((None, 2, 3, 3))
