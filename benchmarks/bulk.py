"""Measures bulk scoring and sampling by engine and by number of workers.

    python -m benchmarks.bulk --data-dir ~/tensorflow_datasets
    python -m benchmarks.bulk --engines local --tasks score --no-write

`pixelcnn_mnist` scores test images of binarised MNIST from an .npy file, and
draws new ones. "seconds" is the whole call: it starts the workers, loads the
model in each and compiles it. "images/s" is what follows once each worker has
finished its first shard, by the times at which shards were written. An engine
that is not installed is left out.
"""

import argparse
import importlib.util
import json
import pathlib
import tempfile

import numpy as np

from benchmarks.tables import markdown
from benchmarks.tables import run_row
from benchmarks.tables import write_section

MODULE = "benchmarks.bulk"
MODEL = "pixelcnn_mnist"
PACKAGES = {"local": "pyarrow", "beam": "apache_beam", "ray": "ray"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default="local,beam,ray")
    parser.add_argument("--tasks", default="score,sample")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--score-count", type=int, default=960)
    parser.add_argument("--sample-count", type=int, default=256)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--data-dir")
    parser.add_argument("--note", default="", help="said below the table")
    parser.add_argument("--no-write", action="store_true")
    parser.add_argument("--timeout", type=int, default=1800, help="s a row")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(**json.loads(arguments.row))))
        return
    counts = {"score": arguments.score_count, "sample": arguments.sample_count}
    lines = []
    for task in arguments.tasks.split(","):
        for engine in arguments.engines.split(","):
            if importlib.util.find_spec(PACKAGES[engine]) is None:
                print(f"{engine} is not installed")
                continue
            for workers in map(int, arguments.workers.split(",")):
                row = {
                    "task": task,
                    "engine": engine,
                    "workers": workers,
                    "count": counts[task],
                    "shards": arguments.shards,
                    "batch_size": arguments.batch_size,
                    "data_dir": arguments.data_dir,
                }
                result = run_row(MODULE, row, arguments.timeout)
                lines.append(format_row(row, result))
                print(" | ".join(lines[-1]), flush=True)
    header = ["task", "engine", "workers", "images", "seconds", "images/s"]
    text = (
        f"`{MODEL}`, {arguments.shards} shards, batches of "
        f"{arguments.batch_size}. {arguments.note}".strip()
    )
    text = f"{text}\n\n{markdown(header, lines)}"
    if not arguments.no_write:
        write_section("bulk", text)


def format_row(row, result):
    words = [row["task"], row["engine"], str(row["workers"])]
    if "error" in result:
        return [*words, str(row["count"]), result["error"], ""]
    return [
        *words,
        f"{row['count']:,}",
        f"{result['seconds']:.1f}",
        f"{result['rate']:.1f}",
    ]


def measure(task, engine, workers, count, shards, batch_size, data_dir):
    """Seconds of a call, and images per second once workers have begun."""
    from keras_pixel import tasks

    size = -(-count // shards)
    how = {
        "engine": engine,
        "workers": workers,
        "shard_size": size,
        "batch_size": batch_size,
    }
    with tempfile.TemporaryDirectory() as folder:
        to = pathlib.Path(folder) / "out"
        if task == "score":
            images = pathlib.Path(folder) / "images.npy"
            np.save(images, read_images(count, data_dir))
            seconds = tasks.bulk_score(MODEL, images, to, **how).seconds
        else:
            seconds = tasks.bulk_sample(MODEL, count, to, **how).seconds
        times = sorted(x.stat().st_mtime for x in to.glob(f"{task}s-*"))
    # Of the shards that no worker spent its start on.
    done = min(count, len(times) * size) - workers * size
    rate = done / (times[-1] - times[workers - 1])
    return {"seconds": seconds, "rate": rate}


def read_images(count, data_dir):
    from keras_pixel.data import load_data

    data = load_data(
        "binarized_mnist",
        "test",
        num_levels=2,
        values="levels",
        stream=True,
        data_dir=data_dir,
    )
    return data.images[:count]


if __name__ == "__main__":
    main()
