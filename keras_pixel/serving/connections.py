"""HTTP connections: so many, and none that is open for nothing."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable

from aiohttp import http_exceptions
from aiohttp import web

from keras_pixel.serving.limits import Limits


class Connections(web.Server):
    """A low-level server of aiohttp that limits its connections.

    A connection on which nothing arrives for `read_timeout` seconds is closed,
    whether it is idle, or the head of a request is incomplete. When a client
    goes away its request is cancelled.

    Args:
        handler: coroutine function from an `aiohttp.web.BaseRequest` to a
            response.
        limits: `Limits`.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        limits: Limits,
    ):
        super().__init__(
            handler,
            handler_cancellation=True,
            keepalive_timeout=limits.read_timeout,
            # Seconds for the rest of a refused body.
            lingering_time=1,
            access_log=None,
            logger=_logger(),
        )
        self._max_connections = limits.max_connections
        self._transports: dict[web.RequestHandler, asyncio.Transport] = {}

    @property
    def num_open(self) -> int:
        """How many connections there are."""
        return len(self._transports)

    def connection_made(
        self, handler: web.RequestHandler, transport: asyncio.Transport
    ) -> None:
        super().connection_made(handler, transport)
        if len(self._transports) >= self._max_connections:
            transport.abort()
            return
        self._transports[handler] = transport
        # What is sent is sent to the last byte before it counts as sent: see
        # `send`.
        transport.set_write_buffer_limits(0)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        super().connection_lost(handler, exc)
        self._transports.pop(handler, None)

    async def abort(self) -> None:
        """End the connections that are left."""
        while self._transports:
            for transport in self._transports.values():
                transport.abort()
            await asyncio.sleep(0)


def _logger() -> logging.Logger:
    """A logger that leaves out what is no HTTP: it was answered with 400.

    Whoever scans ports must not fill the operator's log.
    """
    logger = logging.getLogger("keras_pixel.http")
    logger.addFilter(_is_our_fault)
    return logger


def _is_our_fault(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, http_exceptions.HttpProcessingError)


async def send(
    request: web.BaseRequest, response: web.StreamResponse, timeout: float
) -> web.StreamResponse:
    """Send a whole response, or end the connection.

    Args:
        request: `aiohttp.web.BaseRequest`.
        response: `aiohttp.web.Response`.
        timeout: seconds. Who reads more slowly is cut off.

    Returns:
        The response.
    """
    with contextlib.suppress(ConnectionError):  # the client went away
        async with patience(request, timeout):
            await response.prepare(request)
            await response.write_eof()
    return response


@contextlib.asynccontextmanager
async def patience(
    request: web.BaseRequest, timeout: float
) -> AsyncIterator[None]:
    """Context in which a client must take what it is sent.

    Args:
        request: `aiohttp.web.BaseRequest`.
        timeout: seconds after which its connection is aborted.

    Raises:
        ConnectionResetError: if it was aborted.
    """
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("The client does not read.") from error
