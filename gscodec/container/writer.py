"""(2.2) Containers from decided values: complete in file mode, piece by piece in stream mode.

A writer refuses, with `UsageError`, what a reader would call malformed, and with `EncodeError` what exceeds
the level. Counts, offsets, decoded sizes, checksums and the hash are computed here.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain

from gscodec.container.chunk import ChunkHeader
from gscodec.container.end import EndMark, write_end_mark
from gscodec.container.header import HEADER_BYTES, FileHeader, write_file_header
from gscodec.container.index import (
    IndexChunk,
    IndexEntry,
    index_payload_bytes,
    read_index,
    write_index,
)
from gscodec.container.ledger import Ledger
from gscodec.container.scene import Floats6, SceneHeader, read_scene_header, write_scene_header
from gscodec.container.section import (
    IGNORABLE_IDS,
    KNOWN_IDS,
    SECTION_FRAME_BYTES,
    SECTION_HEADER_BYTES,
    is_section_id,
    write_section,
)
from gscodec.errors import EncodeError, LimitError, StreamError, UsageError
from gscodec.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkBounds:
    """What the index says of a chunk that its payload does not show. Round extents outwards."""

    bounds: Floats6
    extents: Floats6


class _Body:
    """Sections between SCEN and ENDM, checked as a reader would."""

    def __init__(self, scene: SceneHeader, header: FileHeader) -> None:
        self.header = header
        self.ledger = Ledger(Limits.of_level(header.level))
        with blaming_caller():
            payload = write_scene_header(scene)
            self.scene = read_scene_header(
                memoryview(payload), 0, stream_mode=header.stream_mode, limits=self.ledger.limits
            )
        self.scene_section = self._section(b"SCEN", payload)

    def parameters(self, payload: bytes) -> bytes:
        with blaming_caller():
            self.ledger.add_parameters(memoryview(payload), 0)
        return self._section(b"PARM", payload)

    def chunk(self, payload: bytes) -> tuple[bytes, ChunkHeader]:
        header = self.check_chunk(payload)
        return write_section(b"CHNK", payload), header

    def check_chunk(self, payload: bytes) -> ChunkHeader:
        """Note the chunk, which is written later."""
        with blaming_caller():
            header = self.ledger.add_chunk(memoryview(payload), 0, self.scene)
        self._count(b"CHNK", payload)
        return header

    def ignorable(self, id: bytes, payload: bytes) -> bytes:
        if id in KNOWN_IDS - IGNORABLE_IDS or not is_section_id(id):
            raise UsageError("usage.container", f"{id!r} is no id for a section that may be ignored")
        return self._section(id, payload, flags=0)

    def _section(self, id: bytes, payload: bytes, flags: int = 1) -> bytes:
        self._count(id, payload)
        return write_section(id, payload, flags=flags)

    def _count(self, id: bytes, payload: bytes) -> None:
        with blaming_caller():
            self.ledger.check_section_count(0)
        if len(payload) > self.ledger.limits.section_bytes:
            raise EncodeError("encode.level", f"section {id.decode()} has {len(payload)} bytes")
        self.ledger.sections += 1


def write_file_mode(
    scene: SceneHeader,
    parameters: Sequence[bytes],
    chunks: Sequence[bytes],
    bounds: Sequence[ChunkBounds],
    *,
    level: int = 1,
    leading: Sequence[tuple[bytes, bytes]] = (),
    ignorable: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """(2.2) A complete file: header, INDX, SCEN, every PARM, every CHNK, ENDM.

    `parameters` and `chunks` are whole payloads; `bounds` has one entry per chunk. The counts in `scene` are
    replaced by the actual ones. `leading` and `ignorable` are (id, payload) of further sections, put after
    SCEN, where a reader finds them early, and before the end.
    """
    pieces = file_mode_pieces(
        scene, parameters, chunks, bounds, level=level, leading=leading, ignorable=ignorable
    )
    return b"".join(pieces)


def file_mode_pieces(
    scene: SceneHeader,
    parameters: Sequence[bytes],
    chunks: Sequence[bytes],
    bounds: Sequence[ChunkBounds],
    *,
    level: int = 1,
    leading: Sequence[tuple[bytes, bytes]] = (),
    ignorable: Sequence[tuple[bytes, bytes]] = (),
) -> Iterator[bytes]:
    """The file of `write_file_mode`, piece by piece.

    `chunks` is gone through twice and no payload kept: it may read them from somewhere.
    """
    if len(bounds) != len(chunks):
        raise UsageError("usage.container", f"{len(chunks)} chunks, but bounds of {len(bounds)}")
    with blaming_caller():
        total = sum(struct.unpack_from("<I", payload, 4)[0] for payload in chunks)
    scene = replace(scene, splat_count=total, chunk_count=len(chunks))
    body = _Body(scene, FileHeader(level=level))
    front = [
        body.scene_section,
        *(body.ignorable(id, payload) for id, payload in leading),
        *(body.parameters(payload) for payload in parameters),
    ]
    listed = [(section[:4], len(section)) for section in front]
    facts: list[IndexChunk] = []
    for payload, box in zip(chunks, bounds, strict=True):
        first = body.ledger.splats
        header = body.check_chunk(payload)
        listed.append((b"CHNK", SECTION_FRAME_BYTES + len(payload)))
        facts.append(_facts_of(header, first, body.scene, box))
    back = [body.ignorable(id, payload) for id, payload in ignorable]
    listed += [(section[:4], len(section)) for section in back]
    index = _index_section(listed, facts, body.ledger.limits)
    sections = (write_section(b"CHNK", payload) for payload in chunks)
    sha = hashlib.sha256()
    for piece in chain([write_file_header(body.header), index, *front], sections, back):
        sha.update(piece)
        yield piece
    yield write_section(b"ENDM", write_end_mark(EndMark(splat_count=total, sha256=sha.digest())))


def _facts_of(header: ChunkHeader, first: int, scene: SceneHeader, box: ChunkBounds) -> IndexChunk:
    return IndexChunk(
        first_splat=first,
        splat_count=header.splat_count,
        layer=header.layer,
        decoded_bytes=header.splat_count * scene.decoded_bytes_per_splat,
        bounds=box.bounds,
        extents=box.extents,
    )


def _index_section(listed: Sequence[tuple[bytes, int]], facts: Sequence[IndexChunk], limits: Limits) -> bytes:
    size = SECTION_FRAME_BYTES + index_payload_bytes(len(listed), len(facts))
    first = offset = HEADER_BYTES + size
    entries: list[IndexEntry] = []
    for id, length in listed:
        entries.append(IndexEntry(id=id, offset=offset, size=length))
        offset += length
    with blaming_caller():
        payload = write_index(entries, facts)
        read_index(
            memoryview(payload), HEADER_BYTES + SECTION_HEADER_BYTES, first_section=first, limits=limits
        )
    return write_section(b"INDX", payload)


class StreamModeWriter:
    """(2.2) A stream, section by section; each method returns the bytes to send next.

    `start()` first, then `parameters()`, `chunk()` and `ignorable()` as they come, `end()` last.
    The counts in `scene` may be None; when they are given, they have to come true. When every chunk came
    with its bounds, an index of everything precedes the end mark.
    """

    def __init__(self, scene: SceneHeader, *, level: int = 1) -> None:
        self._body = _Body(scene, FileHeader(level=level, stream_mode=True))
        self._state = "start"
        self._offset = HEADER_BYTES
        self._entries: list[IndexEntry] = []
        self._facts: list[IndexChunk] = []

    def start(self) -> bytes:
        """File header and scene header."""
        self._expect("start")
        self._state = "body"
        return write_file_header(self._body.header) + self._sent(self._body.scene_section)

    def parameters(self, payload: bytes) -> bytes:
        """A parameter set, its id in the first byte."""
        self._expect("body")
        return self._sent(self._body.parameters(payload))

    def chunk(self, payload: bytes, bounds: ChunkBounds | None = None) -> bytes:
        """A chunk, with its header in front."""
        self._expect("body")
        first = self._body.ledger.splats
        section, header = self._body.chunk(payload)
        if bounds is not None:
            self._facts.append(_facts_of(header, first, self._body.scene, bounds))
        return self._sent(section)

    def ignorable(self, id: bytes, payload: bytes) -> bytes:
        """A section that readers may skip; after PERM, no chunk follows."""
        if self._state != "ordered":
            self._expect("body")
        elif id == b"PERM":
            raise UsageError("usage.container", "a second permutation")
        if id == b"PERM":
            self._state = "ordered"
        return self._sent(self._body.ignorable(id, payload))

    def end(self) -> bytes:
        """The index, if there is one, and the end mark."""
        if self._state != "ordered":
            self._expect("body")
        index = b""
        if self._facts and len(self._facts) == self._body.ledger.chunks:
            with blaming_caller():
                payload = write_index(self._entries, self._facts)
                at, limits = self._offset + SECTION_HEADER_BYTES, self._body.ledger.limits
                read_index(memoryview(payload), at, first_section=HEADER_BYTES, limits=limits)
            index = write_section(b"INDX", payload)
        mark = EndMark(splat_count=self._body.ledger.splats)
        with blaming_caller():
            self._body.ledger.check_end(mark, 0, self._body.scene)
        self._state = "end"
        return index + write_section(b"ENDM", write_end_mark(mark))

    def _sent(self, section: bytes) -> bytes:
        self._entries.append(IndexEntry(id=section[:4], offset=self._offset, size=len(section)))
        self._offset += len(section)
        return section

    def _expect(self, state: str) -> None:
        if self._state != state:
            raise UsageError("usage.container", f"the writer is at its {self._state}, not at its {state}")


@contextmanager
def blaming_caller() -> Iterator[None]:
    """What would be an error of the stream is, while writing, one of the arguments."""
    try:
        yield
    except LimitError as error:
        raise EncodeError("encode.level", error.message) from error
    except StreamError as error:
        raise UsageError("usage.container", f"{error.message} [{error.code}]") from error
    except (struct.error, OverflowError, ValueError) as error:
        raise UsageError("usage.container", f"a value cannot be written: {error}") from error
