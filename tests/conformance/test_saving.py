"""Is a saved model the same model when it is loaded again?"""

import keras
import numpy as np
import pytest

import keras_pixel
from tests.support import catalogue
from tests.support.catalogue import named
from tests.support.catalogue import one_of_each

MODELS = catalogue.MODELS
# Learned positions are those of one image size.
OF_ANY_SIZE = [
    case
    for case in catalogue.trainable(catalogue.MODELS)
    if case.arguments.get("positional_encoding") != "learned"
]


def assert_same(again, model, name=None):
    assert type(again) is type(model)
    name = name or model.name
    assert again.get_config() == {**model.get_config(), "name": name}
    images = catalogue.levels(model)
    np.testing.assert_array_equal(
        again(images, training=False), model(images, training=False)
    )


@pytest.mark.parametrize("case", **named(MODELS, one_of_each(MODELS)))
def test_keras_file_gives_the_same_model(case, tmp_path):
    model = case.make()
    model.save(tmp_path / "model.keras")
    assert_same(keras.saving.load_model(tmp_path / "model.keras"), model)


@pytest.mark.parametrize("case", **named(MODELS, one_of_each(MODELS)))
def test_preset_gives_the_same_model(case, tmp_path):
    model = case.make()
    model.save_preset(tmp_path / "preset")
    assert_same(keras_pixel.load(tmp_path / "preset"), model, name="preset")


@pytest.mark.parametrize("case", **named(OF_ANY_SIZE, one_of_each(OF_ANY_SIZE)))
def test_preset_fits_a_larger_image(case, tmp_path):
    model = case.make()
    model.save_preset(tmp_path / "preset")
    shape = (5, 6, case.channels)
    again = keras_pixel.load(tmp_path / "preset", image_shape=shape)
    assert again.image_shape == shape
    for weight, expected in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_compiled_model_is_saved_and_trains_on(tmp_path):
    case = catalogue.MODELS[0]
    model = case.make()
    model.compile(optimizer="sgd")
    model.fit(catalogue.levels(model), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(again, model)
    assert again.optimizer is not None
