"""(12.10) TENS, for readers that want it. Decoders of splats do without."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

from gscodec._generated import meta_compressions, tens_kinds
from gscodec.errors import LimitError, Malformed, Unsupported
from gscodec.reference.container import FileHeader, Section, limit


def tensors_of(skipped: Iterable[Section], header: FileHeader) -> tuple[int, bytes] | None:
    """(12.10) Kind and data of the TENS of a complete file of any profile."""
    found = None
    for section in skipped:
        if section.id == b"TENS":
            if found is not None:
                raise Malformed("tens.repeated", "a second one", clause="12.10", offset=section.start)
            found = read_tensors(section, header)
    return found


def read_tensors(section: Section, header: FileHeader) -> tuple[int, bytes]:
    """(12.10) The payload of TENS."""
    at, payload = section.start + 16, section.payload
    if len(payload) < 12:
        raise Malformed("tens.length", "too short", clause="12.10", offset=at)
    kind, compression, reserved, size = struct.unpack_from("<BBHQ", payload, 0)
    if kind not in tens_kinds.NAMES:
        raise Unsupported("tens.kind", f"kind {kind}", clause="12.10", offset=at)
    if compression not in meta_compressions.NAMES:
        raise Unsupported("tens.compression", f"{compression}", clause="12.10", offset=at + 1)
    if reserved != 0:
        raise Unsupported("tens.reserved", "reserved field", clause="12.10", offset=at + 2)
    if size > limit(header, "tens_bytes"):
        raise LimitError("limit.tens_bytes", f"{size} bytes", clause="12.10", offset=at + 4)
    data = payload[12:]
    if compression == meta_compressions.NONE:
        if len(data) != size:
            raise Malformed("tens.length", f"not {size} bytes", clause="12.10", offset=at + 4)
        return kind, data
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(data, size + 1)
    except zlib.error:
        raw = b""
    if not stream.eof or stream.unused_data or len(raw) != size:
        raise Malformed("tens.deflate", f"no stream of {size} bytes", clause="12.10", offset=at + 12)
    return kind, raw
