"""What a page knows of models, and which of them it keeps."""

import numpy as np
import pytest
from PIL import Image

import keras_pixel
from keras_pixel.data import cut_sheet
from keras_pixel.demo.shelf import Shelf


def test_the_zoo_without_text_and_actions():
    names = Shelf().names
    assert "pixelcnn_mnist" in names
    assert set(names) < set(keras_pixel.list_models())
    assert not {"wavenet_docstrings", "pixellstm_obstacle"} & set(names)


def test_card_is_known_before_the_model_is_loaded():
    shelf = Shelf(["pixelcnn_mnist_labels", "pixelcnn_cifar10"])
    card = shelf.card("pixelcnn_mnist_labels")
    assert card.image_shape == (28, 28, 1)
    assert card.class_names == tuple("0123456789")
    assert card.can_do_without
    assert "52.78 nats per image on mnist" in card.summary
    card = shelf.card("pixelcnn_cifar10")
    assert (card.class_names, card.can_do_without) == ((), False)
    assert "32×32×3, 256 levels" in card.summary
    assert "3.628 bits/dim on cifar10" in card.summary
    assert not shelf.is_loaded("pixelcnn_cifar10")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wavenet_docstrings", "several rows"),
        ("no_such_preset", "no_such_preset"),
    ],
)
def test_what_is_no_picture_is_refused_at_once(name, words):
    with pytest.raises(ValueError, match=words):
        Shelf([name])


def test_every_name_is_one_of_the_shelf(plain_preset):
    with pytest.raises(ValueError, match="one of those on the page"):
        Shelf([plain_preset]).model("pixelcnn_mnist")


def test_models_used_last_are_kept(plain_preset, class_preset):
    shelf = Shelf([plain_preset, class_preset], most_kept=1)
    first = shelf.model(plain_preset)
    assert shelf.model(plain_preset) is first
    shelf.model(class_preset)
    assert not shelf.is_loaded(plain_preset)
    assert shelf.is_loaded(class_preset)
    assert shelf.model(plain_preset) is not first


def test_models_that_need_a_context_are_refused(tmp_path):
    import keras

    encoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model = keras_pixel.PixelCNN(
        (4, 4, 1), 2, filters=4, num_blocks=1, head_filters=0, condition=encoder
    )
    folder = str(model.save_preset(tmp_path / "told"))
    with pytest.raises(ValueError, match="encoder of contexts"):
        Shelf([folder]).model(folder)


def test_examples_are_of_the_sample_sheet_and_a_black_one(plain_preset):
    shelf = Shelf([plain_preset, "pixelcnn_mnist_labels"])
    np.testing.assert_array_equal(
        shelf.examples(plain_preset), np.zeros((1, 4, 6, 1))
    )
    *drawn, black = shelf.examples("pixelcnn_mnist_labels")
    assert black.sum() == 0
    path = keras_pixel.presets.folders.find("pixelcnn_mnist_labels")
    with Image.open(path / "samples.png") as sheet:
        values = np.asarray(sheet.convert("RGB"))
    published = cut_sheet(values, (28, 28, 1), 2)
    assert len(drawn) == 7
    # From all over the sheet.
    for image, row in ((drawn[0], 0), (drawn[-1], len(published) - 1)):
        np.testing.assert_array_equal(image, published[row])
