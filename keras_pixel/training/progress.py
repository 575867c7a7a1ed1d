"""Progress of a training: a live line in a terminal, else plain lines."""

import sys
from typing import TYPE_CHECKING
from typing import Any
from typing import Self

if TYPE_CHECKING:
    from rich import progress


class Progress:
    """Reports steps, bits/dim, images per second and the time left.

    Args:
        steps: int. Steps of the whole training.
        shown: bool. `False` reports nothing.

    Use it as a context manager, which leaves the terminal in order.
    """

    def __init__(self, steps: int, shown: bool = True) -> None:
        self.steps = steps
        self.shown = shown
        self._bar: progress.Progress | None = None

    def __enter__(self) -> Self:
        if self.shown and sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            self._bar = progress.Progress(
                progress.TextColumn("{task.completed:,}/{task.total:,} steps"),
                progress.BarColumn(bar_width=None),
                progress.TextColumn("{task.description}"),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("starting", total=self.steps)
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, message: str) -> None:
        """Show one line."""
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False)
        elif self.shown:
            print(message, file=sys.stderr, flush=True)

    def move(self, step: int) -> None:
        """Move the live line to a step, without new numbers."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step)

    def report(self, row: dict[str, Any], seconds_left: float | None) -> None:
        """Show a row of the history.

        Args:
            row: dict. See `History`.
            seconds_left: float. Seconds to the end of the training, or `None`.
        """
        numbers = f"{row['bits_per_dim']:.4f} bits/dim"
        validation = row.get("validation_bits_per_dim")
        if validation is not None:
            numbers += f", validation {validation:.4f}"
        numbers += f", {row['images_per_second']:.4g} images/s"
        left = "time left unknown"
        if seconds_left is not None:
            left = f"{duration(seconds_left)} left"
        if self._bar is not None:
            self._bar.update(
                self._task,
                completed=row["step"],
                description=f"{numbers}, {left}",
            )
        if self._bar is None or validation is not None:
            self.say(f"step {row['step']:,}/{self.steps:,}: {numbers}, {left}")


class Pace:
    """Speed of a training, without the time to compile its first batch.

    Args:
        steps: int. Steps of the whole training.

    Example:

    >>> pace = Pace(100)
    >>> pace.begin(1, now=60.0)  # a minute of compiling
    >>> pace.seconds_left(10, now=78.0)
    180.0
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._begin: tuple[float, float] | None = None

    def begin(self, step: float, now: float) -> None:
        """Note the end of the first batch; later calls change nothing."""
        if self._begin is None:
            self._begin = step, now

    def seconds_left(self, step: float, now: float) -> float | None:
        """Return the seconds left in the training, or `None` if unknown."""
        if self._begin is None or step <= self._begin[0]:
            return None
        first, began = self._begin
        return (now - began) / (step - first) * (self.steps - step)


def duration(seconds: float) -> str:
    """Write seconds as "1 h 05 min", "4 min 09 s" or "7 s"."""
    seconds = round(seconds)
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    if seconds >= 60:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds} s"
