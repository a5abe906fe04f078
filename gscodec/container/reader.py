"""(2.2) The container as events: feed bytes, get sections.

Rule 1: no input or output here; the caller brings the bytes, in pieces of any size.
Rule 2: how the bytes are cut never matters: events, errors and offsets are the same.
Rule 3: nothing is allocated for a number that a file states; memory grows with the bytes fed.

    reader = ContainerReader()
    for piece in pieces:
        reader.feed(piece)
        for event in reader.events():
            ...
    reader.close()
    for event in reader.events():    # only needed when events were left when the data ended
        ...

Waiting for more data is no error: `events()` just ends. A stream that ends early gives every complete
section and then raises `Truncated`, from `close()` or from `events()` after it, whichever comes last.
Views in events point into the buffer that was fed (or a copy, when a section came in pieces): the caller
does not change it while they are in use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from gscodec._generated import profiles
from gscodec.container.chunk import ChunkHeader
from gscodec.container.end import EndMark, read_end_mark
from gscodec.container.header import HEADER_BYTES, FileHeader, check_signature, read_file_header
from gscodec.container.index import (
    Index,
    check_index_chunk,
    check_index_complete,
    check_index_entry,
    read_index,
)
from gscodec.container.ledger import Ledger
from gscodec.container.scene import SceneHeader, read_scene_header
from gscodec.container.section import (
    SECTION_HEADER_BYTES,
    SectionHeader,
    check_section,
    next_state,
    read_section_header,
)
from gscodec.errors import Malformed, StreamError, Truncated, Unsupported, UsageError
from gscodec.limits import Limits

Bytes: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """A parameter set. `payload` is the whole payload, its id first; `offset` is where it stands."""

    id: int
    payload: memoryview
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A chunk. `payload` is the whole payload, the fields of `header` first; `offset` is where it stands."""

    header: ChunkHeader
    number: int
    first_splat: int
    payload: memoryview
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A section that the rest can do without: META, THMB, PERM, or one that this version does not know.

    Nobody has looked into the payload; `offset` is where it stands.
    """

    id: bytes
    payload: memoryview
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end mark; everything was there and, unless told not to verify, undamaged."""

    splat_count: int
    chunk_count: int
    sha256: bytes | None


Event: TypeAlias = FileHeader | Index | SceneHeader | Parameters | Chunk | Skipped | End
_Steps: TypeAlias = Generator[Event | None, None, None]
_Wait: TypeAlias = Generator[None, None, memoryview]


class _Window:
    """The bytes that were fed and not yet used. A single buffer is never copied."""

    def __init__(self) -> None:
        self.position = 0  # in the file, of the first byte not yet used
        self.end = 0  # in the file, after the last byte fed
        self._view = memoryview(b"")
        self._pieces: list[memoryview] = []

    def append(self, data: Bytes) -> None:
        view = memoryview(data).cast("B").toreadonly()
        if len(view):
            self._pieces.append(view)
            self.end += len(view)

    def peek(self, count: int) -> memoryview | None:
        """The next `count` bytes, or None when there are fewer."""
        if self.end - self.position < count:
            return None
        if len(self._view) < count:
            parts = [self._view, *self._pieces] if len(self._view) else self._pieces
            self._view = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
            self._pieces = []
        return self._view[:count]

    def skip(self, count: int) -> None:
        """Use up `count` bytes that were seen."""
        self._view = self._view[count:]
        self.position += count


class ContainerReader:
    """(2.2) An incremental reader of one file.

    `limits` are the caller's own (`Limits.of_caller`); the file's level applies as well.
    `verify=False` skips checksums and hash, for fuzzing; every other rule still holds.
    """

    def __init__(self, limits: Limits | None = None, *, verify: bool = True) -> None:
        self._caller_limits = limits
        self._verify = verify
        self._window = _Window()
        self._steps = self._run()
        self._is_closed = False
        self._is_waiting = False
        self._error: StreamError | None = None
        self._header: FileHeader | None = None
        self._index: Index | None = None
        self._listed: list[tuple[SectionHeader, ChunkHeader | None]] = []  # stream mode, for a late index
        self._hash = hashlib.sha256()

    def feed(self, data: Bytes) -> None:
        """Add bytes. Nothing is read until `events()` is iterated."""
        if self._is_closed:
            raise UsageError("usage.container", "data after close()")
        self._window.append(data)
        self._is_waiting = False

    def close(self) -> None:
        """Say that no more data follows. Raises what is wrong with the end when all events were taken."""
        self._is_closed = True
        if self._is_waiting or self._error is not None:
            next(self.events(), None)

    def events(self) -> Iterator[Event]:
        """The events that the bytes so far allow. A `StreamError` is raised again by every later call."""
        while True:
            if self._error is not None:
                raise self._error
            try:
                event = next(self._steps)
            except StopIteration:
                return
            except StreamError as error:
                self._error = error
                raise
            if event is None:
                self._is_waiting = True
                return
            yield event

    # ---- the file, step by step; None means: more data is needed

    def _run(self) -> _Steps:
        header = yield from self._read_header()
        if header.profile != profiles.CORE:
            name = profiles.NAMES[header.profile]
            raise Unsupported(
                "container.profile",
                f"a file of profile {name}, which is decoded as a whole: see gscodec.decode",
                clause="2.3",
                offset=10,
            )
        yield header
        limits = Limits.of_level(header.level)
        if self._caller_limits is not None:
            limits = limits.at_most(self._caller_limits)
        ledger, state = Ledger(limits), "start"
        while state != "end":
            offset = self._window.position
            data = yield from self._need(SECTION_HEADER_BYTES)
            section = read_section_header(data, offset, limits.section_bytes)
            data = yield from self._need(section.size)
            payload = check_section(section, data, verify=self._verify)
            state = next_state("stream" if header.stream_mode else "file", state, section)
            event = self._read_payload(section, payload, header, ledger)
            self._update_hash(data)
            self._window.skip(section.size)
            yield event
        while not self._is_closed or self._window.end > self._window.position:
            if self._window.end > self._window.position:
                raise Malformed(
                    "container.trailing",
                    "bytes follow the end mark",
                    clause="2.5",
                    offset=self._window.position,
                )
            yield None

    def _read_header(self) -> Generator[None, None, FileHeader]:
        while self._window.end < HEADER_BYTES:
            check_signature(self._window.peek(min(self._window.end, 8)) or b"")
            yield from self._wait()
        data = yield from self._need(HEADER_BYTES)
        header = self._header = read_file_header(data, verify=self._verify)
        self._update_hash(data)
        self._window.skip(HEADER_BYTES)
        return header

    def _wait(self) -> Generator[None, None, None]:
        if self._is_closed:
            raise Truncated(
                "container.truncated", "the file ends early", clause="2.2", offset=self._window.end
            )
        yield None

    def _need(self, count: int) -> _Wait:
        while (data := self._window.peek(count)) is None:
            yield from self._wait()
        return data

    def _update_hash(self, data: memoryview) -> None:
        if self._verify and self._header is not None and not self._header.stream_mode:
            self._hash.update(data)

    def _read_payload(
        self, section: SectionHeader, payload: memoryview, header: FileHeader, ledger: Ledger
    ) -> Event:
        at = section.payload_offset
        if section.id == b"INDX":
            return self._read_index(section, payload, header, ledger)
        if section.id == b"ENDM":
            return self._read_end(payload, at, header, ledger)
        ledger.check_section_count(section.offset)
        event: Event
        if section.id == b"SCEN":
            event = ledger.scene = read_scene_header(
                payload, at, stream_mode=header.stream_mode, limits=ledger.limits
            )
        elif section.id == b"PARM":
            event = Parameters(id=ledger.add_parameters(payload, at), payload=payload, offset=at)
        elif section.id == b"CHNK":
            number, first = ledger.chunks, ledger.splats
            chunk = ledger.add_chunk(payload, at, _given(ledger.scene))
            event = Chunk(header=chunk, number=number, first_splat=first, payload=payload, offset=at)
        else:
            event = Skipped(id=section.id, payload=payload, offset=at)
        self._list(section, event, ledger)
        return event

    def _list(self, section: SectionHeader, event: Event, ledger: Ledger) -> None:
        chunk = event.header if isinstance(event, Chunk) else None
        if self._index is None:
            self._listed.append((section, chunk))
        else:
            check_index_entry(self._index, ledger.sections, section)
            if chunk is not None:
                check_index_chunk(self._index, ledger.chunks - 1, chunk, _given(ledger.scene))
        ledger.sections += 1

    def _read_index(
        self, section: SectionHeader, payload: memoryview, header: FileHeader, ledger: Ledger
    ) -> Index:
        first = HEADER_BYTES if header.stream_mode else section.offset + section.size
        index = read_index(payload, section.payload_offset, first_section=first, limits=ledger.limits)
        self._index = index
        if header.stream_mode:
            chunks = 0
            for i, (earlier, chunk) in enumerate(self._listed):
                check_index_entry(index, i, earlier)
                if chunk is not None:
                    check_index_chunk(index, chunks, chunk, _given(ledger.scene))
                    chunks += 1
            check_index_complete(index, len(self._listed))
        return index

    def _read_end(self, payload: memoryview, at: int, header: FileHeader, ledger: Ledger) -> End:
        digest = self._hash.digest() if self._verify else None
        mark: EndMark = read_end_mark(payload, at, stream_mode=header.stream_mode, sha256=digest)
        ledger.check_end(mark, at, _given(ledger.scene))
        if self._index is not None:
            check_index_complete(self._index, ledger.sections)
        return End(splat_count=mark.splat_count, chunk_count=ledger.chunks, sha256=mark.sha256)


def _given(scene: SceneHeader | None) -> SceneHeader:
    if scene is None:  # the table of orders puts SCEN first
        raise RuntimeError("a section before SCEN")
    return scene
