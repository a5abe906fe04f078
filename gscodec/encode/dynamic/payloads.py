"""MOTN of each chunk of a segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gscodec.chunk import Recorded
from gscodec.encode.dynamic.body import Coded, Prepared, Rows
from gscodec.encode.dynamic.fitting import Float, Frames, conjugate, hamilton
from gscodec.encode.dynamic.keyframe_recording import Keyframes, KeyframesSettings, record_keyframes
from gscodec.encode.dynamic.model import KEYFRAMES, POLYNOMIAL, Motion
from gscodec.encode.dynamic.recording import Polynomial, PolynomialSettings, record_polynomial, still_payload
from gscodec.encode.steps import Steps
from gscodec.parameters import CodingParameters

FINER = 2.0  # steps of positions that a step of translation is, in durations: the middle is much nearer
NOISE_STEPS = 1.0  # deviations of a slope that noise leaves, which a step need not be finer than
COARSE = (1, 2, 16)  # of what residuals of each order are multiples; the first makes up for the third
THRESHOLD = 1 / 512  # of weights, under which nothing is seen
CENTRE_STEP = 0.25  # frames
WIDTH_STEP = 0.03
KEY_STEPS = 1.5  # steps of positions that one of positions at keys is
KEY_TURN = 1.0  # steps of rotations that one of rotations at keys is
LEFT = 0.5  # steps that are not worth coding
TRANSLATED, ROTATED, TIMED = 1, 2, 4  # (12.6) bits of masks


@dataclass(frozen=True, slots=True)
class Clock:
    """Ticks of a segment: those of frame k start at `ticks[k]`; the last one is the duration."""

    ticks: tuple[int, ...]

    @property
    def duration(self) -> int:
        """Of the segment."""
        return self.ticks[-1]

    def span(self, frames: tuple[int, int]) -> tuple[int, int]:
        """From the first frame until before the second one, in ticks."""
        return self.ticks[frames[0]], self.ticks[frames[1]]


@dataclass(frozen=True, slots=True)
class Grain:
    """Steps of motion: translation in scene units per duration, rotation in radians per duration.

    position, turn  of keyframes, in scene units and radians
    """

    translation: float
    rotation: float
    position: float
    turn: float


def grain_of(motion: Motion, half_cell: float, steps: Steps, noise: float) -> Grain:
    """Steps of motion that add about as much error at the ends of a segment as positions have.

    noise  standard deviation of trajectories, per axis
    """
    slope = noise * np.sqrt(12.0 / max(motion.frames, 2))
    translation = max(FINER * 2 * half_cell, NOISE_STEPS * float(slope))
    return Grain(
        translation=translation,
        rotation=2 * steps.rotation,
        position=KEY_STEPS * 2 * half_cell,
        turn=KEY_TURN * steps.rotation,
    )


def groups_of(motion: Motion, rows: Rows) -> tuple[NDArray[np.int32], list[tuple[int, int, int]]]:
    """Numbers (n,) of groups of `rows`, and (kind, first frame, frame after the last) of each group."""
    keys = np.concatenate([motion.kind[rows, None].astype(np.int32), motion.span[rows]], 1)
    found, number = np.unique(keys, axis=0, return_inverse=True)
    return number.reshape(-1).astype(np.int32), [(int(k), int(a), int(b)) for k, a, b in found]


def payloads_of(
    motion: Motion,
    prepared: Prepared,
    coded: Coded,
    groups: Sequence[tuple[int, int, int]],
    clock: Clock,
    grain: Grain,
) -> list[bytes | None]:
    """The payload of MOTN of each chunk, None where it has none."""
    out: list[bytes | None] = []
    for chunk, number, index in zip(coded.passes.chunks, coded.groups, coded.indices, strict=True):
        kind, first, last = groups[number]
        span = clock.span((first, last))
        source = chunk.integers.source
        distinct = prepared.rows[index[np.diff(source, prepend=np.uint32(0xFFFFFFFF)) != 0]]
        if kind == POLYNOMIAL:
            payloads = [
                record_polynomial(
                    chunk.fields,
                    chunk.integers,
                    coded.passes.coding,
                    polynomial_of(motion, distinct),
                    PolynomialSettings(
                        translation=grain.translation,
                        rotation=grain.rotation,
                        centre=CENTRE_STEP / max(motion.frames, 1),
                        width=WIDTH_STEP,
                        threshold=THRESHOLD,
                        predicted=predicted,
                        exponents=(1, 1),
                        caps=(4, 4),
                        coarse=COARSE,
                    ),
                    span,
                ).payload()
                for predicted in (True, False)
            ]
            out.append(min(payloads, key=len))
        elif kind == KEYFRAMES:
            out.append(_keyed(motion, distinct, chunk, coded.passes.coding, clock, grain))
        else:
            out.append(None if span == (0, clock.duration) else still_payload(span))
    return out


def polynomial_of(motion: Motion, rows: Rows) -> Polynomial:
    """(12.6) The wanted motion of some splats."""
    translation = motion.translation[rows]
    orders = np.flatnonzero(translation.any((0, 2)))
    degree = int(orders[-1]) + 1 if len(orders) else 0
    fades = motion.fades[rows]
    mask = TRANSLATED * translation.any((1, 2)) | ROTATED * motion.rotation[rows].any(1) | TIMED * fades
    return Polynomial(
        degree=degree,
        mask=mask.astype(np.uint8),
        translation=translation[:, :degree],
        rotation=motion.rotation[rows],
        centre=np.where(fades, motion.centre[rows], 0.5),
        log_width=np.log(motion.width[rows]),
        reference=motion.reference,
    )


def _keyed(
    motion: Motion, rows: Rows, chunk: Recorded, coding: CodingParameters, clock: Clock, grain: Grain
) -> bytes:
    """The payload of a chunk of splats with keyframes: one key a frame, in gaps as many as frames lack."""
    keys = keyframes_of(motion, rows, clock)
    payloads = []
    for further in (frozenset[str](), frozenset({"position"})):
        settings = KeyframesSettings(
            position=grain.position,
            rotation=grain.turn,
            left=LEFT,
            extrapolated=further,
            exponents=(1, 1),
            caps=(4, 4),
        )
        span = 0, clock.duration
        recorded = record_keyframes(chunk.fields, chunk.integers, coding, keys, settings, span)
        payloads.append(recorded.payload())
    return min(payloads, key=len)


def keyframes_of(motion: Motion, rows: Rows, clock: Clock) -> Keyframes:
    """(12.8) Wanted values of some splats at all frames after the first one."""
    if motion.keys is None:
        raise RuntimeError("no keyframes")
    place = np.full(len(motion), -1, np.intp)
    place[motion.keys.rows] = np.arange(len(motion.keys.rows))
    keys, base = motion.keys.take(place[rows]), motion.base.take(rows)
    interval = min(b - a for a, b in pairwise(clock.ticks))
    count = (clock.ticks[-2] - clock.ticks[0]) // interval if len(clock.ticks) > 2 else 0
    at = np.searchsorted(clock.ticks[:-1], clock.ticks[0] + interval * np.arange(1, count + 1), "right") - 1
    axes = np.argsort(-base.scales.astype(np.float64), axis=1, kind="stable")
    scales = keys.scales
    if scales is not None:
        scales = np.take_along_axis(scales, np.broadcast_to(axes, scales.shape), 2)
    start = conjugate(base.rotations.astype(np.float64))
    turns = hamilton(keys.rotations[at].astype(np.float64), start)
    turns /= np.maximum(np.linalg.norm(turns, axis=2, keepdims=True), 1e-30)
    turns_at_all = bool((np.abs(turns[..., 1:]) > 1e-6).any())
    fades = bool((keys.opacities[at] != base.opacities)[keys.alive[at]].any())

    def of(array: Frames | None) -> Float | None:
        return None if array is None else array[at].astype(np.float64)

    return Keyframes(
        interval=interval,
        alive=np.concatenate([keys.alive[:1], keys.alive[at]]),
        position=keys.positions[at].astype(np.float64) - base.positions,
        rotation=turns if turns_at_all else None,
        scale=of(scales),
        opacity=keys.opacities[at].astype(np.float64) if fades else None,
        colour=of(keys.colours),
        harmonics=of(keys.harmonics),
    )
