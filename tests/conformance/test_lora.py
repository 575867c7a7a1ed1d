"""Is a layer with LoRA the layer whose kernels are the sums, on both sides?"""

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel import models
from keras_pixel.layers.lora import LoraLayer
from tests.support import catalogue
from tests.support.catalogue import named
from tests.support.low_rank import factors
from tests.support.low_rank import with_lora
from tests.support.smallest import SMALLEST
from tests.support.stepping import assert_steps_are_the_call

# Of each class the last: it has the most arguments.
LAYERS = {
    case.layer_class: case
    for case in catalogue.decodable(catalogue.LAYERS)
    if issubclass(case.layer_class, LoraLayer)
}
TRAINED = {
    case.model_class for case in catalogue.trainable(catalogue.MODELS)
} & set(SMALLEST)


def test_every_layer_with_kernels_has_it():
    cases = {case.layer_class: case for case in catalogue.LAYERS}
    # Keras' own layers are inside it.
    del cases[keras_pixel.layers.PerSubPixel]
    found = set()
    for layer_class, case in cases.items():
        for layer in case.on_features(4, 4).layers:
            names = [weight.name for weight in layer.weights]
            if isinstance(layer, layer_class) and "kernel" in str(names):
                found.add(layer_class)
    assert found == {x for x in cases if issubclass(x, LoraLayer)}
    assert len(found) > 8


@pytest.mark.parametrize("case", **named(LAYERS.values()))
def test_layer(case, tmp_path):
    model = catalogue.randomize(case.on_levels(3, 5))
    images = np.random.randint(4, size=(2, 3, 5, case.channels))
    before = np.asarray(model(images))
    number = len(model.weights)
    trained = len(model.trainable_weights)
    with_lora(model)
    # A kernel is no longer trained; two factors are.
    kernels = len(factors(model)) // 2
    assert kernels and len(model.trainable_weights) == trained + kernels
    after = np.asarray(model(images))
    assert np.abs(after - before).max() > 1e-3
    assert_steps_are_the_call(model, images)
    model.save_weights(tmp_path / "x.weights.h5")
    again = case.on_levels(3, 5)
    again.load_weights(tmp_path / "x.weights.h5")
    assert len(again.weights) == number
    np.testing.assert_allclose(again(images), after, rtol=1e-4, atol=1e-5)


def arguments(family):
    # Another lag cannot be drawn step by step.
    lag = {"lag": 1} if family is models.PixelCNNPlusPlus else {}
    return {**SMALLEST[family], **lag}


@pytest.fixture(scope="module")
def made():
    """Models by their class, each made once."""
    kept = {}

    def make(family):
        if family not in kept:
            model = family((3, 4, 3), 4, **arguments(family))
            kept[family] = with_lora(catalogue.randomize(model, seed=2))
        return kept[family]

    return make


@pytest.mark.parametrize("family", sorted(TRAINED, key=lambda x: x.__name__))
class TestFamily:
    def test_only_factors_and_small_weights_are_trained(self, made, family):
        model = made(family)
        trained = {id(weight) for weight in model.trainable_weights}
        assert {id(weight) for weight in factors(model)} <= trained
        kernels = [x for x in model.weights if x.name.endswith("kernel")]
        assert kernels and not {id(x) for x in kernels} & trained

    def test_it_stays_causal(self, made, family):
        assert keras_pixel.check_causality(made(family)) is None

    def test_its_steps_are_its_call(self, made, family):
        model = made(family)
        assert_steps_are_the_call(model, catalogue.levels(model))

    def test_preset_has_the_sums(self, made, family, tmp_path):
        model = made(family)
        plain = family((3, 4, 3), 4, **arguments(family))
        catalogue.randomize(plain, seed=2)
        again = keras_pixel.load(model.save_preset(tmp_path / "preset"))
        assert not factors(again)
        assert again.count_params() == plain.count_params()
        assert_same_parameters(again, model)
        with pytest.raises(AssertionError):
            assert_same_parameters(plain, model)


def test_keras_file_has_the_sums(made, tmp_path):
    model = made(models.PixelCNN)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not factors(again)
    assert_same_parameters(again, model)


def assert_same_parameters(found, model):
    images = catalogue.levels(model)
    found, expected = (x(images, training=False) for x in (found, model))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
