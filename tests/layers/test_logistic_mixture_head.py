"""The mixture's head: numbers by hand, and what it refuses."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import LogisticMixtureHead


def built(channels, in_features=2, **arguments):
    head = LogisticMixtureHead(channels=channels, **arguments)
    head.build([(None, 2, 2, in_features), (None, 2, 2, channels)])
    return head


@pytest.mark.parametrize(
    ("channels", "number"), [(1, 30), (2, 60), (3, 100), (4, 150)]
)
def test_number_of_outputs_over_whole_pixels(channels, number):
    # 10 logits, and for each channel 10 means, 10 log scales and 10
    # coefficients for each channel before it: 100 for RGB, as in PixelCNN++.
    assert built(channels).kernel.shape == (2, number)


def test_number_of_outputs_with_groups():
    head = built(3, in_features=6, whole_pixel=False, num_mixtures=1)
    # A logit, a mean, a log scale each, and 0, 1 and 2 coefficients.
    assert head.kernel.shape == (6, 3 + 4 + 5)
    sees = np.asarray(head.mask)
    # Feature f belongs to channel f % 3; red's outputs see red's features.
    assert sees[:, 0].tolist() == [True, False, False] * 2
    assert sees[:, 3].tolist() == [True, True, False] * 2
    assert sees[:, 7].tolist() == [True, True, True] * 2


def test_training_starts_from_the_biases():
    head = built(1, num_mixtures=4)
    parameters = head(
        [np.zeros((1, 2, 2, 2), "float32"), np.zeros((1, 2, 2, 1), "int32")]
    )
    logits, means, log_scales = np.split(np.asarray(parameters[0, 0, 0, 0]), 3)
    assert logits.tolist() == [0.0] * 4
    np.testing.assert_allclose(means, [-0.9, -0.3, 0.3, 0.9], rtol=1e-6)
    np.testing.assert_allclose(log_scales, -1.7, rtol=1e-6)


def test_coefficients_shift_the_means_of_later_channels():
    head = built(3, num_levels=5, num_mixtures=1)
    bias = np.zeros(head.bias.shape, "float32")
    # Logit, mean and log scale of red; mean, log scale and one coefficient of
    # green; mean, log scale and two coefficients of blue.
    bias[:] = [0, 0.1, 0, 0.2, 0, 0.5, 0.3, 0, 0.25, -0.5]
    head.bias.assign(bias)
    images = np.full((1, 2, 2, 3), [4, 0, 3], "int32")  # 1, -1, 0.5
    found = np.asarray(head([np.zeros((1, 2, 2, 2), "float32"), images]))
    means = found[0, 0, 0, :, 1]
    expected = [
        0.1,
        0.2 + np.tanh(0.5) * 1.0,
        0.3 + np.tanh(0.25) * 1.0 + np.tanh(-0.5) * -1.0,
    ]
    np.testing.assert_allclose(means, expected, rtol=1e-6)


def test_channels_of_a_pixel_share_the_component():
    # The product over channels is the joint mixture, component by component.
    head = built(3, num_levels=8, num_mixtures=4)
    random = np.random.default_rng(0)
    head.bias.assign(random.normal(size=head.bias.shape))
    images = random.integers(8, size=(5, 2, 2, 3)).astype("int32")
    features = np.zeros((5, 2, 2, 2), "float32")
    mixture = head.distribution
    parameters = head([features, images])
    found = np.asarray(mixture.log_prob(parameters, images)).sum(axis=-1)
    logits, means, log_scales = mixture.split(parameters)
    of_components = mixture.component_log_probs(means, log_scales, images)
    of_components = np.asarray(of_components).sum(axis=-2)
    first = np.asarray(logits)[..., 0, :]
    weights = first - np.logaddexp.reduce(first, axis=-1, keepdims=True)
    joint = np.logaddexp.reduce(weights + of_components, axis=-1)
    np.testing.assert_allclose(found, joint, rtol=1e-5)


def test_computes_in_float32_under_a_low_precision_policy():
    head = LogisticMixtureHead(channels=3, dtype="mixed_bfloat16")
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 2, 2, 8)).astype("float32")
    images = random.integers(256, size=(2, 2, 2, 3)).astype("int32")
    found = head([keras.ops.cast(features, "float32"), images])
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    exact = LogisticMixtureHead(channels=3)
    exact.build([features.shape, images.shape])
    exact.set_weights(head.get_weights())
    # The features alone are rounded.
    rounded = keras.ops.cast(keras.ops.cast(features, "bfloat16"), "float32")
    np.testing.assert_allclose(found, exact([rounded, images]), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"channels": 0}, "`channels` must be"),
        ({"num_mixtures": 0}, "`num_mixtures` must be"),
        ({"floor": 2}, "`floor` must be"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        LogisticMixtureHead(**arguments)


def test_inputs_that_do_not_fit_are_refused():
    head = LogisticMixtureHead(channels=3)
    with pytest.raises(ValueError, match="must be the image's levels"):
        head.build([(None, 2, 2, 4), (None, 2, 2, 1)])
    head = LogisticMixtureHead(channels=3, whole_pixel=False)
    with pytest.raises(ValueError, match="must be divisible by `channels`"):
        head.build([(None, 2, 2, 4), (None, 2, 2, 3)])
