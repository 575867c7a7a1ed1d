"""Strict attention: numbers by hand, and a pixel that sees nothing."""

import keras
import numpy as np
import pytest

from keras_pixel.layers import StrictAttention2D
from tests.support.reach_grids import visible


def attention(queries, keys, values, **options):
    """Output of one head whose keys have one feature."""
    shape = (1, *np.shape(values), 1)
    parts = [np.reshape(x, shape) for x in (queries, keys, values)]
    inputs = [parts[0], np.concatenate(parts[1:], axis=-1)]
    layer = StrictAttention2D(1, **options)
    return np.array(layer([x.astype("float32") for x in inputs]))[0, :, :, 0]


def test_mean_of_the_pixels_before():
    values = [[6.0, 2.0], [7.0, 9.0]]
    found = attention(np.zeros((2, 2)), np.zeros((2, 2)), values)
    np.testing.assert_allclose(found, [[0, 6], [4, 5]], rtol=1e-6)


def test_mean_of_the_pixels_with_an_earlier_time():
    # Lag 1: the last pixel of the first row is drawn with the first of the
    # second row.
    values = [[6.0, 2.0], [7.0, 9.0]]
    found = attention(np.zeros((2, 2)), np.zeros((2, 2)), values, lag=1)
    np.testing.assert_allclose(found, [[0, 6], [6, 5]], rtol=1e-6)


def test_weights_are_the_softmax_of_the_products():
    # The third pixel sees two, whose scores differ by log 3.
    keys = [[np.log(3.0), 0.0, 5.0]]
    found = attention([[7.0, 7.0, 1.0]], keys, [[4.0, 8.0, 100.0]])
    np.testing.assert_allclose(found, [[0, 4, 5]], rtol=1e-6)


def test_scores_are_divided_by_the_root_of_the_size():
    queries = np.ones((1, 1, 3, 4), "float32")
    keys = np.zeros((1, 1, 3, 4), "float32")
    keys[0, 0, 0] = np.log(3.0) / 2  # the product is 2 log 3
    values = np.reshape([4.0, 8.0, 0.0], (1, 1, 3, 1)).astype("float32")
    inputs = [queries, np.concatenate([keys, values], axis=-1)]
    found = np.array(StrictAttention2D(4)(inputs))
    np.testing.assert_allclose(found.ravel(), [0, 4, 5], rtol=1e-6)


@pytest.mark.parametrize("lag", [None, 1, 2])
def test_equal_to_dense_attention_with_heads(lag):
    random = np.random.default_rng(0)
    queries = random.normal(size=(2, 3, 4, 2 * 3)).astype("float32")
    keys_values = random.normal(size=(2, 3, 4, 2 * (3 + 5))).astype("float32")
    found = StrictAttention2D(3, num_heads=2, lag=lag)([queries, keys_values])
    q = queries.reshape(2, 12, 2, 3).transpose(0, 2, 1, 3)
    k = keys_values[..., :6].reshape(2, 12, 2, 3).transpose(0, 2, 1, 3)
    v = keys_values[..., 6:].reshape(2, 12, 2, 5).transpose(0, 2, 1, 3)
    seen = visible(3, 4, lag).T
    weights = np.where(seen, np.exp(q @ k.swapaxes(-1, -2) / np.sqrt(3)), 0)
    total = weights.sum(axis=-1, keepdims=True)
    weights = np.divide(weights, total, where=total > 0, out=weights)
    expected = (weights @ v).transpose(0, 2, 1, 3).reshape(2, 3, 4, 10)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "policy", ["float32", "mixed_bfloat16", "mixed_float16"]
)
@pytest.mark.parametrize("size", [(1, 1), (3, 3)])
def test_first_pixel_is_exactly_0(policy, size):
    # Scores far below what a mask adds in float16.
    features = np.full((1, *size, 2), 200.0, "float32")
    keys_values = np.concatenate([-features, features], axis=-1)
    layer = StrictAttention2D(2, dtype=policy)
    found = np.array(keras.ops.cast(layer([features, keys_values]), "float32"))
    assert (found[0, 0, 0] == 0).all()
    rest = found.reshape(-1, 2)[1:]
    np.testing.assert_allclose(rest, np.full_like(rest, 200.0), rtol=1e-2)


@pytest.mark.parametrize(
    "policy", ["float32", "mixed_bfloat16", "mixed_float16"]
)
def test_gradients_are_finite_and_the_first_query_has_none(policy):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("takes gradients with TensorFlow")
    import tensorflow as tf

    random = np.random.default_rng(0)
    queries = tf.constant(random.normal(size=(1, 3, 3, 2)), "float32")
    keys_values = tf.constant(random.normal(size=(1, 3, 3, 4)), "float32")
    layer = StrictAttention2D(2, dtype=policy)
    with tf.GradientTape() as tape:
        tape.watch([queries, keys_values])
        outputs = layer([queries, keys_values])
    of_queries, of_others = tape.gradient(outputs, [queries, keys_values])
    assert np.isfinite(of_queries).all() and np.isfinite(of_others).all()
    assert not np.any(of_queries[0, 0, 0])
    # The last pixel is seen by none.
    assert not np.any(of_others[0, 2, 2])
    assert np.all(of_others[0, :2, :, 2:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"key_dim": 0}, "key_dim=0"),
        ({"num_heads": 0}, "num_heads=0"),
        ({"lag": 0}, "lag=0"),
    ],
)
def test_wrong_argument_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        StrictAttention2D(**{"key_dim": 2, **arguments})


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((3, 3, 6), (3, 3, 12)), "6 features, num_heads=2, key_dim=2. Use 4"),
        (
            ((3, 3, 4), (3, 3, 4)),
            "4 features, num_heads=2, key_dim=2. Use 6, 8",
        ),
        (((3, 3, 4), (3, 3, 7)), "7 features"),
        (((None, 3, 4), (None, 3, 8)), "must know the height and width"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(shapes, words):
    with pytest.raises(ValueError, match=words):
        StrictAttention2D(2, num_heads=2)([keras.Input(x) for x in shapes])
