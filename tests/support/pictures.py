"""Pictures that Pillow reads, and does not write."""

import struct
import zlib

import numpy as np


def png_of_16_bits(height=3, width=3):
    """A PNG of 16 bits a channel, in colour."""
    values = np.random.default_rng(0).integers(
        2**16, size=(height, width * 3), dtype="uint16"
    )
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    # Width, height, bits, "in colour", and the only ways there are.
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = {b"IHDR": header, b"IDAT": zlib.compress(rows), b"IEND": b""}
    file = b"\x89PNG\r\n\x1a\n"
    for name, data in parts.items():
        check = zlib.crc32(name + data)
        file += struct.pack(">I", len(data)) + name + data
        file += struct.pack(">I", check)
    return file
