"""The command `export`: what it writes and what it refuses."""

import pytest

from keras_pixel import cli


@pytest.fixture
def preset(model, tmp_path):
    model.save_preset(tmp_path / "tiny")
    return str(tmp_path / "tiny")


def run(*args):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["export", *args])
    return stopped.value.code


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["--format", "saved_model"], ["out/saved_model.pb"]),
        (
            ["--format", "onnx", "--step-batch-size", "2"],
            ["out/log_prob.onnx", "out/sample.onnx", "out/step.onnx"],
        ),
        pytest.param(
            ["--format", "triton", "--version", "3"],
            ["out/tiny_log_prob/3/model.onnx", "out/tiny_sample/config.pbtxt"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["saved_model", "onnx", "triton"],
)
def test_formats(preset, tmp_path, capsys, arguments, files):
    output = str(tmp_path / "out")
    assert run(preset, "--to", output, *arguments) == 0
    words = "gives the same results as Keras"
    assert capsys.readouterr().out == f"{output}: {words}\n"
    assert all((tmp_path / name).is_file() for name in files)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "onnx", "--xla"], "`--xla` applies to --format saved"),
        (["--version", "3"], "`--version` applies to --format tf_serving or"),
        (["--step-batch-size", "3"], "applies to --format onnx only"),
        (["--format", "onnx", "--pictures"], "`--pictures` applies to"),
        (["--precision", "float16"], "`--precision` applies to --format onnx"),
    ],
)
def test_options_of_another_format_are_refused(
    tmp_path, capsys, arguments, words
):
    assert run("model", "--to", str(tmp_path / "out"), *arguments) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_not_overwritten(preset, tmp_path, capsys):
    assert run(preset, "--to", preset) == 2
    assert "written once and never overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(
    "form", ["saved_model", "tf_serving", "triton", "onnx"]
)
def test_address_is_refused_before_the_work(
    tmp_path, monkeypatch, capsys, form
):
    monkeypatch.chdir(tmp_path)
    assert run("no_such", "--to", "gs://bucket/model", "--format", form) == 2
    assert "written on this machine" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_working_directory_is_refused_before_the_work(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert run("no_such", "--to", ".") == 2
    assert "Name a new folder inside, such as 'out'" in capsys.readouterr().err


def test_tf_serving_gets_the_presets_name(preset, tmp_path, monkeypatch):
    received = {}

    def tf_serving(model, folder, **kwargs):
        received.update(name=model.name, folder=folder, **kwargs)
        return {"tiny": folder}

    monkeypatch.setattr("keras_pixel.export.tf_serving", tf_serving)
    arguments = ["--format", "tf_serving", "--version", "3", "--xla"]
    arguments += ["--pictures", "--resize", "resize"]
    assert run(preset, "--to", "out", *arguments) == 0
    assert received == {
        "name": "tiny",
        "folder": "out",
        "version": 3,
        "xla": True,
        "pictures": True,
        "resize": "resize",
    }


@pytest.mark.parametrize(
    ("form", "arguments", "expected"),
    [
        ("onnx", [], {"step_batch_size": 16}),
        ("triton", ["--version", "3"], {"version": 3}),
    ],
)
def test_precision_is_handed_on_and_said(
    preset, monkeypatch, capsys, form, arguments, expected
):
    received = {}

    def write(model, folder, **kwargs):
        received.update(name=model.name, folder=folder, **kwargs)
        return folder

    monkeypatch.setattr(f"keras_pixel.export.{form}", write)
    arguments = ["--format", form, "--precision", "float16", *arguments]
    assert run(preset, "--to", "out", *arguments) == 0
    assert received == {
        "name": "tiny",
        "folder": "out",
        "precision": "float16",
        **expected,
    }
    said = capsys.readouterr().out
    assert said == (
        "out: gives the same results as Keras, up to the rounding of float16\n"
    )
