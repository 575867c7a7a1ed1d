"""What a training's last bits depend on beside its recipe: threads."""

import os

import keras


def num_threads():
    """Threads that the backend shares a sum among, on a CPU.

    Sums of floats depend on how they are split, so a training is bit for bit
    the same only with the same number.
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


def compare_threads(former, now, say):
    """Say so where a training goes on with another number of threads."""
    if former is not None and former != now:
        say(
            "On a CPU a training is bit for bit the same with the same number "
            f"of threads only. Received: {now}, after {former} until the "
            "checkpoint. It goes on, and ends with slightly other weights; "
            f"for the same ones allow it {former} "
            f"{'core' if former == 1 else 'cores'}."
        )
