"""Does everything stay finite, with the right dtypes, in mixed precision?"""

import keras
import numpy as np
import pytest

from keras_pixel import layers
from tests.support import catalogue
from tests.support.catalogue import decodable
from tests.support.catalogue import named
from tests.support.catalogue import one_of_each
from tests.support.catalogue import trainable
from tests.support.stepping import step_by_step

TRAINABLE = trainable(catalogue.MODELS)
DECODABLE = decodable(catalogue.MODELS)
POLICIES = ["mixed_bfloat16", "mixed_float16"]


@pytest.fixture(params=POLICIES)
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield keras.config.dtype_policy()
    keras.config.set_dtype_policy(before)


def as_floats(tensor):
    return np.asarray(keras.ops.cast(tensor, "float32"))


@pytest.mark.parametrize("case", **named(catalogue.LAYERS))
def test_layer_computes_in_the_low_dtype(case, policy):
    model = catalogue.randomize(case.on_features(3, 3))
    features = np.random.rand(2, 3, 3, case.in_features)
    outputs = model(features)
    # Parameters are float32: a softmax needs more digits.
    is_head = case.layer_class in (
        layers.CategoricalHead,
        layers.LinearNormalHead,
        layers.LogisticMixtureHead,
        layers.PixelLogits,
    )
    expected = "float32" if is_head else policy.compute_dtype
    assert keras.backend.standardize_dtype(outputs.dtype) == expected
    assert {w.dtype for w in model.weights} <= {"float32"}
    assert np.isfinite(as_floats(outputs)).all()


@pytest.mark.parametrize("case", **named(TRAINABLE, one_of_each(TRAINABLE)))
def test_model_is_close_to_float32(case, policy):
    model = case.make()
    assert keras.backend.standardize_dtype(model.outputs[0].dtype) == "float32"
    images = catalogue.levels(model)
    found = np.asarray(model(images, training=False))
    assert np.isfinite(found).all()
    keras.config.set_dtype_policy("float32")
    exact = case.make()
    np.testing.assert_allclose(found, exact(images, training=False), atol=0.2)
    assert (found != np.asarray(exact(images, training=False))).any()


@pytest.mark.parametrize("case", **named(DECODABLE, one_of_each(DECODABLE)))
def test_incremental_face_works_in_the_low_dtype(case, policy):
    model = case.make(image_shape=(2, 2, case.channels))
    images = catalogue.levels(model)
    found = step_by_step(model, images)
    expected = model(images, training=False)
    np.testing.assert_allclose(found, expected, atol=0.2)


def test_model_trains_in_the_low_dtype(policy):
    model = catalogue.MODELS[0].make()
    model.compile()
    history = model.fit(catalogue.levels(model, 4), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(w.numpy()).all() for w in model.weights)
