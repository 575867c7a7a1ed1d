"""Scores or draws millions of images, in shards, on one engine or another.

Every shard is computed by itself and written whole: what was finished when a
run was stopped, in whatever way, is not done again. An image's score does not
depend on the shards, and what is drawn depends on the seed and the number of
the image alone, so engines, workers, and sizes of shards and batches change
nothing.
"""

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_pixel import __version__
from keras_pixel import files
from keras_pixel import presets
from keras_pixel.checks import check_choice
from keras_pixel.checks import check_seed
from keras_pixel.checks import check_size
from keras_pixel.data.row_files import import_parquet
from keras_pixel.data.rows import absolute
from keras_pixel.data.rows import open_rows
from keras_pixel.tasks import bulk_beam
from keras_pixel.tasks import bulk_jobs
from keras_pixel.tasks import bulk_local
from keras_pixel.tasks import bulk_models
from keras_pixel.tasks import bulk_ray
from keras_pixel.tasks import bulk_result

ENGINES = ("local", "beam", "ray")
# Readers of a folder of Parquet files pass over such names.
_MANIFEST = "_manifest.json"
_MODEL = "_model"


def bulk_score(
    model: Any,
    source: Any,
    to: files.PathLike,
    *,
    split: str = "all",
    data_dir: files.PathLike | None = None,
    resize: str | None = None,
    values: str | None = None,
    image_column: str | None = None,
    id_column: str | None = None,
    label: int | str | None = None,
    order: str | None = None,
    engine: str = "local",
    workers: int = 1,
    shard_size: int = 1000,
    batch_size: int = 64,
    beam_options: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> bulk_result.BulkScores:
    """Score images of any number, into Parquet files.

    Each file has the columns `id` (string), `log_prob` (double, nats),
    `bits_per_dim` (double) and `error` (string): what is wrong with an image
    that cannot be read, whose scores are null. The same call resumes a run
    that was stopped.

    Args:
        model: `PixelModel`, the name, folder or address of a preset, or the
            folder of an exported SavedModel.
        source: a folder of pictures, a TFDS name, an array, an .npy or .npz
            file, or Parquet or TFRecord files: a file, a folder, or a pattern
            such as "images/*.parquet".
        to: a new folder, or that of a run to be resumed.
        split: one of the source's own splits, or "all". Defaults to `"all"`.
        data_dir: folder of prepared TFDS data sets.
        resize: `None`, "resize" or "center_crop"; see `load_data`.
        values: "pixels" or "levels", what arrays hold. Defaults to `None`:
            levels in arrays and in lists of a Parquet file, else pixels.
        image_column: column of a Parquet file, encoded images or lists of
            levels, or feature of a TFRecord. Defaults to `None`: "image", or
            the only column that can hold images.
        id_column: column of ids. Defaults to `None`: "id", or numbers.
        label: class of all images, for a model that is told it.
        order: name of one of the model's orders, or "mean"; see `log_prob`.
        engine: "local", "beam" (Apache Beam) or "ray" (Ray Data).
        workers: int. Processes that work side by side; with Beam, those of
            its local runner. Defaults to `1`, for "local" this process.
        shard_size: int. Images in a file. Defaults to `1000`.
        batch_size: int. Images that go through the network at once. Defaults
            to `64`.
        beam_options: strings, Beam's own pipeline options, such as
            "--runner=FlinkRunner".
        progress: function called with the number of images done and their
            total number. Defaults to `None`.

    Returns:
        `BulkScores`.

    Raises:
        TypeError, ValueError: if an argument, the model or the source is
            wrong, or `to` is of a run with other settings.
        FileExistsError: if there is something else at `to`.
        FileNotFoundError: if there is no such source.
        ImportError: if a package is missing.
        RuntimeError: if a worker fails.
    """
    start = time.monotonic()
    import_parquet("Bulk scoring")
    how = _How(engine, workers, tuple(beam_options))
    loaded = bulk_models.open_model(model)
    settings = _plain(label=label, order=order)
    loaded.check_scoring(settings)
    source = absolute(source)
    options: dict[str, Any] = {
        "split": split,
        "data_dir": None if data_dir is None else os.path.abspath(data_dir),
        "resize": resize,
        "values": values,
        "image_column": image_column,
        "id_column": id_column,
    }
    rows = open_rows(
        source,
        image_shape=loaded.image_shape,
        num_levels=loaded.num_levels,
        **options,
    )
    folder = files.local_path(to).absolute()
    job = bulk_jobs.ScoreJob(
        folder=folder,
        model=_name_of(model, folder),
        sha256=loaded.sha256,
        settings=settings,
        num_images=check_size("images", len(rows)),
        shard_size=check_size("shard_size", shard_size),
        batch_size=check_size("batch_size", batch_size),
        source=source,
        options=options,
        identity=rows.identity,
    )
    # Where a data set lies is not what it is.
    read = {k: x for k, x in options.items() if k != "data_dir"}
    manifest = {
        "task": "score",
        "source": rows.identity,
        "settings": {**settings, **read},
    }
    opened = bulk_jobs.Opened(loaded, rows)
    done = _run(job, manifest, model, opened, how, progress)
    return bulk_result.BulkScores(
        model=loaded.name,
        folder=job.folder,
        num_images=job.num_images,
        num_shards=job.num_shards,
        num_new=done,
        seconds=time.monotonic() - start,
        **bulk_result.means_of(job),
    )


def bulk_sample(
    model: Any,
    num_images: int,
    to: files.PathLike,
    *,
    seed: int = 0,
    labels: int | str | Sequence[int | str] | None = None,
    order: str | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    guidance_scale: float | None = None,
    engine: str = "local",
    workers: int = 1,
    shard_size: int = 1000,
    batch_size: int = 64,
    beam_options: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> bulk_result.BulkSamples:
    """Draw images of any number, into folders of PNG files.

    Image `i` is `model.sample(num_images, seed=seed)[i]`, whatever the
    engine, and lies in the folder of its shard as a PNG file named by its
    number. The same call resumes a run that was stopped.

    Args:
        model: as in `bulk_score`, of images of 1 or 3 channels.
        num_images: int.
        to: a new folder, or that of a run to be resumed.
        seed: int.
        labels: class id or class name of all images, or several, which
            images take in turn.
        order, temperature, top_k, top_p, guidance_scale: as in
            `model.sample`, for all images.
        engine, workers, beam_options, progress: as in `bulk_score`.
        shard_size: int. Images in a folder. Defaults to `1000`.
        batch_size: int. Images drawn at once. Defaults to `64`.

    Returns:
        `BulkSamples`.

    Raises:
        See `bulk_score`.
    """
    start = time.monotonic()
    how = _How(engine, workers, tuple(beam_options))
    if seed is None or isinstance(check_seed(seed), np.random.Generator):
        raise ValueError(
            "`seed` must be an integer of at least 0: an image is made of it "
            f"and its own number. Received: seed={seed!r}. Use 0 or more."
        )
    if labels is not None:
        labels = np.ravel(np.asarray(labels)).tolist()
    settings = {
        **_plain(seed=seed, order=order, temperature=temperature),
        **_plain(top_k=top_k, top_p=top_p, guidance_scale=guidance_scale),
        "labels": labels,
    }
    loaded = bulk_models.open_model(model)
    loaded.check_sampling(settings)
    if loaded.image_shape[-1] not in (1, 3):
        raise ValueError(
            "PNG files need images of 1 or 3 channels. Received: a model of "
            f"images of {loaded.image_shape}. Use `model.sample`."
        )
    folder = files.local_path(to).absolute()
    job = bulk_jobs.SampleJob(
        folder=folder,
        model=_name_of(model, folder),
        sha256=loaded.sha256,
        settings=settings,
        num_images=check_size("num_images", num_images),
        shard_size=check_size("shard_size", shard_size),
        batch_size=check_size("batch_size", batch_size),
    )
    manifest = {"task": "sample", "settings": settings}
    opened = bulk_jobs.Opened(loaded)
    done = _run(job, manifest, model, opened, how, progress)
    return bulk_result.BulkSamples(
        model=loaded.name,
        folder=job.folder,
        num_images=job.num_images,
        num_shards=job.num_shards,
        num_new=done,
        seconds=time.monotonic() - start,
    )


@dataclasses.dataclass(frozen=True)
class _How:
    """How the work is done, which changes nothing in what comes out."""

    engine: str
    workers: int
    beam_options: tuple[str, ...]

    def __post_init__(self) -> None:
        check_choice("engine", self.engine, ENGINES)
        check_size("workers", self.workers)
        if self.beam_options and self.engine != "beam":
            raise ValueError(
                "`beam_options` are for Apache Beam. Received: "
                f"engine={self.engine!r}, beam_options="
                f"{list(self.beam_options)}. Leave them out, or use "
                'engine="beam".'
            )
        # What is missing is said before anything is read.
        if self.engine == "beam":
            bulk_beam.import_beam()
        if self.engine == "ray":
            bulk_ray.import_ray()


def _plain(**values: Any) -> dict[str, Any]:
    """Settings as JSON values, each one for all images."""
    for name, value in values.items():
        if np.ndim(value):
            raise ValueError(
                f"`{name}` must be one value for all images. "
                f"Received: {name}={value!r}. Give one."
            )
        if value is not None:
            values[name] = np.asarray(value).tolist()
    return values


def _name_of(model: Any, folder: pathlib.Path) -> str:
    """How all workers name a model, wherever they run."""
    if not isinstance(model, str | os.PathLike):
        return str(folder / _MODEL)
    name = os.fspath(model)
    is_name = isinstance(model, str) and name in presets.list_models()
    if is_name or "://" in name:
        return name
    return os.path.abspath(os.path.expanduser(name))


def _run(
    job: bulk_jobs.Job,
    manifest: dict[str, Any],
    model: Any,
    opened: bulk_jobs.Opened,
    how: _How,
    progress: Callable[[int, int], None] | None,
) -> int:
    """Do what is left of a job; return the number of images that were."""
    finished = 0

    def done(shard: int) -> None:
        nonlocal finished
        start, stop = job.bounds(shard)
        finished += stop - start
        if progress is not None:
            progress(there + finished, job.num_images)

    # What determines the results, and nothing else.
    manifest = {
        **manifest,
        "model": {"sha256": job.sha256},
        "num_images": job.num_images,
        "shard_size": job.shard_size,
    }
    with files.one_owner(job.folder):
        _check_manifest(job.folder, manifest)
        files.remove_leftovers(job.folder)
        shards = job.pending()
        sizes = [stop - start for start, stop in map(job.bounds, shards)]
        there = job.num_images - sum(sizes)
        is_here = how.engine == "local" and how.workers == 1
        if shards and not is_here and job.model == str(job.folder / _MODEL):
            if not os.path.exists(job.model):
                model.save_preset(job.model)
        if not shards:
            pass
        elif how.engine == "local":
            bulk_local.run(job, shards, how.workers, opened, done)
        elif how.engine == "beam":
            bulk_beam.run(job, shards, how.workers, how.beam_options, done)
        else:
            bulk_ray.run(job, shards, how.workers, done)
        if job.pending():
            raise RuntimeError(
                "All shards must be finished. Received: "
                f"{len(job.pending()):,} that are not, in {job.folder}. All "
                "workers must see this folder; the same call goes on."
            )
    return finished


def _check_manifest(folder: pathlib.Path, manifest: dict[str, Any]) -> None:
    """Write what a folder is of, or compare it with what is there."""
    path = folder / _MANIFEST
    if not path.is_file():
        found = [x.name for x in folder.iterdir() if x.name[0] != "."]
        if found:
            raise FileExistsError(
                "`to` must be a new folder, or that of the same work. "
                f"Received: {str(folder)!r}, which holds {sorted(found)[:3]} "
                f"and no {_MANIFEST}. Give another folder."
            )
        program = {"keras_pixel": __version__}
        files.write_text(path, files.to_json({**manifest, **program}))
        return
    there = files.read_json(path, f"`{_MANIFEST}`")
    differing = [
        f"{key}={_brief(value)} after {_brief(old)}"
        for key, old, value in _differences(there, manifest)
    ]
    if differing:
        raise ValueError(
            "A run must be resumed with the settings that it began with. "
            f"Received: {'; '.join(differing)}, in {str(folder)!r}. Use the "
            "former ones, or another folder."
        )


def _brief(value: Any) -> str:
    # Of a source that may be a list of thousands of files.
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _differences(
    there: dict[str, Any], wanted: dict[str, Any]
) -> list[tuple[str, Any, Any]]:
    found = []
    for key, value in wanted.items():
        old = there.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            found += _differences({**dict.fromkeys(value), **old}, value)
        elif old != value:
            found.append((key, old, value))
    return found
