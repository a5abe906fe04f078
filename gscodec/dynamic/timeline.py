"""(12.2 to 12.4) TIME, SEGT and SEGM, read and written side by side.

TIME:

| offset | type   | field         | value |
|--------|--------|---------------|-------|
| 0      | u32    | rate          | 1 or more |
| 4      | u32    | scale         | 1 or more; seconds = ticks * scale / rate |
| 8      | u32    | frame_ticks   | ticks from frame to frame; 0: no frames |
| 12     | u8     | kernel        | table of temporal kernels |
| 13     | u8[3]  | reserved      | 0 |
| 16     | i64    | start         | ticks, magnitude at most 2^52 |
| 24     | u64    | duration      | ticks, below 2^52; 2^64 - 1: unknown (stream mode only) |
| 32     | u32    | segment_count | 2^32 - 1: unknown (stream mode only) |
| 36     | f32[6] | bounds        | of the centres at all times; all 0: unknown |

SEGT is u32 count and count entries of 40 bytes:

| offset | type   | field         | value |
|--------|--------|---------------|-------|
| 0      | i64    | start         | ticks |
| 8      | u32    | duration      | ticks |
| 12     | u32    | splat_count   | |
| 16     | u64    | offset        | of SEGM in the file |
| 24     | u64    | size          | bytes of all sections of the segment |
| 32     | u32    | chunk_count   | |
| 36     | u32    | crc           | CRC-32 of the 36 bytes before |

SEGM:

| offset | type   | field         | value |
|--------|--------|---------------|-------|
| 0      | u32    | number        | above that of the segment before |
| 4      | i64    | start         | ticks, magnitude at most 2^52 |
| 12     | u32    | duration      | ticks, 1 or more |
| 16     | u32    | splat_count   | |
| 20     | u32    | chunk_count   | |
| 24     | u32    | frames        | of the source; 0: unknown |
| 28     | u64    | size          | bytes of all sections of the segment, SEGM included |
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from gscodec._generated import temporal_kernels
from gscodec.container.scene import Floats6, check_bounds
from gscodec.container.section import wrong_length
from gscodec.errors import Integrity, LimitError, Malformed, Unsupported
from gscodec.limits import Limits

TIME_BYTES = 60
SEGM_BYTES = 36
ENTRY_BYTES = 40
SMALLEST_SEGMENT = 20 + SEGM_BYTES
FARTHEST = 1 << 52
UNKNOWN_DURATION = (1 << 64) - 1
UNKNOWN_SEGMENTS = (1 << 32) - 1
MOST_BYTES = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """(12.2) What TIME says; `duration` and `segment_count` are None where they are unknown."""

    rate: int
    scale: int = 1
    start: int = 0
    duration: int | None = None
    segment_count: int | None = None
    frame_ticks: int = 0
    kernel: int = temporal_kernels.NONE
    bounds: Floats6 = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    @property
    def end(self) -> int | None:
        """The first tick after the scene; None where it is unknown."""
        return None if self.duration is None else self.start + self.duration

    def seconds(self, ticks: int) -> Fraction:
        """What so many ticks take."""
        return Fraction(ticks * self.scale, self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """(12.4) What SEGM says; `offset` is where the section stands. Times are in ticks."""

    number: int
    start: int
    duration: int
    splat_count: int
    chunk_count: int
    size: int
    frames: int = 0
    offset: int = 0

    @property
    def end(self) -> int:
        """The first tick after the segment."""
        return self.start + self.duration

    @property
    def end_offset(self) -> int:
        """Where its sections end in the file."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEntry:
    """(12.3) What SEGT says of a segment. Times are in ticks, `offset` is that of SEGM."""

    start: int
    duration: int
    splat_count: int
    offset: int
    size: int
    chunk_count: int

    @property
    def end(self) -> int:
        """The first tick after the segment."""
        return self.start + self.duration


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTable:
    """(12.3) The payload of SEGT, which stands at `offset`."""

    entries: tuple[SegmentEntry, ...]
    offset: int


# ---- TIME


def read_time(payload: memoryview, at: int, *, stream_mode: bool, limits: Limits) -> Time:
    """(12.2) The payload of TIME, which stands at `at` in the file."""
    if len(payload) != TIME_BYTES:
        raise wrong_length("TIME", at)
    rate, scale, frame_ticks, kernel, reserved, start, duration, count = struct.unpack_from(
        "<3IB3sqQI", payload
    )
    x0, y0, z0, x1, y1, z1 = struct.unpack_from("<6f", payload, 36)
    if rate == 0:
        raise _out_of_range("no ticks in a second", "TIME", at)
    if scale == 0:
        raise _out_of_range("a tick of no time", "TIME", at + 4)
    if kernel not in temporal_kernels.NAMES:
        raise Unsupported(
            "container.value", f"temporal kernel {kernel}", clause="12.2", section="TIME", offset=at + 12
        )
    if any(reserved):
        raise Unsupported(
            "container.reserved", "reserved bytes are not 0", clause="12.2", section="TIME", offset=at + 13
        )
    if abs(start) > FARTHEST:
        raise _out_of_range(f"a scene that starts at tick {start}", "TIME", at + 16)
    is_unknown = duration == UNKNOWN_DURATION
    if duration >= FARTHEST and not (is_unknown and stream_mode):
        raise _out_of_range(f"a scene of {duration} ticks", "TIME", at + 24)
    if count == UNKNOWN_SEGMENTS:
        if not stream_mode:
            raise _out_of_range("an unknown number of segments", "TIME", at + 32)
    elif count > limits.sections:
        raise _too_many(count, limits, "12.2", "TIME", at + 32)
    bounds = (x0, y0, z0, x1, y1, z1)
    check_bounds(bounds, at + 36, "12.2", "TIME")
    return Time(
        rate=rate,
        scale=scale,
        start=start,
        duration=None if is_unknown else duration,
        segment_count=None if count == UNKNOWN_SEGMENTS else count,
        frame_ticks=frame_ticks,
        kernel=kernel,
        bounds=bounds,
    )


def write_time(time: Time) -> bytes:
    """(12.2) The payload of TIME."""
    return struct.pack(
        "<3IB3xqQI6f",
        time.rate,
        time.scale,
        time.frame_ticks,
        time.kernel,
        time.start,
        UNKNOWN_DURATION if time.duration is None else time.duration,
        UNKNOWN_SEGMENTS if time.segment_count is None else time.segment_count,
        *time.bounds,
    )


# ---- SEGT


def read_entry(data: memoryview, position: int, *, verify: bool = True) -> SegmentEntry:
    """(12.3) The entry in `data`, which stands at `position` in the file."""
    start, duration, splats, offset, size, chunks, crc = struct.unpack("<qIIQQII", data)
    if verify and crc != zlib.crc32(data[: ENTRY_BYTES - 4]):
        raise Integrity(
            "container.crc",
            "an entry of the table of segments is damaged",
            clause="12.3",
            section="SEGT",
            offset=position + ENTRY_BYTES - 4,
        )
    return SegmentEntry(
        start=start, duration=duration, splat_count=splats, offset=offset, size=size, chunk_count=chunks
    )


def check_entry(
    entry: SegmentEntry, before: SegmentEntry | None, position: int, *, first_offset: int, time: Time
) -> None:
    """(12.3) The entry at `position` fits the one before it and the scene."""
    if entry.start < (time.start if before is None else before.end):
        raise wrong_table(f"a segment that starts at tick {entry.start}", position)
    if entry.duration == 0 or (time.end is not None and entry.end > time.end):
        raise wrong_table(f"a segment of {entry.duration} ticks", position + 8)
    is_right = entry.offset >= first_offset if before is None else entry.offset == before.offset + before.size
    if not is_right or entry.offset >= MOST_BYTES:
        raise wrong_table(f"a segment at byte {entry.offset}", position + 16)
    if not SMALLEST_SEGMENT <= entry.size < MOST_BYTES:
        raise wrong_table(f"a segment of {entry.size} bytes", position + 24)


def check_listed(entry: SegmentEntry, segment: SegmentHeader, position: int) -> None:
    """(12.3) The entry at `position` says of the segment what the segment says."""
    for name, field_at in ENTRY_FIELDS.items():
        if getattr(entry, name) != getattr(segment, name):
            raise wrong_table(f"{name} {getattr(entry, name)}", position + field_at)


ENTRY_FIELDS = {"start": 0, "duration": 8, "splat_count": 12, "offset": 16, "size": 24, "chunk_count": 32}


def read_table(
    payload: memoryview,
    at: int,
    *,
    time: Time,
    limits: Limits,
    segments: list[SegmentHeader] | None = None,
    verify: bool = True,
) -> SegmentTable:
    """(12.3) The payload of SEGT at `at`; of stream mode with the `segments` before it."""
    if len(payload) < 4:
        raise wrong_length("SEGT", at)
    (count,) = struct.unpack_from("<I", payload)
    if count > limits.sections:
        raise _too_many(count, limits, "12.3", "SEGT", at)
    if len(payload) != 4 + ENTRY_BYTES * count:
        raise wrong_length("SEGT", at)
    if count != (time.segment_count if segments is None else len(segments)):
        raise wrong_table(f"{count} segments", at)
    entries: list[SegmentEntry] = []
    first_offset = at + len(payload) + 4
    for i in range(count):
        start = 4 + ENTRY_BYTES * i
        entry = read_entry(payload[start : start + ENTRY_BYTES], at + start, verify=verify)
        if segments is not None:
            check_listed(entry, segments[i], at + start)
        else:
            before = entries[-1] if entries else None
            check_entry(entry, before, at + start, first_offset=first_offset, time=time)
        entries.append(entry)
    return SegmentTable(entries=tuple(entries), offset=at)


def table_bytes(count: int) -> int:
    """(12.3) Of the payload of SEGT."""
    return 4 + ENTRY_BYTES * count


def write_table(entries: Iterable[SegmentEntry]) -> bytes:
    """(12.3) The payload of SEGT."""
    parts = []
    for e in entries:
        data = struct.pack("<qIIQQI", e.start, e.duration, e.splat_count, e.offset, e.size, e.chunk_count)
        parts.append(data + struct.pack("<I", zlib.crc32(data)))
    return struct.pack("<I", len(parts)) + b"".join(parts)


def wrong_table(what: str, offset: int) -> Malformed:
    """(12.3) The table disagrees with itself or with the file."""
    return Malformed(
        "timeline.table", f"the table of segments has {what}", clause="12.3", section="SEGT", offset=offset
    )


# ---- SEGM


def read_segment(payload: memoryview, at: int) -> SegmentHeader:
    """(12.4) The payload of SEGM at `at`, of which nothing but the length has been checked: see `ledger`."""
    if len(payload) != SEGM_BYTES:
        raise wrong_length("SEGM", at)
    number, start, duration, splats, chunks, frames, size = struct.unpack("<Iq4IQ", payload)
    return SegmentHeader(
        number=number, start=start, duration=duration, splat_count=splats, chunk_count=chunks,
        frames=frames, size=size, offset=at - 16,
    )  # fmt: skip


def write_segment(segment: SegmentHeader) -> bytes:
    """(12.4) The payload of SEGM."""
    s = segment
    return struct.pack(
        "<Iq4IQ", s.number, s.start, s.duration, s.splat_count, s.chunk_count, s.frames, s.size
    )


def _out_of_range(what: str, section: str, offset: int) -> Malformed:
    clause = "12.2" if section == "TIME" else "12.4"
    return Malformed("timeline.range", what, clause=clause, section=section, offset=offset)


def _too_many(count: int, limits: Limits, clause: str, section: str, offset: int) -> LimitError:
    return LimitError(
        "limit.sections",
        f"{count} segments; at most {limits.sections} sections are allowed",
        clause=clause,
        section=section,
        offset=offset,
    )
