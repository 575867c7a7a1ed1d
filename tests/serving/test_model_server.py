"""The engine that runs tensorflow_model_server, by a stand-in for it."""

import stat

import pytest

from keras_pixel.serving import ModelServer

pytest.importorskip("tensorflow_serving", reason="needs the extra serve")

STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
cat "$(sed -n 's/^--model_config_file=//p' "$0.arguments")" > "$0.config"
echo > "$0.started"
exec sleep 60
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    path = tmp_path / "tensorflow_model_server"
    path.write_text(STAND_IN)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return path


def test_program_gets_folder_and_ports(models_folder, program):
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    server = ModelServer(models_folder, rest_port=1, grpc_port=2).start()
    while not program.with_suffix(".started").exists():
        assert server.wait(timeout=0.05) is None
    server.stop()
    assert server.wait() != 0
    flags = program.with_suffix(".arguments").read_text().split()
    assert flags[:2] == ["--port=2", "--rest_api_port=1"]
    assert (
        f"--batching_parameters_file={models_folder}/batching.config" in flags
    )
    config = text_format.Parse(
        program.with_suffix(".config").read_text(),
        model_server_config_pb2.ModelServerConfig(),
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == (
        "tiny",
        str(models_folder / "tiny"),
    )


def test_files_that_are_missing_are_not_named(models_folder, program, tmp_path):
    server = ModelServer(models_folder / "tiny")
    config = tmp_path / "config"
    config.touch()
    flags = [flag.split("=")[0] for flag in server.command(config)[1:]]
    assert "--model_config_file" in flags
    assert "--batching_parameters_file" not in flags


def test_loopback_cannot_be_promised(models_folder, program):
    with pytest.raises(ValueError, match="listens on all interfaces"):
        ModelServer(models_folder, host="127.0.0.1")


def test_missing_program_is_named(models_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="tensorflow_model_server"):
        ModelServer(models_folder)
