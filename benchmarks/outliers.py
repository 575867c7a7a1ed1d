"""Measures how well four scores tell outliers from images as they should be.

    python -m benchmarks.outliers                  # the table, in README.md
    python -m benchmarks.outliers --sets mnist --count 100 --no-write
    python -m benchmarks.outliers --pictures docs/images

Two models that learnt one data set judge its test images beside others:
`pixelcnn_mnist` scikit-learn's 8×8 digits, enlarged to 28×28 in two levels,
noise (pixels white as often as in the test images) and black images;
`wavefront_pixelcnn_cifar10` photographs (tiles of 32×32 of those that
scikit-image brings), MNIST's digits in grey amid black, uniform noise, and flat
images of one random colour. AUROC is the probability that an outlier scores
higher than a test image: 1 is perfect, 0.5 chance, and below it the score is
misled. The background model of the likelihood ratio is fine-tuned on training
images in which a fifth of the sub-pixels are random; typicality's mean is that
of validation images. Nothing was chosen by these numbers. Needs the extra
`benchmark`.
"""

import argparse
import json
import pathlib

import numpy as np

from benchmarks import finetuning
from benchmarks.tables import markdown
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.outliers"
MODELS = {"mnist": "pixelcnn_mnist", "cifar10": "wavefront_pixelcnn_cifar10"}
SCORES = ("likelihood", "likelihood_ratio", "complexity", "typicality")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default="mnist,cifar10")
    parser.add_argument("--count", type=int, default=500, help="of each set")
    parser.add_argument("--background-images", type=int, default=2000)
    parser.add_argument("--background-epochs", type=int, default=2)
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--data-dir")
    parser.add_argument("--pictures", help="folder to draw results in")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--timeout", type=int, default=7200, help="s a row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(**json.loads(arguments.row))))
        return
    header = ["model", "outliers", "bits/dim", *SCORES]
    header[4] = "ratio"
    lines = []
    for name in arguments.sets.split(","):
        row = {
            "name": name,
            "count": arguments.count,
            "num_background": arguments.background_images,
            "epochs": arguments.background_epochs,
            "precision": arguments.precision,
            "data_dir": arguments.data_dir,
            "pictures": arguments.pictures,
        }
        result = run_row(MODULE, row, arguments.timeout)
        lines += format_rows(MODELS[name], result)
        print("\n".join(" | ".join(line) for line in lines), flush=True)
    about = (
        f"AUROC, {arguments.count} images of each set; bits/dim of the model. "
        f"Backgrounds: {arguments.background_epochs} epochs of "
        f"{arguments.background_images:,} images."
    )
    text = f"{about}\n\n{markdown(header, lines)}"
    if not arguments.no_write:
        write_section("outliers", text)


def format_rows(model, result):
    if "error" in result:
        return [[model, result["error"], *[""] * (1 + len(SCORES))]]
    lines = [[model, "(test images)", f"{result['inside']:.3f}", *["–"] * 4]]
    for name, found in result["outside"].items():
        numbers = [f"{found[score]:.3f}" for score in SCORES]
        lines.append([model, name, f"{found['bits_per_dim']:.3f}", *numbers])
    return lines


def measure(name, count, num_background, epochs, precision, data_dir, pictures):
    """AUROC of each score against each set of outliers."""
    from sklearn.metrics import roc_auc_score

    import keras_pixel
    from keras_pixel import tasks
    from keras_pixel.cli.pictures import read_split

    model = keras_pixel.load(MODELS[name])
    parts = {
        split: read_split(None, split, MODELS[name], model, data_dir=data_dir)
        for split in ("train", "validation", "test")
    }
    inside = np.asarray(parts["test"].images[:count])
    outside = {"mnist": beside_mnist, "cifar10": beside_cifar10}[name](
        inside, data_dir
    )
    found: dict = {key: {} for key in outside}
    for score in SCORES:
        detector = tasks.OutlierDetector(model, score)
        known = np.asarray(parts["validation"].images[:count])
        if score == "likelihood_ratio":
            detector.fit(
                np.asarray(parts["train"].images[:num_background]),
                epochs=epochs,
                precision=precision,
            )
        detector.fit(known).infer_threshold(known)
        of_inside = detector.predict(inside)
        for key, images in outside.items():
            of_outside = detector.predict(images)
            scores = [
                np.asarray(x.data.instance_score)
                for x in (of_inside, of_outside)
            ]
            is_outside = np.repeat([0, 1], [len(x) for x in scores])
            found[key][score] = roc_auc_score(
                is_outside, np.concatenate(scores)
            )
            found[key]["bits_per_dim"] = of_outside.bits_per_dim.mean()
        if pictures and score in ("likelihood", "complexity"):
            mixed = np.concatenate(
                [inside, *(images[:20] for images in outside.values())]
            )
            path = pathlib.Path(pictures) / f"outliers_{score}_{name}.png"
            detector.predict(mixed).plot(path)
    return {"inside": of_inside.bits_per_dim.mean(), "outside": found}


def beside_mnist(inside, data_dir):
    generator = np.random.default_rng(0)
    digits = finetuning.digits()["x_test"][: len(inside)]
    noise = generator.random(inside.shape) < inside.mean()
    return {
        "8×8 digits": digits.astype("uint8"),
        "noise": noise.astype("uint8"),
        "black": np.zeros_like(inside),
    }


def beside_cifar10(inside, data_dir):
    from keras_pixel.data import load_data

    generator = np.random.default_rng(0)
    photographs = finetuning.photographs()["x_test"][: len(inside)]
    mnist = load_data("mnist", "test", data_dir=data_dir)
    digits = np.asarray(mnist.images[: len(inside)])
    digits = np.pad(digits, ((0, 0), (2, 2), (2, 2), (0, 0)))
    flat = generator.integers(256, size=(len(inside), 1, 1, 3))
    noise = generator.integers(256, size=inside.shape)
    return {
        "photographs": photographs,
        "MNIST's digits": np.repeat(digits, 3, axis=-1),
        "noise": noise.astype("uint8"),
        "flat": np.broadcast_to(flat, inside.shape).astype("uint8"),
    }


if __name__ == "__main__":
    main()
