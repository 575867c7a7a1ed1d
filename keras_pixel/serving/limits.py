"""What one client may take of the server, and for how long."""

import dataclasses

from keras_pixel.checks import check_number
from keras_pixel.checks import check_size


@dataclasses.dataclass(frozen=True)
class Limits:
    """See `DevelopmentServer`.

    Raises:
        ValueError: if a number is out of range.
    """

    max_request_bytes: int
    max_requests: int
    max_connections: int
    request_timeout: float
    read_timeout: float

    def __post_init__(self) -> None:
        for name in ("max_request_bytes", "max_requests", "max_connections"):
            check_size(name, getattr(self, name))
        for name in ("request_timeout", "read_timeout"):
            check_number(name, getattr(self, name), above=0)

    @property
    def num_calls(self) -> int:
        """Calls at once: all that is accepted, and some that are answered
        without a place in a queue."""
        return 2 * self.max_requests + 8
