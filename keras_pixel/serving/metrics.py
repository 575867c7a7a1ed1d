"""What the server counts, for Prometheus."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import prometheus_client
from prometheus_client import exposition

from keras_pixel.export.servable import DEFAULT_SIGNATURE
from keras_pixel.serving.pools import Pools

CONTENT_TYPE = exposition.CONTENT_TYPE_PLAIN_0_0_4
# From a small score to a long drawing, in seconds.
_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
    *(2.5, 5, 10, 30, 60, 300, 600),
)


@dataclasses.dataclass
class Call:
    """What is counted of a request; filled in where it is known to be valid.

    Args:
        method: "Predict", "GetModelStatus" and so on, as gRPC calls it, or
            "" where it is none.
        model: str. Name of a model that there is, or "".
        signature: str. Name of a signature that it has, or "".
        num_images: int. Rows.
        status: str. How an answer ended whose head had been sent.
    """

    method: str = ""
    model: str = ""
    signature: str = ""
    num_images: int = 0
    status: str = "OK"

    def is_of(self, signature: str, inputs: Mapping[str, np.ndarray]) -> None:
        """Note a valid request: its signature and arrays."""
        self.signature = signature or DEFAULT_SIGNATURE
        self.num_images = max(
            (len(x) for x in inputs.values() if x.ndim), default=1
        )


class Metrics:
    """Counts requests; each server counts its own.

    Labels have few values, whatever clients send: names that the server does
    not know count as "".

    Args:
        pools: `Pools`, whose queues are shown.
    """

    def __init__(self, pools: Pools):
        self._registry = prometheus_client.CollectorRegistry()
        kept: dict[str, Any] = {
            "namespace": "keras_pixel",
            "registry": self._registry,
        }
        names = ("model", "signature")
        self._requests = prometheus_client.Counter(
            "requests",
            "Requests that were answered, by gRPC status.",
            ("protocol", "method", *names, "status"),
            **kept,
        )
        self._seconds = prometheus_client.Histogram(
            "request_duration_seconds",
            "Time from the arrival of a request to its answer.",
            ("protocol", "method", *names),
            buckets=_BUCKETS,
            **kept,
        )
        self._images = prometheus_client.Counter(
            "images",
            "Rows of the requests that were answered with OK.",
            names,
            **kept,
        )
        waiting = prometheus_client.Gauge(
            "requests_waiting",
            "Requests in the queue of a pool of threads.",
            ("pool",),
            **kept,
        )
        running = prometheus_client.Gauge(
            "requests_running",
            "Requests that a pool of threads is computing.",
            ("pool",),
            **kept,
        )
        for pool in (pools.scores, pools.drawing):
            waiting.labels(pool.name).set_function(
                functools.partial(getattr, pool, "num_waiting")
            )
            running.labels(pool.name).set_function(
                functools.partial(getattr, pool, "num_running")
            )
        prometheus_client.ProcessCollector(registry=self._registry)

    def count(
        self, protocol: str, call: Call, status: str, seconds: float
    ) -> None:
        """Count a request that was answered.

        Args:
            protocol: "rest" or "grpc".
            call: `Call`.
            status: name of the gRPC status, such as "OK".
            seconds: float.
        """
        labels = (protocol, call.method, call.model, call.signature)
        self._requests.labels(*labels, status).inc()
        self._seconds.labels(*labels).observe(seconds)
        if status == "OK" and call.num_images:
            self._images.labels(call.model, call.signature).inc(call.num_images)

    def text(self) -> bytes:
        """All of it in Prometheus' text format, bytes."""
        return prometheus_client.generate_latest(self._registry)
