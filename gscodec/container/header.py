"""(2.3) The file header: the first 20 bytes of every version of the format.

| offset | type  | field     | value |
|--------|-------|-----------|-------|
| 0      | u8[8] | signature | 89 47 53 43 0D 0A 1A 0A |
| 8      | u8    | major     | 0 |
| 9      | u8    | minor     | 4 |
| 10     | u8    | profile   | table of profiles |
| 11     | u8    | level     | 1 or 2 |
| 12     | u32   | flags     | bit 0: stream mode; others reserved |
| 16     | u32   | crc       | CRC-32 of bytes 0 to 15 |
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from gscodec._generated import profiles
from gscodec.errors import Integrity, Malformed, Unsupported
from gscodec.limits import LEVELS

SIGNATURE = bytes.fromhex("89475343 0D0A1A0A")
VERSION = (0, 4)
HEADER_BYTES = 20
STREAM_MODE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHeader:
    """What the file header says; the version is the only one that this package reads."""

    profile: int = profiles.CORE
    level: int = 1
    stream_mode: bool = False


def check_signature(start: bytes | memoryview) -> None:
    """(2.3) `start` is the signature, or as much of it as there is so far."""
    if bytes(start[:8]) != SIGNATURE[: len(start)]:
        raise Malformed(
            "container.signature",
            "this is not a .gsc file, or it was altered as text in transfer",
            clause="2.3",
            offset=0,
        )


def read_file_header(data: memoryview, *, verify: bool = True) -> FileHeader:
    """(2.3) The header in the first 20 bytes of `data`."""
    check_signature(data[:8])
    major, minor, profile, level, flags, crc = struct.unpack_from("<4BII", data, 8)
    if verify and crc != zlib.crc32(data[:16]):
        raise Integrity("container.crc", "the file header is damaged", clause="2.3", offset=16)
    if (major, minor) != VERSION:
        raise Unsupported(
            "container.version",
            f"the file has format version {major}.{minor}; this decoder reads {VERSION[0]}.{VERSION[1]}",
            clause="2.3",
            offset=8 if major != VERSION[0] else 9,
        )
    if profile not in profiles.NAMES:
        raise Unsupported("container.profile", f"unknown profile {profile}", clause="2.3", offset=10)
    if level not in LEVELS:
        raise Unsupported("container.level", f"unknown level {level}", clause="2.3", offset=11)
    if flags & ~STREAM_MODE:
        raise Unsupported("container.flags", f"reserved bits in flags {flags:#x}", clause="2.3", offset=12)
    return FileHeader(profile=profile, level=level, stream_mode=bool(flags & STREAM_MODE))


def write_file_header(header: FileHeader) -> bytes:
    """(2.3) The 20 bytes."""
    flags = STREAM_MODE if header.stream_mode else 0
    start = SIGNATURE + struct.pack("<4BI", *VERSION, header.profile, header.level, flags)
    return start + struct.pack("<I", zlib.crc32(start))
