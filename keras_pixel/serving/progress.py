"""Images sent while they are drawn, by Keras models beside the served ones.

A SavedModel gives its images when all is drawn. A Keras model can be asked
after each part; its images are those of the SavedModel's `sample`.
"""

import asyncio
import concurrent.futures
import functools
import json
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Generator
from collections.abc import Mapping
from typing import Any

import numpy as np
from aiohttp import web

from keras_pixel.checks import check_size
from keras_pixel.export import checks
from keras_pixel.export.graphs import noise_of_seeds
from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import Servable
from keras_pixel.export.servable import invalid
from keras_pixel.serving import protocol
from keras_pixel.serving import rest_json
from keras_pixel.serving.connections import patience
from keras_pixel.serving.limits import Limits
from keras_pixel.serving.metrics import Call
from keras_pixel.serving.pools import Pools
from keras_pixel.serving.pools import Result
from keras_pixel.serving.pools import too_late

# Each keeps the states of its sampler.
MAX_STREAMS = 16
_SIGNATURE = "sample"


class Progress:
    """Draws images, and sends what there is after each part.

    A part is drawn once the client has read the one before it, so who reads
    slowly or goes away leaves no work.

    Args:
        models: dict from a served model's name to its Keras model.
        pools: `Pools` that compute.
        limits: `Limits`.
    """

    def __init__(self, models: Mapping[str, Any], pools: Pools, limits: Limits):
        self.models = models
        self.pools = pools
        self.limits = limits
        self._num_streams = 0
        # Versions that compute what the Keras model does.
        self._same: weakref.WeakSet[Servable] = weakref.WeakSet()

    async def stream(
        self,
        request: web.BaseRequest,
        body: bytes,
        call: Call,
        servable: Servable,
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        """Answer with a line of JSON for each part.

        Args:
            request: `aiohttp.web.BaseRequest`.
            body: bytes of its JSON.
            call: `Call` of a model that there is.
            servable: `Servable`.
            headers: dict.

        Returns:
            `aiohttp.web.StreamResponse`, of which all but the end was sent.

        Raises:
            RequestError: if nothing was sent yet.
        """
        if call.model not in self.models:
            raise RequestError(
                "UNIMPLEMENTED",
                "Images can be watched of models whose preset the server was "
                f"given: {sorted(self.models)}. Received: {call.model!r}. "
                "Start it with `--progressive`.",
            )
        if self._num_streams >= MAX_STREAMS:
            raise RequestError(
                "RESOURCE_EXHAUSTED",
                f"At most {MAX_STREAMS} clients may watch at once. Received: "
                f"{self._num_streams} already. Try again later.",
            )
        self._num_streams += 1
        try:
            return await self._send(request, body, call, servable, headers)
        finally:
            self._num_streams -= 1

    async def _send(
        self,
        request: web.BaseRequest,
        body: bytes,
        call: Call,
        servable: Servable,
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        end = time.monotonic() + self.limits.request_timeout
        inputs, num_updates = await self._wait(
            end, self.pools.json.submit(lambda: _parse(body, servable))
        )
        call.is_of(_SIGNATURE, inputs)
        begin = functools.partial(
            self._begin, self.models[call.model], servable, inputs, num_updates
        )
        updates = Updates(
            await self._wait(end, self.pools.drawing.submit(begin))
        )
        try:
            return await self._send_all(request, updates, end, call, headers)
        finally:
            updates.close()

    async def _send_all(
        self,
        request: web.BaseRequest,
        updates: "Updates",
        end: float,
        call: Call,
        headers: Mapping[str, str],
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={**headers, "Content-Type": "application/x-ndjson"}
        )
        while True:
            try:
                # One that has begun does not wait for a place again.
                line = await self._wait(
                    end,
                    self.pools.drawing.submit(
                        updates.next_line, is_begun=response.prepared
                    ),
                )
            except Exception as error:
                if not response.prepared:
                    raise
                # Its head is sent: the error is the last line.
                text = str(error)
                if isinstance(error, RequestError):
                    call.status = error.code
                else:
                    traceback.print_exc(file=sys.stderr)
                    call.status = "INTERNAL"
                    text = f"{type(error).__name__}: {text}"
                text = protocol.shortened(text)
                line = json.dumps({"error": text}) + "\n"
            if line is None:
                return response
            async with patience(request, self.limits.read_timeout):
                await response.prepare(request)
                await response.write(line.encode())
            if line.startswith('{"error"'):
                return response

    async def _wait(
        self, end: float, future: concurrent.futures.Future[Result]
    ) -> Result:
        try:
            async with asyncio.timeout(max(0, end - time.monotonic())):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise too_late(self.limits.request_timeout) from error

    def _begin(
        self,
        model: Any,
        servable: Servable,
        inputs: Mapping[str, np.ndarray],
        num_updates: int,
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """The updates of a model that computes what the version does."""
        if servable not in self._same:
            batch = checks.small_batch(model)
            specs = servable.inputs()
            outputs = servable.predict(
                "", {name: batch[name] for name in specs if name in batch}
            )
            try:
                checks.check_scores(model, batch, **outputs)
            except checks.ExportError as error:
                raise RequestError(
                    "UNIMPLEMENTED",
                    "Images can be watched of the version that the preset "
                    f"was exported as. Received: another one. {error}",
                ) from error
            self._same.add(servable)
        told = dict(inputs)
        seed = told.pop("seed")
        noise = noise_of_seeds(seed, model.noise_shape).numpy()
        try:
            return model.sample_progressively(
                noise=noise, num_updates=num_updates, **told
            )
        except (NotImplementedError, TypeError, ValueError) as error:
            raise invalid(str(error)) from error


def _parse(
    body: bytes, servable: Servable
) -> tuple[dict[str, np.ndarray], int]:
    """Arrays and number of updates of a request for `sample`."""
    rest_json.check_length(body, servable.most_values)
    request = rest_json.parse_object(body)
    unknown = sorted(set(request) - {"inputs", "num_updates"})
    if unknown or "inputs" not in request:
        raise invalid(
            "The request must have 'inputs', as for the signature 'sample', "
            f"and may have 'num_updates'. Received: {sorted(request)}."
        )
    try:
        number = check_size(
            "num_updates", request.get("num_updates", 16), 1, 1000
        )
    except (TypeError, ValueError) as error:
        raise invalid(str(error)) from error
    inputs = rest_json.decode_inputs(
        "inputs", request["inputs"], servable.inputs(_SIGNATURE)
    )
    servable.check(
        _SIGNATURE, {name: (x.dtype, x.shape) for name, x in inputs.items()}
    )
    return inputs, number


class Updates:
    """Updates of images, as lines of JSON.

    Args:
        updates: generator of pairs of images and what of them is drawn.
    """

    def __init__(
        self, updates: Generator[tuple[np.ndarray, np.ndarray], None, None]
    ) -> None:
        self._updates = updates
        self._lock = threading.Lock()
        self._is_closed = False

    def next_line(self) -> str | None:
        """The next update, or `None` after the last."""
        with self._lock:
            update = next(self._updates, None)
        if self._is_closed:
            self.close()
        if update is None:
            return None
        images, is_drawn = update
        found = {
            "images": images.tolist(),
            "is_drawn": np.asarray(is_drawn, int).tolist(),
        }
        return json.dumps(found) + "\n"

    def close(self) -> None:
        """Drop what is kept to go on, at once or after what is being drawn."""
        self._is_closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._updates.close()
            finally:
                self._lock.release()
