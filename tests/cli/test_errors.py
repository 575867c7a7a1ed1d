"""What the command line refuses: one line, exit code 2, no traceback."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

from keras_pixel import cli
from keras_pixel import presets
from keras_pixel.cli import pictures
from keras_pixel.data.pictures import to_bytes
from keras_pixel.presets import folders
from tests.cli import test_commands
from tests.cli.test_commands import refused
from tests.cli.test_commands import run

# The fixtures of the tests beside, by the names that pytest looks for.
model, tiny, images = (
    test_commands.model,
    test_commands.tiny,
    test_commands.images,
)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["info", "no_such_model"], "list_models"),
        (["sample", "tiny", "-o", "x.jpg"], "must end in .png"),
        (["sample", "tiny", "-o", "pictures", "--format", "npy"], "a folder"),
        (["sample", "tiny", "-o", "images.npy", "--format", "files"], "a file"),
        (["sample", "tiny", "--temperature", "0"], "`temperature`"),
        (["sample", "tiny", "--top-p", "2"], "`top_p`"),
        (["score", "tiny", "nowhere.png"], "'nowhere.png'"),
        (["score", "tiny", "images.npy", "-o", "x.txt"], ".csv or .json"),
        (["score", "tiny", "large.png"], "(6, 4, 1)"),
        (["score", "tiny", "broken.png"], "broken.png"),
        (["score", "tiny", "high.npy"], "num_levels=4"),
        (["complete", "tiny", "images.npy", "--mask", "no.png"], "no.png"),
        (["complete", "tiny", "images.npy", "--mask", "large.png"], "(6, 4)"),
        (["complete", "tiny", "images.npy", "--mask", "three.npy"], "3 masks"),
        (["train", "recipe.json", "-o", "run"], "recipe.json"),
        (["train", "images.npy", "-o", "run"], "JSON"),
        (["evaluate", "tiny", "./nowhere"], "nowhere"),
        (["train", "tiny", "-o", "run"], "Is a directory"),
        (["train", "tiny/recipe.json", "-o", "high.npy"], "a file"),
        (["complete", "tiny", "images.npy", "--mask", "o.npy"], "o.npy"),
        (["complete", "tiny", "images.npy", "--mask", "broken.png"], "--mask"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_ends_in_one_line(capsys, tiny, images, args, words):
    Image.new("L", (4, 6)).save("large.png")
    with open("broken.png", "wb") as file:
        file.write(b"\x89PNG no picture")
    np.save("high.npy", images + 250)
    np.save("three.npy", np.ones((3, 4, 4)))
    np.save("o.npy", np.array([{}]), allow_pickle=True)
    assert words in refused(capsys, *args)


@pytest.mark.parametrize(
    "args",
    [
        ["smaple"],
        ["sample"],
        ["sample", "tiny", "--sed", "1"],
        ["sample", "tiny", "-n", "0"],
        ["sample", "tiny", "-n", "many"],
        ["sample", "tiny", "--image-shape", "32x32"],
        ["complete", "tiny", "images.npy", "--fraction", "2"],
        ["train", "recipe.json"],
    ],
    ids=" ".join,
)
def test_wrong_usage_says_how_to_get_help_in_one_line(capsys, args):
    err = refused(capsys, *args)
    assert err.endswith(" --help' for help.\n")


def test_no_arguments_show_the_help(capsys):
    code, out, err = run(capsys)
    assert code == 2
    assert "Usage: keras-pixel" in out + err


def test_shell_completion(capsys):
    assert "--install-completion" in run(capsys, "--help")[1]


def test_shape_that_the_weights_do_not_fit(capsys, model, tmp_path):
    path = presets.save_preset(model, tmp_path / "tiny")
    args = ["sample", str(path), "--image-shape", "4x4x3"]
    assert "image_shape=(4, 4, 3)" in refused(capsys, *args)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (ImportError("TensorFlow is missing"), 2),
        (FileNotFoundError(2, "No such file", "x"), 2),
        (FloatingPointError("loss is NaN at step 3"), 1),
        (MemoryError("Unable to allocate 9 TiB"), 1),
        (OSError(28, "No space left on device"), 2),
        (BrokenPipeError(), 0),
    ],
    ids=[
        *("ctrl-c", "missing extra", "missing file", "nan", "memory", "disk"),
        "pipe",
    ],
)
def test_how_a_command_ends(capfd, monkeypatch, error, code):
    def fail(name):
        raise error

    monkeypatch.setattr(folders, "read_metadata", fail)
    ended, _, err = run(capfd, "info", "x")
    assert ended == code
    assert "Traceback" not in err
    assert err.count("\n") <= 1


def test_traceback_on_request(monkeypatch):
    def fail(name):
        raise ValueError("where am I")

    monkeypatch.setattr(folders, "read_metadata", fail)
    with pytest.raises(ValueError, match="where am I"):
        cli.main(["--traceback", "info", "x"])


def test_model_without_a_recipe(capsys, tiny, model):
    presets.save_preset(model, "plain")
    assert "DATA must be given" in refused(capsys, "evaluate", "plain")


def test_written_levels_are_read_back():
    for num_levels in range(2, 257):
        levels = np.arange(num_levels)
        values = to_bytes(levels, num_levels).astype(int)
        assert (values.min(), values.max()) == (0, 255)
        np.testing.assert_array_equal(values * num_levels // 256, levels)


def test_output_that_cannot_be_written_is_refused_before_any_work(
    tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        pictures.check_output(tmp_path / "file" / "x.png", "grid")
    pictures.check_output(tmp_path / "new" / "x.png", "grid")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="that can be written.*x.png"):
        pictures.check_output(tmp_path / "x.png", "grid")


def test_separate_files_need_grey_or_rgb():
    with pytest.raises(ValueError, match="1 or 3 channels.*2 channels"):
        pictures.check_channels("files", 2)


@pytest.mark.parametrize(
    ("keep", "known"),
    [
        ("top", [[1, 1], [1, 1], [0, 0], [0, 0]]),
        ("bottom", [[0, 0], [0, 0], [1, 1], [1, 1]]),
        ("left", [[1, 0]] * 4),
        ("right", [[0, 1]] * 4),
    ],
)
def test_half_masks(keep, known):
    mask = pictures.half_mask(keep, 0.5, (4, 2, 1))
    np.testing.assert_array_equal(mask, np.array(known, bool))


def test_what_the_system_says_comes_with_a_way_out(capsys, monkeypatch):
    def fail(name):
        raise OSError(28, "No space left on device", "x/y.png")

    monkeypatch.setattr(folders, "read_metadata", fail)
    err = refused(capsys, "info", "x")
    assert "Received: 'x/y.png': No space left on device. Make room" in err


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_interrupted_scores_are_written(
    capsys, tiny, model, images, monkeypatch, name, code
):
    true, calls = type(model).log_prob, []

    def log_prob(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            os.kill(os.getpid(), getattr(signal, name))
        return true(self, *args, **kwargs)

    monkeypatch.setattr(type(model), "log_prob", log_prob)
    args = ["score", tiny, "images.npy", "--batch-size", "2", "-o", "x.csv"]
    before = signal.getsignal(signal.SIGTERM)
    assert run(capsys, *args)[0] == code
    assert signal.getsignal(signal.SIGTERM) is before
    with open("x.csv") as file:
        assert len(file.readlines()) == 1 + 4


def test_one_bad_file_does_not_stop_scores(capsys, tiny, images, tmp_path):
    (tmp_path / "pictures" / "2.png").write_bytes(b"no picture")
    args = ["score", tiny, "pictures", "--batch-size", "2", "--json"]
    code, out, err = run(capsys, *args)
    assert code == 1
    rows = json.loads(out)
    assert [row["image"] for row in rows] == [
        *(f"pictures:{place}.png" for place in (0, 1, 3, 4)),
        "mean",
    ]
    assert err.startswith("Left out: pictures:2.png: UnidentifiedImageError")
