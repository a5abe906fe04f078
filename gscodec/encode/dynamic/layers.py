"""The first walk over a sequence: what belongs together, what never changes, how far everything gets.

Takes memory for one frame and sums, never for the sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.matching import match
from gscodec.encode.dynamic.sequence import FrameSequence
from gscodec.encode.dynamic.tracking import is_tracked, leaps
from gscodec.encode.dynamic.turns import Float
from gscodec.encode.steps import Extent, Steps
from gscodec.splats import Splats

LARGEST_BLOCK = 16  # frames whose mean is held against that of others: noise is averaged, motion is not
RANGE = 6.0  # standard deviations, within which means of noise lie
NOISE = 0.3  # of the splat's size: what trembles more is seen to tremble
KEPT = 0.9  # steps of positions, from which on noise is kept where it matters most: see `residuals`
FAILURES = 3  # frames after each other that are no other order of the one before: then nobody tries again
INVISIBLE = -5.5  # logit of 1/255
NEAR_TURN = 0.8  # cosine of half the turn from the first frame: more is too far for a turn from the mean
Floats6 = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Of all frames.

    counts     (F,) splats of each
    linked     (F,) whether the index is the identity from the frame before to this one
    bounds     of all centres of splats that are seen: minimum xyz, maximum xyz
    still      (N,) rows that never change, where all frames are as long; else None
    steady     (N,) rows that may move, but are seen at all times and change in nothing else
    mean       values of all rows: means over the frames; None as with `still`
    dropped    splats with values that are not finite, in all frames
    """

    counts: NDArray[np.int64]
    linked: NDArray[np.bool_]
    bounds: Floats6
    still: NDArray[np.bool_] | None
    steady: NDArray[np.bool_] | None
    mean: Splats | None
    dropped: int

    @property
    def is_tracked(self) -> bool:
        """Whether any frame continues the one before."""
        return bool(self.linked.any())


def survey(
    sequence: FrameSequence,
    steps: Steps,
    extent_of_first: Callable[[Splats], Extent],
    *,
    tracked: bool | None = None,
    finds_still: bool = True,
    tell: Callable[[float], None],
) -> Survey:
    """Read every frame once; `tracked` says what the caller knows, `tell` gets the share done."""
    counts = np.zeros(len(sequence), np.int64)
    linked = np.zeros(len(sequence), bool)
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    before: Splats | None = None
    sums: _Sums | None = None
    dropped = failed = 0
    for index in range(len(sequence)):
        frame = sequence.read(index)
        splats, dropped = frame.splats, dropped + frame.dropped
        counts[index] = len(splats)
        seen = splats.positions[splats.opacities > INVISIBLE]
        if len(seen):
            low, high = np.minimum(low, seen.min(0)), np.maximum(high, seen.max(0))
        if before is not None and sequence.is_reordered(index):  # by an earlier walk
            linked[index], failed = True, 0
        elif before is not None:
            linked[index] = links(before, splats, tracked)
            tries = tracked is None and failed < FAILURES and len(splats) == len(before) > 0
            if tries and (not linked[index] or leaps(before, splats)):
                order = match(before, splats)
                failed = failed + 1 if order is None else 0
                if order is not None:
                    sequence.reorder(index, order)
                    splats, linked[index] = splats.take(order), True
        if index == 0 and finds_still and len(splats) and len(sequence) > 1:
            sums = _Sums(splats, len(sequence))
        if sums is not None:
            if len(splats) == counts[0] and (index == 0 or linked[index]):
                sums.add(splats)
            else:
                sums = None
        before = splats
        tell((index + 1) / len(sequence))
    still = steady = mean = None
    if sums is not None and linked.any() and tracked is not False:
        mean = sums.mean()
        still, steady = sums.still(tolerances(mean, steps, extent_of_first(sums.first)))
        still &= ~(sums.largest <= INVISIBLE)
        steady &= sums.smallest > INVISIBLE
    box = (0.0,) * 6 if not np.isfinite(low).all() else tuple(map(float, (*low, *high)))
    return Survey(
        counts, linked, (box[0], box[1], box[2], box[3], box[4], box[5]), still, steady, mean, dropped
    )


def links(before: Splats, now: Splats, tracked: bool | None) -> bool:
    """Whether the index is the identity; what the caller knows goes before what is seen."""
    if tracked is None:
        return is_tracked(before, now)
    return tracked and len(before) == len(now) and len(now) > 0


@dataclass(frozen=True, slots=True, eq=False)
class Tolerances:
    """How far values may be off, as root mean squares per component; nobody sees it at these steps.

    position  (N,) scene units, about half a step of positions, more for larger splats
    size      (N,) scene units: the middle axis
    noise     (N,) scene units: standard deviation that splats may tremble by, without it being kept
    rotation  (N,) radians
    opacity   of alpha; scale of logarithms; colour, harmonics of coefficients
    """

    position: Float
    size: Float
    noise: Float
    rotation: Float
    opacity: float
    scale: float
    colour: float
    harmonics: float

    def take(self, rows: NDArray[np.intp]) -> Tolerances:
        """Of some splats."""
        arrays = {name: getattr(self, name)[rows] for name in ("position", "size", "noise", "rotation")}
        return replace(self, **arrays)


def tolerances(splats: Splats, steps: Steps, extent: Extent) -> Tolerances:
    """For splats that are coded with these steps."""
    logs = np.clip(np.sort(splats.scales.astype(np.float64), axis=1), -40, 40)
    middle = np.exp(logs[:, 1])
    uneven = np.maximum(1 - np.exp(logs[:, 0] - logs[:, 2]), 0.02)
    return Tolerances(
        position=0.5 * steps.position * np.maximum(extent.typical, middle),
        size=middle,
        noise=np.minimum(NOISE, KEPT * steps.position) * middle,
        rotation=0.7 * steps.rotation / uneven,
        opacity=0.5 * steps.opacity,
        scale=0.4 * steps.scale,
        colour=0.5 * steps.colour,
        harmonics=steps.harmonics,
    )


def features(splats: Splats, rotations: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 14 + 3K) everything of a splat in a row, opacity as alpha."""
    alpha = (1 / (1 + np.exp(-np.clip(splats.opacities, -30, 30)))).astype(np.float32)
    rest = splats.sh_rest.reshape(len(splats), -1)
    parts: list[NDArray[np.float32]] = [splats.positions, splats.scales, rotations]
    parts += [alpha[:, None], splats.sh_dc, rest]
    return np.concatenate(parts, axis=1)


class _Sums:
    """Sums over frames that tell which splats never change."""

    def __init__(self, first: Splats, frames: int) -> None:
        self.first, self.frames = first, 0
        self._length = int(np.clip(frames // 8, 1, LARGEST_BLOCK))
        self._rotations = _unit(first.rotations)
        width = 14 + 3 * first.sh_rest.shape[1]
        shape = (len(first), width)
        self._total = np.zeros(shape, np.float64)
        self._block = np.zeros(shape, np.float32)
        self._low, self._high = np.full(shape, np.inf, np.float32), np.full(shape, -np.inf, np.float32)
        self._tremble = np.zeros(shape, np.float32)
        self._before: NDArray[np.float32] | None = None
        self._logit = np.zeros(len(first))
        self._alike = np.ones(len(first), np.float32)
        self.largest = np.full(len(first), -np.inf, np.float32)
        self.smallest = np.full(len(first), np.inf, np.float32)

    def add(self, splats: Splats) -> None:
        rotations = _unit(splats.rotations)
        rotations *= np.where((rotations * self._rotations).sum(1) < 0, np.float32(-1), np.float32(1))[
            :, None
        ]
        np.minimum(self._alike, (rotations * self._rotations).sum(1), out=self._alike)
        values = features(splats, rotations)
        self._total += values
        self._block += values
        self._logit += splats.opacities
        np.maximum(self.largest, splats.opacities, out=self.largest)
        np.minimum(self.smallest, splats.opacities, out=self.smallest)
        if self._before is not None:
            self._tremble += np.square(values - self._before)
        self._before = values
        self.frames += 1
        if self.frames % self._length == 0:
            mean = self._block / np.float32(self._length)
            np.minimum(self._low, mean, out=self._low)
            np.maximum(self._high, mean, out=self._high)
            self._block[:] = 0

    def mean(self) -> Splats:
        """The splats with means of all their values."""
        mean = (self._total / max(self.frames, 1)).astype(np.float32)
        return Splats(
            positions=np.ascontiguousarray(mean[:, :3]),
            scales=np.ascontiguousarray(mean[:, 3:6]),
            rotations=_unit(mean[:, 6:10]),
            opacities=(self._logit / max(self.frames, 1)).astype(np.float32),
            sh_dc=np.ascontiguousarray(mean[:, 11:14]),
            sh_rest=np.ascontiguousarray(mean[:, 14:].reshape(self.first.sh_rest.shape)),
        )

    def still(self, limit: Tolerances) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(N,) whose means over some frames differ by no more than what is allowed, or what noise does.

        And those of which this holds but for position and rotation, which never turn far.
        """
        noise = np.sqrt(self._tremble / (2 * max(self.frames - 1, 1)))
        allowed = np.empty_like(noise)
        allowed[:, :3] = limit.position[:, None]
        allowed[:, 3:6] = limit.scale
        allowed[:, 6:10] = limit.rotation[:, None] / 2
        allowed[:, 10] = limit.opacity
        allowed[:, 11:14], allowed[:, 14:] = limit.colour, limit.harmonics
        if self.frames < self._length:
            return np.zeros(len(noise), bool), np.zeros(len(noise), bool)
        reach = 2 * allowed + RANGE * noise / np.sqrt(self._length)
        within = (self._high - self._low) <= reach
        steady = within[:, 3:6].all(1) & within[:, 10:].all(1) & (noise[:, 10] <= 0.05)
        still = steady & within[:, :3].all(1) & within[:, 6:10].all(1)
        still &= (noise[:, :3] <= np.maximum(limit.noise, limit.position)[:, None]).all(1)
        return still, steady & ~still & (self._alike >= NEAR_TURN)


def _unit(rotations: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 4) normalised; nothing becomes w."""
    length = np.linalg.norm(rotations, axis=1, keepdims=True)
    out = np.asarray(rotations / np.maximum(length, np.float32(1e-30)), np.float32)
    out[:, 0] += (length[:, 0] < 1e-20).astype(np.float32)
    return out
