"""Scaled levels and their Fourier features, by hand."""

import numpy as np
import pytest

from keras_pixel.layers import ScaleLevels


def test_levels_become_floats():
    images = np.array([0, 1, 2], "uint8").reshape(1, 1, 3, 1)
    floats = ScaleLevels(num_levels=3)(images)
    assert np.asarray(floats).reshape(-1).tolist() == [-1, 0, 1]


def test_waves_of_the_position_are_interleaved():
    # Positions 0 and 1/2 of the way, two channels, one frequency.
    images = np.array([0, 1], "int32").reshape(1, 1, 1, 2)
    features = np.asarray(ScaleLevels(3, num_frequencies=1)(images))
    # Scaled, cos(pi t), sin(pi t), each for both channels.
    np.testing.assert_allclose(
        features.reshape(3, 2), [[-1, 0], [1, 0], [0, 1]], atol=1e-6
    )


def test_higher_waves_turn_faster():
    images = np.array([1], "int32").reshape(1, 1, 1, 1)  # halfway
    features = np.asarray(ScaleLevels(3, num_frequencies=3)(images))
    expected = [0, 0, 1, -1, 0, 0, -1]
    np.testing.assert_allclose(features.reshape(-1), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_levels": 1}, "`num_levels` must be.*Received: num_levels=1"),
        (
            {"num_levels": 4, "num_frequencies": -1},
            "`num_frequencies` must be.*Received: num_frequencies=-1",
        ),
    ],
)
def test_wrong_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        ScaleLevels(**arguments)
