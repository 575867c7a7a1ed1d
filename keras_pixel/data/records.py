"""TFRecord files: every record by its number, without reading the others."""

import mmap
import struct

import numpy as np

# A record: its length (8 bytes), a checksum of that, content, a checksum.
_HEAD, _CHECKSUM = 12, 4


class RecordFiles:
    """Records of TFRecord files, which are mapped, not held in memory.

    Args:
        paths: of the files, in order.

    Raises:
        ValueError: if a file ends within a record.
    """

    def __init__(self, paths):
        self._files = []
        places = []
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
            places += [(number, *place) for place in _records(mapped, path)]
        self._places = np.array(places, "int64").reshape(-1, 3)

    def __len__(self):
        return len(self._places)

    def __getitem__(self, index) -> bytes:
        file, start, size = self._places[index].tolist()
        return self._files[file][start : start + size]


def _records(content, path):
    at, end = 0, len(content)
    while at < end:
        size = -1
        if at + _HEAD <= end:
            (size,) = struct.unpack_from("<Q", content, at)
        after = at + _HEAD + size + _CHECKSUM
        if size < 0 or after > end:
            raise ValueError(
                f"{path} must hold whole records. Received: one that begins "
                f"at byte {at:,} and ends beyond the file's {end:,} bytes."
            )
        yield at + _HEAD, size
        at = after
