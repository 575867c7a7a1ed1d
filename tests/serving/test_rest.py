"""The development server's REST interface."""

import numpy as np
import pytest

requests = pytest.importorskip("requests", reason="needs the extra serve")


@pytest.fixture(scope="module")
def base(server):
    return f"http://127.0.0.1:{server.rest_port}/v1/models"


def post(url, **request):
    return requests.post(f"{url}:predict", json=request, timeout=60)


def get(url):
    return requests.get(url, timeout=60)


def images(rows=2, shape=(4, 5, 1)):
    random = np.random.default_rng(0)
    return random.integers(4, size=(rows, *shape)).astype("uint8")


def test_it_calls_itself_a_development_server(base):
    assert "development" in get(f"{base}/tiny").headers["Server"]


@pytest.mark.parametrize("path", ["tiny", "tiny/versions/1"])
def test_status(base, path):
    assert get(f"{base}/{path}").json() == {
        "model_version_status": [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


@pytest.mark.parametrize("path", ["tiny", "tiny/versions/1"])
def test_metadata(base, path):
    answer = get(f"{base}/{path}/metadata").json()
    assert answer["model_spec"]["name"] == "tiny"
    assert answer["model_spec"]["version"] == "1"
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    found = signatures["sample"]["inputs"]["seed"]
    assert found["dtype"] == "DT_INT32"
    assert found["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
    assert signatures["sample"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize("path", ["tiny", "tiny/versions/1"])
def test_instances_of_one_input(base, model, path):
    answer = post(f"{base}/{path}", instances=images().tolist()).json()
    scores = [row["log_prob"] for row in answer["predictions"]]
    np.testing.assert_allclose(scores, model.log_prob(images()), 1e-5)


def test_inputs_of_one_input(base, model):
    answer = post(f"{base}/tiny", inputs=images().tolist()).json()
    np.testing.assert_allclose(
        answer["outputs"]["bits_per_dim"], model.bits_per_dim(images()), 1e-5
    )


def test_inputs_and_instances_of_several_inputs_agree(base):
    mask = np.zeros((2, 4, 5), "int")
    mask[:, :2] = 1
    inputs = {
        "images": images().tolist(),
        "mask": mask.tolist(),
        "seed": [3, 4],
        "temperature": [1.0, 0.5],
    }
    columns = post(f"{base}/tiny", signature_name="complete", inputs=inputs)
    rows = [
        dict(zip(inputs, row, strict=True))
        for row in zip(*inputs.values(), strict=True)
    ]
    by_row = post(f"{base}/tiny", signature_name="complete", instances=rows)
    completed = np.array(columns.json()["outputs"])
    np.testing.assert_array_equal(completed, by_row.json()["predictions"])
    np.testing.assert_array_equal(completed[:, :2], images()[:, :2])


def test_sample_from_noise_gives_what_the_model_gives(base, model):
    noise = np.random.default_rng(1).random((2, 4, 5, 1), "float32")
    answer = post(
        f"{base}/tiny",
        signature_name="sample_from_noise",
        inputs={"noise": noise.tolist(), "temperature": [1, 1]},
    )
    np.testing.assert_array_equal(
        answer.json()["outputs"], model.sample(noise=noise)
    )


GOOD = [[[[0]] * 5] * 4]


@pytest.mark.parametrize(
    ("request_json", "words"),
    [
        ({"inputs": [[[0]]]}, "must have the shape .batch, 4, 5, 1."),
        ({"inputs": [[[[0.5]] * 5] * 4]}, "must hold integers"),
        ({"inputs": [[[[256]] * 5] * 4]}, "from 0 to 255"),
        ({"inputs": GOOD * 9}, "at most 8 rows. Received: 9 rows"),
        ({"inputs": GOOD, "signature_name": "draw"}, "must be one of .*'draw'"),
        ({"image": GOOD}, "either 'instances'"),
        (
            {
                "signature_name": "sample",
                "inputs": {"seed": [1, 2], "temperature": [1.0]},
            },
            "same number of rows",
        ),
        (
            {
                "signature_name": "sample",
                "inputs": {"seed": [], "temperature": []},
            },
            "must have rows",
        ),
        (
            {"signature_name": "sample", "inputs": {"seed": [1]}},
            "must have .'seed', 'temperature'.",
        ),
    ],
)
def test_bad_request_is_refused(base, request_json, words):
    response = post(f"{base}/tiny", **request_json)
    assert response.status_code == 400
    with pytest.raises(ValueError, match=words):
        raise ValueError(response.json()["error"])


def test_number_of_a_version_may_have_any_length(base):
    for digits in ("9" * 5000, "9" * 19, "9223372036854775808"):
        response = get(f"{base}/tiny/versions/{digits}")
        assert response.status_code == 400
        assert "below 2 ** 63" in response.json()["error"]


def test_body_that_is_not_encoded_as_it_says_is_refused(base):
    response = requests.post(
        f"{base}/tiny:predict",
        data=b'{"inputs": []}',
        headers={"Content-Encoding": "gzip"},
        timeout=60,
    )
    assert response.status_code == 400


def test_deep_json_is_refused(base):
    response = requests.post(
        f"{base}/tiny:predict",
        data='{"inputs": ' + "[" * 985 + "]" * 985 + "}",
        timeout=60,
    )
    assert response.status_code == 400


def test_error_is_short_and_keeps_its_way_out(base):
    response = post(f"{base}/tiny", **{"a" * 50_000: 1})
    assert response.status_code == 400
    assert len(response.text) < 1000
    assert "must have either" in response.json()["error"]


def test_broken_json_is_refused(base):
    response = requests.post(f"{base}/tiny:predict", data="{", timeout=60)
    assert response.status_code == 400
    assert "must be JSON" in response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/huge", 404, "must be one of ['tiny']"),
        ("GET", "/..", 400, "Malformed request"),
        ("GET", "/%2e%2e%2f", 400, "Malformed request"),
        ("GET", "/tiny/versions/2", 404, "must be one of [1]"),
        ("GET", "/tiny/versions/2/metadata", 404, "must be one of [1]"),
        ("GET", "/tiny/labels/stable", 400, "not know version labels"),
        ("POST", "/huge:predict", 404, "must be one of ['tiny']"),
        ("POST", "/tiny/versions/2:predict", 404, "must be one of [1]"),
        ("POST", "/tiny:classify", 501, "Use :predict"),
        ("POST", "/tiny:draw", 400, "Malformed request"),
        ("GET", "/tiny:predict", 400, "Malformed request"),
        ("PUT", "/tiny", 400, "Malformed request"),
        ("POST", "", 400, "Malformed request"),
        ("GET", "/", 400, "Malformed request"),
    ],
)
def test_wrong_address_is_refused(base, method, path, status, words):
    response = requests.request(
        method, base + path, json={"inputs": GOOD}, timeout=60
    )
    assert (response.status_code, words in response.text) == (status, True)


def test_long_request_is_refused(base, server):
    response = requests.post(
        f"{base}/tiny:predict", data=b" " * 100_001, timeout=60
    )
    assert response.status_code == 413
    assert "at most 100000 bytes" in response.json()["error"]


def test_long_request_of_unsaid_length_is_refused(base):
    pieces = (b" " * 10_000 for _ in range(11))
    response = requests.post(f"{base}/tiny:predict", data=pieces, timeout=60)
    assert response.status_code == 413


def test_list_of_models(base):
    assert get(base).json() == {
        "models": [{"name": "tiny", **get(f"{base}/tiny").json()}]
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_server_is_well(base, path):
    response = get(base.removesuffix("/v1/models") + path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def metrics(server):
    """Value of every series of the server's metrics."""
    from prometheus_client import parser

    response = get(
        f"http://127.0.0.1:{server.rest_port}/monitoring/prometheus/metrics"
    )
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_requests_are_counted(base, server):
    pytest.importorskip("prometheus_client")
    before = metrics(server)
    for _ in range(2):
        post(f"{base}/tiny", inputs=images(3).tolist())
    post(f"{base}/tiny", inputs=[[[0]]])
    post(f"{base}/no-such-model", inputs=[])
    post(f"{base}/tiny", inputs=[], signature_name="no-such-signature")
    after = metrics(server)
    grown = {
        key: value - before.get(key, 0)
        for key, value in after.items()
        if key[0].startswith("keras_pixel_")
        and not key[0].endswith(("_sum", "_created", "_bucket"))
        and "Metrics" not in key
        and value != before.get(key, 0)
    }

    def key(name, *labels):
        return (f"keras_pixel_{name}", *sorted(labels))

    known = ("Predict", "rest", "serving_default", "tiny")
    unknown = ("Predict", "rest", "", "tiny")
    nothing = ("Predict", "rest", "", "")
    assert grown == {
        key("requests_total", *known, "OK"): 2,
        key("requests_total", *unknown, "INVALID_ARGUMENT"): 2,
        key("requests_total", *nothing, "NOT_FOUND"): 1,
        key("request_duration_seconds_count", *known): 2,
        key("request_duration_seconds_count", *unknown): 2,
        key("request_duration_seconds_count", *nothing): 1,
        key("images_total", "serving_default", "tiny"): 6,
    }
    for pool in ("scores", "drawing"):
        assert after[key("requests_waiting", pool)] == 0
        assert after[key("requests_running", pool)] == 0
