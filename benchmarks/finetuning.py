"""Compares fine-tuning with training from scratch on few images.

    python -m benchmarks.finetuning              # the table, in README.md
    python -m benchmarks.finetuning --sets digits --no-write

Two presets learn other images: `pixelcnn_mnist` scikit-learn's 8×8 digits,
enlarged to 28×28 in two levels, and `wavefront_pixelcnn_cifar10` tiles of 32×32
of the photographs that scikit-image brings (three to learn from, one to
validate on, another to measure on). Each learns 20, 200 and all of them, from
the preset's weights, whole and by products of rank 8 (LoRA), and from weights
at random, with the same steps (so in about the same time). The preset goes on
at a fifth of its learning rate; products, and weights at random, take all of
it. Of each training the best weights by validation are measured on held-out
images; those of the preset are among them. Needs the extra `benchmark`.
"""

import argparse
import json
import pathlib
import tempfile
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.tables import markdown
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.finetuning"
PRESETS = {
    "digits": "pixelcnn_mnist",
    "photographs": "wavefront_pixelcnn_cifar10",
}
COLUMNS = ("before", "after", "with_lora", "from_scratch")
# Passes over the images, by their number; more would be spent in vain.
EPOCHS = {20: 30, 200: 10, None: 4}
PHOTOGRAPHS = {
    "train": ("astronaut", "coffee", "motorcycle_left"),
    "validation": ("rocket",),
    "test": ("chelsea",),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default="digits,photographs")
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--timeout", type=int, default=3600, help="s a row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(**json.loads(arguments.row))))
        return
    header = ["images of", "to learn", "steps", "seconds", "the preset"]
    header += ["fine-tuned", "with LoRA", "from scratch"]
    lines = []
    for name in arguments.sets.split(","):
        for count in EPOCHS:
            row = {"name": name, "count": count}
            row["precision"] = arguments.precision
            result = run_row(MODULE, row, arguments.timeout)
            lines.append(format_row(name, result))
            print(" | ".join(lines[-1]), flush=True)
    about = "Bits/dim of held-out images; the preset as it is, and after each."
    text = f"{about}\n\n{markdown(header, lines)}"
    print(text)
    if not arguments.no_write:
        write_section("finetuning", text)


def format_row(name, result):
    if "error" in result:
        return [name, result["error"], *[""] * 6]
    return [
        f"{name}, {result['num_test']} held out",
        f"{result['num_train']:,}",
        f"{result['steps']:,}",
        f"{result['seconds']:,.0f}",
        *(f"{result[x]:.3f}" for x in COLUMNS),
    ]


def measure(name, count, precision):
    """Fine-tune, whole and with LoRA, then train from scratch for as long."""
    from keras_pixel import load
    from keras_pixel.training import Recipe
    from keras_pixel.training import evaluate
    from keras_pixel.training import finetune
    from keras_pixel.training import train

    epochs = EPOCHS[count]
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        path = folder / "images.npz"
        parts = {"digits": digits, "photographs": photographs}[name]()
        parts["x_train"] = parts["x_train"][:count]
        np.savez(path, **parts)
        arguments: dict[str, Any] = {"epochs": epochs, "patience": epochs}
        arguments |= {"precision": precision, "progress": False}
        preset = PRESETS[name]
        # Of one process: none of the results is `None`.
        tuned: Any = finetune(preset, path, folder / "tuned", **arguments)
        fields = Recipe.from_json(folder / "tuned" / "recipe.json").to_dict()
        fields["optimizer"]["learning_rate"] *= 5
        arguments["learning_rate"] = fields["optimizer"]["learning_rate"]
        arguments["lora_rank"] = 8
        products: Any = finetune(preset, path, folder / "products", **arguments)
        fields.update(initial_weights=None, warm_start=False)
        fields["data"]["source"] = str(path)
        recipe = Recipe(**fields)
        scratch: Any = train(recipe, folder / "scratch", progress=False)
        held_out = recipe.load_data("test")
        value = evaluate(load(scratch.preset_dir), held_out)["bits_per_dim"]
        return {
            "num_train": len(parts["x_train"]),
            "num_test": tuned.num_images,
            "steps": recipe.steps,
            "seconds": tuned.seconds,
            "before": tuned.before,
            "after": tuned.after,
            "with_lora": products.after,
            "from_scratch": value,
        }


def digits():
    """Digits in two levels, `(images, 28, 28, 1)`, in an order of their own."""
    from sklearn.datasets import load_digits

    small = (load_digits().images * 255 / 16).astype("uint8")
    enlarged = [
        Image.fromarray(x).resize((28, 28), Image.Resampling.BICUBIC)
        for x in small
    ]
    images = np.stack([np.asarray(x) for x in enlarged])[..., None] // 128
    images = np.random.default_rng(0).permutation(images)
    return {
        "x_test": images[:300],
        "x_validation": images[300:400],
        "x_train": images[400:],
    }


def photographs():
    """Tiles of photographs in full and half size, `(images, 32, 32, 3)`."""
    from skimage import data

    folder = pathlib.Path(data.__file__).parent
    parts = {}
    for split, names in PHOTOGRAPHS.items():
        tiles: list = []
        for name in names:
            (path,) = folder.glob(f"{name}.*")
            picture = Image.open(path).convert("RGB")
            for reduced in (picture, picture.reduce(2)):
                tiles += tiles_of(np.asarray(reduced))
        order = np.random.default_rng(0).permutation(len(tiles))
        parts[f"x_{split}"] = np.stack(tiles)[order]
    # Enough to choose by.
    parts["x_validation"] = parts["x_validation"][:100]
    return parts


def tiles_of(picture):
    rows, columns = picture.shape[0] // 32, picture.shape[1] // 32
    cut = picture[: rows * 32, : columns * 32]
    cut = cut.reshape(rows, 32, columns, 32, 3).swapaxes(1, 2)
    return list(cut.reshape(-1, 32, 32, 3))


if __name__ == "__main__":
    main()
