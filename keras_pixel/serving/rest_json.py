"""Conversion between TF-Serving's JSON and arrays."""

import base64
import binascii
import json
import math
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import TensorSpec
from keras_pixel.export.servable import invalid

_LEAVES: dict[str, tuple[set[type], str]] = {
    "b": ({bool}, "true or false"),
    "f": ({float, int}, "numbers"),
    "i": ({int}, "integers"),
    "u": ({int}, "integers"),
}
# Arrays of NumPy have no more dimensions.
_MAX_DEPTH = 32
# Characters of a value in JSON, including its comma.
_JSON_SIZES = {"b": 6, "f": 22, "i": 12, "u": 5}


def parse_request(body: bytes) -> tuple[str, str, Any]:
    """Parse a predict request.

    Args:
        body: bytes of the JSON.

    Returns:
        Tuple of the signature's name ("" for the default one), the style
        ("instances" or "inputs"), and the value given for it.

    Raises:
        RequestError: if it is not such a request.
    """
    request = parse_object(body)
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(f"`signature_name` must be a string. Received: {name!r}.")
    keys = sorted({"inputs", "instances"} & set(request))
    if len(keys) != 1:
        raise invalid(
            "The request must have either 'instances' (a list of rows) or "
            f"'inputs' (a tensor for each input). Received: {sorted(request)}."
        )
    return name, keys[0], request[keys[0]]


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a request into a dict.

    Raises:
        RequestError: if it is not a JSON object.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The request must be JSON: {error}") from error
    if not isinstance(request, dict):
        raise invalid(
            "The request must be a JSON object. "
            f"Received: {type(request).__name__}."
        )
    return request


def check_length(body: bytes, most_values: int | None) -> None:
    """Refuse JSON that holds more than any request needs, before it is parsed.

    Parsing stops all other threads, and makes 64 bytes of memory of an empty
    list of 3.

    Args:
        body: bytes of the JSON.
        most_values: see `Servable`.

    Raises:
        RequestError: if it has more.
    """
    if most_values is None:
        return
    # Beside its comma a value has at most five brackets, where it is all there
    # is of a row of the batch.
    most = 6 * most_values + 1000
    count = sum(map(body.count, (b",", b"[", b"{")))
    if count > most:
        raise invalid(
            f"A request to this model has at most {most_values} values, and "
            f"{most} commas and brackets in JSON. Received: {count} of these. "
            "Send fewer rows at once."
        )


def decode_inputs(
    style: str, value: Any, specs: Mapping[str, TensorSpec]
) -> dict[str, np.ndarray]:
    """Decode the arrays of a request.

    Args:
        style: "instances" or "inputs".
        value: what the JSON has for it.
        specs: dict from an input's name to its `TensorSpec`.

    Returns:
        Dict from an input's name to its NumPy array.

    Raises:
        RequestError: if the JSON does not fit.
    """
    if style == "instances":
        value = _columns(value, specs)
    elif not _is_object(value):
        value = {_only_name(specs, style): value}
    missing = sorted(set(specs) - set(value))
    if missing:
        raise invalid(
            f"'inputs' must have {sorted(specs)}. Received: {sorted(value)}."
        )
    return {name: _decode(value[name], spec) for name, spec in specs.items()}


def encode_outputs(
    style: str, outputs: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Encode the answer: "predictions" by row or "outputs" by name.

    A single output is written without its name, as in TF-Serving.
    """
    columns = {name: _encode(name, value) for name, value in outputs.items()}
    if style == "inputs":
        if len(columns) == 1:
            (columns,) = columns.values()
        return {"outputs": columns}
    shapes = {name: value.shape for name, value in outputs.items()}
    if () in shapes.values() or len({n for n, *_ in shapes.values()}) != 1:
        raise invalid(
            "'instances' needs outputs with one row for each. "
            f"Received: outputs of the shapes {shapes}. Use 'inputs'."
        )
    if len(columns) == 1:
        (predictions,) = columns.values()
    else:
        rows = zip(*columns.values(), strict=True)
        predictions = [dict(zip(columns, row, strict=True)) for row in rows]
    return {"predictions": predictions}


def check_answer(
    inputs: Mapping[str, np.ndarray],
    outputs: Mapping[str, TensorSpec],
    max_bytes: int,
) -> None:
    """Raise `RequestError` if the answer would be too long in JSON.

    Args:
        inputs: dict of the arrays in the request.
        outputs: dict of the outputs' `TensorSpec`.
        max_bytes: int.

    Raises:
        RequestError: if it would be longer than that.
    """
    rows = max((len(x) for x in inputs.values() if x.ndim), default=1)
    size = sum(
        _JSON_SIZES.get(spec.dtype.kind, 0)
        * math.prod(rows if n is None else n for n in spec.shape or ())
        for spec in outputs.values()
    )
    if size > max_bytes:
        raise invalid(
            f"An answer in JSON may have at most {max_bytes} bytes. "
            f"Received: a request for about {size}, of {rows} rows. Send "
            "fewer rows at once, or use gRPC."
        )


def _columns(
    rows: Any, specs: Mapping[str, TensorSpec]
) -> dict[str, list[Any]]:
    if not isinstance(rows, list) or not rows:
        raise invalid(
            "'instances' must be a list of rows. "
            f"Received: {_shown(rows)} of type {type(rows).__name__}."
        )
    if not any(_is_object(row) for row in rows):
        return {_only_name(specs, "instances"): rows}
    for index, row in enumerate(rows):
        if not _is_object(row) or set(row) != set(specs):
            received = sorted(row) if _is_object(row) else type(row).__name__
            raise invalid(
                f"Every row of 'instances' must be an object with the keys "
                f"{sorted(specs)}. Received: {received} in row {index}."
            )
    return {name: [row[name] for row in rows] for name in specs}


def _only_name(specs: Mapping[str, TensorSpec], style: str) -> str:
    if len(specs) != 1:
        raise invalid(
            f"'{style}' must name its tensors, as there are several: "
            f"{sorted(specs)}. Received: a plain list or value."
        )
    (name,) = specs
    return name


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}


def _decode(value: Any, spec: TensorSpec) -> np.ndarray:
    _check_depth(value, spec)
    if spec.dtype == object:
        return _decode_strings(value, spec)
    if spec.dtype.kind not in _LEAVES:
        raise RequestError(
            "UNIMPLEMENTED",
            f"The input {spec.name!r} is {spec.dtype_name}, which JSON cannot "
            "hold. Use gRPC.",
        )
    leaves, wanted = _LEAVES[spec.dtype.kind]
    # Checked first: NumPy would make every value as long as the longest string.
    if not _leaf_types(value) <= leaves:
        raise invalid(
            f"The input {spec.name!r} must hold {wanted} ({spec.dtype_name}). "
            f"Received: {_shown(value)}."
        )
    try:
        array = np.array(value)
    except (ValueError, OverflowError) as error:
        raise invalid(
            f"The input {spec.name!r} must be a number or lists of equal "
            f"length: {error} Received: {_shown(value)}."
        ) from error
    if array.dtype == object:
        raise invalid(
            f"The input {spec.name!r} must hold {wanted} ({spec.dtype_name}) "
            f"of at most 64 bits. Received: {_shown(value)}."
        )
    if array.size and spec.dtype.kind in "iu":
        limits = np.iinfo(spec.dtype)
        if array.min() < limits.min or array.max() > limits.max:
            raise invalid(
                f"The input {spec.name!r} must hold integers from "
                f"{limits.min} to {limits.max} ({spec.dtype_name}). "
                f"Received: values from {array.min()} to {array.max()}."
            )
    # A float that float32 cannot hold becomes infinite, as in TF-Serving.
    with np.errstate(over="ignore"):
        return array.astype(spec.dtype)


def _check_depth(value: Any, spec: TensorSpec) -> None:
    """Raise `RequestError` if lists are nested deeper than the tensor."""
    most = _MAX_DEPTH if spec.shape is None else len(spec.shape)
    depth, lists = 0, [value]
    while lists := [x for x in lists if type(x) is list]:
        depth += 1
        if depth > most:
            shape = str(spec.shape).replace("None", "batch", 1)
            raise invalid(
                f"The input {spec.name!r} must be lists of equal length, of "
                f"the shape {shape}. Received: lists more than {most} deep."
            )
        lists = [
            inner for x in lists if list in set(map(type, x)) for inner in x
        ]


def _leaf_types(value: Any) -> set[type]:
    """Types of all values in nested lists."""
    found = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) is not list:
            found.add(type(one))
            continue
        types = set(map(type, one))
        found |= types - {list}
        if list in types:
            waiting.extend(x for x in one if type(x) is list)
    return found


def _decode_strings(value: Any, spec: TensorSpec) -> np.ndarray:
    def decode(one: Any) -> list[Any] | bytes:
        if isinstance(one, list):
            return [decode(inner) for inner in one]
        if isinstance(one, str):
            return one.encode()
        try:
            return base64.b64decode(one["b64"], validate=True)
        except (TypeError, KeyError, binascii.Error, ValueError) as error:
            raise invalid(
                f"The input {spec.name!r} must hold strings or "
                f'{{"b64": "…"}} with base64. Received: {_shown(one)}.'
            ) from error

    # Fixed-size bytes would lose trailing zeros.
    try:
        array = np.array(decode(value), dtype=object)
    except ValueError:
        array = np.array([None])
    if not all(isinstance(one, bytes) for one in array.flat):
        raise invalid(
            f"The input {spec.name!r} must hold strings in lists of equal "
            f"length. Received: {_shown(value)}."
        )
    return array


def _encode(name: str, value: np.ndarray) -> Any:
    if value.dtype != object:
        return value.tolist()
    if name.endswith("_bytes"):

        def encode(one: bytes) -> dict[str, str] | str:
            return {"b64": base64.b64encode(one).decode("ascii")}

    else:

        def encode(one: bytes) -> dict[str, str] | str:
            return one.decode("utf-8", errors="replace")

    def nested(one: Any) -> Any:
        if isinstance(one, list):
            return [nested(inner) for inner in one]
        return encode(one)

    return nested(value.tolist())


def _shown(value: Any) -> str:
    """The beginning of a value, whatever its size and depth."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = 40
    text = shown.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
