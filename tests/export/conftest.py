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


@pytest.fixture(scope="session")
def models_folder(model, tmp_path_factory):
    """A folder for TF-Serving with `model` in it, called tiny."""
    pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
    path = tmp_path_factory.mktemp("serving") / "models"
    export.tf_serving({"tiny": model}, path, batch_sizes=(1, 2, 4))
    return path


@pytest.fixture(scope="session")
def server(models_folder):
    """A development server of `models_folder` on free ports."""
    pytest.importorskip("aiohttp", reason="needs the extra serve")
    from keras_pixel.export.server import DevelopmentServer

    with DevelopmentServer(
        models_folder,
        rest_port=0,
        grpc_port=0,
        max_batch_size=8,
        max_request_bytes=100_000,
    ) as server:
        yield server
