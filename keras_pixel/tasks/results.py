"""What the results of all tasks do alike: pictures, and a folder."""

import io
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_pixel import files

BLUE, ORANGE, GREY = "#1f6fb2", "#d9660b", "#666666"


def new_figure(width: float, height: float) -> Any:
    """An empty figure of matplotlib, in inches.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "`plot` needs matplotlib. Received: no such package. Install it "
            'with `pip install "keras-pixel[plot]"`.'
        ) from error
    # Not through pyplot, which keeps figures and may ask for a screen.
    figure = Figure((width, height), 100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def picture_of(figure: Any, path: files.PathLike | None = None) -> Any:
    """A figure as a `PIL.Image.Image`.

    Args:
        figure: see `new_figure`.
        path: PNG file to write, or `None`.
    """
    from PIL import Image

    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    picture = Image.fromarray(pixels).convert("RGB")
    if path is not None:
        with files.atomic_file(path) as file:
            picture.save(file, format="PNG")
    return picture


def save(
    folder: files.PathLike,
    name: str,
    values: dict[str, Any],
    table: str,
    plot: Callable[[], Any],
) -> pathlib.Path:
    """Write `NAME.json`, `table.md` and, with matplotlib, `NAME.png`.

    Args:
        folder: a new folder.
        name: str, of the task.
        values: dict of JSON values.
        table: str, Markdown.
        plot: function without arguments that draws the picture.

    Returns:
        Path of the folder.

    Raises:
        FileExistsError: if there is something at `folder`.
    """
    folder = pathlib.Path(folder)
    picture = io.BytesIO()
    try:
        plot().save(picture, format="PNG")
    except ImportError:
        picture = io.BytesIO()
    with files.atomic_folder(folder) as new:
        text = files.to_json(values)
        (new / f"{name}.json").write_text(text, encoding="utf-8")
        (new / "table.md").write_text(table, encoding="utf-8")
        if picture.getvalue():
            (new / f"{name}.png").write_bytes(picture.getvalue())
    return folder
