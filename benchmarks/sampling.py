"""Times sampling against scoring, and against TFP's PixelCNN.

    make bench                                # the whole table, in README.md
    python -m benchmarks.sampling --batch-sizes 16 --no-write

Every row runs in a process of its own. Forward is `log_prob` of the batch,
cached is `sample`; compilation is reported by itself. Steps are those in which
one image is drawn, one after the other. A batch is drawn in parts side by side,
each by a core; weights are read once in each step of each part. Naive sampling
makes one forward pass for each sub-pixel; it is measured on the first
sub-pixels and scaled to all. So is the peer, one network pass for each pixel,
unless `--whole-peer` lets it draw its images to the end.
"""

import argparse
import json
import math
import time

from benchmarks.tables import best_seconds
from benchmarks.tables import markdown
from benchmarks.tables import peak_bytes
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.sampling"
SHAPE = (32, 32, 3)
# Larger batches of the paper-like models take minutes on a CPU.
LARGEST_PAPER_LIKE = 64
# Sub-pixels, or pixels of the peer, that naive sampling is measured on.
MEASURED = 8
MODELS = {
    "pixelcnn_cifar10 (preset)": None,
    "wavefront_pixelcnn_cifar10 (preset)": None,
    "PixelCNN, 15 blocks of 126 (paper-like)": (
        "PixelCNN",
        {"filters": 126, "num_blocks": 15},
    ),
    "GatedPixelCNN, 6 layers of 96": (
        "GatedPixelCNN",
        {
            "filters": 96,
            "num_layers": 6,
            "first_kernel_size": 5,
            "head_filters": 0,
            "head_rank": 64,
            "num_frequencies": 4,
        },
    ),
    "GatedPixelCNN, 15 layers of 126 (paper-like)": (
        "GatedPixelCNN",
        {"filters": 126, "num_layers": 15},
    ),
    "PixelCNNPlusPlus, lag 2, 1 block of 48": (
        "PixelCNNPlusPlus",
        {"filters": 48, "num_blocks": 1, "lag": 2},
    ),
    "ImageTransformer, local 1D, lag 2": (
        "ImageTransformer",
        {
            "num_layers": 2,
            "hidden_dim": 64,
            "num_heads": 4,
            "intermediate_dim": 128,
            "first_kernel_size": 3,
            "lag": 2,
        },
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-sizes", default="1,16,64,256")
    parser.add_argument("--models", default="", help="part of a name")
    parser.add_argument("--peer-batch-size", type=int, default=16)
    parser.add_argument("--whole-peer", action="store_true")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--timeout", type=int, default=900, help="s a row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        row = json.loads(arguments.row)
        print(json.dumps(peer(**row) if row.pop("peer") else ours(**row)))
        return

    batch_sizes = [int(n) for n in arguments.batch_sizes.split(",")]
    names = [name for name in MODELS if arguments.models in name]
    lines, ours_per_second = [], {}
    for name in names:
        for batch_size in batch_sizes:
            if "paper-like" in name and batch_size > LARGEST_PAPER_LIKE:
                continue
            row = {"peer": False, "name": name, "batch_size": batch_size}
            result = run_row(MODULE, row, arguments.timeout)
            lines.append(format_row(name, batch_size, result))
            print(" | ".join(lines[-1]), flush=True)
            if "error" not in result:
                key = (name, batch_size)
                ours_per_second[key] = batch_size / result["cached"]
    text = markdown(HEADER, lines)
    if not arguments.no_peer:
        row = {
            "peer": True,
            "batch_size": arguments.peer_batch_size,
            "whole": arguments.whole_peer,
        }
        result = run_row(MODULE, row, max(arguments.timeout, 3600))
        text += "\n\n" + peer_text(result, arguments, ours_per_second)
    print(text)
    if not arguments.no_write:
        write_section("sampling", text)


HEADER = [
    "model",
    "parameters",
    "batch",
    "steps",
    "parts",
    "forward, s",
    "cached, s",
    "cached / forward",
    "naive (scaled), s",
    "naive / cached",
    "images/s",
    "GFLOP/s forward",
    "GFLOP/s cached",
    "GFLOP/s of one large product",
    "weights read, GB/s",
    "compile, s",
    "memory of sampling, MB",
]


def format_row(name, batch_size, result):
    if "error" in result:
        rest = ["-"] * (len(HEADER) - 4)
        return [name, "-", str(batch_size), result["error"], *rest]
    forward, cached = result["forward"], result["cached"]
    return [
        name,
        f"{result['parameters'] / 1e6:.2f}M",
        str(batch_size),
        f"{result['steps']:,}",
        str(result["parts"]),
        f"{forward:.3f}",
        f"{cached:.3f}",
        f"{cached / forward:.2f}",
        f"{result['naive']:.0f}",
        f"{result['naive'] / cached:.0f}×",
        f"{batch_size / cached:.1f}",
        f"{result['full_flop'] * batch_size / forward / 1e9:.0f}",
        f"{result['seen_flop'] * batch_size / cached / 1e9:.0f}",
        f"{result['peak_flops'] / 1e9:.0f}",
        f"{result['read'] / cached / 1e9:.1f}",
        f"{result['compile']:.1f}",
        f"{result['memory'] / 1e6:.0f}",
    ]


def peer_text(result, arguments, ours_per_second):
    if "error" in result:
        return f"`tfp.distributions.PixelCNN`: {result['error']}"
    batch_size = result["batch_size"]
    how = "" if arguments.whole_peer else ", measured on the first and scaled"
    text = (
        f"`tfp.distributions.PixelCNN` of {result['parameters'] / 1e6:.2f}M "
        f"parameters, batch {batch_size}: scoring {result['scoring']:.3f} s, "
        f"sampling {result['sampling']:.0f} s "
        f"({math.prod(SHAPE[:2]) + 1} network passes{how}), "
        f"{batch_size / result['sampling']:.3f} images/s."
    )
    for (name, size), images in ours_per_second.items():
        if size == batch_size:
            ratio = images * result["sampling"] / batch_size
            text += f" {name} samples {ratio:.0f}× as fast."
    return text


def ours(name, batch_size):
    """Measure one of our models; seconds, bytes, floating point operations."""
    import numpy as np
    from keras import ops

    import keras_pixel
    from keras_pixel.compiled import Compiled
    from keras_pixel.compiled import num_parts
    from keras_pixel.compiled import num_threads
    from keras_pixel.sampling.graph import DecodingGraph
    from keras_pixel.sampling.reference import NaiveProgram

    class FirstSubPixels(NaiveProgram):
        num_places = MEASURED

    made_by = MODELS[name]
    if made_by is None:
        model = keras_pixel.load(name.split()[0])
    else:
        class_name, config = made_by
        model_class = getattr(keras_pixel, class_name)
        model = model_class(image_shape=SHAPE, **config)
    images = np.random.default_rng(0).integers(
        model.num_levels, size=(batch_size, *SHAPE)
    )

    def forward():
        return model.log_prob(images, batch_size=batch_size)

    def sample():
        return model.sample(batch_size, seed=0, batch_size=batch_size)

    before = peak_bytes()
    start = time.perf_counter()
    sample()
    first = time.perf_counter() - start
    cached = best_seconds(sample, warm_up=False)
    memory = peak_bytes() - before
    forward_seconds = best_seconds(forward)
    naive = Compiled(
        FirstSubPixels(model, model.pixel_distribution),
        model,
        jit_compile=False,
    )
    inputs = {
        "noise": np.zeros((batch_size, *SHAPE), "float32"),
        "images": np.zeros((batch_size, *SHAPE), "int32"),
        "known": np.zeros((batch_size, *SHAPE[:2]), bool),
        "temperature": np.ones((batch_size,), "float32"),
    }
    naive_seconds = best_seconds(lambda: naive(inputs), repeats=1)
    size = 2048
    matrix = ops.ones((size, size))
    product = best_seconds(lambda: np.asarray(ops.matmul(matrix, matrix)))
    full, seen = floating_point_operations(model)
    parts = num_parts(batch_size, num_threads())
    steps = DecodingGraph(model).schedule(-(-batch_size // parts)).num_steps
    return {
        "parameters": model.count_params(),
        "steps": model.sampler.num_steps,
        "parts": parts,
        "read": 4 * model.count_params() * steps * parts,
        "forward": forward_seconds,
        "cached": cached,
        "compile": first - cached,
        "memory": memory,
        "naive": naive_seconds * math.prod(SHAPE) / MEASURED,
        "peak_flops": 2 * size**3 / product,
        "full_flop": full,
        "seen_flop": seen,
    }


def floating_point_operations(model):
    """Of one image: with all that kernels hold, and with what masks show."""
    full = seen = 0
    for layer in model._flatten_layers(include_self=False):
        for weight in layer._trainable_variables:
            if len(weight.shape) < 2:
                continue
            products = math.prod(weight.shape)
            if weight.name == "basis":  # one product for each channel
                products *= layer.channels
            full += products
            masked = weight.name == "kernel" and hasattr(layer, "mask")
            if masked:
                # Of the whole kernel, or of its places only.
                rest = weight.shape[layer.mask.ndim :]
                products = int(layer.mask.sum()) * math.prod(rest)
            seen += products
    pixels = math.prod(model.image_shape[:2])
    return 2 * full * pixels, 2 * seen * pixels


def peer(batch_size, whole):
    """Measure TensorFlow Probability's PixelCNN, of about our preset's size."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    distribution = tfp.distributions.PixelCNN(
        image_shape=SHAPE,
        num_resnet=1,
        num_hierarchies=2,
        num_filters=40,
        num_logistic_mix=10,
        dropout_p=0.0,
        use_weight_norm=False,
        use_data_init=False,
    )
    images = np.random.default_rng(0).integers(256, size=(batch_size, *SHAPE))
    images = tf.constant(images, tf.float32)
    score = tf.function(distribution.log_prob)
    scoring = best_seconds(lambda: score(images).numpy())
    parameters = sum(
        math.prod(v.shape) for v in distribution.network.trainable_variables
    )
    passes = math.prod(SHAPE[:2]) + 1
    if whole:
        draw = tf.function(lambda: distribution.sample(batch_size))
        start = time.perf_counter()
        draw().numpy()
        sampling = time.perf_counter() - start
    else:
        # The body of the loop in `PixelCNN._sample_n`.
        @tf.function
        def draw(start):
            def one_pixel(index, samples):
                parts = distribution.network(samples, training=False)
                new = distribution._sample_channels(*parts)
                return index + 1, new

            return tf.while_loop(
                lambda index, _: index < MEASURED,
                one_pixel,
                (0, start),
                parallel_iterations=1,
            )[1]

        scaled = images / 127.5 - 1.0
        seconds = best_seconds(lambda: draw(scaled).numpy(), repeats=1)
        sampling = seconds / MEASURED * passes
    return {
        "batch_size": batch_size,
        "parameters": parameters,
        "scoring": scoring,
        "sampling": sampling,
    }


if __name__ == "__main__":
    main()
