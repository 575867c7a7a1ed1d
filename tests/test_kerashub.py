"""A model as a task of KerasHub, where that is installed."""

import warnings

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel.models import PixelCNN
from tests.support import catalogue

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # KerasHub's own, when it is imported
    pytest.importorskip("keras_hub", reason="KerasHub is not installed.")
    from keras_pixel.kerashub import ImageGenerator

ARGUMENTS = {"filters": 4, "num_blocks": 1, "head_filters": 0}


@pytest.fixture(scope="module")
def model():
    return catalogue.randomize(PixelCNN((4, 4, 1), 3, **ARGUMENTS))


@pytest.fixture(scope="module")
def preset(model, tmp_path_factory):
    return model.save_preset(tmp_path_factory.mktemp("presets") / "tiny")


@pytest.fixture(scope="module")
def generator(preset):
    return ImageGenerator.from_preset(preset)


def test_generates_what_the_model_draws(generator, model):
    drawn = generator.generate(num_images=3, seed=1)
    np.testing.assert_array_equal(drawn, model.sample(3, seed=1))


def test_masks_say_what_is_drawn_anew(generator, model):
    images = model.sample(2, seed=2)
    masks = np.zeros((4, 4), bool)
    masks[2:] = True
    inputs = {"images": images, "masks": masks}
    drawn = generator.generate(inputs, seed=3)
    np.testing.assert_array_equal(drawn[:, :2], images[:, :2])
    np.testing.assert_array_equal(drawn, model.complete(images, ~masks, seed=3))


def test_labels_say_what_is_drawn():
    labelled = PixelCNN((4, 4, 1), 3, num_classes=2, **ARGUMENTS)
    catalogue.randomize(labelled)
    drawn = ImageGenerator(labelled).generate([0, 1], seed=1)
    expected = labelled.sample(labels=[0, 1], seed=1)
    np.testing.assert_array_equal(drawn, expected)


def test_saves_what_keras_pixel_loads(generator, model, tmp_path):
    generator.save_to_preset(tmp_path / "saved")
    images = model.sample(2, seed=0)
    loaded = keras_pixel.load(tmp_path / "saved")
    np.testing.assert_allclose(
        loaded.log_prob(images), model.log_prob(images), rtol=1e-6
    )


def test_a_keras_file_gives_it_back(generator, model, tmp_path):
    path = str(tmp_path / "generator.keras")
    generator.save(path)
    again = keras.saving.load_model(path)
    assert isinstance(again, ImageGenerator)
    images = model.sample(2, seed=0)
    np.testing.assert_allclose(
        again.predict(images, verbose=0),
        model.predict(images, verbose=0),
        rtol=1e-6,
    )


def test_trains_the_backbone(preset):
    generator = ImageGenerator.from_preset(preset)
    images = np.zeros((16, 4, 4, 1), "uint8")
    generator.compile(keras.optimizers.Adam(0.01))
    before = generator.evaluate(images, verbose=0, return_dict=True)
    generator.fit(images, epochs=3, verbose=0)
    after = generator.evaluate(images, verbose=0, return_dict=True)
    assert after["bits_per_dim"] < before["bits_per_dim"]


def test_weights_at_random_when_asked(preset, model):
    generator = ImageGenerator.from_preset(preset, load_weights=False)
    images = model.sample(2, seed=0)
    difference = generator.backbone.log_prob(images) - model.log_prob(images)
    assert np.abs(difference).max() > 0.01


def test_an_altered_preset_is_refused(preset, tmp_path):
    copy = tmp_path / "altered"
    copy.mkdir()
    for path in preset.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="sha256"):
        ImageGenerator.from_preset(copy)


def test_refuses_other_backbones():
    with pytest.raises(TypeError, match="PixelModel.*Received: backbone="):
        ImageGenerator(keras.Sequential())


def test_refuses_a_preprocessor(model):
    with pytest.raises(ValueError, match="None.*Received: preprocessor="):
        ImageGenerator(model, preprocessor=keras.layers.Rescaling(1 / 255))


def test_refuses_images_without_masks(generator, model):
    with pytest.raises(ValueError, match=r"Received: inputs with \['images'\]"):
        generator.generate({"images": model.sample(1, seed=0)})
