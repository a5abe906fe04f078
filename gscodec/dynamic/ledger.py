"""(12.1, 12.4) The rules that span sections of a dynamic file: what has come so far."""

from __future__ import annotations

import copy

from gscodec.container.chunk import ChunkHeader, read_chunk_header, read_parameters_id
from gscodec.container.end import EndMark
from gscodec.container.ledger import Ledger
from gscodec.container.scene import SceneHeader, check_decoded_bytes
from gscodec.container.section import SectionHeader, wrong_length
from gscodec.dynamic.timeline import (
    FARTHEST,
    MOST_BYTES,
    SMALLEST_SEGMENT,
    SegmentEntry,
    SegmentHeader,
    SegmentTable,
    Time,
    check_listed,
    read_segment,
    read_table,
)
from gscodec.errors import LimitError, Malformed
from gscodec.limits import Limits

ENDERS = (b"SEGM", b"SEGT", b"ENDM")
MOVE_BYTES = 4


class TimelineLedger:
    """Counts of one file: its static layer (`static`, as a core file), and the segment that is being read.

    `keep` has segments remembered for a table that comes last.
    """

    def __init__(self, limits: Limits, *, stream_mode: bool) -> None:
        self.limits, self.stream_mode = limits, stream_mode
        self.static = Ledger(limits)
        self.time: Time | None = None
        self.listed: dict[int, tuple[SegmentEntry, int]] = {}  # file mode: entries, and where they stand
        self.kept: list[SegmentHeader] = []  # stream mode
        self.segment: SegmentHeader | None = None
        self.segments = 0
        self.sections = 0
        self.splats = 0  # of all chunks
        self.chunks = 0
        self._parameters: set[int] = set()  # of the segment
        self._segment_splats = self._segment_chunks = 0
        self._moved = -1  # the last chunk of the static layer that the segment moves

    def fork(self, number: int, listed: tuple[SegmentEntry, int] | None) -> TimelineLedger:
        """What is known before segment `number` of a file whose header part was read."""
        other = copy.copy(self)
        other.static = copy.copy(self.static)
        other.listed = {} if listed is None else {number: listed}
        other.kept, other.segment, other.segments = [], None, number
        return other

    @property
    def scene(self) -> SceneHeader:
        """SCEN, once it was read."""
        if self.static.scene is None:  # the table of orders puts SCEN first
            raise RuntimeError("a section before SCEN")
        return self.static.scene

    def check_place(self, section: SectionHeader, state: str) -> None:
        """(12.1, 12.4) What ends here, where `state` was, is complete; what goes on has room."""
        offset, segment = section.offset, self.segment
        if section.id in ENDERS:
            if state == "body" and not self.is_static_complete:
                raise Malformed(
                    "container.count",
                    f"the static layer holds {self.static.splats} splats; the scene header says otherwise",
                    clause="12.1",
                    section=section.id.decode(),
                    offset=offset,
                )
            if state in ("segment", "chunk") and segment is not None and offset != segment.end_offset:
                raise self._wrong_count("a segment ends before the bytes that it says", section)
        elif segment is not None and offset + section.size > segment.end_offset:
            raise self._wrong_count("a section is more than what the segment says", section)

    @property
    def is_static_complete(self) -> bool:
        """(12.1) The static layer is what SCEN says, where it says so."""
        static, scene = self.static, self.scene
        return scene.splat_count in (None, static.splats) and scene.chunk_count in (None, static.chunks)

    def may_end(self, state: str, position: int) -> bool:
        """(12.1) Whether a stream without end mark is complete here."""
        if not self.stream_mode or state in ("start", "scene", "moved"):
            return False
        if self.segment is not None and state != "tabled":
            return position == self.segment.end_offset
        return self.is_static_complete

    def check_section_count(self, offset: int) -> None:
        """(2.5) One more section than so far is allowed."""
        if self.sections >= self.limits.sections:
            raise LimitError(
                "limit.sections",
                f"at most {self.limits.sections} sections are allowed",
                clause="2.5",
                offset=offset,
            )
        self.sections += 1

    def add_table(self, payload: memoryview, at: int, *, verify: bool) -> SegmentTable:
        """(12.3) SEGT."""
        segments = self.kept if self.stream_mode else None
        table = read_table(payload, at, time=self._time, limits=self.limits, segments=segments, verify=verify)
        if not self.stream_mode:
            self.listed = {i: (entry, at + 4 + 40 * i) for i, entry in enumerate(table.entries)}
        return table

    @property
    def _time(self) -> Time:
        if self.time is None:  # the table of orders puts TIME behind SCEN
            raise RuntimeError("a section before TIME")
        return self.time

    def add_segment(self, payload: memoryview, at: int) -> SegmentHeader:
        """(12.4) SEGM: its fields, in order, and what the table says of it."""
        segment, before, time = read_segment(payload, at), self.segment, self._time
        if before is not None and segment.number <= before.number:
            raise _wrong("timeline.order", f"segment {segment.number} after {before.number}", at)
        if abs(segment.start) > FARTHEST or segment.start < time.start:
            raise _wrong("timeline.range", f"a segment that starts at tick {segment.start}", at + 4)
        if before is not None and segment.start < before.end:
            raise _wrong("timeline.order", "a segment that starts before the end of the last one", at + 4)
        if segment.duration == 0 or (time.end is not None and segment.end > time.end):
            raise _wrong("timeline.range", f"a segment of {segment.duration} ticks", at + 12)
        total = self.static.splats + segment.splat_count
        if total > self.limits.splats:
            raise LimitError(
                "limit.splats",
                f"{total} splats at a time; at most {self.limits.splats} are allowed",
                clause="12.4",
                section="SEGM",
                offset=at + 16,
            )
        check_decoded_bytes(self.scene, total, at + 16, "SEGM", self.limits)
        if segment.chunk_count > self.limits.sections:
            raise LimitError(
                "limit.sections",
                f"{segment.chunk_count} chunks; at most {self.limits.sections} sections are allowed",
                clause="12.4",
                section="SEGM",
                offset=at + 20,
            )
        if not SMALLEST_SEGMENT <= segment.size < MOST_BYTES:
            raise _wrong("timeline.range", f"a segment of {segment.size} bytes", at + 28)
        if time.segment_count is not None and self.segments >= time.segment_count:
            raise _wrong("timeline.count", f"more segments than {time.segment_count}", at)
        if (found := self.listed.get(self.segments)) is not None:
            check_listed(found[0], segment, found[1])
        if self.stream_mode:
            self.kept.append(segment)
        self.segment, self.segments = segment, self.segments + 1
        self._parameters, self._segment_splats, self._segment_chunks, self._moved = set(), 0, 0, -1
        return segment

    def add_parameters(self, payload: memoryview, at: int) -> int:
        """(12.1) A parameter set: ids are unique in the header part together with one segment."""
        if self.segment is None:
            return self.static.add_parameters(payload, at)
        id = read_parameters_id(payload, at)
        if id in self.static.parameters or id in self._parameters:
            raise Malformed(
                "container.parameters",
                f"parameter set {id} is given twice",
                clause="2.8",
                section="PARM",
                offset=at,
            )
        self._parameters.add(id)
        return id

    def add_chunk(self, payload: memoryview, at: int) -> tuple[ChunkHeader, int, int]:
        """(2.9, 12.4) A chunk: its header, its number and the splats before it, in its part."""
        if self.segment is None:
            number, first = self.static.chunks, self.static.splats
            header = self.static.add_chunk(payload, at, self.scene)
        else:
            number, first = self._segment_chunks, self._segment_splats
            header = self._add_to_segment(payload, at, self.segment)
        self.splats += header.splat_count
        self.chunks += 1
        return header, number, first

    def _add_to_segment(self, payload: memoryview, at: int, segment: SegmentHeader) -> ChunkHeader:
        header = read_chunk_header(payload, at, self.static.parameters | self._parameters)
        if header.splat_count > self.limits.chunk_splats:
            raise LimitError(
                "limit.chunk_splats",
                f"{header.splat_count} splats in a chunk; at most {self.limits.chunk_splats} are allowed",
                clause="2.9",
                section="CHNK",
                offset=at + 4,
            )
        total = self._segment_splats + header.splat_count
        if total > segment.splat_count or self._segment_chunks >= segment.chunk_count:
            raise Malformed(
                "timeline.count",
                "more splats or chunks than the segment says",
                clause="12.4",
                section="CHNK",
                offset=at + 4,
            )
        self._segment_splats, self._segment_chunks = total, self._segment_chunks + 1
        return header

    def add_move(self, payload: memoryview, at: int) -> int:
        """(12.4) MOVE: the number of a chunk of the static layer; numbers ascend in a segment."""
        if len(payload) != MOVE_BYTES:
            raise wrong_length("MOVE", at)
        number = int.from_bytes(payload, "little")
        if number >= self.static.chunks:
            what = f"chunk {number} of a static layer of {self.static.chunks}"
        elif number <= self._moved:
            what = f"chunk {number} of the static layer after chunk {self._moved}"
        else:
            self._moved = number
            return number
        raise Malformed("motion.chunk", what, clause="12.4", section="MOVE", offset=at)

    def ends_segment(self, section: SectionHeader) -> bool:
        """(12.4) Whether the segment is over with this section; then it holds what it says."""
        segment = self.segment
        if segment is None or section.offset + section.size != segment.end_offset:
            return False
        at = segment.offset + 16
        if self._segment_splats != segment.splat_count:
            raise _wrong("timeline.count", f"the segment holds {self._segment_splats} splats", at + 16)
        if self._segment_chunks != segment.chunk_count:
            raise _wrong("timeline.count", f"the segment holds {self._segment_chunks} chunks", at + 20)
        return True

    def check_end(self, mark: EndMark, at: int) -> None:
        """(12.1) The end mark counts all chunks; in file mode no segment is missing."""
        if mark.splat_count != self.splats:
            raise Malformed(
                "container.count",
                f"the chunks hold {self.splats} splats; the end mark says otherwise",
                clause="2.10",
                section="ENDM",
                offset=at,
            )
        if not self.stream_mode and self.segments != self._time.segment_count:
            raise Malformed(
                "timeline.count",
                f"{self.segments} segments of {self._time.segment_count}",
                clause="12.1",
                section="ENDM",
                offset=at,
            )

    @staticmethod
    def _wrong_count(what: str, section: SectionHeader) -> Malformed:
        id = section.id.decode()
        return Malformed("timeline.count", what, clause="12.4", section=id, offset=section.offset)


def _wrong(code: str, what: str, offset: int) -> Malformed:
    return Malformed(code, what, clause="12.4", section="SEGM", offset=offset)
