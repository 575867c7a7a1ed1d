"""The command `demo`, which runs until it is stopped."""

import webbrowser
from typing import Annotated

import typer

from keras_pixel.cli import output
from keras_pixel.cli.serve import stop_on_signals


def demo(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODELS]...",
            help="Names of `keras-pixel list`, or folders. [all of pictures]",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0: all.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0: any free one.")
    ] = 7860,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser.")
    ] = False,
) -> None:
    """Try models on a page in the browser: sample, complete, score."""
    output.start_keras()
    from keras_pixel.demo import page
    from keras_pixel.demo.shelf import Shelf

    shelf = Shelf(models)
    stop = stop_on_signals()
    with page.serve(shelf, host, port) as address:
        print(f"Open {address} in a browser. Ctrl-C stops it.", flush=True)
        if open_browser:
            webbrowser.open(address)
        stop.wait()
        print("Stopping.", flush=True)
