"""Bulk work on Ray Data."""

from collections.abc import Callable
from typing import Any

from keras_pixel.tasks.bulk_jobs import Job


class _Actor:
    """A worker, which holds the model; Ray makes one for each device."""

    def __init__(self, job: Job):
        self.job = job
        self.opened = job.open()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        for shard in batch["shard"].tolist():
            self.job.run(self.opened, shard)
        return batch


def run(
    job: Job, shards: list[int], workers: int, done: Callable[[int], None]
) -> None:
    """Work on shards by actors, each of which holds the model.

    A cluster that this process is connected to is used, or that of
    `RAY_ADDRESS`, or one is started here. With GPUs each actor has one.

    Args:
        job: `Job`.
        shards: ints, the shards to be done.
        workers: int. Actors.
        done: function called with each finished shard.

    Raises:
        RuntimeError: if Ray does not finish them.
    """
    ray = import_ray()
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(log_to_driver=False)
    try:
        gpus = ray.cluster_resources().get("GPU", 0)
        found = ray.data.from_items(
            [{"shard": shard} for shard in shards],
            # So that a shard is a task of its own.
            override_num_blocks=len(shards),
        ).map_batches(
            _Actor,
            fn_constructor_args=(job,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_gpus=1 if gpus else None,
        )
        for row in found.iter_rows():
            done(int(row["shard"]))
    except ray.exceptions.RayError as error:
        raise RuntimeError(
            "Actors must finish their shards. "
            f"Received: {type(error).__name__}: {error}. Finished shards are "
            "kept, and the same call goes on with the others."
        ) from error
    finally:
        if is_ours:
            ray.shutdown()


def import_ray() -> Any:
    """Ray.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import ray.data
    except ImportError as error:
        raise ImportError(
            'The engine "ray" needs Ray Data. Received: no such package. '
            'Install it with `pip install "keras-pixel[ray]"`, or use '
            'engine="local".'
        ) from error
    return ray
