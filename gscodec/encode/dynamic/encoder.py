"""From a sequence of frames to a .gsc of the dynamic profile: a static layer, then segment after segment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from gscodec import kernels
from gscodec.container import SceneHeader
from gscodec.decoder import thread_count
from gscodec.dynamic.timeline import Time
from gscodec.dynamic.writer import SegmentPayloads, StaticLayer
from gscodec.encode.dynamic import gof as gofs
from gscodec.encode.dynamic.body import Coded, Setting, Stage, code, prepare
from gscodec.encode.dynamic.grain import Clock, grain_of, most_splats
from gscodec.encode.dynamic.layers import Survey, survey, tolerances
from gscodec.encode.dynamic.model import FUNCTIONS, KEYFRAMES, Motion, Track, alpha_of, moving_nothing
from gscodec.encode.dynamic.moving import MovingLayer
from gscodec.encode.dynamic.payloads import groups_of, payloads_of
from gscodec.encode.dynamic.residuals import residuals_of, with_residuals
from gscodec.encode.dynamic.seeing import fair, see, together
from gscodec.encode.dynamic.sequence import HIDDEN, FrameSequence
from gscodec.encode.dynamic.setting import setting_of
from gscodec.encode.dynamic.stages import Around, FrameStage, MotionStage, StaticStage
from gscodec.encode.dynamic.trajectories import motion_of
from gscodec.encode.dynamic.wishes import Wishes
from gscodec.encode.effort import effort_of
from gscodec.encode.inputs import cameras_of, scene_header
from gscodec.encode.progress import silent, within
from gscodec.encode.sight import GIVEN, MADE_UP, Sight
from gscodec.encode.steps import Steps, choose_steps, extent_of, quality_of
from gscodec.splats import Splats, joined

TICKS = 240  # of a frame: times between frames can be told, too
MOMENTS = 4  # of a segment, at which it is looked at
SAMPLED = 6  # frames from which sizes, importance and cameras of the whole sequence come
FEWEST = 32  # splats that are worth a static layer
OWN_SET = 4096  # splats of a frame: of more, one that continues no other has its own parameter set
MOST_SETS = 250
STATIC, SEGMENT = 0, 1  # numbers of the parameter sets


Part = tuple[int, int, Motion, Motion | None]  # first frame, the one after the last, motion, and the layer's


class SequenceEncoder:
    """A sequence that was looked at as a whole, and gives its header part and its segments.

    scene, time  what the header sections say; `static` the static layer; `report` facts, as they are known
    """

    def __init__(self, sequence: FrameSequence, wishes: Wishes) -> None:
        self.sequence, self.wishes = sequence, wishes
        self.gof = gofs.check_gof(wishes.gof)
        self.threads = thread_count(wishes.threads)
        self.tell = wishes.progress or silent
        self.effort = effort_of(wishes.effort)
        self.quality = quality_of("default" if wishes.quality is None else wishes.quality)
        self.steps: Steps = choose_steps(self.quality, wishes.steps)
        self._given = None if wishes.cameras is None else tuple(cameras_of(wishes.cameras))
        self.report: dict[str, Any] = {"quality": self.quality, "frames": len(sequence), "segment_splats": 0}
        first = sequence.read(0).splats
        self.survey: Survey = survey(
            sequence,
            self.steps,
            extent_of,
            tracked=wishes.tracked,
            finds_still=wishes.static_layer,
            tell=within(self.tell, "reading"),
        )
        system = sequence.axes if wishes.coordinate_system is None else wishes.coordinate_system
        self.scene: SceneHeader = scene_header(first, system, sequence.model)
        self.scene = replace(self.scene, offset=sequence.offset)
        self.windows = gofs.windows(self.survey.linked, sequence.places, self.gof)
        self.time = Time(
            rate=wishes.fps.numerator * TICKS,
            scale=wishes.fps.denominator,
            duration=sequence.span * TICKS,
            frame_ticks=TICKS,
            bounds=self.survey.bounds,
        )
        self.report["dropped_nonfinite"] = self.survey.dropped
        self.report["seconds"] = float(sequence.span / wishes.fps)
        is_track = all(window.tracked for window in self.windows)
        self._still = _rows(self.survey.still if is_track else None)
        self._moving = _rows(self.survey.steady if is_track and len(self.windows) > 1 else None)
        self._layer: MovingLayer | None = None
        self._around = Around()
        self._bits = gofs.SPLAT_BITS
        self._counts: Counter[str] = Counter()
        self.setting = self._calibrated()
        self.static = self._static_layer()

    # ---- what is decided once

    def _calibrated(self) -> Setting | None:
        """Steps, classes and cameras of the whole file; None where there are no splats at all."""
        self.tell("looking", 0.0)
        filled = [index for index, count in enumerate(self.survey.counts) if count]
        if not filled:
            return None
        chosen = [filled[k] for k in np.unique(np.linspace(0, len(filled) - 1, SAMPLED).round().astype(int))]
        return self._setting_of([self._seen(index) for index in chosen])

    def _setting_of(self, frames: list[Splats]) -> Setting | None:
        return setting_of(
            frames, self.scene, self.steps, self.effort, self._given, self.wishes, threads=self.threads
        )

    def _seen(self, index: int) -> Splats:
        """The splats of a frame that any renderer draws."""
        splats = self.sequence.read(index).splats
        return splats.take(np.flatnonzero(splats.opacities > HIDDEN / 2))

    def _static_layer(self) -> StaticLayer:
        self.tell("static layer", 0.0)
        leading, mean, setting = self.wishes.leading, self.survey.mean, self.setting
        rows, first = np.concatenate([self._still, self._moving]), len(self._still)
        if mean is None or setting is None or not len(rows):
            return StaticLayer(leading=leading)
        base = mean.take(rows)
        count = len(self.sequence)
        at = np.unique(np.linspace(0, count - 1, MOMENTS).round().astype(int)).tolist()
        moments = [lambda index=index: self.sequence.read(index).splats for index in at]
        sight = None
        if setting.cameras:
            views = setting.views(self._view_count(), self.effort.pixels)
            sight = self._look(setting, moments, views).take(rows)
        prepared = prepare(setting, base, sight, number=STATIC)
        if prepared is None:
            self._still = self._moving = np.zeros(0, np.intp)
            return StaticLayer(leading=leading)
        stages: list[Stage] = []
        for k, read in enumerate(moments):
            stages.append(StaticStage(read, rows, first, base, self._refit_views(k, len(at))))
        moves = prepared.rows >= first
        with ThreadPoolExecutor(self.threads) as pool, np.errstate(all="ignore"):
            longest = max((self._clock(*window.range) for window in self.windows), key=lambda c: len(c.ticks))
            bounds = {1: most_splats(longest)}
            coded = code(setting, prepared, moves.astype(np.int32), stages, pool, moves, bounds)
        order = np.concatenate([prepared.rows[index] for index in coded.indices])
        self._around = Around(base.take(np.arange(first)), coded.decoded.take(np.flatnonzero(order < first)))
        if moves.any():
            layer = base.take(np.arange(first, len(base)))
            self._layer = MovingLayer.of(layer, first, prepared, coded)
        size = sum(map(len, coded.written.chunks))
        if len(prepared.rows) >= gofs.SAMPLE:
            self._bits = 8 * size / len(prepared.rows)
        self.report |= {
            "static_splats": int(np.count_nonzero(~moves)),
            "moved_splats": int(np.count_nonzero(moves)),
            "static_bytes": size + len(coded.written.parameters),
        }
        return StaticLayer(
            parameters=[coded.written.parameters], chunks=coded.written.chunks, leading=leading
        )

    def _view_count(self) -> int:
        return self.effort.views if self._given is not None else self.effort.views * 3 // 2

    def _look(self, setting: Setting, moments: list[Any], views: list[Any]) -> Sight:
        return see(
            moments,
            views,
            GIVEN if setting.given else MADE_UP,
            threads=self.threads,
            directions=self.effort.directions,
            tell=lambda share: None,
        )

    def _refit_views(self, number: int, of: int) -> list[Any]:
        """Cameras of one of several moments, on which colours are corrected."""
        if self.setting is None or not self.setting.cameras or not self.effort.refit_views:
            return []
        return self.setting.views(self.effort.refit_views, self.effort.refit_pixels)[number::of]

    # ---- segments

    def segments(self) -> Iterator[SegmentPayloads]:
        """Each segment, in order."""
        places = self.sequence.places
        done, total = 0, len(self.sequence)
        for window in self.windows:
            self.tell("segments", done / total)
            if window.tracked:
                parts = self._tracked(window)
            elif (
                self.survey.counts[window.first : window.last].mean() >= OWN_SET and len(window) <= MOST_SETS
            ):
                yield self._apart(window)
                done += len(window)
                continue
            else:
                parts = iter([(window.first, window.last, self._untracked(window), None)])
            for first, last, motion, layer in parts:
                clock, start = self._clock(first, last), places[first] * TICKS
                around = self._around
                self._around = replace(around, layer=self._layer, motion=layer)
                segment = self._segment(start, clock, motion, window.tracked)
                self._around = around
                yield self._with_layer(segment, layer, clock)
                done += last - first
                self.tell("segments", done / total)
            kernels.trim_memory()
        self.tell("segments", 1.0)
        self.report |= dict(self._counts)

    def _clock(self, first: int, last: int) -> Clock:
        """Of a segment of these frames."""
        places = self.sequence.places
        end = places[last] if last < len(places) else self.sequence.span
        return Clock(tuple((place - places[first]) * TICKS for place in [*places[first:last], end]))

    def _times(self, first: int, last: int) -> Any:
        """Of the frames, in durations of the segment."""
        places = self.sequence.places
        end = places[last] if last < len(places) else self.sequence.span
        return (np.array(places[first:last], np.float64) - places[first]) / (end - places[first])

    def _apart(self, window: gofs.Window) -> SegmentPayloads:
        """A segment of frames that have nothing in common, each with steps and a parameter set of its own."""
        clock, payloads = self._clock(window.first, window.last), list[SegmentPayloads]()
        shared = self.setting
        for frame, index in enumerate(range(window.first, window.last)):
            splats = self._seen(index)
            self.setting = self._setting_of([splats]) or shared
            motion = moving_nothing(splats, np.zeros((0, 2), np.int32), np.zeros(1))
            span = np.tile(np.array([frame, frame + 1], np.int32), (len(motion), 1))
            motion = replace(motion, span=span, times=self._times(window.first, window.last))
            payloads.append(self._segment(0, clock, motion, False, SEGMENT + frame))
            self.tell("segments", (index + 1) / len(self.sequence))
            kernels.trim_memory()
        self.setting = shared
        self._counts["segments"] -= len(window) - 1
        return SegmentPayloads(
            start=self.sequence.places[window.first] * TICKS,
            duration=clock.duration,
            frames=len(window),
            parameters=[each for part in payloads for each in part.parameters],
            chunks=[each for part in payloads for each in part.chunks],
        )

    def _untracked(self, window: gofs.Window) -> Motion:
        """All frames one after the other, each shown for its time."""
        frames = [self._seen(index) for index in range(window.first, window.last)]
        ends = np.cumsum([len(each) for each in frames])
        span = np.zeros((int(ends[-1]), 2), np.int32)
        for number, (end, splats) in enumerate(zip(ends.tolist(), frames, strict=True)):
            span[end - len(splats) : end] = number, number + 1
        return moving_nothing(joined(frames), span, self._times(window.first, window.last))

    def _rest(self, count: int) -> Any:
        """Rows that are not in the static layer."""
        rest = np.ones(count, bool)
        rest[self._still] = rest[self._moving] = False
        return np.flatnonzero(rest)

    def _tracked(self, window: gofs.Window) -> Iterator[Part]:
        """Parts of a track."""
        setting = self.setting
        if setting is None:  # nobody sees anything
            nothing = self.sequence.read(window.first).splats.take(np.zeros(0, np.intp))
            none = moving_nothing(nothing, np.zeros((0, 2), np.int32), self._times(*window.range))
            yield *window.range, none, None
            return
        count = int(self.survey.counts[window.first])
        mine = np.concatenate([self._rest(count), self._moving]).astype(np.intp)
        own = len(mine) - len(self._moving)
        track = Track.of([self.sequence.read(index).splats.take(mine) for index in range(*window.range)])
        middle = track.positions.shape[0] // 2
        extent = setting.shared.extent
        like = Splats(
            positions=track.positions[middle],
            scales=track.scales[middle],
            rotations=track.rotations[middle],
            opacities=track.opacities[middle],
            sh_dc=track.colours[middle],
            sh_rest=track.harmonics[middle],
        )
        limit = tolerances(like, setting.fine, extent)
        parts = [(0, len(window))]
        if self.wishes.splits and len(mine):
            steps = (2 * setting.fine.position * extent.typical, 2 * setting.fine.rotation)
            bits = self._bits * own / len(mine)
            parts = gofs.split(track, limit, steps=steps, splat_bits=bits)
        rows, moving = np.arange(own), np.arange(own, len(mine))
        for first, last in parts:
            times = self._times(window.first + first, window.first + last)
            part = track.cut(first, last)
            layer = None if self._layer is None else self._layer.motion(part.take(moving), times, setting)
            motion = moving_nothing(like.take(rows), np.zeros((0, 2), np.int32), times)
            if own:
                motion = motion_of(part.take(rows), times, limit.take(rows))
            yield window.first + first, window.first + last, motion, layer

    def _segment(
        self,
        start: int,
        clock: Clock,
        motion: Motion,
        tracked: bool,
        number: int = SEGMENT,
    ) -> SegmentPayloads:
        """Encode a segment, with the parameter set `number`."""
        setting = self.setting
        frames = motion.frames
        empty = SegmentPayloads(start=start, duration=clock.duration, frames=frames)
        self._counts["segments"] += 1
        if setting is None or not len(motion):
            return empty
        if "scale" in motion.functions:  # functions add to logarithms, which are none where they are dilated
            setting = replace(setting, steps=replace(setting.steps, dilation=0.0))
        sight, stages = self._watched(setting, motion, tracked)
        prepared = prepare(setting, motion.base, sight, number=number)
        if prepared is None:
            return empty
        grain = grain_of(motion, prepared.plan.half_cell, setting.fine)
        residuals = residuals_of(motion, prepared, setting.fine, grain.position)
        motion = with_residuals(motion, prepared, residuals)
        numbers, groups = groups_of(motion, prepared.rows)
        with ThreadPoolExecutor(self.threads) as pool, np.errstate(all="ignore"):
            apart = motion.kind[prepared.rows] > 0
            width = 3 * max(motion.base.sh_rest.shape[1], 1)  # of keys, whose harmonics may change
            widths = {FUNCTIONS: 3, KEYFRAMES: width}
            bounds = {
                number: most_splats(clock, widths[kind])
                for number, (kind, *_) in enumerate(groups)
                if kind in widths
            }
            coded = code(setting, prepared, numbers, stages, pool, apart, bounds)
            bases, motions = payloads_of(motion, prepared, coded, groups, clock, grain, residuals)
        self._count(motion, prepared.rows, coded, [*bases, *motions])
        chunks = list(zip(coded.written.chunks, motions, strict=True))
        return replace(empty, parameters=[coded.written.parameters], bases=bases, chunks=chunks)

    def _with_layer(self, segment: SegmentPayloads, motion: Motion | None, clock: Clock) -> SegmentPayloads:
        """The segment with the motion of splats of the static layer."""
        if self._layer is None or motion is None or self.setting is None:
            return segment
        bases, moves = self._layer.moves(motion, clock, self.setting)
        self._counts["motion_bytes"] += len(bases) + sum(len(payload) for _, payload in moves)
        return replace(segment, bases=[*segment.bases, bases], moves=moves)

    def _watched(self, setting: Setting, motion: Motion, tracked: bool) -> tuple[Sight | None, list[Stage]]:
        """What cameras see of a segment, and the moments for which colours are corrected."""
        if not setting.cameras:
            return None, []
        if not tracked:
            return self._watched_frames(setting, motion)
        at = np.unique(((np.arange(MOMENTS) + 0.5) / MOMENTS * motion.frames).astype(int)).tolist()
        moments = [lambda frame=frame: self._around.behind(motion.at(frame), frame) for frame in at]
        behind = self._around.count()
        views = setting.views(self._view_count(), self.effort.pixels)
        sight = self._look(setting, moments, views)
        sight = sight.take(np.arange(behind, behind + len(motion)))
        if motion.track is not None:
            sight = fair(sight, alpha_of(motion.track.opacities), at)
        stages: list[Stage] = [
            MotionStage(motion, frame, self._around, self._refit_views(k, len(at)))
            for k, frame in enumerate(at)
        ]
        return sight, stages

    def _watched_frames(self, setting: Setting, motion: Motion) -> tuple[Sight, list[Stage]]:
        sights, stages, first = [], [], 0
        views = setting.views(self._view_count(), self.effort.pixels)
        for frame in np.unique(motion.span[:, 0]).tolist():
            rows = np.flatnonzero(motion.span[:, 0] == frame)
            splats = motion.base.take(rows)
            sights.append(self._look(setting, [lambda splats=splats: splats], views))
            stages.append(FrameStage(frame, splats, first, self._refit_views(0, 1)))
            first += len(rows)
        return together(sights), list(stages)

    def _count(self, motion: Motion, rows: Any, coded: Coded, motions: list[bytes | None]) -> None:
        kinds = np.bincount(motion.kind[rows], minlength=3).tolist()
        size = sum(len(each) for each in motions if each is not None)
        self._counts.update(
            segment_splats=len(rows),
            still=kinds[0],
            functions=kinds[FUNCTIONS],
            keyframes=kinds[KEYFRAMES],
            chunk_bytes=sum(map(len, coded.written.chunks)),
            motion_bytes=size,
            parameter_bytes=len(coded.written.parameters),
            chunks=len(motions),
        )


def _rows(chosen: Any) -> Any:
    """Numbers of the chosen rows, none where these are too few."""
    return np.zeros(0, np.intp) if chosen is None or chosen.sum() < FEWEST else np.flatnonzero(chosen)
