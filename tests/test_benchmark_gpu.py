"""`python -m benchmarks.gpu`, which is run on a CPU here."""

import argparse
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import gpu
from tests.support import catalogue
from tests.support.imports import ROOT


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    path = tmp_path_factory.mktemp("gpu") / "tiny"
    catalogue.MODELS[0].make().save_preset(path)
    return str(path)


@pytest.fixture(scope="module")
def without_tensorflow(tmp_path_factory):
    """A folder that keeps TensorFlow from being imported."""
    path = tmp_path_factory.mktemp("path")
    for name in ("tensorflow", "tensorflow_probability"):
        (path / name).mkdir()
        (path / name / "__init__.py").write_text(
            f"raise ModuleNotFoundError('No {name}', name='{name}')\n"
        )
    return path


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=900,
    )


def table(text):
    lines = [x for x in text.splitlines() if x.startswith("| ")]
    rows = [[cell.strip() for cell in x.strip("|").split("|")] for x in lines]
    header, _, *rows = rows
    assert header == gpu.HEADER
    return rows


def is_speed(cell):
    return re.fullmatch(r"[\d.]+", cell) and float(cell) > 0


@pytest.mark.slow
def test_it_runs_on_a_cpu_with_jax_alone(preset, without_tensorflow):
    pytest.importorskip("jax", reason="needs the extra jax")
    done = run(
        *("--device", "cpu", "--presets", preset, "--batch-size", "2"),
        *("--precisions", "float32,tf32,float16", "--repeats", "1"),
        "--no-onnx",
        KERAS_BACKEND="jax",
        PYTHONPATH=f"{without_tensorflow}{os.pathsep}{ROOT}",
    )
    assert done.returncode == 0, done.stderr
    rows = table(done.stdout)
    start = ["tiny", "Keras, jax, cpu"]
    assert [row[:4] for row in rows] == [
        [*start, "float32", "2"],
        [*start, "float16", "2"],
    ]
    for row in rows:
        assert is_speed(row[4])
        assert is_speed(row[6])
        assert row[-1] == "yes"
    assert rows[0][5] == rows[0][7] == "1.00×"


@pytest.mark.slow
def test_onnx_runtime_has_rows_too(preset):
    pytest.importorskip("onnxruntime", reason="needs the extra onnxruntime")
    done = run(
        *("--device", "cpu", "--presets", preset, "--batch-size", "2"),
        *("--precisions", "float32,float16", "--repeats", "1"),
        KERAS_BACKEND="tensorflow",
    )
    assert done.returncode == 0, done.stderr
    rows = table(done.stdout)
    assert [row[1:3] for row in rows] == [
        [f"{runtime}, cpu", precision]
        for runtime in ("Keras, tensorflow", "ONNX Runtime")
        for precision in ("float32", "float16")
    ]
    assert all(is_speed(row[4]) and is_speed(row[6]) for row in rows)
    assert {row[-1] for row in rows} == {"yes"}


@pytest.mark.gpu
def test_a_gpu_is_right(preset):
    done = run("--presets", preset, "--batch-size", "4", "--repeats", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {row[2] for row in table(done.stdout)} == set(gpu.POLICIES)


@pytest.mark.parametrize("found", [{"gpus": []}, {"error": "no driver"}])
def test_no_gpu_is_said_and_has_a_status_of_its_own(monkeypatch, capsys, found):
    rows = []

    def run_row(module, row, timeout, env):
        rows.append(row["kind"])
        return {"backend": "jax", **found}

    monkeypatch.setattr(gpu, "run_row", run_row)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert gpu.main() == gpu.NO_GPU == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "No GPU: " in said.err
    assert "--device cpu" in said.err
    assert rows == ["devices"]


def test_a_row_of_a_gpu_is_not_measured_without_one(preset, tmp_path):
    if gpu._gpus():
        pytest.skip("needs a machine without a GPU")
    with pytest.raises(RuntimeError, match="Keras sees none"):
        gpu.run_keras(preset, "float32", "gpu", 2, 1, tmp_path / "x.npz")


@pytest.fixture
def results(preset, tmp_path):
    """What a row gives in float32 on the CPU, and a function that checks."""
    path = tmp_path / "results.npz"
    gpu.run_keras(preset, "float32", "cpu", 4, 1, path)
    with np.load(path) as arrays:
        found = dict(arrays)

    def check(precision="float32", **changed):
        np.savez(path, **{**found, **changed})
        return gpu.check(preset, precision, 4, path)

    return found, check


def test_right_results_are_right(results):
    _, check = results
    checked = check()
    assert checked["is_right"]
    assert checked["scores"] < 1e-6
    assert checked["differing"] == 0


def test_wrong_scores_are_found(results):
    found, check = results
    wrong = found["log_prob"] * np.float32(1.002)
    assert not check(log_prob=wrong)["is_right"]
    assert check(log_prob=wrong)["scores"] == pytest.approx(0.002, rel=0.01)
    # So far off may be what has few digits.
    assert check("float16", log_prob=wrong)["is_right"]
    assert not check("float16", log_prob=wrong * 1.01)["is_right"]
    assert not check(log_prob=wrong * np.nan)["is_right"]


def test_wrong_images_are_found(results):
    found, check = results
    wrong = found["drawn"][::-1]
    assert not check(drawn=wrong)["is_right"]
    assert not check("bfloat16", drawn=wrong)["is_right"]
    assert check(drawn=wrong)["differing"] > 0.01


def test_a_row_that_fails_is_told_and_is_not_right(monkeypatch):
    arguments = argparse.Namespace(device="cpu", batch_size=2, repeats=1)
    monkeypatch.setattr(
        gpu, "run", lambda row, *rest: {"error": "out of memory"}
    )
    rows = gpu.measure_rows(
        "tiny", "Keras, jax", ["float32"], arguments, pathlib.Path()
    )
    ((line, is_right),) = rows
    assert not is_right
    assert line[-1] == "out of memory"
    assert len(line) == len(gpu.HEADER)
