"""Times every family beside PixelCNN: training step, scoring, sampling.

    python -m benchmarks.families                 # both tables, in README.md
    python -m benchmarks.families --table growth --no-write

The first table has models of about the same number of parameters. A training
step is `fit` on one batch of 16 in float32, compiled as `fit` compiles by
itself; scoring is `log_prob`, sampling is `sample` of one batch. Steps are
those in which one image is drawn, one after the other. The second shows how
seconds grow with the side of the image, for one size of model.

Every row runs in a process of its own.
"""

import argparse
import json
import math
import time
from typing import Any

from benchmarks.tables import best_seconds
from benchmarks.tables import markdown
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.families"
TRAINING_BATCH = 16
SHAPES = {"28×28×1": ((28, 28, 1), 2), "32×32×3": ((32, 32, 3), 256)}
LAG = {"lag": 2, "first_kernel_size": 3}
# About 0.3 million parameters each at 28×28×1.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "PixelCNN": ("PixelCNN", {"filters": 66, "num_blocks": 7}),
    "GatedPixelCNN": ("GatedPixelCNN", {"filters": 51, "num_layers": 5}),
    "WavefrontPixelCNN": ("WavefrontPixelCNN", {"filters": 32}),
    "PixelCNNPlusPlus, lag 2": (
        "PixelCNNPlusPlus",
        {"filters": 18, "num_blocks": 2, "lag": 2},
    ),
    "PixelSNAIL, lag 2": (
        "PixelSNAIL",
        {"filters": 50, "num_blocks": 3, "num_residual_blocks": 2, "lag": 2},
    ),
    "PixelRNN, Row LSTM": (
        "PixelRNN",
        {"variant": "row_lstm", "filters": 39, "num_layers": 5},
    ),
    "PixelRNN, Diagonal BiLSTM": (
        "PixelRNN",
        {"variant": "diagonal_bilstm", "filters": 48, "num_layers": 4},
    ),
    "PixelLSTM": ("PixelLSTM", {"hidden_dim": 138, "num_layers": 2}),
    "ImageTransformer, full": (
        "ImageTransformer",
        {"attention": "full"},
    ),
    "ImageTransformer, local 1D": (
        "ImageTransformer",
        {"attention": "local_1d"},
    ),
    "ImageTransformer, local 2D": (
        "ImageTransformer",
        {"attention": "local_2d"},
    ),
    "ImageTransformer, full, lag 2": (
        "ImageTransformer",
        {"attention": "full", **LAG},
    ),
    "ImageTransformer, local 1D, lag 2": (
        "ImageTransformer",
        {"attention": "local_1d", **LAG},
    ),
    "ImageTransformer, local 2D, lag 2": (
        "ImageTransformer",
        {"attention": "local_2d", **LAG},
    ),
}
# Those that the table of sizes has, too.
GROWING = (
    "PixelCNN",
    "WavefrontPixelCNN",
    "PixelRNN, Row LSTM",
    "PixelRNN, Diagonal BiLSTM",
    "PixelLSTM",
    "ImageTransformer, full",
    "ImageTransformer, local 1D",
    "ImageTransformer, local 2D",
)
TRANSFORMER = {
    "num_layers": 4,
    "hidden_dim": 80,
    "num_heads": 4,
    "intermediate_dim": 320,
}
CONVOLUTIONAL = {"head_filters": 0}
SIDES = (16, 32, 64)
# Full attention, and any that is drawn along a wavefront, has scores of tokens²
# for each head, layer and image, and the LSTM over sub-pixels as many steps.
LARGEST = {
    "ImageTransformer, full": 1024,
    "ImageTransformer, full, lag 2": 1024,
    "ImageTransformer, local 1D, lag 2": 1024,
    "ImageTransformer, local 2D, lag 2": 1024,
    "PixelLSTM": 1024,
}
# Over whole pixels, with a mixture of logistics for 256 levels.
WHOLE_PIXELS = ("WavefrontPixelCNN", "PixelCNNPlusPlus", "PixelSNAIL")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", choices=["families", "growth"])
    parser.add_argument("--models", default="", help="part of a name")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--timeout", type=int, default=900, help="s a row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(**json.loads(arguments.row))))
        return
    tables = {"families": families, "growth": growth}
    for name, table in tables.items():
        if arguments.table in (None, name):
            text = table(arguments)
            print(text)
            if not arguments.no_write:
                write_section(name, text)


def families(arguments):
    """The table of models of one size, as text."""
    header = ["image", "model", "parameters", "steps", "training step, s"]
    header += [
        "of PixelCNN",
        "scoring 64, s",
        "sampling 64, s",
        "sampling / scoring",
    ]
    header += ["compile sampling, s"]
    lines = []
    for shape_name, (shape, num_levels) in SHAPES.items():
        first = None
        for name in MODELS:
            if arguments.models not in name:
                continue
            if too_large(name, shape):
                continue
            row = {"name": name, "shape": shape, "num_levels": num_levels}
            result = run_row(MODULE, {**row, "batch": 64}, arguments.timeout)
            lines.append([shape_name, name])
            if "error" in result:
                lines[-1] += ["-", result["error"], *["-"] * 6]
            else:
                first = first or result["training"]
                lines[-1] += [
                    f"{result['parameters'] / 1e6:.2f}M",
                    f"{result['steps']:,}",
                    f"{result['training']:.3f}",
                    f"{result['training'] / first:.1f}×",
                    f"{result['scoring']:.3f}",
                    f"{result['sampling']:.3f}",
                    f"{result['sampling'] / result['scoring']:.2f}",
                    f"{result['compile']:.1f}",
                ]
            print(" | ".join(lines[-1]), flush=True)
    return markdown(header, lines)


def growth(arguments):
    """The table of seconds by the image's side, as text."""
    header = ["model", "seconds of"]
    header += [f"{side}×{side}" for side in SIDES]
    header += ["64 / 16 (pixels: 16×)"]
    lines = []
    for name in GROWING:
        if arguments.models not in name:
            continue
        results: list[dict] = []
        for side in SIDES:
            shape = (side, side, 1)
            row = {"name": name, "shape": shape, "num_levels": 16, "batch": 16}
            if too_large(name, shape):
                results.append({})
            else:
                results.append(run_row(MODULE, row, arguments.timeout))
        for key, label in (
            ("training", "a training step of 16"),
            ("scoring", "scoring 16"),
            ("sampling", "sampling 16"),
            ("steps", "steps of sampling an image (not s)"),
            ("memory", "peak memory of all three, MB (not s)"),
        ):
            values = [result.get(key) for result in results]
            shown = [f"{x:.3f}" if x else "-" for x in values]
            if key == "steps":
                shown = [f"{x:,}" if x else "-" for x in values]
            if key == "memory":
                shown = [f"{x / 1e6:.0f}" if x else "-" for x in values]
            first, last = values[0], values[-1]
            ratio = f"{last / first:.1f}×" if first and last else "-"
            lines.append([name, label, *shown, ratio])
            print(" | ".join(lines[-1]), flush=True)
    return markdown(header, lines)


def too_large(name, shape):
    """Whether a row would take too long, or too much memory."""
    return math.prod(shape) > LARGEST.get(name, math.inf)


def measure(name, shape, num_levels, batch):
    """Seconds of one model."""
    import keras
    import numpy as np

    import keras_pixel
    from benchmarks.tables import peak_bytes

    class_name, config = MODELS[name]
    if class_name == "ImageTransformer":
        config = {**TRANSFORMER, **config}
    elif class_name in WHOLE_PIXELS:
        kind = "logistic_mixture" if num_levels > 16 else "categorical"
        config = {**config, "distribution": kind}
    elif class_name != "PixelLSTM":
        config = {**CONVOLUTIONAL, **config}
    if num_levels > 16 and class_name not in WHOLE_PIXELS:
        config = {**config, "head_rank": 32}
        if class_name in ("PixelCNN", "GatedPixelCNN", "PixelRNN"):
            config["num_frequencies"] = 4
    model = getattr(keras_pixel, class_name)(tuple(shape), num_levels, **config)
    random = np.random.default_rng(0)
    images = random.integers(num_levels, size=(batch, *shape)).astype("uint8")
    some = images[:TRAINING_BATCH]
    model.compile(keras.optimizers.Adam(1e-4))

    def train():
        model.train_on_batch(some)

    def sample():
        model.sample(batch, seed=0, batch_size=batch)

    before = peak_bytes()
    training = best_seconds(train)
    begin = time.perf_counter()
    sample()
    first = time.perf_counter() - begin
    sampling = best_seconds(sample, warm_up=False)
    scoring = best_seconds(lambda: model.log_prob(images, batch_size=batch))
    return {
        "parameters": model.count_params(),
        "steps": model.sampler.num_steps,
        "training": training,
        "scoring": scoring,
        "sampling": sampling,
        "compile": first - sampling,
        "memory": peak_bytes() - before,
    }


if __name__ == "__main__":
    main()
