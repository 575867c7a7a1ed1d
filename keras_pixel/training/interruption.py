"""SIGINT and SIGTERM: a training is saved before it stops."""

import signal
import threading
import types
from typing import Any
from typing import Self


class Interruption:
    """Holds back SIGINT and SIGTERM while a training runs.

    A context manager. The first signal is noted, and asks the model being
    fitted to stop after the current batch; a second one acts at once, as it
    would without this class. Python handles signals in the main thread only;
    in other threads nothing is held back.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.model: Any = None
        self._former: dict[int, Any] = {}  # handlers

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        self._let_go()

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self.number is not None

    def deliver(self) -> None:
        """Let a signal that has come take effect, and end."""
        if self.number is None:
            return
        signal.raise_signal(self.number)
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.number)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.number = number
        self._let_go()
        if self.model is not None:
            self.model.stop_training = True

    def _let_go(self) -> None:
        for number, handler in self._former.items():
            # `None`: a handler that was not set from Python.
            signal.signal(
                number, signal.SIG_DFL if handler is None else handler
            )
        self._former = {}
