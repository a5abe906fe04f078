"""(12.1) Parts of a dynamic file, fetched piece by piece: the header part once, and the wanted segment.

What is fetched does not grow with the number of segments: in file mode the first bytes, a few entries of the
table of segments, the static layer, one segment. Of a stream, the table at its end, if there is one; else the
segments are found from one SEGM to the next. Every section that is fetched is checked by its CRC; the hash of
the whole file cannot be.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

from gscodec.container.header import FileHeader
from gscodec.container.scene import SceneHeader
from gscodec.container.section import (
    SECTION_FRAME_BYTES,
    SECTION_HEADER_BYTES,
    SectionHeader,
    check_section,
    read_section_header,
    wrong_length,
)
from gscodec.dynamic.ledger import TimelineLedger
from gscodec.dynamic.reader import Resume, Segment, TimelineReader
from gscodec.dynamic.timeline import (
    ENTRY_BYTES,
    SMALLEST_SEGMENT,
    SegmentEntry,
    SegmentHeader,
    SegmentTable,
    Time,
    check_entry,
    read_entry,
    read_table,
    table_bytes,
    wrong_table,
)
from gscodec.errors import Malformed, StreamError, Truncated
from gscodec.limits import Limits

START = 256  # bytes fetched at first: file header, SCEN, TIME and the head of SEGT of most files
MOST_AT_ONCE = 1 << 24  # bytes of one request
BLOCK = 8  # entries of the table that are fetched together
END_BYTES = SECTION_FRAME_BYTES + 8  # of the end mark of a stream
TAIL = 65_536  # bytes at the end of a stream where the table is looked for


class ByteSource(Protocol):
    """What a file is read from; `read_at` gives `count` bytes from `offset` on, fewer only at the end."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Some bytes."""


class SeekFile:
    """A dynamic file of which only parts are read. Raises `StreamError`; what the source raises passes.

    static  the sections of the static layer
    fault   what ends a stream that is cut off, once all segments were looked for
    """

    def __init__(self, source: ByteSource, *, limits: Limits | None = None) -> None:
        self._source, self.size = source, source.size
        self.fault: StreamError | None = None
        self._entries: dict[int, SegmentEntry] = {}
        self._all: tuple[SegmentEntry, ...] | None = None
        self._table_at = 0  # file mode: of the payload
        reader, time = TimelineReader(limits), None
        for piece in self._pieces(0, START):
            reader.feed(piece)
            time = next((event for event in reader.events() if isinstance(event, Time)), None)
            if time is not None:
                break
        else:
            reader.close()
            next(reader.events(), None)
        if reader.header is None or reader.ledger is None or time is None:
            raise RuntimeError("a reader that neither finds TIME nor what is wrong")
        self.header: FileHeader = reader.header
        self.time: Time = time
        self._ledger: TimelineLedger = reader.ledger
        self.limits = self._ledger.limits
        self.scene: SceneHeader = self._ledger.scene
        if self.header.stream_mode:
            self._first = self._read_stream_front(reader.position)
        else:
            self._read_file_front(reader.position)

    # ---- the header part

    def _read_file_front(self, position: int) -> None:
        data = memoryview(self._fetch(position, SECTION_HEADER_BYTES + 4))
        head = read_section_header(data, position, self.limits.section_bytes)
        if head.id != b"SEGT":
            raise Malformed("container.order", "no table of segments here", clause="2.5", offset=position)
        self._table_at, self._table_end = head.payload_offset, position + head.size
        (count,) = struct.unpack_from("<I", data, SECTION_HEADER_BYTES)
        if head.length != table_bytes(count):
            raise wrong_length("SEGT", head.payload_offset)
        if count != self.time.segment_count:
            raise wrong_table(f"{count} segments", head.payload_offset)
        until = self.entry(0).offset if count else None
        self.static = self._read_part(self._table_end, until, self._ledger)

    def _read_stream_front(self, position: int) -> int:
        """Where the first segment, the table or the end is."""
        resume = Resume(header=self.header, ledger=self._ledger, position=position, until=None)
        reader, self.static = TimelineReader(resume=resume), Segment(header=None)
        for piece in self._pieces(position, START):
            reader.feed(piece)
            for event in reader.events():
                if isinstance(event, SegmentHeader):
                    self._ledger = self._ledger.fork(0, None)
                    return event.offset
                if isinstance(event, SegmentTable):
                    return event.offset - SECTION_HEADER_BYTES
                self.static.add(event)
        reader.close()
        for event in reader.events():
            self.static.add(event)
        return reader.position

    # ---- segments

    @property
    def count(self) -> int:
        """How many segments there are (of a stream that is cut off: complete ones)."""
        if not self.header.stream_mode:
            return self.time.segment_count or 0
        return len(self.entries())

    def entry(self, i: int) -> SegmentEntry:
        """What the table says of segment `i`; in file mode, only a few entries are fetched."""
        if self.header.stream_mode:
            return self.entries()[i]
        if i not in self._entries:
            block = i - i % BLOCK
            at = self._table_at + 4 + ENTRY_BYTES * block
            many = min(BLOCK, self.count - block)
            data = memoryview(self._fetch(at, ENTRY_BYTES * many))
            before = None
            for k in range(many):
                position = at + ENTRY_BYTES * k
                entry = read_entry(data[ENTRY_BYTES * k : ENTRY_BYTES * (k + 1)], position)
                check_entry(entry, before, position, first_offset=self._table_end, time=self.time)
                before = self._entries[block + k] = entry
        return self._entries[i]

    def entries(self) -> tuple[SegmentEntry, ...]:
        """All of the table, or what it would say."""
        if self._all is None:
            self._all = self._read_table() if not self.header.stream_mode else self._find_all()
        return self._all

    def find(self, tick: int) -> int | None:
        """Which segment of the file holds the tick, counted from 0; None where there is none."""
        low, high = 0, self.count  # the answer is in low .. high - 1, if there is one
        if high and self.time.duration:  # with equal durations, the first guess is right
            guess = min(max((tick - self.time.start) * high // self.time.duration, 0), high - 1)
        else:
            guess = high // 2
        while low < high:
            entry = self.entry(guess)
            if entry.start <= tick < entry.end:
                return guess
            if tick < entry.start:
                high = guess
            else:
                low = guess + 1
            guess = (low + high) // 2
        return None

    def segment(self, i: int) -> Segment:
        """The sections of segment `i`. Raises `StreamError`."""
        entry = self.entry(i)
        at = self._table_at + 4 + ENTRY_BYTES * i
        ledger = self._ledger.fork(i, None if self.header.stream_mode else (entry, at))
        return self._read_part(entry.offset, entry.offset + entry.size, ledger)

    def _read_table(self) -> tuple[SegmentEntry, ...]:
        at = self._table_at - SECTION_HEADER_BYTES
        data = memoryview(self._fetch(at, self._table_end - at))
        payload = check_section(read_section_header(data, at, self.limits.section_bytes), data)
        return read_table(payload, self._table_at, time=self.time, limits=self.limits).entries

    def _find_all(self) -> tuple[SegmentEntry, ...]:
        """Of a stream: by the table at its end, or from segment to segment."""
        size = min(TAIL, self.size - self._first)
        tail = self._fetch(self.size - size, size)
        at = tail.rfind(b"SEGT\x01\0\0\0")
        if at >= 0 and at + SECTION_FRAME_BYTES <= size:
            head = read_section_header(
                memoryview(tail)[at:], self.size - size + at, self.limits.section_bytes
            )
            if at + head.size in (size, size - END_BYTES):
                return self._read_late_table(head, memoryview(tail)[at : at + head.size])
        return self._walk()

    def _read_late_table(self, head: SectionHeader, data: memoryview) -> tuple[SegmentEntry, ...]:
        payload, at = check_section(head, data), head.payload_offset
        count = (len(payload) - 4) // ENTRY_BYTES
        if len(payload) != table_bytes(count) or count != struct.unpack_from("<I", payload)[0]:
            raise wrong_length("SEGT", at)
        found: list[SegmentEntry] = []
        for i in range(count):
            start = 4 + ENTRY_BYTES * i
            entry = read_entry(payload[start : start + ENTRY_BYTES], at + start)
            before = found[-1] if found else None
            check_entry(entry, before, at + start, first_offset=self._first, time=self.time)
            found.append(entry)
        return tuple(found)

    def _walk(self) -> tuple[SegmentEntry, ...]:
        found: list[SegmentEntry] = []
        ledger, offset = self._ledger.fork(0, None), self._first
        try:
            while offset < self.size:
                data = memoryview(self._fetch(offset, SECTION_HEADER_BYTES))
                head = read_section_header(data, offset, self.limits.section_bytes)
                if head.id in (b"SEGT", b"ENDM"):
                    break
                if head.id != b"SEGM":
                    raise Malformed("timeline.count", "no segment here", clause="12.4", offset=offset)
                if head.size != SMALLEST_SEGMENT:
                    raise wrong_length("SEGM", head.payload_offset)
                data = memoryview(self._fetch(offset, head.size))
                segment = ledger.add_segment(check_section(head, data), head.payload_offset)
                if segment.end_offset > self.size:
                    raise _truncated(self.size)
                found.append(
                    SegmentEntry(
                        start=segment.start,
                        duration=segment.duration,
                        splat_count=segment.splat_count,
                        offset=offset,
                        size=segment.size,
                        chunk_count=segment.chunk_count,
                    )
                )
                offset = segment.end_offset
        except StreamError as error:
            self.fault = error
        return tuple(found)

    # ---- fetching

    def _read_part(self, position: int, until: int | None, ledger: TimelineLedger) -> Segment:
        if position > self.size:
            raise _truncated(self.size)
        resume = Resume(header=self.header, ledger=ledger, position=position, until=until)
        reader, found = TimelineReader(resume=resume), Segment(header=None)

        def events() -> Iterator[object]:
            size = None if until is None else until - position
            for piece in self._pieces(position, START if size is None else size, size):
                reader.feed(piece)
                yield from reader.events()
            if reader.position == until and reader.is_waiting:  # the segment ends where motion is missing
                for piece in self._pieces(reader.position, START):
                    reader.feed(piece)
                    yield from reader.events()
            reader.close()
            yield from reader.events()

        for event in events():
            if isinstance(event, SegmentHeader):
                found.header = event
            else:
                found.add(event)
        return found

    def _pieces(self, position: int, first: int, total: int | None = None) -> Iterator[bytes]:
        """Bytes from `position` on, `first`, then twice as many, and so on; `total` or up to the end."""
        end = self.size if total is None else min(self.size, position + total)
        count = first
        while position < end:
            data = self._source.read_at(position, min(count, MOST_AT_ONCE, end - position))
            if not data:
                return
            yield data
            position += len(data)
            count = min(2 * count, MOST_AT_ONCE)

    def _fetch(self, offset: int, count: int) -> bytes:
        data = self._source.read_at(offset, min(count, max(0, self.size - offset)))
        if len(data) < count:
            raise _truncated(min(offset + len(data), self.size))
        return data


def _truncated(offset: int) -> Truncated:
    return Truncated("container.truncated", "the file ends early", clause="2.2", offset=offset)
