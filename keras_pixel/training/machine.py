"""What a training's last bits depend on besides its recipe: threads."""

import os
from collections.abc import Callable

import keras


def num_threads() -> int:
    """Return the number of threads among which the backend splits a sum.

    Sums of floats depend on how they are split, so on a CPU a training is
    reproduced bit for bit only with the same number.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        asked = tf.config.threading.get_intra_op_parallelism_threads()
        if asked:
            return asked
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def compare_threads(
    former: int | None, now: int, say: Callable[[str], object]
) -> None:
    """Report that a training resumes with another number of threads."""
    if former is not None and former != now:
        say(
            "On a CPU a training is reproduced bit for bit only with the same "
            f"number of threads. Received: {now}, after {former} until the "
            "checkpoint. It continues, and ends with slightly different "
            f"weights; for the same ones give it {former} "
            f"{'core' if former == 1 else 'cores'}."
        )
