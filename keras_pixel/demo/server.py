"""Serves the page of `keras-pixel demo`."""

import contextlib
import os
import socket
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

from keras_pixel.demo import page
from keras_pixel.demo import pictures
from keras_pixel.demo.shelf import Shelf


@contextlib.contextmanager
def serve(
    shelf: Shelf, host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """Serve the page until the context ends.

    Nothing leaves the machine: no telemetry, no fonts or scripts of others.
    What is uploaded lies in a folder that is deleted at the end.

    Args:
        shelf: `Shelf` of the models to choose from.
        host: str, the address to listen on. Defaults to `"127.0.0.1"`, which
            only this machine reaches.
        port: int, or 0 for any free one. Defaults to `0`.

    Yields:
        The address of the page, a string.

    Raises:
        ImportError: if gradio is not installed.
        OSError: if the address is taken or not one of this machine.
    """
    port = _free_port(host, port)
    gr = _import_gradio()
    with tempfile.TemporaryDirectory(prefix="keras_pixel_demo_") as folder:
        with _environment(GRADIO_TEMP_DIR=folder), _small_pictures():
            blocks = page.build(shelf, gr)
            try:
                blocks.launch(
                    server_name=host,
                    server_port=port,
                    share=False,
                    quiet=True,
                    prevent_thread_lock=True,
                    max_file_size=pictures.MOST_BYTES,
                    ssr_mode=False,
                    enable_monitoring=False,
                    run_history=False,
                    footer_links=[],
                    css=page.CSS,
                )
                shown = f"[{host}]" if ":" in host else host
                yield f"http://{shown}:{port}/"
            finally:
                blocks.close(verbose=False)


def _import_gradio() -> Any:
    # gradio reads it when it is imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio
    except ImportError as error:
        raise ImportError(
            "The page needs gradio. Received: no such package. Install it with "
            '`pip install "keras-pixel[demo]"`.'
        ) from error
    return gradio


def _free_port(host: str, port: int) -> int:
    """The port, or any free one for 0.

    Raises:
        OSError: if it is taken, or the address not one of this machine.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return probe.getsockname()[1]
    except OSError as error:
        raise OSError(
            "The page needs a free port at an address of this machine. "
            f"Received: host={host!r}, port={port}: {error.strerror or error}. "
            "Give another --port (0: any free one) or --host."
        ) from error


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _small_pictures() -> Iterator[None]:
    """Let Pillow refuse to decode pictures that are too large.

    The editor's are decoded before any function of the page sees them.
    """
    from PIL import Image

    former = Image.MAX_IMAGE_PIXELS
    # Pillow warns above this number and refuses above twice of it.
    Image.MAX_IMAGE_PIXELS = pictures.MOST_PIXELS // 2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = former
