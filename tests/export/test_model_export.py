"""`model.export`: Keras' own verb."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "function"),
    [
        ({}, "saved_model"),
        ({"format": "tf_saved_model", "xla": True}, "saved_model"),
        ({"format": "onnx", "step_batch_size": 2}, "onnx"),
        ({"format": "triton", "version": 2}, "triton"),
    ],
    ids=["default", "saved_model", "onnx", "triton"],
)
def test_it_writes_the_same_as_the_package(
    model, monkeypatch, arguments, function
):
    received = []

    def write(*args, **kwargs):
        received.append((args, kwargs))

    monkeypatch.setattr(f"keras_pixel.export.{function}", write)
    model.export("out", **arguments)
    arguments = {k: x for k, x in arguments.items() if k != "format"}
    assert received == [((model, "out"), arguments)]


def test_another_format_is_refused(model):
    with pytest.raises(ValueError, match="format='litert'"):
        model.export("out", format="litert")
