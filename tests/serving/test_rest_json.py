"""JSON of requests and answers, by hand-made signatures."""

import base64
import json
import math
import tracemalloc

import numpy as np
import pytest

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import TensorSpec
from keras_pixel.serving import rest_json


def spec(name, dtype, *shape):
    return TensorSpec(name, np.dtype(dtype), (None, *shape))


PIXELS = {"images": spec("images", "uint8", 2)}
SAMPLE = {
    "seed": spec("seed", "int32"),
    "temperature": spec("temperature", "float32"),
}
FILES = {"files": spec("files", object)}


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


@pytest.mark.parametrize(
    ("style", "value", "specs", "expected"),
    [
        ("inputs", [[1, 2]], PIXELS, {"images": [[1, 2]]}),
        ("inputs", {"images": [[1, 2]]}, PIXELS, {"images": [[1, 2]]}),
        ("instances", [[1, 2], [3, 4]], PIXELS, {"images": [[1, 2], [3, 4]]}),
        ("instances", [{"images": [1, 2]}], PIXELS, {"images": [[1, 2]]}),
        (
            "instances",
            [{"seed": 3, "temperature": 1}, {"seed": 4, "temperature": 0.5}],
            SAMPLE,
            {"seed": [3, 4], "temperature": [1.0, 0.5]},
        ),
        (
            "inputs",
            {"seed": [3, 4], "temperature": [1, 0.5]},
            SAMPLE,
            {"seed": [3, 4], "temperature": [1.0, 0.5]},
        ),
    ],
)
def test_inputs_are_decoded(style, value, specs, expected):
    decoded = rest_json.decode_inputs(style, value, specs)
    assert {k: v.tolist() for k, v in decoded.items()} == expected
    assert {k: v.dtype for k, v in decoded.items()} == {
        k: v.dtype for k, v in specs.items()
    }


@pytest.mark.parametrize(
    ("style", "value"),
    [
        ("inputs", [b64(b"a\0"), "b"]),
        ("instances", [b64(b"a\0"), "b"]),
        ("instances", [{"files": b64(b"a\0")}, {"files": "b"}]),
    ],
)
def test_base64_is_decoded_for_strings(style, value):
    decoded = rest_json.decode_inputs(style, value, FILES)
    assert decoded["files"].tolist() == [b"a\0", b"b"]


def test_lone_base64_object_is_a_value():
    decoded = rest_json.decode_inputs("inputs", b64(b"a"), FILES)
    assert decoded["files"].item() == b"a"


@pytest.mark.parametrize(
    ("style", "value", "specs", "words"),
    [
        ("inputs", [[1.5, 2]], PIXELS, "must hold integers .uint8."),
        ("inputs", [[True, False]], PIXELS, "must hold integers"),
        ("inputs", [[1, True]], PIXELS, "must hold integers"),
        ("inputs", [[[1], [2]]], PIXELS, "more than 2 deep"),
        ("inputs", [[1, None]], PIXELS, "must hold integers"),
        ("inputs", [["1", "2"]], PIXELS, "must hold integers"),
        ("inputs", [[256, 0]], PIXELS, "from 0 to 255 .uint8.*0 to 256"),
        ("inputs", [[-1, 0]], PIXELS, "from 0 to 255"),
        ("inputs", [[10**30, 0]], PIXELS, "must hold integers"),
        ("inputs", [[1, 2], [3]], PIXELS, "lists of equal length"),
        # TF-Serving takes base64 for strings alone.
        ("inputs", [b64(b"ab")], PIXELS, "must hold integers"),
        ("inputs", {"image": [[1, 2]]}, PIXELS, "must have .'images'."),
        ("inputs", {"seed": [1]}, SAMPLE, "must have .'seed', 'temperature'."),
        ("inputs", [1], SAMPLE, "must name its tensors"),
        ("inputs", {"seed": [1], "temperature": ["a"]}, SAMPLE, "numbers"),
        ("instances", [], PIXELS, "must be a list of rows"),
        ("instances", {"images": [1, 2]}, PIXELS, "must be a list of rows"),
        ("instances", [1], SAMPLE, "must name its tensors"),
        ("instances", [{"seed": 1}], SAMPLE, "the keys .*in row 0"),
        ("instances", [{"images": [1, 2]}, [1, 2]], PIXELS, "in row 1"),
        ("inputs", [b64(b"a"), {"b64": "?"}], FILES, "base64"),
        ("inputs", [{"b64": 3}], FILES, "base64"),
        ("inputs", [3], FILES, "strings"),
        ("inputs", [["a"], "b"], FILES, "equal length|strings"),
    ],
)
def test_bad_inputs_are_refused(style, value, specs, words):
    with pytest.raises(RequestError, match=words) as error:
        rest_json.decode_inputs(style, value, specs)
    assert error.value.code == "INVALID_ARGUMENT"


def test_strings_are_refused_before_there_is_an_array():
    # NumPy would give each of the 20,000 values 200,000 bytes.
    value = ["a" * 50_000, *["b"] * 20_000]
    tracemalloc.start()
    with pytest.raises(RequestError, match="must hold integers") as error:
        rest_json.decode_inputs("inputs", [value], PIXELS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("specs", [PIXELS, FILES])
def test_lists_as_deep_as_json_allows_are_refused(specs):
    value = 1
    for _ in range(985):
        value = [value]
    with pytest.raises(RequestError, match="deep"):
        rest_json.decode_inputs("inputs", value, specs)
    with pytest.raises(RequestError, match="deep"):
        rest_json.decode_inputs("inputs", [[1, 2], value], specs)


@pytest.mark.parametrize("shape", [(5, 4, 3, 2), (5, 1, 1, 1), (5,)])
def test_json_of_the_largest_request_is_not_too_long(shape):
    values = np.zeros(shape, int).tolist()
    for request in (
        {"inputs": {"a": values, "b": values}},
        {"instances": [{"a": x, "b": x} for x in values]},
    ):
        body = json.dumps(request, indent=2).encode()
        # The slack is more than all of so small a request: without it, too.
        rest_json.check_length(body, 2 * math.prod(shape))
        count = sum(body.count(x) for x in (b",", b"[", b"{"))
        assert count <= 6 * 2 * math.prod(shape) + 10


@pytest.mark.parametrize("values", [b"[]", b"0", b"{}"])
def test_json_of_more_values_is_refused_before_it_is_parsed(values):
    body = b'{"inputs": [' + b",".join([values] * 100_000) + b"]}"
    with pytest.raises(RequestError, match="at most 100 values.*Send fewer"):
        rest_json.check_length(body, 100)
    rest_json.check_length(body, None)


def test_answer_that_would_be_too_long_is_refused():
    inputs = {"images": np.zeros((16, 2), "uint8")}
    outputs = {"logits": spec("logits", "float32", 32, 32, 3, 256)}
    with pytest.raises(RequestError, match="of 16 rows. Send fewer.*gRPC"):
        rest_json.check_answer(inputs, outputs, 64 * 2**20)
    inputs = {"images": np.zeros((2, 2), "uint8")}
    rest_json.check_answer(inputs, outputs, 64 * 2**20)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b"\xff", "must be JSON"),
        (b"[" * 100_000, "must be JSON"),
        (b"[1]", "must be a JSON object"),
        (b"{}", "either 'instances'"),
        (b'{"instances": [1], "inputs": [1]}', "either 'instances'"),
        (b'{"signature_name": 1, "inputs": [1]}', "must be a string"),
    ],
)
def test_what_is_no_request_is_refused(body, words):
    with pytest.raises(RequestError, match=words) as error:
        rest_json.parse_request(body)
    assert error.value.code == "INVALID_ARGUMENT"


def test_request_is_parsed():
    body = b'{"signature_name": "sample", "instances": [1]}'
    assert rest_json.parse_request(body) == ("sample", "instances", [1])
    assert rest_json.parse_request(b'{"inputs": 2}') == ("", "inputs", 2)


SCORES = {
    "log_prob": np.array([-1.5, np.nan], "float32"),
    "bits": np.array([1, 2], "int32"),
}


@pytest.mark.parametrize(
    ("style", "outputs", "expected"),
    [
        (
            "instances",
            SCORES,
            '{"predictions": [{"log_prob": -1.5, "bits": 1}, '
            '{"log_prob": NaN, "bits": 2}]}',
        ),
        (
            "inputs",
            SCORES,
            '{"outputs": {"log_prob": [-1.5, NaN], "bits": [1, 2]}}',
        ),
        ("instances", {"a": np.ones((1, 2))}, '{"predictions": [[1.0, 1.0]]}'),
        ("inputs", {"a": np.ones((1, 2))}, '{"outputs": [[1.0, 1.0]]}'),
        (
            "inputs",
            {"png_bytes": np.array([b"\xff"], object)},
            '{"outputs": [{"b64": "/w=="}]}',
        ),
        ("inputs", {"text": np.array([b"a"], object)}, '{"outputs": ["a"]}'),
    ],
)
def test_outputs_are_encoded(style, outputs, expected):
    assert json.dumps(rest_json.encode_outputs(style, outputs)) == expected


@pytest.mark.parametrize("other", [np.ones(3), np.ones(())])
def test_rows_need_outputs_of_one_length(other):
    with pytest.raises(RequestError, match="Use 'inputs'"):
        rest_json.encode_outputs(
            "instances", {"a": np.ones(2), "b": np.asarray(other)}
        )
