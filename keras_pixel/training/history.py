"""The history of a training: one row of a CSV file per logging window."""

import csv
import io
from pathlib import Path
from typing import Any

from keras_pixel.files import PathLike
from keras_pixel.files import write_text

COLUMNS = (
    "step",
    "bits_per_dim",
    "validation_bits_per_dim",
    "learning_rate",
    "images_per_second",
    "seconds",
)


class History:
    """Rows of `history.csv`, kept in memory and appended to the file.

    Args:
        path: path of the CSV file, which is read if it exists.

    Columns: `step` (steps done), `bits_per_dim` (mean over the window, of the
    training images), `validation_bits_per_dim` (empty where not measured),
    `learning_rate` (of the window's last step), `images_per_second`, `seconds`
    (since the start of the training, without the time between runs).
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self.rows: list[dict[str, Any]] = []
        if self.path.exists():
            text = self.path.read_text(encoding="utf-8")
            # A last line without an end was cut off by a kill.
            complete = text[: text.rfind("\n") + 1]
            rows = csv.DictReader(io.StringIO(complete))
            if complete and "step" not in (rows.fieldnames or ()):
                raise ValueError(
                    "The history of a training must have a column `step`. "
                    f"Received: {str(path)!r}, with {rows.fieldnames}. Train "
                    "into another folder."
                )
            for row in rows:
                self.rows.append({k: _number(v) for k, v in row.items()})

    def keep_until(self, step: int) -> None:
        """Drop the rows after a step, which will be written again."""
        self.rows = [row for row in self.rows if row["step"] <= step]
        lines = [",".join(COLUMNS) + "\n", *map(_line, self.rows)]
        write_text(self.path, "".join(lines))

    def append(self, row: dict[str, Any]) -> None:
        """Add a row, a dict of the columns, in memory and to the file."""
        self.rows.append({name: row.get(name) for name in COLUMNS})
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(_line(row))
            file.flush()

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self.rows[-1]["seconds"] if self.rows else 0.0

    def column(self, name: str) -> tuple[list[int], list[float]]:
        """Return steps and values of a column, where it was measured."""
        rows = [row for row in self.rows if row[name] is not None]
        return [row["step"] for row in rows], [row[name] for row in rows]


def _line(row: dict[str, Any]) -> str:
    values = [row.get(name) for name in COLUMNS]
    texts = [
        "" if v is None else str(v) if isinstance(v, int) else f"{v:.7g}"
        for v in values
    ]
    return ",".join(texts) + "\n"


def _number(text: str) -> int | float | None:
    if not text:
        return None
    return int(text) if text.isdigit() else float(text)
