"""Small dynamic files, and both readers behind one face."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import craft
import timeline as made
from hello import RECIPE

import gscodec
from gscodec.dynamic.reader import collected, events_of
from gscodec.dynamic.scene import Scene
from gscodec.errors import StreamError
from gscodec.io import write_ply
from gscodec.reference import dynamic as reference
from gscodec.reference.decode import columns, ply
from gscodec.reference.timeline import scene_of

Error = tuple[str, str, str, int | None]

PARAMETERS, CHUNK = craft.payloads(RECIPE)
STATIC = made.section(b"PARM", made.with_id(PARAMETERS, 7)) + made.section(b"CHNK", made.with_id(CHUNK, 7))


def parts(count: int = 3, duration: int = 100) -> list[made.Part]:
    """Segments one after the other; the second has a chunk that is shown for a while only."""
    found = []
    for i in range(count):
        body = made.PARM + made.CHNK
        if i % 3 == 1:
            body += made.still(10, 60) + made.section(b"META", b"", 0) + made.CHNK
        found.append(made.Part(i * duration, duration, body))
    return found


def facts(error: StreamError) -> Error:
    return type(error).__name__, error.code, error.clause, error.offset


def by_reference(data: bytes, tick: int | None, verify: bool = True) -> bytes | Error:
    """The canonical PLY at a tick, or what is wrong; without a tick, the container alone."""
    try:
        timeline = reference.read_timeline(data, verify=verify)
        if tick is None:
            return b""
        scene = scene_of(timeline.static)
        columns(scene)
        return ply(scene, reference.splats_at(timeline, tick))
    except StreamError as error:
        return facts(error)


def by_reader(data: bytes, tick: int | None, verify: bool = True, step: int | None = None) -> bytes | Error:
    """The same of the fast readers: the whole container front to back, then the scene at the tick."""
    size = step or max(1, len(data))
    try:
        pieces = (data[start : start + size] for start in range(0, len(data), size))
        for _ in events_of(pieces, verify=verify):
            pass
        if tick is None:
            return b""
        return ply_of(Scene(data, threads=1).at_tick(tick))
    except StreamError as error:
        return facts(error)


def ply_of(splats: gscodec.Splats) -> bytes:
    out = io.BytesIO()
    write_ply(out, splats)
    return out.getvalue()


def segments_of(data: bytes) -> tuple[list[int], Error | None]:
    """Numbers of the complete segments of a file that comes in one piece, and what is wrong after them."""
    found = []
    try:
        for part in collected(events_of([data])):
            if part.header is not None:
                found.append(part.header.number)
    except StreamError as error:
        return found, facts(error)
    return found, None


@dataclass
class Counted:
    """Bytes as a source that counts what is read."""

    data: bytes
    read: int = 0
    requests: list[tuple[int, int]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, count: int) -> bytes:
        part = self.data[offset : offset + count]
        self.read += len(part)
        self.requests.append((offset, len(part)))
        return part
