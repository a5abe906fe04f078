"""Files of the dynamic profile from parts, right or wrong. Standard library only."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from craft import SIGNATURE, Recipe, payloads
from fixup import section
from hello import RECIPE
from streams import scene_payload

from gscodec._generated import profiles
from gscodec.reference.container import MAJOR, MINOR

UNKNOWN = 2**64 - 1
UNKNOWN_SEGMENTS = 2**32 - 1
RATE = 1000
PARAMETERS, CHUNK = payloads(RECIPE)  # three splats
COUNT = RECIPE.count


def header(level: int = 1, stream_mode: bool = False) -> bytes:
    start = SIGNATURE + struct.pack("<4BI", MAJOR, MINOR, profiles.DYNAMIC, level, int(stream_mode))
    return start + struct.pack("<I", zlib.crc32(start))


def scene(splats: int = 0, chunks: int = 0, recipe: Recipe = RECIPE) -> bytes:
    return section(b"SCEN", scene_payload(splats, chunks, recipe.sh_degree, recipe.extras))


def time(
    start: int = 0,
    duration: int = UNKNOWN,
    segments: int = UNKNOWN_SEGMENTS,
    rate: int = RATE,
    scale: int = 1,
    frame_ticks: int = 40,
    kernel: int = 0,
    bounds: Sequence[float] = (0.0,) * 6,
) -> bytes:
    """(12.2) TIME."""
    fields = (rate, scale, frame_ticks, kernel, b"", start, duration, segments, *bounds)
    return section(b"TIME", struct.pack("<3IB3sqQI6f", *fields))


def with_id(payload: bytes, id: int) -> bytes:
    """A parameter set or chunk of another id."""
    return bytes([id]) + payload[1:]


def with_layer(payload: bytes, layer: int) -> bytes:
    return payload[:1] + bytes([layer]) + payload[2:]


def still(first: int, until: int) -> bytes:
    """(12.5) A MOTN of model 0: shown from tick `first` to `until`."""
    return section(b"MOTN", struct.pack("<BBHII", 0, 0, 0, first, until))


PARM = section(b"PARM", PARAMETERS)
CHNK = section(b"CHNK", CHUNK)


@dataclass(frozen=True)
class Part:
    """A segment: its times, and the sections after SEGM; counts that are not given are the right ones."""

    start: int
    duration: int
    body: bytes = PARM + CHNK
    number: int | None = None
    splats: int | None = None
    chunks: int | None = None
    frames: int = 0
    size: int | None = None

    def counts(self) -> tuple[int, int]:
        """Splats and chunks."""
        chunks = self.body.count(b"CHNK\1\0\0\0")
        return (
            COUNT * chunks if self.splats is None else self.splats,
            chunks if self.chunks is None else self.chunks,
        )

    def written(self, number: int) -> bytes:
        """(12.4) SEGM and what follows."""
        splats, chunks = self.counts()
        size = 56 + len(self.body) if self.size is None else self.size
        own = number if self.number is None else self.number
        fields = (own, self.start, self.duration, splats, chunks, self.frames, size)
        return section(b"SEGM", struct.pack("<Iq4IQ", *fields)) + self.body


def entry(part: Part, offset: int, size: int) -> bytes:
    """(12.3) An entry of SEGT."""
    splats, chunks = part.counts()
    fields = struct.pack("<qIIQQI", part.start, part.duration, splats, offset, size, chunks)
    return fields + struct.pack("<I", zlib.crc32(fields))


def table(parts: Sequence[Part], offset: int) -> bytes:
    """(12.3) SEGT of segments that stand one after the other from `offset` on."""
    out = struct.pack("<I", len(parts))
    for i, part in enumerate(parts):
        size = len(part.written(i))
        out += entry(part, offset, size)
        offset += size
    return section(b"SEGT", out)


def total(static: bytes, parts: Sequence[Part]) -> int:
    """Splats of all chunks, each of which has COUNT."""
    return COUNT * (static.count(b"CHNK\1\0\0\0") + sum(p.body.count(b"CHNK\1\0\0\0") for p in parts))


def static_scene(static: bytes, recipe: Recipe) -> bytes:
    chunks = static.count(b"CHNK\1\0\0\0")
    return scene(COUNT * chunks, chunks, recipe)


def stream(
    parts: Sequence[Part],
    static: bytes = b"",
    end: bool = True,
    with_table: bool = False,
    recipe: Recipe = RECIPE,
    splats: int | None = None,
    **of_time: int,
) -> bytes:
    """(12.1) A stream; `recipe` says what attributes there are, `splats` how many where not COUNT a chunk."""
    out = header(stream_mode=True) + static_scene(static, recipe) + time(**of_time) + static
    first = len(out)
    out += b"".join(part.written(i) for i, part in enumerate(parts))
    out += table(parts, first) if with_table else b""
    count = total(static, parts) if splats is None else splats
    return out + (section(b"ENDM", struct.pack("<Q", count)) if end else b"")


def extent(parts: Sequence[Part]) -> tuple[int, int]:
    """Start and duration of all segments."""
    if not parts:
        return 0, 0
    return parts[0].start, parts[-1].start + parts[-1].duration - parts[0].start


def file(
    parts: Sequence[Part],
    static: bytes = b"",
    level: int = 1,
    recipe: Recipe = RECIPE,
    splats: int | None = None,
    **of_time: int,
) -> bytes:
    """(12.1) A file in file mode, of so many splats where it is not COUNT for each chunk."""
    start, duration = extent(parts)
    times = {"start": start, "duration": duration, "segments": len(parts), **of_time}
    front = header(level) + static_scene(static, recipe) + time(**times)
    first = len(front) + 24 + 40 * len(parts) + len(static)
    front += table(parts, first) + static
    behind = b"".join(part.written(i) for i, part in enumerate(parts))
    return ended(front + behind, total(static, parts) if splats is None else splats)


def ended(data: bytes, splats: int) -> bytes:
    """With the end mark of file mode."""
    return data + section(b"ENDM", struct.pack("<Q", splats) + hashlib.sha256(data).digest())
