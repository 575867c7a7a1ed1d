"""Do devices and processes that share batches train as one device does?"""

import importlib.util
import json
import os
import socket
import subprocess

import keras
import numpy as np
import pytest

import keras_pixel
from keras_pixel.training import finetune
from keras_pixel.training import join_processes
from keras_pixel.training import train
from keras_pixel.training.checkpoint import load_arrays
from keras_pixel.training.devices import Devices
from tests.support.imports import ROOT
from tests.support.programs import command
from tests.support.training import tiny_recipe

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs JAX"
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return tiny_recipe(
        tmp_path_factory.mktemp("data"),
        batch_size=8,
        steps=8,
        evaluate_every=4,
        patience=2,
        publish="best",
    )


def start(*arguments, num_devices=1, program="train_on_devices.py"):
    flags = os.environ.get("XLA_FLAGS", "")
    flags += f" --xla_force_host_platform_device_count={num_devices}"
    variables = {"KERAS_BACKEND": "jax", "XLA_FLAGS": flags}
    return subprocess.Popen(
        command(program, *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outputs(*processes):
    try:
        found = [process.communicate(timeout=900) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    for process, (_, errors) in zip(processes, found, strict=True):
        assert process.returncode == 0, errors[-2000:]
    return [printed for printed, _ in found]


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def newest(folder):
    path = max((folder / "checkpoints").glob("checkpoint-*.npz"))
    return load_arrays(path)


def assert_close(found, expected):
    assert found[1]["step"] == expected[1]["step"]
    assert found[0].keys() == expected[0].keys()
    for name, value in expected[0].items():
        np.testing.assert_allclose(
            found[0][name].astype("float64"),
            value.astype("float64"),
            atol=1e-5,
            err_msg=name,
        )


@pytest.mark.slow
@needs_jax
def test_devices_and_processes_train_as_one(recipe, tmp_path):
    whole, half = tmp_path / "whole.json", tmp_path / "half.json"
    whole.write_text(json.dumps(recipe))
    half.write_text(json.dumps({**recipe, "steps": 4}))
    one, two, shared = (tmp_path / x for x in ("one", "two", "shared"))
    # One device and two, in a process that has two; and half by one.
    outputs(
        start(
            f"{whole},{whole},{half}",
            f"{one},{two},{shared}",
            "None,2,None",
            num_devices=2,
        )
    )
    assert_close(newest(two), newest(one))
    # The other half by two processes.
    address = free_address()
    first, second = (
        start(whole, shared, "None", address, 2, number) for number in (0, 1)
    )
    last = [printed.splitlines()[-1] for printed in outputs(first, second)]
    assert last == [str(shared / "preset"), "nothing"]
    assert_close(newest(shared), newest(one))
    history = (shared / "history.csv").read_text()
    assert len(history.splitlines()) == 1 + 4


@needs_jax
@pytest.mark.slow
def test_devices_finetune_as_one(recipe, tmp_path):
    model = keras_pixel.PixelCNN(**recipe["model"]["config"])
    preset = model.save_preset(tmp_path / "preset")
    one, two = tmp_path / "one", tmp_path / "two"
    (printed,) = outputs(
        start(
            *(preset, recipe["data"]["source"], f"{one},{two}", "None,2"),
            num_devices=2,
            program="finetune_on_devices.py",
        )
    )
    steps = printed.split()
    assert steps[0] == steps[1]
    assert newest(one)[1]["step"] == 6
    assert_close(newest(two), newest(one))


def test_a_signal_to_one_process_stops_all_at_the_end_of_a_window(
    recipe, tmp_path, monkeypatch
):
    asked = []

    def any_has_one(devices, flag):
        asked.append(flag)
        return len(asked) == 2

    monkeypatch.setattr(Devices, "any", any_has_one)
    assert train(recipe, tmp_path, progress=False) is None
    assert newest(tmp_path)[1]["step"] == 4
    assert asked == [False, False]


def test_a_distribution_of_the_user_stays():
    mine = keras.distribution.DataParallel(devices=["cpu:0"])
    keras.distribution.set_distribution(mine)
    try:
        with Devices(None, 8).scope():
            assert keras.distribution.distribution() is mine
        assert keras.distribution.distribution() is mine
    finally:
        keras.distribution.set_distribution(None)


def test_devices_are_checked_before_anything_is_made(recipe, tmp_path):
    if keras.backend.backend() == "jax":
        pytest.skip("looks at what other backends refuse")
    with pytest.raises(ValueError, match="JAX backend only"):
        train(recipe, tmp_path / "run", devices=2)
    with pytest.raises(ValueError, match="JAX backend only"):
        join_processes("127.0.0.1:1234", 2, 0)
    model = keras_pixel.PixelCNN(**recipe["model"]["config"])
    images = np.load(recipe["data"]["source"])
    with pytest.raises(ValueError, match="JAX backend only"):
        finetune(model, images, tmp_path / "run", devices=2)
    assert not (tmp_path / "run").exists()
