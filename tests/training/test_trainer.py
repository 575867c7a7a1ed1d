"""One tiny training in several ways: whole, killed, prolonged, refused."""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_pixel
from keras_pixel.training import Recipe
from keras_pixel.training import evaluate
from keras_pixel.training import machine
from keras_pixel.training import train
from keras_pixel.training.bookkeeping import Bookkeeping
from keras_pixel.training.checkpoint import load_arrays
from keras_pixel.training.checkpoint import save_arrays
from tests.support.programs import run_program
from tests.support.training import tiny_recipe

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tiny_recipe(
        tmp_path_factory.mktemp("data"),
        schedule={"warmup_steps": 3, "decay": "cosine"},
        batch_size=7,
        steps=16,
        evaluate_every=8,
        sample_every=16,
    )


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    output_dir = tmp_path_factory.mktemp("whole")
    return output_dir, train(config, output_dir, progress=False)


def newest(output_dir):
    return load_arrays(output_dir / "checkpoints/checkpoint-000000016.npz")[0]


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.tobytes() == second[name].tobytes(), name


def test_a_training_leaves_what_it_promises(whole):
    output_dir, result = whole
    files = {
        str(path.relative_to(output_dir))
        for path in output_dir.rglob("*")
        if path.is_file()
    }
    assert files == {
        ".lock",
        "checkpoints/best.npz",
        "checkpoints/checkpoint-000000012.npz",
        "checkpoints/checkpoint-000000016.npz",
        *(["curve.png"] if importlib.util.find_spec("matplotlib") else []),
        "history.csv",
        "preset/config.json",
        "preset/metadata.json",
        "preset/model.weights.h5",
        "preset/recipe.json",
        "recipe.json",
        "samples/step-000000016.png",
    }
    lines = (output_dir / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [
        str(step) for step in range(2, 17, 2)
    ]
    assert result.step == 16
    assert result.preset_dir == output_dir / "preset"


def test_the_loss_falls(whole):
    rows = (whole[0] / "history.csv").read_text().splitlines()
    bits = [float(row.split(",")[1]) for row in rows[1:]]
    assert bits[-1] < bits[0] <= 2.5


def test_the_preset_has_the_averaged_weights(whole, config):
    output_dir, result = whole
    model = keras_pixel.load(output_dir / "preset")
    assert model.dtype_policy.name == "float32"
    # The optimizer's variables: its step, then the averages.
    arrays = newest(output_dir)
    for index, weight in enumerate(model.trainable_weights):
        average = arrays[f"optimizer/{index + 1:05d}"]
        raw = arrays[f"model/{index:05d}"]
        assert np.asarray(weight.value).tobytes() == average.tobytes()
        assert not np.array_equal(raw, average)
    source = config["data"]["source"]
    validation = keras_pixel.data.load_data(
        source,
        "validation",
        num_levels=4,
        validation=11,
        test=9,
        values="levels",
    )
    assert len(validation) == 11
    found = evaluate(model, validation, batch_size=4)["bits_per_dim"]
    assert found == pytest.approx(result.validation_bits_per_dim, abs=1e-5)


def test_without_matplotlib_there_is_no_curve(
    whole, config, tmp_path, monkeypatch, capsys
):
    for name in [n for n in sys.modules if n.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    train(config, tmp_path)
    # Said once, though a curve was due at each of four checkpoints.
    assert capsys.readouterr().err.count("No learning curve") == 1
    assert not (tmp_path / "curve.png").exists()
    assert_same(newest(tmp_path), newest(whole[0]))


@pytest.mark.slow
def test_killed_twice_it_ends_bit_for_bit_the_same(whole, config, tmp_path):
    output_dir = tmp_path / "killed"
    Recipe.from_dict(config).to_json(tmp_path / "recipe.json")
    for moment in ("training", "saving"):
        done = run_program(
            "killed_training.py", tmp_path / "recipe.json", output_dir, moment
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
    leftovers = list((output_dir / "checkpoints").glob(".*.tmp"))
    checkpoints = list((output_dir / "checkpoints").glob("checkpoint*"))
    assert len(leftovers) == 1
    assert [p.name for p in checkpoints] == ["checkpoint-000000004.npz"]
    result = train(config, output_dir, progress=False)
    assert result.step == 16
    assert_same(newest(output_dir), newest(whole[0]))
    weights = "preset/model.weights.h5"
    ours = keras_pixel.load(output_dir / "preset")
    theirs = keras_pixel.load(whole[0] / "preset")
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        assert np.asarray(a.value).tobytes() == np.asarray(b.value).tobytes()
    steps = [
        line.split(",")[:4]
        for line in (output_dir / "history.csv").read_text().splitlines()
    ]
    assert steps == [
        line.split(",")[:4]
        for line in (whole[0] / "history.csv").read_text().splitlines()
    ]
    assert (output_dir / weights).exists()
    assert not list((output_dir / "checkpoints").glob(".*.tmp"))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_saves_and_nothing_is_lost(
    whole, config, tmp_path, monkeypatch, name
):
    number = getattr(signal, name)
    batches = []
    true = Bookkeeping.on_train_batch_end

    def batch_end(self, batch, logs=None):
        true(self, batch, logs)
        batches.append(batch)
        # In the middle of a step, of a window and between two checkpoints.
        if len(batches) in (11, 12):
            os.kill(os.getpid(), number)

    def end(number, frame):
        raise SystemExit(128 + number)

    former = signal.signal(signal.SIGTERM, end)
    monkeypatch.setattr(Bookkeeping, "on_train_batch_end", batch_end)
    try:
        for done in (11, 12):
            with pytest.raises((KeyboardInterrupt, SystemExit)):
                train(config, tmp_path / "run", progress=False)
            assert done <= len(batches) <= done + 1
        assert signal.getsignal(signal.SIGTERM) is end
        result = train(config, tmp_path / "run", progress=False)
    finally:
        signal.signal(signal.SIGTERM, former)
    assert len(batches) == 32
    assert result.step == 16
    assert_same(newest(tmp_path / "run"), newest(whole[0]))
    ours, theirs = (
        [
            line.split(",")[:2]
            for line in (folder / "history.csv").read_text().splitlines()[1:]
        ]
        for folder in (tmp_path / "run", whole[0])
    )
    assert [step for step, _ in ours] == [step for step, _ in theirs]
    np.testing.assert_allclose(
        [float(bits) for _, bits in ours],
        [float(bits) for _, bits in theirs],
        rtol=1e-5,
    )


def test_other_images_are_refused(config, tmp_path, capsys):
    images = np.load(config["data"]["source"])
    np.save(tmp_path / "images.npy", images)
    data = {**config["data"], "source": str(tmp_path / "images.npy")}
    short = {**config, "data": data, "steps": 4, "evaluate_every": 4}
    train(short, tmp_path / "run", progress=False)
    longer = {**short, "steps": 8}
    for changed in (images[:40][::-1], images[::-1], 3 - images):
        np.save(tmp_path / "images.npy", changed)
        with pytest.raises(ValueError, match="(train|valid.*) images that"):
            train(longer, tmp_path / "run", progress=False)
    np.save(tmp_path / "images.npy", images)
    # A folder of an earlier version has no such numbers.
    (path,) = (tmp_path / "run" / "checkpoints").glob("checkpoint-*")
    arrays = load_arrays(path)[0]
    former = Recipe.from_dict(short).former_fingerprint()
    save_arrays(path, arrays, {"step": 4, "fingerprint": former})
    train(longer, tmp_path / "run")
    assert "they cannot be compared" in capsys.readouterr().err


def test_another_number_of_threads_is_said(
    config, tmp_path, capsys, monkeypatch
):
    short = {**config, "steps": 4, "evaluate_every": 0}
    train(short, tmp_path / "run", progress=False)
    path = tmp_path / "run" / "checkpoints" / "checkpoint-000000004.npz"
    threads = load_arrays(path)[1]["threads"]
    assert threads == len(os.sched_getaffinity(0))
    monkeypatch.setattr(machine, "num_threads", lambda: threads + 3)
    train(short, tmp_path / "run")
    words = f"Received: {threads + 3}, after {threads} until the checkpoint"
    assert words in capsys.readouterr().err


def test_the_same_call_again_trains_no_further(whole, config):
    before = newest(whole[0])
    result = train(config, whole[0], progress=False)
    assert result.step == 16
    assert result.bits_per_dim == pytest.approx(whole[1].bits_per_dim)
    assert_same(newest(whole[0]), before)


def test_another_recipe_is_refused(whole, config):
    with pytest.raises(ValueError, match="batch_size=8 instead of 7"):
        train({**config, "batch_size": 8}, whole[0], progress=False)


def test_a_folder_with_a_training_is_refused_without_resume(whole, config):
    with pytest.raises(ValueError, match="`resume` is False"):
        train(config, whole[0], resume=False, progress=False)


def test_a_recipe_of_ones_own_is_not_replaced(config, tmp_path):
    written = json.dumps({**config, "name": "mine"})
    (tmp_path / "recipe.json").write_text(written)
    with pytest.raises(ValueError, match="whose recipe.json is another"):
        train(config, tmp_path, progress=False)
    assert (tmp_path / "recipe.json").read_text() == written
    (tmp_path / "history.csv").write_text("my own table\n1\n")
    with pytest.raises(ValueError, match="must have a column `step`"):
        train(config, tmp_path, progress=False)


def test_fewer_steps_than_done_are_refused(whole, config):
    with pytest.raises(ValueError, match="steps=8, with a checkpoint of st"):
        train({**config, "steps": 8}, whole[0], progress=False)
