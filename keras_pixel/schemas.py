"""Pydantic's checks of JSON objects, with the errors of this package.

Pydantic decides whether a value fits its declaration; `checks` words the one
line that says what is wrong, so that it reads like that of any argument.
"""

from typing import Annotated
from typing import Any

import pydantic

from keras_pixel import checks

# Refuses unknown keys, and converts nothing: "8" is not 8.
STRICT = pydantic.ConfigDict(extra="forbid", strict=True)
_LONGEST_KEY = 80


def _as_given(value: Any, check: pydantic.ValidatorFunctionWrapHandler) -> Any:
    check(value)
    return value


Count = Annotated[int, pydantic.Field(strict=True, ge=1)]
CountOrZero = Annotated[int, pydantic.Field(strict=True, ge=0)]
# A number stays as it was written: 1 must not become 1.0, which hashes
# differently.
_FINITE = pydantic.Field(strict=True, allow_inf_nan=False)
_KEPT = pydantic.WrapValidator(_as_given)
NonNegative = Annotated[float, _FINITE, pydantic.Field(ge=0), _KEPT]
Positive = Annotated[float, _FINITE, pydantic.Field(gt=0), _KEPT]
Fraction = Annotated[float, _FINITE, pydantic.Field(ge=0, le=1), _KEPT]
Probability = Annotated[float, _FINITE, pydantic.Field(ge=0, lt=1), _KEPT]


def way_out(sentence: str) -> Any:
    """A field's own way out, for its error and for editors."""
    return pydantic.Field(json_schema_extra={"errorMessage": sentence})


def one_line(
    error: pydantic.ValidationError,
    schema: dict[str, Any],
    name: str,
    value: Any,
) -> Exception:
    """The first thing that Pydantic found, in the words of `checks`.

    Args:
        error: what Pydantic raised.
        schema: JSON schema of what was checked.
        name: str. What the whole value is called.
        value: the value.

    Returns:
        `TypeError` for what is not the string, bool or dict that it must be,
        else `ValueError`.
    """
    problems = error.errors(include_url=False)
    # Of a misspelt key, and the key that is missing for it, name the first.
    unknown = [p for p in problems if p["type"] == "extra_forbidden"]
    problem = (unknown or problems)[0]
    if problem["type"] == "value_error":
        return problem["ctx"]["error"]
    path = problem["loc"]
    if problem["type"] in ("extra_forbidden", "missing"):
        path = path[:-1]
    node = _resolve(schema, schema)
    keys: list[str] = []
    for key in path:
        branches = node.get("discriminator", {}).get("mapping", {})
        if key in branches:  # a tag, not a key of the value
            node = _resolve({"$ref": branches[key]}, schema)
            continue
        inner = node.get("properties", {}).get(key)
        if inner is None:
            inner = node.get("additionalProperties") or {}
        node = _resolve(inner, schema)
        value = value[key]
        keys.append(str(key)[:_LONGEST_KEY])
    try:
        _check(".".join(keys) or name, value, node)
    except (TypeError, ValueError) as found:
        return found
    name = ".".join(keys) or name
    return ValueError(
        f"`{name}` must be valid: {problem['msg']}. Received: {name}={value!r}."
    )


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A node's own words: references followed, `null` left aside."""
    while True:
        if "$ref" in node:
            found = schema["$defs"][node["$ref"].split("/")[-1]]
        elif "anyOf" in node:
            found = next(n for n in node["anyOf"] if n.get("type") != "null")
            if any(n.get("type") == "null" for n in node["anyOf"]):
                found = {**found, "null": True}
        else:
            return node
        node = {
            **{k: v for k, v in node.items() if k not in ("$ref", "anyOf")},
            **found,
        }


def _check(name: str, value: Any, node: dict[str, Any]) -> None:
    """Raise the error of the check that a JSON schema asks for."""
    kind = node.get("type")
    if "discriminator" in node:
        key = node["discriminator"]["propertyName"]
        checks.check_keys(name, value, [key], value)
        names = list(node["discriminator"]["mapping"])
        checks.check_choice(f"{name}.{key}", value.get(key), names)
    elif "enum" in node or "const" in node:
        choices = node.get("enum") or [node["const"]]
        null = [None] if node.get("null") else []
        checks.check_choice(name, value, [*null, *choices])
    elif kind == "integer":
        checks.check_size(name, value, node["minimum"], node.get("maximum"))
    elif kind == "number" and node.get("exclusiveMaximum") == 1:
        checks.check_probability(name, value)
    elif kind == "number":
        checks.check_number(
            name,
            value,
            least=node.get("minimum"),
            above=node.get("exclusiveMinimum"),
            way_out=node.get("errorMessage"),
            most=node.get("maximum"),
        )
    elif kind == "string":
        checks.check_type(name, value, str)
    elif kind == "boolean":
        checks.check_type(name, value, bool)
    elif kind == "object":
        checks.check_type(name, value, dict)
        keys = node.get("properties", {})
        required = node.get("required", ())
        extra = node.get("additionalProperties", True)
        optional = keys if extra is False else [*keys, *value]
        checks.check_keys(name, value, required, optional)
