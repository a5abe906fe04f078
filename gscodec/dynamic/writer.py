"""(12.1) Files of the dynamic profile from decided payloads, one segment in memory at a time.

    with FileWriter("scene.gsc", scene, Time(rate=30_000), static=StaticLayer(...)) as writer:
        for ...:
            writer.segment(SegmentPayloads(start=..., duration=..., parameters=[...], chunks=[...]))

    writer = StreamWriter(scene, Time(rate=30_000))
    send(writer.start())
    send(writer.segment(...))  # as soon as it is complete
    send(writer.end())         # or nothing: a stream may just end

What is written is read as a reader would: a writer refuses, with `UsageError`, what a reader would call
malformed, and with `EncodeError` what exceeds the level. Counts, sizes, offsets, checksums and the hash are
computed here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, BinaryIO

from gscodec._generated import profiles
from gscodec.container.chunk import CHUNK_HEADER_BYTES
from gscodec.container.end import EndMark, write_end_mark
from gscodec.container.header import FileHeader, write_file_header
from gscodec.container.scene import Floats6, SceneHeader, write_scene_header
from gscodec.container.section import IGNORABLE_IDS, KNOWN_IDS, is_section_id, write_section
from gscodec.container.writer import blaming_caller
from gscodec.dynamic.ledger import MOVE_BYTES, TimelineLedger
from gscodec.dynamic.reader import Event, Resume, TimelineReader
from gscodec.dynamic.timeline import (
    FARTHEST,
    SMALLEST_SEGMENT,
    SegmentEntry,
    SegmentHeader,
    Time,
    table_bytes,
    write_segment,
    write_table,
    write_time,
)
from gscodec.errors import InputError, UsageError
from gscodec.io.output import atomic_output
from gscodec.limits import Limits

COPIED = 1 << 20  # bytes at a time
FRAME = 20  # bytes of a section that are not payload


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticLayer:
    """What is shown at all times, and what stands in front of it.

    parameters  payloads of PARM, which segments may use, too
    chunks      payloads of CHNK
    leading     (id, payload) of META, THMB, TENS and unknown sections, which come first
    """

    parameters: Sequence[bytes] = ()
    chunks: Sequence[bytes] = ()
    leading: Sequence[tuple[bytes, bytes]] = ()

    def counted(self, scene: SceneHeader) -> SceneHeader:
        """`scene` with the counts of this layer."""
        return replace(scene, splat_count=_splats(self.chunks), chunk_count=len(self.chunks))

    def sections(self) -> bytes:
        """All of it."""
        parts = [_ignorable(*each) for each in self.leading]
        parts += [write_section(b"PARM", payload) for payload in self.parameters]
        return b"".join([*parts, *(write_section(b"CHNK", payload) for payload in self.chunks)])


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPayloads:
    """A segment: its times in ticks, and its payloads.

    frames      of the source, 0: unknown
    parameters  payloads of PARM, with ids that neither the header part nor another of these has
    bases       payloads of MBAS
    moves       (number of a chunk of the static layer, payload of its MOTN), in any order
    chunks      (payload of CHNK, payload of its MOTN or None)
    ignorable   (id, payload) of META and unknown sections
    """

    start: int
    duration: int
    frames: int = 0
    parameters: Sequence[bytes] = ()
    bases: Sequence[bytes] = ()
    moves: Sequence[tuple[int, bytes]] = ()
    chunks: Sequence[tuple[bytes, bytes | None]] = ()
    ignorable: Sequence[tuple[bytes, bytes]] = ()

    def sections(self, number: int) -> bytes:
        """SEGM and all that follows."""
        parts = [_ignorable(*each) for each in self.ignorable]
        parts += [write_section(b"PARM", payload) for payload in self.parameters]
        parts += [write_section(b"MBAS", payload) for payload in self.bases]
        for moved, moving in sorted(self.moves, key=lambda move: move[0]):
            parts += [_move(moved), write_section(b"MOTN", moving)]
        for chunk, motion in self.chunks:
            parts.append(write_section(b"CHNK", chunk))
            if motion is not None:
                parts.append(write_section(b"MOTN", motion))
        header = SegmentHeader(
            number=number,
            start=self.start,
            duration=self.duration,
            splat_count=_splats([chunk for chunk, _ in self.chunks]),
            chunk_count=len(self.chunks),
            frames=self.frames,
            size=SMALLEST_SEGMENT + sum(map(len, parts)),
        )
        with blaming_caller():
            payload = write_segment(header)
        return b"".join([write_section(b"SEGM", payload), *parts])


class StreamWriter:
    """(12.1) A stream, segment by segment; each method returns the bytes to send next.

    What is unknown in `time` stays unknown; what is known is a bound. The counts in `scene` are replaced by
    those of the static layer. The segments' numbers are `first_number` and so on.
    """

    def __init__(
        self,
        scene: SceneHeader,
        time: Time,
        *,
        static: StaticLayer | None = None,
        level: int = 1,
        first_number: int = 0,
    ) -> None:
        static = static or StaticLayer()
        self._header = FileHeader(profile=profiles.DYNAMIC, level=level, stream_mode=True)
        self._time, self._number = time, first_number
        self._front = _front(self._header, static.counted(scene), time) + static.sections()
        self._ledger = _checked_front(self._front, level)
        self._position = 0
        self._is_ended = False
        self.entries: list[SegmentEntry] = []

    def start(self) -> bytes:
        """The header part."""
        if self._position:
            raise UsageError("usage.container", "the stream has been started")
        self._position = len(self._front)
        return self._front

    def segment(self, payloads: SegmentPayloads) -> bytes:
        """A segment."""
        if not self._position or self._is_ended:
            raise UsageError("usage.container", "a segment before the start or after the end of the stream")
        data = payloads.sections(self._number)
        self.entries.append(_entry_of(_checked(data, self._position, self._header, self._ledger)))
        self._number += 1
        self._position += len(data)
        return data

    def end(self, *, table: bool = True) -> bytes:
        """The table of segments, unless it is not wanted, and the end mark."""
        if not self._position or self._is_ended:
            raise UsageError("usage.container", "the end before the start, or a second one")
        self._is_ended = True
        mark = write_section(b"ENDM", write_end_mark(EndMark(splat_count=self._ledger.splats)))
        return (write_section(b"SEGT", write_table(self.entries)) if table else b"") + mark


class FileWriter:
    """(12.1) A file in file mode, at a path, where it appears whole or not at all, or in a binary file.

    To be used by `with`: at the end of the block the file is made, from segments that were put into a
    temporary file, in `folder` or the usual place. A `time` without duration gets start and duration of the
    segments. `bounds`, at first those of `time`, may be set until then.
    Raises `UsageError`, `EncodeError`, `InputError` "io.write".
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | BinaryIO,
        scene: SceneHeader,
        time: Time,
        *,
        static: StaticLayer | None = None,
        level: int = 1,
        folder: str | None = None,
    ) -> None:
        static = static or StaticLayer()
        self._target, self._static, self._time = target, static.sections(), time
        self._scene = static.counted(scene)
        self._header = FileHeader(profile=profiles.DYNAMIC, level=level)
        as_stream = replace(self._header, stream_mode=True)  # as which segments are checked when they come
        open_time = replace(time, segment_count=None)
        if time.duration is None:
            open_time = replace(open_time, start=-FARTHEST)
        self._ledger = _checked_front(_front(as_stream, self._scene, open_time) + self._static, level)
        self._as_stream, self._folder = as_stream, folder
        self._spool: Any = None
        self._size = 0
        self.bounds: Floats6 = time.bounds
        self.entries: list[SegmentEntry] = []

    def __enter__(self) -> FileWriter:
        with _refused():
            self._spool = tempfile.TemporaryFile(dir=self._folder, prefix=".gscodec-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._spool.close()

    def segment(self, payloads: SegmentPayloads) -> None:
        """The next segment."""
        if self._spool is None:
            raise UsageError("usage.container", "a FileWriter is used by `with`")
        data = payloads.sections(len(self.entries))
        self.entries.append(_entry_of(_checked(data, self._size, self._as_stream, self._ledger)))
        with _refused():
            self._spool.write(data)
        self._size += len(data)

    def _finish(self) -> None:
        time = replace(self._time, segment_count=len(self.entries), bounds=self.bounds)
        if time.duration is None:
            start = self.entries[0].start if self.entries else time.start
            end = self.entries[-1].end if self.entries else start
            time = replace(time, start=start, duration=end - start)
        front = _front(self._header, self._scene, time)
        first_offset = len(front) + FRAME + table_bytes(len(self.entries)) + len(self._static)
        entries = (replace(entry, offset=first_offset + entry.offset) for entry in self.entries)
        front += write_section(b"SEGT", write_table(entries)) + self._static
        _checked_front(front, self._header.level)
        if isinstance(self._target, str | os.PathLike):
            with atomic_output(self._target) as file:
                self._write(file, front)
        else:
            self._write(self._target, front)

    def _write(self, file: BinaryIO, front: bytes) -> None:
        sha = hashlib.sha256()
        for piece in self._pieces(front):
            sha.update(piece)
            file.write(piece)
        mark = EndMark(splat_count=self._ledger.splats, sha256=sha.digest())
        file.write(write_section(b"ENDM", write_end_mark(mark)))

    def _pieces(self, front: bytes) -> Iterator[bytes]:
        yield front
        with _refused():
            self._spool.seek(0)
        while True:
            with _refused():
                piece = self._spool.read(COPIED)
            if not piece:
                return
            yield piece


def _front(header: FileHeader, scene: SceneHeader, time: Time) -> bytes:
    with blaming_caller():
        parts = [
            write_section(b"SCEN", write_scene_header(scene)),
            write_section(b"TIME", write_time(time)),
        ]
    return b"".join([write_file_header(header), *parts])


def _checked_front(front: bytes, level: int) -> TimelineLedger:
    """What a reader knows after the header part."""
    reader = TimelineReader(Limits.of_level(level), verify=False)
    reader.feed(front)
    with blaming_caller():
        for _ in reader.events():
            pass
    if reader.ledger is None:
        raise RuntimeError("a header part without header")
    return reader.ledger


def _checked(data: bytes, position: int, header: FileHeader, ledger: TimelineLedger) -> SegmentHeader:
    """The header of the segment in `data`, once a reader took all of it."""
    resume = Resume(header=header, ledger=ledger, position=position, until=position + len(data))
    reader = TimelineReader(verify=False, resume=resume)
    reader.feed(data)
    with blaming_caller():
        events: list[Event] = list(reader.events())
    header_event = events[0]
    if not isinstance(header_event, SegmentHeader):
        raise RuntimeError("a segment without header")
    return header_event


def _entry_of(segment: SegmentHeader) -> SegmentEntry:
    return SegmentEntry(
        start=segment.start,
        duration=segment.duration,
        splat_count=segment.splat_count,
        offset=segment.offset,
        size=segment.size,
        chunk_count=segment.chunk_count,
    )


def _ignorable(id: bytes, payload: bytes) -> bytes:
    if id in KNOWN_IDS - IGNORABLE_IDS or not is_section_id(id):
        raise UsageError("usage.container", f"{id!r} is no id for a section that may be ignored")
    return write_section(id, payload, flags=0)


def _move(chunk: int) -> bytes:
    """(12.4) MOVE; whether the static layer has the chunk is looked at later."""
    with blaming_caller():
        return write_section(b"MOVE", chunk.to_bytes(MOVE_BYTES, "little"))


def _splats(chunks: Sequence[bytes]) -> int:
    """(2.9) What the headers of chunks say; too short ones are refused later."""
    return sum(int.from_bytes(chunk[4:CHUNK_HEADER_BYTES], "little") for chunk in chunks)


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """What the system refuses of the temporary file."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise InputError("io.write", f"cannot write a temporary file: {why}") from error


__all__ = ["FileWriter", "SegmentPayloads", "StaticLayer", "StreamWriter"]
