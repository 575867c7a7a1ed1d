"""Presets so small that they load and draw within a second or two."""

import pytest

from keras_pixel.models import PixelCNN
from tests.support import catalogue

TINY = {
    "filters": 6,
    "num_blocks": 1,
    "first_kernel_size": 3,
    "head_filters": 0,
}


@pytest.fixture(scope="session")
def plain_preset(tmp_path_factory):
    """Folder of a preset of grey pictures."""
    model = catalogue.randomize(PixelCNN((4, 6, 1), 4, **TINY))
    return str(model.save_preset(tmp_path_factory.mktemp("demo") / "plain"))


@pytest.fixture(scope="session")
def class_preset(tmp_path_factory):
    """Folder of a preset of three classes, which may be left out."""
    model = PixelCNN((4, 4, 3), 8, num_classes=3, label_dropout=0.1, **TINY)
    model = catalogue.randomize(model)
    model.class_names = ["cat", "dog", "eel"]
    return str(model.save_preset(tmp_path_factory.mktemp("demo") / "classes"))
