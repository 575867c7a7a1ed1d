"""Times scoring and sampling of a preset.

    make bench
    make bench ARGS="pixelcnn_mnist --batch-size 64"

Scoring is one forward pass over the batch; sampling makes all its pixels, one
after another. Compilation is not counted: each runs once before the clock
starts. "Naive" is what sampling would take with one forward pass for each
sub-pixel, computed from the scoring time, not run.
"""

import argparse
import math
import time

import keras
import numpy as np

import keras_pixel


def best_seconds(function, repeats):
    """Least wall time of a call, in seconds, after one that is not timed."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", default="pixelcnn_cifar10")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    batch_size = arguments.batch_size
    model = keras_pixel.load(arguments.preset)
    images = np.random.default_rng(0).integers(
        model.num_levels, size=(batch_size, *model.image_shape)
    )
    scoring = best_seconds(
        lambda: np.asarray(model.log_prob(images, batch_size=batch_size)),
        arguments.repeats,
    )
    sampling = best_seconds(
        lambda: np.asarray(model.sample(batch_size, seed=0)),
        arguments.repeats,
    )
    naive = scoring * math.prod(model.image_shape)
    print(
        f"{arguments.preset} {model.image_shape}, "
        f"{model.count_params():,} parameters, batch of {batch_size}, "
        f"backend {keras.backend.backend()}"
    )
    print(f"scoring   {scoring:9.3f} s  {batch_size / scoring:9.2f} images/s")
    print(f"sampling  {sampling:9.3f} s  {batch_size / sampling:9.2f} images/s")
    print(
        f"sampling takes {sampling / scoring:.1f} forward passes; "
        f"naive sampling would take {naive:.0f} s, {naive / sampling:.0f}x"
    )


if __name__ == "__main__":
    main()
