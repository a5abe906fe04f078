"""(12.1) A file of the dynamic profile as events: feed bytes, get sections; see `gscodec.container.feed`.

    reader = TimelineReader()
    for piece in pieces:
        reader.feed(piece)
        for event in reader.events():
            ...
    reader.close()

`collected` puts the events of a segment together; a segment is given as soon as its last byte was fed. A file
that ends early gives every complete segment and then raises `Truncated`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from gscodec._generated import profiles
from gscodec.container.end import read_end_mark
from gscodec.container.feed import Feed
from gscodec.container.header import SIGNATURE, FileHeader
from gscodec.container.reader import Chunk, End, Parameters, Skipped
from gscodec.container.scene import SceneHeader, read_scene_header
from gscodec.container.section import SectionHeader, next_state
from gscodec.dynamic.ledger import TimelineLedger
from gscodec.dynamic.timeline import SegmentHeader, SegmentTable, Time, read_time
from gscodec.errors import Unsupported
from gscodec.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """(12.5) The motion of what stands before it, a chunk or a `Move`.

    `payload` stands at `offset`; nobody has looked into it.
    """

    payload: memoryview
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """(12.4) The motion behind it is that of a chunk of the static layer, counted from 0."""

    chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """(12.7) Bases of a segment. `payload` stands at `offset`; nobody has looked into it."""

    payload: memoryview
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEnd:
    """All of the segment was there."""

    segment: SegmentHeader


Event: TypeAlias = (
    FileHeader
    | SceneHeader
    | Time
    | SegmentTable
    | Parameters
    | Chunk
    | Motion
    | Move
    | Bases
    | SegmentHeader
    | SegmentEnd
    | Skipped
    | End
)
Part: TypeAlias = Parameters | Bases | Chunk | Move | Motion


@dataclass(kw_only=True)
class Segment:
    """A complete segment (`header`), or the static layer (None): its sections that are decoded, in order.

    skipped  of the static layer: sections that decoding passes over, such as META
    """

    header: SegmentHeader | None
    parts: list[Part] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, event: object) -> None:
        """Keep what is decoded, and what the file says of itself."""
        if isinstance(event, Part):
            self.parts.append(event)
        elif isinstance(event, Skipped) and self.header is None:
            self.skipped.append(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Where to go on in a file whose header part was read: at `position`, in `state`.

    until   where to stop, unless motion is missing there; None: at the end of the file, whose hash is then
            not looked at
    """

    header: FileHeader
    ledger: TimelineLedger
    position: int
    until: int | None
    state: str = "body"


def is_dynamic(data: bytes | memoryview) -> bool:
    """Whether the bytes start as a file of the dynamic profile."""
    return bytes(data[:8]) == SIGNATURE and len(data) > 10 and data[10] == profiles.DYNAMIC


class TimelineReader(Feed[Event]):
    """(12.1) An incremental reader of one file, or, with `resume`, of a stretch of it.

    `limits` are the caller's own; the file's level applies as well. Chunks are numbered in their part.
    """

    def __init__(
        self, limits: Limits | None = None, *, verify: bool = True, resume: Resume | None = None
    ) -> None:
        super().__init__(verify=verify, position=resume.position if resume is not None else 0)
        self._caller_limits = limits
        self._resume = resume
        self.header: FileHeader | None = resume.header if resume is not None else None
        self.ledger: TimelineLedger | None = resume.ledger if resume is not None else None

    @property
    def position(self) -> int:
        """Where the next section begins."""
        return self._window.position

    def _run(self) -> Generator[Event | None, None, None]:
        if self._resume is not None:
            yield from self._read_sections(
                self._resume.header, self._resume.ledger, self._resume.state, self._resume.until
            )
            return
        header = self.header = yield from self._read_header()
        if header.profile != profiles.DYNAMIC:
            name = profiles.NAMES[header.profile]
            raise Unsupported("container.profile", f"a file of profile {name}", clause="2.3", offset=10)
        yield header
        limits = Limits.of_level(header.level)
        if self._caller_limits is not None:
            limits = limits.at_most(self._caller_limits)
        ledger = self.ledger = TimelineLedger(limits, stream_mode=header.stream_mode)
        yield from self._read_sections(header, ledger, "start", None)

    def _read_sections(
        self, header: FileHeader, ledger: TimelineLedger, state: str, until: int | None
    ) -> Generator[Event | None, None, None]:
        mode = "dynamic stream" if header.stream_mode else "dynamic"
        while state != "end" and (self._window.position != until or state == "moved"):
            while self._window.end == self._window.position:
                if self._is_closed and ledger.may_end(state, self._window.position):
                    yield End(splat_count=ledger.splats, chunk_count=ledger.chunks, sha256=None)
                    return
                yield from self._wait()
            section, payload, data = yield from self._read_section(ledger.limits)
            before, state = state, next_state(mode, state, section)
            ledger.check_place(section, before)
            event = self._read_payload(section, payload, header, ledger)
            segment = ledger.segment if ledger.ends_segment(section) and state != "moved" else None
            if not header.stream_mode and self._verify and self._resume is None:
                self._hash.update(data)
            self._window.skip(section.size)
            yield event
            if segment is not None:
                yield SegmentEnd(segment=segment)
        if until is None:
            yield from self._read_trailing()

    def _read_payload(
        self, section: SectionHeader, payload: memoryview, header: FileHeader, ledger: TimelineLedger
    ) -> Event:
        at = section.payload_offset
        if section.id == b"SEGT":
            return ledger.add_table(payload, at, verify=self._verify)
        if section.id == b"ENDM":
            digest = self._hash.digest() if self._verify and self._resume is None else None
            mark = read_end_mark(payload, at, stream_mode=header.stream_mode, sha256=digest)
            ledger.check_end(mark, at)
            return End(splat_count=mark.splat_count, chunk_count=ledger.chunks, sha256=mark.sha256)
        ledger.check_section_count(section.offset)
        if section.id == b"SCEN":
            ledger.static.scene = read_scene_header(
                payload, at, stream_mode=header.stream_mode, limits=ledger.limits
            )
            return ledger.static.scene
        if section.id == b"TIME":
            ledger.time = read_time(payload, at, stream_mode=header.stream_mode, limits=ledger.limits)
            return ledger.time
        if section.id == b"SEGM":
            return ledger.add_segment(payload, at)
        if section.id == b"PARM":
            return Parameters(id=ledger.add_parameters(payload, at), payload=payload, offset=at)
        if section.id == b"CHNK":
            chunk, number, first = ledger.add_chunk(payload, at)
            return Chunk(header=chunk, number=number, first_splat=first, payload=payload, offset=at)
        if section.id == b"MOTN":
            return Motion(payload=payload, offset=at)
        if section.id == b"MOVE":
            return Move(chunk=ledger.add_move(payload, at))
        if section.id == b"MBAS":
            return Bases(payload=payload, offset=at)
        return Skipped(id=section.id, payload=payload, offset=at)


def collected(events: Iterable[Event]) -> Iterator[Segment]:
    """The static layer, then each complete segment, once it is complete. Raises what `events` raises.

    The static layer is given before the first segment, or at the end, also where it is empty.
    """
    part, is_given = Segment(header=None), False
    for event in events:
        if isinstance(event, SegmentHeader | End) and not is_given:
            is_given = True
            yield part
        if isinstance(event, SegmentHeader):
            part = Segment(header=event)
        elif isinstance(event, SegmentEnd):
            yield part
        else:
            part.add(event)


def events_of(
    pieces: Iterable[bytes | memoryview], limits: Limits | None = None, *, verify: bool = True
) -> Iterator[Event]:
    """All events of a file that comes in pieces. Raises `StreamError` after the events before the fault."""
    reader = TimelineReader(limits, verify=verify)
    for piece in pieces:
        reader.feed(piece)
        yield from reader.events()
    reader.close()
    yield from reader.events()
