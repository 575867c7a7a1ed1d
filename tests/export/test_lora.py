"""A model of one's own, fine-tuned by LoRA with `fit`: all that follows."""

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import export
from keras_pixel import layers
from keras_pixel.export.conversion import session
from keras_pixel.export.identity import identity
from tests.support import catalogue
from tests.support.low_rank import factors


def make():
    images = keras.Input((3, 3, 1), dtype="int32")
    x = layers.ScaleLevels(4)(images)
    x = layers.MaskedConv2D(8, 3, mask_type="A", name="first")(x)
    x = keras.layers.Dense(8, activation="relu", name="dense")(x)
    outputs = layers.CategoricalHead(4, name="head")(x)
    model = keras_pixel.PixelModel(images, outputs, num_levels=4)
    return catalogue.randomize(model)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make().save_preset(tmp_path_factory.mktemp("source") / "source")


@pytest.fixture(scope="module")
def model(source):
    """A loaded one, trained and scored before and after."""
    model = keras_pixel.load(source)
    images = catalogue.levels(model, 8)
    before = model.log_prob(images)
    for name in ("first", "dense", "head"):
        model.get_layer(name).enable_lora(2)
    np.testing.assert_array_equal(model.log_prob(images), before)
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    model.fit(images, epochs=5, batch_size=8, verbose=0)
    assert (model.log_prob(images) - before).mean() > 0.1
    return model


def test_kernels_stay_and_factors_learn(model, source):
    former = keras_pixel.load(source)
    for name in ("first", "dense", "head"):
        base = model.get_layer(name)._kernel
        kernel = former.get_layer(name).kernel
        np.testing.assert_array_equal(base.numpy(), kernel.numpy())
    assert len(factors(model)) == 6
    assert all(factor.numpy().any() for factor in factors(model))


def test_images_are_drawn_from_the_trained_model(model):
    assert keras_pixel.check_causality(model) is None
    noise = np.random.default_rng(0).random((32, 3, 3, 1), "float32")
    cached, naive = (
        model.sample(noise=noise, method=x) for x in ("cached", "naive")
    )
    np.testing.assert_array_equal(cached, naive)


def test_what_is_saved_is_the_trained_model(model, source, tmp_path):
    images = catalogue.levels(model, 8)
    expected = model.log_prob(images)
    again = keras_pixel.load(model.save_preset(tmp_path / "preset"))
    # Without LoRA, in Keras' own layers too: it may be enabled anew.
    assert not factors(again)
    assert again.count_params() == keras_pixel.load(source).count_params()
    np.testing.assert_allclose(again.log_prob(images), expected, rtol=1e-5)
    again.get_layer("dense").enable_lora(1)
    model.save(tmp_path / "model.keras")
    with pytest.warns(UserWarning, match="loading for optimizer"):
        file = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(file.log_prob(images), expected, rtol=1e-5)


@pytest.mark.slow
def test_what_is_exported_is_the_trained_model(model, source, tmp_path):
    import tensorflow as tf

    images = catalogue.levels(model)
    expected = model.log_prob(images)
    export.saved_model(model, tmp_path / "saved")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    found = loaded.signatures["serving_default"](images=tf.constant(images))
    np.testing.assert_allclose(found["log_prob"], expected, rtol=1e-5)
    folder = export.onnx(model, tmp_path / "onnx")
    run = session(folder / "log_prob.onnx")
    np.testing.assert_allclose(
        run(images=images)["log_prob"], expected, rtol=1e-4
    )
    # A server takes it for the next version of what it was.
    former = identity(keras_pixel.load(source))
    assert identity(model)["num_parameters"] == former["num_parameters"]
