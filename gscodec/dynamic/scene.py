"""`Scene`: a .gsc of any profile, looked at one time after the other.

    with gscodec.open("scene.gsc") as scene:        # a path, a URL, bytes
        splats = scene.at(1.5)                      # seconds
        for frame in scene.frames():
            draw(frame.splats)

Of a dynamic file, the header part and one segment are in memory at a time, and nothing else is read. A static
file is the same at every time.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from gscodec.dynamic.reader import is_dynamic
from gscodec.dynamic.seeking import ByteSource, SeekFile
from gscodec.dynamic.shown import ShownPart, decode_part, shown
from gscodec.dynamic.timeline import FARTHEST, Time
from gscodec.errors import UsageError
from gscodec.io.remote import RangeSource
from gscodec.limits import Limits
from gscodec.opening import decode

if TYPE_CHECKING:
    from gscodec.container.reader import Skipped
    from gscodec.container.scene import SceneHeader
    from gscodec.errors import StreamError
    from gscodec.splats import Splats

Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | ByteSource
MOST_AT_ONCE = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSegment:
    """What is known of a segment before it is decoded.

    start, duration  ticks             splats, chunks  counts, without the static layer
    offset, size     bytes in the file decoded_bytes   of all values of its splats
    """

    start: int
    duration: int
    splats: int
    chunks: int
    decoded_bytes: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """The first tick after the segment."""
        return self.start + self.duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame of a scene; `splats` are not to be changed."""

    number: int
    tick: int
    seconds: float
    splats: Splats


class _Held:
    """Bytes in memory as a source."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data).cast("B").toreadonly()
        self.size = len(self._data)

    def read_at(self, offset: int, count: int) -> bytes:
        """Some of them."""
        return bytes(self._data[offset : offset + count])


class Scene:
    """An open file. Arrays that are given out are not to be changed: they may be given out again.

    static   whether nothing changes with time; then there are no segments, and `time` and `header` are None
    time     (12.2) ticks, duration, frames, as the file has them
    header   (2.6) of a dynamic file: the scene header

    Raises `StreamError`, `InputError` for what cannot be read, `UsageError` "usage.time".
    """

    def __init__(
        self,
        source: Source,
        *,
        sh_degree: int | None = None,
        threads: int = 0,
        max_splats: int | None = None,
        max_bytes: int | None = None,
    ) -> None:
        self._own: RangeSource | None = None
        self.source: ByteSource
        if isinstance(source, str | os.PathLike):
            self.source = self._own = RangeSource(source)
        elif isinstance(source, bytes | bytearray | memoryview):
            self.source = _Held(source)
        else:
            self.source = source
        self._sh_degree, self._threads = sh_degree, threads
        self._max_splats, self._max_bytes = max_splats, max_bytes
        self._file: SeekFile | None = None
        self._still: Splats | None = None
        self._layer: ShownPart | None = None
        self._kept: tuple[int, ShownPart] | None = None
        try:
            if is_dynamic(self.source.read_at(0, min(16, self.source.size))):
                limits = Limits.of_caller(max_splats=max_splats, max_bytes=max_bytes)
                self._file = SeekFile(self.source, limits=limits)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Scene:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own is not None:
            self._own.__exit__(kind, error, trace)
            self._own = None

    def close(self) -> None:
        """No more is read; what was given out stays valid."""
        self.__exit__(None, None, None)

    # ---- what is known before anything is decoded

    @property
    def static(self) -> bool:
        """Whether the file is no dynamic one."""
        return self._file is None

    @property
    def time(self) -> Time | None:
        """TIME of a dynamic file."""
        return self._file.time if self._file is not None else None

    @property
    def header(self) -> SceneHeader | None:
        """SCEN of a dynamic file."""
        return self._file.scene if self._file is not None else None

    @property
    def file(self) -> SeekFile | None:
        """The sections of a dynamic file."""
        return self._file

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Of a dynamic file: sections of the header part that are not decoded: META, THMB, TENS, unknown."""
        return tuple(self._file.static.skipped) if self._file is not None else ()

    @property
    def fault(self) -> StreamError | None:
        """What ends a stream that is cut off, as far as that is known."""
        return self._file.fault if self._file is not None else None

    @property
    def sh_degree(self) -> int:
        """Of the splats that a dynamic file gives."""
        return self._degree

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes that were read so far, and requests that it took; of bytes in memory, all and none."""
        return (self._own.bytes_read, self._own.requests) if self._own is not None else (self.source.size, 0)

    @property
    def tick_rate(self) -> float:
        """Ticks in a second; 0 for a static file."""
        return self.time.rate / self.time.scale if self.time is not None else 0.0

    @property
    def start_tick(self) -> int:
        """The first tick of the scene."""
        return self.time.start if self.time is not None else 0

    @property
    def duration_ticks(self) -> int:
        """How long the scene is; of a stream that does not say, up to the end of its last segment."""
        if self._file is None:
            return 0
        if self._file.time.duration is not None:
            return self._file.time.duration
        entries = self._file.entries()
        return entries[-1].end - self._file.time.start if entries else 0

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.time.seconds(self.duration_ticks)) if self.time is not None else 0.0

    @property
    def frame_count(self) -> int:
        """How many frames the source had; 0 where the file does not say, 1 for a static file."""
        if self.time is None:
            return 1
        return -(-self.duration_ticks // self.time.frame_ticks) if self.time.frame_ticks else 0

    @property
    def segments(self) -> tuple[SceneSegment, ...]:
        """All segments, of a stream that is cut off all complete ones; nothing is decoded."""
        if self._file is None:
            return ()
        size = self._file.scene.decoded_bytes_per_splat
        return tuple(
            SceneSegment(
                start=entry.start,
                duration=entry.duration,
                splats=entry.splat_count,
                chunks=entry.chunk_count,
                decoded_bytes=entry.splat_count * size,
                offset=entry.offset,
                size=entry.size,
            )
            for entry in self._file.entries()
        )

    # ---- the scene at a time

    def tick_at(self, seconds: float | Fraction) -> int:
        """The tick that is nearest; ticks are counted from second 0."""
        if not math.isfinite(seconds):
            raise UsageError("usage.time", f"{seconds} seconds: expected a finite number")
        if self.time is None:
            return 0
        return math.floor(Fraction(seconds) * self.time.rate / self.time.scale + Fraction(1, 2))

    def at(self, seconds: float) -> Splats:
        """The splats that are shown at a time; outside of all segments, those of the static layer."""
        return self.at_tick(self.tick_at(seconds))

    def at_tick(self, tick: int) -> Splats:
        """(12.9) The splats that are shown at a tick; outside of all segments, those of the static layer."""
        if abs(tick) > 2 * FARTHEST:
            raise UsageError("usage.time", f"tick {tick}: no scene has it")
        if self._file is None:
            return self._decode_still()
        number = self._file.find(tick)
        if number is None and self._file.fault is not None and self._is_missing(tick):
            raise self._file.fault
        layer = self._decode_layer()
        segment = None if number is None else self._decode_segment(number)
        return shown(layer, segment, tick, self._file.scene, self._degree)

    def frames(self, step: int | None = None) -> Iterator[Frame]:
        """Frame after frame, from the start; every `step` ticks, where the file does not say or it is given.

        A file that is cut off gives all that is complete, then raises `Truncated`. A static one has one.
        """
        ticks = step if step is not None else self.time.frame_ticks if self.time is not None else 1
        if ticks < 1:
            raise UsageError("usage.time", "the scene has no frames of its own: state how many ticks to step")
        count = -(-self.duration_ticks // ticks) if self.time is not None else 1
        for number in range(count):
            tick = self.start_tick + number * ticks
            seconds = float(self.time.seconds(tick)) if self.time is not None else 0.0
            yield Frame(number=number, tick=tick, seconds=seconds, splats=self.at_tick(tick))
        if self._file is not None and self._file.fault is not None:
            raise self._file.fault

    # ---- decoding

    def _is_missing(self, tick: int) -> bool:
        """Whether a segment that holds the tick could come after those that are complete."""
        entries = self._file.entries() if self._file is not None else ()
        return not entries or tick >= entries[-1].end

    @property
    def _degree(self) -> int:
        own = self._file.scene.sh_degree if self._file is not None else 0
        return own if self._sh_degree is None else min(own, self._sh_degree)

    def _decode_still(self) -> Splats:
        if self._still is None:
            pieces = []
            for offset in range(0, self.source.size, MOST_AT_ONCE):
                pieces.append(self.source.read_at(offset, min(MOST_AT_ONCE, self.source.size - offset)))
            self._still = decode(
                pieces[0] if len(pieces) == 1 else b"".join(pieces),
                sh_degree=self._sh_degree,
                threads=self._threads,
                max_splats=self._max_splats,
                max_bytes=self._max_bytes,
            )
        return self._still

    def _decode_layer(self) -> ShownPart:
        file = self._dynamic()
        if self._layer is None:
            self._layer = decode_part(
                file.static, None, file.scene, sh_degree=self._degree, threads=self._threads
            )
        return self._layer

    def _decode_segment(self, number: int) -> ShownPart:
        if self._kept is None or self._kept[0] != number:
            file, layer = self._dynamic(), self._decode_layer()
            self._kept = None  # one segment in memory at a time
            part = file.segment(number)
            self._kept = (
                number,
                decode_part(part, layer, file.scene, sh_degree=self._degree, threads=self._threads),
            )
        return self._kept[1]

    def _dynamic(self) -> SeekFile:
        if self._file is None:
            raise RuntimeError("a static file")
        return self._file


def open(
    source: Source,
    *,
    sh_degree: int | None = None,
    threads: int = 0,
    max_splats: int | None = None,
    max_bytes: int | None = None,
) -> Scene:
    """Open a .gsc of any profile: a path, a URL, bytes, or what has `size` and `read_at(offset, count)`.

    `sh_degree` drops higher coefficients; `threads` 0 means one per processor and never changes the result;
    `max_splats` and `max_bytes` bound what is decoded at a time. Raises `StreamError`, `InputError`.
    """
    return Scene(source, sh_degree=sh_degree, threads=threads, max_splats=max_splats, max_bytes=max_bytes)
