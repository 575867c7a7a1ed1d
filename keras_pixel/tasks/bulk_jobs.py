"""What bulk work consists of: shards, each computed and written by itself.

A job is small and travels to every process that works on it. There it opens
the model, and the source, once. What a shard holds depends on the job and its
number alone, so engines need not know what they run.
"""

import dataclasses
import math
import pathlib
from typing import Any

import numpy as np

from keras_pixel import files
from keras_pixel.data.pictures import to_bytes
from keras_pixel.data.row_files import import_parquet
from keras_pixel.data.rows import open_rows
from keras_pixel.levels import nats_to_bits_per_dim
from keras_pixel.sampling.noise import make_noise
from keras_pixel.tasks import bulk_models


@dataclasses.dataclass(frozen=True)
class Opened:
    """What the shards of a job are computed with.

    Attributes:
        model: `PresetModel` or `ExportedModel`.
        rows: `Rows` of the source, where there is one.
    """

    model: Any
    rows: Any = None


@dataclasses.dataclass(frozen=True)
class Job:
    """Images in shards of equal size, but the last one.

    Attributes:
        folder: absolute path that all processes can write to.
        model: name, folder or address of a preset, or folder of a SavedModel.
        sha256: str, of the model; see `PresetModel`.
        settings: dict of JSON values that determine the results.
        num_images: int.
        shard_size: int. Images in a shard.
        batch_size: int. Images that go through the network at once.
    """

    folder: pathlib.Path
    model: str
    sha256: str
    settings: dict[str, Any]
    num_images: int
    shard_size: int
    batch_size: int

    @property
    def num_shards(self) -> int:
        return -(-self.num_images // self.shard_size)

    def bounds(self, shard: int) -> tuple[int, int]:
        """Number of the first image of a shard, and that after the last."""
        start = shard * self.shard_size
        return start, min(start + self.shard_size, self.num_images)

    def path(self, shard: int) -> pathlib.Path:
        """Where a shard lies once it is finished."""
        raise NotImplementedError

    def pending(self) -> list[int]:
        """The shards that are not finished."""
        shards = range(self.num_shards)
        return [shard for shard in shards if not self.path(shard).exists()]

    def open(self) -> Opened:
        """Load what shards are computed with, once in each process.

        Raises:
            ValueError: if the model or the source is another one by now.
        """
        model = bulk_models.open_model(self.model)
        if model.sha256 != self.sha256:
            raise ValueError(
                "All of the work must be done by one model. Received: "
                f"{self.model!r}, whose weights or arguments have changed. "
                "Begin anew in another folder."
            )
        return Opened(model)

    def compute(self, opened: Opened, shard: int) -> Any:
        """What a shard holds.

        Args:
            opened: what `open` returned here.
            shard: int.
        """
        raise NotImplementedError

    def write(self, shard: int, found: Any) -> None:
        """Write what `compute` returned, completely or not at all."""
        raise NotImplementedError

    def run(self, opened: Opened, shard: int) -> None:
        """Compute a shard, and write it."""
        self.write(shard, self.compute(opened, shard))


@dataclasses.dataclass(frozen=True)
class ScoreJob(Job):
    """Scores of the images of a source.

    Attributes:
        source: what `open_rows` takes.
        options: dict, arguments of `open_rows`.
        identity: dict, the source's; see `Rows`.
    """

    source: Any
    options: dict[str, Any]
    identity: dict[str, Any]

    def path(self, shard: int) -> pathlib.Path:
        name = f"scores-{shard:05d}-of-{self.num_shards:05d}.parquet"
        return self.folder / name

    def open(self) -> Opened:
        model = super().open().model
        rows = open_rows(
            self.source,
            image_shape=model.image_shape,
            num_levels=model.num_levels,
            **self.options,
        )
        if rows.identity != self.identity:
            raise ValueError(
                "All workers must see the same images. Received: "
                f"{self.source!r} with {len(rows):,} images, after "
                f"{self.num_images:,}, or others. Begin anew in another folder."
            )
        return Opened(model, rows)

    def compute(self, opened: Opened, shard: int) -> dict[str, Any]:
        """Columns of the shard: lists of equal length."""
        model, rows = opened.model, opened.rows
        ids: list[str] = []
        scores: list[float | None] = []
        errors: list[str | None] = []
        for batch in rows.batches(*self.bounds(shard), self.batch_size):
            found = iter(())
            if len(batch.images):
                found = iter(
                    model.log_prob(batch.images, self.settings, self.batch_size)
                )
            ids += batch.ids
            errors += batch.errors
            scores += [
                float(next(found)) if error is None else None
                for error in batch.errors
            ]
        dims = math.prod(model.image_shape)
        bits = [
            None if score is None else nats_to_bits_per_dim(-score, dims)
            for score in scores
        ]
        return {
            "id": ids,
            "log_prob": scores,
            "bits_per_dim": bits,
            "error": errors,
        }

    def write(self, shard: int, found: dict[str, Any]) -> None:
        parquet = import_parquet("Bulk scoring")
        import pyarrow

        text, number = pyarrow.string(), pyarrow.float64()
        kinds = dict.fromkeys(found, text)
        kinds |= {"log_prob": number, "bits_per_dim": number}
        table = pyarrow.table(found, schema=pyarrow.schema(kinds.items()))
        with files.atomic_file(self.path(shard)) as file:
            parquet.write_table(table, file)


@dataclasses.dataclass(frozen=True)
class SampleJob(Job):
    """New images as PNG files, a folder for each shard."""

    def path(self, shard: int) -> pathlib.Path:
        name = f"samples-{shard:05d}-of-{self.num_shards:05d}"
        return self.folder / name

    def compute(self, opened: Opened, shard: int) -> np.ndarray:
        """8-bit values `(images, height, width, channels)` of the shard."""
        model = opened.model
        start, stop = self.bounds(shard)
        drawn = []
        for first in range(start, stop, self.batch_size):
            count = min(self.batch_size, stop - first)
            noise = make_noise(
                count, model.image_shape, self.settings["seed"], start=first
            )
            labels = self.settings["labels"]
            if labels is not None:
                labels = [
                    labels[number % len(labels)]
                    for number in range(first, first + count)
                ]
            drawn.append(
                model.sample(noise, labels, self.settings, self.batch_size)
            )
        return to_bytes(np.concatenate(drawn), model.num_levels)

    def write(self, shard: int, found: np.ndarray) -> None:
        from PIL import Image

        if self.path(shard).exists():  # by an engine that tried it twice
            return
        with files.atomic_folder(self.path(shard)) as folder:
            for number, image in enumerate(found, self.bounds(shard)[0]):
                image = image[..., 0] if image.shape[-1] == 1 else image
                Image.fromarray(image).save(folder / f"{number:08d}.png")
