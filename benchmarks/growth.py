"""Times drawing at several sizes of images against scoring.

    python -m benchmarks.growth                   # the table, in README.md
    python -m benchmarks.growth --sides 16,32 --no-write

One fully convolutional model of the zoo, with its weights, on square images.
Steps are those in which one image is drawn, one after the other; in raster
order there would be one for each pixel. Scoring is `log_prob` of a batch,
drawing is `sample` of as many images. Both are timed in the same process, a
process for each size; the first call, which compiles, is reported by itself.
Memory is how much the process grew: by scoring, and after that by drawing.
"""

import argparse
import json
import time

from benchmarks.tables import best_seconds
from benchmarks.tables import markdown
from benchmarks.tables import peak_bytes
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.growth"
HEADER = [
    "image",
    "pixels",
    "steps",
    "scoring, s",
    "drawing, s",
    "drawing / scoring",
    "images/s drawn",
    "ms a step",
    "first drawing, s",
    "memory of scoring, MB",
    "and of drawing, MB",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="wavefront_pixelcnn_cifar10")
    parser.add_argument("--sides", default="16,32,64,128,256")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--timeout", type=int, default=1800, help="s a row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(**json.loads(arguments.row))))
        return
    lines, results = [], []
    for side in map(int, arguments.sides.split(",")):
        row = {
            "name": arguments.model,
            "side": side,
            "batch_size": arguments.batch_size,
        }
        result = run_row(MODULE, row, arguments.timeout)
        lines.append(format_row(side, arguments.batch_size, result))
        print(" | ".join(lines[-1]), flush=True)
        if "error" not in result:
            results.append((side, result))
    about = f"{arguments.model}, batches of {arguments.batch_size}."
    text = f"{about}\n\n{markdown(HEADER, lines)}"
    if len(results) > 1:
        text += f"\n\n{growth_text(results[0], results[-1])}"
    print(text)
    if not arguments.no_write:
        write_section("sizes", text)


def format_row(side, batch_size, result):
    size = f"{side}×{side}"
    if "error" in result:
        rest = ["-"] * (len(HEADER) - 3)
        return [size, f"{side**2:,}", result["error"], *rest]
    scoring, drawing = result["scoring"], result["drawing"]
    return [
        size,
        f"{side**2:,}",
        f"{result['steps']:,}",
        f"{scoring:.3f}",
        f"{drawing:.3f}",
        f"{drawing / scoring:.2f}",
        f"{batch_size / drawing:.2f}",
        f"{1000 * drawing / result['steps_of_batch']:.2f}",
        f"{result['first']:.1f}",
        f"{result['memory_scoring'] / 1e6:.0f}",
        f"{result['memory_drawing'] / 1e6:.0f}",
    ]


def growth_text(first, last):
    """How much each number grew from the first size to the last."""
    (side, small), (largest, large) = first, last
    return (
        f"From {side}×{side} to {largest}×{largest}: "
        f"{largest**2 / side**2:.0f}× the pixels, "
        f"{large['steps'] / small['steps']:.1f}× the steps, "
        f"{large['scoring'] / small['scoring']:.1f}× the seconds of scoring, "
        f"{large['drawing'] / small['drawing']:.1f}× those of drawing."
    )


def measure(name, side, batch_size):
    """Seconds, steps and bytes at one size."""
    import numpy as np

    import keras_pixel
    from keras_pixel.sampling.graph import DecodingGraph

    channels = keras_pixel.load(name, weights=False).image_shape[-1]
    model = keras_pixel.load(name, image_shape=(side, side, channels))
    images = np.random.default_rng(0).integers(
        model.num_levels, size=(batch_size, *model.image_shape)
    )

    def draw():
        model.sample(batch_size, seed=0, batch_size=batch_size)

    before = peak_bytes()
    scoring = best_seconds(
        lambda: model.log_prob(images, batch_size=batch_size)
    )
    scored = peak_bytes()
    start = time.perf_counter()
    draw()
    first = time.perf_counter() - start
    drawing = best_seconds(draw, warm_up=False)
    return {
        "steps": model.sampler.num_steps,
        # Images that follow one another in the lanes share a batch's steps.
        "steps_of_batch": DecodingGraph(model).schedule(batch_size).num_steps,
        "scoring": scoring,
        "drawing": drawing,
        "first": first,
        "memory_scoring": scored - before,
        "memory_drawing": peak_bytes() - scored,
    }


if __name__ == "__main__":
    main()
