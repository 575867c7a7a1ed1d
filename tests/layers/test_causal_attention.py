import keras
import numpy as np
import pytest

from keras_pixel.layers import CausalAttention
from tests.support.dense_attention import assert_dense
from tests.support.reach import past_and_self


@pytest.mark.parametrize("num_heads", [1, 3])
@pytest.mark.parametrize("image_shape", [(4, 5, 1), (3, 4, 3), (1, 7, 2)])
def test_equal_to_dense_attention(image_shape, num_heads):
    layer = CausalAttention(num_heads, channels=image_shape[-1])
    assert_dense(layer, image_shape, past_and_self)


def test_two_tokens_by_hand():
    layer = CausalAttention(1)
    layer.build((None, 1, 2, 1))
    layer.kernel.assign([[1.0, 1.0, 1.0]])  # query = key = value = token
    layer.output_kernel.assign([[2.0]])
    outputs = layer(np.array([1.0, 3.0], "float32").reshape(1, 1, 2, 1))
    # The first sees itself; the second has the scores 3 * 1 and 3 * 3.
    share = 1.0 / (1.0 + np.exp(3.0 - 9.0))
    expected = [2.0, 2.0 * (share * 3.0 + (1.0 - share) * 1.0)]
    np.testing.assert_allclose(np.reshape(outputs, -1), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "shape", "words"),
    [
        ({"num_heads": 0}, (None, 4, 4, 4), "num_heads=0"),
        ({"num_heads": True}, (None, 4, 4, 4), "num_heads=True"),
        ({"num_heads": 3}, (None, 4, 4, 4), "num_heads=3, tokens of 4"),
        ({"channels": 3}, (None, 4, 4, 4), "in_features=4, channels=3"),
        ({}, (None, None, 4, 4), "must know the height and width"),
    ],
)
def test_wrong_argument_is_refused(arguments, shape, words):
    with pytest.raises(ValueError, match=words):
        CausalAttention(**{"num_heads": 2, **arguments}).build(shape)


def test_float16_is_finite_for_large_scores():
    layer = CausalAttention(1, dtype="float16")
    inputs = np.full((1, 4, 4, 4), 30.0, "float16")
    outputs = layer(inputs)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    assert np.isfinite(np.asarray(outputs)).all()
