"""The LSTM over sub-pixels: the slow loop, and Keras' own LSTM."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import ScanlineLSTM
from tests.support import slow_lstm
from tests.support.cases import randomize
from tests.support.stepping import raster_grid


@pytest.mark.parametrize("size", [(3, 5), (1, 6), (4, 1)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_equals_the_slow_loop(size, channels):
    layer = ScanlineLSTM(2, channels=channels)
    random = np.random.default_rng(0)
    images = random.normal(size=(2, *size, 3 * channels))
    layer.build(images.shape)
    randomize(layer)
    expected = [slow_lstm.scanline_lstm(layer, image) for image in images]
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)


def test_is_the_lstm_of_keras_on_a_sequence():
    layer, other = ScanlineLSTM(4), keras.layers.LSTM(4, return_sequences=True)
    sequence = np.random.default_rng(0).normal(size=(2, 1, 7, 3))
    layer.build(sequence.shape)
    other.build(sequence[:, 0].shape)
    randomize(layer)

    def reordered(weight):  # Keras has the content before the output gate
        i, f, o, content = np.split(np.asarray(weight), 4, axis=-1)
        return np.concatenate([i, f, content, o], axis=-1)

    other.set_weights(
        [reordered(w) for w in (layer.input_kernel, layer.kernel, layer.bias)]
    )
    np.testing.assert_allclose(
        layer(sequence)[:, 0], other(sequence[:, 0]), atol=1e-5
    )


def test_a_model_that_is_not_causal_is_named():
    layer = ScanlineLSTM(4, channels=2, name="culprit")
    layer.build((None, 3, 3, 2))
    weights, state = layer.init_cache(raster_grid(3, 3, 1))
    with pytest.raises(ValueError, match='not causal.*"culprit"'):
        layer.decode_step(
            weights, state, None, 1, [[np.zeros((1, 1), "float32")]]
        )


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="`hidden_dim` must be an integer"):
        ScanlineLSTM(0)
    with pytest.raises(ValueError, match="`in_features` must be divisible"):
        ScanlineLSTM(4, channels=3).build((None, 4, 4, 4))
