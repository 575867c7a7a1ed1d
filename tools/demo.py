"""Samples, completes and scores images with a preset.

    make demo
    make demo ARGS="pixelcnn_mnist --count 25"

Writes samples.png and completions.png into the current folder. The images it
completes and scores are those of the preset's sample sheet, which comes with
the package, so it needs no data set and no network, and its bits/dim are the
same on every machine.

Something else is `keras-pixel demo`: a page in the browser.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import keras_pixel
from keras_pixel.data import cut_sheet
from keras_pixel.data import image_sheet

ZOO = Path(__file__).resolve().parents[1] / "zoo"


def shipped_images(preset: str, model: Any) -> np.ndarray | None:
    """The images of a preset's sample sheet, or None."""
    path = ZOO / preset / "samples.png"
    if not path.is_file():
        return None
    sheet = np.asarray(Image.open(path).convert("RGB"))
    return cut_sheet(sheet, model.image_shape, model.num_levels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", default="pixelcnn_cifar10")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    model = keras_pixel.load(arguments.preset)
    print(f"{arguments.preset}: {model.count_params():,} parameters")

    start = time.perf_counter()
    samples = np.asarray(model.sample(arguments.count, seed=arguments.seed))
    seconds = time.perf_counter() - start
    image_sheet(samples, model.num_levels).save("samples.png")
    print(
        f"samples.png: {len(samples)} samples in {seconds:.1f} s, "
        "compilation included"
    )

    images = shipped_images(arguments.preset, model)
    source = "images of the preset's sample sheet"
    if images is None:
        images, source = samples, "of the samples just made"
    images = images[:8]

    height, width, _ = model.image_shape
    mask = np.zeros((height, width), bool)
    mask[: height // 2] = True  # True is known: the upper half stays
    columns = [images, np.where(mask[..., None], images, 0)]
    # Other seeds than the samples': the noise that drew an image's lower half
    # would draw it again.
    for seed in range(1, 4):
        completed = model.complete(images, mask, seed=arguments.seed + seed)
        columns.append(np.asarray(completed))
    # (batch * columns, height, width, channels): a row for each image
    rows = np.stack(columns, axis=1).reshape(-1, *model.image_shape)
    sheet = image_sheet(rows, model.num_levels, columns=len(columns))
    sheet.save("completions.png")
    print(
        f"completions.png: {len(images)} {source}: whole, upper half, "
        "three completions of it"
    )

    bits = np.asarray(model.bits_per_dim(images))
    print(f"bits/dim of {len(images)} {source}: {bits.mean():.4f} on average")
    print(" ".join(f"{value:.3f}" for value in bits))


if __name__ == "__main__":
    main()
