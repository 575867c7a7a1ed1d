"""The one-directional half: the slow loop over pixels."""

import numpy as np
import pytest

from keras_pixel.layers import DiagonalLSTM
from tests.support import slow_lstm
from tests.support.cases import randomize


@pytest.mark.parametrize("size", [(3, 5), (5, 4), (1, 6), (4, 1)], ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_equals_the_slow_loop(size, channels):
    layer = DiagonalLSTM(2 * channels, channels=channels)
    random = np.random.default_rng(0)
    images = random.normal(size=(2, *size, 3 * channels))
    layer.build(images.shape)
    randomize(layer)
    expected = [slow_lstm.diagonal_lstm(layer, image) for image in images]
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)


def test_number_of_weights_by_hand():
    layer = DiagonalLSTM(4)
    layer.build((None, 5, 5, 8))
    assert layer.count_params() == 8 * 16 + 2 * 4 * 16 + 16


def test_features_that_do_not_split_are_refused():
    with pytest.raises(ValueError, match="`in_features` must be divisible"):
        DiagonalLSTM(3, channels=3).build((None, 4, 4, 4))
    with pytest.raises(ValueError, match="`filters` must be divisible"):
        DiagonalLSTM(4, channels=3)
