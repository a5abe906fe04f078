"""(2.7) INDX, the index: where every section is, and what every chunk holds.

| type   | field         | value |
|--------|---------------|-------|
| u32    | entry_count   | |
|        | entries       | entry_count times, 20 bytes: |
| u8[4]  | id            | |
| u64    | offset        | from the start of the file |
| u64    | size          | of the whole section |
| u32    | chunk_count   | |
|        | chunks        | chunk_count times, 72 bytes: |
| u64    | first_splat   | sum of the counts before |
| u32    | splat_count   | |
| u8     | layer         | |
| u8[3]  | reserved      | 0 |
| u64    | decoded_bytes | splat_count times the bytes of a decoded splat |
| f32[6] | bounds        | of the centres: minimum xyz, maximum xyz |
| f32[6] | extents       | of the 3-sigma ellipsoids |
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gscodec.container.chunk import ChunkHeader
from gscodec.container.scene import Floats6, SceneHeader, check_bounds
from gscodec.container.section import (
    SECTION_FRAME_BYTES,
    SectionHeader,
    is_section_id,
    wrong_length,
)
from gscodec.errors import LimitError, Malformed, Unsupported
from gscodec.limits import Limits

ENTRY_BYTES = 20
CHUNK_BYTES = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """Where one section is."""

    id: bytes
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChunk:
    """What one chunk holds."""

    first_splat: int
    splat_count: int
    layer: int
    decoded_bytes: int
    bounds: Floats6
    extents: Floats6


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The payload of INDX, and where it stands in the file."""

    entries: tuple[IndexEntry, ...]
    chunks: tuple[IndexChunk, ...]
    offset: int

    def entry_offset(self, i: int) -> int:
        """Where entry `i` stands in the file."""
        return self.offset + 4 + ENTRY_BYTES * i

    def chunk_offset(self, i: int) -> int:
        """Where the facts of chunk `i` stand in the file."""
        return self.entry_offset(len(self.entries)) + 4 + CHUNK_BYTES * i


def index_payload_bytes(entry_count: int, chunk_count: int) -> int:
    """(2.7) Bytes of the payload."""
    return 8 + ENTRY_BYTES * entry_count + CHUNK_BYTES * chunk_count


def read_index(payload: memoryview, at: int, *, first_section: int, limits: Limits) -> Index:
    """(2.7) The payload of INDX at `at`, checked against itself.

    `first_section` is the offset of the first section that it lists.
    """
    if len(payload) < 8:
        raise wrong_length("INDX", at)
    (entry_count,) = struct.unpack_from("<I", payload)
    if entry_count > limits.sections:
        raise LimitError(
            "limit.sections",
            f"{entry_count} sections; at most {limits.sections} are allowed",
            clause="2.7",
            section="INDX",
            offset=at,
        )
    middle = 4 + ENTRY_BYTES * entry_count
    if len(payload) < middle + 4:
        raise wrong_length("INDX", at)
    (chunk_count,) = struct.unpack_from("<I", payload, middle)
    if len(payload) != index_payload_bytes(entry_count, chunk_count):
        raise wrong_length("INDX", at)
    entries = _read_entries(payload[4:middle], at + 4, first_section, limits)
    if sum(entry.id == b"CHNK" for entry in entries) != chunk_count:
        raise _wrong(f"{chunk_count} chunks are described, but not as many listed", at + middle)
    chunks = _read_chunks(payload[middle + 4 :], at + middle + 4)
    return Index(entries=entries, chunks=chunks, offset=at)


def write_index(entries: Sequence[IndexEntry], chunks: Sequence[IndexChunk]) -> bytes:
    """(2.7) The payload of INDX."""
    parts = [struct.pack("<I", len(entries))]
    parts += [struct.pack("<4sQQ", entry.id, entry.offset, entry.size) for entry in entries]
    parts += [struct.pack("<I", len(chunks))]
    for chunk in chunks:
        head = struct.pack("<QIB3xQ", chunk.first_splat, chunk.splat_count, chunk.layer, chunk.decoded_bytes)
        parts.append(head + struct.pack("<12f", *chunk.bounds, *chunk.extents))
    return b"".join(parts)


def _read_entries(data: memoryview, at: int, expected: int, limits: Limits) -> tuple[IndexEntry, ...]:
    entries: list[IndexEntry] = []
    for id, offset, size in struct.iter_unpack("<4sQQ", data):
        if not is_section_id(id):
            raise _wrong(f"{id!r} is no section id", at)
        if offset != expected:
            raise _wrong(f"offset {offset}; the section before ends at {expected}", at + 4)
        if not SECTION_FRAME_BYTES <= size <= SECTION_FRAME_BYTES + limits.section_bytes:
            raise _wrong(f"no section has {size} bytes", at + 12)
        entries.append(IndexEntry(id=id, offset=offset, size=size))
        expected += size
        at += ENTRY_BYTES
    return tuple(entries)


def _read_chunks(data: memoryview, at: int) -> tuple[IndexChunk, ...]:
    chunks: list[IndexChunk] = []
    expected = 0
    for first, count, layer, reserved, size, *floats in struct.iter_unpack("<QIB3sQ12f", data):
        bounds: Floats6 = (floats[0], floats[1], floats[2], floats[3], floats[4], floats[5])
        extents: Floats6 = (floats[6], floats[7], floats[8], floats[9], floats[10], floats[11])
        if first != expected:
            raise _wrong(f"first splat {first}; the chunks before hold {expected}", at)
        if reserved != b"\0\0\0":
            raise Unsupported(
                "container.reserved", "reserved bytes are not 0", clause="2.7", section="INDX", offset=at + 13
            )
        check_bounds(bounds, at + 24, "2.7", "INDX")
        check_bounds(extents, at + 48, "2.7", "INDX")
        chunks.append(
            IndexChunk(
                first_splat=first,
                splat_count=count,
                layer=layer,
                decoded_bytes=size,
                bounds=bounds,
                extents=extents,
            )
        )
        expected += count
        at += CHUNK_BYTES
    return tuple(chunks)


def check_index_entry(index: Index, i: int, section: SectionHeader) -> None:
    """(2.7) Section `i` of the file is the one that the index names."""
    if i >= len(index.entries):
        raise _wrong(f"the section at byte {section.offset} is not listed", index.offset)
    entry = index.entries[i]
    if entry.id != section.id:
        found = section.id.decode()
        raise _wrong(f"entry {i} is {entry.id.decode()}, the file has {found}", index.entry_offset(i))
    if entry.size != section.size:
        raise _wrong(f"entry {i} has {entry.size} bytes, the file {section.size}", index.entry_offset(i) + 12)


def check_index_chunk(index: Index, i: int, chunk: ChunkHeader, scene: SceneHeader) -> None:
    """(2.7) Chunk `i` of the file is what the index says."""
    facts, at = index.chunks[i], index.chunk_offset(i)
    if facts.splat_count != chunk.splat_count:
        raise _wrong(f"chunk {i} has {chunk.splat_count} splats, not {facts.splat_count}", at + 8)
    if facts.layer != chunk.layer:
        raise _wrong(f"chunk {i} is in layer {chunk.layer}, not {facts.layer}", at + 12)
    size = chunk.splat_count * scene.decoded_bytes_per_splat
    if facts.decoded_bytes != size:
        raise _wrong(f"chunk {i} decodes to {size} bytes, not {facts.decoded_bytes}", at + 16)


def check_index_complete(index: Index, count: int) -> None:
    """(2.7) The index names no section that is not there."""
    if count != len(index.entries):
        raise _wrong(f"{len(index.entries)} sections are listed, the file has {count}", index.offset)


def _wrong(message: str, offset: int) -> Malformed:
    return Malformed("container.index", message, clause="2.7", section="INDX", offset=offset)
