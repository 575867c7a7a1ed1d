"""Small models and their exports, made once for all tests that read them."""

import pytest

# Where every test exports.
FOLDERS = ("/tests/export/", "/tests/serving/")
FILES = ("/tests/cli/test_export.py", "/tests/cli/test_serve.py")


def pytest_collection_modifyitems(items):
    exporting = [item for item in items if _exports(item.path.as_posix())]
    if not exporting:
        return
    import keras

    if keras.backend.backend() != "tensorflow":
        for item in exporting:
            item.add_marker(pytest.mark.skip(reason="exports need TensorFlow"))


def _exports(path):
    return path.endswith(FILES) or any(name in path for name in FOLDERS)


@pytest.fixture(scope="session")
def model():
    from tests.support import catalogue

    return catalogue.MODELS[0].make()


@pytest.fixture(scope="session")
def folder(model, tmp_path_factory):
    """A SavedModel of `model`."""
    from keras_pixel import export

    path = tmp_path_factory.mktemp("export") / "model" / "1"
    export.saved_model(model, path)
    return path


@pytest.fixture(scope="session")
def models_folder(model, tmp_path_factory):
    """A folder for TF-Serving with `model` in it, called tiny."""
    pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
    from keras_pixel import export

    path = tmp_path_factory.mktemp("serving") / "models"
    export.tf_serving({"tiny": model}, path, batch_sizes=(1, 2, 4))
    return path


@pytest.fixture(scope="session")
def server(models_folder):
    """A development server of `models_folder` on free ports."""
    with _serve(models_folder) as server:
        yield server


@pytest.fixture(scope="session")
def told_model():
    """A model that is told labels and a map."""
    from tests.support import conditional_exports

    return conditional_exports.rows()


@pytest.fixture(scope="session")
def told_models_folder(told_model, tmp_path_factory):
    """A folder for TF-Serving with `told_model` in it, called tiny."""
    pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
    from keras_pixel import export

    path = tmp_path_factory.mktemp("serving") / "told"
    export.tf_serving({"tiny": told_model}, path, batch_sizes=(1, 2))
    return path


@pytest.fixture(scope="session")
def told_server(told_models_folder):
    """A development server of `told_models_folder` on free ports."""
    with _serve(told_models_folder) as server:
        yield server


def _serve(folder):
    pytest.importorskip("aiohttp", reason="needs the extra serve")
    from keras_pixel.serving import DevelopmentServer

    return DevelopmentServer(
        folder,
        rest_port=0,
        grpc_port=0,
        max_batch_size=8,
        max_request_bytes=100_000,
    )
