"""Scenes that come with their motion: each segment is splats and what moves them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.chunk import Recorded
from gscodec.decoder import thread_count
from gscodec.dynamic.timeline import Time
from gscodec.dynamic.writer import SegmentPayloads, StaticLayer
from gscodec.encode.dynamic.body import Coded, Prepared, Rows, Setting, Stage, code, prepare
from gscodec.encode.dynamic.seeing import see
from gscodec.encode.dynamic.setting import setting_of
from gscodec.encode.dynamic.wishes import Wishes
from gscodec.encode.effort import effort_of
from gscodec.encode.further import with_steps
from gscodec.encode.inputs import cameras_of, scene_header
from gscodec.encode.progress import silent
from gscodec.encode.sight import GIVEN, MADE_UP, Sight
from gscodec.encode.steps import Steps, choose_steps, quality_of
from gscodec.errors import InputError
from gscodec.evaluate.cameras import Camera
from gscodec.parameters import CodingParameters
from gscodec.splats import Splats

TICKS = 240  # of a frame: times between frames can be told, too
LOOKED = 8  # moments of a segment at which it is looked at, at most as many as there are views
REFITTED = 4  # moments for which colours are corrected
SAMPLED = 3  # segments that stand for all
DRAWN = -5.5  # logit of 1/255
SET = 1  # number of the parameter set
Floats6 = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """What steps of motion follow from: half of a step of positions in scene units, radians."""

    half_cell: float
    rotation: float


class NativeSegment(Protocol):
    """Splats and what moves them; moments are 0 at the start of the segment and 1 at its end."""

    splats: Splats  # as chunks hold them, all values finite
    frames: int

    def at(self, moment: float, splats: Splats, rows: Rows) -> Splats:
        """`splats`, which stand for `rows`, at a moment; those that are not shown are transparent."""

    def seen_at(self, moment: float, apart: float) -> Splats:
        """All splats, with those too that are only shown up to half of `apart` before or after the moment."""

    def shared(self, grain: Grain) -> list[bytes]:
        """Payloads of MBAS, for which `payload` is asked afterwards."""

    def payload(self, chunk: Recorded, coding: CodingParameters, rows: Rows, span: tuple[int, int]) -> bytes:
        """The payload of MOTN of a chunk whose distinct splats are `rows`, with the `grain` of `shared`."""


class MomentStage(Stage):
    """A moment of a segment, for which colours are corrected."""

    def __init__(self, segment: NativeSegment, moment: float, cameras: Sequence[Camera]) -> None:
        super().__init__(0, cameras)
        self.segment, self.moment = segment, moment

    def wanted(self) -> Splats:
        splats = self.segment.splats
        return self.segment.at(self.moment, splats, np.arange(len(splats)))

    def shown(self, decoded: Splats, rows: Rows) -> tuple[Splats, Rows]:
        return self.segment.at(self.moment, decoded, rows), np.arange(len(rows))


class NativeEncoder:
    """Segments, each read when it is needed, all of one SH degree and with the same extra attributes.

    scene, time  what the header sections say; `report` facts, as they are known; `bounds` of what was encoded
    """

    def __init__(
        self,
        segments: Sequence[Callable[[], NativeSegment]],
        wishes: Wishes,
        *,
        frames: int,
        kernel: int,
        told: Callable[[int, NativeSegment], None] | None = None,
        extra_errors: Mapping[str, float] | None = None,
    ) -> None:
        self.segments_of, self.wishes = segments, wishes
        self.threads = thread_count(wishes.threads)
        self.tell = wishes.progress or silent
        self.effort = effort_of(wishes.effort)
        self.quality = quality_of("default" if wishes.quality is None else wishes.quality)
        # a splat that lasts for a moment is seen by too few views to say that none shows it
        self.steps: Steps = choose_steps(self.quality, {"prune": 0.0, **(wishes.steps or {})})
        self._given = None if wishes.cameras is None else tuple(cameras_of(wishes.cameras))
        self.report: dict[str, Any] = {"quality": self.quality, "segments": 0, "segment_splats": 0}
        first = segments[0]()
        self._layout = _layout(first.splats)
        header = scene_header(first.splats, wishes.coordinate_system or 0)
        self.scene, extra_steps = with_steps(header, first.splats, extra_errors or {})
        if extra_steps:
            self.report["extra_steps"] = extra_steps
        self.frames = frames * len(segments)
        self._told = told
        self.time = Time(
            rate=wishes.fps.numerator * TICKS,
            scale=wishes.fps.denominator,
            duration=self.frames * TICKS,
            frame_ticks=TICKS,
            kernel=kernel,
        )
        self.report |= {
            "frames": self.frames,
            "seconds": float(self.frames / wishes.fps),
        }
        self.static = StaticLayer(leading=wishes.leading)
        self.bounds: Floats6 = self.time.bounds
        self.setting = self._calibrated()

    def _calibrated(self) -> Setting | None:
        """Steps, classes and cameras of the whole file; None where there are no splats at all."""
        self.tell("looking", 0.0)
        count = len(self.segments_of)
        chosen = np.unique(np.linspace(0, count - 1, SAMPLED).round().astype(int)).tolist()
        scenes: list[Splats] = []
        for number in chosen:
            segment = self.segments_of[number]()
            scenes += [_drawn(segment.seen_at(moment, 0.5)) for moment in (0.25, 0.75)]
        return setting_of(
            scenes, self.scene, self.steps, self.effort, self._given, self.wishes, threads=self.threads
        )

    def segments(self) -> Iterator[SegmentPayloads]:
        """Each segment, in order."""
        start = 0
        for number, read in enumerate(self.segments_of):
            self.tell("segments", number / len(self.segments_of))
            segment = read()
            if _layout(segment.splats) != self._layout:
                raise InputError("native.layout", f"segment {number} has other attributes than the first one")
            if self._told is not None:
                self._told(number, segment)
            yield self._segment(segment, start)
            start += segment.frames * TICKS
            kernels.trim_memory()
        self.tell("segments", 1.0)

    def _segment(self, segment: NativeSegment, start: int) -> SegmentPayloads:
        setting, duration = self.setting, segment.frames * TICKS
        empty = SegmentPayloads(start=start, duration=duration, frames=segment.frames)
        self.report["segments"] += 1
        if setting is None or not len(segment.splats):
            return empty
        self._widen(segment)
        sight, stages = self._watched(setting, segment)
        prepared = prepare(setting, segment.splats, sight, number=SET)
        if prepared is None:
            return empty
        count = len(prepared.rows)
        with ThreadPoolExecutor(self.threads) as pool, np.errstate(all="ignore"):
            coded = code(setting, prepared, np.zeros(count, np.int32), stages, pool, np.ones(count, bool))
            grain = Grain(half_cell=prepared.plan.half_cell, rotation=setting.fine.rotation)
            bases = segment.shared(grain)
            motions = list(
                pool.map(lambda k: self._motion(segment, prepared, coded, k), range(len(coded.indices)))
            )
        self.report["segment_splats"] += count
        for name, size in (
            ("chunk_bytes", sum(map(len, coded.written.chunks))),
            ("motion_bytes", sum(map(len, motions)) + sum(map(len, bases))),
            ("pruned", len(segment.splats) - count),
        ):
            self.report[name] = self.report.get(name, 0) + size
        return replace(
            empty,
            parameters=[coded.written.parameters],
            bases=bases,
            chunks=list(zip(coded.written.chunks, motions, strict=True)),
        )

    def _motion(self, segment: NativeSegment, prepared: Prepared, coded: Coded, number: int) -> bytes:
        chunk, index = coded.passes.chunks[number], coded.indices[number]
        distinct = np.diff(chunk.integers.source, prepend=np.uint32(0xFFFFFFFF)) != 0
        rows = prepared.rows[index[distinct]]
        return segment.payload(chunk, coded.passes.coding, rows, (0, segment.frames * TICKS))

    def _watched(self, setting: Setting, segment: NativeSegment) -> tuple[Sight | None, list[Stage]]:
        """What cameras see at several moments, and the moments for which colours are corrected."""
        if not setting.cameras:
            return None, []
        views = setting.views(
            self.effort.views if self._given is not None else self.effort.views * 3 // 2, self.effort.pixels
        )
        count = max(1, min(LOOKED, len(views)))
        moments = [lambda moment=(k + 0.5) / count: segment.seen_at(moment, 1 / count) for k in range(count)]
        sight = see(
            moments,
            views,
            GIVEN if setting.given else MADE_UP,
            threads=self.threads,
            directions=self.effort.directions,
            tell=lambda share: None,
        )
        if not self.effort.refit_views:
            return sight, []
        cameras = setting.views(self.effort.refit_views, self.effort.refit_pixels)
        return sight, [
            MomentStage(segment, (k + 0.5) / REFITTED, cameras[k::REFITTED]) for k in range(REFITTED)
        ]

    def _widen(self, segment: NativeSegment) -> None:
        """Keep the bounds of centres that are drawn."""
        rows = np.arange(len(segment.splats))
        found = [segment.at(moment, segment.splats, rows) for moment in np.linspace(0, 1, 5).tolist()]
        centres = np.concatenate([each.positions[each.opacities > DRAWN] for each in found])
        centres = centres[np.isfinite(centres).all(1)]
        if not len(centres):
            return
        low, high = centres.min(0), centres.max(0)
        if any(self.bounds):
            low, high = np.minimum(low, self.bounds[:3]), np.maximum(high, self.bounds[3:])
        x0, y0, z0, x1, y1, z1 = (float(v) for v in (*low, *high))
        self.bounds = x0, y0, z0, x1, y1, z1


def _drawn(splats: Splats) -> Splats:
    return splats.take(np.flatnonzero(splats.opacities > DRAWN))


def _layout(splats: Splats) -> tuple[object, ...]:
    extras: list[tuple[str, object, tuple[int, ...]]] = []
    for name, array in splats.extras.items():
        extras.append((name, array.dtype, array.shape[1:]))
    return splats.sh_degree, *extras


def hidden_unless(splats: Splats, shown: NDArray[np.bool_], hidden: float = -20.0) -> Splats:
    """The splats, of which those that are not shown are transparent."""
    return replace(splats, opacities=np.where(shown, splats.opacities, hidden).astype(np.float32))
