"""The command line: what it writes, what it refuses, and how it ends."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import keras_pixel
from keras_pixel import cli
from keras_pixel import presets
from keras_pixel.cli import pictures
from keras_pixel.presets import folders
from tests.support.programs import run_program

RECIPE = {
    "name": "tiny",
    "model": {
        "class_name": "PixelCNN",
        "config": {"image_shape": [4, 4, 1], "num_levels": 4},
    },
    "data": {
        "source": "images.npy",
        "values": "levels",
        "validation": 2,
        "test": 1,
    },
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "batch_size": 1,
    "steps": 100,
}
COMMANDS = ("list", "info", "sample", "complete", "score", "train", "evaluate")


@pytest.fixture(scope="module")
def model():
    return keras_pixel.models.PixelCNN(
        image_shape=(4, 4, 1),
        num_levels=4,
        filters=4,
        num_blocks=1,
        head_filters=4,
    )


@pytest.fixture
def tiny(model, tmp_path, monkeypatch):
    """Path of a preset; loading it gives the model compiled before."""
    monkeypatch.chdir(tmp_path)
    presets.save_preset(
        model, "tiny", files={"recipe.json": json.dumps(RECIPE).encode()}
    )
    load = presets.load

    def load_once(path, image_shape=None):
        return model if image_shape is None else load(path)

    monkeypatch.setattr(presets, "load", load_once)
    return "tiny"


@pytest.fixture
def images(tmp_path):
    """Five images of levels, as an array and as pictures."""
    levels = np.arange(5 * 16).reshape(5, 4, 4, 1) % 4
    levels[:, 0, 0, 0], levels[:, 0, 1, 0] = np.divmod(range(5), 4)
    np.save(tmp_path / "images.npy", levels)
    pictures.write_images(levels, 4, tmp_path / "pictures", "files")
    return levels.astype("uint8")


def run(capsys, *args):
    """Exit code, standard output and standard error of a command line."""
    with pytest.raises(SystemExit) as ended:
        cli.main(args)
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def refused(capsys, *args):
    """The one line with which bad input ends."""
    code, _, err = run(capsys, *args)
    assert code == 2
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    return err


def read_picture(path):
    return np.asarray(Image.open(path))


def test_version(capsys):
    version = keras_pixel.__version__
    assert run(capsys, "--version") == (0, f"keras-pixel {version}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"keras-pixel {command} [OPTIONS]" in out


def test_help_is_answered_without_a_backend():
    result = run_program("help_without_backend.py")
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("\n[]\n")


def test_module_is_the_same_command():
    command = [sys.executable, "-m", "keras_pixel", "smaple"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "keras-pixel" in result.stderr
    assert "Traceback" not in result.stderr


def test_list_and_info(capsys, tiny):
    code, out, _ = run(capsys, "list", "--json")
    assert code == 0
    assert list(json.loads(out)) == presets.list_models()
    assert "No model" in run(capsys, "list", "no_such_*")[1]
    assert "4, 4, 1" in run(capsys, "info", tiny)[1]
    metadata = json.loads(run(capsys, "info", tiny, "--json")[1])
    assert metadata == presets.read_metadata(tiny)


def test_list_shows_a_table(capsys, tiny, monkeypatch):
    metadata = presets.read_metadata(tiny)
    metadata["measured"] = {"headline": "nats", "nats": 81.304}
    monkeypatch.setattr(folders, "list_models", lambda pattern: ["tiny"])
    monkeypatch.setattr(folders, "read_metadata", lambda name: metadata)
    out = run(capsys, "list")[1]
    for words in ("tiny", "4×4×1", "81.30 nats"):
        assert words in out


def test_scores_of_pictures_and_arrays(capsys, tiny, model, images, tmp_path):
    nats = -model.log_prob(images)
    out = run(capsys, "score", tiny, "images.npy", "--json")[1]
    rows = json.loads(out)
    np.testing.assert_allclose([r["nats"] for r in rows[:-1]], nats, rtol=1e-5)
    assert rows[-1]["image"] == "mean"
    bits = nats.mean() / (16 * np.log(2))
    np.testing.assert_allclose(rows[-1]["bits_per_dim"], bits, rtol=1e-5)
    args = ["score", tiny, "pictures", "pictures/0.png"]
    assert run(capsys, *args, "-o", "x.csv")[0] == 0
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[0] == "image,nats,bits_per_dim"
    assert [line.split(",")[0] for line in lines[1:]] == [
        *(f"pictures:{i}.png" for i in range(5)),
        "pictures/0.png",
    ]


def test_evaluation_of_the_own_data(capsys, tiny, model, images, tmp_path):
    from keras_pixel import training

    args = ["evaluate", tiny, "--split", "all"]
    result = json.loads(run(capsys, *args, "--json")[1])
    assert result["num_images"] == 5
    nats = -model.log_prob(images).mean()
    np.testing.assert_allclose(result["nats"], nats, rtol=1e-5)
    out = run(capsys, *args, "-n", "2")[1]
    assert "on 2 of 5 images" in out
    assert "bits/dim" in out
    # The split is that of the training, not one of another size, and so it is
    # of data that are named, wherever they lie now.
    args[-1] = "validation"
    assert json.loads(run(capsys, *args, "--json")[1])["num_images"] == 2
    (tmp_path / "moved").mkdir()
    (tmp_path / "images.npy").rename(tmp_path / "moved" / "images.npy")
    args = ["evaluate", tiny, "moved/images.npy", "--split", "test"]
    recipe = training.Recipe.from_dict(RECIPE)
    kept = recipe.load_data("test", source=str(tmp_path / "moved/images.npy"))
    nats = -model.log_prob(np.asarray(kept.images)).mean()
    found = json.loads(run(capsys, *args, "--values", "levels", "--json")[1])
    assert found["num_images"] == 1
    np.testing.assert_allclose(found["nats"], nats, rtol=1e-5)
    # What else is there is split as `load_data` splits it.
    np.save(tmp_path / "others.npy", images)
    args[2:] = ["others.npy", "--values", "levels", "--split", "validation"]
    assert "validation" in refused(capsys, *args)


def test_training_by_a_recipe(capsys, tmp_path, monkeypatch):
    from keras_pixel import training

    calls = []

    def train(recipe, output_dir, **options):
        calls.append((recipe, output_dir, options))
        return training.TrainingResult(tmp_path / "preset", 1200, 3, 3, 1)

    monkeypatch.setattr(training, "train", train)
    args = ["train", "r.json", "-o", "run", "--data-dir", "data", "-q"]
    code, out, _ = run(capsys, *args, "--no-resume")
    assert code == 0
    assert out == f"{tmp_path / 'preset'}: the model after 1,200 steps\n"
    options = {
        "resume": False,
        "data_dir": "data",
        "download": False,
        "progress": False,
        "tensorboard": False,
        "devices": None,
    }
    assert calls == [("r.json", "run", options)]


def test_training_on_several_devices_and_processes(
    capsys, tmp_path, monkeypatch
):
    from keras_pixel import training

    calls = []

    def train(recipe, output_dir, devices, **options):
        calls.append(devices)

    def join_processes(*arguments):
        calls.append(arguments)

    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(training, "join_processes", join_processes)
    args = ["train", "r.json", "-o", "run", "-q"]
    assert run(capsys, *args, "--devices", "2")[:2] == (0, "")
    assert run(capsys, *args, "--devices", "all")[:2] == (0, "")
    together = ["--coordinator", "h:1", "--num-processes", "2"]
    assert run(capsys, *args, *together, "--process-id", "1")[:2] == (0, "")
    assert calls == [2, "all", ("h:1", 2, 1), None]
    code, _, error = run(capsys, *args, *together)
    assert code == 2
    assert "--process-id" in error
    code, _, error = run(capsys, *args, "--devices", "two")
    assert code == 2
    assert "'two'" in error
    assert len(calls) == 4
