"""Times and steps of a segment, as its motion is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import gcd

import numpy as np

from gscodec.encode.dynamic.body import Rows
from gscodec.encode.dynamic.model import Motion
from gscodec.encode.steps import Steps

FURTHEST = 60_000  # steps that motion may reach (12.8)
COARSEST, FINEST = 0.6, 0.1  # steps of values that one of coefficients is, for functions of mean square 1
MOST_VALUES = 1 << 24  # of a stream (1.7)
KEY_STEPS = 1.5  # steps of positions that one of positions at keys is
KEY_TURN = 1.0  # steps of rotations that one of rotations at keys is


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
    """Steps of coefficients and residuals, of positions in scene units and of rotations in radians.

    key, key_turn  of keyframes
    gains          by attribute: what functions of mean square 1 are multiplied by
    """

    position: float
    turn: float
    key: float
    key_turn: float
    gains: Mapping[str, float]


def grain_of(motion: Motion, half_cell: float, steps: Steps) -> Grain:
    """Steps that add about as much error as positions and rotations have, if they reach far enough."""
    position = 2 * half_cell
    gains = {name: gain_of(motion, name, position, steps) for name in motion.functions}
    if "position" in motion.functions:
        factor = motion.functions["position"][1]
        high = np.maximum(np.abs(factor.functions).max(0, initial=0), 1 / gains["position"])
        reach = high * np.abs(factor.coefficients).max((0, 2), initial=0)
        position = max(position, float(reach.sum()) / FURTHEST)
    key = KEY_STEPS * 2 * half_cell
    if motion.keys is not None:
        moved = motion.keys.positions - motion.base.positions[motion.keys.rows]
        key = max(key, float(np.abs(moved).max(initial=0)) / FURTHEST)
    return Grain(
        position=position,
        turn=steps.rotation,
        key=key,
        key_turn=KEY_TURN * steps.rotation,
        gains=gains,
    )


def gain_of(motion: Motion, name: str, position: float, steps: Steps) -> float:
    """By which errors of coefficients add up, where most do, to what a step of values and noise do.

    Sums of functions are largest at the ends of a segment: coarser coefficients would be seen there.
    """
    rows, factor = motion.functions[name]
    most = float(np.square(factor.functions).sum(1).max(initial=0))
    step = {"position": position, "rotation": steps.rotation}.get(name)
    left = 0.0 if step is None or name not in motion.left else motion.left[name][rows]
    noise = 0.0 if step is None else float(np.median(np.square(left))) * 12 / max(step, 1e-150) ** 2
    return float(np.clip(np.sqrt((1 + noise) / max(most, 1e-300)), FINEST, COARSEST))


def keys_at(clock: Clock) -> tuple[Rows, int]:
    """(Q,) the frames that hold at keys from the start of a segment on, and the ticks between keys."""
    starts = np.array(clock.ticks[:-1])
    interval = gcd(*(b - a for a, b in pairwise(clock.ticks)))
    count = (clock.ticks[-2] - clock.ticks[0]) // interval + 1
    return np.searchsorted(starts, starts[0] + interval * np.arange(count), "right") - 1, interval


def most_splats(clock: Clock, width: int = 3) -> int:
    """Splats of a chunk with so many values at every key, at most."""
    return max(MOST_VALUES // (len(keys_at(clock)[0]) * width), 1)
