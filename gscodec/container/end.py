"""(2.10) ENDM, the end mark.

| offset | type   | field       | value |
|--------|--------|-------------|-------|
| 0      | u64    | splat_count | of all chunks |
| 8      | u8[32] | sha256      | of every byte before this section; file mode only |
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from gscodec.container.section import wrong_length
from gscodec.errors import Integrity

COUNT_BYTES = 8
HASH_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EndMark:
    """What ENDM says; stream mode has no hash."""

    splat_count: int
    sha256: bytes | None = None


def read_end_mark(payload: memoryview, at: int, *, stream_mode: bool, sha256: bytes | None) -> EndMark:
    """(2.10) The payload of ENDM at `at`; `sha256` is of the bytes before, None when it is not verified."""
    if len(payload) != (COUNT_BYTES if stream_mode else COUNT_BYTES + HASH_BYTES):
        raise wrong_length("ENDM", at)
    stored = None if stream_mode else bytes(payload[COUNT_BYTES:])
    if stored is not None and sha256 is not None and stored != sha256:
        raise Integrity(
            "container.hash",
            "the SHA-256 of the file is not the one in its end mark",
            clause="2.10",
            section="ENDM",
            offset=at + COUNT_BYTES,
        )
    return EndMark(splat_count=struct.unpack_from("<Q", payload)[0], sha256=stored)


def write_end_mark(mark: EndMark) -> bytes:
    """(2.10) The payload of ENDM."""
    return struct.pack("<Q", mark.splat_count) + (mark.sha256 or b"")
