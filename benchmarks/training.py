"""Times the training step of every family, beside a large matrix product.

    pip install ".[benchmark]"
    python -m benchmarks.training                 # the tables, in README.md
    python -m benchmarks.training --models Wavefront --no-write

A step is forward pass, loss, gradients and Adam on one batch, as `fit`
compiles it by itself; data are made beforehand. Operations are those of
`keras_pixel.training.count_operations`, three times the forward pass. Of the
product 2048 × 2048 × 2048 in the same dtype a model reaches the share in the
last column.

Two of the networks also run in PyTorch (`torch_peers.py`), with as many
parameters and the same loss, in bfloat16 by autocast or in float32, each with
and without `torch.compile`.

A model, its peers in PyTorch and the products take turns, each in a process of
its own that waits while the others run; figures are medians over the rounds.
On a machine with other work compare only the ratios of one run.
"""

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import time

from benchmarks.tables import markdown
from benchmarks.tables import write_section

MODULE = "benchmarks.training"
SIDE = 2048  # of the large product
COLOUR = (32, 32, 3)
CATEGORICAL = {"head_filters": 0, "head_rank": 32, "num_frequencies": 4}
MIXTURE = {
    "head_filters": 0,
    "distribution": "logistic_mixture",
    "whole_pixel": True,
}
TRANSFORMER = {
    "num_layers": 4,
    "hidden_dim": 96,
    "num_heads": 4,
    "intermediate_dim": 384,
    "head_rank": 32,
}
# Name: class, image, arguments. About 0.5 to 1 million parameters.
MODELS: dict[str, tuple] = {
    "PixelCNN": (
        "PixelCNN",
        COLOUR,
        {"filters": 84, "num_blocks": 9, **CATEGORICAL},
    ),
    "PixelCNN, whole pixels, mixture": (
        "PixelCNN",
        COLOUR,
        {"filters": 84, "num_blocks": 9, **MIXTURE},
    ),
    "GatedPixelCNN": (
        "GatedPixelCNN",
        COLOUR,
        {
            "filters": 60,
            "num_layers": 6,
            "first_kernel_size": 5,
            **CATEGORICAL,
        },
    ),
    "PixelRNN, Row LSTM": (
        "PixelRNN",
        COLOUR,
        {"variant": "row_lstm", "filters": 60, "num_layers": 5, **CATEGORICAL},
    ),
    "PixelRNN, Diagonal BiLSTM": (
        "PixelRNN",
        COLOUR,
        {
            "variant": "diagonal_bilstm",
            "filters": 60,
            "num_layers": 4,
            **CATEGORICAL,
        },
    ),
    "ImageTransformer, local 1D": (
        "ImageTransformer",
        COLOUR,
        {"attention": "local_1d", **TRANSFORMER},
    ),
    "ImageTransformer, local 2D": (
        "ImageTransformer",
        COLOUR,
        {"attention": "local_2d", **TRANSFORMER},
    ),
    "PixelCNNPlusPlus": (
        "PixelCNNPlusPlus",
        COLOUR,
        {"filters": 26, "num_blocks": 2},
    ),
    "PixelSNAIL": (
        "PixelSNAIL",
        COLOUR,
        {
            "filters": 64,
            "num_blocks": 3,
            "num_residual_blocks": 3,
            "value_dim": 64,
        },
    ),
    "WavefrontPixelCNN": ("WavefrontPixelCNN", COLOUR, {"filters": 56}),
    "PixelLSTM, 8×8×1": (
        "PixelLSTM",
        (8, 8, 1),
        {"hidden_dim": 192, "num_layers": 2},
    ),
}
PEERS = ("PixelCNN", "WavefrontPixelCNN")
PRODUCT = "product"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="", help="part of a name")
    parser.add_argument(
        "--policy",
        default="mixed_bfloat16",
        choices=["mixed_bfloat16", "float32"],
    )
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a go")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(json.loads(arguments.worker))
        return
    text = tables(arguments)
    print(text)
    if not arguments.no_write:
        write_section(f"training_{arguments.policy}", text)


def tables(arguments):
    """Both tables as text."""
    names = [name for name in MODELS if arguments.models in name]
    shared = {
        "policy": arguments.policy,
        "batch_size": arguments.batch_size,
        "threads": arguments.threads,
        "seconds": arguments.seconds,
    }
    products = [{"kind": "product", "dtype": d} for d in dtypes(arguments)]
    lines, compared = [], []
    # A model and its peers beside products: few processes at a time.
    for name in names:
        rows = [*products, {"kind": "keras", "name": name}]
        if name in PEERS and not arguments.no_peers:
            rows += [
                {"kind": "torch", "name": name, "compile": c}
                for c in (False, True)
            ]
        results = interleaved([{**shared, **r} for r in rows], arguments.rounds)
        peak = results[0]["flops"] if "error" not in results[0] else math.nan
        keras = results[len(products)]
        lines.append(line(name, keras, peak, arguments))
        print(" | ".join(lines[-1]), flush=True)
        for row, result in zip(rows, results, strict=True):
            if row["kind"] == "torch":
                compared.append(peer_line(row, result, keras))
                print(" | ".join(compared[-1]), flush=True)
    header = ["model", "parameters", "MFLOP an image, forward"]
    header += ["step, s", "images/s", "GFLOP/s", "GFLOP/s of the product"]
    header += ["of the product"]
    text = (
        f"{arguments.policy}, batches of {arguments.batch_size}, "
        f"{arguments.threads} thread(s), medians of {arguments.rounds} "
        f"rounds.\n\n" + markdown(header, lines)
    )
    if compared:
        header = ["model", "PyTorch", "parameters", "step, s", "images/s"]
        header += ["keras_pixel is as fast", "in single rounds"]
        text += "\n\n" + markdown(header, compared)
    return text


def dtypes(arguments):
    """That of the policy first."""
    found = ["bfloat16", "float32"]
    return found if arguments.policy == "mixed_bfloat16" else found[::-1]


def line(name, result, peak, arguments):
    if "error" in result:
        return [name, "-", "-", result["error"], *["-"] * 4]
    step = result["step"]
    flops = 3 * result["operations"] * arguments.batch_size / step
    return [
        name,
        f"{result['parameters'] / 1e6:.2f}M",
        f"{result['operations'] / 1e6:.0f}",
        f"{step:.3f}",
        f"{arguments.batch_size / step:.1f}",
        f"{flops / 1e9:.1f}",
        f"{peak / 1e9:.0f}",
        f"{flops / peak:.0%}",
    ]


def peer_line(row, result, keras):
    how = "torch.compile" if row["compile"] else "eager"
    if "error" in result or "error" in keras:
        error = result.get("error", "-")
        return [row["name"], how, "-", error, "-", "-", "-"]
    if result["parameters"] != keras["parameters"]:
        raise RuntimeError(
            f"{row['name']} has {keras['parameters']} parameters here and "
            f"{result['parameters']} in PyTorch."
        )
    ratios = [
        theirs / ours
        for theirs, ours in zip(result["steps"], keras["steps"], strict=True)
    ]
    return [
        row["name"],
        how,
        f"{result['parameters'] / 1e6:.2f}M",
        f"{result['step']:.3f}",
        f"{result['batch_size'] / result['step']:.1f}",
        f"{statistics.median(ratios):.2f}×",
        f"{min(ratios):.2f}–{max(ratios):.2f}",
    ]


def interleaved(rows, rounds):
    """Results of all rows, each a process that takes its turn."""
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(row)) for row in rows]
        facts = [worker.answer() for worker in workers]
        steps: list[list] = [[] for _ in rows]
        for _ in range(rounds):
            for worker, found in zip(workers, steps, strict=True):
                found.append(worker.go())
    results = []
    for row, fact, found in zip(rows, facts, steps, strict=True):
        found = [x for x in found if x is not None]
        if "error" not in fact and len(found) == rounds:
            step = statistics.median(found)
            fact = {**row, **fact, "step": step, "steps": found}
            if row["kind"] == "product":
                fact["flops"] = 2 * SIDE**3 / step
        elif "error" not in fact:
            fact = {"error": "stopped"}
        results.append(fact)
    return results


class Worker:
    """A process that times one thing whenever it is told to."""

    def __init__(self, row):
        threads = str(row["threads"])
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, "--worker", json.dumps(row)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                **os.environ,
                **dict.fromkeys(names, threads),
                "TF_NUM_INTEROP_THREADS": "1",
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("A worker must have pipes. Received: none.")
        self.process = process
        self.stdin, self.stdout = process.stdin, process.stdout

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        self.stdin.close()
        self.stdout.close()

    def answer(self):
        text = self.stdout.readline()
        return json.loads(text) if text else {"error": "stopped"}

    def go(self):
        """Seconds of a step, or `None`."""
        try:
            self.stdin.write("go\n")
            self.stdin.flush()
        except BrokenPipeError:
            return None
        return self.answer().get("step")


def work(row):
    """Make ready, tell the facts, then time a go for each line read."""
    answers = sys.stdout
    # What libraries print must not stand between the answers.
    sys.stdout = sys.stderr

    def tell(answer):
        print(json.dumps(answer), file=answers, flush=True)

    try:
        step, facts = {
            "product": product,
            "keras": keras_model,
            "torch": torch_model,
        }[row["kind"]](row)
        for _ in range(3):  # compiles, and grows the memory
            step()
    except Exception as error:  # told in the table
        tell({"error": f"{type(error).__name__}: {error}".split("\n")[0][:150]})
        return
    tell(facts)
    for _ in sys.stdin:
        tell({"step": seconds_of(step, row["seconds"])})


def seconds_of(step, seconds):
    """Median seconds of a step, over steps for `seconds`, at least three."""
    found: list[float] = []
    begin = time.perf_counter()
    while len(found) < 3 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        step()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def product(row):
    import tensorflow as tf

    set_threads(tf, row["threads"])
    square = tf.cast(tf.random.normal((SIDE, SIDE)), row["dtype"])
    multiply = tf.function(lambda: tf.reduce_max(tf.matmul(square, square)))
    return lambda: multiply().numpy(), {}


def keras_model(row):
    import tensorflow as tf

    set_threads(tf, row["threads"])
    import keras

    from keras_pixel.training import count_operations

    model = built(row["name"], row["policy"])
    model.compile(keras.optimizers.Adam(1e-4))
    images = tf.constant(random_images(row))
    data = tf.data.Dataset.from_tensors(images).repeat()
    # As `fit` does, without what it does between the steps.
    iterator = iter(data)
    model.make_train_function()

    def step():
        return float(model.train_function(iterator)["loss"])

    facts = {
        "parameters": model.count_params(),
        "operations": count_operations(model),
    }
    return step, facts


def torch_model(row):
    import torch

    torch.set_num_threads(row["threads"])
    torch.manual_seed(0)
    from benchmarks import torch_peers

    ours = built(row["name"], row["policy"])
    peers: dict = torch_peers.PEERS
    model = peers[row["name"]](ours)
    model = model.to(memory_format=torch.channels_last)
    half = row["policy"] == "mixed_bfloat16"
    levels = torch.from_numpy(random_images(row)).long()
    levels = levels.permute(0, 3, 1, 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=True)

    def loss():
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return model.loss(levels)

    if row["compile"]:
        loss = torch.compile(loss)

    def step():
        optimizer.zero_grad(set_to_none=True)
        found = loss()
        found.backward()
        optimizer.step()
        return float(found.detach())

    parameters = sum(p.numel() for p in model.parameters())
    return step, {"parameters": parameters}


def built(name, policy):
    import keras

    import keras_pixel

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    class_name, shape, arguments = MODELS[name]
    return getattr(keras_pixel, class_name)(shape, 256, **arguments)


def random_images(row):
    import numpy as np

    _, shape, _ = MODELS[row["name"]]
    size = (row["batch_size"], *shape)
    return np.random.default_rng(0).integers(256, size=size).astype("uint8")


def set_threads(tf, threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    main()
