"""The command `keras-pixel demo`."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from keras_pixel import cli


def refused(*arguments, capsys):
    """What a refused command prints: one line."""
    with pytest.raises(SystemExit) as stop:
        cli.main(["demo", *arguments])
    error = capsys.readouterr().err
    assert (stop.value.code, error.count("\n")) == (2, 1)
    return error


@pytest.fixture
def kept_signals():
    """The command takes the signals over, as it owns its process."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    kept = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_missing_extra_is_named(monkeypatch, capsys, kept_signals):
    monkeypatch.setitem(sys.modules, "gradio", None)
    # To be put back as it was.
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    words = refused("pixelcnn_mnist", "--port", "0", capsys=capsys)
    assert 'pip install "keras-pixel[demo]"' in words


def test_taken_port_is_refused(capsys, kept_signals):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        words = refused("pixelcnn_mnist", "--port", port, capsys=capsys)
    assert f"port={port}" in words
    assert "another --port" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no_such_model"], "no_such_model"),
        (["wavenet_docstrings"], "several rows"),
        (["pixelcnn_mnist", "--host", "203.0.113.1"], "another --port"),
    ],
)
def test_bad_input_is_one_line(arguments, words, capsys, kept_signals):
    assert words in refused(*arguments, capsys=capsys)


@pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="needs the extra demo"
)
def test_serves_until_it_is_told_to_stop(tmp_path):
    command = [sys.executable, "-m", "keras_pixel", "demo", "pixelcnn_mnist"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            line = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+/", line).group()
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert "keras_pixel" in answer.read().decode()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert "Stopping" in process.stdout.read()
            # Nothing that was uploaded stays.
            left = [path.name for path in tmp_path.iterdir()]
            assert [n for n in left if n.startswith("keras_pixel_demo")] == []
        finally:
            process.kill()
