"""The Row LSTM: the slow loop over pixels, and what it sees."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import RowLSTM
from tests.support import reach
from tests.support import slow_lstm
from tests.support.cases import randomize

SIZES = [(3, 5), (5, 4), (1, 6), (4, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels, kernel_size", [(1, 3), (3, 3), (2, 5)])
def test_equals_the_slow_loop(size, channels, kernel_size):
    layer = RowLSTM(2 * channels, kernel_size, channels=channels)
    random = np.random.default_rng(0)
    images = random.normal(size=(2, *size, 3 * channels))
    layer.build(images.shape)
    randomize(layer)
    expected = [slow_lstm.row_lstm(layer, image) for image in images]
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)


def test_sees_a_triangle():
    image = keras.Input((4, 7, 1))
    model = randomize(keras.Model(image, RowLSTM(4)(image)))
    seen = reach.measured_reach(model, 1)[:, :, 0, 3, 2, 0]
    # Each row up one column more to both sides; states see one to the left.
    assert reach.as_grid(seen) == "######.\n#####..\n####...\n.##...."


def test_number_of_weights_by_hand():
    layer = RowLSTM(4, 3)
    layer.build((None, 5, 5, 8))
    assert layer.count_params() == 3 * 8 * 16 + 3 * 4 * 16 + 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filters": 0}, "`filters` must be an integer of at least 1"),
        ({"filters": True}, "Received: filters=True"),
        ({"filters": 4.0}, "Received: filters=4.0"),
        ({"filters": 4, "channels": 3}, "`filters` must be divisible"),
        ({"filters": 4, "kernel_size": 2}, "`kernel_size` must be an odd"),
        ({"filters": 4, "kernel_size": (3, 3)}, "a row has one side"),
        ({"filters": 4, "kernel_size": None}, "Received: kernel_size=None"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        RowLSTM(**arguments)
