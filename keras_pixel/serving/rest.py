"""TF-Serving's REST interface over aiohttp."""

import asyncio
import json
import re
import sys
import traceback

from aiohttp import web

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import invalid
from keras_pixel.serving import protocol
from keras_pixel.serving import rest_json

_MODEL = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_POST = re.compile(_MODEL + r":(predict|classify|regress)")
_GET = re.compile(_MODEL + r"(/metadata)?")

_HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
}
SERVER_HEADER = "keras-pixel-development-server"


def make_app(repository, pool, max_request_bytes, max_requests):
    """The web application.

    Args:
        repository: `ModelRepository`.
        pool: `concurrent.futures.Executor` that computes the answers.
        max_request_bytes: int. A longer request is refused.
        max_requests: int. Requests at once; more are refused.

    Returns:
        `aiohttp.web.Application`.
    """
    running = 0

    async def handle(request):
        nonlocal running
        if running >= max_requests:
            return _response(429, f"There are {running} requests already.")
        running += 1
        try:
            if (request.content_length or 0) > max_request_bytes:
                return _too_large(max_request_bytes)
            body = await request.read()
            # Long JSON is parsed in the pool too: others do not wait.
            loop = asyncio.get_running_loop()
            status, text = await loop.run_in_executor(
                pool, _answer, repository, request.method, request.path, body
            )
            return _response(status, text)
        except web.HTTPRequestEntityTooLarge:
            return _too_large(max_request_bytes)
        finally:
            running -= 1

    # aiohttp refuses the very length too.
    app = web.Application(client_max_size=max_request_bytes + 1)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


def _answer(repository, method, path, body):
    try:
        return 200, json.dumps(_dispatch(repository, method, path, body))
    except RequestError as error:
        return _HTTP_STATUS[error.code], str(error)
    except Exception as error:
        # The server goes on; whoever runs it sees why.
        traceback.print_exc(file=sys.stderr)
        return 500, f"{type(error).__name__}: {error}"


def _dispatch(repository, method, path, body):
    match = {"GET": _GET, "POST": _POST}.get(method, _GET).fullmatch(path)
    if method not in ("GET", "POST") or match is None:
        raise invalid(
            f"Malformed request: {method} {path}. There are GET "
            "/v1/models/NAME[/versions/VERSION][/metadata] and POST "
            "/v1/models/NAME[/versions/VERSION]:predict."
        )
    name, version, label, verb = match.groups()
    version = None if version is None else int(version)
    if method == "POST":
        if verb != "predict":
            raise RequestError(
                "UNIMPLEMENTED",
                f"The models have no examples to {verb}. Use :predict.",
            )
        return _predict(repository, name, version, label, body)
    if verb:
        return protocol.metadata_json(
            protocol.metadata_response(repository, name, version, label)
        )
    return protocol.status_json(
        protocol.status_response(repository, name, version, label)
    )


def _predict(repository, name, version, label, body):
    _, servable = repository.servable(name, version, label)
    signature, style, value = rest_json.parse_request(body)
    inputs = rest_json.decode_inputs(style, value, servable.inputs(signature))
    return rest_json.encode_outputs(style, servable.predict(signature, inputs))


def _response(status, text):
    if status != 200:
        text = json.dumps({"error": text})
    return web.Response(
        status=status,
        text=text,
        content_type="application/json",
        headers={"Server": SERVER_HEADER},
    )


def _too_large(limit):
    return _response(
        413,
        f"A request may have at most {limit} bytes. Send fewer rows at once.",
    )
