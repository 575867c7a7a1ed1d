"""ConcatELU, GatedResidual and BackgroundChannels: numbers by hand."""

import numpy as np
import pytest

from keras_pixel.layers import BackgroundChannels
from keras_pixel.layers import ConcatELU
from keras_pixel.layers import GatedResidual


def test_concat_elu_keeps_both_signs():
    found = np.asarray(ConcatELU()(np.float32([[2.0, -1.0]])))
    low = np.exp(-1) - 1, np.exp(-2) - 1
    np.testing.assert_allclose(found, [[2, low[0], low[1], 1]], rtol=1e-6)


def test_gate_of_zero_adds_half_of_the_change():
    x, change = np.float32([[1.0]]), np.float32([[3.0, 0.0]])
    assert np.asarray(GatedResidual()([x, change])).tolist() == [[2.5]]


def test_features_that_do_not_fit_are_refused():
    layer = GatedResidual()
    with pytest.raises(ValueError, match="twice the features of the first"):
        layer([np.ones((1, 3), "float32"), np.ones((1, 3), "float32")])


def test_background_tells_ones_rows_and_columns():
    image = np.zeros((2, 3, 2, 1), "float32")
    assert np.asarray(BackgroundChannels()(image))[..., 1].tolist() == (
        np.ones((2, 3, 2)).tolist()
    )
    found = np.asarray(BackgroundChannels(coordinates=True)(image))
    assert found[1, :, 0, 2].tolist() == [-1, 0, 1]
    assert found[1, 2, :, 3].tolist() == [-1, 1]


def test_background_needs_a_size():
    import keras

    with pytest.raises(ValueError, match="height and width"):
        BackgroundChannels()(keras.Input((None, None, 1)))
