"""Make a damaged file pass its checksums again, so that mutations reach the rules behind them.

Standard library only. `fix_checksums` walks the sections by their stated lengths, as far as they fit,
and puts right every CRC, those of the entries of SEGT too, and, in file mode, the SHA-256 of the end mark.
Nothing else is touched.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

HEADER_BYTES = 20


def sections(data: bytes | bytearray) -> Iterator[tuple[bytes, int, int, int]]:
    """(id, start, start of payload, end of payload) of every complete section."""
    start = HEADER_BYTES
    while start + 20 <= len(data):
        id, _flags, length = struct.unpack_from("<4sIQ", data, start)
        end = start + 16 + length
        if end + 4 > len(data):
            return
        yield id, start, start + 16, end
        start = end + 4


def section(id: bytes, payload: bytes, flags: int = 1) -> bytes:
    """A section, whether or not it makes sense."""
    framed = struct.pack("<4sIQ", id, flags, len(payload)) + payload
    return framed + struct.pack("<I", zlib.crc32(framed))


def fix_checksums(data: bytes) -> bytes:
    """`data` with right checksums and hash."""
    out = bytearray(data)
    if len(out) < HEADER_BYTES:
        return data
    struct.pack_into("<I", out, 16, zlib.crc32(out[:16]))
    for id, start, payload, end in sections(out):
        if id == b"SEGT":
            for entry in range(payload + 4, end - 39, 40):
                struct.pack_into("<I", out, entry + 36, zlib.crc32(out[entry : entry + 36]))
        if id == b"ENDM" and end - payload == 40:
            out[payload + 8 : end] = hashlib.sha256(out[:start]).digest()
        struct.pack_into("<I", out, end, zlib.crc32(out[start:end]))
    return bytes(out)
