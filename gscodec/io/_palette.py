"""Few values instead of many: codebooks of numbers and palettes of vectors, by k-means of bounded cost.

Both are the same at every call: random choices come from a fixed seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Float32

_NUMBER_ROUNDS = 40
_VECTOR_ROUNDS = 6
_BRANCHES = 256  # a palette is a tree: comparing each vector with all entries would take n k operations
_SAMPLE = 64  # vectors a branch from which branches are found
_DEEPEST = 6
_BLOCK = 1 << 22  # distances held at a time


def codebook(values: NDArray[Any], size: int = 256) -> tuple[Float32, NDArray[np.uint8]]:
    """At most 256 finite numbers for many: the ascending (size,) codebook, and the nearest entry of each.

    Values that are no more than `size` different ones come back exactly. `values` has any shape, and so has
    the second array.
    """
    flat = np.asarray(values, np.float32).reshape(-1)
    entries = np.unique(flat)
    if len(entries) > size:
        entries = np.unique(_numbers(np.sort(flat).astype(np.float64), size).astype(np.float32))
    if not len(entries):
        entries = np.zeros(1, np.float32)
    middles = (entries[1:].astype(np.float64) + entries[:-1]) / 2
    index = np.searchsorted(middles, flat).astype(np.uint8).reshape(np.shape(values))
    return np.r_[entries, np.repeat(entries[-1:], size - len(entries))], index


def _numbers(ordered: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Lloyd's iteration on sorted numbers, of which the sums between any two places are known at once."""
    sums = np.r_[0, np.cumsum(ordered)]
    # Errors are smallest where entries are as dense as the cube root of the values' density: of cells with
    # equally many values each gets entries as its width to the power of 2/3.
    edges = ordered[np.linspace(0, len(ordered) - 1, min(len(ordered), 16 * size)).astype(np.int64)]
    crowd = np.r_[0, np.cumsum(np.diff(edges) ** (2 / 3))]
    entries: NDArray[np.float64] = np.interp((np.arange(size) + 0.5) / size * crowd[-1], crowd, edges)
    for _ in range(_NUMBER_ROUNDS):
        cuts = np.searchsorted(ordered, (entries[1:] + entries[:-1]) / 2)
        bounds = np.r_[0, cuts, len(ordered)]
        counts = np.diff(bounds)
        means = np.diff(sums[bounds]) / np.maximum(counts, 1)
        moved = np.where(counts > 0, means, entries)
        if np.array_equal(moved, entries):
            break
        entries = np.sort(moved)
    return entries


def palette(rows: Float32, size: int) -> tuple[Float32, NDArray[np.int64]]:
    """At most `size` vectors for many finite ones: (entries, d) float32, and the entry of each row, (n,).

    Rows that are no more than `size` different ones come back exactly.
    """
    first, index = _different(rows)
    if len(first) <= size:
        return rows[first], index
    rng = np.random.default_rng(0)
    labels = np.zeros(len(rows), np.int64)
    entries: list[Float32] = []
    found = 0
    # (rows, number of entries, depth): each is cut into branches, until a branch is small enough.
    waiting: list[tuple[NDArray[np.int64], int, int]] = [(np.arange(len(rows)), size, 0)]
    while waiting:
        members, k, depth = waiting.pop()
        part = rows[members]
        if k <= _BRANCHES or depth == _DEEPEST:
            centres, own = _along(part, k) if k > _BRANCHES else _clusters(part, part, k, rng)
            labels[members] = own + found
            entries.append(centres)
            found += len(centres)
            continue
        branches = min(_BRANCHES, int(np.ceil(np.sqrt(k))))
        sample = part[rng.choice(len(part), min(len(part), branches * _SAMPLE), replace=False)]
        centres, own = _clusters(sample, part, branches, rng)
        spread = np.bincount(own, ((part - centres[own]) ** 2).sum(axis=1), len(centres))
        counts = np.bincount(own, minlength=len(centres))
        # As many entries as a branch has of the squared distances: that is nearly the best for long vectors.
        free = max(k - len(centres), 0)
        share = np.floor(free * spread / max(float(spread.sum()), 1e-30)).astype(np.int64) + 1
        order = np.argsort(own, kind="stable")
        for branch, group in zip(
            np.flatnonzero(counts), np.split(order, np.cumsum(counts[counts > 0])[:-1]), strict=True
        ):
            waiting.append((members[group], int(min(share[branch], counts[branch])), depth + 1))
    return np.concatenate(entries), labels


def _different(rows: Float32) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of a row for each different row, and which of those each row is."""
    words = np.ascontiguousarray(rows + np.float32(0)).view(np.uint32).astype(np.uint64)
    weights = np.random.default_rng(1).integers(0, 1 << 63, words.shape[1], np.uint64) * np.uint64(
        2
    ) + np.uint64(1)
    mixed = (words * weights).sum(axis=1, dtype=np.uint64)
    _, first, index = np.unique(mixed, return_index=True, return_inverse=True)
    index = index.reshape(-1)
    if not np.array_equal(rows[first][index], rows):  # two rows of the same sum
        _, first, index = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, index.reshape(-1)


def _clusters(
    sample: Float32, rows: Float32, k: int, rng: np.random.Generator
) -> tuple[Float32, NDArray[np.int64]]:
    """k-means: at most k centres found on the sample, and the nearest centre of each of `rows`."""
    centres = sample[rng.choice(len(sample), min(k, len(sample)), replace=False)]
    for _ in range(_VECTOR_ROUNDS):
        own = _nearest(sample, centres)
        counts = np.bincount(own, minlength=len(centres))
        sums = np.add.reduceat(
            sample[np.argsort(own, kind="stable")], (np.cumsum(counts) - counts)[counts > 0], axis=0
        )
        centres = centres.copy()
        centres[counts > 0] = sums / counts[counts > 0, None]
    return centres, _nearest(rows, centres)


def _nearest(rows: Float32, centres: Float32) -> NDArray[np.int64]:
    half = (centres.astype(np.float64) ** 2).sum(axis=1).astype(np.float32) / 2
    step = max(1, _BLOCK // len(centres))
    labels = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        labels[start : start + step] = (half - block @ centres.T).argmin(axis=1)
    return labels


def _along(rows: Float32, k: int) -> tuple[Float32, NDArray[np.int64]]:
    """Means of k equal parts along the longest axis: for what no clustering takes apart."""
    axis = int(rows.var(axis=0).argmax())
    order = np.argsort(rows[:, axis], kind="stable")
    starts = np.unique(np.arange(k) * len(rows) // k)
    sizes = np.diff(np.r_[starts, len(rows)])
    labels = np.empty(len(rows), np.int64)
    labels[order] = np.repeat(np.arange(len(starts)), sizes)
    means = np.add.reduceat(rows[order].astype(np.float64), starts, axis=0) / sizes[:, None]
    return means.astype(np.float32), labels
