"""Preset folders that are not whole, or not what they say, are refused."""

import json
import os
import pathlib

import h5py
import keras
import numpy as np
import pytest

from keras_pixel import models
from keras_pixel import presets
from keras_pixel.files import sha256
from tests.presets import test_loading
from tests.presets.test_loading import edit_metadata

# The fixtures of the tests beside, by the names that pytest looks for.
model, folder, zoo = (
    test_loading.model,
    test_loading.folder,
    test_loading.zoo,
)


def test_unknown_name_lists_near_names_and_ways_out(zoo):
    with pytest.raises(ValueError, match="Near names: tiny_mnist") as caught:
        presets.load("tinymnist")
    for words in ("'tinymnist'", "path of a preset folder", "list_models()"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "../tiny", "zoo/../../tiny", "/no/such/preset", "..", "a\0b"]
)
def test_name_that_is_no_preset(zoo, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path / "zoo" / "tiny_mnist")
    with pytest.raises((ValueError, FileNotFoundError), match="preset folder"):
        presets.load(name)


def test_name_means_the_zoo_only_by_its_direct_folders(zoo, model, tmp_path):
    presets.save_preset(model, tmp_path / "outside")
    for name in ("../outside", "tiny_mnist/../../outside"):
        with pytest.raises(ValueError, match="which is neither"):
            presets.load(name)


def test_zoo_entry_linked_to_elsewhere_is_refused(zoo, model, tmp_path):
    presets.save_preset(model, tmp_path / "outside")
    (zoo / "linked").symlink_to(tmp_path / "outside")
    with pytest.raises(ValueError, match="must lie in the zoo.*linked"):
        presets.load("linked")


def test_wrong_type_of_name():
    with pytest.raises(TypeError, match="name_or_path=3 of type int"):
        presets.load(3)


def test_folder_that_is_no_preset(tmp_path):
    with pytest.raises(FileNotFoundError, match="must hold `metadata.json`"):
        presets.load(tmp_path)


@pytest.mark.parametrize("filename", ["config.json", "model.weights.h5"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "altered"])
def test_damaged_file_is_named_with_both_hashes(folder, filename, damage):
    path = folder / filename
    expected = sha256(path)
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
        words = [expected, "no file"]
    else:
        shorter = content[:-1]
        path.write_bytes(shorter if damage == "truncated" else shorter + b"\1")
        words = [expected, sha256(path), "truncated or altered"]
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        presets.load(folder)
    for word in [f"`{filename}`", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../tiny/config.json", "/etc/passwd", "a/b", "..", "", "a\\b"]
)
def test_metadata_entry_outside_the_folder(folder, name):
    metadata = presets.read_metadata(folder)
    files = {**metadata["files"], name: {"bytes": 1, "sha256": "0"}}
    edit_metadata(folder, files=files)
    with pytest.raises(ValueError, match="must lie in its own folder"):
        presets.load(folder)


def test_file_linked_to_elsewhere(folder, tmp_path):
    path = folder / "model.weights.h5"
    path.rename(tmp_path / "elsewhere.h5")
    path.symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(ValueError, match="must lie in its own folder"):
        presets.load(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 99}, "format 1.*format=99.*keras_pixel"),
        ({"format": None}, "format=None"),
        ({"files": None}, "files=None"),
        ({"files": {}}, "sha256 of `config.json`"),
        (
            {"files": {"config.json": 1, "model.weights.h5": 2}},
            "`files.config.json` must be an object .*files.config.json=1",
        ),
        (
            {"files": {"config.json": {}, "model.weights.h5": {}}},
            r"`files.config.json` must have the keys \['sha256'\]",
        ),
        (
            {"files": {"config.json": {"sha256": 3}}},
            "metadata.json` of .* must be a string.*sha256=3 of type int",
        ),
        ({"num_parameters": "many"}, "num_parameters='many'.*the preset again"),
    ],
)
def test_metadata_that_cannot_be_trusted(folder, changes, words):
    edit_metadata(folder, **changes)
    with pytest.raises(ValueError, match=words):
        presets.load(folder)


def test_metadata_that_is_not_json(folder):
    (folder / "metadata.json").write_text("{")
    with pytest.raises(ValueError, match="`metadata.json` must be a JSON file"):
        presets.load(folder)
    (folder / "metadata.json").write_text("[]")
    with pytest.raises(ValueError, match="JSON object.*list"):
        presets.load(folder)


def rewrite_config(folder, **changes):
    """Alters config.json and states its new hash: a consistent preset."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(config))
    files = presets.read_metadata(folder)["files"]
    files["config.json"]["sha256"] = sha256(path)
    edit_metadata(folder, files=files)


@pytest.mark.parametrize(
    "name",
    ["nobody>NoModel", "test_preset_files>NotAModel", "os>system", None, 3],
)
def test_class_that_is_no_registered_model(folder, name):
    @keras.saving.register_keras_serializable(package="test_preset_files")
    class NotAModel(keras.layers.Layer):
        pass

    rewrite_config(folder, registered_name=name)
    with pytest.raises(ValueError, match="must be a registered Keras model"):
        presets.load(folder)


def test_config_of_another_version(folder):
    config = {"image_shape": [4, 4, 1], "new_argument": 1, "num_levels": "x"}
    rewrite_config(folder, config=config)
    with pytest.raises(ValueError, match="must accept.*no changed arguments"):
        presets.load(folder)
    rewrite_config(folder, config=None)
    with pytest.raises(ValueError, match="must hold the model's arguments"):
        presets.load(folder)


def test_saved_model_must_be_a_registered_model(tmp_path):
    with pytest.raises(TypeError, match="`model` must be a Keras model"):
        presets.save_preset("model", tmp_path / "a")
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="class must be registered"):
        presets.save_preset(plain, tmp_path / "a")


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_quantised_model_is_refused(tmp_path):
    model = models.ImageTransformer(
        (2, 2, 1), 4, attention="full", num_layers=1, hidden_dim=4, num_heads=1
    )
    model.quantize("int8")
    with pytest.raises(ValueError, match="not quantised.*policy 'int8_from"):
        presets.save_preset(model, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_unknown_dtype(model, tmp_path):
    with pytest.raises(ValueError, match="dtype='int8'"):
        presets.save_preset(model, tmp_path / "a", dtype="int8")


@pytest.mark.parametrize("name", ["../a", "/tmp/a", "..", "", "config.json"])
def test_other_files_have_plain_names(model, tmp_path, name):
    with pytest.raises(ValueError, match="plain names.*Received: name="):
        presets.save_preset(model, tmp_path / "a", files={name: b"x"})
    assert os.listdir(tmp_path) == []


def test_existing_folder_is_kept_unless_asked(model, folder, tmp_path):
    with pytest.raises(FileExistsError, match="overwrite=True"):
        presets.save_preset(model, folder)
    presets.save_preset(model, folder, {"note": "new"}, overwrite=True)
    assert presets.read_metadata(folder)["note"] == "new"
    assert os.listdir(tmp_path) == ["tiny"]


def test_overwrite_never_removes_something_else(model, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="replaces presets only"):
        presets.save_preset(model, tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


def test_overwrite_wants_a_preset_of_ours(model, tmp_path):
    # Many programs call a file config.json.
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="replaces presets only"):
        presets.save_preset(model, tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize("name", ["notes.txt", ".git", "folder/deep.txt"])
def test_overwrite_keeps_what_the_preset_does_not_list(model, folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("years of work")
    words = f"which also holds .*{name.split('/')[0]}"
    with pytest.raises(FileExistsError, match=words):
        presets.save_preset(model, folder, overwrite=True)
    assert (folder / name).read_text() == "years of work"


def test_overwrite_does_not_follow_a_link(model, folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(FileExistsError, match="replaces presets only"):
        presets.save_preset(model, tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink() and folder.is_dir()


def test_failed_saving_leaves_the_old_preset(
    model, folder, tmp_path, monkeypatch
):
    before = sorted(path.name for path in folder.iterdir())
    rename = pathlib.Path.rename

    def fail_at_the_last_step(self, target):
        if ".new-" in self.name:
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(pathlib.Path, "rename", fail_at_the_last_step)
    with pytest.raises(OSError, match="disk full"):
        presets.save_preset(model, folder, overwrite=True)
    assert os.listdir(tmp_path) == ["tiny"]
    assert sorted(path.name for path in folder.iterdir()) == before


def test_metadata_that_json_cannot_hold_leaves_nothing(model, tmp_path):
    with pytest.raises((TypeError, ValueError)):
        presets.save_preset(model, tmp_path / "a", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"versions": "x"}, "versions='x'"),
        ({"format": 9, "versions": "x"}, "format=9 .* keras_pixel unknown"),
        ({"num_levels": 7}, "agree on `num_levels`. Received: num_levels=7"),
        ({"image_shape": [9, 9, 1]}, "agree on `image_shape`"),
    ],
    ids=["versions", "format", "levels", "shape"],
)
def test_metadata_that_is_wrong(folder, changes, words):
    edit_metadata(folder, **changes)
    with pytest.raises(ValueError, match=words):
        presets.load(folder)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "a\nb"])
def test_names_that_no_file_has(folder, name):
    files = presets.read_metadata(folder)["files"]
    edit_metadata(folder, files={**files, name: {"sha256": "0"}})
    with pytest.raises(ValueError, match="under plain names") as caught:
        presets.load(folder)
    assert len(str(caught.value)) < 600


def test_metadata_linked_from_elsewhere(folder, tmp_path):
    (folder / "metadata.json").rename(tmp_path / "metadata.json")
    (folder / "metadata.json").symlink_to(tmp_path / "metadata.json")
    with pytest.raises(ValueError, match="lie in its own folder"):
        presets.load(folder)


def test_json_nested_too_deeply(folder):
    (folder / "metadata.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        presets.load(folder)


def test_class_that_is_no_name(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**config, "registered_name": ["a"]})
    )
    renew_hashes(folder)
    with pytest.raises(ValueError, match=r"registered_name=\['a'\]"):
        presets.load(folder)


@pytest.mark.parametrize("values", [float("nan"), 1j], ids=["nan", "complex"])
def test_weights_that_are_no_numbers(folder, values):
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        found = []
        file.visititems(
            lambda name, item: (
                found.append(name) if isinstance(item, h5py.Dataset) else None
            )
        )
        shape = file[found[0]].shape
        del file[found[0]]
        file[found[0]] = np.full(shape, values)
    renew_hashes(folder)
    with pytest.raises(ValueError, match="must be real numbers"):
        presets.load(folder)


def test_files_that_are_not_listed_are_named(folder):
    (folder / ".DS_Store").write_text("")
    presets.load(folder)
    (folder / "more.py").write_text("")
    with pytest.warns(UserWarning, match="does not list.*'more.py'"):
        presets.load(folder)


def test_home_folder(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = presets.save_preset(model, "~/mine")
    assert path == tmp_path / "mine"
    presets.load("~/mine")


@pytest.mark.parametrize("pattern", ["mnist", "MNIST", "tiny", "tiny_*"])
def test_a_plain_word_may_stand_anywhere(zoo, pattern):
    assert "tiny_mnist" in presets.list_models(pattern)


def renew_hashes(folder):
    """Make altered files look as if they had been saved so."""
    files = presets.read_metadata(folder)["files"]
    edit_metadata(
        folder,
        files={name: {"sha256": sha256(folder / name)} for name in files},
    )
