from typing import NotRequired

import pydantic
import pytest
from typing_extensions import TypedDict

from keras_pixel import schemas


@pydantic.with_config(schemas.STRICT)
class Inner(TypedDict):
    size: schemas.Count
    rate: NotRequired[schemas.Fraction | None]


@pydantic.with_config(schemas.STRICT)
class Outer(TypedDict):
    inner: Inner
    many: NotRequired[dict[str, Inner]]
    pattern: NotRequired[list[int]]


ADAPTER = pydantic.TypeAdapter(Outer)


def error_of(value):
    with pytest.raises(pydantic.ValidationError) as caught:
        ADAPTER.validate_python(value)
    return schemas.one_line(caught.value, ADAPTER.json_schema(), "outer", value)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (3, TypeError, "`outer` must be an object (a dict). Received: outer=3"),
        ({}, ValueError, "`outer` must have the keys ['inner']"),
        ({"inner": {"size": 0}}, ValueError, "`inner.size` must be an integer"),
        ({"inner": {"size": 1, "rate": 2}}, ValueError, "at most 1. Received"),
        ({"inner": 1}, TypeError, "`inner` must be an object"),
        (
            {"inner": {"size": 1}, "many": {"a": {"size": "1"}}},
            ValueError,
            "Received: many.a.size='1'. Use 1 or more.",
        ),
        # Of two errors, the one that explains the other.
        (
            {"inner": {"siez": 1}},
            ValueError,
            "Received: key='siez'. Did you mean 'size'?",
        ),
        # What `checks` has no words for.
        (
            {"inner": {"size": 1}, "pattern": 3},
            ValueError,
            "`pattern` must be valid: Input should be a valid list. "
            "Received: pattern=3.",
        ),
    ],
)
def test_first_error_in_one_line(value, error, words):
    found = error_of(value)
    assert type(found) is error
    assert words in str(found)
    assert "\n" not in str(found)


def test_long_keys_are_cut():
    value = {"inner": {"size": 1}, "many": {"x" * 5000: {"size": 0}}}
    assert len(str(error_of(value))) < 400


def test_numbers_stay_as_written():
    value = {"inner": {"size": 1, "rate": 1}}
    found = ADAPTER.validate_python(value)["inner"]["rate"]
    assert type(found) is int
