"""(2.12) META: text about the file. Decoders of splats skip it; what is wrong here harms nothing else.

| offset | type  | field       | value |
|--------|-------|-------------|-------|
| 0      | u8    | kind        | table |
| 1      | u8    | compression | table |
| 2      | u16   | reserved    | 0 |
| 4      | u64   | size        | bytes of the text |
| 12     |       | data        | UTF-8, compressed as stated |
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

from gscodec._generated import meta_compressions, meta_kinds
from gscodec.errors import EncodeError, LimitError, Malformed, Unsupported, UsageError
from gscodec.limits import Limits

FIXED_BYTES = 12
VALUES = {name: value for value, name in meta_kinds.NAMES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Text about a file. `kind` is "comment" (lines), "json" or "xmp"."""

    kind: str
    text: str


class MetadataReader:
    """(2.12) Reads the META sections of one file, which have limits together."""

    def __init__(self, limits: Limits) -> None:
        self.found: list[Metadata] = []
        self._limits = limits
        self._bytes = 0

    def add(self, payload: memoryview, at: int) -> None:
        """The payload of the next META, which stands at `at`. Raises `StreamError`."""
        if len(self.found) >= self._limits.meta_sections:
            most = self._limits.meta_sections
            raise LimitError("limit.meta_sections", f"more than {most} sections", **_place(at - 16))
        if len(payload) < FIXED_BYTES:
            raise Malformed("meta.length", f"a payload of {len(payload)} bytes", **_place(at))
        kind, compression, reserved, size = struct.unpack_from("<BBHQ", payload)
        if kind not in meta_kinds.NAMES:
            raise Unsupported("meta.kind", f"kind {kind}", **_place(at))
        if compression not in meta_compressions.NAMES:
            raise Unsupported("meta.compression", f"compression {compression}", **_place(at + 1))
        if reserved:
            raise Unsupported("meta.reserved", "a reserved field is not 0", **_place(at + 2))
        if self._bytes + size > self._limits.meta_bytes:
            most = self._limits.meta_bytes
            raise LimitError(
                "limit.meta_bytes", f"{self._bytes + size} bytes; at most {most}", **_place(at + 4)
            )
        data = payload[FIXED_BYTES:]
        if compression == meta_compressions.DEFLATE:
            raw = inflated(data, size, at + FIXED_BYTES)
        elif len(data) != size:
            raise Malformed("meta.length", f"{len(data)} bytes, not {size}", **_place(at + 4))
        else:
            raw = bytes(data)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise Malformed("meta.text", "the text is not UTF-8", **_place(at + FIXED_BYTES)) from None
        self._bytes += size
        self.found.append(Metadata(kind=meta_kinds.NAMES[kind], text=text))


def stated_size(payload: bytes) -> int:
    """(2.12) The bytes of the text in a META payload as it says itself; 0 where it says nothing."""
    return int(struct.unpack_from("<Q", payload, 4)[0]) if len(payload) >= FIXED_BYTES else 0


def is_comment(payload: bytes | memoryview) -> bool:
    """(2.12) Whether a META payload, or the start of one, is of kind comment."""
    return bytes(payload[:1]) == bytes([meta_kinds.COMMENT])


def inflated(data: memoryview, size: int, at: int) -> bytes:
    """(2.12) The `size` bytes of a zlib stream; never takes memory for more. Raises `Malformed`."""
    machine = zlib.decompressobj()
    try:
        raw = machine.decompress(data, size + 1)
    except zlib.error as error:
        raise Malformed("meta.deflate", f"{error}", **_place(at)) from None
    if len(raw) != size or not machine.eof or machine.unused_data:
        raise Malformed("meta.deflate", f"no zlib stream of {size} bytes", **_place(at))
    return raw


def write_metadata(metadata: Metadata) -> bytes:
    """(2.12) The payload of META, compressed if that is smaller. Raises `UsageError`, `EncodeError`."""
    if metadata.kind not in VALUES:
        raise UsageError("usage.metadata", f"kind {metadata.kind!r}: expected one of {', '.join(VALUES)}")
    try:
        raw = metadata.text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("usage.metadata", "the text has half of a surrogate pair") from error
    most = Limits.of_level(1).meta_bytes
    if len(raw) > most:
        raise EncodeError("encode.metadata", f"metadata of {len(raw):,} bytes: a file holds at most {most:,}")
    packed = zlib.compress(raw, 9)
    is_smaller = len(packed) < len(raw)
    compression = meta_compressions.DEFLATE if is_smaller else meta_compressions.NONE
    start = struct.pack("<BBHQ", VALUES[metadata.kind], compression, 0, len(raw))
    return start + (packed if is_smaller else raw)


def _place(offset: int) -> dict[str, Any]:
    """Where an error is."""
    return {"clause": "2.12", "section": "META", "offset": offset}
