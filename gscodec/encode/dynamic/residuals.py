"""(12.11) Which splats get residuals over what they follow, and how fine: what matters to pictures first.

What is not followed, noise above all, is left out where nobody would see it. Noise on the trajectories of
splats that show is a flicker of the scene, and whether it is kept depends on the quality that is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gscodec._generated.fineness import MULTIPLIER
from gscodec.encode.dynamic.body import Prepared
from gscodec.encode.dynamic.model import FUNCTIONS, STILL, Motion
from gscodec.encode.dynamic.turns import Float
from gscodec.encode.steps import Steps
from gscodec.motion.functions import multiplier_of

COARSER = 2.0  # steps of static values that one of residuals is: it is paid for at every frame
POWER = 1.5  # of the importance by which steps get coarser
GUESSED_POWER = 0.5  # ... where no pictures tell it
WORTH = 0.45  # steps that what is left has to exceed (root mean square)
UNIT = 64  # multiplier of a step of class 0


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """By attribute, for n prepared splats: symbols of fineness (n,) uint8, 0: none."""

    fineness: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)


def residuals_of(motion: Motion, prepared: Prepared, steps: Steps, unit: float) -> Residuals:
    """For splats that are still or follow functions; `unit`: steps of positions of motion, scene units."""
    rows = prepared.rows
    able = (motion.kind[rows] == STILL) | (motion.kind[rows] == FUNCTIONS)
    if motion.track is None or not able.any():
        return Residuals()
    base = prepared.splats
    power = POWER if prepared.unit is not None else GUESSED_POWER
    coarser = COARSER * np.maximum(prepared.weight, 1e-9) ** -power
    logs = np.clip(np.sort(base.scales.astype(np.float64), axis=1), -40, 40)
    uneven = np.maximum(1 - np.exp(logs[:, 0] - logs[:, 2]), 0.02)
    size = np.exp(logs.mean(1))
    # steps of class 0 in units of what is left, and how many of them a step of residuals is
    scales: dict[str, tuple[Float | float, Float]] = {
        "position": (unit, coarser * steps.position * size / unit),
        "rotation": (steps.rotation / 2, coarser / uneven),
        "scale": (steps.scale, coarser),
        "opacity": (steps.opacity, coarser),
        "colour": (steps.colour, coarser),
        "harmonics": (steps.harmonics, coarser),
    }  # fmt: skip
    out = {}
    for name, left in motion.left.items():
        step, times = scales[name]
        if name in motion.missed:
            missed = motion.missed[name][rows]
            times = np.where(missed > 0, np.minimum(times, missed / step), times)
        symbol = np.array(symbols(UNIT * times))
        wide = multiplier_of(symbol) / UNIT * step
        symbol[(left[rows] <= WORTH * wide) | ~able] = 0
        if symbol.any():
            out[name] = symbol
    return Residuals(out)


def symbols(multiplier: Float) -> NDArray[np.uint8]:
    """(12.11) The symbols whose multipliers are nearest."""
    found = np.rint(2 * np.log2(np.maximum(multiplier, 1.0) / MULTIPLIER[1])) + 1
    return np.asarray(np.clip(found, 1, len(MULTIPLIER) - 1), np.uint8)


def with_residuals(motion: Motion, prepared: Prepared, residuals: Residuals) -> Motion:
    """The motion, in which splats that were still but have residuals follow functions, if none."""
    if not residuals.fineness:
        return motion
    some = np.any([symbol > 0 for symbol in residuals.fineness.values()], axis=0)
    kind = motion.kind.copy()
    kind[prepared.rows[some & (kind[prepared.rows] == STILL)]] = FUNCTIONS
    return replace(motion, kind=kind)
