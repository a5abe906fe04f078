"""(12.2 to 12.4) TIME, SEGT and SEGM, and what is known of a file of the dynamic profile."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from gscodec._generated import temporal_kernels
from gscodec.errors import Integrity, LimitError, Malformed, Unsupported
from gscodec.reference.container import (
    Chunk,
    Container,
    FileHeader,
    Parameters,
    SceneHeader,
    Section,
    check_bounds,
    check_decoded_bytes,
    limit,
    wrong_length,
)

FARTHEST = 2**52  # ticks from 0
UNKNOWN_DURATION = 2**64 - 1
UNKNOWN_SEGMENTS = 2**32 - 1
SEGM_BYTES = 56  # of the whole section
ENTRY_BYTES = 40


@dataclass
class Time:
    """(12.2) The fields of TIME."""

    rate: int
    scale: int
    frame_ticks: int
    kernel: int
    start: int
    duration: int
    segment_count: int
    bounds: tuple[float, ...]


@dataclass
class Entry:
    """(12.3) One segment in the table."""

    start: int
    duration: int
    splat_count: int
    offset: int
    size: int
    chunk_count: int
    position: int  # of this entry in the file, for error messages


@dataclass
class Segment:
    """(12.4) The fields of SEGM, and the sections of the segment after it."""

    number: int
    start: int
    duration: int
    splat_count: int
    chunk_count: int
    frames: int
    size: int
    position: int  # of SEGM in the file
    parameters: dict[int, Parameters] = field(default_factory=dict)
    chunks: list[Chunk] = field(default_factory=list)
    moves: list[int] = field(default_factory=list)  # numbers of chunks of the static layer
    listed: list[tuple[Section, Chunk | None]] = field(default_factory=list)
    splats: int = 0

    def end(self) -> int:
        """(12.4) Where the segment ends in the file."""
        return self.position + self.size


@dataclass
class Timeline:
    """(12.1) A file; `static` holds file header, scene header and static layer, like a core file."""

    static: Container
    time: Time | None = None
    table: list[Entry] | None = None
    table_position: int = 0
    segments: list[Segment] = field(default_factory=list)
    sections: int = 0
    splats: int = 0  # of all chunks
    skipped: list[Section] = field(default_factory=list)  # META and others, wherever they stand
    sha256: bytes | None = None


def scene_of(static: Container) -> SceneHeader:
    """(12.1) SCEN, which the order puts first."""
    if static.scene is None:
        raise Malformed("container.order", "no scene header", clause="2.5")
    return static.scene


def time_of(timeline: Timeline) -> Time:
    """(12.1) TIME, which the order puts behind SCEN."""
    if timeline.time is None:
        raise Malformed("container.order", "no TIME", clause="2.5")
    return timeline.time


# ------------------------------------------------------------ time: 12.2


def read_time(section: Section, header: FileHeader) -> Time:
    """(12.2) The payload of TIME."""
    at, payload = section.start + 16, section.payload
    if len(payload) != 60:
        raise wrong_length(section)
    rate, scale, frame_ticks, kernel, reserved, start, duration, count = struct.unpack_from(
        "<3IB3sqQI", payload, 0
    )
    time = Time(
        rate, scale, frame_ticks, kernel, start, duration, count, struct.unpack_from("<6f", payload, 36)
    )
    if time.rate == 0:
        raise Malformed("timeline.range", "no rate", clause="12.2", offset=at)
    if time.scale == 0:
        raise Malformed("timeline.range", "no scale", clause="12.2", offset=at + 4)
    if time.kernel not in temporal_kernels.NAMES:
        raise Unsupported("container.value", f"kernel {time.kernel}", clause="12.2", offset=at + 12)
    if reserved != bytes(3):
        raise Unsupported("container.reserved", "reserved bytes", clause="12.2", offset=at + 13)
    if abs(time.start) > FARTHEST:
        raise Malformed("timeline.range", f"start {time.start}", clause="12.2", offset=at + 16)
    is_unknown = header.stream_mode and time.duration == UNKNOWN_DURATION
    if time.duration >= FARTHEST and not is_unknown:
        raise Malformed("timeline.range", f"duration {time.duration}", clause="12.2", offset=at + 24)
    if time.segment_count == UNKNOWN_SEGMENTS:
        if not header.stream_mode:
            raise Malformed("timeline.range", "unknown segments", clause="12.2", offset=at + 32)
    elif time.segment_count > limit(header, "sections"):
        raise LimitError("limit.sections", f"{count} segments", clause="12.2", offset=at + 32)
    check_bounds(time.bounds, at + 36, clause="12.2")
    return time


def end_of(time: Time) -> int | None:
    """(12.2) The tick at which the scene ends; None where it is unknown."""
    return None if time.duration == UNKNOWN_DURATION else time.start + time.duration


# ------------------------------------------------------------ the table of segments: 12.3


def read_table(section: Section, timeline: Timeline, verify: bool) -> list[Entry]:
    """(12.3) The payload of SEGT: in file mode checked against itself, in stream mode against the file."""
    at, payload, time = section.start + 16, section.payload, time_of(timeline)
    stream_mode = timeline.static.header.stream_mode
    if len(payload) < 4:
        raise wrong_length(section)
    (count,) = struct.unpack_from("<I", payload, 0)
    if count > limit(timeline.static.header, "sections"):
        raise LimitError("limit.sections", f"{count} segments", clause="12.3", offset=at)
    if len(payload) != 4 + ENTRY_BYTES * count:
        raise wrong_length(section)
    if count != (len(timeline.segments) if stream_mode else time.segment_count):
        raise Malformed("timeline.table", f"{count} segments", clause="12.3", offset=at)
    entries: list[Entry] = []
    for i in range(count):
        position = at + 4 + ENTRY_BYTES * i
        entry = read_entry(payload[4 + ENTRY_BYTES * i :][:ENTRY_BYTES], position, verify)
        if stream_mode:
            check_listed(entry, timeline.segments[i])
        else:
            check_entry(entry, entries[-1] if entries else None, section, time)
        entries.append(entry)
    return entries


def read_entry(data: bytes, position: int, verify: bool) -> Entry:
    """(12.3) One entry, by its own checksum."""
    start, duration, splats, offset, size, chunks, crc = struct.unpack("<qIIQQII", data)
    if verify and crc != zlib.crc32(data[:36]):
        raise Integrity("container.crc", "an entry is damaged", clause="12.3", offset=position + 36)
    return Entry(start, duration, splats, offset, size, chunks, position)


def check_entry(entry: Entry, before: Entry | None, table: Section, time: Time) -> None:
    """(12.3) Times that ascend within the scene, and segments that stand one after the other."""
    at, end = entry.position, end_of(time)
    if entry.start < (before.start + before.duration if before else time.start):
        raise Malformed("timeline.table", f"start {entry.start}", clause="12.3", offset=at)
    if entry.duration == 0 or (end is not None and entry.start + entry.duration > end):
        raise Malformed("timeline.table", f"duration {entry.duration}", clause="12.3", offset=at + 8)
    is_right = entry.offset == before.offset + before.size if before else entry.offset >= table.end
    if not is_right or entry.offset >= 2**63:
        raise Malformed("timeline.table", f"offset {entry.offset}", clause="12.3", offset=at + 16)
    if not SEGM_BYTES <= entry.size < 2**63:
        raise Malformed("timeline.table", f"size {entry.size}", clause="12.3", offset=at + 24)


def check_listed(entry: Entry, segment: Segment) -> None:
    """(12.3) The table says of a segment what the segment says."""
    for name, field_at, listed, found in [
        ("start", 0, entry.start, segment.start),
        ("duration", 8, entry.duration, segment.duration),
        ("splats", 12, entry.splat_count, segment.splat_count),
        ("offset", 16, entry.offset, segment.position),
        ("size", 24, entry.size, segment.size),
        ("chunks", 32, entry.chunk_count, segment.chunk_count),
    ]:
        if listed != found:
            raise Malformed(
                "timeline.table", f"{name} {listed}", clause="12.3", offset=entry.position + field_at
            )


# ------------------------------------------------------------ segments: 12.4


def read_segment(section: Section, timeline: Timeline) -> Segment:
    """(12.4) The payload of SEGM."""
    at, header, time = section.start + 16, timeline.static.header, time_of(timeline)
    if len(section.payload) != 36:
        raise wrong_length(section)
    number, start, duration, splats, chunks, frames, size = struct.unpack("<Iq4IQ", section.payload)
    segment = Segment(number, start, duration, splats, chunks, frames, size, section.start)
    before, end = timeline.segments[-1] if timeline.segments else None, end_of(time)
    if before is not None and segment.number <= before.number:
        raise Malformed("timeline.order", f"number {segment.number}", clause="12.4", offset=at)
    if abs(segment.start) > FARTHEST or segment.start < time.start:
        raise Malformed("timeline.range", f"start {segment.start}", clause="12.4", offset=at + 4)
    if before is not None and segment.start < before.start + before.duration:
        raise Malformed("timeline.order", f"start {segment.start}", clause="12.4", offset=at + 4)
    if segment.duration == 0 or (end is not None and segment.start + segment.duration > end):
        raise Malformed("timeline.range", f"duration {segment.duration}", clause="12.4", offset=at + 12)
    total = timeline.static.splats + segment.splat_count
    if total > limit(header, "splats"):
        raise LimitError("limit.splats", f"{total} splats", clause="12.4", offset=at + 16)
    check_decoded_bytes(total, scene_of(timeline.static), header, at + 16)
    if segment.chunk_count > limit(header, "sections"):
        raise LimitError("limit.sections", "chunks", clause="12.4", offset=at + 20)
    if not SEGM_BYTES <= segment.size < 2**63:
        raise Malformed("timeline.range", f"size {segment.size}", clause="12.4", offset=at + 28)
    if len(timeline.segments) >= time.segment_count:
        raise Malformed("timeline.count", "a segment more", clause="12.4", offset=at)
    if timeline.table is not None:
        check_listed(timeline.table[len(timeline.segments)], segment)
    return segment
