"""Compares beam search with the best of N samples, at equal numbers.

    .venv/bin/python -m benchmarks.beam_vs_samples
    .venv/bin/python -m benchmarks.beam_vs_samples pixelcnn_cifar10 --images 2

Images are completed from their upper half. Beam search follows `width`
prefixes; sampling draws as many whole completions and keeps the most probable
one. Beside them the image itself. Mean log-probability of the whole image in
nats: higher is more probable. Seconds are per image, after a run that
compiles.
"""

import argparse
import time

import numpy as np

import keras_pixel


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", default="pixelcnn_mnist")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--widths", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    model = keras_pixel.load(arguments.preset)
    # Drawn from the model, so that no data set is needed.
    images = model.sample(arguments.images, seed=arguments.seed)
    height, width, _ = model.image_shape
    mask = np.zeros((height, width), bool)
    mask[: height // 2] = True

    print(f"{arguments.preset} {model.image_shape}, upper half known")
    print(f"the images themselves: {model.log_prob(images).mean():.1f} nats")
    print(f"{'N':>4}{'beam':>10}{'s':>8}{'best of N':>12}{'s':>8}")
    for number in arguments.widths:
        beam, beam_seconds = timed(
            lambda n=number: (
                model.beam_search(images, mask, beam_width=n).log_prob
            )
        )
        best, best_seconds = timed(
            lambda n=number: best_of_samples(
                model, images, mask, n, arguments.seed + 1
            )
        )
        print(
            f"{number:4d}{beam.mean():10.1f}{beam_seconds / len(images):8.2f}"
            f"{best.mean():12.1f}{best_seconds / len(images):8.2f}"
        )


def timed(function):
    """Result of a second call and its seconds: the first compiles."""
    function()
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def best_of_samples(model, images, mask, number, seed):
    """Highest log-probability of `number` completions of each image."""
    drawn = model.complete(images, mask, num_variants=number, seed=seed)
    log_prob = model.log_prob(drawn.reshape(-1, *model.image_shape))
    return log_prob.reshape(len(images), number).max(axis=1)


if __name__ == "__main__":
    main()
