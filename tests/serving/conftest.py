"""A model that doubles numbers, in a folder to be served."""

import threading

import pytest


@pytest.fixture
def go_on():
    event = threading.Event()
    event.set()
    yield event
    event.set()


@pytest.fixture
def module(go_on):
    from tests.support.doubler import Doubler

    return Doubler(go_on)


@pytest.fixture
def folder(tmp_path, module):
    import tensorflow as tf

    tf.saved_model.save(
        module,
        str(tmp_path / "models" / "doubler" / "1"),
        signatures=module.double.get_concrete_function(),
    )
    return tmp_path / "models"
