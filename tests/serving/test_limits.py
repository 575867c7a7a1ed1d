"""No client takes more of the server than its share."""

import concurrent.futures
import contextlib
import json
import socket
import struct
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

pytest.importorskip("aiohttp", reason="needs the extra serve")
pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
requests = pytest.importorskip("requests", reason="needs the extra serve")
grpc = pytest.importorskip("grpc", reason="needs the extra serve")

from keras_pixel.export.servable import RequestError  # noqa: E402
from keras_pixel.export.servable import Servable  # noqa: E402
from tests.support.doubler import double  # noqa: E402
from tests.support.doubler import serve  # noqa: E402
from tests.support.doubler import wait_for  # noqa: E402
from tests.support.serving import predict_request  # noqa: E402


@pytest.fixture
def counting_folder(tmp_path, module):
    """Scores double at once or wait; samples count."""
    tf.saved_model.save(
        module,
        str(tmp_path / "models" / "doubler" / "1"),
        signatures={
            "serving_default": module.double,
            "at_once": module.double_at_once,
            "sample": module.count,
        },
    )
    return tmp_path / "models"


def post_and_leave(server, values):
    """A connection whose request is sent, and not answered yet."""
    body = json.dumps({"inputs": values}).encode()
    head = (
        "POST /v1/models/doubler:predict HTTP/1.1\r\nHost: a\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection = connect(server)
    connection.sendall(head.encode() + body)
    return connection


def connect(server):
    return socket.create_connection(("127.0.0.1", server.rest_port), 60)


def predict(server, signature, values, timeout=60):
    """Code and details of a gRPC call."""
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    request = predict_request(signature, values=np.array(values, "int32"))
    request.model_spec.name = "doubler"
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            stub.Predict(request, timeout=timeout)
        except grpc.RpcError as error:
            return error.code().name, error.details()
    return "OK", ""


ENDLESS = [2**31 - 1]


def test_what_takes_too_long_is_aborted(counting_folder):
    with serve(counting_folder, num_threads=1, request_timeout=0.5) as server:
        begun = time.monotonic()
        status, answer = double(server, ENDLESS, signature="sample")
        assert status == 504
        assert "within 0.5 seconds" in answer["error"] or (
            "aborted" in answer["error"]
        )
        code, details = predict(server, "sample", ENDLESS)
        assert code == "DEADLINE_EXCEEDED"
        assert "Send fewer rows" in details
        assert time.monotonic() - begun < 30
        # The only thread is free again.
        wait_for(lambda: server.pools.drawing.num_running == 0)
        answer = double(server, [3], signature="sample")
        assert answer == (200, {"outputs": [6]})


def test_clients_deadline_aborts_the_work(counting_folder):
    with serve(counting_folder, num_threads=1) as server:
        code, _ = predict(server, "sample", ENDLESS, timeout=0.5)
        assert code == "DEADLINE_EXCEEDED"
        wait_for(lambda: server.pools.drawing.num_running == 0)


def test_full_queue_refuses_and_leaves_the_other_kind_alone(
    counting_folder, module, go_on
):
    with (
        serve(counting_folder, num_threads=1, max_requests=2) as server,
        concurrent.futures.ThreadPoolExecutor(3) as pool,
    ):
        go_on.clear()
        asked = [pool.submit(double, server, [i]) for i in range(2)]
        # One is computed, and the other waits.
        wait_for(lambda: module.num_begun == 1)
        wait_for(lambda: server.pools.scores.num_waiting == 1)
        response = requests.post(
            f"http://127.0.0.1:{server.rest_port}/v1/models/doubler:predict",
            json={"inputs": [1]},
            timeout=60,
        )
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert "At most 2 requests" in response.json()["error"]
        code, details = predict(server, "", [1])
        assert (code, "At most 2 requests" in details) == (
            "RESOURCE_EXHAUSTED",
            True,
        )
        answer = double(server, [3], signature="sample")
        assert answer == (200, {"outputs": [6]})
        go_on.set()
        for i, future in enumerate(asked):
            assert future.result(60) == (200, {"outputs": [2 * i]})


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_clients_that_go_away_leave_no_work(
    counting_folder, module, go_on, protocol
):
    with (
        serve(counting_folder, num_threads=1, max_requests=2) as server,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        go_on.clear()
        first = pool.submit(double, server, [1])
        wait_for(lambda: module.num_begun == 1)
        for _ in range(3):
            if protocol == "rest":
                with post_and_leave(server, [2]):
                    wait_for(lambda: server.pools.scores.num_waiting == 1)
            else:
                assert predict(server, "", [2], timeout=0.2)[0] == (
                    "DEADLINE_EXCEEDED"
                )
            wait_for(lambda: server.pools.scores.num_waiting == 0)
        go_on.set()
        assert first.result(60) == (200, {"outputs": [2]})
        assert module.num_begun == 1


def test_client_that_does_not_read_is_cut_off(counting_folder, caplog):
    number = 700_000
    with (
        serve(counting_folder, read_timeout=2, max_batch_size=number) as server,
        connect(server) as connection,
    ):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = json.dumps(
            {"signature_name": "at_once", "inputs": [10**9] * number}
        ).encode()
        connection.sendall(
            b"POST /v1/models/doubler:predict HTTP/1.1\r\nHost: a\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        wait_for(lambda: server.connections.num_open == 1)
        wait_for(lambda: server.connections.num_open == 0)
    assert not caplog.records


@pytest.mark.parametrize("beginning", [b"", b"GET /v1/models/do", b"POST / HT"])
def test_silent_connection_is_closed(folder, beginning):
    with serve(folder, read_timeout=1) as server:
        with connect(server) as connection:
            connection.sendall(beginning)
            begun = time.monotonic()
            assert connection.recv(1000) == b""
            assert time.monotonic() - begun < 30
        wait_for(lambda: server.connections.num_open == 0)


def test_connections_are_counted(folder):
    with serve(folder, max_connections=2) as server:
        with connect(server), connect(server):
            wait_for(lambda: server.connections.num_open == 2)
            with connect(server) as third, contextlib.suppress(ConnectionError):
                assert third.recv(1000) == b""
        wait_for(lambda: server.connections.num_open == 0)
        assert double(server, [1]) == (200, {"outputs": [2]})


def test_rows_are_limited_without_a_file_that_says_it(folder):
    with serve(folder) as server:
        assert double(server, [1] * 256)[0] == 200
        status, answer = double(server, [1] * 257)
        assert status == 400 and "at most 256 rows" in answer["error"]


@pytest.mark.parametrize("name", ["request_timeout", "read_timeout"])
def test_time_must_be_positive(tmp_path, name):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        serve(tmp_path, **{name: 0})


# === Encoded pictures ===


class Lengths(tf.Module):
    """How long files are."""

    @tf.function(input_signature=[tf.TensorSpec((None,), "string", "files")])
    def of(self, files):
        return {"length": tf.strings.length(files)}


@pytest.fixture(scope="module")
def lengths(tmp_path_factory):
    """A function from files to their lengths, as pictures or examples."""
    folder = tmp_path_factory.mktemp("lengths")
    tf.saved_model.save(
        module := Lengths(),
        str(folder),
        signatures={
            name: tf.function(
                lambda files: module.of(files),
                input_signature=[tf.TensorSpec((None,), "string", name)],
            )
            for name in ("image_bytes", "examples")
        },
    )
    servable = Servable(folder)

    def ask(name, *files, timeout=None):
        inputs = {name: np.array(files, object)}
        outputs = servable.predict(name, inputs, timeout=timeout)
        return outputs["length"].tolist()

    return ask


def png(width, height):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)


def jpeg(width, height, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.jpg")
    data = (tmp_path / "picture.jpg").read_bytes()
    place = data.index(b"\xff\xc0") + 5  # after length and precision
    size = struct.pack(">HH", height, width)
    return data[:place] + size + data[place + 4 :]


def example(data):
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    features = tf.train.Features(feature={"image": value})
    return tf.train.Example(features=features).SerializeToString()


def test_what_is_too_late_already_is_not_begun(lengths):
    """TensorFlow takes 0 for no limit at all."""
    assert lengths("image_bytes", b"", timeout=60) == [0]
    for timeout in (0, -0.0001, -1):
        with pytest.raises(RequestError, match="answered in time") as caught:
            lengths("image_bytes", b"", timeout=timeout)
        assert caught.value.code == "DEADLINE_EXCEEDED"


def test_pictures_that_would_fill_the_memory_are_refused(lengths, tmp_path):
    good = [png(4096, 4096), jpeg(4096, 4096, tmp_path), b"", b"no picture"]
    assert lengths("image_bytes", *good) == list(map(len, good))
    assert len(lengths("examples", *map(example, good), b"\xff")) == 5
    for files in (
        [png(100_000, 100_000)],
        [png(2**31, 2**31)],
        [jpeg(60_000, 60_000, tmp_path)],
        [*good[:2], png(1, 1)],
    ):
        with pytest.raises(RequestError, match="at most 33554432 pixels"):
            lengths("image_bytes", *files)
        with pytest.raises(RequestError, match="at most 33554432 pixels"):
            lengths("examples", *map(example, files))
    for data in (b"GIF89a", b"RIFF1234WEBP"):
        with pytest.raises(RequestError, match="neither PNG nor JPEG"):
            lengths("image_bytes", data)
