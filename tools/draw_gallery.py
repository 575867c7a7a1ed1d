"""Draws docs/images/gallery_*.png: what the trained models draw.

    python -m tools.draw_gallery --data-dir DATA
    python -m tools.draw_gallery --data-dir DATA --only mnist,bits

- `mnist`, `cifar10`: test images, then for each model eight samples, and
  completions of the same eight upper halves. A model that is told labels draws
  the classes 0 to 7, and completes without being told.
- `completions`: digits completed by samples, by beams, and by particles.
- `bits`: test images, and the bits that each of their pixels takes.

All by one seed, and none chosen by hand. Needs the extra `plot`.
"""

import argparse
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

import keras_pixel
from keras_pixel.cli.pictures import half_mask
from keras_pixel.cli.pictures import read_split
from keras_pixel.data.pictures import to_bytes
from keras_pixel.tasks import results
from tools import cards

# A label, and images with it; `None` leaves a place empty.
Row = tuple[str, Sequence[np.ndarray | None] | np.ndarray]

FOLDER = cards.ROOT / "docs" / "images"
COUNT, SEED = 8, 0
# The best last.
MODELS = {
    "mnist": (
        "gaussian_pixels_mnist",
        "pixelsnail_mnist",
        "gated_pixelcnn_mnist",
        "pixelrnn_row_lstm_mnist",
        "image_transformer_2d_mnist",
        "image_transformer_1d_mnist",
        "pixelrnn_diagonal_bilstm_mnist",
        "pixelcnn_mnist_labels",
        "pixelcnn_mnist",
    ),
    "cifar10": (
        "gaussian_pixels_cifar10",
        "pixelcnn_cifar10",
        "wavefront_pixelcnn_cifar10_labels",
        "wavefront_pixelcnn_cifar10",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="folder of TFDS data sets")
    parser.add_argument("--only", default="mnist,cifar10,completions,bits")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        if name in MODELS:
            rows = of_models(MODELS[name], arguments.data_dir)
        else:
            draw = {"completions": completions, "bits": bits}[name]
            rows = draw(arguments.data_dir)
        path = FOLDER / f"gallery_{name}.png"
        save(rows, path)
        print(path)


def test_images(
    name: str, model: Any, data_dir: str | None, count: int
) -> np.ndarray:
    """The first levels of a preset's test split."""
    data = read_split(None, "test", name, model, data_dir=data_dir)
    return np.asarray(data.images[:count])


def of_models(names: Sequence[str], data_dir: str | None) -> list[Row]:
    """Rows `(label, images)`, 8-bit, for each model."""
    best = keras_pixel.load(names[-1])
    levels = test_images(names[-1], best, data_dir, 2 * COUNT)
    known = half_mask("top", 0.5, best.image_shape)
    shown = to_bytes(levels, best.num_levels)
    half = np.where(known[..., None], shown[COUNT:], 128)
    rows: list[Row] = [
        ("test images", [*shown]),
        ("", [*[None] * COUNT, *half]),
    ]
    for name in names:
        model = keras_pixel.load(name)
        told = {}
        if model.num_classes is not None:
            told = {"labels": np.arange(COUNT) % model.num_classes}
        drawn = model.sample(COUNT, seed=SEED, **told)
        completed = model.complete(levels[COUNT:], known, seed=SEED)
        images = np.concatenate([drawn, completed])
        rows.append((name, [*to_bytes(images, model.num_levels)]))
        print(name, flush=True)
    return rows


def completions(data_dir: str | None) -> list[Row]:
    """Digits whose upper or left half is known, completed in three ways."""
    name = "pixelcnn_mnist"
    model = keras_pixel.load(name)
    levels = test_images(name, model, data_dir, COUNT)
    rows: list[Row] = [("test images", to_bytes(levels, 2))]
    for side in ("top", "left"):
        known = half_mask(side, 0.5, model.image_shape)
        half = np.where(known[..., None], to_bytes(levels, 2), 128)
        rows.append((f"known: {side} half", half))
        found = {}
        if side == "top":  # elsewhere these ignore what comes later
            found["sample"] = model.complete(levels, known, seed=SEED)
            found["another"] = model.complete(levels, known, seed=SEED + 1)
            beams = model.beam_search(levels, known, beam_width=8)
            found["beam search, 8"] = beams.images
        else:
            found["without particles"] = model.complete(
                levels, known, seed=SEED
            )
        found["particles, 64"] = model.complete(
            levels, known, seed=SEED, num_particles=64
        )
        rows += [(key, to_bytes(x, 2)) for key, x in found.items()]
    return rows


def bits(data_dir: str | None) -> list[Row]:
    """Test images, and heat maps of the bits of their pixels."""
    rows: list[Row] = []
    for name in ("pixelcnn_mnist", "wavefront_pixelcnn_cifar10"):
        model = keras_pixel.load(name)
        levels = test_images(name, model, data_dir, 2 * COUNT)
        nats = -model.log_prob(levels, reduce="sub_pixels").sum(axis=-1)
        found = nats / np.log(2)  # (images, height, width)
        highest = np.percentile(found, 99)
        rows.append(("test images", to_bytes(levels, model.num_levels)))
        rows.append((f"bits, 0 to {highest:.1f}", heat(found / highest)))
    return rows


def heat(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as colours, 8-bit `(…, 3)`."""
    from matplotlib import colormaps

    return (colormaps["magma"](np.clip(values, 0, 1))[..., :3] * 255).astype(
        "uint8"
    )


def save(rows: Sequence[Row], path: pathlib.Path) -> None:
    """Write rows of images with a label each; `None` leaves a place empty."""
    columns = len(rows[0][1])
    figure = results.new_figure(1.9 + 0.42 * columns, 0.44 * len(rows) + 0.1)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, (label, images) in zip(axes, rows, strict=True):
        for i, (place, image) in enumerate(zip(row, images, strict=True)):
            place.set_xticks([])
            place.set_yticks([])
            place.set_frame_on(False)
            if i == 0:
                place.set_ylabel(
                    label, rotation=0, ha="right", va="center", fontsize=8
                )
            if image is not None:
                image = image[..., 0] if image.shape[-1] == 1 else image
                place.imshow(
                    image, "gray", vmin=0, vmax=255, interpolation="nearest"
                )
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    figure.set_dpi(140)
    results.picture_of(figure, path)


if __name__ == "__main__":
    main()
