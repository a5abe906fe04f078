"""(2.12, 2.13) Metadata and thumbnail, for readers that want them. Decoders of splats do without."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from gscodec._generated import meta_compressions, meta_kinds, thumbnail_kinds
from gscodec.errors import LimitError, Malformed, Unsupported
from gscodec.reference.container import Container, Section, limit

SIGNATURES = {thumbnail_kinds.PNG: (0, b"\x89PNG\r\n\x1a\n"), thumbnail_kinds.WEBP: (8, b"WEBP")}


@dataclass
class Thumbnail:
    """(2.13) A small picture."""

    kind: int
    width: int
    height: int
    image: bytes


def metadata_of(container: Container) -> list[tuple[int, str]]:
    """(2.12) Kind and text of every META section of a complete container."""
    found: list[tuple[int, str]] = []
    left = limit(container.header, "meta_bytes")
    for section in container.skipped:
        if section.id != b"META":
            continue
        if len(found) >= limit(container.header, "meta_sections"):
            raise LimitError("limit.meta_sections", "one more", clause="2.12", offset=section.start)
        kind, text, size = read_metadata(section, left)
        found.append((kind, text))
        left -= size
    return found


def read_metadata(section: Section, left: int) -> tuple[int, str, int]:
    """(2.12) Kind, text and size in bytes of META, of which `left` are allowed."""
    at, payload = section.start + 16, section.payload
    if len(payload) < 12:
        raise Malformed("meta.length", "too short", clause="2.12", offset=at)
    kind, compression, reserved, size = struct.unpack_from("<BBHQ", payload, 0)
    if kind not in meta_kinds.NAMES:
        raise Unsupported("meta.kind", f"kind {kind}", clause="2.12", offset=at)
    if compression not in meta_compressions.NAMES:
        raise Unsupported("meta.compression", f"{compression}", clause="2.12", offset=at + 1)
    if reserved != 0:
        raise Unsupported("meta.reserved", "reserved field", clause="2.12", offset=at + 2)
    if size > left:
        raise LimitError("limit.meta_bytes", f"{size} bytes", clause="2.12", offset=at + 4)
    data = payload[12:]
    if compression == meta_compressions.DEFLATE:
        data = inflate(data, size, at + 12)
    elif len(data) != size:
        raise Malformed("meta.length", f"not {size} bytes", clause="2.12", offset=at + 4)
    try:
        return kind, data.decode("utf-8"), size
    except UnicodeDecodeError:
        raise Malformed("meta.text", "not UTF-8", clause="2.12", offset=at + 12) from None


def inflate(data: bytes, size: int, at: int) -> bytes:
    """(2.12) The `size` bytes of a zlib stream that nothing follows."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(
            data, size + 1
        )  # one more than wanted would be enough to see that it is wrong
    except zlib.error:
        text = b""
    if not stream.eof or stream.unused_data or len(text) != size:
        raise Malformed("meta.deflate", f"no stream of {size} bytes", clause="2.12", offset=at)
    return text


def thumbnail_of(container: Container) -> Thumbnail | None:
    """(2.13) The thumbnail of a complete container."""
    found = None
    for section in container.skipped:
        if section.id != b"THMB":
            continue
        if found is not None:
            raise Malformed("thmb.repeated", "a second one", clause="2.13", offset=section.start)
        found = read_thumbnail(section)
    return found


def read_thumbnail(section: Section) -> Thumbnail:
    """(2.13) The payload of THMB."""
    at, payload = section.start + 16, section.payload
    if len(payload) < 8:
        raise Malformed("thmb.length", "too short", clause="2.13", offset=at)
    kind, first, width, height, second = struct.unpack_from("<BBHHH", payload, 0)
    if kind not in thumbnail_kinds.NAMES:
        raise Unsupported("thmb.kind", f"kind {kind}", clause="2.13", offset=at)
    if first != 0:
        raise Unsupported("thmb.reserved", "reserved byte", clause="2.13", offset=at + 1)
    if width == 0:
        raise Malformed("thmb.size", "no width", clause="2.13", offset=at + 2)
    if height == 0:
        raise Malformed("thmb.size", "no height", clause="2.13", offset=at + 4)
    if second != 0:
        raise Unsupported("thmb.reserved", "reserved field", clause="2.13", offset=at + 6)
    image = payload[8:]
    place, signature = SIGNATURES[kind]
    is_riff = kind != thumbnail_kinds.WEBP or image[:4] == b"RIFF"
    if image[place : place + len(signature)] != signature or not is_riff:
        raise Malformed("thmb.image", "another kind of file", clause="2.13", offset=at + 8)
    return Thumbnail(kind, width, height, image)
