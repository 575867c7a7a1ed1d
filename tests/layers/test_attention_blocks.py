import keras
import numpy as np
import pytest

from keras_pixel.layers.attention_blocks import masked_softmax


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_what_is_hidden_gets_no_share_however_high_its_score(dtype):
    scores = np.array([[-2e4, -2e4, 4e4], [-2e4, -2e4, 0.0]])
    visible = np.array([True, True, False])
    found = masked_softmax(keras.ops.cast(scores, dtype), visible)
    found = np.asarray(keras.ops.cast(found, "float32"))
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0.0]] * 2)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_token_that_sees_nothing_is_finite(dtype):
    found = masked_softmax(keras.ops.zeros((1, 4), dtype), np.zeros(4, bool))
    found = np.asarray(keras.ops.cast(found, "float32"))
    np.testing.assert_array_equal(found, [[0.25] * 4])
