"""What counts as a tie, and what as a mistake."""

import logging

import numpy as np
import pytest

from keras_pixel.export import checks
from keras_pixel.models import PixelCNN


@pytest.fixture(scope="module")
def uniform():
    """All four levels have probability 1/4."""
    model = PixelCNN((2, 2, 1), num_levels=4, filters=4, num_blocks=1)
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    return model


def drawn(levels):
    return np.array(levels, "uint8").reshape(1, 2, 2, 1)


def test_levels_beside_a_tie_are_counted(uniform):
    noise = np.array([0.1, 0.5 - 1e-6, 0.75, 0.9], "float32")
    noise = noise.reshape(1, 2, 2, 1)
    one = np.ones(1, "float32")
    assert checks.check_drawn(uniform, drawn([0, 1, 3, 3]), noise, one) == 0
    assert checks.check_drawn(uniform, drawn([0, 2, 3, 3]), noise, one) == 1
    assert checks.check_drawn(uniform, drawn([0, 2, 2, 3]), noise, one) == 2
    with pytest.raises(checks.ExportError, match="1 of 4 sub-pixels differ"):
        checks.check_drawn(uniform, drawn([1, 2, 2, 3]), noise, one)


def test_ties_are_reported(caplog):
    with caplog.at_level(logging.INFO, "keras_pixel"):
        checks.report_ties("out", 3)
    assert "3 differ from Keras', each by a tie" in caplog.text
