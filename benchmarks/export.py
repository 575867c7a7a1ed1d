"""Times exported models against Keras: scoring and sampling side by side.

    python -m benchmarks.export                       # the table, in README.md
    python -m benchmarks.export --untrained --shape 16x16x3 --no-write

All rows of a table are measured in one process, one after the other. Scoring is
the log-probability of a batch. Sampling draws a batch from the same noise in
every form; `same` is the share of sub-pixels that equal those of Keras (they
differ where a cumulative probability is rounded to the other side of the noise,
and in what follows from it). First calls (compilation) are not timed.

Keras draws a batch in as many parts as there are cores, side by side. An
exported sampler draws what it is called with in one; it is measured so, and
called from as many threads with a part each, as a server calls it with the
requests of several clients.
"""

import argparse
import concurrent.futures
import functools
import importlib.util
import pathlib
import tempfile

import numpy as np

from benchmarks.tables import best_seconds
from benchmarks.tables import markdown
from benchmarks.tables import write_section

ROOT = pathlib.Path(__file__).parents[1]
PRESETS = ("pixelcnn_cifar10", "wavefront_pixelcnn_cifar10")
HEADER = ["", "batch", "s", "images/s", "of Keras' time", "same"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=list(PRESETS))
    parser.add_argument("--untrained", action="store_true")
    parser.add_argument("--shape", default="32x32x3", help="if untrained")
    parser.add_argument("--filters", type=int, default=48, help="if untrained")
    parser.add_argument("--num-blocks", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    tables = []
    for model, name in make_models(arguments):
        with tempfile.TemporaryDirectory() as folder:
            lines = measure(model, pathlib.Path(folder), arguments)
        tables.append(
            f"{name}, {model.image_shape}, {model.count_params():,} "
            "parameters.\n\n" + markdown(HEADER, lines)
        )
    text = "\n\n".join(tables)
    print(text)
    if not arguments.no_write:
        write_section("export", text)


def make_models(arguments):
    """The models to measure, each with a name."""
    import keras_pixel

    if not arguments.untrained:
        for preset in arguments.presets:
            yield keras_pixel.load(preset), preset
        return
    shape = tuple(int(size) for size in arguments.shape.split("x"))
    model = keras_pixel.PixelCNN(
        image_shape=shape,
        filters=arguments.filters,
        num_blocks=arguments.num_blocks,
        head_filters=2 * arguments.filters,
        head_rank=64,
    )
    yield (
        model,
        f"Untrained PixelCNN, {arguments.num_blocks} blocks of "
        f"{arguments.filters}",
    )


def measure(model, folder, arguments):
    """Rows of the table."""
    import onnxruntime
    import tensorflow as tf

    from keras_pixel import export
    from keras_pixel.compiled import num_parts
    from keras_pixel.compiled import num_threads
    from keras_pixel.export.conversion import session

    size = arguments.batch_size
    parts = num_parts(size, num_threads())
    if size % parts:
        raise SystemExit(
            f"--batch-size must be a multiple of {parts}, the parts that it "
            f"is drawn in. Received: {size}."
        )
    paths = {
        "plain": export.saved_model(model, folder / "plain"),
        "xla": export.saved_model(model, folder / "xla", xla=True),
        "onnx": export.onnx(
            model, folder / "onnx", step_batch_size=size // parts
        ),
    }
    random = np.random.default_rng(0)
    noise = random.random((size, *model.noise_shape), "float32")
    images = random.integers(model.num_levels, size=noise.shape)
    images = images.astype("uint8")
    temperature = np.ones(size, "float32")
    plain, xla = (
        tf.saved_model.load(str(paths[form])).signatures
        for form in ("plain", "xla")
    )
    scorer = onnxruntime.InferenceSession(
        str(paths["onnx"] / "log_prob.onnx"), providers=PROVIDERS
    )
    loop = session(paths["onnx"] / "sample.onnx")
    scoring = {
        "Keras predict": lambda: model.log_prob(images, batch_size=size),
        "SavedModel": lambda: plain["serving_default"](
            images=tf.constant(images)
        )["log_prob"].numpy(),
        "ONNX Runtime": lambda: scorer.run(["log_prob"], {"images": images})[0],
    }

    def by_signature(signature):
        return lambda noise, temperature: signature(
            noise=tf.constant(noise), temperature=tf.constant(temperature)
        )["images"].numpy()

    # A runner keeps the states of one batch: one for each thread.
    make_steps = load_runner().StepSampler
    steps = [make_steps(paths["onnx"]) for _ in range(parts)]
    samplers = {
        "SavedModel": [by_signature(plain["sample_from_noise"])] * parts,
        "SavedModel, XLA": [by_signature(xla["sample_from_noise"])] * parts,
        "ONNX Loop": [
            lambda noise, temperature: loop(
                noise=noise, temperature=temperature
            )["images"]
        ]
        * parts,
        f"ONNX steps ({steps[0].device})": [x.sample for x in steps],
    }
    sampling = {
        "Keras, XLA": lambda: model.sample(noise=noise, batch_size=size)
    }
    for name, by_part in samplers.items():
        sampling[name] = functools.partial(by_part[0], noise, temperature)
        if parts > 1:
            sampling[f"{name}, {parts} threads"] = functools.partial(
                side_by_side, by_part, noise, temperature
            )
    lines = []
    for title, functions in (("scoring", scoring), ("sampling", sampling)):
        keras_result = keras_seconds = None
        for name, function in functions.items():
            result = function()
            seconds = best_seconds(function, arguments.repeats, warm_up=False)
            if keras_result is None:
                keras_result, keras_seconds = result, seconds
            same = "-"
            if title == "sampling":
                same = f"{(result == keras_result).mean():.2%}"
            lines.append(
                [
                    f"{title}: {name}",
                    str(size),
                    f"{seconds:.3f}",
                    f"{size / seconds:.1f}",
                    f"{seconds / keras_seconds:.2f}×",
                    same,
                ]
            )
            print(" | ".join(lines[-1]), flush=True)
    return lines


def side_by_side(functions, *arrays):
    """Each function on a part of the batch, in a thread of its own."""
    parts = zip(*(np.split(x, len(functions)) for x in arrays), strict=True)
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        futures = [
            pool.submit(function, *part)
            for function, part in zip(functions, parts, strict=True)
        ]
        return np.concatenate([future.result() for future in futures])


PROVIDERS = ["CPUExecutionProvider"]


def load_runner():
    """`export/onnx/runner.py`, which is no part of the package."""
    path = ROOT / "export" / "onnx" / "runner.py"
    spec = importlib.util.spec_from_file_location("runner", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"No Python file: {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
