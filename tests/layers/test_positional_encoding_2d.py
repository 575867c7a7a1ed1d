import numpy as np
import pytest

from keras_pixel.layers import PositionalEncoding2D


def places(layer, image_shape, hidden_dim):
    """What is added to each sub-pixel: `(height, width, channels, size)`."""
    height, width, channels = image_shape
    inputs = np.zeros((1, height, width, channels * hidden_dim), "float32")
    outputs = np.asarray(layer(inputs))[0]
    parted = outputs.reshape(height, width, hidden_dim, channels)
    return np.moveaxis(parted, -1, -2)


def test_learned_vectors_are_added_up():
    layer = PositionalEncoding2D(channels=3)
    layer.build((None, 2, 4, 6))
    assert layer.count_params() == (2 + 4 + 3) * 2
    random = np.random.default_rng(0)
    row, column, channel = (
        random.normal(size=(n, 2)).astype("float32") for n in (2, 4, 3)
    )
    for weight, value in zip(
        layer.weights, (row, column, channel), strict=True
    ):
        weight.assign(value)
    expected = row[:, None, None] + column[:, None] + channel
    np.testing.assert_allclose(places(layer, (2, 4, 3), 2), expected, atol=1e-6)


def test_one_channel_has_no_vector_of_its_own():
    layer = PositionalEncoding2D()
    layer.build((None, 2, 4, 6))
    assert layer.count_params() == (2 + 4) * 6


def test_waves_by_hand():
    layer = PositionalEncoding2D(channels=3, kind="sinusoidal")
    found = places(layer, (3, 4, 3), 8)
    assert layer.count_params() == 0
    # Row 2; column 1, channel 2 is place 5 of its row. The second frequency
    # of four features is 10000^(-2/4) = 0.01.
    expected = [
        f(n * w) for n in (2, 5) for w in (1, 0.01) for f in (np.sin, np.cos)
    ]
    np.testing.assert_allclose(found[2, 1, 2], expected, atol=1e-5)


def test_waves_tell_all_places_apart():
    layer = PositionalEncoding2D(channels=3, kind="sinusoidal")
    found = places(layer, (8, 8, 3), 7).reshape(-1, 7)
    assert len(np.unique(found.round(4), axis=0)) == 8 * 8 * 3


def test_inputs_are_kept():
    layer = PositionalEncoding2D(kind="sinusoidal")
    inputs = np.random.default_rng(0).normal(size=(2, 3, 3, 4))
    zeros = np.asarray(layer(np.zeros_like(inputs)))
    np.testing.assert_allclose(layer(inputs) - zeros, inputs, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "shape", "words"),
    [
        ({"kind": "rotary"}, (None, 4, 4, 4), "kind='rotary'"),
        ({"channels": 3}, (None, 4, 4, 4), "in_features=4, channels=3"),
        ({}, (None, 4, None, 4), "within a known height and width"),
    ],
)
def test_wrong_argument_is_refused(arguments, shape, words):
    with pytest.raises(ValueError, match=words):
        PositionalEncoding2D(**arguments).build(shape)
