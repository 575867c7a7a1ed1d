"""Images that are watched over HTTP while they are drawn."""

import json
import pathlib
import shutil
import socket

import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="needs the extra serve")
pytest.importorskip("tensorflow_serving", reason="needs the extra serve")
requests = pytest.importorskip("requests", reason="needs the extra serve")

from keras_pixel.export.warmup import WARMUP_FILE  # noqa: E402
from keras_pixel.serving import DevelopmentServer  # noqa: E402
from keras_pixel.serving import progress  # noqa: E402
from keras_pixel.serving.rest import METRICS_PATH  # noqa: E402
from tests.support import catalogue  # noqa: E402
from tests.support.doubler import wait_for  # noqa: E402


@pytest.fixture(scope="module")
def watched(cold_folder, model):
    with DevelopmentServer(
        cold_folder,
        rest_port=0,
        grpc_port=0,
        max_batch_size=8,
        read_timeout=2,
        models={"tiny": model},
    ) as server:
        yield server


@pytest.fixture(scope="module")
def cold_folder(models_folder, tmp_path_factory):
    """The models without requests to warm them up, which takes a while."""
    path = tmp_path_factory.mktemp("cold") / "models"
    ignored = shutil.ignore_patterns(pathlib.Path(WARMUP_FILE).name)
    return shutil.copytree(models_folder, path, ignore=ignored)


def watch(server, verb="sample_progressively", **body):
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/tiny:{verb}"
    return requests.post(url, json=body, stream=True, timeout=120)


INPUTS = {"seed": [3, 4], "temperature": [1.0, 0.7]}


def test_last_line_is_what_sample_gives(watched):
    response = watch(watched, inputs=INPUTS, num_updates=3)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in response.iter_lines()]
    assert len(lines) == 3
    drawn = [np.array(line["is_drawn"], bool) for line in lines]
    assert drawn[0].shape == (2, 4, 5)
    shares = [x.mean() for x in drawn]
    assert 0 < shares[0] < shares[1] < shares[2] == 1
    expected = watch(
        watched, "predict", signature_name="sample", inputs=INPUTS
    ).json()["outputs"]
    np.testing.assert_array_equal(lines[-1]["images"], expected)
    for line, there in zip(lines, drawn, strict=True):
        np.testing.assert_array_equal(
            line["images"], np.where(there[..., None], expected, 0)
        )


def test_an_error_after_the_first_line_is_the_last_line(
    watched, monkeypatch, capsys
):
    next_line = progress.Updates.next_line
    lines = []

    def fail_at_the_third(updates):
        if len(lines) == 2:
            raise MemoryError("no more")
        lines.append(next_line(updates))
        return lines[-1]

    monkeypatch.setattr(progress.Updates, "next_line", fail_at_the_third)
    response = watch(watched, inputs=INPUTS, num_updates=3)
    # To its end, which is a proper one.
    *drawn, last = [json.loads(line) for line in response.iter_lines()]
    assert drawn == [json.loads(line) for line in lines]
    assert last == {"error": "MemoryError: no more"}
    assert "fail_at_the_third" in capsys.readouterr().err
    metrics = requests.get(
        f"http://127.0.0.1:{watched.rest_port}{METRICS_PATH}", timeout=60
    ).text
    (line,) = [
        line
        for line in metrics.splitlines()
        if "requests_total" in line and 'status="INTERNAL"' in line
    ]
    assert 'method="SampleProgressively"' in line


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "must have 'inputs'"),
        ({"inputs": INPUTS, "seed": 1}, "must have 'inputs'"),
        ({"inputs": INPUTS, "num_updates": 0}, "`num_updates` must be"),
        ({"inputs": INPUTS, "num_updates": 10**9}, "`num_updates` must be"),
        ({"inputs": {"seed": [1]}}, "['seed', 'temperature']"),
        ({"inputs": {"seed": [1], "temperature": [0]}}, "above 0 and finite"),
        (
            {"inputs": {"seed": [1] * 9, "temperature": [1] * 9}},
            "at most 8 rows",
        ),
    ],
)
def test_bad_request_is_refused(watched, body, words):
    response = watch(watched, **body)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_model_that_was_not_given_is_refused(cold_folder):
    with DevelopmentServer(cold_folder, rest_port=0, grpc_port=0) as server:
        response = watch(server, inputs=INPUTS)
    assert response.status_code == 501
    assert "--progressive" in response.json()["error"]


def test_other_weights_are_refused(cold_folder):
    other = catalogue.MODELS[0].make()
    for weight in other.weights:
        weight.assign(weight + 0.1)
    with DevelopmentServer(
        cold_folder, rest_port=0, grpc_port=0, models={"tiny": other}
    ) as server:
        response = watch(server, inputs=INPUTS)
    assert response.status_code == 501
    assert "exported as. Received: another one" in response.json()["error"]


def test_model_that_is_not_served_is_refused(cold_folder, model):
    server = DevelopmentServer(
        cold_folder, rest_port=0, grpc_port=0, models={"other": model}
    )
    with pytest.raises(ValueError, match="`models` must have names of served"):
        server.start()


class Endless:
    """A model that draws again and again, and says how often."""

    def __init__(self, model):
        self.model = model
        self.num_drawn = 0
        self.is_closed = False

    def __getattr__(self, name):
        return getattr(self.model, name)

    def sample_progressively(self, **options):
        try:
            while True:
                self.num_drawn += 1
                # Longer than what the system keeps for a connection.
                yield np.zeros((8, 300, 300, 1), "uint8"), np.ones((8, 1, 1))
        finally:
            self.is_closed = True


@pytest.mark.parametrize("client", ["gone", "slow"])
def test_clients_that_do_not_read_leave_no_work(
    cold_folder, model, client, monkeypatch
):
    endless = Endless(model)
    monkeypatch.setattr(progress.checks, "check_scores", lambda *x, **y: None)
    with DevelopmentServer(
        cold_folder,
        rest_port=0,
        grpc_port=0,
        read_timeout=1,
        models={"tiny": endless},
    ) as server:
        body = json.dumps({"inputs": INPUTS}).encode()
        with socket.create_connection(("127.0.0.1", server.rest_port)) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(
                b"POST /v1/models/tiny:sample_progressively HTTP/1.1\r\n"
                b"Host: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            assert one.recv(12) == b"HTTP/1.1 200"
            if client == "slow":
                wait_for(lambda: endless.is_closed)
        wait_for(lambda: endless.is_closed)
        drawn = endless.num_drawn
        assert drawn < 20
        wait_for(lambda: server.pools.drawing.num_running == 0)
        assert endless.num_drawn == drawn


def test_too_many_watchers_are_refused(watched, monkeypatch):
    monkeypatch.setattr(progress, "MAX_STREAMS", 0)
    response = watch(watched, inputs=INPUTS)
    assert response.status_code == 503
    assert "may watch at once" in response.json()["error"]
