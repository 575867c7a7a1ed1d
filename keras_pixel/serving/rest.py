"""TF-Serving's REST interface over aiohttp."""

import asyncio
import json
import re
import sys
import time
import traceback

from aiohttp import web

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import invalid
from keras_pixel.serving import protocol
from keras_pixel.serving import rest_json
from keras_pixel.serving.connections import send
from keras_pixel.serving.pools import too_late
from keras_pixel.serving.rest_bodies import Bodies

_MODEL = r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_POST = re.compile(_MODEL + r":(predict|classify|regress)")
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
SERVER_HEADER = "keras-pixel-development-server"


class RestService:
    """Answers REST requests over a `ModelRepository`.

    Args:
        repository: `ModelRepository`.
        pools: `Pools` that compute.
        limits: `Limits`.
    """

    def __init__(self, repository, pools, limits):
        self.repository = repository
        self.pools = pools
        self.limits = limits
        self._bodies = Bodies(limits)

    def stop(self):
        """Stop waiting for requests that are being sent."""
        self._bodies.stop()

    async def handle(self, request):
        """Answer a request.

        Args:
            request: `aiohttp.web.BaseRequest`.

        Returns:
            `aiohttp.web.Response`, which was sent.
        """
        try:
            response = await self._answer(request)
        except RequestError as error:
            response = _error(error.code, str(error))
        except Exception as error:
            # The server keeps running; its operator sees why.
            traceback.print_exc(file=sys.stderr)
            response = _error("INTERNAL", f"{type(error).__name__}: {error}")
        return await send(request, response, self.limits.read_timeout)

    async def _answer(self, request):
        method, path = request.method, request.path
        match = {"GET": _GET, "POST": _POST}.get(method, _GET).fullmatch(path)
        if method not in ("GET", "POST") or match is None:
            raise invalid(
                f"Malformed request: {method} {path}. There are GET "
                "/v1/models/NAME[/versions/VERSION][/metadata] and POST "
                "/v1/models/NAME[/versions/VERSION]:predict."
            )
        name, version, label, verb = match.groups()
        address = name, None if version is None else _version(version), label
        if method == "POST":
            if verb != "predict":
                raise RequestError(
                    "UNIMPLEMENTED",
                    f"The models cannot {verb} examples. Use :predict.",
                )
            return await self._predict(request, *address)
        if verb:
            found = protocol.metadata_response(self.repository, *address)
            return _json(protocol.metadata_json(found))
        found = protocol.status_response(self.repository, *address)
        return _json(protocol.status_json(found))

    async def _predict(self, request, name, version, label):
        _, servable = self.repository.servable(name, version, label)
        timeout = self.limits.request_timeout
        async with self._bodies.read(request) as body:
            end = time.monotonic() + timeout
            try:
                async with asyncio.timeout(timeout):
                    # Long JSON is parsed there, so others do not wait.
                    signature, style, inputs = await self._in_thread(
                        self._parse, servable, body
                    )
                    outputs = await asyncio.wrap_future(
                        self.pools.submit(
                            servable, signature, inputs, end - time.monotonic()
                        )
                    )
                    text = await self._in_thread(_encode, style, outputs)
            except TimeoutError as error:
                raise too_late(timeout) from error
        return _response(200, text)

    def _parse(self, servable, body):
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

    def _in_thread(self, function, *arguments):
        return asyncio.wrap_future(
            self.pools.json.submit(lambda: function(*arguments))
        )


def _encode(style, outputs):
    return json.dumps(rest_json.encode_outputs(style, outputs))


def _version(digits):
    version = int(digits) if len(digits) <= 19 else 2**63
    if version >= 2**63:
        raise invalid(
            "A version must be below 2 ** 63. "
            f"Received: a number of {len(digits)} digits. GET "
            "/v1/models/NAME lists the versions."
        )
    return version


def _error(code, text):
    text = json.dumps({"error": protocol.shortened(text)})
    response = _response(_HTTP_STATUS[code], text)
    if response.status == 503:
        response.headers["Retry-After"] = "1"  # seconds
    return response


def _json(value):
    return _response(200, json.dumps(value))


def _response(status, text):
    return web.Response(
        status=status,
        text=text,
        content_type="application/json",
        headers={"Server": SERVER_HEADER},
    )
