"""The threads that compute: some for scores, others for samples."""

import concurrent.futures
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

import numpy as np

from keras_pixel.export.servable import DRAWING_SIGNATURES
from keras_pixel.export.servable import RequestError
from keras_pixel.export.servable import Servable

# What a call returns.
Result = TypeVar("Result")


class Pools:
    """Computes requests, so that scores never wait behind samples.

    Each kind has its own threads and its own queue: neither takes the other's
    place.

    Args:
        num_threads: int. Requests computed at once, of either kind.
        max_requests: int. Requests of either kind that are accepted, running
            and waiting.

    Attributes:
        scores, drawing: the two `Pool`s.
        json: a third one, which reads and writes JSON.
    """

    def __init__(self, num_threads: int, max_requests: int):
        self.scores, self.drawing = (
            Pool(name, num_threads, max_requests)
            for name in ("scores", "drawing")
        )
        # Python runs one thread at a time: more would read no faster.
        self.json = Pool("json", 2, 4 * max_requests)

    def submit(
        self,
        servable: Servable,
        signature_name: str,
        inputs: Mapping[str, np.ndarray],
        timeout: float,
        output_filter: Sequence[str] = (),
    ) -> concurrent.futures.Future[dict[str, np.ndarray]]:
        """Run `Servable.predict` when its turn comes.

        Args:
            timeout: seconds from now within which it must end. What is still
                running then is aborted; what is still waiting is not begun.
            servable, signature_name, inputs, output_filter: see
                `Servable.predict`.

        Returns:
            `concurrent.futures.Future` of the outputs. Once cancelled, it
            gives up its place in the queue.

        Raises:
            RequestError: if the queue is full.
        """
        end = time.monotonic() + timeout

        def predict() -> dict[str, np.ndarray]:
            left = end - time.monotonic()
            if left <= 0:
                raise too_late(timeout)
            return servable.predict(
                signature_name, inputs, output_filter, timeout=left
            )

        is_drawing = signature_name in DRAWING_SIGNATURES
        return (self.drawing if is_drawing else self.scores).submit(predict)

    def shutdown(self) -> None:
        """End the threads; waiting requests are never computed."""
        for pool in (self.scores, self.drawing, self.json):
            pool.shutdown()


class Pool:
    """Threads with a queue of limited length.

    Unlike `concurrent.futures.ThreadPoolExecutor`, it forgets what was
    cancelled: clients that go away leave no work behind.

    Args:
        name: str, of the threads.
        num_threads: int.
        max_requests: int. Calls that are accepted, running and waiting.
    """

    def __init__(self, name: str, num_threads: int, max_requests: int):
        self.name = name
        self.num_running = 0
        self._max_requests = max_requests
        self._is_closed = False
        # Function by its future, in the order of arrival.
        self._waiting: dict[
            concurrent.futures.Future[Any], Callable[[], Any]
        ] = {}
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}_{i}", daemon=True)
            for i in range(num_threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    def submit(
        self, function: Callable[[], Result], is_begun: bool = False
    ) -> concurrent.futures.Future[Result]:
        """Call a function in a thread of the pool.

        Args:
            function: function without arguments.
            is_begun: bool. Whether it goes on with what was accepted before,
                and is accepted though the queue is full. Defaults to `False`.

        Returns:
            `concurrent.futures.Future`.

        Raises:
            RequestError: if the pool is full, or shut down.
        """
        future: concurrent.futures.Future[Result] = concurrent.futures.Future()
        with self._changed:
            if self._is_closed:
                raise RequestError(
                    "UNAVAILABLE",
                    "The server must be running. Received: a request while "
                    "it stops. Send it again when the server has started.",
                )
            number = len(self._waiting) + self.num_running
            if number >= self._max_requests and not is_begun:
                raise RequestError(
                    "RESOURCE_EXHAUSTED",
                    f"At most {self._max_requests} requests are computed or "
                    f"waiting at once ({self.name}). Received: {number} "
                    "already. Try again later.",
                )
            self._waiting[future] = function
            self._changed.notify()
        future.add_done_callback(self._forget)
        return future

    def shutdown(self) -> None:
        """Cancel what is waiting, and end when the rest is computed."""
        with self._changed:
            self._is_closed = True
            waiting = list(self._waiting)
            self._changed.notify_all()
        for future in waiting:
            future.cancel()
        for thread in self._threads:
            thread.join()

    def _forget(self, future: concurrent.futures.Future[Any]) -> None:
        if future.cancelled():
            with self._changed:
                self._waiting.pop(future, None)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                future = next(iter(self._waiting))
                function = self._waiting.pop(future)
                self.num_running += 1
            try:
                _settle(future, function)
            finally:
                # An idle thread must not keep a model from being unloaded.
                del future, function
                with self._changed:
                    self.num_running -= 1


def too_late(timeout: float) -> RequestError:
    """The error of a request that took longer than `timeout` seconds."""
    return RequestError(
        "DEADLINE_EXCEEDED",
        f"A request must be answered within {timeout:g} seconds. Received: "
        "one that takes longer. Send fewer rows at once, or wait until the "
        "server has less to do.",
    )


def _settle(
    future: concurrent.futures.Future[Result], function: Callable[[], Result]
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
    finally:
        # The error's frames would keep the future, and the future the error.
        del future
