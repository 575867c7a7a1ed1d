"""The bodies of REST requests, read within time and memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import invalid
from keras_pixel.serving.limits import Limits

# All bodies being read take at most this many times the longest request.
_BODIES = 8


class Bodies:
    """Reads the bodies of requests.

    Args:
        limits: `Limits`.
    """

    def __init__(self, limits: Limits):
        self.max_request_bytes = limits.max_request_bytes
        self.timeout = limits.read_timeout
        self._num_bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False

    @contextlib.asynccontextmanager
    async def read(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
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
                    "CANCELLED",
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

    def stop(self) -> None:
        """Stop waiting for requests that are being sent."""
        self._is_stopping = True
        for task in self._tasks:
            task.cancel()

    async def _fill(self, body: bytearray, request: web.BaseRequest) -> None:
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
