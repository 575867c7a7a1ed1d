"""Measures lossless compression by trained models, beside PNG and WebP.

    python -m benchmarks.compression                        # 256 images each
    python -m benchmarks.compression --count 10000 --batch-sizes 256 \
        --section compression-splits                        # whole test splits
    python -m benchmarks.compression --models pixelcnn_mnist --no-write

Every row runs in a process of its own: the first test images are written into
one file and read again, and every level is compared. Model is `log_prob` of the
same images, scored by another program than the one that codes. File is all of
it, header too. PNG and WebP are one file for each image, as small as Pillow
writes them; images of two levels are PNG files of one bit. Images/s are by the
processor's seconds and not by those of the clock: on one core (`taskset -c 0`)
they are what an idle machine does, even if others run beside it. They are of
the second file in the process: compilation, of the first, is reported by
itself. `--raster` adds rows in raster order, by the same models: a step for
each pixel.
"""

import argparse
import json
import pathlib
import tempfile
import time

from benchmarks.tables import markdown
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.compression"
MODELS = ("wavefront_pixelcnn_cifar10", "pixelcnn_cifar10", "pixelcnn_mnist")
HEADER = [
    "model",
    "images",
    "batch",
    "lag",
    "steps",
    "model, bits/dim",
    "streams, bits/dim",
    "file, bits/dim",
    "PNG, bits/dim",
    "WebP, bits/dim",
    "file, bytes",
    "log_prob, images/s",
    "compress, images/s",
    "decompress, images/s",
    "compile, s",
    "bit-exact",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--batch-sizes", default="64")
    parser.add_argument("--data-dir")
    parser.add_argument("--raster", action="store_true", help="That, too.")
    parser.add_argument("--timeout", type=float, default=7200)
    parser.add_argument("--section", default="compression")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(**json.loads(arguments.row))))
        return
    lines = []
    for name in arguments.models.split(","):
        for size in arguments.batch_sizes.split(","):
            for in_raster in (False, True)[: 1 + arguments.raster]:
                row = {
                    "name": name,
                    "count": arguments.count,
                    "batch_size": int(size),
                    "in_raster": in_raster,
                    "data_dir": arguments.data_dir,
                }
                result = run_row(MODULE, row, arguments.timeout)
                lines.append(format_row(name, result))
                print(" | ".join(lines[-1]), flush=True)
    if not arguments.no_write:
        write_section(arguments.section, markdown(HEADER, lines))


def format_row(name, result):
    if "error" in result:
        return [name, result["error"], *["-"] * (len(HEADER) - 2)]
    bits = {
        key: f"{8 * result[key] / result['values']:.4f}"
        for key in ("model", "streams", "bytes", "png", "webp")
    }
    return [
        name,
        f"{result['images']:,}",
        str(result["batch_size"]),
        str(result["lag"]),
        f"{result['steps']:,}",
        *bits.values(),
        f"{result['bytes']:,}",
        f"{result['images'] / result['score']:.1f}",
        f"{result['images'] / result['compress']:.1f}",
        f"{result['images'] / result['decompress']:.1f}",
        f"{result['compile']:.0f}",
        "yes" if result["same"] else "NO",
    ]


def measure(name, count, batch_size, in_raster, data_dir):
    """Write and read the first test images; bytes and seconds."""
    import math

    import numpy as np

    import keras_pixel
    from keras_pixel import tasks
    from keras_pixel.cli.pictures import read_split

    model = keras_pixel.load(name)
    data = read_split(None, "test", name, model, data_dir=data_dir)
    images = np.asarray(data.images[:count])
    lag = model.image_shape[1] if in_raster else None
    options = {"batch_size": batch_size, "lag": lag}
    ends = []

    def progress(done, total):
        ends.append(time.process_time())

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "images.kpix"
        start = time.process_time()
        tasks.compress(model, images[:batch_size], path, **options)
        warm = time.process_time() - start
        start = time.process_time()
        result = tasks.compress(
            model, images, path, compare=True, progress=progress, **options
        )
        # Pictures are written after it, to be compared with.
        compress = ends[-1] - start
        start = time.process_time()
        (found,) = tasks.decompress(model, path)
        decompress = time.process_time() - start
    model.log_prob(images[:batch_size], batch_size=batch_size)
    start = time.process_time()
    nats = -model.log_prob(images, batch_size=batch_size).sum(dtype="float64")
    score = time.process_time() - start
    height, width, _ = model.image_shape
    return {
        "images": len(images),
        "values": result.num_values,
        "batch_size": result.batch_size,
        "lag": result.lag,
        "steps": width + result.lag * (height - 1),
        "model": nats / math.log(2) / 8,
        "streams": result.num_bytes - result.header_bytes,
        "bytes": result.num_bytes,
        "png": result.png_bytes,
        "webp": result.webp_bytes,
        "score": score,
        "compress": compress,
        "decompress": decompress,
        "compile": warm - compress / result.num_batches,
        "same": bool(np.array_equal(found.levels, images)),
    }


if __name__ == "__main__":
    main()
