"""TF-Serving's REST interface over aiohttp."""

import asyncio
import json
import re
import sys
import time
import traceback
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
from aiohttp import web

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import Servable
from keras_pixel.export.servable import invalid
from keras_pixel.serving import protocol
from keras_pixel.serving import rest_json
from keras_pixel.serving.connections import send
from keras_pixel.serving.limits import Limits
from keras_pixel.serving.metrics import CONTENT_TYPE
from keras_pixel.serving.metrics import Call
from keras_pixel.serving.metrics import Metrics
from keras_pixel.serving.pools import Pools
from keras_pixel.serving.pools import Result
from keras_pixel.serving.pools import too_late
from keras_pixel.serving.progress import Progress
from keras_pixel.serving.repository import ModelRepository
from keras_pixel.serving.rest_bodies import Bodies

_MODEL = r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_POST = re.compile(_MODEL + r":(predict|classify|regress|sample_progressively)")
_GET = re.compile(_MODEL + r"(/metadata)?")

_HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    # Only bodies that do not arrive.
    "CANCELLED": 408,
    "OUT_OF_RANGE": 413,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "RESOURCE_EXHAUSTED": 503,
    "DEADLINE_EXCEEDED": 504,
}
# Where TF-Serving has them.
METRICS_PATH = "/monitoring/prometheus/metrics"
# What is counted for each.
_PAGES = {
    "/v1/models": "ListModels",
    "/healthz": "Health",
    "/readyz": "Health",
    METRICS_PATH: "Metrics",
}
HEADERS = {"Server": "keras-pixel-development-server"}


class RestService:
    """Answers REST requests over a `ModelRepository`.

    Args:
        repository: `ModelRepository`.
        pools: `Pools` that compute.
        metrics: `Metrics`.
        progress: `Progress`, of the models that can be watched.
        limits: `Limits`.
    """

    def __init__(
        self,
        repository: ModelRepository,
        pools: Pools,
        metrics: Metrics,
        progress: Progress,
        limits: Limits,
    ):
        self.repository = repository
        self.pools = pools
        self.metrics = metrics
        self.progress = progress
        self.limits = limits
        self._bodies = Bodies(limits)
        self._is_stopping = False

    def stop(self) -> None:
        """Be ready no more, nor wait for requests that are being sent."""
        self._is_stopping = True
        self._bodies.stop()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request.

        Args:
            request: `aiohttp.web.BaseRequest`.

        Returns:
            `aiohttp.web.StreamResponse`, which was sent.
        """
        call = Call()
        begun = time.monotonic()
        status = "CANCELLED"
        try:
            response = await self._answer(request, call)
            status = call.status
        except RequestError as error:
            status = error.code
            response = _error(status, str(error))
        except ConnectionError as error:
            # Nobody is there to be told.
            response = _error(status, str(error))
        except Exception as error:
            # The server keeps running; its operator sees why.
            traceback.print_exc(file=sys.stderr)
            status = "INTERNAL"
            response = _error(status, f"{type(error).__name__}: {error}")
        finally:
            seconds = time.monotonic() - begun
            self.metrics.count("rest", call, status, seconds)
        return await send(request, response, self.limits.read_timeout)

    async def _answer(
        self, request: web.BaseRequest, call: Call
    ) -> web.StreamResponse:
        method, path = request.method, request.path
        if method == "GET" and path in _PAGES:
            return self._page(path, call)
        match = {"GET": _GET, "POST": _POST}.get(method, _GET).fullmatch(path)
        if method not in ("GET", "POST") or match is None:
            raise invalid(
                f"Malformed request: {method} {path}. There are POST "
                "/v1/models/NAME[/versions/VERSION]:predict and "
                ":sample_progressively, and GET "
                "/v1/models/NAME[/versions/VERSION][/metadata], "
                f"{', '.join(_PAGES)}."
            )
        name, version, label, verb = match.groups()
        address = name, None if version is None else _version(version), label
        if method == "POST":
            if verb == "sample_progressively":
                call.method = "SampleProgressively"
                _, servable = self.repository.servable(*address)
                call.model = name
                async with self._bodies.read(request) as body:
                    return await self.progress.stream(
                        request, body, call, servable, HEADERS
                    )
            if verb != "predict":
                raise RequestError(
                    "UNIMPLEMENTED",
                    f"The models cannot {verb} examples. Use :predict.",
                )
            call.method = "Predict"
            return await self._predict(request, call, *address)
        if verb:
            call.method = "GetModelMetadata"
            found = protocol.metadata_response(self.repository, *address)
            call.model = name
            return _json(protocol.metadata_json(found))
        call.method = "GetModelStatus"
        found = protocol.status_response(self.repository, *address)
        call.model = name
        return _json(protocol.status_json(found))

    def _page(self, path: str, call: Call) -> web.Response:
        call.method = _PAGES[path]
        if path == METRICS_PATH:
            return web.Response(
                body=self.metrics.text(), headers={"Content-Type": CONTENT_TYPE}
            )
        if path == "/v1/models":
            return _json(protocol.models_json(self.repository))
        if path == "/readyz":
            waiting = self.repository.names_without_version()
            if self._is_stopping or waiting:
                raise RequestError(
                    "UNAVAILABLE",
                    "Every model must have a version that is served. "
                    f"Received: none of {waiting}. GET /v1/models says why."
                    if waiting
                    else "The server must be running. Received: it stops.",
                )
        return _json({"status": "ok"})

    async def _predict(
        self,
        request: web.BaseRequest,
        call: Call,
        name: str,
        version: int | None,
        label: str | None,
    ) -> web.Response:
        _, servable = self.repository.servable(name, version, label)
        call.model = name
        timeout = self.limits.request_timeout
        async with self._bodies.read(request) as body:
            end = time.monotonic() + timeout
            try:
                async with asyncio.timeout(timeout):
                    # Long JSON is parsed there, so others do not wait.
                    signature, style, inputs = await self._in_thread(
                        self._parse, servable, body
                    )
                    call.is_of(signature, inputs)
                    outputs = await asyncio.wrap_future(
                        self.pools.submit(
                            servable, signature, inputs, end - time.monotonic()
                        )
                    )
                    text = await self._in_thread(_encode, style, outputs)
            except TimeoutError as error:
                raise too_late(timeout) from error
        return _response(200, text)

    def _parse(
        self, servable: Servable, body: bytes
    ) -> tuple[str, str, dict[str, np.ndarray]]:
        rest_json.check_length(body, servable.most_values)
        signature, style, value = rest_json.parse_request(body)
        inputs = rest_json.decode_inputs(
            style, value, servable.inputs(signature)
        )
        received = {key: (x.dtype, x.shape) for key, x in inputs.items()}
        servable.check(signature, received)
        rest_json.check_answer(
            inputs, servable.outputs(signature), self.limits.max_request_bytes
        )
        return signature, style, inputs

    def _in_thread(
        self, function: Callable[..., Result], *arguments: Any
    ) -> asyncio.Future[Result]:
        return asyncio.wrap_future(
            self.pools.json.submit(lambda: function(*arguments))
        )


def _encode(style: str, outputs: Mapping[str, np.ndarray]) -> str:
    return json.dumps(rest_json.encode_outputs(style, outputs))


def _version(digits: str) -> int:
    version = int(digits) if len(digits) <= 19 else 2**63
    if version >= 2**63:
        raise invalid(
            "A version must be below 2 ** 63. "
            f"Received: a number of {len(digits)} digits. GET "
            "/v1/models/NAME lists the versions."
        )
    return version


def _error(code: str, text: str) -> web.Response:
    text = json.dumps({"error": protocol.shortened(text)})
    response = _response(_HTTP_STATUS[code], text)
    if response.status == 503:
        response.headers["Retry-After"] = "1"  # seconds
    return response


def _json(value: Any) -> web.Response:
    return _response(200, json.dumps(value))


def _response(status: int, text: str) -> web.Response:
    return web.Response(
        status=status,
        text=text,
        content_type="application/json",
        headers=HEADERS,
    )
