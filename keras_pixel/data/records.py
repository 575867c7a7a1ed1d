"""TFRecord files: any record by its number, without reading the others."""

import itertools
import mmap
import os
import struct
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

# A record: length (8 bytes), checksum of the length, content, checksum.
_HEAD, _CHECKSUM = 12, 4


class RecordFiles:
    """Records of TFRecord files, which are memory-mapped.

    Args:
        paths: paths of the files, in order.

    Raises:
        ValueError: if a file ends within a record.
    """

    def __init__(self, paths: Iterable[str | os.PathLike[str]]):
        self._files = []
        positions = [np.zeros((0, 3), "int64")]
        for number, path in enumerate(paths):
            with open(path, "rb") as file:
                # An empty file cannot be mapped.
                size = file.seek(0, 2)
                mapped: bytes | mmap.mmap = b""
                if size:
                    mapped = mmap.mmap(
                        file.fileno(), 0, access=mmap.ACCESS_READ
                    )
            self._files.append(mapped)
            # A list of millions would take ten times as much memory.
            flat = itertools.chain.from_iterable(_records(mapped, path))
            found = np.fromiter(flat, "int64").reshape(-1, 2)
            positions.append(np.insert(found, 0, number, axis=1))
        self._positions = np.concatenate(positions)

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> bytes:
        file, start, size = self._positions[index].tolist()
        return self._files[file][start : start + size]


def _records(
    content: bytes | mmap.mmap, path: str | os.PathLike[str]
) -> Iterator[tuple[int, int]]:
    at, end = 0, len(content)
    while at < end:
        size = -1
        if at + _HEAD <= end:
            (size,) = struct.unpack_from("<Q", content, at)
        after = at + _HEAD + size + _CHECKSUM
        if size < 0 or after > end:
            raise ValueError(
                f"{path} must hold complete records. Received: one that "
                f"begins at byte {at:,} and ends beyond the file's {end:,} "
                "bytes. Prepare the data set again."
            )
        yield at + _HEAD, size
        at = after
