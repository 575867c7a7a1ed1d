"""Bulk work in this process, or in several processes of this machine."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from keras_pixel.start import import_keras
from keras_pixel.tasks.bulk_jobs import Job
from keras_pixel.tasks.bulk_jobs import Opened

# Where they are not set, workers share the cores evenly.
_THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
_GPUS = "CUDA_VISIBLE_DEVICES"


def run(
    job: Job,
    shards: list[int],
    workers: int,
    opened: Opened,
    done: Callable[[int], None],
) -> None:
    """Work on shards, one after the other in each worker.

    Workers are fresh processes that end when this one does, in whatever way.
    They share the cores of the machine and the GPUs that
    `CUDA_VISIBLE_DEVICES` lists.

    Args:
        job: `Job`.
        shards: ints, the shards to be done.
        workers: int. With 1 this process does the work.
        opened: what `job.open` would return here, if this process does it.
        done: function called with each finished shard.

    Raises:
        RuntimeError: if a worker fails, in its words.
    """
    if workers == 1:
        for shard in shards:
            job.run(opened, shard)
            done(shard)
        return
    waiting = list(reversed(shards))
    workers = min(workers, len(shards))
    pool: dict[Any, Any] = {}
    try:
        for number in range(workers):
            ours, process = _start(job, number, workers)
            pool[ours] = process
            ours.send(waiting.pop())
        busy = set(pool)
        while busy:
            ready: list[Any] = multiprocessing.connection.wait(busy)
            for ours in ready:
                done(_answer(ours, pool[ours]))
                if waiting:
                    ours.send(waiting.pop())
                else:
                    busy.remove(ours)
    finally:
        for ours, process in pool.items():
            ours.close()
            process.terminate()
        for process in pool.values():
            process.join()


def _start(job: Job, number: int, workers: int) -> tuple[Any, Any]:
    """Start a worker: our end of the pipe to it, and the process."""
    # Not a fork, which would take TensorFlow's threads for running.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(job, theirs), daemon=True)
    with _environment(number, workers):
        process.start()
    # With its only other end in the worker, the pipe tells who has ended.
    theirs.close()
    return ours, process


@contextlib.contextmanager
def _environment(number: int, workers: int) -> Iterator[None]:
    """The environment of a worker, which it takes over as it starts."""
    share = str(max(1, (os.cpu_count() or 1) // workers))
    wanted = {key: os.environ.get(key, share) for key in _THREADS}
    gpus = os.environ.get(_GPUS, "").split(",")
    if len(gpus) > 1:
        wanted[_GPUS] = gpus[number % len(gpus)]
    # Several workers may have one GPU: none of them takes all of its memory.
    wanted["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    former = {key: os.environ.get(key) for key in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for key, value in former.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def _work(job: Job, pipe: Any) -> None:
    """What a worker does: the shards that it is sent, until nobody asks."""
    # Ctrl-C reaches all processes; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_keras()
    try:
        opened = job.open()
        while True:
            shard = pipe.recv()
            job.run(opened, shard)
            pipe.send(("done", shard))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    # Whatever it is, the first process says it.
    except Exception as error:
        pipe.send(("failed", f"{type(error).__name__}: {error}"))


def _answer(ours: Any, process: Any) -> int:
    """The shard that a worker has finished."""
    try:
        kind, value = ours.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        kind, value = "failed", f"killed, exit code {process.exitcode}"
    if kind == "done":
        return value
    raise RuntimeError(
        f"A worker must finish its shards. Received: {value}. Finished shards "
        "are kept, and the same call goes on with the others; use fewer "
        "workers or a smaller `batch_size` if memory was short."
    )
