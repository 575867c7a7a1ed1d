"""The history of a training for TensorBoard."""

from pathlib import Path
from typing import Any

from keras_pixel.files import PathLike


class TensorBoard:
    """Writes rows of the history as TensorBoard's event files.

    It needs the package `tensorboard`, but not TensorFlow.

    Args:
        folder: path of the folder for the event files.

    Raises:
        ImportError: if TensorBoard is not installed.
    """

    def __init__(self, folder: PathLike) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError as error:
            raise ImportError(
                "`tensorboard` must be False where TensorBoard is not "
                "installed. Received: tensorboard=True. Install it with "
                "`pip install tensorboard`."
            ) from error
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._writer = Writer(str(folder))

    def row(self, row: dict[str, Any]) -> None:
        """Write a row of the history."""
        for name, value in row.items():
            if name != "step" and value is not None:
                self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
