"""The head's logits, by hand."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import CategoricalHead


def test_logits_of_each_channel_see_its_group_and_those_before():
    layer = CategoricalHead(2, channels=3, kernel_initializer="ones")
    # Red, green, blue features are worth 1, 10, 100.
    features = np.array([1, 10, 100], "float32").reshape(1, 1, 1, 3)
    logits = np.asarray(layer(features))
    assert logits.shape == (1, 1, 1, 3, 2)
    assert logits[0, 0, 0].tolist() == [[1, 1], [11, 11], [111, 111]]


def test_low_rank_logits_are_coefficients_times_basis():
    layer = CategoricalHead(5, rank=2, kernel_initializer="ones")
    features = np.full((1, 1, 1, 1), 2.0, "float32")
    logits = layer(features)
    basis = np.asarray(layer.basis)
    assert basis.shape == (2, 5)
    np.testing.assert_allclose(
        logits[0, 0, 0, 0], 2 * basis[0] + 2 * basis[1], atol=1e-6
    )


def test_basis_starts_smooth():
    layer = CategoricalHead(4, rank=2)
    layer.build((None, 1, 1, 1))
    # cos(0) = 1; cos(pi (l + 1/2) / 4) damped by 1 / (1 + 1/8).
    waves = np.cos(np.pi * (np.arange(4) + 0.5) / 4) / 1.125
    np.testing.assert_allclose(layer.basis, [np.ones(4), waves], atol=1e-6)


def test_logits_are_float32_in_mixed_precision():
    layer = CategoricalHead(4, dtype="mixed_bfloat16")
    logits = layer(np.zeros((1, 2, 2, 3)))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_levels": 1}, "`num_levels` must be .* Received: num_levels=1"),
        ({"num_levels": 2.5}, "num_levels=2.5"),
        ({"rank": 0}, "`rank` must be an integer from 1 to 4.*rank=0"),
        ({"rank": 5}, "rank=5. Use 4 or less"),
        ({"rank": True}, "rank=True"),
        ({"rank": "2"}, "rank='2'"),
        ({"channels": -1}, "`channels` must be an integer of at least 1"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        CategoricalHead(**{"num_levels": 4, **arguments})


def test_features_that_do_not_split_are_refused():
    with pytest.raises(ValueError, match="in_features=4, channels=3"):
        CategoricalHead(4, channels=3).build((None, 2, 2, 4))
