"""The command `keras-pixel serve`."""

import os
import re
import signal
import subprocess
import sys

import pytest

from keras_pixel import cli
from keras_pixel.cli.serve import stop_on_signals

pytest.importorskip("aiohttp", reason="needs the extra serve")
requests = pytest.importorskip("requests", reason="needs the extra serve")


@pytest.fixture
def process(models_folder):
    command = [sys.executable, "-m", "keras_pixel", "serve"]
    with subprocess.Popen(
        [*command, str(models_folder), "--rest-port", "0", "--grpc-port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        yield process
        process.kill()


def test_serves_until_it_is_told_to_stop(process):
    assert "Development server" in process.stdout.readline()
    line = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+/v1/models/tiny", line)
    answer = requests.get(address.group(), timeout=60).json()
    assert answer["model_version_status"][0]["state"] == "AVAILABLE"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert "Stopping" in process.stdout.read()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none"], "does not exist"),
        (["none", "--engine", "tensorflow_model_server"], "does not exist"),
        ([".", "--host", "256.0.0.1"], "NAME/VERSION/saved_model.pb"),
    ],
)
def test_bad_input_is_one_line(
    arguments, words, tmp_path, monkeypatch, capsys, kept_signals
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.main(["serve", *arguments])
    error = capsys.readouterr().err
    assert (stop.value.code, error.count("\n")) == (2, 1)
    assert words in error


def test_missing_program_is_named(
    models_folder, monkeypatch, capsys, tmp_path, kept_signals
):
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = ["--engine", "tensorflow_model_server", "--host", "0.0.0.0"]
    with pytest.raises(SystemExit) as stop:
        cli.main(["serve", str(models_folder), *engine])
    assert stop.value.code == 2
    assert "tensorflow_model_server on the PATH" in capsys.readouterr().err


def test_second_signal_ends_at_once(kept_signals):
    event = stop_on_signals()
    signal.raise_signal(signal.SIGTERM)
    assert event.is_set()
    for number in (signal.SIGINT, signal.SIGTERM):
        assert signal.getsignal(number) == signal.SIG_DFL


@pytest.fixture
def kept_signals():
    """The command takes the signals over, as it owns its process."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    kept = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
