"""Draws docs/images/orders_mnist.png: any half of a digit completed.

    python -m tools.draw_orders --data-dir DATA

A row for each half that is known: upper, lower, left, right. Of each of four
test digits it shows what is known, with the unknown half in grey, then two
completions by `pixelcnn_mnist_orders`.
"""

import argparse

import numpy as np
from PIL import Image

import keras_pixel
from keras_pixel.data import load_data
from tools import cards

PATH = cards.ROOT / "docs" / "images" / "orders_mnist.png"
DIGITS, VARIANTS, SCALE, GAP = 4, 2, 2, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="folder of TFDS data sets")
    arguments = parser.parse_args()
    model = keras_pixel.load("pixelcnn_mnist_orders")
    data = load_data(
        "binarized_mnist",
        "test",
        data_dir=arguments.data_dir,
        num_levels=2,
        image_shape=model.image_shape,
    )
    images = np.asarray(data.images[:DIGITS])
    halves = np.zeros((4, 28, 28), bool)
    halves[0, :14] = halves[1, 14:] = True
    halves[2, :, :14] = halves[3, :, 14:] = True
    rows = []
    for known in halves:
        completed = model.complete(images, known, num_variants=VARIANTS, seed=0)
        shown = np.where(known[..., None], 255 * images.astype("uint8"), 110)
        tiles = []
        for one, variants in zip(shown, 255 * completed, strict=True):
            tiles += [one, *variants]
        rows.append(np.stack(tiles)[..., 0])
    sheet = _sheet(np.stack(rows).astype("uint8"))
    sheet.save(PATH, format="PNG", optimize=True)
    print(PATH)


def _sheet(tiles: np.ndarray) -> Image.Image:
    """Tiles `(rows, columns, height, width)` on white, digits set apart."""
    rows, columns, height, width = tiles.shape
    place = [
        c * (width + 1) + GAP * (c // (1 + VARIANTS)) for c in range(columns)
    ]
    size = (rows * (height + GAP) - GAP, place[-1] + width)
    sheet = np.full(size, 255, "uint8")
    for r in range(rows):
        for c in range(columns):
            top = r * (height + GAP)
            sheet[top : top + height, place[c] : place[c] + width] = tiles[r, c]
    picture = Image.fromarray(sheet)
    return picture.resize(
        (SCALE * picture.width, SCALE * picture.height),
        Image.Resampling.NEAREST,
    )


if __name__ == "__main__":
    main()
