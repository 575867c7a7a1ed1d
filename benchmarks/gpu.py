"""One command for a machine with a GPU: are its results right, and how fast?

    python -m benchmarks.gpu                       # the table, printed
    python -m benchmarks.gpu --write               # and put into README.md
    python -m benchmarks.gpu --device cpu --presets FOLDER --batch-size 2

It runs on the backend that KERAS_BACKEND names, and needs no TensorFlow for
JAX. Each row is a process of its own. It scores a batch, draws a batch from
given noise, and times both; then a process on the CPU computes the same in
float32 and says whether the row is right:

- scores: the largest difference of a log-probability, relative to the largest
  of the batch, is within the tolerance.
- samples: given the image as it was drawn so far, the noise makes the same
  level on the CPU, but for levels whose cumulative probability lies close to
  the noise (PARITY). So a tie, after which an image rightly is another one,
  counts once. The share of levels that differ otherwise is within a limit.

`tf32` is float32 as GPUs multiply by default: with products rounded to 10 bits.
`float32` switches that off. Rows of ONNX Runtime need TensorFlow to export, and
its CUDA provider on a GPU. Compare only rows of one table.

Ends with 0 if all rows are right, 1 if one is wrong or fails, and 3 if
there is no GPU.
"""

import argparse
import dataclasses
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.tables import best_seconds
from benchmarks.tables import machine
from benchmarks.tables import markdown
from benchmarks.tables import run_row
from benchmarks.tables import write_section

NO_GPU = 3
PRESETS = "pixelcnn_mnist,pixelcnn_cifar10,wavefront_pixelcnn_cifar10"
POLICIES = {
    "float32": "float32",
    "tf32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}
# What ONNX files are written in.
OF_ONNX = ("float32", "float16")


@dataclasses.dataclass(frozen=True)
class Parity:
    """How far a row may be from float32 on the CPU.

    Attributes:
        scores: relative to the largest log-probability.
        tie: distance of the cumulative probability from the noise.
        levels: share of the levels by which a level may be off anyway.
        differing: share of the sub-pixels that may differ by more.
    """

    scores: float
    tie: float
    levels: float
    differing: float


PARITY = {
    "float32": Parity(scores=1e-4, tie=1e-4, levels=0.0, differing=1e-4),
    "tf32": Parity(scores=5e-3, tie=2e-2, levels=1 / 128, differing=1e-3),
    "float16": Parity(scores=5e-3, tie=2e-2, levels=1 / 128, differing=1e-3),
    "bfloat16": Parity(scores=3e-2, tie=1e-1, levels=1 / 32, differing=1e-2),
}

HEADER = [
    *("preset", "runs on", "precision", "batch"),
    *("score, images/s", "of float32", "sample, images/s", "of float32"),
    *("scores differ by", "levels differ", "right"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default=PRESETS, help="or folders")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--precisions", default=",".join(POLICIES))
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--timeout", type=int, default=1800, help="s, a row")
    parser.add_argument("--no-onnx", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row is not None:
        print(json.dumps(KINDS[arguments.row["kind"]](**arguments.row)))
        return 0
    return measure(arguments)


def measure(arguments):
    """Print the table; returns the status to end with."""
    found = run({"kind": "devices"}, arguments, "gpu")
    if arguments.device == "gpu" and not found.get("gpus"):
        backend = found.get("backend", "its backend")
        reason = found.get("error", "none is listed")
        print(
            f"No GPU: Keras on {backend} finds none ({reason}). Nothing was "
            "measured. `--device cpu` runs the same program on the CPU.",
            file=sys.stderr,
        )
        return NO_GPU
    if "error" in found:
        print(found["error"], file=sys.stderr)
        return 1
    precisions = arguments.precisions.split(",")
    unknown = sorted(set(precisions) - set(POLICIES))
    if unknown:
        print(f"No such precisions: {unknown}", file=sys.stderr)
        return 1
    runtimes = [f"Keras, {found['backend']}"]
    left_out = None if arguments.no_onnx else _why_no_onnx(arguments.device)
    if not arguments.no_onnx and left_out is None:
        runtimes.append("ONNX Runtime")
    lines, is_right = [], True
    with tempfile.TemporaryDirectory() as folder:
        for preset in arguments.presets.split(","):
            for runtime in runtimes:
                rows = measure_rows(
                    preset, runtime, precisions, arguments, pathlib.Path(folder)
                )
                for line, right in rows:
                    lines.append(line)
                    is_right &= right
                    print(" | ".join(line), file=sys.stderr, flush=True)
    where = ", ".join(found["gpus"]) if arguments.device == "gpu" else "CPU"
    text = f"Device: {where}.\n\n" + markdown(HEADER, lines)
    if left_out is not None:
        text += f"\n\nWithout rows of ONNX Runtime: {left_out}."
    print(f"{machine()}.\n\n{text}")
    if arguments.write:
        write_section("gpu", text)
    return 0 if is_right else 1


def measure_rows(preset, runtime, precisions, arguments, folder):
    """Lines of one preset in one runtime, each with whether it is right."""
    first = None
    is_onnx = runtime == "ONNX Runtime"
    for precision in precisions:
        if is_onnx and precision not in OF_ONNX:
            continue
        # TF32 is something that GPUs do.
        if precision == "tf32" and arguments.device == "cpu":
            continue
        row = {
            "kind": "onnx" if is_onnx else "keras",
            "preset": preset,
            "precision": precision,
            "device": arguments.device,
            "batch_size": arguments.batch_size,
            "repeats": arguments.repeats,
            "results": str(folder / "results.npz"),
        }
        start = [pathlib.Path(preset).name, f"{runtime}, {arguments.device}"]
        start += [precision, str(arguments.batch_size)]
        if is_onnx:
            row["folder"] = str(folder / f"{start[0]}_{precision}")
            done = run({**row, "kind": "export"}, arguments, "cpu")
            if "error" in done:
                yield [*start, *["–"] * 6, done["error"]], False
                continue
        done = run(row, arguments, arguments.device)
        if "error" not in done:
            checked = run({**row, "kind": "check"}, arguments, "cpu")
            done = {**done, **checked}
        if "error" in done:
            yield [*start, *["–"] * 6, done["error"]], False
            continue
        first = first or done
        yield [*start, *_cells(done, first)], done["is_right"]


def _cells(done, first):
    cells = []
    for name in ("score", "sample"):
        speed, of_first = done[name], first[name]
        cells += [
            "–" if speed is None else f"{speed:.1f}",
            "–" if None in (speed, of_first) else f"{speed / of_first:.2f}×",
        ]
    differing = done["differing"]
    return [
        *cells,
        f"{done['scores']:.1e}",
        "–" if differing is None else f"{differing:.1e}",
        "yes" if done["is_right"] else "NO",
    ]


def run(row, arguments, device):
    """A row in a process that sees the GPU only where it is to."""
    env = {}
    if device == "cpu":
        env = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    if row["kind"] == "export":
        env["KERAS_BACKEND"] = "tensorflow"
    return run_row("benchmarks.gpu", row, arguments.timeout, env)


def _why_no_onnx(device):
    """What keeps the rows of ONNX Runtime out, or `None`."""
    for name in ("tensorflow", "onnx", "tf2onnx", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed"
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    if device == "gpu" and "CUDAExecutionProvider" not in providers:
        return f"it has no CUDAExecutionProvider, but {providers}"
    return None


# === What the processes do ===


def devices(**row):
    """GPUs that Keras sees, and the backend."""
    import keras

    return {
        "backend": keras.backend.backend(),
        "gpus": _gpus(),
    }


def _gpus():
    import keras

    try:
        return keras.distribution.list_devices("gpu")
    except RuntimeError:  # of JAX, where there is none
        return []


def run_keras(preset, precision, device, batch_size, repeats, results, **row):
    """Score and draw in Keras."""
    import keras_pixel

    if device == "gpu" and not _gpus():
        raise RuntimeError("The row is of a GPU, but Keras sees none.")
    _allow_tf32(precision == "tf32")
    model = keras_pixel.load(preset, dtype=POLICIES[precision])
    images, noise, told = inputs(model, batch_size)
    options = {"batch_size": batch_size, **told}
    return _timed(
        lambda: model.log_prob(images, **options),
        lambda: model.sample(noise=noise, **options),
        batch_size,
        repeats,
        results,
    )


def run_onnx(
    preset, precision, device, batch_size, repeats, results, folder, **row
):
    """Score and draw in ONNX Runtime, step by step where the model can."""
    import onnxruntime

    from benchmarks.export import load_runner

    path = pathlib.Path(folder)
    # Without Keras, which would take memory of the GPU.
    with np.load(_inputs_file(path)) as arrays:
        images, noise = arrays["images"], arrays["noise"]
        told = {
            name: int(arrays[name])
            for name in arrays
            if name not in ("images", "noise")
        }
    provider = {"cpu": "CPU", "gpu": "CUDA"}[device] + "ExecutionProvider"
    score = onnxruntime.InferenceSession(
        str(path / "log_prob.onnx"), providers=[provider], enable_fallback=0
    )
    if score.get_providers()[0] != provider:
        raise RuntimeError(f"ONNX Runtime does not compute on its {provider}.")
    told_arrays = {
        name: np.full(batch_size, value, "int32")
        for name, value in told.items()
    }
    draw = None
    if (path / "step.onnx").exists():
        device = "cuda" if device == "gpu" else "cpu"
        steps = load_runner().StepSampler(path, device)

        def draw():
            return steps.sample(noise, **told)

    return _timed(
        lambda: score.run(["log_prob"], {"images": images, **told_arrays})[0],
        draw,
        batch_size,
        repeats,
        results,
    )


def export_onnx(preset, precision, batch_size, folder, **row):
    """Write the ONNX files of a preset, and what they are to compute."""
    import keras_pixel

    model = keras_pixel.load(preset)
    keras_pixel.export.onnx(
        model, folder, step_batch_size=batch_size, precision=precision
    )
    images, noise, told = inputs(model, batch_size)
    np.savez(_inputs_file(folder), images=images, noise=noise, **told)
    return {}


def _inputs_file(folder):
    return pathlib.Path(f"{folder}.npz")


def check(preset, precision, batch_size, results, **row):
    """Compare what a row gave with Keras in float32 on the CPU."""
    import keras_pixel
    from keras_pixel.export.checks import differing
    from keras_pixel.export.precision import Tolerances

    parity = PARITY[precision]
    model = keras_pixel.load(preset)
    images, noise, told = inputs(model, batch_size)
    with np.load(results) as arrays:
        found = dict(arrays)
    expected = model.log_prob(images, batch_size=batch_size, **told)
    error = np.abs(found["log_prob"] - expected).max()
    scores = float(error / np.abs(expected).max())
    is_right = bool(scores <= parity.scores)
    share = None
    if "drawn" in found:
        conditions = [
            np.full(batch_size, value, "int32") for value in told.values()
        ]
        differs, is_tie = differing(
            model,
            found["drawn"],
            noise,
            np.ones(batch_size, "float32"),
            conditions=conditions,
            tolerances=Tolerances(tie=parity.tie, levels=parity.levels),
        )
        share = float((differs & ~is_tie).mean())
        is_right &= share <= parity.differing
    return {"scores": scores, "differing": share, "is_right": is_right}


def inputs(model, batch_size):
    """The same images, noise and labels in every process."""
    random = np.random.default_rng(0)
    noise = random.random((batch_size, *model.noise_shape), "float32")
    shape = (batch_size, *model.image_shape)
    images = random.integers(model.num_levels, size=shape).astype("uint8")
    names = model.conditions.names
    if set(names) - {"labels", "order"}:
        raise ValueError(f"Only labels and orders are told here, not {names}.")
    return images, noise, dict.fromkeys(names, 0)


def _timed(score, draw, batch_size, repeats, results):
    """Speeds in images/s; the results are kept for `check`."""
    # The first call compiles.
    arrays: dict[str, Any] = {"log_prob": np.asarray(score())}
    if draw is not None:
        arrays["drawn"] = np.asarray(draw())
    np.savez(results, **arrays)
    speeds = [
        None
        if function is None
        else batch_size / best_seconds(function, repeats, warm_up=False)
        for function in (score, draw)
    ]
    return dict(zip(("score", "sample"), speeds, strict=True))


def _allow_tf32(allowed):
    import keras

    if keras.backend.backend() == "jax":
        import jax

        precision = "tensorfloat32" if allowed else "float32"
        jax.config.update("jax_default_matmul_precision", precision)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(allowed)


KINDS: dict[str, Callable] = {
    "devices": devices,
    "keras": run_keras,
    "onnx": run_onnx,
    "export": export_onnx,
    "check": check,
}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
