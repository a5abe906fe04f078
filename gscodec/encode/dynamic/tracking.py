"""Whether two frames have the same splats in the same order: the index is the identity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

SAMPLE = 4096  # splats that are compared
NEAR = 0.25  # of the distance between splats paired by chance: how far most splats of a tracked frame move
MOST = 0.7  # share of the splats that "most" are
ALIKE = 0.35  # of the difference between splats paired by chance: how far attributes differ
LEAPING = 0.003  # share of the splats
SAME = 0.1  # ... of one attribute that settles it alone


def is_tracked(before: Splats, now: Splats) -> bool:
    """Whether splat i of `now` is splat i of `before`, as far as places and looks tell.

    Splats in the order of a curve through space are near the old ones of the same index, too: so places alone
    settle it only where no attribute differs between splats, or where they hardly change at all.
    """
    count = len(now)
    if count != len(before) or count == 0:
        return False
    rows = np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.intp))
    other = np.random.default_rng(count).permutation(rows)
    moved = np.linalg.norm(_values(before.positions[rows] - now.positions[rows]), axis=1)
    chance = float(np.median(np.linalg.norm(_values(before.positions[rows] - now.positions[other]), axis=1)))
    most = float(np.quantile(moved, MOST))
    size = float(np.median(np.exp(np.clip(before.scales[rows].mean(1), -60, 60))))
    if count == 1:
        return bool(most <= size)
    if most > NEAR * chance and most > size:
        return False
    ratios = []
    for name in ("scales", "sh_dc", "opacities"):
        a, b = _values(getattr(before, name)[rows]), _values(getattr(now, name))
        by_chance = float(np.median(np.abs(a - b[other])))
        if by_chance > 1e-6:
            ratios.append(float(np.median(np.abs(a - b[rows]))) / by_chance)
    if not ratios:
        return bool(most <= max(size, 0.02 * chance))
    return min(ratios) <= SAME or float(np.mean(ratios)) <= ALIKE


def leaps(before: Splats, now: Splats) -> bool:
    """Whether some splats of a track go far beyond the others, as if they had changed places."""
    moved = np.linalg.norm(_values(before.positions - now.positions), axis=1)
    size = np.exp(np.clip(before.scales.mean(1), -60, 60))
    return bool(np.mean(moved > np.maximum(4 * np.quantile(moved, MOST), size)) > LEAPING)


def _values(array: NDArray[np.float32]) -> NDArray[np.float64]:
    """Without infinities, which have no differences."""
    return np.nan_to_num(array.astype(np.float64), posinf=1e30, neginf=-1e30)
