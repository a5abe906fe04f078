"""Which contexts share a table: histograms are merged while that saves bits, tables and map included."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gscodec.entropy.tables import MAX_SYMBOLS, TableSet, normalise

Histogram = NDArray[np.float64]

TABLE_BITS = 12.0  # of a table itself
SYMBOL_BITS = 5.0  # of each symbol in it
SEEDS_PER_STREAM = 24


def _xlogx(counts: Histogram) -> Histogram:
    return counts * np.log2(np.maximum(counts, 1))


def with_table(counts: Histogram) -> NDArray[np.float64]:
    """Bits of the histograms (..., symbols) coded with their own table, the table included."""
    data = _xlogx(counts.sum(-1)) - _xlogx(counts).sum(-1)
    used = (counts > 0).sum(-1)
    return np.where(used > 1, data + SYMBOL_BITS * used + TABLE_BITS, SYMBOL_BITS + TABLE_BITS)


def _assign(rows: Histogram, seeds: int) -> NDArray[np.intp]:
    """A first clustering (len(rows),): far-apart rows as seeds, every row to the cheapest."""
    own = with_table(rows)
    sums = [rows[int(np.argmax(rows.sum(1)))]]
    extra = np.full((len(rows), seeds), np.inf)
    for k in range(seeds):
        extra[:, k] = with_table(rows + sums[k]) - with_table(sums[k]) - own
        nearest = extra.min(1)
        worst = int(np.argmax(nearest))
        if nearest[worst] <= 0 or k + 1 == seeds:
            break
        sums.append(rows[worst])
    return np.asarray(extra[:, : len(sums)].argmin(1))


def merge(sums: Histogram, most: int) -> NDArray[np.intp]:
    """Merge clusters while it pays, and then until `most` are left; the new number of each."""
    group = np.arange(len(sums))
    alive = np.ones(len(sums), bool)
    sums = sums.copy()
    cost = with_table(sums)
    gain = np.full((len(sums), len(sums)), np.inf)
    for i in range(len(sums)):
        gain[i, i + 1 :] = with_table(sums[i] + sums[i + 1 :]) - cost[i] - cost[i + 1 :]
    while alive.sum() > 1:
        i, j = divmod(int(np.argmin(gain)), len(sums))
        if gain[i, j] >= 0 and alive.sum() <= most:
            break
        sums[i] += sums[j]
        cost[i] = with_table(sums[i])
        alive[j] = False
        group[group == j] = i
        gain[j, :] = gain[:, j] = np.inf
        others = np.flatnonzero(alive & (np.arange(len(sums)) != i))
        change = with_table(sums[i] + sums[others]) - cost[i] - cost[others]
        gain[np.minimum(i, others), np.maximum(i, others)] = change
    numbers = np.cumsum(alive) - 1
    return np.asarray(numbers[group])


def choose_tables(
    histograms: Mapping[str, NDArray[np.uint32]], *, most: int = 64
) -> tuple[TableSet, dict[str, NDArray[np.uint8]]]:
    """Tables for all streams and the context map of each, from counts (contexts, 256) by stream.

    Contexts that never occur take the table of their neighbour, which costs least in the map.
    """
    clusters: list[Histogram] = []
    members: dict[str, NDArray[np.intp]] = {}
    for name, counts in histograms.items():
        rows = counts.astype(np.float64)
        used = np.flatnonzero(rows.sum(1))
        label = np.full(len(rows), -1)
        if len(used):
            width = int(np.flatnonzero(rows.sum(0)).max()) + 1
            first = _assign(rows[used][:, :width], min(SEEDS_PER_STREAM, len(used)))
            sums = np.zeros((int(first.max()) + 1, MAX_SYMBOLS))
            np.add.at(sums, first, rows[used])
            label[used] = first + len(clusters)
            clusters += list(sums)
        members[name] = label
    if not clusters:
        clusters = [np.eye(1, MAX_SYMBOLS)[0]]
    group = merge(np.array(clusters), most)
    total = np.zeros((int(group.max()) + 1, MAX_SYMBOLS))
    np.add.at(total, group, np.array(clusters))
    maps = {name: _fill(np.where(label < 0, -1, group[label])) for name, label in members.items()}
    return tables_from_counts(total.astype(np.int64)), maps


def _fill(label: NDArray[np.intp]) -> NDArray[np.uint8]:
    known = np.flatnonzero(label >= 0)
    if not len(known):
        return np.zeros(len(label), np.uint8)
    previous = np.maximum.accumulate(np.where(label >= 0, np.arange(len(label)), known[0]))
    return label[previous].astype(np.uint8)


def tables_from_counts(counts: NDArray[np.int64]) -> TableSet:
    """The smallest resolution that costs at most a thousandth more than the finest."""
    rows, resolutions = [], []
    for row in counts:
        options = {}
        for resolution in (10, 11, 12):
            if np.count_nonzero(row) <= 1 << (resolution - 2):
                frequencies = normalise(row, resolution)
                used = row > 0
                options[resolution] = (
                    -(row[used] * np.log2(frequencies[used] / (1 << resolution))).sum(),
                    frequencies,
                )
        best = min(bits for bits, _ in options.values())
        chosen = next(r for r, (bits, _) in options.items() if bits <= best * 1.001 + 8)
        rows.append(options[chosen][1])
        resolutions.append(chosen)
    return TableSet(frequencies=np.array(rows, np.uint32), resolutions=np.array(resolutions, np.uint8))
