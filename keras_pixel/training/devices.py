"""Devices and processes that train one model together, by shares of a batch."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_pixel.checks import check_size
from keras_pixel.files import atomic_file


def join_processes(
    coordinator: str, num_processes: int, process_id: int
) -> None:
    """Make this process one of several that train together.

    Every process calls it before any other use of Keras, on one machine or on
    several; then `train` uses the devices of all.

    Args:
        coordinator: "host:port" of the process with id 0, which listens there.
        num_processes: int.
        process_id: int, from 0.

    Raises:
        ValueError: if the backend is not JAX, or a number is out of range.
    """
    _check_backend()
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(
            '`coordinator` must be "host:port". '
            f"Received: coordinator={coordinator!r}. Give the address of "
            "the process with id 0 and a port that is free there."
        )
    num_processes = check_size("num_processes", num_processes)
    process_id = check_size("process_id", process_id, 0)
    if process_id >= num_processes:
        raise ValueError(
            "`process_id` must be less than `num_processes`: ids begin at 0. "
            f"Received: process_id={process_id}, num_processes={num_processes}"
        )
    keras.distribution.initialize(coordinator, num_processes, process_id)


class Devices:
    """The devices that a training runs on, and the processes they belong to.

    Every process goes through the same steps with its own part of each batch;
    weights are the same everywhere. The first process alone owns the folder
    of the training.

    Args:
        number: int, how many devices; "all"; or `None`: all where several
            processes have joined, otherwise the backend's first device,
            without any distribution.
        batch_size: int, which the devices must be able to share.

    Attributes:
        process: int. This process, from 0.
        num_processes: int.

    Raises:
        ValueError: if there are not so many devices, the batch cannot be
            shared evenly, or the backend is not JAX.
    """

    def __init__(self, number: int | str | None, batch_size: int) -> None:
        self.process, self.num_processes = 0, 1
        self.distribution: Any = None
        if keras.backend.backend() == "jax":
            import jax

            self.process = jax.process_index()
            self.num_processes = jax.process_count()
        if self.num_processes > 1 and number is None:
            number = "all"
        if number is None:
            return
        _check_backend()
        devices = keras.distribution.list_devices()
        found = len(devices)
        wanted: int = check_size(
            "devices", found if number == "all" else number
        )
        self._check(wanted, found, batch_size)
        # Each process is handed its own part by `part`.
        self.distribution = keras.distribution.DataParallel(
            devices=devices[:wanted], auto_shard_dataset=False
        )

    def _check(self, number: int, found: int, batch_size: int) -> None:
        if number > found or (self.num_processes > 1 and number != found):
            raise ValueError(
                "`devices` must be the number of devices there are or, in a "
                "training of one process, fewer. "
                f"Received: devices={number}, of {found} in "
                f'{self.num_processes} process(es). Use devices="all". On a '
                "CPU XLA_FLAGS=--xla_force_host_platform_device_count=2 makes "
                "two of it."
            )
        if batch_size % number:
            raise ValueError(
                "The `batch_size` of a recipe must be a multiple of the "
                "number of devices, which share each batch evenly. "
                f"Received: batch_size={batch_size}, devices={number}"
            )

    @property
    def is_first(self) -> bool:
        """Whether this process owns the folder of the training."""
        return self.process == 0

    @property
    def part(self) -> tuple[int, int]:
        """This process' share of a batch, see `ImageBatches`."""
        return self.process, self.num_processes

    @contextlib.contextmanager
    def scope(self, alone: bool = False) -> Iterator[None]:
        """Within it, variables are made for the devices.

        A distribution that was set before stays where there are no devices
        to share a batch.

        Args:
            alone: bool. Whether for this process alone. Defaults to `False`.
        """
        if self.distribution is None:
            yield
            return
        former = keras.distribution.distribution()
        keras.distribution.set_distribution(
            None if alone else self.distribution
        )
        try:
            yield
        finally:
            keras.distribution.set_distribution(former)

    def any(self, flag: bool) -> bool:
        """Whether a flag is set in some process; all must ask together."""
        if self.num_processes == 1:
            return flag
        from jax.experimental import multihost_utils

        return bool(multihost_utils.process_allgather(np.array(flag)).any())

    def of_first(self, arrays: Any) -> Any:
        """A nest of arrays as the first process has it.

        Args:
            arrays: nest; in other processes only the shapes and dtypes count.
        """
        if self.num_processes == 1:
            return arrays
        from jax.experimental import multihost_utils

        return multihost_utils.broadcast_one_to_all(arrays)

    def share_checkpoints(self, checkpoints: Any) -> None:
        """Give all processes the checkpoints that the first one has.

        Before any is restored: the processes then do that together, which
        JAX wants of whatever is made for the devices of all.

        Args:
            checkpoints: `Checkpoints`, in each process of a folder of its own.
        """
        if self.num_processes == 1:
            return
        files: dict[str, bytes] = {}
        if self.is_first:
            files = {x.name: x.read_bytes() for x in checkpoints.paths()}
        sizes = {name: len(content) for name, content in files.items()}
        found = json.loads(self._bytes_of_first(json.dumps(sizes).encode()))
        content = self._bytes_of_first(b"".join(files.values()))
        start = 0
        for name, size in found.items():
            if not self.is_first:
                with atomic_file(checkpoints.folder / name) as file:
                    file.write(content[start : start + size])
            start += size

    def _bytes_of_first(self, content: bytes) -> bytes:
        size = int(self.of_first(np.array(len(content), "int32")))
        buffer = np.frombuffer(content.ljust(size, b"\0")[:size], "uint8")
        return np.asarray(self.of_first(buffer), "uint8").tobytes()


def _check_backend() -> None:
    if keras.backend.backend() != "jax":
        raise ValueError(
            "Several devices train together on the JAX backend only. "
            f"Received: backend={keras.backend.backend()!r}. Set "
            "KERAS_BACKEND=jax before Keras is imported."
        )
