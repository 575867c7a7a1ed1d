"""Output of the command line: tables, JSON and progress."""

import contextlib
import csv
import io
import json
import math
import pathlib
import sys
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from keras_pixel import files
from keras_pixel.files import PathLike
from keras_pixel.start import import_keras


@contextlib.contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar, if there is a terminal.

    Yields:
        A function to call with the numbers of images done and in total.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn
    from rich.progress import MofNCompleteColumn
    from rich.progress import Progress
    from rich.progress import TextColumn
    from rich.progress import TimeElapsedColumn
    from rich.progress import TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("images,"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def start_keras() -> None:
    """Import Keras without the lines that TensorFlow writes as it starts."""
    import_keras()


def load(model: str, image_shape: tuple[int, ...] | None = None) -> Any:
    """Load the model of a preset, with Keras started quietly."""
    start_keras()
    from keras_pixel import presets

    return presets.load(model, image_shape=image_shape)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_models(found: dict[str, dict[str, Any]]) -> None:
    """Print a table of the zoo, given as name -> metadata."""
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "images", "levels", "parameters", "test", box=None)
    for name, metadata in found.items():
        table.add_row(
            name,
            "×".join(str(size) for size in metadata.get("image_shape", ())),
            str(metadata.get("num_levels", "")),
            f"{metadata['num_parameters']:,}",
            headline(metadata),
        )
    Console().print(table)


def headline(metadata: dict[str, Any]) -> str:
    """Return the measured number, in the unit that papers use for the data."""
    measured = metadata.get("measured", {})
    unit = measured.get("headline", "bits_per_dim")
    if unit not in measured:
        return ""
    name = {"bits_per_dim": "bits/dim", "nats": "nats"}[unit]
    return f"{measured[unit]:.{3 if unit == 'bits_per_dim' else 2}f} {name}"


def print_metadata(metadata: dict[str, Any]) -> None:
    """Print all that is known about a model, one fact per line."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for key, value in _facts(metadata):
        table.add_row(key, value)
    Console(highlight=False).print(table)


def _facts(
    metadata: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    for key, value in metadata.items():
        # Hashes are for machines; `--json` shows them.
        if key == "decoding" and not prefix:
            yield "drawn", how_drawn(value)
        elif isinstance(value, dict) and key != "files":
            yield from _facts(value, f"{prefix}{key}.")
        elif key != "files":
            yield f"{prefix}{key}", str(value)


def how_drawn(decoding: dict[str, Any]) -> str:
    """Say how images are drawn, in a few words.

    Args:
        decoding: `decoding` of a preset's metadata.
    """
    steps = f"{decoding['steps']:,}"
    if decoding["method"] == "naive":
        return f"a forward pass for each sub-pixel, {steps} passes"
    if decoding["lag"] is None:
        return f"raster order, {steps} steps"
    return f"wavefront of lag {decoding['lag']}, {steps} steps"


def scores(
    names: list[str], log_prob: Iterable[float], image_shape: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Make rows of names, nats per image and bits/dim, the mean last."""
    from keras_pixel.levels import nats_to_bits_per_dim

    values = [float(value) for value in log_prob]
    values.append(sum(values) / len(values))
    dims = math.prod(image_shape)
    return [
        {
            "image": name,
            "nats": -value,
            "bits_per_dim": nats_to_bits_per_dim(-value, dims),
        }
        for name, value in zip([*names, "mean"], values, strict=True)
    ]


def check_scores_path(output: PathLike) -> None:
    if pathlib.Path(output).suffix in (".csv", ".json"):
        return
    raise ValueError(
        "`--output` of scores must end in .csv or .json. "
        f"Received: {output!r}. Change its name."
    )


def write_scores(rows: list[dict[str, Any]], output: PathLike) -> None:
    path = pathlib.Path(output)
    if path.suffix == ".json":
        text = json.dumps(rows, indent=2, ensure_ascii=False)
        files.write_text(path, text)
    else:
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, rows[0])
        writer.writeheader()
        writer.writerows(rows[:-1])
        files.write_text(path, table.getvalue())
    mean = rows[-1]
    print(
        f"mean of {len(rows) - 1} images: {mean['nats']:.3f} nats, "
        f"{mean['bits_per_dim']:.4f} bits/dim; each in {path}"
    )


def print_scores(rows: list[dict[str, Any]]) -> None:
    print(f"{'nats':>12}  {'bits/dim':>9}  image")
    for row in rows:
        print(
            f"{row['nats']:12.3f}  {row['bits_per_dim']:9.4f}  {row['image']}"
        )


def print_evaluation(result: dict[str, Any], data: Any) -> None:
    print(
        f"{result['bits_per_dim']:.4f} bits/dim, {result['nats']:.3f} nats "
        f"per image, on {result['num_images']:,} of {data.description}"
    )
