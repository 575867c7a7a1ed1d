import keras
import numpy as np
import pytest

from keras_pixel.layers import PerSubPixel


def test_every_channel_has_the_same_weights():
    dense = keras.layers.Dense(5)
    layer = PerSubPixel(dense, channels=3)
    inputs = np.random.default_rng(0).normal(size=(2, 2, 4, 6))
    inputs = inputs.astype("float32")
    outputs = np.asarray(layer(inputs))
    assert outputs.shape == (2, 2, 4, 15)
    assert layer.count_params() == 2 * 5 + 5
    for channel in range(3):
        np.testing.assert_allclose(
            outputs[..., channel::3],
            np.asarray(dense(inputs[..., channel::3])),
            atol=1e-6,
        )


def test_of_one_channel_it_is_the_layers_themselves():
    norm, dense = keras.layers.LayerNormalization(), keras.layers.Dense(3)
    layer = PerSubPixel([norm, dense])
    inputs = np.random.default_rng(0).normal(size=(2, 2, 4, 6))
    inputs = inputs.astype("float32")
    np.testing.assert_array_equal(layer(inputs), dense(norm(inputs)))


def test_normalisation_is_that_of_a_sub_pixel():
    layer = PerSubPixel(keras.layers.LayerNormalization(), channels=2)
    # Channel 0 holds 1 and 3, channel 1 holds 50 and 10.
    pixel = np.array([1.0, 50.0, 3.0, 10.0], "float32").reshape(1, 1, 1, 4)
    outputs = np.asarray(layer(pixel)).reshape(-1)
    np.testing.assert_allclose(outputs, [-1.0, 1.0, 1.0, -1.0], atol=1e-2)


@pytest.mark.parametrize(
    "inner",
    [
        keras.layers.Conv2D(4, 1),
        keras.layers.BatchNormalization(),
        keras.layers.LayerNormalization(axis=1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_other_layers_are_refused(inner):
    with pytest.raises(ValueError, match="work on the last axis alone"):
        PerSubPixel([keras.layers.Dense(4), inner])


def test_no_layers_are_refused():
    with pytest.raises(ValueError, match="at least one layer.*layers=.."):
        PerSubPixel([])


def test_features_that_do_not_split_are_refused():
    with pytest.raises(ValueError, match="in_features=4, channels=3"):
        PerSubPixel(keras.layers.Dense(4), channels=3).build((None, 4, 4, 4))


def test_weights_are_saved_and_loaded(tmp_path):
    inputs = keras.Input((2, 2, 4))
    layer = PerSubPixel([keras.layers.Dense(3)], channels=2)
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    features = np.ones((1, 2, 2, 4), "float32")
    np.testing.assert_array_equal(again(features), model(features))
