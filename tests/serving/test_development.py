"""The development server as a whole: start, load, limits, stop."""

import concurrent.futures
import contextlib
import gc
import shutil
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("aiohttp", reason="needs the extra serve")
pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
requests = pytest.importorskip("requests", reason="needs the extra serve")

from keras_pixel.export import servable  # noqa: E402
from keras_pixel.export.model_folders import find_versions  # noqa: E402
from keras_pixel.serving import DevelopmentServer  # noqa: E402
from keras_pixel.serving.repository import ModelRepository  # noqa: E402
from tests.support.doubler import double  # noqa: E402
from tests.support.doubler import serve  # noqa: E402
from tests.support.doubler import state  # noqa: E402
from tests.support.doubler import states  # noqa: E402
from tests.support.doubler import wait_for  # noqa: E402


def test_listens_on_this_machine_alone(folder):
    with serve(folder) as server:
        assert server.host == "127.0.0.1"
        for port in (server.rest_port, server.grpc_port):
            with socket.create_connection(("127.0.0.1", port), 10) as found:
                assert found.getpeername()[0] == "127.0.0.1"
            # All of 127.0.0.0/8 is this machine; it listens on one of it.
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.2", port), 10)


def test_requests_run_at_once_and_are_finished_on_stop(folder, module, go_on):
    server = serve(folder, num_threads=4, max_requests=5).start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        go_on.clear()
        asked = [pool.submit(double, server, [i]) for i in range(7)]
        wait_for(lambda: module.num_begun >= 2)
        # Five at work or waiting; more are refused at once.
        wait_for(lambda: sum(future.done() for future in asked) == 2)
        stop = pool.submit(server.stop)
        time.sleep(0.2)
        assert not stop.done()
        go_on.set()
        answers = [future.result(60) for future in asked]
        stop.result(60)
    assert sorted(status for status, _ in answers) == [200] * 5 + [503] * 2
    for i, (status, answer) in enumerate(answers):
        assert status == 503 or answer == {"outputs": [2 * i]}
    assert not accepts(server.rest_port)
    assert not accepts(server.grpc_port)


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except OSError:
        return False
    return True


def test_scores_do_not_wait_for_drawing(tmp_path, module, go_on):
    tf.saved_model.save(
        module,
        str(tmp_path / "doubler" / "1"),
        signatures={
            "serving_default": module.double_at_once,
            "sample": module.double,
        },
    )
    with (
        serve(tmp_path, num_threads=1) as server,
        concurrent.futures.ThreadPoolExecutor(3) as pool,
    ):
        go_on.clear()
        drawing = [
            pool.submit(double, server, [i], signature="sample")
            for i in range(3)
        ]
        wait_for(lambda: module.num_begun == 1)
        assert double(server, [1]) == (200, {"outputs": [2]})
        assert not any(future.done() for future in drawing)
        go_on.set()
        for i, future in enumerate(drawing):
            assert future.result(60) == (200, {"outputs": [2 * i]})


def test_new_version_replaces_the_old_one(folder):
    with serve(folder) as server:
        assert double(server, [1], version=2)[0] == 404
        shutil.copytree(folder / "doubler" / "1", folder / "new")
        (folder / "new").rename(folder / "doubler" / "2")
        wait_for(lambda: state(server, 1) == "END")
        assert state(server, 2) == "AVAILABLE"
        assert double(server, [1]) == (200, {"outputs": [2]})
        assert double(server, [1], version=2) == (200, {"outputs": [2]})
        # As TF-Serving does by the models.config that is written.
        assert double(server, [1], version=1)[0] == 404
        shutil.rmtree(folder / "doubler" / "2")
        wait_for(lambda: state(server, 1) == "AVAILABLE")
        wait_for(lambda: 2 not in states(server))
        assert double(server, [1]) == (200, {"outputs": [2]})
        assert double(server, [1], version=2)[0] == 404


@pytest.mark.parametrize("damage", ["garbage", "no variables"])
def test_broken_new_version_changes_nothing(folder, damage, capsys):
    whole, new = folder / "doubler" / "1", folder / "doubler" / "2"
    with serve(folder) as server:
        shutil.copytree(whole, folder / "new")
        if damage == "garbage":
            (folder / "new" / "saved_model.pb").write_bytes(b"\xff\xff")
        else:
            shutil.rmtree(folder / "new" / "variables")
        (folder / "new").rename(new)
        wait_for(lambda: state(server, 2) == "END")
        assert states(server)[2]["status"]["error_code"] == "UNKNOWN"
        assert states(server)[2]["status"]["error_message"]
        assert state(server, 1) == "AVAILABLE"
        assert double(server, [1]) == (200, {"outputs": [2]})
        status, answer = double(server, [1], version=2)
        assert status == 404 and "cannot be loaded" in answer["error"]
        # It is tried again when it is mended.
        shutil.copytree(whole, new, dirs_exist_ok=True)
        wait_for(lambda: state(server, 2) == "AVAILABLE")
    assert "Version 2 of 'doubler' cannot be loaded" in capsys.readouterr().err


def test_models_are_warmed_up_when_they_are_loaded(models_folder, monkeypatch):
    replayed = []

    def predict(self, signature_name, inputs):
        replayed.append(signature_name)

    monkeypatch.setattr(servable.Servable, "predict", predict)
    repository = ModelRepository(models_folder)
    repository.refresh()
    assert sorted(replayed) == repository.servable("tiny")[1].signature_names
    repository.refresh()
    assert len(replayed) == 6


def open_request(server):
    """A connection whose request has one byte of ten."""
    address = ("127.0.0.1", server.rest_port)
    connection = socket.create_connection(address, 60)
    head = "POST /v1/models/doubler:predict HTTP/1.1\r\nHost: a\r\n"
    connection.sendall(f"{head}Content-Length: 10\r\n\r\n{{".encode())
    return connection


def test_requests_that_do_not_come_lock_nobody_out(folder):
    with serve(folder, max_requests=1, read_timeout=2) as server:
        connections = [open_request(server) for _ in range(3)]
        assert double(server, [1]) == (200, {"outputs": [2]})
        for connection in connections:
            with connection:
                assert b" 408 " in connection.recv(1000).split(b"\r\n")[0]


def test_request_that_does_not_come_does_not_hold_up_the_end(folder):
    server = serve(folder, read_timeout=60, stop_timeout=60).start()
    with open_request(server) as connection:
        time.sleep(0.5)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 30
        assert b" 503 " in connection.recv(1000).split(b"\r\n")[0]


def test_what_takes_too_long_does_not_hold_up_the_end(tmp_path, module):
    tf.saved_model.save(
        module,
        str(tmp_path / "models" / "doubler" / "1"),
        signatures=module.count.get_concrete_function(),
    )
    server = serve(tmp_path / "models", stop_timeout=0.5).start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(double, server, [2**31 - 1])  # for minutes
        wait_for(lambda: server.pools.scores.num_running)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 20
        with pytest.raises(requests.exceptions.ConnectionError):
            asked.result(20)


def test_a_server_may_be_started_again(folder):
    server = serve(folder)
    for _ in range(2):
        with server:
            assert double(server, [3]) == (200, {"outputs": [6]})


def test_what_is_no_http_is_not_logged(folder, caplog):
    with serve(folder) as server:
        address = ("127.0.0.1", server.rest_port)
        with socket.create_connection(address, 10) as client:
            client.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.0 400")
        assert double(server, [3]) == (200, {"outputs": [6]})
    assert not [x for x in caplog.records if x.name == "keras_pixel.http"]


def test_batches_are_as_large_as_tf_serving_takes(folder):
    (folder / "batching.config").write_text("max_batch_size { value: 2 }")
    with serve(folder) as server:
        assert double(server, [1, 2]) == (200, {"outputs": [2, 4]})
        status, answer = double(server, [1, 2, 3])
        assert status == 400 and "at most 2 rows" in answer["error"]
    with serve(folder, max_batch_size=3) as server:
        assert double(server, [1, 2, 3]) == (200, {"outputs": [2, 4, 6]})


def test_error_of_the_model_is_an_error_of_one_request(folder, go_on, capsys):
    with serve(folder) as server:
        go_on.wait = lambda timeout: 1 / 0
        status, answer = double(server, [1])
        del go_on.wait
        assert status in (400, 500)
        assert answer["error"]
        assert double(server, [1]) == (200, {"outputs": [2]})


def test_folder_of_one_model_will_do(folder):
    with serve(folder / "doubler") as server:
        assert server.repository.names() == ["doubler"]


@pytest.mark.parametrize("name", ["rest_port", "grpc_port"])
def test_taken_port_is_refused(folder, name):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {"rest_port": 0, "grpc_port": 0, name: taken.getsockname()[1]}
        with pytest.raises(OSError, match=f"`{name}` must be free"):
            DevelopmentServer(folder, **ports).start()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rest_port": -1}, "`rest_port` must be an integer from 0"),
        ({"grpc_port": 70_000}, "`grpc_port` must be an integer from 0"),
        (
            {"max_batch_size": 0},
            "`max_batch_size` must be an integer",
        ),
        (
            {"max_request_bytes": 0},
            "`max_request_bytes` must be an integer",
        ),
    ],
)
def test_bad_argument_is_refused(tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        DevelopmentServer(tmp_path, **options)


def test_folder_without_models_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        serve(tmp_path / "none").start()
    (tmp_path / "model" / "1").mkdir(parents=True)
    with pytest.raises(ValueError, match="NAME/VERSION/saved_model.pb"):
        serve(tmp_path).start()


def test_damaged_model_is_refused_at_once(tmp_path):
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").write_bytes(b"\xff\xff")
    with pytest.raises(ValueError, match="must be whole"):
        serve(tmp_path).start()


def test_what_is_no_version_is_passed_over(tmp_path):
    for name in ("1", "12", "3", ".4.tmp", "five", "²", "-6"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "7").mkdir()
    assert list(find_versions(tmp_path)) == [1, 3, 12]


@pytest.mark.slow
def test_connections_made_while_it_stops_are_closed(folder):
    """One that is not is a ResourceWarning, and that is an error here."""
    done = threading.Event()

    def connect(port):
        while not done.is_set():
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 10).close()

    for _ in range(4):
        server = serve(folder).start()
        done.clear()
        thread = threading.Thread(target=connect, args=(server.rest_port,))
        thread.start()
        time.sleep(0.05)
        server.stop()
        done.set()
        thread.join()
        gc.collect()


def test_stop_twice_is_no_error(folder):
    server = serve(folder).start()
    server.stop()
    server.stop()
    np.testing.assert_equal(accepts(server.rest_port), False)
