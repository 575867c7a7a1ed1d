"""What Keras compiles works in its own dtypes under any dtype policy."""

import keras
import numpy as np
import pytest

from keras_pixel import PixelCNN
from keras_pixel.compiled import compiled


@pytest.fixture
def low_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def test_inputs_keep_their_dtype(low_precision):
    dense = keras.layers.Dense(1)
    dense.build((None, 1))
    runner = compiled(lambda inputs: inputs["noise"] + 0, dense)
    noise = np.full((1, 2), 1 - 2**-24, "float32")
    outputs = np.asarray(runner.predict_on_batch({"noise": noise}))
    assert outputs.dtype == "float32"
    np.testing.assert_array_equal(outputs, noise)


@pytest.mark.parametrize("method", ["cached", "naive"])
def test_rare_level_is_drawn_as_often_as_it_should(low_precision, method):
    model = PixelCNN((8, 8, 1), num_levels=2, filters=2, num_blocks=0)
    head = model.get_layer("head")
    for weight in head.weights:
        weight.assign(keras.ops.zeros_like(weight))
    head.bias.assign(np.reshape(np.log([0.999, 0.001]), head.bias.shape))
    images = model.sample(1024, seed=0, batch_size=1024, method=method)
    assert set(np.unique(images)) == {0, 1}
    assert 0.0007 < images.mean() < 0.0013


def test_weights_are_read_anew():
    dense = keras.layers.Dense(1, use_bias=False)
    dense.build((None, 1))
    runner = compiled(lambda inputs: dense(inputs), dense)
    for value in (2.0, 3.0):
        dense.kernel.assign([[value]])
        outputs = runner.predict_on_batch(np.ones((1, 1), "float32"))
        assert float(np.asarray(outputs)[0, 0]) == value
