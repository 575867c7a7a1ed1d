"""Hidden states of a model, for downstream tasks."""

import keras
import numpy as np
import pytest

from keras_pixel import models
from tests.support import catalogue


@pytest.fixture(scope="module")
def model():
    return catalogue.MODELS[0].make()


def test_default_is_what_the_head_reads(model):
    images = catalogue.levels(model)
    features = model.features(images)
    assert features.shape == (2, 4, 5, 8)
    head = model.get_layer("head")
    logits = np.asarray(model(images.astype("int32"), training=False))
    np.testing.assert_allclose(np.asarray(head(features)), logits, atol=1e-5)


def test_layer_by_name_and_pooling(model):
    images = catalogue.levels(model)
    features = model.features(images, layer="first")
    assert features.shape == (2, 4, 5, 16)
    pooled = {
        pooling: model.features(images, layer="first", pooling=pooling)
        for pooling in ("mean", "max")
    }
    np.testing.assert_allclose(
        pooled["mean"], features.mean(axis=(1, 2)), atol=1e-6
    )
    np.testing.assert_array_equal(pooled["max"], features.max(axis=(1, 2)))


def test_outputs_of_a_layer_with_several_are_joined():
    model = catalogue.MODELS[2].make()
    features = model.features(catalogue.levels(model), layer="gated_1")
    assert features.shape == (2, 4, 5, 8)


def test_features_are_causal(model):
    images = catalogue.levels(model, 1)
    changed = images.copy()
    changed[0, 2, 2] = (changed[0, 2, 2] + 1) % model.num_levels
    features = model.features(np.concatenate([images, changed]))
    differs = (features[0] != features[1]).any(axis=-1).reshape(-1)
    assert not differs[: 2 * 5 + 2 + 1].any()
    assert differs.any()


def test_feature_model_is_made_once_and_shares_weights(model):
    assert model.feature_model() is model.feature_model()
    shared = model.feature_model().get_layer("first").kernel
    assert shared is model.get_layer("first").kernel


def test_users_own_graph_has_features_too():
    inputs = keras.Input((2, 2, 1), dtype="int32")
    from keras_pixel import layers

    x = layers.ScaleLevels(2)(inputs)
    x = layers.MaskedConv2D(3, 3, mask_type="A")(x)
    x = layers.CategoricalHead(2)(x)
    model = models.PixelModel(inputs, x, num_levels=2)
    assert model.features(np.zeros((1, 2, 2, 1), "uint8")).shape == (1, 2, 2, 3)


def test_head_inside_another_model_must_be_named():
    from keras_pixel import layers

    inputs = keras.Input((2, 2, 1), dtype="int32")
    x = layers.ScaleLevels(2)(inputs)
    x = layers.MaskedConv2D(3, 3, mask_type="A", name="first")(x)
    features = keras.Input((2, 2, 3))
    inner = keras.Model(features, layers.CategoricalHead(2)(features))
    model = models.PixelModel(inputs, inner(x), num_levels=2)
    images = np.zeros((1, 2, 2, 1), "uint8")
    assert model.features(images, layer="first").shape == (1, 2, 2, 3)
    with pytest.raises(ValueError, match="`layer` must be given.*'first'"):
        model.features(images)


def test_no_images_have_no_features(model):
    none = catalogue.levels(model)[:0]
    assert model.features(none).shape == (0, 4, 5, 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layer": "nowhere"}, "must be the name of a layer"),
        ({"layer": "head"}, "must give features of pixels"),
        ({"pooling": "sum"}, "`pooling` must be one of"),
    ],
)
def test_wrong_arguments_are_refused(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.features(catalogue.levels(model), **arguments)
