"""Times drawing sequences of several lengths.

    python -m benchmarks.sequences               # the table, in README.md
    python -m benchmarks.sequences --lengths 64,256 --no-write

Models of `(1, T, 1)` images with weights at random, about as many in each.
Drawing is `sample` of a batch, compiled before; its seconds are divided by the
T steps. A call costs something too, whatever the length, so short sequences
look dearer than they are; "a further step" is the difference between two
lengths, divided by the steps between them: from the first length to the middle
one, and from there to the last. What convolutions and LSTMs keep does not
depend on T, so it should cost the same; attention reads all that was drawn.

Lengths of one model are timed in the same process, in turn, several rounds;
the least of each is taken, which other work on the machine disturbs least.
What is kept are all tensors of the layers' caches, for a batch of one.
"""

import argparse
import json
import math
import time

from benchmarks.tables import markdown
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.sequences"
MODELS = (
    "dilated convolutions",
    "PixelCNN",
    "PixelLSTM",
    "PixelRNN, Row LSTM",
    "ImageTransformer, local 1D",
    "ImageTransformer, full",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", default="64,128,256,512,1024,2048")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", default="", help="words in their names")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--timeout", type=int, default=1200, help="s a model")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(**json.loads(arguments.row))))
        return
    lengths = [int(length) for length in arguments.lengths.split(",")]
    header = ["model", "parameters"]
    header += [f"T = {length:,}" for length in lengths]
    header += ["a further step, early", "late", "late / early"]
    header += ["kept, kB", "last / first"]
    lines = []
    for name in MODELS:
        if arguments.models not in name:
            continue
        row = {
            "name": name,
            "lengths": lengths,
            "batch_size": arguments.batch_size,
            "rounds": arguments.rounds,
        }
        result = run_row(MODULE, row, arguments.timeout)
        lines.append(format_row(name, lengths, result, len(header)))
        print(" | ".join(lines[-1]), flush=True)
    about = (
        f"Microseconds a step of a batch of {arguments.batch_size}, the least "
        f"of {arguments.rounds} rounds."
    )
    text = f"{about}\n\n{markdown(header, lines)}"
    print(text)
    if not arguments.no_write:
        write_section("sequences", text)


def format_row(name, lengths, result, columns):
    if "error" in result:
        return [name, result["error"], *["-"] * (columns - 2)]
    steps, kept = result["microseconds"], result["kept"]
    total = [t * n for t, n in zip(steps, lengths, strict=True)]

    def further(first, last):
        return (total[last] - total[first]) / (lengths[last] - lengths[first])

    middle = len(lengths) // 2
    early, late = further(0, middle), further(middle, -1)
    return [
        name,
        f"{result['parameters'] / 1e6:.2f}M",
        *(f"{step:.0f}" for step in steps),
        *(f"{early:.0f}", f"{late:.0f}", f"{late / early:.2f}"),
        f"{kept[-1] / 1000:.0f}",
        f"{kept[-1] / kept[0]:.1f}",
    ]


def build(name, length):
    """A model of sequences of one length."""
    from examples.sequences import dilated_network
    from keras_pixel import models

    shape = (1, length, 1)
    if name == "dilated convolutions":
        return dilated_network(length, 64, [1, 2, 4, 8, 16, 32] * 3)
    if name == "PixelCNN":
        return models.PixelCNN(
            shape, filters=64, num_blocks=9, head_filters=256
        )
    if name == "PixelLSTM":
        return models.PixelLSTM(shape, hidden_dim=160)
    if name == "PixelRNN, Row LSTM":
        return models.PixelRNN(
            shape,
            variant="row_lstm",
            filters=64,
            num_layers=4,
            head_filters=256,
        )
    attention = "full" if name.endswith("full") else "local_1d"
    return models.ImageTransformer(
        shape,
        attention=attention,
        num_layers=3,
        hidden_dim=96,
        intermediate_dim=384,
    )


def measure(name, lengths, batch_size, rounds):
    """Microseconds a step and bytes kept, at each length."""
    networks = [build(name, length) for length in lengths]
    for model in networks:
        model.sample(batch_size, seed=0, batch_size=batch_size)  # compiles
    seconds: list[list[float]] = [[] for _ in lengths]
    for _ in range(rounds):
        for model, found in zip(networks, seconds, strict=True):
            start = time.perf_counter()
            model.sample(batch_size, seed=0, batch_size=batch_size)
            found.append(time.perf_counter() - start)
    return {
        "parameters": networks[0].count_params(),
        "microseconds": [
            1e6 * min(found) / length
            for found, length in zip(seconds, lengths, strict=True)
        ],
        "kept": [kept_bytes(model) for model in networks],
    }


def kept_bytes(model):
    """Bytes of what the layers keep of one sequence between steps."""
    import keras

    from keras_pixel.sampling.graph import DecodingGraph

    graph = DecodingGraph(model)
    _, states = graph.init_cache(graph.schedule(1), ())
    return sum(
        math.prod(x.shape) * keras.ops.convert_to_numpy(x).itemsize
        for x in keras.tree.flatten(states)
    )


if __name__ == "__main__":
    main()
