"""Files and folders that are there whole, or not at all."""

import os
import subprocess
import sys

import pytest

from keras_pixel import files
from tests.support.imports import ROOT


def test_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with files.atomic_file(path) as file:
        file.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"
    assert os.listdir(path.parent) == ["a.txt"]


def test_failure_leaves_the_old_file(tmp_path):
    files.write_text(tmp_path / "a", "old")
    with pytest.raises(OSError, match="full"):
        with files.atomic_file(tmp_path / "a") as file:
            file.write(b"new")
            raise OSError("full")
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("replace", [False, True])
def test_failure_leaves_no_folder_or_the_old_one(tmp_path, replace):
    path = tmp_path / "a"
    if replace:
        path.mkdir()
        (path / "old").write_text("")
    with pytest.raises(OSError, match="full"):
        with files.atomic_folder(path, replace=replace) as new:
            (new / "new").write_text("")
            raise OSError("full")
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "old"] * replace


def test_folder_is_not_replaced_unless_asked(tmp_path):
    path = tmp_path / "a"
    path.mkdir()
    with files.atomic_folder(path) as new:  # an empty one is as good as none
        (new / "first").write_text("")
    with pytest.raises(FileExistsError, match="never overwritten.*exists"):
        with files.atomic_folder(path):
            pass
    with files.atomic_folder(path, replace=True) as new:
        (new / "second").write_text("")
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "second"]


def test_json_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(FileNotFoundError, match="A page must be a file.*a.js"):
        files.read_json(path, "A page")
    path.write_text("{")
    with pytest.raises(ValueError, match="A page must be a JSON file.*Look"):
        files.read_json(path, "A page", "Look.")
    files.write_text(path, files.to_json({"é": 1}))
    assert files.read_json(path, "A page") == {"é": 1}
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.to_json(float("nan"))


def test_others_temporary_files_stay(tmp_path):
    (tmp_path / ".notes.tmp").write_text("mine")
    (tmp_path / ".recipe.json.123.tmp").write_text("half")
    files.remove_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".notes.tmp"]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    with files.atomic_folder(tmp_path / "a", replace=True) as mine:
        (mine / "kept").write_text("")
        # Killed while it wrote a folder for another one.
        program = tmp_path / "program.py"
        program.write_text(KILLED)
        subprocess.run(
            [sys.executable, program, tmp_path / "a"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        program.unlink()
        left = {p.name.split("-")[0] for p in tmp_path.iterdir()}
        assert left == {".a.new", "..a.new"}
        # The next writer removes it, and not what is being written.
        with files.atomic_folder(tmp_path / "a") as other:
            assert {mine.name, other.name} == {
                p.name for p in tmp_path.iterdir() if p.is_dir()
            }
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "kept"]


KILLED = """
import os, signal, sys
from keras_pixel import files
with files.atomic_folder(sys.argv[1]) as outer:
    with files.atomic_folder(outer) as inner:
        (inner / "half").write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_folder_between_its_two_renames_comes_back(tmp_path):
    token = "0123abcd"
    (tmp_path / f".a.new-{token}.lock").touch()
    (tmp_path / f".a.new-{token}").mkdir()
    (tmp_path / f".a.old-{token}").mkdir()
    (tmp_path / f".a.old-{token}" / "old").touch()
    with pytest.raises(FileExistsError):
        files.check_new_folder(tmp_path / "a")
    assert [p.name for p in tmp_path.rglob("*")] == ["a", "old"]


@pytest.mark.parametrize("path", ["gs://bucket/a", "s3:/bucket/a"])
def test_address_is_no_folder(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="on this machine.*copy it there"):
        files.check_new_folder(path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", [".", "..", "/", ""])
def test_folder_that_cannot_be_renamed_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="the working directory.*Name a new"):
        files.check_new_folder(path, replace=True)
