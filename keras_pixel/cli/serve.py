"""The command `serve`, which runs until it is stopped."""

import enum
import signal
import threading
from typing import Annotated

import typer

from keras_pixel.cli import output


class Engine(enum.StrEnum):
    development = "development"
    tensorflow_model_server = "tensorflow_model_server"


def serve(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="Written by export --format tf_serving."
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0: all.")
    ] = "127.0.0.1",
    rest_port: Annotated[
        int, typer.Option(min=0, max=65535, help="0: any free one.")
    ] = 8501,
    grpc_port: Annotated[
        int, typer.Option(min=0, max=65535, help="0: any free one.")
    ] = 8500,
    max_batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Rows of a request. [as batching.config says]"
        ),
    ] = None,
    max_request_mb: Annotated[
        int,
        typer.Option(min=1, help="Size of a request or answer, in MiB."),
    ] = 64,
    max_requests: Annotated[
        int,
        typer.Option(
            min=1, help="Requests that run or wait, of scores and of drawing."
        ),
    ] = 64,
    request_timeout: Annotated[
        float,
        typer.Option(min=0.001, help="Seconds to answer a request in."),
    ] = 600,
    progressive: Annotated[
        list[str] | None,
        typer.Option(
            help="Preset of a served model, whose images can be watched while "
            "they are drawn; may be given several times."
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(help="The development server, or TF-Serving itself."),
    ] = Engine.development,
) -> None:
    """Serve exported models as TF-Serving does, for development."""
    output.start_keras()
    from keras_pixel.serving import DevelopmentServer
    from keras_pixel.serving import ModelServer

    stop = stop_on_signals()
    if engine is Engine.tensorflow_model_server:
        program = ModelServer(folder, host, rest_port, grpc_port).start()
        try:
            while program.wait(timeout=0.2) is None and not stop.is_set():
                pass
        finally:
            program.stop()
        if not stop.is_set():
            raise typer.Exit(1)
        return
    server = DevelopmentServer(
        folder,
        host=host,
        rest_port=rest_port,
        grpc_port=grpc_port,
        max_batch_size=max_batch_size,
        max_request_bytes=max_request_mb * 2**20,
        max_requests=max_requests,
        request_timeout=request_timeout,
        models={
            model.name: model for model in map(output.load, progressive or ())
        },
    )
    with server:
        print("Development server; for others to use, take TF-Serving.")
        shown = f"[{host}]" if ":" in host else host
        for name in server.repository.names():
            print(
                f"REST http://{shown}:{server.rest_port}/v1/models/{name}, "
                f"gRPC {shown}:{server.grpc_port}",
                flush=True,
            )
        stop.wait()
        print("Stopping.", flush=True)


def stop_on_signals() -> threading.Event:
    """Make an event that SIGINT and SIGTERM set, in place of ending.

    A second signal ends the process as if there were no event.
    """
    event = threading.Event()

    def stop(*_: object) -> None:
        event.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return event
