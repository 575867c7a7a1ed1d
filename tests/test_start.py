"""Plain use from Python starts without TensorFlow's lines.

And what was compiled is kept, where the environment says so.
"""

import os

import pytest

from keras_pixel.start import keep_programs
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


@pytest.mark.parametrize(
    "level", [None, pytest.param("0", marks=pytest.mark.slow)]
)
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


@pytest.mark.parametrize(
    "backend", ["tensorflow", pytest.param("jax", marks=pytest.mark.slow)]
)
def test_programs_are_kept_for_other_processes(backend, tmp_path):
    pytest.importorskip(backend)

    def draw():
        done = run_program(
            "draw_one_image.py",
            timeout=500,
            KERAS_BACKEND=backend,
            KERAS_PIXEL_XLA="1",
            KERAS_PIXEL_COMPILATION_CACHE=str(tmp_path / "new" / "kept"),
            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
            TF_XLA_FLAGS=None,
            JAX_COMPILATION_CACHE_DIR=None,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert not done.stderr
        # JAX notes when a program was used, too.
        kept = {
            path: path.stat().st_mtime_ns
            for path in tmp_path.rglob("*")
            if path.is_file() and not path.name.endswith("-atime")
        }
        return done.stdout, kept

    image, kept = draw()
    assert kept
    assert all(backend in path.parent.name for path in kept)
    # The same image, and nothing new was compiled.
    assert draw() == (image, kept)


def test_the_backends_own_variables_win(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_PIXEL_COMPILATION_CACHE", str(tmp_path))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    own = "--tf_xla_persistent_cache_directory=/elsewhere"
    monkeypatch.setenv("TF_XLA_FLAGS", own)
    keep_programs()
    assert os.environ["TF_XLA_FLAGS"] == own
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"
    assert not list(tmp_path.iterdir())
    # Other flags stay, and twice is once.
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=1")
    keep_programs()
    keep_programs()
    first, folder, devices = os.environ["TF_XLA_FLAGS"].split()
    assert first == "--tf_xla_auto_jit=1"
    assert folder.startswith(f"{own.split('=')[0]}={tmp_path}/tensorflow-")
    assert devices.endswith("=CPU")


@pytest.mark.parametrize("name", ["file/below", "a space"])
def test_folder_that_cannot_hold_programs_is_refused(
    tmp_path, monkeypatch, name
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KERAS_PIXEL_COMPILATION_CACHE", str(tmp_path / name))
    monkeypatch.delenv("TF_XLA_FLAGS", raising=False)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    with pytest.raises(ValueError, match="CACHE must name a folder.*Received"):
        keep_programs()
    assert "TF_XLA_FLAGS" not in os.environ
