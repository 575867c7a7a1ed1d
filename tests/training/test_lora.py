"""Training by LoRA: what is trained, resumed and published."""

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

import keras_pixel
from keras_pixel import PixelCNN
from keras_pixel.cli.main import app
from keras_pixel.training import Recipe
from keras_pixel.training import building
from keras_pixel.training import dry_run
from keras_pixel.training import enable_lora
from keras_pixel.training import finetune
from keras_pixel.training import train
from keras_pixel.training.checkpoint import Checkpoints
from keras_pixel.training.checkpoint import load_arrays
from tests.support.cases import randomize
from tests.support.low_rank import factors

ARGUMENTS = {
    "image_shape": [4, 4, 1],
    "num_levels": 4,
    "filters": 8,
    "num_blocks": 1,
    "head_filters": 8,
    "first_kernel_size": 3,
}
CONVOLUTION = "block_1_convolution"


def make(**more):
    return randomize(PixelCNN(**{**ARGUMENTS, **more}))


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return make().save_preset(tmp_path_factory.mktemp("source") / "source")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    levels = np.random.default_rng(0).integers(0, 4, (60, 4, 4, 1), "uint8")
    levels[:, :, ::2] = 3
    path = tmp_path_factory.mktemp("data") / "images.npy"
    np.save(path, levels)
    return path


@pytest.fixture(scope="module")
def fields(preset, images):
    return {
        "name": "tiny",
        "model": {
            "class_name": "PixelCNN",
            "config": {**ARGUMENTS, "dropout": 0.3},
        },
        "data": {
            "source": str(images),
            "validation": 10,
            "test": 10,
            "values": "levels",
        },
        "optimizer": {"name": "adam", "learning_rate": 0.02},
        "batch_size": 7,
        "accumulation_steps": 2,
        "steps": 8,
        "ema_momentum": 0.8,
        "clip_norm": 1.0,
        "log_every": 2,
        "checkpoint_every": 4,
        "evaluate_every": 4,
        "sample_every": 0,
        "initial_weights": str(preset),
        "lora_rank": 1,
    }


# === Which layers ===


def test_layers_that_are_large_enough():
    model = make(num_levels=2)
    found = enable_lora(model, 1)
    assert CONVOLUTION in found and model.get_layer(CONVOLUTION).lora_enabled
    # 8 by 2, against 8 + 2: still less. At rank 2 it is trained whole.
    assert "head" in found
    other = make(num_levels=2)
    found = enable_lora(other, 2)
    assert CONVOLUTION in found and "head" not in found
    assert not other.get_layer("head").lora_enabled


def test_layers_that_are_left_as_they_are():
    model = make()
    model.get_layer("first").trainable = False
    found = enable_lora(model, 1, skip=["head"])
    assert not {"first", "head"} & set(found)
    assert model.get_layer("head").kernel.trainable
    with pytest.raises(ValueError, match="Received: rank=100 for a PixelCNN"):
        enable_lora(make(), 100)


# === Recipes ===


def test_recipe(fields):
    assert Recipe(**fields).fixed()["lora_rank"] == 1
    plain = {k: v for k, v in fields.items() if k != "lora_rank"}
    assert "lora_rank" not in Recipe(**plain).fixed()
    del plain["initial_weights"]
    with pytest.raises(ValueError, match="`lora_rank` needs `initial_weights`"):
        Recipe(**plain, lora_rank=1)
    with pytest.raises(ValueError, match="`lora_rank` must be an integer"):
        Recipe(**{**fields, "lora_rank": 0})


def test_dry_run_counts_less_to_keep(fields):
    cost = dry_run(fields, steps=1)
    assert cost.parameters == make().count_params()
    # Of each weight that is trained: itself, the two moments of Adam, the
    # average, and what is accumulated; four bytes each.
    assert cost.state_bytes < 20 * cost.parameters


# === Training ===


def state_of(folder):
    return load_arrays(Checkpoints(folder / "checkpoints").paths()[0])[0]


@pytest.fixture(scope="module")
def trained(fields, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(fields, folder, progress=False)


@pytest.mark.slow
def test_resumed_training_is_the_same_bit_for_bit(fields, trained, tmp_path):
    # The learning rate is constant: the first half knows of no second.
    train({**fields, "steps": 4}, tmp_path, progress=False)
    train(fields, tmp_path, progress=False)
    resumed, whole = state_of(tmp_path), state_of(trained[0])
    assert resumed.keys() == whole.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


def test_another_rank_is_refused(fields, trained):
    with pytest.raises(ValueError, match="lora_rank=2 instead of 1"):
        train({**fields, "lora_rank": 2}, trained[0], progress=False)


def test_preset_is_the_averaged_model_without_lora(fields, trained):
    folder, result = trained
    recipe = Recipe(**fields)
    model, averaged = (building.build_model(recipe) for _ in range(2))
    for one in (model, averaged):
        enable_lora(one, recipe.lora_rank)
    building.compile_model(model, recipe)
    Checkpoints(folder / "checkpoints").restore(model)
    building.copy_average(model, averaged)
    assert all(np.asarray(factor).any() for factor in factors(averaged))
    levels = recipe.load_data("test").images
    preset = keras_pixel.load(result.preset_dir)
    assert not factors(preset)
    np.testing.assert_allclose(
        preset.log_prob(levels), averaged.log_prob(levels), rtol=1e-5
    )
    # Nothing but a product of rank 1 was added to a kernel.
    name, source = CONVOLUTION, keras_pixel.load(recipe.weights)
    change = kernel_of(preset, name) - kernel_of(source, name)
    assert rank_of(change) == 1
    assert (
        preset.get_layer(name).bias.numpy()
        != source.get_layer(name).bias.numpy()
    ).any()


def kernel_of(model, name):
    kernel = keras.ops.convert_to_numpy(model.get_layer(name).kernel)
    return kernel.reshape(-1, kernel.shape[-1])


def rank_of(matrix):
    return np.linalg.matrix_rank(matrix, tol=1e-5)


# === Fine-tuning ===


def test_finetune(preset, images, tmp_path):
    result = finetune(
        preset,
        np.load(images) // 2,
        tmp_path / "run",
        num_levels=2,
        epochs=3,
        learning_rate=0.02,
        freeze=["first"],
        lora_rank=2,
        values="levels",
        progress=False,
    )
    assert result.remade == ("head",)
    assert result.after < result.before
    model, source = map(keras_pixel.load, (result.preset_dir, preset))
    assert result.num_weights == model.count_params()
    changes = {
        name: rank_of(kernel_of(model, name) - kernel_of(source, name))
        for name in ("first", CONVOLUTION)
    }
    assert changes == {"first": 0, CONVOLUTION: 2}
    # By hand: two factors, their bias; the head whole.
    expected = 0
    for layer in model.layers:
        if not layer.weights or layer.name == "first":
            continue
        rows, columns = kernel_of(model, layer.name).shape
        products = 2 * (rows + columns)
        kernel = rows * columns
        is_whole = layer.name == "head" or products >= kernel
        expected += (kernel if is_whole else products) + columns
    assert result.num_trained == expected < result.num_weights
    assert f"trained {expected:,} weights, of a preset of" in str(result)
    recipe = Recipe.from_json(result.preset_dir / "recipe.json")
    assert recipe.lora_rank == 2
    model.sample(1, seed=0)


def test_command(preset, images, tmp_path):
    words = ["finetune", preset, images, "-o", tmp_path / "run", "--epochs", 1]
    words += ["--lora-rank", 1, "--values", "levels", "--quiet"]
    found = CliRunner().invoke(app, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    assert "trained " in found.output
    path = tmp_path / "run" / "recipe.json"
    assert Recipe.from_json(path).lora_rank == 1
