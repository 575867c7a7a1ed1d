"""Labels and a map by REST, by gRPC, and from the example clients."""

import importlib
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tests.support import catalogue
from tests.support.conditional_exports import conditions
from tests.support.serving import predict_request

CLIENTS = pathlib.Path(__file__).parents[2] / "export" / "clients"
requests = pytest.importorskip("requests", reason="needs the extra serve")
grpc = pytest.importorskip("grpc", reason="needs the extra serve")
pytest.importorskip("tensorflow_serving", reason="needs the extra serve")


@pytest.fixture(scope="module")
def images(told_model):
    return catalogue.levels(told_model, 2)


@pytest.fixture(scope="module")
def told(told_model):
    return {**conditions(told_model, 2), "labels": np.array([0, 2], "int32")}


def post(server, **request):
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/tiny:predict"
    return requests.post(url, json=request, timeout=60)


def as_json(**arrays):
    return {name: x.tolist() for name, x in arrays.items()}


def test_scores_by_rest(told_server, told_model, images, told):
    columns = as_json(images=images, **told)
    outputs = post(told_server, inputs=columns).json()["outputs"]
    expected = told_model.log_prob(images, **told)
    np.testing.assert_allclose(outputs["log_prob"], expected, 1e-5)
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    rows = post(told_server, instances=rows).json()["predictions"]
    scores = [row["log_prob"] for row in rows]
    np.testing.assert_allclose(scores, expected, 1e-5)
    # Other labels, other scores.
    columns["labels"] = [1, 1]
    outputs = post(told_server, inputs=columns).json()["outputs"]
    assert (np.abs(outputs["log_prob"] - expected) > 1e-3).all()


def test_samples_by_rest(told_server, told_model, told):
    noise = np.random.default_rng(0).random((2, 3, 4, 1), "float32")
    answer = post(
        told_server,
        signature_name="sample_from_noise",
        inputs=as_json(noise=noise, temperature=np.ones(2), **told),
    )
    expected = told_model.sample(noise=noise, **told)
    np.testing.assert_array_equal(answer.json()["outputs"], expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": [0, 4]}, "class ids from 0 to 2, or 3 for no label. "),
        ({"labels": [-1, 0]}, "Received: ids from -1 to 0"),
        ({"labels": [0.5, 0]}, "'labels' must hold integers"),
        ({"labels": [0]}, "same number of rows"),
        ({"condition": [[0.0], [0.0]]}, "shape .batch, 3, 4, 2."),
    ],
)
def test_rest_refuses_what_the_model_is_not_told(
    told_server, images, told, change, words
):
    inputs = {**as_json(images=images, **told), **change}
    answer = post(told_server, inputs=inputs)
    assert answer.status_code == 400
    assert words in answer.json()["error"].replace("(", ".").replace(")", ".")


def test_rest_says_what_is_missing(told_server, images):
    answer = post(told_server, inputs=as_json(images=images))
    assert answer.status_code == 400
    assert "['condition', 'images', 'labels']" in answer.json()["error"]


def test_grpc_refuses_a_label_out_of_range(told_server, images, told):
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    told = {**told, "labels": np.array([0, 4], "int32")}
    request = predict_request("serving_default", images=images, **told)
    address = f"127.0.0.1:{told_server.grpc_port}"
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "Received: ids from 0 to 4" in caught.value.details()
        told["labels"] = np.array([0, 3], "int32")
        request = predict_request("serving_default", images=images, **told)
        response = stub.Predict(request, timeout=60)
        scores = tf.make_ndarray(response.outputs["log_prob"])
        assert np.isfinite(scores).all()


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_clients_pass_it_on(
    told_server, told_model, images, told, kind, monkeypatch
):
    monkeypatch.syspath_prepend(str(CLIENTS))
    module = importlib.import_module(f"{kind}_client")
    if kind == "rest":
        client = module.RestClient(
            f"http://127.0.0.1:{told_server.rest_port}", "tiny"
        )
        told = as_json(**told)
    else:
        client = module.GrpcClient(f"127.0.0.1:{told_server.grpc_port}", "tiny")
    scores = client.score([x.tobytes() for x in images], **told)
    told = {name: np.array(x) for name, x in told.items()}
    expected = told_model.log_prob(images, **told)
    np.testing.assert_allclose([x for x, _ in scores], expected, 1e-5)


def test_clients_take_a_label(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(CLIENTS))
    pictures = importlib.import_module("pictures")
    received = []

    class Client:
        shape, num_levels = (2, 2, 1), 4

        def __init__(self, *address):
            pass

        def sample(self, seed, temperature, **told):
            received.append(told)
            return [bytes(4)] * len(seed)

    words = ["sample", "--model", "a", "--count", "3", "--batch-size", "2"]
    words += ["--output", str(tmp_path)]
    pictures.run(Client, "", [*words, "--label", "7"])
    pictures.run(Client, "", words)
    assert received == [{"labels": [7, 7]}, {"labels": [7]}, {}, {}]
