"""Presets: what is saved comes back exactly; what is not whole is refused."""

import json
import os

import h5py
import keras
import numpy as np
import pytest

from keras_pixel import presets
from keras_pixel.data import Discretizer
from keras_pixel.presets import folders
from tests.support.programs import run_program


@keras.saving.register_keras_serializable(package="test_presets")
class TinyModel(keras.Model):
    """The smallest model with a preset's arguments; knows no other code."""

    def __init__(self, image_shape, num_levels=4, filters=3, **kwargs):
        images = keras.Input(tuple(image_shape), dtype="int32", name="images")
        x = keras.ops.cast(images, "float32")
        x = keras.layers.Conv2D(filters, 3, padding="same")(x)
        logits = keras.layers.Dense(num_levels)(x)
        super().__init__(images, logits, **kwargs)
        self.image_shape = tuple(image_shape)
        self.num_levels = num_levels
        self.filters = filters

    def get_config(self):
        return {
            "name": self.name,
            "image_shape": list(self.image_shape),
            "num_levels": self.num_levels,
            "filters": self.filters,
        }


IMAGES = np.arange(2 * 4 * 4).reshape(2, 4, 4, 1) % 4


@pytest.fixture
def model():
    return TinyModel((4, 4, 1))


@pytest.fixture
def folder(model, tmp_path):
    return presets.save_preset(model, tmp_path / "tiny")


@pytest.fixture
def zoo(tmp_path, monkeypatch, model):
    """A zoo with two models, in place of the real one."""
    monkeypatch.setattr(folders, "zoo_dir", lambda: tmp_path / "zoo")
    for name in ("tiny_mnist", "tiny_cifar10"):
        presets.save_preset(model, tmp_path / "zoo" / name)
    (tmp_path / "zoo" / "README.md").write_text("# Zoo\n")
    return tmp_path / "zoo"


def edit_metadata(folder, **changes):
    path = folder / "metadata.json"
    metadata = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(metadata))


def test_saved_model_comes_back_exactly(model, folder):
    loaded = presets.load(folder)
    assert type(loaded) is TinyModel
    assert loaded.get_config() == {**model.get_config(), "name": "tiny"}
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))


def test_folder_holds_three_files_and_their_hashes(folder):
    metadata = json.loads((folder / "metadata.json").read_text())
    assert sorted(os.listdir(folder)) == [
        "config.json",
        "metadata.json",
        "model.weights.h5",
    ]
    assert sorted(metadata["files"]) == ["config.json", "model.weights.h5"]
    assert metadata["num_parameters"] == 3 * 9 + 3 + 3 * 4 + 4
    assert metadata["image_shape"] == [4, 4, 1]
    assert metadata["weights_dtype"] == "float32"
    config = json.loads((folder / "config.json").read_text())
    assert config["registered_name"] == "test_presets>TinyModel"


def test_float16_weights_are_loaded_as_rounded_float32(model, tmp_path):
    folder = presets.save_preset(model, tmp_path / "half", dtype="float16")
    loaded = presets.load(folder)
    for ours, saved in zip(loaded.weights, model.weights, strict=True):
        assert ours.dtype == "float32"
        rounded = np.float16(keras.ops.convert_to_numpy(saved))
        np.testing.assert_array_equal(ours, rounded.astype("float32"))
    with h5py.File(folder / "model.weights.h5") as file:
        assert file["layers/conv2d/vars/0"].dtype == np.float16
    assert presets.read_metadata(folder)["weights_dtype"] == "float16"


def test_float16_file_is_a_plain_keras_file(model, tmp_path):
    folder = presets.save_preset(model, tmp_path / "half", dtype="float16")
    other = TinyModel((4, 4, 1))
    other.load_weights(folder / "model.weights.h5")
    loaded = presets.load(folder)
    np.testing.assert_array_equal(other(IMAGES), loaded(IMAGES))


def test_weights_too_large_for_float16(model, tmp_path):
    model.weights[0].assign(model.weights[0] + 70_000)
    with pytest.raises(ValueError, match="values up to 7000.*float32"):
        presets.save_preset(model, tmp_path / "big", dtype="float16")
    assert os.listdir(tmp_path) == []


def test_optimizer_state_of_a_compiled_model_is_left_out(model, tmp_path):
    model.compile("adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    folder = presets.save_preset(model, tmp_path / "tiny")
    with h5py.File(folder / "model.weights.h5") as file:
        assert "optimizer" not in file
    np.testing.assert_array_equal(presets.load(folder)(IMAGES), model(IMAGES))


def test_metadata_and_other_files_are_kept(model, tmp_path):
    folder = presets.save_preset(
        model,
        tmp_path / "tiny",
        metadata={"dataset": {"name": "mnist"}},
        files={"README.md": b"# Tiny\n"},
    )
    metadata = presets.read_metadata(folder)
    assert metadata["dataset"] == {"name": "mnist"}
    assert (folder / "README.md").read_text() == "# Tiny\n"
    assert "README.md" in metadata["files"]


def test_metadata_cannot_contradict_the_model(model, tmp_path):
    with pytest.raises(ValueError, match=r"\['num_parameters'\]"):
        presets.save_preset(model, tmp_path / "a", {"num_parameters": 1})


def test_other_image_shape_with_the_same_weights(model, folder):
    loaded = presets.load(folder, image_shape=[2, 6, 1])
    assert loaded.image_shape == (2, 6, 1)
    np.testing.assert_array_equal(loaded.weights[0], model.weights[0])


@pytest.mark.parametrize(
    "overrides",
    [{"image_shape": (4, 4, 3)}, {"filters": 5}, {"num_levels": 3}],
    ids=["channels", "filters", "levels"],
)
def test_overrides_that_the_weights_do_not_fit(folder, overrides):
    with pytest.raises(ValueError, match="must fit the model.*weights=False"):
        presets.load(folder, **overrides)


def test_equal_parameter_count_but_other_shapes(folder):
    # 3 -> 4 filters and 4 -> 2 levels: 46 parameters become 50, no more; so
    # say that there are 50 to reach the comparison of shapes.
    edit_metadata(folder, num_parameters=4 * 9 + 4 + 4 * 2 + 2)
    with pytest.raises(ValueError, match="must fit the model.*filters=4"):
        presets.load(folder, filters=4, num_levels=2)


def test_unknown_override_is_named(folder):
    with pytest.raises(TypeError, match="TinyModel must know.*depth=3.*filt"):
        presets.load(folder, depth=3)


@pytest.mark.parametrize("name", ["kwargs", "fliters"])
def test_wrong_override_is_refused_with_the_nearest(folder, name):
    words = "'filters'" if name == "fliters" else f"Leave out '{name}'"
    with pytest.raises(TypeError, match=words):
        presets.load(folder, **{name: 3})


@pytest.mark.parametrize(
    ("metadata", "folder", "name"),
    [
        (None, "my model", "my_model"),
        ({"name": "tiny_mnist"}, "preset", "tiny_mnist"),
        (None, "_x", "preset__x"),
    ],
)
def test_model_has_the_name_of_the_preset(
    model, tmp_path, metadata, folder, name
):
    path = presets.save_preset(model, tmp_path / folder, metadata)
    loaded = presets.load(path)
    assert loaded.name == name
    assert loaded.predict_on_batch(IMAGES).shape == (2, 4, 4, 4)
    assert presets.load(path, name="other").name == "other"


def test_weights_false_needs_no_weights(model, folder):
    (folder / "model.weights.h5").unlink()
    loaded = presets.load(folder, weights=False)
    assert loaded.count_params() == model.count_params()


def test_names_are_listed_and_matched(zoo):
    assert presets.list_models() == ["tiny_cifar10", "tiny_mnist"]
    assert presets.list_models("*mnist") == ["tiny_mnist"]
    assert presets.list_models("nothing*") == []
    with pytest.raises(TypeError, match="`pattern`.*pattern=3"):
        presets.list_models(3)


def test_zoo_name_comes_before_a_folder_here(zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    presets.save_preset(TinyModel((2, 2, 1)), "tiny_mnist")
    with pytest.warns(UserWarning, match='here is "./tiny_mnist"'):
        assert presets.load("tiny_mnist").image_shape == (4, 4, 1)
    assert presets.load("./tiny_mnist").image_shape == (2, 2, 1)
    assert presets.load(tmp_path / "tiny_mnist").image_shape == (2, 2, 1)


def test_loads_with_jax_and_without_tensorflow(folder):
    result = run_program(
        "load_without_tensorflow.py",
        folder,
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "jax (2, 4, 4, 4)"


# === Discretizers ===


def test_discretizer_is_saved_with_the_model(model, tmp_path):
    values = np.random.default_rng(0).normal(size=100)
    model.discretizer = Discretizer(4, "quantile").fit(values)
    path = presets.save_preset(model, tmp_path / "values")
    loaded = presets.load(path).discretizer
    expected = model.discretizer.transform(values)
    assert (loaded.transform(values) == expected).all()
    assert (loaded.bin_centers == model.discretizer.bin_centers).all()


def test_model_without_values_has_no_discretizer(folder):
    assert "discretizer" not in presets.read_metadata(folder)


def test_discretizer_of_other_levels_is_not_saved(model, tmp_path):
    model.discretizer = Discretizer(8, low=0.0, high=1.0)
    with pytest.raises(ValueError, match="num_bins=8, num_levels=4. Set"):
        presets.save_preset(model, tmp_path / "values")
    assert not (tmp_path / "values").exists()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([4], "`discretizer`"),
        ({"bins": 4}, "must be the config of a `Discretizer`, but.*'bins'"),
    ],
)
def test_damaged_discretizer_is_refused(folder, config, words):
    path = folder / "metadata.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "discretizer": config}))
    with pytest.raises(ValueError, match=words):
        presets.load(folder)
