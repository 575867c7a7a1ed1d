"""Versions come and go while the server runs."""

import concurrent.futures
import pathlib
import resource
import shutil
import weakref

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("aiohttp", reason="needs the extra serve")
pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
requests = pytest.importorskip("requests", reason="needs the extra serve")

from keras_pixel.export.warmup import WARMUP_FILE  # noqa: E402
from keras_pixel.serving.repository import ModelRepository  # noqa: E402
from tests.support.doubler import double  # noqa: E402
from tests.support.doubler import serve  # noqa: E402
from tests.support.doubler import state  # noqa: E402
from tests.support.doubler import states  # noqa: E402
from tests.support.doubler import wait_for  # noqa: E402
from tests.support.serving import predict_request  # noqa: E402


def add_version(folder, warmup=None):
    """Version 2 like version 1, with a warm-up request for a signature."""
    shutil.copytree(folder / "doubler" / "1", folder / "new")
    if warmup is not None:
        write_warmup(folder / "new", warmup)
    (folder / "new").rename(folder / "doubler" / "2")


def write_warmup(version, signature):
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = predict_request(signature, values=np.array([1], "int32"))
    log.predict_log.request.CopyFrom(request)
    (version / WARMUP_FILE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(version / WARMUP_FILE)) as writer:
        writer.write(log.SerializeToString())


def test_version_is_warm_before_it_is_served(folder, module, go_on):
    with serve(folder) as server:
        go_on.clear()
        add_version(folder, warmup="")
        wait_for(lambda: module.num_begun == 1)
        assert (state(server, 1), state(server, 2)) == ("AVAILABLE", "LOADING")
        assert server.repository.servable("doubler")[0] == 1
        go_on.set()
        wait_for(lambda: state(server, 2) == "AVAILABLE")
        assert server.repository.servable("doubler")[0] == 2


def test_version_that_cannot_be_warmed_up_is_not_served(folder, capsys):
    with serve(folder) as server:
        add_version(folder, warmup="unknown")
        wait_for(lambda: state(server, 2) == "END")
        message = states(server)[2]["status"]["error_message"]
        assert "must be one of ['serving_default']" in message
        assert state(server, 1) == "AVAILABLE"
        assert double(server, [1]) == (200, {"outputs": [2]})
    assert "Version 2 of 'doubler' cannot be loaded" in capsys.readouterr().err


def test_old_version_ends_with_its_last_request(folder, module, go_on):
    with (
        serve(folder) as server,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        old = weakref.ref(server.repository.servable("doubler")[1])
        go_on.clear()
        last = pool.submit(double, server, [1])
        wait_for(lambda: module.num_begun == 1)
        add_version(folder)
        wait_for(lambda: state(server, 2) == "AVAILABLE")
        assert state(server, 1) == "UNLOADING"
        assert old() is not None
        go_on.set()
        assert last.result(60) == (200, {"outputs": [2]})
        wait_for(lambda: state(server, 1) == "END")
        assert old() is None


def test_version_that_fails_leaves_nothing_in_memory(folder, monkeypatch):
    write_warmup(folder / "doubler" / "1", "unknown")
    loaded = []
    from keras_pixel.serving import repository

    make = repository.Servable

    def load(*arguments):
        servable = make(*arguments)
        loaded.append(weakref.ref(servable))
        return servable

    monkeypatch.setattr(repository, "Servable", load)
    models = ModelRepository(folder)
    models.refresh()
    assert models.versions("doubler")[1].error is not None
    assert [one() for one in loaded] == [None]


def test_server_is_ready_while_every_model_is_served(folder):
    with serve(folder) as server:
        url = f"http://127.0.0.1:{server.rest_port}"
        assert requests.get(f"{url}/readyz", timeout=60).status_code == 200
        graph = folder / "doubler" / "1" / "saved_model.pb"
        # A second version keeps the model in the folder.
        (folder / "doubler" / "2").mkdir()
        (folder / "doubler" / "2" / "saved_model.pb").write_bytes(b"\xff")
        graph.unlink()
        wait_for(lambda: state(server, 1) is None)
        response = requests.get(f"{url}/readyz", timeout=60)
        assert response.status_code == 503
        assert "none of ['doubler']" in response.json()["error"]
        assert requests.get(f"{url}/healthz", timeout=60).status_code == 200


class Large(tf.Module):
    """A model of 64 MiB."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable(tf.ones((2**24,)))

    @tf.function(input_signature=[tf.TensorSpec((None,), "float32", "values")])
    def add(self, values):
        return {"sum": values + tf.reduce_sum(self.weights)}


def resident_bytes():
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/statm").exists(), reason="needs Linux"
)
def test_memory_is_given_back(tmp_path):
    module = Large()
    path = tmp_path / "large"
    tf.saved_model.save(module, str(path / "1"), signatures=module.add)
    del module
    models = ModelRepository(tmp_path)
    sizes = []
    for number in range(1, 7):
        models.refresh()
        version, servable = models.servable("large")
        assert version == number
        servable.predict("", {"values": np.ones(1, "float32")})
        del servable
        sizes.append(resident_bytes())
        (path / str(number)).rename(path / str(number + 1))
    # Two at once while one replaces the other, and no more.
    assert sizes[-1] - sizes[2] < 2**26
