"""Which frames make a segment: as many as wanted, cut where scenes change and where bytes say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.factors import FUNCTION_BITS, PREDICTED, VALUE_BITS
from gscodec.encode.dynamic.layers import Tolerances
from gscodec.encode.dynamic.model import Track
from gscodec.encode.dynamic.trajectories import Fits, fit, units_of
from gscodec.errors import UsageError

DEFAULT = 60  # frames of a segment
MOST = 4096
SHORTEST_TRACK = 3  # frames: shorter tracks are coded frame by frame
SHORTEST_SPLIT = 8  # frames, into which a segment is split at least
SAMPLE = 3000  # splats that tell whether to split
SPLAT_BITS = 62.0  # of a splat as it stands, where nothing was coded yet
KEY_TURNS = 3.0  # values of a turn
KEY_BITS = 2.0  # of a splat that moves at a key, besides its values
OVERHEAD_BITS = 8 * 600.0  # of a segment: headers and tables


@dataclass(frozen=True, slots=True)
class Window:
    """Frames `first` to before `last` of a sequence, which make one segment.

    tracked  whether the index is the identity all the way
    """

    first: int
    last: int
    tracked: bool

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def range(self) -> tuple[int, int]:
        """The first frame, and the one after the last."""
        return self.first, self.last


def check_gof(gof: object) -> int:
    """The frames of a segment. Raises `UsageError` "usage.sequence"."""
    if isinstance(gof, bool) or not isinstance(gof, int) or not 1 <= gof <= MOST:
        raise UsageError("usage.sequence", f"gof {gof!r}: expected 1 to {MOST} frames")
    return gof


def windows(linked: NDArray[np.bool_], places: Sequence[int], gof: int) -> list[Window]:
    """Segments of at most `gof` frames of time; `linked` (F,) as in `Survey`.

    Long segments start at multiples of `gof` frames, and where a track starts or ends.
    """
    out: list[Window] = []
    runs: list[list[int]] = []
    for index in range(len(linked)):
        if index and linked[index]:
            runs[-1].append(index)
        else:
            runs.append([index])
    for run in runs:
        is_track = len(run) >= SHORTEST_TRACK
        start = run[0]
        for index in run:
            if places[index] // gof != places[start] // gof:
                out.append(Window(start, index, is_track))
                start = index
        out.append(Window(start, run[-1] + 1, is_track))
    merged: list[Window] = []
    for window in out:
        last = merged[-1] if merged else None
        if (
            last is not None
            and not last.tracked
            and not window.tracked
            and places[window.last - 1] // gof == places[last.first] // gof
        ):
            merged[-1] = Window(last.first, window.last, False)
        else:
            merged.append(window)
    return merged


def split(
    track: Track,
    limit: Tolerances,
    *,
    steps: tuple[float, float],
    splat_bits: float = SPLAT_BITS,
    shortest: int = SHORTEST_SPLIT,
) -> list[tuple[int, int]]:
    """(first, last) of the segments into which the frames of a track are best cut, by halves.

    steps  of positions in scene units, and of rotations in radians
    """
    count = track.positions.shape[1]
    rows = np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.intp))
    share = count / max(len(rows), 1)
    sample, limit = track.take(rows), limit.take(rows)

    def best(first: int, last: int) -> tuple[float, list[tuple[int, int]]]:
        part = sample.cut(first, last)
        fits = fit(part, limit)
        whole = share * bits_of(part, limit, fits, steps, splat_bits) + OVERHEAD_BITS
        whole += FUNCTION_BITS * (last - first) * sum(f.functions.shape[1] for _, f in fits.factors.values())
        if last - first < 2 * shortest:
            return whole, [(first, last)]
        middle = (first + last) // 2
        left, right = best(first, middle), best(middle, last)
        if left[0] + right[0] < whole:
            return left[0] + right[0], left[1] + right[1]
        return whole, [(first, last)]

    return best(0, len(track.positions))[1]


def bits_of(
    track: Track, limit: Tolerances, fits: Fits, steps: tuple[float, float], splat_bits: float
) -> float:
    """An estimate of the bits that a track takes as one segment, but for the functions themselves."""
    shown = fits.alive.any(0)
    good, bad = shown & fits.good, shown & ~fits.good
    units = units_of(track, limit, fits.alive)
    total = splat_bits * float(np.count_nonzero(shown))
    for name, (rows, found) in fits.factors.items():
        kept = good[rows]
        c = found.coefficients[kept] / units[name][rows[kept], None, None]
        total += float((PREDICTED * np.log2(1 + np.abs(c)) + VALUE_BITS)[c != 0].sum())
    if bad.any():
        x = track.positions[:, bad].astype(np.float64)
        unit = 2 * np.maximum(limit.position[bad], 1e-300)
        moves = (np.abs(np.diff(x, axis=0)) > unit[:, None]).any(2)
        # steady motion goes on by itself
        change = np.abs(np.diff(x, n=2, axis=0)) / unit[:, None]
        total += float((PREDICTED * np.log2(1 + change)).sum())
        q = track.rotations[:, bad].astype(np.float64)
        unit = np.maximum(np.minimum(limit.rotation[bad] / 4, steps[1] / 2), 1e-300)
        turned = (np.abs(np.diff(q, axis=0)) > unit[:, None]).any(2)
        change = np.abs(np.diff(q, axis=0)).sum(2) * 0.6 / unit
        total += float((PREDICTED * np.log2(1 + change)).sum()) * KEY_TURNS
        total += float(KEY_BITS * np.count_nonzero(moves | turned) + 0.2 * moves.size)
    return total
