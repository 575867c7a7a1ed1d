"""Hidden states of a model, for downstream tasks."""

import keras
import numpy as np
import pytest

from keras_pixel import models
from tests.support import catalogue

TRAINABLE = catalogue.trainable(catalogue.MODELS)


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


@pytest.mark.parametrize(
    "case", **catalogue.named(TRAINABLE, catalogue.one_of_each(TRAINABLE))
)
def test_layers_of_every_family_by_name_and_by_index(case):
    model = case.make()
    names = model.feature_layers
    assert len(names) > 1
    images = catalogue.levels(model)
    found = model.features(images, layer=[0, names[-1]], pooling="mean")
    assert [x.shape[0] for x in found] == [2, 2]
    np.testing.assert_array_equal(
        found[1], model.features(images, layer=[-1], pooling="mean")[0]
    )
    # All of them are there, and are floats of every pixel.
    for feature in model.feature_model(names).outputs:
        assert feature.shape[1:3] == model.image_shape[:2]


def test_several_layers_in_one_pass(model):
    images = catalogue.levels(model, 5)
    both = model.features(images, layer=["first", -1], batch_size=2)
    for layer, features in zip(("first", -1), both, strict=True):
        np.testing.assert_allclose(
            features, model.features(images, layer=layer), atol=1e-6
        )
    assert [x.shape for x in model.features(images[:0], layer=["first"])] == [
        (0, 4, 5, 16)
    ]


def test_means_over_a_grid(model):
    images = catalogue.levels(model)
    features = model.features(images, layer="first")
    found = model.features(images, layer="first", pooling=(2, 2))
    # Columns 0 to 2 and 3 to 4: 5 columns do not split evenly.
    parts = [
        features[:, rows, columns].mean(axis=(1, 2))
        for rows in (slice(0, 2), slice(2, 4))
        for columns in (slice(0, 3), slice(3, 5))
    ]
    np.testing.assert_allclose(found, np.concatenate(parts, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layer": 99}, "`layer` must be an index of the model's"),
        ({"pooling": (5, 1)}, "`pooling` must have no more rows"),
        ({"pooling": (0, 1)}, "`pooling` must be a pair"),
    ],
)
def test_wrong_index_or_grid_is_refused(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.features(catalogue.levels(model), **arguments)
