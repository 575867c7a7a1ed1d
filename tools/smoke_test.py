"""Does an installed keras_pixel work? Run from anywhere but the checkout."""

import math
import sys
from pathlib import Path

import numpy as np

import keras_pixel


def main() -> None:
    package = Path(keras_pixel.__file__)
    if not package.is_relative_to(sys.prefix):
        raise SystemExit(f"keras_pixel is not the installed one: {package}")
    names = keras_pixel.list_models()
    if not names:
        raise SystemExit("The installed zoo is empty.")
    models = [keras_pixel.load(name) for name in names]
    smallest = min(models, key=lambda model: math.prod(model.image_shape))
    conditions = smallest.conditions
    inputs = conditions.random_inputs(np.random.default_rng(0))
    told = dict(zip(conditions.names, inputs, strict=True))
    images = smallest.sample(1, seed=0, **told)
    if images.shape != (1, *smallest.image_shape):
        raise SystemExit(f"A sample has the wrong shape: {images.shape}")
    bits = float(smallest.bits_per_dim(images, **told)[0])
    if not math.isfinite(bits):
        raise SystemExit(f"A sample has {bits} bits/dim.")
    print(
        f"keras_pixel {keras_pixel.__version__}: loaded {', '.join(names)}; "
        f"one sample {tuple(images.shape)} at {bits:.3f} bits/dim"
    )


if __name__ == "__main__":
    main()
