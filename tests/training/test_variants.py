"""Trainings that go wrong, start elsewhere, or run on another backend."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_pixel
from keras_pixel.files import one_owner
from keras_pixel.training import train
from keras_pixel.training.checkpoint import load_arrays
from keras_pixel.training.checkpoint import save_arrays
from keras_pixel.training.progress import Pace
from keras_pixel.training.progress import Progress
from keras_pixel.training.progress import duration
from tests.support.programs import run_program

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path):
    images = np.random.default_rng(0).integers(0, 2, (30, 2, 2, 1), "uint8")
    np.save(tmp_path / "images.npy", images)
    return {
        "name": "tiny",
        "model": {
            "class_name": "PixelCNN",
            "config": {
                "image_shape": [2, 2, 1],
                "num_levels": 2,
                "filters": 2,
                "num_blocks": 1,
                "head_filters": 0,
                "first_kernel_size": 3,
            },
        },
        "data": {"source": str(tmp_path / "images.npy")},
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "batch_size": 5,
        "steps": 2,
        "log_every": 1,
        "checkpoint_every": 1,
        "evaluate_every": 0,
        "sample_every": 0,
    }


def test_an_infinite_loss_stops_and_keeps_the_last_good_checkpoint(
    config, tmp_path
):
    # The first step's loss is finite, and its weights are as large as floats.
    config["optimizer"] = {"name": "sgd", "learning_rate": 1e37}
    config["steps"] = 6
    with pytest.raises(
        FloatingPointError,
        match=r"loss=(nan|inf), step=2, learning_rate=1e\+37. Kept: "
        "checkpoint-000000001.npz",
    ):
        train(config, tmp_path / "run", progress=False)
    kept = tmp_path / "run/checkpoints/checkpoint-000000001.npz"
    arrays, metadata = load_arrays(kept)
    assert metadata["step"] == 1
    assert all(np.isfinite(value).all() for value in arrays.values())
    assert not (tmp_path / "run/preset").exists()


def test_the_first_bad_step_is_named_within_a_longer_window(config, tmp_path):
    config["optimizer"] = {"name": "sgd", "learning_rate": 1e37}
    config.update(steps=6, log_every=6, checkpoint_every=6)
    with pytest.raises(FloatingPointError, match="step=2,.*no checkpoint"):
        train(config, tmp_path / "run", progress=False)


def test_without_a_checkpoint_another_recipe_begins_anew(config, tmp_path):
    config["optimizer"] = {"name": "sgd", "learning_rate": 1e37}
    config.update(steps=6, log_every=6, checkpoint_every=6)
    with pytest.raises(FloatingPointError, match="no checkpoint"):
        train(config, tmp_path / "run", progress=False)
    config["optimizer"]["learning_rate"] = 0.01
    assert train(config, tmp_path / "run", progress=False).step == 6


def test_paths_are_relative_to_the_recipe(config, tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    config["data"]["source"] = "../images.npy"
    path = tmp_path / "recipes" / "recipe.json"
    path.write_text(json.dumps(config))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    first = train(path, "run", progress=False)
    for folder, source in (
        ("run", "../../images.npy"),
        ("run/preset", "../../../images.npy"),
    ):
        written = keras_pixel.training.Recipe.from_json(f"{folder}/recipe.json")
        assert written.data["source"] == source
        assert len(written.load_data("train")) == 24
    # The whole project may move; the training still resumes.
    moved = tmp_path.parent / f"{tmp_path.name}_moved"
    monkeypatch.chdir(tmp_path.parent)
    tmp_path.rename(moved)
    config.update(steps=3)
    (moved / "recipes" / "recipe.json").write_text(json.dumps(config))
    again = train(moved / "recipes" / "recipe.json", moved / "elsewhere/run")
    moved.rename(tmp_path)
    assert (first.step, again.step) == (2, 3)


def test_bad_weights_after_a_good_loss_are_named(config, tmp_path):
    # The decay's factor, 1e37 * 1e37, is beyond float32.
    config["optimizer"] = {
        "name": "sgd",
        "learning_rate": 1e37,
        "weight_decay": 1e37,
    }
    config["steps"] = 1
    with pytest.raises(FloatingPointError, match="NaN or infinite values.*st"):
        train(config, tmp_path / "run", progress=False)
    assert not list((tmp_path / "run/checkpoints").glob("*.npz"))


def test_initial_weights_are_where_training_starts(config, tmp_path):
    config["optimizer"]["learning_rate"] = 0.0
    first = train(config, tmp_path / "first", progress=False)
    config.update(seed=7, initial_weights=str(first.preset_dir))
    second = train(config, tmp_path / "second", progress=False)
    ours = keras_pixel.load(first.preset_dir).weights
    theirs = keras_pixel.load(second.preset_dir).weights
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_labels_are_added_to_a_trained_model(config, tmp_path):
    images = np.load(tmp_path / "images.npy")
    labels = np.arange(len(images)) % 3
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    config["data"]["source"] = str(tmp_path / "set.npz")
    config["optimizer"]["learning_rate"] = 0.0
    plain = train(config, tmp_path / "plain", progress=False)
    config["initial_weights"] = str(plain.preset_dir)
    config["model"]["config"].update(num_classes=3, label_dropout=0.5)
    # Labels are read, the validation told them, and samples of each drawn.
    config.update(evaluate_every=1, sample_every=2)
    told = train(config, tmp_path / "told", progress=False)
    plain, told = (keras_pixel.load(x.preset_dir) for x in (plain, told))
    np.testing.assert_allclose(
        told.log_prob(images, labels=labels), plain.log_prob(images), rtol=1e-5
    )
    assert (tmp_path / "told/samples/step-000000002.png").exists()

    config["model"]["config"]["filters"] = 4
    with pytest.raises(ValueError, match="but for conditions.*'first'"):
        train(config, tmp_path / "other", progress=False)


def test_initial_weights_of_another_architecture_are_refused(config, tmp_path):
    first = train(config, tmp_path / "first", progress=False)
    config["model"]["config"]["filters"] = 4
    config["initial_weights"] = str(first.preset_dir)
    with pytest.raises(ValueError, match="of the recipe's architecture"):
        train(config, tmp_path / "second", progress=False)


def test_the_best_by_validation_can_be_published(config, tmp_path):
    # A learning rate that makes things worse: the first step is the best.
    config["optimizer"] = {"name": "sgd", "learning_rate": 3.0}
    config.update(steps=6, publish="best", evaluate_every=1, ema_momentum=0.1)
    result = train(config, tmp_path / "run", progress=False)
    path = tmp_path / "run/checkpoints/best.npz"
    arrays, metadata = load_arrays(path)
    history = keras_pixel.training.history.History(tmp_path / "run/history.csv")
    steps, values = history.column("validation_bits_per_dim")
    assert metadata["step"] == result.step == steps[int(np.argmin(values))]
    assert result.validation_bits_per_dim == pytest.approx(min(values))
    model = keras_pixel.load(result.preset_dir)
    for index, weight in enumerate(model.weights):
        np.testing.assert_array_equal(weight.numpy(), arrays[f"{index:05d}"])


def test_the_best_of_other_validation_images_does_not_count(config, tmp_path):
    config.update(publish="best", evaluate_every=1, validation_images=1)
    train(config, tmp_path / "run", progress=False)
    path = tmp_path / "run/checkpoints/best.npz"
    arrays, metadata = load_arrays(path)
    # As good as can be, were it measured on the images of the next run.
    save_arrays(path, arrays, {**metadata, "bits_per_dim": 0.0})
    config.update(steps=3, validation_images=3)
    result = train(config, tmp_path / "run", progress=False)
    assert result.step == 3 and result.validation_bits_per_dim > 0
    assert load_arrays(path)[1]["validation_images"] == 3


@pytest.mark.parametrize(
    "precision",
    ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)],
)
def test_mixed_precision_publishes_float32(config, tmp_path, precision):
    config.update(precision=precision, ema_momentum=0.9)
    result = train(config, tmp_path / "run", progress=False)
    model = keras_pixel.load(result.preset_dir)
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.layers[-1].compute_dtype == "float32"
    assert np.isfinite(result.bits_per_dim)
    # Resumed, the loss scale of float16 among the rest.
    config["steps"] = 3
    assert train(config, tmp_path / "run", progress=False).step == 3


@pytest.mark.slow
def test_works_on_jax_without_tensorflow(config, tmp_path):
    pytest.importorskip("jax")
    import json

    config.update(evaluate_every=4, checkpoint_every=4, accumulation_steps=2)
    config.update(ema_momentum=0.9)
    done = run_program(
        "train_without_tensorflow.py",
        json.dumps(config),
        tmp_path / "r",
        KERAS_BACKEND="jax",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["jax", "8", "True", "False"]


def test_tensorboard_gets_the_history(config, tmp_path):
    pytest.importorskip("tensorboard")
    train(config, tmp_path / "run", progress=False, tensorboard=True)
    events = list((tmp_path / "run/tensorboard").iterdir())
    assert len(events) == 1 and b"bits_per_dim" in events[0].read_bytes()


def test_missing_tensorboard_is_named(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        train(config, tmp_path / "run", progress=False, tensorboard=True)


def test_unknown_model_class_is_refused_with_near_names(config, tmp_path):
    config["model"]["class_name"] = "PixelCnn"
    with pytest.raises(ValueError, match="Did you mean 'PixelCNN'"):
        train(config, tmp_path / "run", progress=False)


def test_a_wrong_model_is_refused_before_the_data_are_read(config, tmp_path):
    config["model"]["config"]["num_levels"] = 1
    config["data"]["source"] = "./no_such_folder"
    with pytest.raises(ValueError, match="num_levels=1"):
        train(config, tmp_path / "run", progress=False)


def test_a_folder_has_one_owner(tmp_path):
    with one_owner(tmp_path):
        with pytest.raises(ValueError, match="one process at a time"):
            with one_owner(tmp_path):
                pass
    with one_owner(tmp_path):
        pass


def test_progress_is_plain_lines_without_a_terminal(capsys):
    row = {
        "step": 1200,
        "bits_per_dim": 4.51234,
        "validation_bits_per_dim": 4.6,
        "images_per_second": 43.21,
    }
    with Progress(50_000) as progress:
        progress.report(row, 3_725)
    assert capsys.readouterr().err == (
        "step 1,200/50,000: 4.5123 bits/dim, validation 4.6000, "
        "43.21 images/s, 1 h 02 min left\n"
    )


def test_durations_in_words():
    words = [duration(seconds) for seconds in (0.4, 59.7, 249, 3600)]
    assert words == ["0 s", "1 min 00 s", "4 min 09 s", "1 h 00 min"]


def test_the_time_left_leaves_out_the_first_batch():
    pace = Pace(1000)
    assert pace.seconds_left(0, now=0.0) is None
    pace.begin(1, now=100.0)
    pace.begin(2, now=101.0)
    assert pace.seconds_left(1, now=100.0) is None
    assert pace.seconds_left(11, now=105.0) == pytest.approx(989 / 2)
