"""Computes the baselines of the zoo and publishes them.

    python -m tools.publish_baselines --hardware "2 CPU cores"

Independent and Gaussian pixels on the data sets of the zoo: one pass over the
training images each, then measured and written as `tools.publish` does. Ridge
and floor were chosen on the first 1,000 validation images. Then run `python -m
tools.generate_tables`.
"""

import argparse
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import keras

from keras_pixel import data
from keras_pixel import models
from tools import cards
from tools import publish

_INDEPENDENT = (
    "Each sub-pixel by itself: the share of each level among the training "
    "images at that place. What a model must beat to know anything."
)
_GAUSSIAN = (
    "A multivariate normal over all sub-pixels, discretised one value after "
    "the other: what means and correlations say, and no more."
)
# Name of the preset: class, data set, arguments, description.
BASELINES: dict[str, tuple[Any, str, dict[str, Any], str]] = {
    "independent_pixels_mnist": (
        models.IndependentPixels,
        "binarized_mnist",
        {"num_levels": 2},
        _INDEPENDENT,
    ),
    "independent_pixels_cifar10": (
        models.IndependentPixels,
        "cifar10",
        {},
        _INDEPENDENT,
    ),
    "gaussian_pixels_mnist": (
        models.GaussianPixels,
        "binarized_mnist",
        {"num_levels": 2, "ridge": 0.01, "floor": 0.001},
        _GAUSSIAN,
    ),
    "gaussian_pixels_cifar10": (
        models.GaussianPixels,
        "cifar10",
        {"ridge": 1e-6, "floor": 0.01},
        _GAUSSIAN,
    ),
}


def parse_arguments(args: Sequence[str] | None = None) -> argparse.Namespace:
    parser = publish.make_parser(__doc__.splitlines()[0])
    parser.add_argument(
        "--only", choices=BASELINES, action="append", help="one, or several"
    )
    return parser.parse_args(args)


def compute(
    name: str, arguments: argparse.Namespace, zoo: pathlib.Path
) -> pathlib.Path:
    """Computes, measures and writes one baseline; returns the folder."""
    model_class, source, options, description = BASELINES[name]
    num_levels = options.get("num_levels", 256)

    def split(which: str) -> data.ImageData:
        return data.load_data(
            source,
            which,
            data_dir=arguments.data_dir,
            num_levels=num_levels,
        )

    images = split("train")
    start = time.perf_counter()
    model = model_class(images.image_shape, **options)
    model.fit_closed_form(images)
    known = {
        "description": description,
        "training": {
            "closed_form": True,
            "command": "python -m tools.publish_baselines --only "
            f"{name} --hardware ...",
            "hardware": arguments.hardware,
            "seconds": max(1, round(time.perf_counter() - start)),
            "data": images.description,
        },
    }
    arguments.name = name
    return publish.write_preset(
        arguments, zoo, model, split("test"), source, known, {}
    )


def main(args: Sequence[str] | None = None) -> None:
    arguments = parse_arguments(args)
    keras.config.set_dtype_policy("float32")
    try:
        for name in arguments.only or BASELINES:
            print(compute(name, arguments, cards.ZOO), flush=True)
    except (ValueError, OSError) as error:
        print("Error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
