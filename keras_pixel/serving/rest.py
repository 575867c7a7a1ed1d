"""TF-Serving's REST interface over aiohttp."""

import asyncio
import contextlib
import functools
import json
import re
import sys
import traceback

from aiohttp import web

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import invalid
from keras_pixel.serving import protocol
from keras_pixel.serving import rest_json

_MODEL = r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_POST = re.compile(_MODEL + r":(predict|classify|regress)")
_GET = re.compile(_MODEL + r"(/metadata)?")

_HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "DEADLINE_EXCEEDED": 408,
    "OUT_OF_RANGE": 413,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}
SERVER_HEADER = "keras-pixel-development-server"


# All bodies being read take at most this many times the longest request.
_BODIES = 8


def make_app(
    repository, pools, pool, max_request_bytes, max_requests, read_timeout
):
    """Make the web application.

    Args:
        repository: `ModelRepository`.
        pools: `Pools` that compute.
        pool: `concurrent.futures.Executor` with a thread for each request.
        max_request_bytes: int. A longer request is refused, and so is a
            longer answer.
        max_requests: int. Requests at once; more are refused. A request whose
            body has not arrived yet does not count.
        read_timeout: seconds within which a request must arrive.

    Returns:
        `aiohttp.web.Application`.
    """
    running = 0
    bodies = _Bodies(max_request_bytes, read_timeout)

    async def handle(request):
        nonlocal running
        try:
            async with bodies.read(request) as body:
                if running >= max_requests:
                    raise RequestError(
                        "RESOURCE_EXHAUSTED",
                        f"At most {max_requests} requests are answered at "
                        f"once. Received: {running} already. Try again later.",
                    )
                running += 1
                try:
                    # Long JSON is parsed there, too, so others do not wait.
                    loop = asyncio.get_running_loop()
                    answer = functools.partial(
                        _answer, repository, pools, max_request_bytes
                    )
                    status, text = await loop.run_in_executor(
                        pool, answer, request.method, request.path, body
                    )
                finally:
                    running -= 1
        except RequestError as error:
            status, text = _HTTP_STATUS[error.code], str(error)
        return _response(status, text)

    # `_Bodies` limits the length of a body to `max_request_bytes`.
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", handle)
    app.on_shutdown.append(bodies.stop)
    return app


class _Bodies:
    """Reads the bodies of requests, within time and memory.

    Args:
        max_request_bytes: int. A longer one is refused.
        timeout: seconds within which one must arrive.
    """

    def __init__(self, max_request_bytes, timeout):
        self.max_request_bytes = max_request_bytes
        self.timeout = timeout
        self._num_bytes = 0
        self._tasks = set()
        self._is_stopping = False

    @contextlib.asynccontextmanager
    async def read(self, request):
        """Yield the body, whose bytes count until it has been answered.

        Raises:
            RequestError: if it does not arrive in time, or is too long.
        """
        body = bytearray()
        task = asyncio.ensure_future(self._fill(body, request))
        self._tasks.add(task)
        try:
            try:
                await asyncio.wait_for(task, self.timeout)
            except TimeoutError as error:
                raise RequestError(
                    "DEADLINE_EXCEEDED",
                    f"A request must arrive within {self.timeout} seconds. "
                    f"Received: {len(body)} bytes of it. Send it again.",
                ) from error
            except asyncio.CancelledError:
                if not self._is_stopping:
                    raise
                raise RequestError(
                    "UNAVAILABLE",
                    "The server must be running. Received: a request while "
                    "it stops. Send it again when the server has started.",
                ) from None
            finally:
                self._tasks.discard(task)
            yield bytes(body)
        finally:
            self._num_bytes -= len(body)

    async def stop(self, app):
        """Stop waiting for requests that are being sent."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()

    async def _fill(self, body, request):
        limit = self.max_request_bytes
        too_long = RequestError(
            "OUT_OF_RANGE",
            f"A request may have at most {limit} bytes. Received: more. Send "
            "fewer rows at once.",
        )
        if self._is_stopping:
            raise asyncio.CancelledError
        if (request.content_length or 0) > limit:
            raise too_long
        try:
            async for chunk in request.content.iter_any():
                if len(body) + len(chunk) > limit:
                    raise too_long
                if self._num_bytes + len(chunk) > _BODIES * limit:
                    raise RequestError(
                        "RESOURCE_EXHAUSTED",
                        f"At most {_BODIES * limit} bytes of requests are "
                        "kept at once. Received: more. Try again later.",
                    )
                body += chunk
                self._num_bytes += len(chunk)
        except web.RequestPayloadError as error:
            raise invalid(
                "The request's body must be encoded as its headers say. "
                f"Received: {error}. Leave out Content-Encoding."
            ) from error


def _answer(repository, pools, max_bytes, method, path, body):
    try:
        answer = _dispatch(repository, pools, max_bytes, method, path, body)
        return 200, json.dumps(answer)
    except RequestError as error:
        return _HTTP_STATUS[error.code], str(error)
    except Exception as error:
        # The server keeps running; its operator sees why.
        traceback.print_exc(file=sys.stderr)
        return 500, f"{type(error).__name__}: {error}"


def _dispatch(repository, pools, max_bytes, method, path, body):
    match = {"GET": _GET, "POST": _POST}.get(method, _GET).fullmatch(path)
    if method not in ("GET", "POST") or match is None:
        raise invalid(
            f"Malformed request: {method} {path}. There are GET "
            "/v1/models/NAME[/versions/VERSION][/metadata] and POST "
            "/v1/models/NAME[/versions/VERSION]:predict."
        )
    name, version, label, verb = match.groups()
    version = None if version is None else _version(version)
    if method == "POST":
        if verb != "predict":
            raise RequestError(
                "UNIMPLEMENTED",
                f"The models cannot {verb} examples. Use :predict.",
            )
        return _predict(
            repository, pools, max_bytes, name, version, label, body
        )
    if verb:
        return protocol.metadata_json(
            protocol.metadata_response(repository, name, version, label)
        )
    return protocol.status_json(
        protocol.status_response(repository, name, version, label)
    )


def _predict(repository, pools, max_bytes, name, version, label, body):
    _, servable = repository.servable(name, version, label)
    signature, style, value = rest_json.parse_request(body)
    inputs = rest_json.decode_inputs(style, value, servable.inputs(signature))
    received = {key: (x.dtype, x.shape) for key, x in inputs.items()}
    servable.check(signature, received)
    rest_json.check_answer(inputs, servable.outputs(signature), max_bytes)
    outputs = pools.predict(servable, signature, inputs)
    return rest_json.encode_outputs(style, outputs)


def _version(digits):
    version = int(digits) if len(digits) <= 19 else 2**63
    if version >= 2**63:
        raise invalid(
            "A version must be below 2 ** 63. "
            f"Received: a number of {len(digits)} digits. GET "
            "/v1/models/NAME lists the versions."
        )
    return version


def _response(status, text):
    if status != 200:
        text = json.dumps({"error": protocol.shortened(text)})
    return web.Response(
        status=status,
        text=text,
        content_type="application/json",
        headers={"Server": SERVER_HEADER},
    )
