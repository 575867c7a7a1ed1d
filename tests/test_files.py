"""Files and folders that are there whole, or not at all."""

import os

import pytest

from keras_pixel import files


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
