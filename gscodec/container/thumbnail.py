"""(2.13) THMB: a small picture of the scene. Decoders of splats skip it.

| offset | type | field    | value |
|--------|------|----------|-------|
| 0      | u8   | kind     | table |
| 1      | u8   | reserved | 0 |
| 2      | u16  | width    | pixels, 1 or more |
| 4      | u16  | height   | pixels, 1 or more |
| 6      | u16  | reserved | 0 |
| 8      |      | image    | a PNG or WebP file |
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from gscodec._generated import thumbnail_kinds
from gscodec.errors import Malformed, Unsupported, UsageError

FIXED_BYTES = 8
VALUES = {name: value for value, name in thumbnail_kinds.NAMES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small picture: a file of `kind` "png" or "webp", and its size in pixels."""

    kind: str
    width: int
    height: int
    data: bytes


def is_picture(kind: str, data: bytes) -> bool:
    """(2.13) Whether a file begins as one of its kind does."""
    if kind == "png":
        return data[:8] == b"\x89PNG\r\n\x1a\n"
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_thumbnail(payload: memoryview, at: int) -> Thumbnail:
    """(2.13) The payload of THMB, which stands at `at`. Raises `StreamError` "thmb.*"."""
    if len(payload) < FIXED_BYTES:
        raise Malformed("thmb.length", f"a payload of {len(payload)} bytes", **_place(at))
    number, first, width, height, second = struct.unpack_from("<BBHHH", payload)
    if number not in thumbnail_kinds.NAMES:
        raise Unsupported("thmb.kind", f"kind {number}", **_place(at))
    if first:
        raise Unsupported("thmb.reserved", "a reserved byte is not 0", **_place(at + 1))
    if not width:
        raise Malformed("thmb.size", "no width", **_place(at + 2))
    if not height:
        raise Malformed("thmb.size", "no height", **_place(at + 4))
    if second:
        raise Unsupported("thmb.reserved", "a reserved field is not 0", **_place(at + 6))
    kind, data = thumbnail_kinds.NAMES[number], bytes(payload[FIXED_BYTES:])
    if not is_picture(kind, data):
        raise Malformed("thmb.image", f"this is no {kind} file", **_place(at + FIXED_BYTES))
    return Thumbnail(kind=kind, width=width, height=height, data=data)


def write_thumbnail(thumbnail: Thumbnail) -> bytes:
    """(2.13) The payload of THMB. Raises `UsageError`."""
    sizes = (thumbnail.width, thumbnail.height)
    if thumbnail.kind not in VALUES or not is_picture(thumbnail.kind, thumbnail.data):
        raise UsageError("usage.thumbnail", f"the picture is no {thumbnail.kind} file")
    if not all(1 <= size <= 65_535 for size in sizes):
        raise UsageError("usage.thumbnail", f"{sizes[0]} x {sizes[1]} pixels: expected 1 to 65535 a side")
    return struct.pack("<BBHHH", VALUES[thumbnail.kind], 0, *sizes, 0) + thumbnail.data


def _place(offset: int) -> dict[str, Any]:
    """Where an error is."""
    return {"clause": "2.13", "section": "THMB", "offset": offset}
