"""The file that compressed images lie in.

magic, 8 bytes
version, bytes of the header, CRC32 of the header: uint32, little-endian
header: JSON, compressed by zlib
streams of the range coder, one for each batch, one after the other
"""

import dataclasses
import json
import pathlib
import struct
import zlib
from typing import Any

import numpy as np

from keras_pixel import files
from keras_pixel.order import ORDERS

# As in PNG: a transfer as text, or in 7 bits, is seen at once.
MAGIC = b"\x89KPIX\r\n\x1a"
VERSION = 1
_START = struct.Struct("<8s3I")
_MOST_VALUES = 2**40


@dataclasses.dataclass(frozen=True)
class Item:
    """Images of one size that are compressed together.

    Attributes:
        levels: integer or bool array `(height, width, channels)` or `(batch,
            height, width, channels)`; it comes back with its dtype.
        name: str, such as the path of its file.
        mode: str, the mode of the picture that it was, as Pillow names it;
            empty for an array.
    """

    levels: np.ndarray
    name: str = ""
    mode: str = ""


def write(
    path: files.PathLike, header: dict[str, Any], streams: list[bytes]
) -> tuple[int, int]:
    """Write a file, completely or not at all.

    Args:
        path: of the file.
        header: dict of JSON values.
        streams: list of bytes.

    Returns:
        Bytes of the file, and of those what is no stream.
    """
    payload = b"".join(streams)
    header = {
        **header,
        "stream_bytes": [len(stream) for stream in streams],
        "streams_crc32": zlib.crc32(payload),
    }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
    packed = zlib.compress(text.encode(), 9)
    start = _START.pack(MAGIC, VERSION, len(packed), zlib.crc32(packed))
    with files.atomic_file(path) as file:
        file.write(start + packed + payload)
    overhead = len(start) + len(packed)
    return overhead + len(payload), overhead


def read(path: files.PathLike) -> tuple[dict[str, Any], list[bytes]]:
    """Read a file that `write` wrote.

    Returns:
        The header, and the streams.

    Raises:
        ValueError: if it is another file, or not what was written.
    """
    data = pathlib.Path(path).read_bytes()
    if len(data) < _START.size or not data.startswith(MAGIC):
        # Its first bytes may be what was damaged.
        raise ValueError(
            "A compressed file must begin as `keras-pixel compress` writes it. "
            f"Received: {str(path)!r}, which does not. Give a file of that "
            "command, or fetch it again."
        )
    _, version, size, crc = _START.unpack_from(data)
    if version != VERSION:
        raise ValueError(
            f"A compressed file must be of version {VERSION}. Received: "
            f"version {version} in {str(path)!r}. Install the keras_pixel "
            "that wrote it, or fetch the file again if it was damaged."
        )
    packed = data[_START.size : _START.size + size]
    payload = data[_START.size + size :]
    if len(packed) < size or zlib.crc32(packed) != crc:
        raise _damaged(path, "the header is damaged")
    try:
        header = json.loads(zlib.decompress(packed))
        _check(header)
        sizes, crc = header["stream_bytes"], header["streams_crc32"]
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise ValueError(
            "The header of a compressed file must be as `compress` writes it. "
            f"Received: {str(path)!r}, with {error!r}. Compress the images "
            "again."
        ) from error
    if len(payload) != sum(sizes):
        lost = sum(sizes) - len(payload)
        how = "missing" if lost > 0 else "extra"
        raise _damaged(path, f"{abs(lost):,} bytes are {how}")
    if zlib.crc32(payload) != crc:
        raise _damaged(path, "the streams are damaged")
    ends = np.cumsum([0, *sizes])
    return header, [
        payload[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)
    ]


def _check(header: dict[str, Any]) -> None:
    """Raise an error unless the header can be relied on."""
    for key in ("model", "program"):
        if not isinstance(header[key], dict):
            raise TypeError(key)
    sizes, crcs = header["stream_bytes"], header["images_crc32"]
    batch_size = header["program"]["batch_size"]
    numbers = [*sizes, *crcs, header["streams_crc32"], batch_size]
    shape = header["model"]["image_shape"]
    order = header["order"]
    if not {*([order] if isinstance(order, str) else order)} <= {*ORDERS}:
        raise ValueError("order")
    values = 0
    for item in header["items"]:
        np.dtype(item["dtype"])
        numbers += item["shape"]
        if len(item["shape"]) not in (3, 4) or not (
            isinstance(item["name"], str) and isinstance(item["mode"], str)
        ):
            raise ValueError("items")
        values += int(np.prod(item["shape"], dtype="float64"))
    numbers += shape
    if len(shape) != 3 or len(sizes) != len(crcs) or values > _MOST_VALUES:
        raise ValueError("shapes")
    if not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError("numbers")
    if batch_size < 1 or min(shape) < 1:
        raise ValueError("sizes")


def _damaged(path: files.PathLike, what: str) -> ValueError:
    return ValueError(
        "A compressed file must be as it was written. Received: "
        f"{str(path)!r}, where {what}. Fetch the file again."
    )
