"""(2.2) The container as events: feed bytes, get sections.

How bytes are taken and events given is in `feed`.

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

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from gscodec._generated import profiles
from gscodec.container.chunk import ChunkHeader
from gscodec.container.end import EndMark, read_end_mark
from gscodec.container.feed import Feed
from gscodec.container.header import HEADER_BYTES, FileHeader
from gscodec.container.index import (
    Index,
    check_index_chunk,
    check_index_complete,
    check_index_entry,
    read_index,
)
from gscodec.container.ledger import Ledger
from gscodec.container.scene import SceneHeader, read_scene_header
from gscodec.container.section import SectionHeader, next_state
from gscodec.errors import Unsupported
from gscodec.limits import Limits


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


class ContainerReader(Feed[Event]):
    """(2.2) An incremental reader of one file.

    `limits` are the caller's own (`Limits.of_caller`); the file's level applies as well.
    `verify=False` skips checksums and hash, for fuzzing; every other rule still holds.
    """

    def __init__(self, limits: Limits | None = None, *, verify: bool = True) -> None:
        super().__init__(verify=verify)
        self._caller_limits = limits
        self._header: FileHeader | None = None
        self._index: Index | None = None
        self._listed: list[tuple[SectionHeader, ChunkHeader | None]] = []  # stream mode, for a late index

    # ---- the file, step by step; None means: more data is needed

    def _run(self) -> Generator[Event | None, None, None]:
        header = self._header = yield from self._read_header()
        if header.profile != profiles.CORE:
            how = {profiles.LOSSLESS: "gscodec.decode", profiles.DYNAMIC: "gscodec.open"}[header.profile]
            raise Unsupported(
                "container.profile",
                f"a file of profile {profiles.NAMES[header.profile]}, which {how} decodes",
                clause="2.3",
                offset=10,
            )
        yield header
        limits = Limits.of_level(header.level)
        if self._caller_limits is not None:
            limits = limits.at_most(self._caller_limits)
        ledger, state = Ledger(limits), "start"
        while state != "end":
            section, payload, data = yield from self._read_section(limits)
            state = next_state("stream" if header.stream_mode else "file", state, section)
            event = self._read_payload(section, payload, header, ledger)
            self._update_hash(data)
            self._window.skip(section.size)
            yield event
        yield from self._read_trailing()

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
