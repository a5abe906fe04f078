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
from gscodec.encode.dynamic.layers import Survey, survey, tolerances
from gscodec.encode.dynamic.model import KEYFRAMES, POLYNOMIAL, Motion, Track, moving_nothing
from gscodec.encode.dynamic.payloads import Clock, Grain, grain_of, groups_of, payloads_of
from gscodec.encode.dynamic.seeing import see, together
from gscodec.encode.dynamic.sequence import HIDDEN, FrameSequence
from gscodec.encode.dynamic.setting import setting_of
from gscodec.encode.dynamic.stages import Around, FrameStage, MotionStage, StaticStage
from gscodec.encode.dynamic.trajectories import Fits, fit, motion_of
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
MARGIN = 6  # frames to both sides of a segment, through which its motion is fitted
FEWEST = 32  # splats that are worth a static layer
OWN_SET = 4096  # splats of a frame: of more, one that continues no other has its own parameter set
MOST_SETS = 250
STATIC, SEGMENT = 0, 1  # numbers of the parameter sets


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
        self.report: dict[str, Any] = {"quality": self.quality, "frames": len(sequence)}
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
        self._still = np.zeros(0, np.intp)
        if self.survey.still is not None and np.count_nonzero(self.survey.still) >= FEWEST:
            self._still = np.flatnonzero(self.survey.still)
        self._around = Around()
        self._grain: Grain | None = None
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
        frames = [self._seen(index) for index in chosen]
        return setting_of(
            frames, self.scene, self.steps, self.effort, self._given, self.wishes, threads=self.threads
        )

    def _seen(self, index: int) -> Splats:
        """The splats of a frame that any renderer draws."""
        splats = self.sequence.read(index).splats
        return splats.take(np.flatnonzero(splats.opacities > HIDDEN / 2))

    def _static_layer(self) -> StaticLayer:
        self.tell("static layer", 0.0)
        leading, base, setting = self.wishes.leading, self.survey.base, self.setting
        if base is None or setting is None or not len(self._still):
            return StaticLayer(leading=leading)
        count = len(self.sequence)
        at = np.unique(np.linspace(0, count - 1, MOMENTS).round().astype(int)).tolist()
        moments = [lambda index=index: self.sequence.read(index).splats for index in at]
        sight = None
        if setting.cameras:
            views = setting.views(self._view_count(), self.effort.pixels)
            sight = self._look(setting, moments, views).take(self._still)
        prepared = prepare(setting, base, sight, number=STATIC)
        if prepared is None:
            self._still = np.zeros(0, np.intp)
            return StaticLayer(leading=leading)
        stages: list[Stage] = []
        for k, read in enumerate(moments):
            stages.append(StaticStage(read, self._still, base, self._refit_views(k, len(at))))
        with ThreadPoolExecutor(self.threads) as pool, np.errstate(all="ignore"):
            coded = code(setting, prepared, np.zeros(len(prepared.rows), np.int32), stages, pool)
        self._around = Around(base, coded.decoded)
        size = sum(map(len, coded.written.chunks))
        if len(prepared.rows) >= gofs.SAMPLE:
            self._bits = 8 * size / len(prepared.rows)
        self.report |= {
            "static_splats": len(prepared.rows),
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
                parts = iter([(window.first, window.last, None, self._untracked(window))])
            for first, last, fits, motion in parts:
                yield self._segment(
                    places[first] * TICKS, self._clock(first, last), motion, fits, window.tracked
                )
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

    def _times(self, first: int, last: int, of: tuple[int, int] | None = None) -> Any:
        """Of the frames, or of those from `of[0]` to before `of[1]`, in durations of the segment."""
        places = self.sequence.places
        end = places[last] if last < len(places) else self.sequence.span
        here = places[slice(*(of or (first, last)))]
        return (np.array(here, np.float64) - places[first]) / (end - places[first])

    def _apart(self, window: gofs.Window) -> SegmentPayloads:
        """A segment of frames that have nothing in common, each with a parameter set of its own."""
        clock, payloads = self._clock(window.first, window.last), list[SegmentPayloads]()
        for frame, index in enumerate(range(window.first, window.last)):
            motion = moving_nothing(self._seen(index), np.zeros((0, 2), np.int32), np.zeros(1))
            span = np.tile(np.array([frame, frame + 1], np.int32), (len(motion), 1))
            motion = replace(motion, span=span, times=self._times(window.first, window.last))
            payloads.append(self._segment(0, clock, motion, None, False, SEGMENT + frame))
            self.tell("segments", (index + 1) / len(self.sequence))
            kernels.trim_memory()
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
        moves = np.ones(count, bool)
        moves[self._still] = False
        return np.flatnonzero(moves)

    def _tracked(self, window: gofs.Window) -> Iterator[tuple[int, int, Fits | None, Motion]]:
        """Parts of a track: first frame, the one after the last, what was fitted, and the motion."""
        setting = self.setting
        if setting is None:
            raise RuntimeError("a track of no splats")
        before, after = gofs.margins(self.survey.linked, window, MARGIN)
        start, end = window.first - before, window.last + after
        read = [self.sequence.read(index).splats for index in range(start, end)]
        rows = self._rest(len(read[0]))
        if not len(rows):
            nothing = moving_nothing(
                read[0].take(rows), np.zeros((0, 2), np.int32), self._times(*window.range)
            )
            yield *window.range, None, nothing
            return
        track = Track.of([splats.take(rows) for splats in read])
        del read
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
        if self.wishes.splits:
            steps = (2 * setting.fine.position * extent.typical, 2 * setting.fine.rotation)
            times = self._times(window.first, window.last)
            inside = track.cut(before, before + len(window))
            parts = gofs.split(inside, times, limit, steps=steps, splat_bits=self._bits)
        for first, last in parts:
            times = self._times(window.first + first, window.first + last)
            margin = min(MARGIN, (last - first) // 8)
            ahead, behind = min(margin, before + first), min(margin, len(window) + after - last)
            through = track.cut(before + first - ahead, before + last + behind)
            beyond = self._times(
                window.first + first,
                window.first + last,
                (window.first + first - ahead, window.first + last + behind),
            )
            fits = fit(through, beyond, limit, (ahead, behind))
            part = track.cut(before + first, before + last)
            yield window.first + first, window.first + last, fits, motion_of(part, times, limit, fits)[0]

    def _segment(
        self,
        start: int,
        clock: Clock,
        motion: Motion,
        fits: Fits | None,
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
        sight, stages = self._watched(setting, motion, tracked)
        prepared = prepare(setting, motion.base, sight, number=number)
        if prepared is None:
            return empty
        numbers, groups = groups_of(motion, prepared.rows)
        with ThreadPoolExecutor(self.threads) as pool, np.errstate(all="ignore"):
            apart = motion.kind[prepared.rows] > 0
            coded = code(setting, prepared, numbers, stages, pool, apart)
            noise = 0.0 if fits is None else float(np.median(fits.curve.noise))
            grain = grain_of(motion, prepared.plan.half_cell, setting.fine, noise)
            motions = payloads_of(motion, prepared, coded, groups, clock, grain)
        self._count(motion, prepared.rows, coded, motions)
        chunks = list(zip(coded.written.chunks, motions, strict=True))
        return replace(empty, parameters=[coded.written.parameters], chunks=chunks)

    def _watched(self, setting: Setting, motion: Motion, tracked: bool) -> tuple[Sight | None, list[Stage]]:
        """What cameras see of a segment, and the moments for which colours are corrected."""
        if not setting.cameras:
            return None, []
        if not tracked:
            return self._watched_frames(setting, motion)
        at = np.unique(((np.arange(MOMENTS) + 0.5) / MOMENTS * motion.frames).astype(int)).tolist()
        moments = [lambda frame=frame: self._around.behind(motion.at(frame)) for frame in at]
        behind = 0 if self._around.wanted is None else len(self._around.wanted)
        views = setting.views(self._view_count(), self.effort.pixels)
        sight = self._look(setting, moments, views)
        sight = sight.take(np.arange(behind, behind + len(motion)))
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
            polynomial=kinds[POLYNOMIAL],
            keyframes=kinds[KEYFRAMES],
            chunk_bytes=sum(map(len, coded.written.chunks)),
            motion_bytes=size,
            parameter_bytes=len(coded.written.parameters),
            chunks=len(motions),
        )
