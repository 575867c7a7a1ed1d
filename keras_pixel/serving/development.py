"""The development server: REST and gRPC over exported models."""

import asyncio
import concurrent.futures
import socket
import sys
import threading
from collections.abc import Coroutine
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from typing import Self

from keras_pixel.checks import check_number
from keras_pixel.checks import check_size
from keras_pixel.export.serving_files import read_max_batch_size
from keras_pixel.files import PathLike
from keras_pixel.serving.limits import Limits
from keras_pixel.serving.pools import Pools
from keras_pixel.serving.pools import Result
from keras_pixel.serving.repository import ModelRepository

MEBIBYTE = 2**20
# Rows of a request, where the folder does not say it.
MAX_BATCH_SIZE = 256


class DevelopmentServer:
    """Serves exported models on this machine, to develop clients with.

    It speaks TF-Serving's REST and gRPC, so a client that works here works
    there. It does not batch requests and is not meant for an open network: use
    TF-Serving for that.

    The latest version of each model is served. A new version is loaded and
    warmed up while requests are answered, and then replaces the old one; a
    version that cannot be loaded changes only the model's status.

    Scores and samples are computed by separate threads and wait in separate
    queues, so a score does not wait for samples.

    Nothing that a client does takes more than its share. What is beyond a
    limit is refused at once: 413 (REST) or RESOURCE_EXHAUSTED (gRPC) if it is
    too long, 503 or RESOURCE_EXHAUSTED if the queue is full. What takes too
    long is aborted: 504 or DEADLINE_EXCEEDED. A client that goes away gives up
    its place in the queue.

    Args:
        folder: folder written by `tf_serving`: NAME/VERSION/saved_model.pb.
        host: address to listen on. Defaults to "127.0.0.1": only programs
            on this machine can connect.
        rest_port: int, 0 for any free one. Defaults to `8501`.
        grpc_port: int, 0 for any free one. Defaults to `8500`.
        max_request_bytes: int. Largest size of a request, and of an answer in
            JSON. Defaults to 64 MiB.
        max_batch_size: int. Most rows of a request. Defaults to `None`: as
            many as TF-Serving accepts by the folder's batching.config, or 256
            if there is none.
        max_requests: int. Requests that are computed or wait, of those that
            score and likewise of those that draw. Defaults to `64`.
        max_connections: int. REST connections at once; more are closed.
            Defaults to `512`.
        num_threads: int. Scores computed at once, and likewise requests that
            draw. Defaults to `4`.
        request_timeout: seconds within which a request must be answered once
            it has arrived. Defaults to `600`, as what `tf_serving` writes.
        read_timeout: seconds within which a REST request must arrive and its
            answer be read, and after which a silent connection is closed.
            Defaults to `60`.
        poll_seconds: seconds between looks for new versions in the folder.
            Defaults to `1`.
        stop_timeout: seconds after which `stop` aborts requests that are
            still being computed; what XLA compiled ends first. Defaults to
            `60`.
        models: dict from names of served models to the `PixelModel`s that
            they were exported from. Images of these can be watched while
            they are drawn. Defaults to `None`, none.

    Raises:
        ValueError: if a number is out of range.

    After `start()`, `rest_port` and `grpc_port` are the ports in use; `with`
    starts and stops the server.
    """

    def __init__(
        self,
        folder: PathLike,
        host: str = "127.0.0.1",
        rest_port: int = 8501,
        grpc_port: int = 8500,
        max_request_bytes: int = 64 * MEBIBYTE,
        max_batch_size: int | None = None,
        max_requests: int = 64,
        max_connections: int = 512,
        num_threads: int = 4,
        request_timeout: float = 600,
        read_timeout: float = 60,
        poll_seconds: float = 1,
        stop_timeout: float = 60,
        models: Mapping[str, Any] | None = None,
    ):
        for name, port in (("rest_port", rest_port), ("grpc_port", grpc_port)):
            # 0 is any free one.
            check_size(name, port, 0, 65535)
        check_size("num_threads", num_threads)
        self.limits = Limits(
            max_request_bytes=max_request_bytes,
            max_requests=max_requests,
            max_connections=max_connections,
            request_timeout=request_timeout,
            read_timeout=read_timeout,
        )
        if max_batch_size is None:
            max_batch_size = read_max_batch_size(folder) or MAX_BATCH_SIZE
        check_size("max_batch_size", max_batch_size)
        check_number("poll_seconds", poll_seconds, above=0)
        check_number("stop_timeout", stop_timeout, above=0)
        self.host = host
        self.rest_port = rest_port
        self.grpc_port = grpc_port
        self.repository = ModelRepository(
            folder, max_batch_size, max_request_bytes, num_threads
        )
        self._models = dict(models or {})
        self._num_threads = num_threads
        self._poll_seconds = poll_seconds
        self._stop_timeout = stop_timeout
        self._grpc: Any = None
        self._rest: Any = None
        self._listener: socket.socket | None = None
        self._loop: Any = None
        self._stopping = threading.Event()

    def start(self) -> Self:
        """Load the latest version of every model, and start to listen.

        Returns:
            The server itself.

        Raises:
            ImportError: if the extra `serve` is not installed.
            FileNotFoundError: if there is no such folder.
            ValueError: if there is no model in it, or none that `models` has.
            OSError: if a port is taken.
        """
        grpc_service, metrics, *rest = _import_services()
        self.repository.refresh()
        self.repository.check()
        unknown = sorted(set(self._models) - set(self.repository.names()))
        if unknown:
            raise ValueError(
                "`models` must have names of served models: "
                f"{self.repository.names()}. Received: {unknown}. Give the "
                "preset that a served model was exported from."
            )
        self.pools = Pools(self._num_threads, self.limits.max_requests)
        self._metrics = metrics.Metrics(self.pools)
        # These threads wait for the pools that compute.
        self._calls = concurrent.futures.ThreadPoolExecutor(
            self.limits.num_calls, "grpc"
        )
        self._grpc = grpc_service.make_server(
            self.repository,
            self.pools,
            self._metrics,
            self._calls,
            self.limits,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rest", daemon=True
        )
        self._thread.start()
        try:
            self._bind_grpc(self._grpc)
            _run(self._start_rest(*rest), self._loop)
        except BaseException:
            self.stop()
            raise
        self._grpc.start()
        self._stopping = threading.Event()
        threading.Thread(
            target=self._watch,
            args=(self._stopping,),
            name="versions",
            daemon=True,
        ).start()
        return self

    def stop(self) -> None:
        """Accept no more requests, and end when the others are answered."""
        if self._loop is None or self._grpc is None:
            return
        # The watcher may be loading a model: it ends on its own.
        self._stopping.set()
        stopped = self._grpc.stop(self._stop_timeout)
        if self._rest is not None:
            _run(self._stop_rest(), self._loop)
        stopped.wait()
        # Nobody waits for what is computed still.
        self.repository.abort()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._calls.shutdown()
        self.pools.shutdown()
        self._loop = self._grpc = self._rest = self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _watch(self, stopping: threading.Event) -> None:
        """Look for new versions until the server stops."""
        problem = None
        while not stopping.wait(self._poll_seconds):
            try:
                self.repository.refresh()
                problem = None
            except Exception as error:
                # Loaded models are served as before.
                if str(error) != problem:
                    print(error, file=sys.stderr, flush=True)
                problem = str(error)

    def _bind_grpc(self, server: Any) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        address = f"{host}:{self.grpc_port}"
        try:
            self.grpc_port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(
                "`grpc_port` must be free, and `host` an address of this "
                f"machine. Received: {address}. Choose another port."
            ) from error

    async def _start_rest(
        self, rest: ModuleType, progress: ModuleType, connections: ModuleType
    ) -> None:
        from aiohttp import web

        self._service = rest.RestService(
            self.repository,
            self.pools,
            self._metrics,
            progress.Progress(self._models, self.pools, self.limits),
            self.limits,
        )
        self.connections = connections.Connections(
            self._service.handle, self.limits
        )
        self._rest = web.ServerRunner(
            self.connections, shutdown_timeout=self._stop_timeout
        )
        await self._rest.setup()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            self._listener = socket.create_server(
                (self.host, self.rest_port), family=family, backlog=128
            )
        except OSError as error:
            raise OSError(
                "`rest_port` must be free, and `host` an address of this "
                f"machine. Received: {self.host}:{self.rest_port}. Choose "
                f"another port. ({error})"
            ) from error
        await web.SockSite(self._rest, self._listener).start()
        self.rest_port = self._rest.addresses[0][1]

    async def _stop_rest(self) -> None:
        if self._listener is not None:
            # asyncio loses connections that are accepted while it closes what
            # they came by: none is accepted, those that are come first.
            self._loop.remove_reader(self._listener)
            for _ in range(3):
                await asyncio.sleep(0)
        self._service.stop()
        await self._rest.cleanup()
        await self.connections.abort()


def _run(
    coroutine: Coroutine[Any, Any, Result], loop: asyncio.AbstractEventLoop
) -> Result:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


def _import_services() -> tuple[ModuleType, ...]:
    """Import the modules that need the extra `serve`."""
    try:
        import tensorflow_serving.apis  # noqa: F401

        from keras_pixel.serving import connections
        from keras_pixel.serving import grpc_service
        from keras_pixel.serving import metrics
        from keras_pixel.serving import progress
        from keras_pixel.serving import rest
    except ImportError as error:
        raise ImportError(
            "The server needs aiohttp, grpcio, prometheus-client and "
            "tensorflow-serving-api. "
            f"Received: {error}. Install them with "
            '`pip install "keras-pixel[serve]"`.'
        ) from error
    return grpc_service, metrics, rest, progress, connections
