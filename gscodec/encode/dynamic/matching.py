"""The same splats in another order: which splat of a frame is which one of the frame before.

Formats that sort splats by place (SOG) lose the identity that a sequence had. Splats near each other that
look alike are taken to be the same, nearest ones first.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

PROBES = 256  # splats whose nearest neighbours tell how far apart splats are
CELL = 2.0  # of that distance: a splat moves by less from frame to frame
MOST_IN_CELL = 12  # that are compared
ROUNDS = 6
LOST = 0.003  # share of the splats that may be paired by chance in the end
BETTER = 0.25  # of the difference of looks that the old order has: what another one has to come down to
ALIKE = 0.25  # of log-scales and of coefficients of colour: that counts as much as the distance of splats
Index = NDArray[np.intp]


def match(before: Splats, now: Splats) -> Index | None:
    """(N,) with which `now.take` has the order of `before`; None where they are not the same splats."""
    count = len(now)
    if count != len(before) or count < 2:
        return None
    old, new = _features(before), _features(now)
    apart = _spacing(old[:, :3])
    if not apart > 0:
        return None
    old[:, :3] /= apart
    new[:, :3] /= apart
    order = np.full(count, -1, np.intp)  # of each old splat
    near = np.square(old - new).sum(1) < 0.04
    order[near] = np.flatnonzero(near)
    for _ in range(ROUNDS):
        left_old, left_new = np.flatnonzero(order < 0), _unused(order)
        if not len(left_old):
            break
        found, cost = _nearest(old[left_old], new[left_new])
        paired = np.flatnonzero(found >= 0)
        if not len(paired):
            break
        ranked = paired[np.lexsort((paired, cost[paired], found[paired]))]
        first = np.diff(found[ranked], prepend=-1) != 0  # the nearest of those that want the same one
        order[left_old[found[ranked[first]]]] = left_new[ranked[first]]
    left_old, left_new = np.flatnonzero(order < 0), _unused(order)
    if len(left_old) > LOST * count:
        return None
    order[left_old] = left_new
    looks, found = np.square(old - new)[~near, 3:].sum(), np.square(old - new[order])[~near, 3:].sum()
    return order if found < BETTER * looks else None


def _features(splats: Splats) -> NDArray[np.float64]:
    """(N, 9) positions in scene units; what it looks like in units of `ALIKE`."""
    looks = np.concatenate([splats.scales, splats.sh_dc], axis=1)
    return np.concatenate([splats.positions, looks / ALIKE], axis=1, dtype=np.float64)


def _spacing(positions: NDArray[np.float64]) -> float:
    """How far a usual splat is from its nearest neighbour."""
    rows = np.unique(np.linspace(0, len(positions) - 1, PROBES).astype(np.intp))
    found = np.empty(len(rows))
    for k, row in enumerate(rows):
        distance = np.square(positions - positions[row]).sum(1)
        distance[row] = np.inf
        found[k] = distance.min()
    return float(np.sqrt(np.median(found)))


def _unused(order: Index) -> Index:
    used = np.zeros(len(order), bool)
    used[order[order >= 0]] = True
    return np.flatnonzero(~used)


def _nearest(old: NDArray[np.float64], new: NDArray[np.float64]) -> tuple[Index, NDArray[np.float64]]:
    """For each of `new` (n,) the old one that is most alike in its cell and those around, -1; and how far."""
    low = np.minimum(old[:, :3].min(0), new[:, :3].min(0)) - 2 * CELL
    a, b = (np.floor((x[:, :3] - low) / CELL).astype(np.int64).clip(0, (1 << 20) - 2) for x in (old, new))
    keys = (a[:, 0] << 40) + (a[:, 1] << 20) + a[:, 2]
    by_key = np.argsort(keys, kind="stable")
    keys = keys[by_key]
    best, least = np.full(len(new), -1, np.intp), np.full(len(new), np.inf)
    for x, y, z in product((-1, 0, 1), repeat=3):
        wanted = (b[:, 0] + x << 40) + (b[:, 1] + y << 20) + b[:, 2] + z
        start, stop = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
        for k in range(int(min((stop - start).max(initial=0), MOST_IN_CELL))):
            rows = np.flatnonzero(start + k < stop)
            other = by_key[start[rows] + k]
            cost = np.square(old[other] - new[rows]).sum(1)
            better = cost < least[rows]
            best[rows[better]], least[rows[better]] = other[better], cost[better]
    return best, least
