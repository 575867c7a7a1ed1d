"""Does everything come back from its config?"""

import json

import keras
import numpy as np
import pytest

from tests.support import catalogue
from tests.support.catalogue import named


@pytest.mark.parametrize("case", **named(catalogue.LAYERS))
def test_layer_comes_back_from_its_config(case):
    layer = case.make()
    config = layer.get_config()
    assert set(case.arguments) <= set(config)
    again = case.layer_class.from_config(config)
    assert again.get_config() == config


@pytest.mark.parametrize("case", **named(catalogue.LAYERS))
def test_layer_with_other_dtype_and_name_comes_back(case):
    layer = case.layer_class(
        **case.arguments, name="other", dtype="mixed_bfloat16"
    )
    again = case.layer_class.from_config(layer.get_config())
    assert again.name == "other"
    assert again.compute_dtype == "bfloat16"


@pytest.mark.parametrize("case", **named(catalogue.LAYERS))
def test_layer_comes_back_in_a_serialized_graph(case):
    model = catalogue.randomize(case.on_features(3, 3))
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    features = np.random.rand(2, 3, 3, case.in_features).astype("float32")
    np.testing.assert_array_equal(again(features), model(features))


@pytest.mark.parametrize("case", **named(catalogue.MODELS))
def test_model_comes_back_from_its_config(case):
    model = case.make(name="other")
    config = model.get_config()
    assert set(case.arguments) <= set(config)
    assert json.loads(json.dumps(config)) is not None
    again = case.model_class.from_config(config)
    assert again.get_config() == config
    assert again.name == "other"
    again.set_weights(model.get_weights())
    images = catalogue.levels(model)
    np.testing.assert_array_equal(
        again(images, training=False), model(images, training=False)
    )


@pytest.mark.parametrize("case", **named(catalogue.MODELS))
def test_every_argument_of_a_model_is_in_its_config(case):
    import inspect

    parameters = inspect.signature(case.model_class).parameters.values()
    names = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    assert names | {"name"} == set(case.make().get_config())
    assert [*inspect.signature(case.model_class).parameters][:2] == [
        "image_shape",
        "num_levels",
    ]
