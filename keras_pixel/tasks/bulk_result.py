"""What bulk work has written."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from keras_pixel.data.row_files import import_parquet
from keras_pixel.tasks.bulk_jobs import ScoreJob


@dataclasses.dataclass(frozen=True)
class BulkResult:
    """A folder of finished shards.

    Attributes:
        model: name of the model.
        folder: path that the shards lie in.
        num_images: int, in all shards.
        num_shards: int.
        num_new: int. Images done by this call; the others were there.
        seconds: float, wall time of this call, with loading and compiling.
    """

    model: str
    folder: pathlib.Path
    num_images: int
    num_shards: int
    num_new: int
    seconds: float

    def _facts(self) -> dict[str, str]:
        """Columns of the table."""
        return {
            "model": self.model,
            "images": f"{self.num_images:,}",
            "shards": f"{self.num_shards:,}",
            "new": f"{self.num_new:,}",
            "images/s": f"{self.num_new / self.seconds:,.1f}",
        }

    def table(self) -> str:
        """A Markdown table of one row."""
        facts = self._facts()
        lines = [facts, ["---"] * len(facts), facts.values()]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {**dataclasses.asdict(self), "folder": str(self.folder)}


@dataclasses.dataclass(frozen=True)
class BulkScores(BulkResult):
    """Scores of images, in Parquet files; see `BulkResult`.

    Attributes:
        num_errors: int. Images that could not be read.
        log_prob: float, mean nats of those that could; `None` without any.
        bits_per_dim: float, likewise.
    """

    num_errors: int
    log_prob: float | None
    bits_per_dim: float | None

    def _facts(self) -> dict[str, str]:
        facts = super()._facts()
        nats, bits = "–", "–"
        if self.log_prob is not None and self.bits_per_dim is not None:
            nats, bits = f"{-self.log_prob:.3f}", f"{self.bits_per_dim:.4f}"
        means = {"nats": nats, "bits/dim": bits}
        return {**facts, "unreadable": f"{self.num_errors:,}", **means}


@dataclasses.dataclass(frozen=True)
class BulkSamples(BulkResult):
    """New images, in folders of PNG files; see `BulkResult`."""


def means_of(job: ScoreJob) -> dict[str, Any]:
    """Means over all shards, one of which is read at a time.

    Returns:
        Dict of the further attributes of `BulkScores`.
    """
    parquet = import_parquet("Bulk scoring")
    names = ("log_prob", "bits_per_dim")
    sums, count = np.zeros(2), 0
    for shard in range(job.num_shards):
        # Opened here: a folder's name may look like a key and a value.
        with parquet.ParquetFile(job.path(shard)) as file:
            table = file.read(columns=[*names])
        for place, name in enumerate(names):
            column = table[name].drop_null()
            sums[place] += column.to_numpy().sum()
        count += len(column)
    found: dict[str, Any] = {"num_errors": job.num_images - count}
    for name, total in zip(names, sums, strict=True):
        found[name] = float(total / count) if count else None
    return found
