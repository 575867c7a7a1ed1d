"""Plain use from Python starts without TensorFlow's lines."""

import pytest

from tests.support.programs import run_program


@pytest.mark.parametrize("level", [None, "0"])
def test_lines_of_the_start_are_shown_on_request_only(level):
    done = run_program(
        "score_one_image.py",
        timeout=500,
        KERAS_BACKEND="tensorflow",
        TF_CPP_MIN_LOG_LEVEL=level,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert bool(done.stderr) == (level == "0"), done.stderr


@pytest.mark.parametrize("level", [None, "0"])
def test_beside_another_backend_too(level):
    pytest.importorskip("jax")
    done = run_program(
        "make_tf_dataset.py",
        timeout=500,
        KERAS_BACKEND="jax",
        TF_CPP_MIN_LOG_LEVEL=level,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["(2, 2, 2, 1)"] * 2
    assert bool(done.stderr) == (level == "0"), done.stderr
