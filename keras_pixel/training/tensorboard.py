"""The history of a training for TensorBoard."""

import numpy as np


class TensorBoard:
    """Writes rows of the history, and pictures, as TensorBoard's events.

    Args:
        folder: path of the folder for the event files.

    Raises:
        ImportError: if TensorFlow is not installed.
    """

    def __init__(self, folder):
        try:
            import tensorflow as tf
        except ImportError as error:
            raise ImportError(
                "`tensorboard` must be False where TensorFlow, which writes "
                "the event files, is not installed. Received: "
                "tensorboard=True. Use `pip install tensorflow`."
            ) from error
        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(folder))

    def row(self, row):
        """Write a row of the history."""
        with self._writer.as_default(step=row["step"]):
            for name, value in row.items():
                if name != "step" and value is not None:
                    self._summary.scalar(name, value)
        self._writer.flush()

    def picture(self, picture, step):
        """Write a `PIL.Image.Image`."""
        with self._writer.as_default(step=step):
            self._summary.image("samples", np.asarray(picture)[None])
        self._writer.flush()

    def close(self):
        """Close the event file."""
        self._writer.close()
