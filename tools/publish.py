"""Publishes a training as a preset of the zoo.

    python -m tools.publish runs/mnist pixelcnn_mnist --hardware "2 CPU cores"

Takes the averaged weights of a training's folder (its `preset/`, or while it
continues the best by validation so far), measures them on the whole test split
in float32, stores them as float16 if that changes less than 0.002 bits/dim,
draws samples, and writes `zoo/NAME/` with its card. A preset that is there
already is replaced by a better number only, unless forced.

Run it from the root of a checkout; look at samples.png; then run
`python -m tools.generate_tables`.
"""

import argparse
import datetime
import functools
import io
import pathlib
import re
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_pixel import presets
from keras_pixel import tasks
from keras_pixel import training
from keras_pixel.cli import output
from keras_pixel.data import ImageData
from keras_pixel.training import building
from keras_pixel.training.checkpoint import load_arrays
from keras_pixel.training.history import History
from tools import cards

# What is measured: a test split, or its arrays by name.
TestImages = ImageData | dict[str, np.ndarray]

# Rounding the weights may cost less than this, in bits/dim.
TOLERANCE = 0.002
MAX_BYTES = 16_000_000
OFFICIAL_TEST_IMAGES = {"cifar10": 10_000, "mnist": 10_000}
NOTES = {
    "binarized_mnist": "The binarisation is the fixed (static) one; numbers "
    "on MNIST binarised anew at random are another problem and do not compare.",
}


def parse_arguments(args: Sequence[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path, help="a training's folder")
    parser.add_argument("name", help="<model>[_<size>]_<dataset>")
    parser.add_argument("--hours", type=float, help="instead of the history's")
    return parser.parse_args(args)


def make_parser(
    description: str, needed: bool = True
) -> argparse.ArgumentParser:
    """A parser with what measuring and writing a preset need."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--hardware", required=needed, help='"2 CPU cores"')
    parser.add_argument("--data-dir", help="folder of TFDS data sets")
    parser.add_argument("--licence", default="Apache-2.0")
    parser.add_argument("--note", help="what else users should know")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0, help="of the samples")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--compare-images", type=int, help="rounding: first n")
    parser.add_argument(
        "--no-classify",
        action="store_true",
        help="a model of labels: a forward pass for each class is left out",
    )
    parser.add_argument("--force", action="store_true", help="even if worse")
    return parser


def trained_model(
    run: pathlib.Path, recipe: training.Recipe
) -> tuple[Any, int]:
    """The published weights of a training, and the step they are from."""
    best = run / "checkpoints" / "best.npz"
    if (run / "preset").is_dir():
        metadata = presets.read_metadata(run / "preset")
        return presets.load(run / "preset"), metadata["training"]["step"]
    if not best.is_file():
        raise FileNotFoundError(
            "A training must be done, or have evaluated its weights once, to "
            f"be published. Received: run={str(run)!r} without `preset` and "
            "`checkpoints/best.npz`. Wait for it."
        )
    arrays, metadata = load_arrays(best)
    model = building.build_model(recipe, "float32")
    for index, weight in enumerate(model.weights):
        weight.assign(arrays[f"{index:05d}"])
    return model, metadata["step"]


def measure(
    title: str,
    model: Any,
    data: TestImages,
    batch_size: int,
    num_images: int | None = None,
) -> dict[str, Any]:
    count = len(data["images"] if isinstance(data, dict) else data)
    total = min(count, num_images or count)
    with output.progress(title, total) as done:
        result = training.evaluate(
            model, data, batch_size, num_images=num_images, progress=done
        )
    print(f"{title}: {result['bits_per_dim']:.4f} bits/dim", flush=True)
    return result


def rounded(model: Any) -> Any:
    """The same model, its weights rounded to float16."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rounded"
        return presets.load(presets.save_preset(model, path, dtype="float16"))


def hours_until(run: pathlib.Path, step: int) -> float:
    rows = [r for r in History(run / "history.csv").rows if r["step"] <= step]
    return rows[-1]["seconds"] / 3600 if rows else 0.0


def refuse_worse(
    old: dict[str, Any] | None, measured: dict[str, Any], force: bool
) -> None:
    """Keeps the published number, unless the new one is lower."""
    if old is None or force:
        return
    value, unit = cards.headline(old)
    if measured["headline"] != unit or measured[unit] >= value:
        raise ValueError(
            "A preset is replaced by a lower number only. Received: "
            f"{unit}={measured[unit]:.4f}, where {value:.4f} is published. "
            "Use --force to publish it all the same."
        )


def dataset_entry(
    name: str, data: ImageData, note: str | None
) -> dict[str, Any]:
    official = OFFICIAL_TEST_IMAGES.get(name, len(data))
    notes = [NOTES.get(name), note]
    if len(data) < official:
        notes.append(
            f"Measured on {len(data):,} of the {official:,} official test "
            "images: the others were not at hand."
        )
    return {
        "name": name,
        "split": "test",
        "num_images": len(data),
        "description": data.description,
        "note": " ".join(one for one in notes if one),
    }


def training_entry(
    arguments: argparse.Namespace, recipe: training.Recipe, step: int
) -> dict[str, Any]:
    hours = arguments.hours
    if hours is None:
        hours = hours_until(arguments.run, step)
    return {
        "command": f"keras-pixel train zoo/{arguments.name}/recipe.json "
        f"--output runs/{arguments.name} --download",
        "hardware": arguments.hardware,
        "hours": round(hours, 2),
        "step": step,
        "steps": recipe.steps,
        "images_per_step": recipe.batch_size * recipe.accumulation_steps,
        "precision": recipe.precision,
        "seed": recipe.seed,
        "data": "the training split, mirrored at random"
        if recipe.data.get("flip")
        else "the training split",
    }


def accuracy_entry(
    arguments: argparse.Namespace, model: Any, data: ImageData
) -> dict[str, Any]:
    """How well a model that is told labels tells classes apart."""
    if model.num_classes is None or arguments.no_classify:
        return {}
    with output.progress("Classifying", len(data)) as done:
        found = tasks.classify(model, data, None, arguments.batch_size, done)
    print(found.table(), flush=True)
    return {
        "classification": {
            "accuracy": found.accuracy,
            "calibration_error": found.calibration_error,
            "num_images": found.num_images,
            "command": f"keras-pixel classify {arguments.name} --download",
        }
    }


def orders_entry(
    arguments: argparse.Namespace, model: Any, data: ImageData
) -> dict[str, Any]:
    """What the mean over a model's orders brings."""
    if len(model.orders) < 2:
        return {}
    with output.progress("All orders", len(data)) as done:
        found = training.evaluate(
            model, data, arguments.batch_size, progress=done, order="mean"
        )
    print(f"mean over orders: {found['nats']:.3f} nats", flush=True)
    return {
        "mean_over_orders": {
            **found,
            "command": f"keras-pixel evaluate {arguments.name} --order mean "
            "--download",
        }
    }


def sample_sheet(model: Any, count: int, seed: int) -> bytes:
    """A picture of samples as PNG bytes; whatever comes is shown."""
    columns = max(1, round(count**0.5))
    told: dict[str, np.ndarray] = {}
    # A row of each class, or of each order.
    for name, number in (
        ("labels", model.num_classes),
        ("order", len(model.orders)),
    ):
        if (number or 1) > 1 and not told:
            columns = -(-count // number)
            told[name] = np.arange(count) // columns
    images = np.asarray(model.sample(count, seed=seed, **told))
    sheet = training.image_sheet(images, model.num_levels, columns=columns)
    file = io.BytesIO()
    sheet.save(file, format="PNG", optimize=True)
    return file.getvalue()


def check_size(folder: pathlib.Path, metadata: dict[str, Any]) -> None:
    total = sum(entry["bytes"] for entry in metadata["files"].values())
    if total > MAX_BYTES:
        raise ValueError(
            f"A preset must have at most {MAX_BYTES:,} bytes. Received: "
            f"{total:,} bytes in {str(folder)!r}. Train a smaller model."
        )


def publish(arguments: argparse.Namespace, zoo: pathlib.Path) -> pathlib.Path:
    """Measures a training and writes its preset; returns the folder."""
    check_name(arguments.name)
    recipe_path = arguments.run / "recipe.json"
    recipe = training.Recipe.from_json(recipe_path)
    data = recipe.load_data("test", data_dir=arguments.data_dir)
    model, step = trained_model(arguments.run, recipe)
    known = {
        "description": recipe.description,
        "training": training_entry(arguments, recipe, step),
    }
    files = {"recipe.json": recipe.to_json().encode()}
    source = recipe.data["source"]
    return write_preset(arguments, zoo, model, data, source, known, files)


def check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", name):
        raise ValueError(
            "`name` must be like pixelcnn_mnist: small letters, digits and _. "
            f"Received: name={name!r}."
        )


def write_preset(
    arguments: argparse.Namespace,
    zoo: pathlib.Path,
    model: Any,
    data: ImageData,
    source: str,
    known: dict[str, Any],
    files: Mapping[str, bytes],
) -> pathlib.Path:
    """Measures a model on test images and writes its preset.

    Args:
        arguments: those of the command.
        zoo: `pathlib.Path`.
        model: `PixelModel` with float32 weights.
        data: `ImageData`, the test split.
        source: str. The data set's name.
        known: dict, `description` and `training` of the metadata.
        files: dict of name and bytes, the preset's own files.

    Returns:
        `pathlib.Path` of the folder.
    """
    model, dtype, measured = measure_rounded(arguments, model, data)
    measured["command"] = (
        f"keras-pixel evaluate {arguments.name} "
        + ("" if "recipe.json" in files else f"{source} ")
        + "--download"
    )
    measured |= accuracy_entry(arguments, model, data)
    measured |= orders_entry(arguments, model, data)
    samples = {"num_images": arguments.samples, "seed": arguments.seed}
    known = {
        **known,
        "dataset": dataset_entry(source, data, arguments.note),
        "measured": measured,
        "paper": cards.paper(model, source),
        "samples": samples,
    }
    sheet = functools.partial(sample_sheet, model, *samples.values())
    return store(arguments, zoo, model, dtype, known, files, sheet)


def measure_rounded(
    arguments: argparse.Namespace, model: Any, data: TestImages
) -> tuple[Any, str, dict[str, Any]]:
    """Measures a model, its weights rounded if that costs next to nothing.

    Args:
        arguments: those of the command.
        model: `PixelModel` with float32 weights.
        data: what `training.evaluate` takes, of the test split.

    Returns:
        The model to be stored, the dtype of its weights, and what was
        measured, a dict.
    """
    half = rounded(model)
    result = measure("float16", half, data, arguments.batch_size)
    compared = arguments.compare_images
    exact = measure("float32", model, data, arguments.batch_size, compared)
    short = result
    if exact["num_images"] < result["num_images"]:
        short = measure("both", half, data, arguments.batch_size, compared)
    difference = abs(exact["bits_per_dim"] - short["bits_per_dim"])
    dtype = "float16" if difference < TOLERANCE else "float32"
    if dtype == "float32":
        result = measure("float32", model, data, arguments.batch_size)
    else:
        model = half
    measured = {
        "headline": "nats" if model.num_levels == 2 else "bits_per_dim",
        **result,
        "precision": "float32",
        "before_rounding": {
            **exact,
            "rounded_bits_per_dim": short["bits_per_dim"],
        }
        if dtype == "float16"
        else None,
    }
    return model, dtype, measured


def store(
    arguments: argparse.Namespace,
    zoo: pathlib.Path,
    model: Any,
    dtype: str,
    known: dict[str, Any],
    files: Mapping[str, bytes],
    picture: Callable[[], bytes],
) -> pathlib.Path:
    """Writes a measured model as a preset, unless the published is better.

    Args:
        arguments: those of the command.
        zoo: `pathlib.Path`.
        model: `PixelModel`.
        dtype: of the weights.
        known: dict, `description`, `dataset`, `measured`, `training`,
            `paper` and `samples` of the metadata, and what else is known.
        files: dict of name and bytes, the preset's own files.
        picture: function that returns the bytes of samples.png.

    Returns:
        `pathlib.Path` of the folder.
    """
    old = cards.read_all(zoo).get(arguments.name)
    refuse_worse(old, known["measured"], arguments.force)
    known = {
        "name": arguments.name,
        **known,
        "licence": arguments.licence,
        "published": datetime.date.today().isoformat(),
    }
    described = {**known, **presets.describe(model, dtype)}
    files = {
        **files,
        "samples.png": picture(),
        "README.md": cards.card(described).encode(),
    }
    with tempfile.TemporaryDirectory() as folder:
        trial = presets.save_preset(
            model, pathlib.Path(folder) / "trial", known, dtype, files=files
        )
        check_size(trial, presets.read_metadata(trial))
    folder = zoo / arguments.name
    return presets.save_preset(
        model, folder, known, dtype, overwrite=True, files=files
    )


def main(args: Sequence[str] | None = None) -> None:
    arguments = parse_arguments(args)
    keras.config.set_dtype_policy("float32")
    try:
        print(publish(arguments, cards.ZOO))
    except (ValueError, OSError) as error:
        print("Error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
