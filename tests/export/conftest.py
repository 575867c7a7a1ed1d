import keras
import pytest

from keras_pixel import export
from tests.support import catalogue


def pytest_collection_modifyitems(items):
    if keras.backend.backend() == "tensorflow":
        return
    for item in items:
        if "/tests/export/" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason="exports need TensorFlow"))


@pytest.fixture(scope="session")
def model():
    return catalogue.MODELS[0].make()


@pytest.fixture(scope="session")
def folder(model, tmp_path_factory):
    """A SavedModel of `model`."""
    path = tmp_path_factory.mktemp("export") / "model" / "1"
    export.saved_model(model, path)
    return path
