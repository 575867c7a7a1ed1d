"""Outputs of the command line: no input and no former output is lost."""

import os

import pytest
from PIL import Image

from tests.cli import test_commands
from tests.cli.test_commands import refused
from tests.cli.test_commands import run

# The fixtures of the tests beside, by the names that pytest looks for.
model, tiny, images = (
    test_commands.model,
    test_commands.tiny,
    test_commands.images,
)


@pytest.mark.parametrize("flag", [[], ["--overwrite"]], ids=["", "flag"])
@pytest.mark.parametrize(
    "args",
    [
        ["complete", "tiny", "photo.png", "-o", "photo.png"],
        ["complete", "tiny", "photo.png", "-o", "link.png"],
        ["complete", "tiny", "pictures", "-o", "pictures/0.png"],
        ["complete", "tiny", "pictures/0.png", "-o", "pictures"],
        ["complete", "tiny", "photo.png", "--mask", "m.png", "-o", "m.png"],
        ["complete", "tiny", "images.npy", "-o", "images.npy"],
        ["sample", "tiny", "-o", "tiny"],
    ],
    ids=" ".join,
)
def test_an_input_is_never_overwritten(capsys, tiny, images, args, flag):
    for name in ("photo.png", "m.png"):
        Image.new("L", (4, 4)).save(name)
    os.link("photo.png", "link.png")
    assert "must not be an input" in refused(capsys, *args, *flag)


@pytest.mark.parametrize("name", ["x.png", "x.npy", "folder"])
def test_an_output_is_replaced_when_asked(capsys, tiny, name):
    args = ["sample", tiny, "-o", name]
    assert run(capsys, *args, "-n", "3")[0] == 0
    assert "--overwrite" in refused(capsys, *args, "-n", "2")
    assert run(capsys, *args, "-n", "2", "--overwrite")[0] == 0
    if name == "folder":
        assert sorted(os.listdir(name)) == ["0.png", "1.png"]


def test_scores_are_replaced_when_asked(capsys, tiny, images):
    args = ["score", tiny, "images.npy", "-o", "x.csv"]
    assert run(capsys, *args)[0] == 0
    assert "--overwrite" in refused(capsys, *args)
    assert run(capsys, *args, "--overwrite")[0] == 0


def test_a_folder_of_other_files_is_kept(capsys, tiny, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "holiday.png").write_text("mine")
    args = ["sample", tiny, "-n", "2", "-o", "folder", "--overwrite"]
    assert "holds 'holiday.png'" in refused(capsys, *args)
    assert os.listdir("folder") == ["holiday.png"]


@pytest.mark.parametrize("output", ["", "-"])
@pytest.mark.parametrize("command", ["sample", "complete", "score", "train"])
def test_an_output_has_a_name(capsys, tiny, images, command, output):
    args = {
        "sample": [tiny],
        "complete": [tiny, "images.npy"],
        "score": [tiny, "images.npy"],
        "train": [f"{tiny}/recipe.json"],
    }[command]
    before = sorted(os.listdir())
    err = refused(capsys, command, *args, "-o", output)
    assert f"Received: {output!r}" in err
    assert sorted(os.listdir()) == before


def test_an_output_below_a_file(capsys, tiny, tmp_path):
    (tmp_path / "file").write_text("a file")
    err = refused(capsys, "sample", tiny, "-o", "file/x.png")
    assert "a file is in the way" in err
