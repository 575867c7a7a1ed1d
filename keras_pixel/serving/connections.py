"""HTTP connections: so many, and none that is open for nothing."""

import asyncio
import contextlib

from aiohttp import web


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

    def __init__(self, handler, limits):
        super().__init__(
            handler,
            handler_cancellation=True,
            keepalive_timeout=limits.read_timeout,
            # Seconds for the rest of a refused body.
            lingering_time=1,
            access_log=None,
        )
        self._max_connections = limits.max_connections
        self._transports = {}

    @property
    def num_open(self):
        """How many connections there are."""
        return len(self._transports)

    def connection_made(self, handler, transport):
        super().connection_made(handler, transport)
        if len(self._transports) >= self._max_connections:
            transport.abort()
            return
        self._transports[handler] = transport
        # What is sent is sent to the last byte before it counts as sent: see
        # `send`.
        transport.set_write_buffer_limits(0)

    def connection_lost(self, handler, exc=None):
        super().connection_lost(handler, exc)
        self._transports.pop(handler, None)

    async def abort(self):
        """End the connections that are left."""
        while self._transports:
            for transport in self._transports.values():
                transport.abort()
            await asyncio.sleep(0)


async def send(request, response, timeout):
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
async def patience(request, timeout):
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
