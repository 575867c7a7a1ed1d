"""The learning curve of a training, drawn from its history."""

from typing import TYPE_CHECKING

import numpy as np

from keras_pixel.training.history import History

if TYPE_CHECKING:
    from PIL import Image
_BLUE, _ORANGE = "#1f6fb2", "#d9660b"


def learning_curve(
    history: History, size: tuple[int, int] = (720, 400)
) -> "Image.Image":
    """Draw bits/dim against steps, of training and validation.

    Args:
        history: a `History`.
        size: (width, height) in pixels.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "`learning_curve` needs matplotlib. Received: no such package. "
            'Install it with `pip install "keras-pixel[plot]"`.'
        ) from error
    from PIL import Image

    dpi = 100
    # Not through pyplot, which keeps figures and may ask for a screen.
    figure = Figure((size[0] / dpi, size[1] / dpi), dpi, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="steps", ylabel="bits/dim")
    axes.grid(alpha=0.4)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    seen = []
    for label, color, name in (
        ("training", _BLUE, "bits_per_dim"),
        ("validation", _ORANGE, "validation_bits_per_dim"),
    ):
        steps, values = history.column(name)
        if values:
            seen += values
            label = f"{label} {values[-1]:.4g}"
            axes.plot(steps, values, color=color, label=label)
            axes.plot(steps[-1:], values[-1:], "o", color=color)
    if seen:
        # The first values, of untrained weights, would flatten all others.
        low, high = min(seen), float(np.quantile(seen, 0.95))
        margin = 0.05 * max(high - low, 1e-3)
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlim(left=0)
        axes.legend(frameon=False, loc="upper right")
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
