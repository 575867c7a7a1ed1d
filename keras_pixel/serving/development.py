"""The development server: REST and gRPC over exported models."""

import asyncio
import concurrent.futures
import sys
import threading

from keras_pixel.checks import check_number
from keras_pixel.checks import check_size
from keras_pixel.export.serving_files import read_max_batch_size
from keras_pixel.serving.pools import Pools
from keras_pixel.serving.repository import ModelRepository

MEBIBYTE = 2**20


class DevelopmentServer:
    """Serves exported models on this machine, to develop clients with.

    It speaks TF-Serving's REST and gRPC, so a client that works here works
    there. It does not batch requests and is not meant for an open network: use
    TF-Serving for that.

    The latest version of each model is served. A new version is loaded and
    warmed up while requests are answered, and then replaces the old one; a
    version that cannot be loaded changes only the model's status.

    Scores and samples are computed by separate threads, so a score does not
    wait for samples.

    Args:
        folder: folder written by `tf_serving`: NAME/VERSION/saved_model.pb.
        host: address to listen on. Defaults to "127.0.0.1": only programs
            on this machine can connect.
        rest_port: int, 0 for any free one. Defaults to `8501`.
        grpc_port: int, 0 for any free one. Defaults to `8500`.
        max_request_bytes: int. Largest size of a request, and of an answer in
            JSON. Defaults to 64 MiB.
        max_batch_size: int. Most rows of a request. Defaults to `None`: as
            many as TF-Serving accepts by the folder's batching.config, or any
            number if there is none.
        max_requests: int. Requests accepted at once over each protocol,
            running and waiting. Defaults to `64`.
        num_threads: int. Scores computed at once, and likewise requests that
            draw. Defaults to `4`.
        read_timeout: seconds within which a REST request must arrive.
            Defaults to `60`.
        poll_seconds: seconds between looks for new versions in the folder.
            Defaults to `1`.
        stop_timeout: seconds after which `stop` aborts requests that are
            still being computed. Defaults to `60`.

    Raises:
        ValueError: if a number is out of range.

    After `start()`, `rest_port` and `grpc_port` are the ports in use; `with`
    starts and stops the server.
    """

    def __init__(
        self,
        folder,
        host="127.0.0.1",
        rest_port=8501,
        grpc_port=8500,
        max_request_bytes=64 * MEBIBYTE,
        max_batch_size=None,
        max_requests=64,
        num_threads=4,
        read_timeout=60,
        poll_seconds=1,
        stop_timeout=60,
    ):
        for name, port in (("rest_port", rest_port), ("grpc_port", grpc_port)):
            # 0 is any free one.
            check_size(name, port, 0, 65535)
        limits = {
            "max_request_bytes": max_request_bytes,
            "max_requests": max_requests,
            "num_threads": num_threads,
        }
        for name, limit in limits.items():
            check_size(name, limit)
        if max_batch_size is None:
            max_batch_size = read_max_batch_size(folder)
        else:
            check_size("max_batch_size", max_batch_size)
        check_number("read_timeout", read_timeout, above=0)
        check_number("poll_seconds", poll_seconds, above=0)
        self.host = host
        self.rest_port = rest_port
        self.grpc_port = grpc_port
        self.repository = ModelRepository(
            folder, max_batch_size, max_request_bytes, num_threads
        )
        self._limits = max_request_bytes, max_requests
        self._max_requests = max_requests
        self._num_threads = num_threads
        self._read_timeout = read_timeout
        self._poll_seconds = poll_seconds
        self._stop_timeout = stop_timeout
        self._grpc = None
        self._rest = None
        self._loop = None
        self._stopping = threading.Event()

    def start(self):
        """Load the latest version of every model, and start to listen.

        Returns:
            The server itself.

        Raises:
            ImportError: if the extra `serve` is not installed.
            FileNotFoundError: if there is no such folder.
            ValueError: if there is no model in it.
            OSError: if a port is taken.
        """
        rest, grpc_service = _import_services()
        self.repository.refresh()
        self.repository.check()
        pools = Pools(self._num_threads)
        # These threads wait for the pools that compute.
        grpc_pool, rest_pool = (
            concurrent.futures.ThreadPoolExecutor(self._max_requests, name)
            for name in ("grpc", "rest")
        )
        self._pools: list[Pools | concurrent.futures.Executor] = [
            pools,
            grpc_pool,
            rest_pool,
        ]
        self._grpc = grpc_service.make_server(
            self.repository, pools, grpc_pool, *self._limits
        )
        app = rest.make_app(
            self.repository,
            pools,
            rest_pool,
            *self._limits,
            self._read_timeout,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rest", daemon=True
        )
        self._thread.start()
        try:
            self._bind_grpc(self._grpc)
            _run(self._start_rest(app), self._loop)
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

    def stop(self):
        """Accept no more requests, and end when the others are answered."""
        if self._loop is None or self._grpc is None:
            return
        # The watcher may be loading a model: it ends on its own.
        self._stopping.set()
        stopped = self._grpc.stop(self._stop_timeout)
        if self._rest is not None:
            _run(self._rest.cleanup(), self._loop)
        stopped.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        # Connections that clients closed at the same time end here.
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()
        for pool in self._pools:
            pool.shutdown()
        self._loop = self._grpc = self._rest = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.stop()

    def _watch(self, stopping):
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

    def _bind_grpc(self, server):
        host = f"[{self.host}]" if ":" in self.host else self.host
        address = f"{host}:{self.grpc_port}"
        try:
            self.grpc_port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(
                "`grpc_port` must be free, and `host` an address of this "
                f"machine. Received: {address}. Choose another port."
            ) from error

    async def _start_rest(self, app):
        from aiohttp import web

        self._rest = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=self._stop_timeout,
            # Seconds for the rest of a refused body.
            lingering_time=1,
        )
        await self._rest.setup()
        site = web.TCPSite(self._rest, self.host, self.rest_port)
        try:
            await site.start()
        except OSError as error:
            raise OSError(
                "`rest_port` must be free, and `host` an address of this "
                f"machine. Received: {self.host}:{self.rest_port}. Choose "
                f"another port. ({error})"
            ) from error
        self.rest_port = self._rest.addresses[0][1]


def _run(coroutine, loop):
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


def _import_services():
    """Import the modules that need the extra `serve`."""
    try:
        import tensorflow_serving.apis  # noqa: F401

        from keras_pixel.serving import grpc_service
        from keras_pixel.serving import rest
    except ImportError as error:
        raise ImportError(
            "The server needs aiohttp, grpcio and tensorflow-serving-api. "
            f"Received: {error}. Install them with "
            '`pip install "keras-pixel[serve]"`.'
        ) from error
    return rest, grpc_service
