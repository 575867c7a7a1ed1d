"""Bulk work on Apache Beam, on any of its runners."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from keras_pixel.tasks.bulk_jobs import Job
from keras_pixel.tasks.bulk_jobs import Opened


def model_handler(job: Job) -> Any:
    """A `ModelHandler` whose model does the work of a job.

    An element is the number of a shard, and its result `(shard, found)`, see
    `Job.compute`. `RunInference` loads the model once in each process, for
    all threads. A batch has one element: the shard itself goes through the
    network in batches, without all of its images in memory.

    Args:
        job: `Job`.

    Returns:
        `apache_beam.ml.inference.base.ModelHandler`.

    Raises:
        ImportError: if Apache Beam is not installed.
    """
    import_beam()
    from apache_beam.ml.inference import base

    class ShardHandler(base.ModelHandler[int, tuple[int, Any], Opened]):
        def load_model(self) -> Opened:
            return job.open()

        def run_inference(
            self,
            batch: Sequence[int],
            model: Opened,
            inference_args: dict[str, Any] | None = None,
        ) -> Iterable[tuple[int, Any]]:
            return _compute(job, model, batch)

        def batch_elements_kwargs(self) -> dict[str, int]:
            return {"min_batch_size": 1, "max_batch_size": 1}

        def get_metrics_namespace(self) -> str:
            return "keras_pixel"

    return ShardHandler()


def _compute(
    job: Job, opened: Opened, shards: Sequence[int]
) -> Iterator[tuple[int, Any]]:
    for shard in shards:
        yield shard, job.compute(opened, shard)


def run(
    job: Job,
    shards: list[int],
    workers: int,
    options: Sequence[str],
    done: Callable[[int], None],
) -> None:
    """Work on shards by a pipeline.

    Args:
        job: `Job`.
        shards: ints, the shards to be done.
        workers: int. Processes of Beam's local runner.
        options: strings, pipeline options. They come last, and so prevail.
        done: function called with each shard, once all are finished.

    Raises:
        RuntimeError: if the pipeline fails.
    """
    beam = import_beam()
    from apache_beam.ml.inference.base import RunInference
    from apache_beam.options.pipeline_options import PipelineOptions

    local = []
    if workers > 1:
        local = [
            f"--direct_num_workers={workers}",
            "--direct_running_mode=multi_processing",
        ]
    pipeline = beam.Pipeline(options=PipelineOptions([*local, *options]))
    _ = (
        pipeline
        | "Shards" >> beam.Create(shards)
        # Or one worker would get all of them.
        | "Spread" >> beam.Reshuffle()
        | "Compute" >> RunInference(model_handler(job))
        | "Write" >> beam.MapTuple(job.write)
    )
    try:
        state = pipeline.run().wait_until_finish()
    # What fails in a step comes in classes of the runner's own.
    except Exception as error:
        raise _failed(f"{type(error).__name__}: {error}") from error
    if state != beam.runners.runner.PipelineState.DONE:
        raise _failed(state)
    for shard in shards:
        done(shard)


def _failed(what: str) -> RuntimeError:
    return RuntimeError(
        "The pipeline must finish. "
        f"Received: {what}. Finished shards are kept, and the same call goes "
        "on with the others."
    )


def import_beam() -> Any:
    """Apache Beam.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import apache_beam
    except ImportError as error:
        raise ImportError(
            'The engine "beam" needs Apache Beam. Received: no such package. '
            'Install it with `pip install "keras-pixel[beam]"`, or use '
            'engine="local".'
        ) from error
    return apache_beam
