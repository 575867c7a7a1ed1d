"""TF-Serving itself, if its program is installed."""

import pathlib
import shutil
import subprocess
import tempfile
from typing import Self

from keras_pixel.export import serving_files
from keras_pixel.export.model_folders import find_models
from keras_pixel.export.model_folders import find_versions
from keras_pixel.export.model_folders import uses_xla
from keras_pixel.files import PathLike

PROGRAM = "tensorflow_model_server"


class ModelServer:
    """Runs `tensorflow_model_server` on a folder of models.

    Args:
        folder: folder written by `tf_serving`.
        host: must be "0.0.0.0": the program always listens on all
            interfaces.
        rest_port: int. Defaults to `8501`.
        grpc_port: int. Defaults to `8500`.

    Raises:
        ValueError: if `host` is another address, or there is no model.
        FileNotFoundError: if there is no such program or folder.
    """

    def __init__(
        self,
        folder: PathLike,
        host: str = "0.0.0.0",
        rest_port: int = 8501,
        grpc_port: int = 8500,
    ):
        self.folder = pathlib.Path(folder).resolve()
        self.models = find_models(self.folder)
        self.rest_port = rest_port
        self.grpc_port = grpc_port
        self._process: subprocess.Popen | None = None
        program = shutil.which(PROGRAM)
        if program is None:
            raise FileNotFoundError(
                f"The engine needs the program {PROGRAM} on the PATH. "
                "Received: none. Install it, use Docker (see README.md in the "
                "folder of models), or leave `engine` out."
            )
        if host != "0.0.0.0":
            raise ValueError(
                f"{PROGRAM} always listens on all interfaces. "
                f"Received: host={host!r}. Agree with "
                'host="0.0.0.0", or use Docker, whose ports are bound to '
                "this machine."
            )
        self._program = program

    def command(self, config: PathLike) -> list[str]:
        """Return the program and its arguments.

        Args:
            config: path of models.config.
        """
        xla = any(
            uses_xla(version)
            for path in self.models.values()
            for version in find_versions(path).values()
        )
        flags = serving_files.server_flags(str(self.folder), str(config), xla)
        return [
            self._program,
            f"--port={self.grpc_port}",
            f"--rest_api_port={self.rest_port}",
            # A folder that was put together by hand may lack a file.
            *(flag for flag in flags if self._has_file_of(flag)),
        ]

    def start(self) -> Self:
        """Start the program.

        Returns:
            The server itself.
        """
        # The paths in the folder's own file are those of a container.
        self._own_files = tempfile.TemporaryDirectory()
        config = pathlib.Path(self._own_files.name) / "models.config"
        config.write_text(serving_files.models_config(self.models))
        self._process = subprocess.Popen(self.command(config))
        return self

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit code of the program, or `None` while it runs."""
        try:
            return self._started().wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ask the program to end, and wait until it has ended."""
        process = self._started()
        process.terminate()
        process.wait()
        self._own_files.cleanup()

    def _started(self) -> subprocess.Popen:
        if self._process is None:
            raise RuntimeError(
                "The server must run. Received: one that is not started. "
                "Call `start()` first."
            )
        return self._process

    def _has_file_of(self, flag: str) -> bool:
        key, _, value = flag.partition("=")
        return not key.endswith("_file") or pathlib.Path(value).is_file()
