"""Parts of a .gsc, fetched piece by piece: by chunk, region, layer or number of splats.

    file = PartialFile(read_at, size)            # read_at(offset, count) -> bytes, of a file or a server
    numbers = file.select(box=(0, 0, 0, 1, 1, 1), layers=1)
    for splats in file.chunks(numbers):
        ...

Nothing is opened here: the caller brings `read_at`. What is fetched is the start of the file with index,
scene header and parameter sets, and the chunks that are wanted; of a stream whose index comes last, its end.
Every section that is fetched is checked by its CRC; the hash of the whole file cannot be.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from gscodec._generated import profiles
from gscodec.chunk import read_chunk
from gscodec.container.chunk import CHUNK_HEADER_BYTES, ChunkHeader, read_chunk_header
from gscodec.container.header import HEADER_BYTES, FileHeader, read_file_header
from gscodec.container.index import (
    Index,
    IndexChunk,
    IndexEntry,
    check_index_chunk,
    index_payload_bytes,
    read_index,
)
from gscodec.container.metadata import is_comment
from gscodec.container.scene import SceneHeader, check_decoded_bytes, read_scene_header
from gscodec.container.section import (
    KNOWN_IDS,
    SECTION_FRAME_BYTES,
    SECTION_HEADER_BYTES,
    SectionHeader,
    check_section,
    next_state,
    read_section_header,
)
from gscodec.decoder import empty_splats, write_values
from gscodec.errors import LimitError, Malformed, Truncated, Unsupported, UsageError
from gscodec.limits import Limits
from gscodec.parameters import Parameters, read_parameters
from gscodec.splats import Splats

ReadAt = Callable[[int, int], bytes]
Box = tuple[float, float, float, float, float, float]
START = 4096  # bytes fetched at first: mostly header and index of a small file, or the length of the index
TAIL = 65_536  # ... and at the end of a stream, to find its index
END_BYTES = SECTION_FRAME_BYTES + 8  # of the end mark of a stream
FILE_END_BYTES = END_BYTES + 32  # ... and of file mode, with its hash
FLOAT_MAX = float(np.finfo(np.float32).max)
GAP = 4096  # bytes between two chunks that are fetched rather than asked for twice


class PartialFile:
    """A .gsc of which only parts are read. Raises `StreamError`; what `read_at` raises passes unchanged.

    read_at   (offset, count) -> bytes, fewer only at the end
    size      of the whole, in bytes
    limits    the caller's own: the index may not say more
    """

    def __init__(self, read_at: ReadAt, size: int, *, limits: Limits | None = None) -> None:
        self._read_at, self.size = read_at, size
        self._kept: list[tuple[int, bytes]] = []
        self._is_walked = False
        start = self._fetch(0, min(START, size))
        if len(start) < HEADER_BYTES:
            raise Truncated("container.truncated", "the file ends early", clause="2.2", offset=len(start))
        self.header: FileHeader = read_file_header(memoryview(start))
        if self.header.profile != profiles.CORE:
            name = profiles.NAMES[self.header.profile]
            hint = "; see gscodec.open" if self.header.profile == profiles.DYNAMIC else ""
            text = f"a file of profile {name} has no parts{hint}"
            raise Unsupported("container.profile", text, clause="2.3", offset=10)
        self.limits = Limits.of_level(self.header.level)
        if limits is not None:
            self.limits = self.limits.at_most(limits)
        self.index: Index = self._find_index()
        self.scene: SceneHeader = self._read_scene()
        self._check_sections()
        self._check_counts()
        self._sets: dict[int, Parameters] = {}
        self._chunk_entries = [entry for entry in self.index.entries if entry.id == b"CHNK"]

    # ---- what to fetch

    @property
    def layers(self) -> int:
        """How many layers the file has."""
        return max((chunk.layer for chunk in self.index.chunks), default=0) + 1

    @property
    def knows_bounds(self) -> bool:
        """Whether the file has an index, which says where chunks are."""
        return not self._is_walked

    def select(
        self,
        *,
        chunks: Sequence[int] | None = None,
        box: Box | None = None,
        layers: int | None = None,
        max_splats: int | None = None,
    ) -> list[int]:
        """Numbers of the chunks that can have what is wanted, in the order of the file.

        chunks      only some of these          box     only those whose centres reach into x0 y0 z0 x1 y1 z1
        layers      only the first so many      max_splats  no chunk that only adds splats beyond so many

        Raises `UsageError`.
        """
        count = len(self.index.chunks)
        if chunks is not None and any(not 0 <= number < count for number in chunks):
            raise UsageError("usage.chunks", f"the file has the chunks 0 to {count - 1}")
        if layers is not None and layers < 1:
            raise UsageError("usage.layers", f"layers {layers}: expected 1 or more")
        if max_splats is not None and max_splats < 0:
            raise UsageError("usage.max_splats", f"max_splats {max_splats}: expected 0 or more")
        wanted = set(range(count)) if chunks is None else set(chunks)
        found, total = [], 0
        for number, facts in enumerate(self.index.chunks):
            is_wanted = number in wanted and (layers is None or facts.layer < layers)
            if not is_wanted or (box is not None and not overlaps(facts.bounds, box)):
                continue
            if max_splats is not None and total >= max_splats:
                break
            found.append(number)
            total += facts.splat_count
        return found

    def chunks(self, numbers: Sequence[int], *, sh_degree: int | None = None) -> Iterator[Splats]:
        """The splats of each of these chunks; neighbours in the file are fetched together."""
        degree = self.scene.sh_degree if sh_degree is None else min(sh_degree, self.scene.sh_degree)
        for run in self._runs(numbers):
            first, last = self._chunk_entries[run[0]], self._chunk_entries[run[-1]]
            data = memoryview(self._fetch(first.offset, last.offset + last.size - first.offset))
            for number in run:
                entry = self._chunk_entries[number]
                part = data[entry.offset - first.offset :][: entry.size]
                yield self._decode(number, entry, part, degree)

    def payloads(self, numbers: Sequence[int]) -> Iterator[tuple[IndexChunk, bytes]]:
        """What the index says of each of these chunks, and its payload as it is."""
        for number in numbers:
            entry = self._chunk_entries[number]
            payload = self._chunk(number, entry, memoryview(self._fetch(entry.offset, entry.size)))[0]
            yield self.index.chunks[number], bytes(payload)

    def parameters(self, id: int) -> Parameters:
        """(4.2) The parameter set with this id."""
        return self._parameters()[id]

    def parameter_payloads(self) -> list[bytes]:
        """The payloads of all parameter sets."""
        return self.section_payloads(b"PARM")

    def section_payloads(self, id: bytes) -> list[bytes]:
        """The payloads of all sections of this id."""
        return [bytes(self._read(entry)) for entry in self.index.entries if entry.id == id]

    def comment_sections(self) -> list[tuple[bytes, int]]:
        """(2.12) Payload and place of every META with comments; of others only the start is fetched."""
        found = []
        for entry in self.index.entries:
            if entry.id != b"META" or entry.size <= SECTION_FRAME_BYTES:
                continue
            if is_comment(self._fetch(entry.offset, SECTION_HEADER_BYTES + 1)[SECTION_HEADER_BYTES:]):
                found.append((bytes(self._read(entry)), entry.offset + SECTION_HEADER_BYTES))
        return found

    # ---- fetching

    def _fetch(self, offset: int, count: int) -> bytes:
        """From what is there already, or asked for."""
        known = b""
        for at, data in self._kept:
            if at <= offset < at + len(data):
                known = max(known, data[offset - at : offset - at + count], key=len)
        if len(known) == count:
            return known
        data = known + self._read_at(offset + len(known), count - len(known))
        if len(data) < count:
            end = offset + len(data)
            raise Truncated("container.truncated", "the file ends early", clause="2.2", offset=end)
        if offset == 0 or offset + count == self.size:
            self._kept = [piece for piece in self._kept if piece[0] == 0] + [(offset, data)]
        return data

    def _runs(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Chunks that are fetched together: one after the other, with little between them."""
        run: list[int] = []
        for number in sorted(numbers):
            if run:
                before = self._chunk_entries[run[-1]]
                if self._chunk_entries[number].offset - before.offset - before.size > GAP:
                    yield run
                    run = []
            run.append(number)
            first, last = self._chunk_entries[run[0]], self._chunk_entries[number]
            if last.offset + last.size - first.offset > 1 << 24:  # enough at once: memory stays small
                yield run
                run = []
        if run:
            yield run

    def _find_index(self) -> Index:
        if not self.header.stream_mode:
            head = self._header_at(HEADER_BYTES)
            if head.id != b"INDX":
                raise Malformed("container.order", "no index in front", clause="2.5", offset=HEADER_BYTES)
            payload = check_section(head, memoryview(self._fetch(HEADER_BYTES, head.size)))
            first = HEADER_BYTES + head.size
            return read_index(payload, head.payload_offset, first_section=first, limits=self.limits)
        for size in self._tails():
            tail = self._fetch(self.size - size, size)
            at = tail.rfind(b"INDX\x01\0\0\0")
            while at >= 0:
                (length,) = struct.unpack_from("<Q", tail, at + 8) if at + 16 <= size else (0,)
                if at + SECTION_FRAME_BYTES + length + END_BYTES == size:
                    head = SectionHeader(id=b"INDX", flags=1, length=length, offset=self.size - size + at)
                    payload = check_section(head, memoryview(tail)[at : at + head.size])
                    return read_index(
                        payload, head.payload_offset, first_section=HEADER_BYTES, limits=self.limits
                    )
                at = tail.rfind(b"INDX\x01\0\0\0", 0, at)
        return self._walk()

    def _tails(self) -> Iterator[int]:
        """Bytes at the end to look for an index in: a few, then as many as the longest one has."""
        most = index_payload_bytes(self.limits.sections, self.limits.sections)
        most = min(self.size, most + SECTION_FRAME_BYTES + END_BYTES)
        size = TAIL
        while size < most:
            yield size
            size *= 16
        yield most

    def _walk(self) -> Index:
        """What an index would say, from the headers of all sections; bounds are not known."""
        entries: list[IndexEntry] = []
        facts: list[IndexChunk] = []
        offset, total = HEADER_BYTES, 0
        everywhere = (-FLOAT_MAX, -FLOAT_MAX, -FLOAT_MAX, FLOAT_MAX, FLOAT_MAX, FLOAT_MAX)
        while True:
            data = memoryview(self._fetch(offset, SECTION_HEADER_BYTES + CHUNK_HEADER_BYTES))
            head = read_section_header(data, offset, self.limits.section_bytes)
            if head.id == b"ENDM":
                break
            if len(entries) >= self.limits.sections:
                raise LimitError("limit.sections", "too many sections", clause="2.5", offset=offset)
            entries.append(IndexEntry(id=head.id, offset=offset, size=head.size))
            if head.id == b"CHNK":
                layer, count = struct.unpack_from("<xB2xI", data, SECTION_HEADER_BYTES)
                facts.append(
                    IndexChunk(
                        first_splat=total,
                        splat_count=count,
                        layer=layer,
                        decoded_bytes=0,
                        bounds=everywhere,
                        extents=everywhere,
                    )
                )
                total += count
            offset += head.size
        self._is_walked = True
        return Index(entries=tuple(entries), chunks=tuple(facts), offset=offset)

    def _header_at(self, offset: int) -> SectionHeader:
        data = memoryview(self._fetch(offset, SECTION_HEADER_BYTES))
        return read_section_header(data, offset, self.limits.section_bytes)

    def _read(self, entry: IndexEntry) -> memoryview:
        return self._section(entry, memoryview(self._fetch(entry.offset, entry.size)))

    def _section(self, entry: IndexEntry, data: memoryview) -> memoryview:
        head = read_section_header(data, entry.offset, self.limits.section_bytes)
        if head.size != entry.size or head.id != entry.id:
            raise _wrong_index(f"no {entry.id.decode()} at {entry.offset}", self.index)
        return check_section(head, data)

    def _read_scene(self) -> SceneHeader:
        entry = self.index.entries[0] if self.index.entries else None
        if entry is None or entry.id != b"SCEN":
            raise Malformed("container.order", "no scene header", clause="2.5", offset=HEADER_BYTES)
        payload, at = self._read(entry), entry.offset + SECTION_HEADER_BYTES
        return read_scene_header(payload, at, stream_mode=self.header.stream_mode, limits=self.limits)

    def _parameters(self) -> dict[int, Parameters]:
        if not self._sets:
            for entry in self.index.entries:
                if entry.id == b"PARM":
                    payload, at = self._read(entry), entry.offset + SECTION_HEADER_BYTES
                    read = read_parameters(
                        payload, at, sh_degree=self.scene.sh_degree, extras=self.scene.extras
                    )
                    if payload[0] in self._sets:
                        again = f"parameter set {payload[0]} is given twice"
                        raise Malformed(
                            "container.parameters", again, clause="2.8", section="PARM", offset=at
                        )
                    self._sets[payload[0]] = read
        return self._sets

    def _check_sections(self) -> None:
        """(2.4, 2.5) The sections stand where they may, and there is none that has to be understood."""
        mode, state = ("stream", "start") if self.header.stream_mode else ("file", "indexed")
        end = HEADER_BYTES
        for entry in self.index.entries:
            head = SectionHeader(
                id=entry.id, flags=0, length=entry.size - SECTION_FRAME_BYTES, offset=entry.offset
            )
            if entry.id not in KNOWN_IDS:
                check_section(self._header_at(entry.offset), memoryview(b""), verify=False)
            state = next_state(mode, state, head)
            end = entry.offset + entry.size
        if self.header.stream_mode and not self._is_walked:
            if (found := self.index.offset - SECTION_HEADER_BYTES) != end:
                raise _wrong_index(f"the sections end at {end}, the index is at {found}", self.index)
            return
        end += END_BYTES if self.header.stream_mode else FILE_END_BYTES
        if end < self.size:
            raise Malformed("container.trailing", "bytes follow the end mark", clause="2.5", offset=end)

    def _check_counts(self) -> None:
        """(2.9) As many splats as the level and the scene header allow."""
        total, at = sum(chunk.splat_count for chunk in self.index.chunks), self.index.offset
        if total > self.limits.splats:
            raise LimitError(
                "limit.splats", f"{total} splats; at most {self.limits.splats}", clause="2.9", offset=at
            )
        check_decoded_bytes(self.scene, total, at, "INDX", self.limits)
        stated = self.scene.splat_count, self.scene.chunk_count
        if stated[0] not in (None, total) or stated[1] not in (None, len(self.index.chunks)):
            raise Malformed(
                "container.count", f"{total} splats; the scene header says otherwise", clause="2.9", offset=at
            )

    def _chunk(
        self, number: int, entry: IndexEntry, data: memoryview
    ) -> tuple[memoryview, ChunkHeader, Parameters]:
        """The payload of a chunk that is what the index says, its header and its parameter set."""
        payload, at = self._section(entry, data), entry.offset + SECTION_HEADER_BYTES
        sets = self._parameters()
        header = read_chunk_header(payload, at, set(sets))
        if not self._is_walked:
            check_index_chunk(self.index, number, header, self.scene)
        if header.splat_count > self.limits.chunk_splats:
            raise LimitError("limit.chunk_splats", "too many splats", clause="2.9", offset=at + 4)
        return payload, header, sets[header.parameters_id]

    def _decode(self, number: int, entry: IndexEntry, data: memoryview, degree: int) -> Splats:
        payload, header, parameters = self._chunk(number, entry, data)
        at = entry.offset + SECTION_HEADER_BYTES
        fields, integers = read_chunk(payload, at, parameters, self.scene.extras)
        out = empty_splats(self.scene, header.splat_count, degree)
        write_values(fields, integers, parameters.coding, self.scene, out)
        return out


def _wrong_index(message: str, index: Index) -> Malformed:
    return Malformed("container.index", message, clause="2.7", section="INDX", offset=index.offset)


def overlaps(bounds: Box, box: Box) -> bool:
    """Whether two boxes, minimum then maximum, have a point in common."""
    return all(bounds[k] <= box[3 + k] and box[k] <= bounds[3 + k] for k in range(3))


def inside(splats: Splats, box: Box) -> Splats:
    """The splats whose centres are in the box, its faces included."""
    low, high = np.array(box[:3]), np.array(box[3:])
    rows = np.flatnonzero(((splats.positions >= low) & (splats.positions <= high)).all(1))
    return splats if len(rows) == len(splats) else splats.take(rows)


def largest(splats: Splats, count: int) -> Splats:
    """The `count` splats that show most, by opacity and size, in their order."""
    if len(splats) <= count:
        return splats
    area = np.sort(splats.scales.astype(np.float64), axis=1)[:, 1:].sum(1)
    shown = area - np.logaddexp(0, -splats.opacities.astype(np.float64))
    rows = np.sort(np.argsort(-shown, kind="stable")[:count])
    return splats.take(rows)


def enlarged(splats: Splats, kept: int, total: int) -> Splats:
    """`kept` splats of `total`, enlarged so that they cover what the others would: for previews."""
    if not 0 < kept < total:
        return splats
    more = np.float32(0.18 * np.log(total / kept))
    return replace(splats, scales=splats.scales + more)
