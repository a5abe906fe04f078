"""Tables of a file: its own, built-in ones, or both together, whichever makes it smallest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec import built_in
from gscodec.built_in import Choice, Maps
from gscodec.encode.clustering import choose_tables, merge, tables_from_counts, with_table
from gscodec.entropy.scalar import ScalarWriter
from gscodec.entropy.tables import MAX_SYMBOLS, RANK_ESCAPE, RANKS, TableSet, write_map, write_table

Counts = Mapping[str, NDArray[np.uint32]]
Floats = NDArray[np.float64]
NEVER = 1e15  # bits of a symbol that a table does not have
CODE_BITS = 12 - np.log2(np.array(RANKS.frequencies))
MORE_BYTES = 2  # of own tables alone: the number of words, instead of a set and a number of tables
LARGE = 0.004  # tables that are such a share of the data are not worth a thought
NONE = TableSet(frequencies=np.zeros((0, MAX_SYMBOLS), np.uint32), resolutions=np.zeros(0, np.uint8))


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Tables and maps, and the choice that they come from if it is not all own."""

    tables: TableSet
    maps: dict[str, NDArray[np.uint8]]
    choice: Choice | None


def choose(counts: Counts, clusters: Maps, *, most: int) -> Chosen:
    """The tables with which data and tables together are smallest.

    counts    (contexts, 256) by stream
    clusters  (contexts,) by stream: what built-in sets put together
    """
    tables, maps = choose_tables(counts, most=most)
    best = Chosen(tables=tables, maps=maps, choice=None)
    header = _own_bits(tables, maps)
    least = (data := _data_bits(counts, best)) + header
    if header < LARGE * data:
        return best
    for choice in _choices(counts, clusters, most):
        tables, maps = built_in.resolved(choice, clusters)
        chosen = Chosen(tables=tables, maps=maps, choice=choice)
        bits = _data_bits(counts, chosen) + 32 * len(built_in.write_choice(choice, counts))
        if bits < least:
            best, least = chosen, bits
    return best


def _own_bits(tables: TableSet, maps: Mapping[str, NDArray[np.uint8]]) -> int:
    """Bits of tables and maps, and of what else only they take."""
    lane = ScalarWriter()
    for row, resolution in zip(tables.frequencies.tolist(), tables.resolutions.tolist(), strict=True):
        write_table(lane, row, resolution)
    for each in maps.values():
        write_map(lane, each.tolist(), len(tables))
    return 32 * len(lane.words()) + 8 * MORE_BYTES


def _choices(counts: Counts, clusters: Maps, most: int) -> Iterator[Choice]:
    """Choices to compare: the best one without own tables, and one with them."""
    found = built_in.occurring(clusters)
    sums = np.zeros((found[-1] + 1, MAX_SYMBOLS))
    for name, rows in counts.items():
        sums += summed(rows, clusters[name], len(sums))
    sums = sums[found]
    costs = _costs(sums, built_in.frequencies() / (1 << built_in.RESOLUTION))
    sets = [built_in.standard_tables(number, found) for number in range(built_in.set_count())]
    named = [costs + _name_bits(costs.shape[1], costs.shape[1], standard) for standard in sets]
    number = int(np.argmin([bits.min(1).sum() for bits in named]))
    bits = named[number]
    yield Choice(set=number, own=NONE, chosen=dict(zip(found, bits.argmin(1).tolist(), strict=True)))

    least = dict(zip(found, bits.min(1).tolist(), strict=True))
    apart = [name for name in counts if _is_better_apart(counts[name], least, clusters[name], most)]
    tables, maps = choose_tables({name: counts[name] for name in apart}, most=most) if apart else (NONE, {})
    left = np.isin(found, built_in.occurring({n: part for n, part in clusters.items() if n not in apart}))
    sums, bits = sums[left], bits[left]
    own = joined(tables, _own_tables(sums, bits.min(1), most - len(tables)))
    far = CODE_BITS[RANK_ESCAPE] + np.log2(len(own) + bits.shape[1])
    shares = own.frequencies / (1 << own.resolutions.astype(np.int64))[:, None]
    both = np.concatenate([_costs(sums, shares) + far, bits], 1).argmin(1)
    kept = [t for t in range(len(own)) if t < len(tables) or (both == t).any()]
    place = np.concatenate([np.searchsorted(kept, np.arange(len(own))), len(kept) + np.arange(bits.shape[1])])
    own = TableSet(frequencies=own.frequencies[kept], resolutions=own.resolutions[kept])
    chosen = dict(zip(np.array(found)[left].tolist(), place[both].tolist(), strict=True))
    yield Choice(set=number, own=own, chosen=chosen, maps=maps)


def _is_better_apart(
    rows: NDArray[np.uint32], least: Mapping[int, float], clusters: NDArray[np.intp], most: int
) -> bool:
    """Whether own tables and an own map would make a stream smaller than its clusters do."""
    if not rows.any():
        return False
    tables, maps = choose_tables({"": rows}, most=most)
    own = Chosen(tables=tables, maps=maps, choice=None)
    alone = _data_bits({"": rows}, own) + _own_bits(tables, maps) - 8 * MORE_BYTES
    return alone < sum(least[cluster] for cluster in set(clusters.tolist()))


def _name_bits(known: int, all_tables: int, standard: list[int]) -> Floats:
    """Bits of naming each built-in table for each cluster (clusters, known)."""
    change = np.arange(known) - np.array(standard)[:, None]
    code = np.where(change >= 0, 2 * change, -2 * change - 1)
    far = CODE_BITS[RANK_ESCAPE] + np.log2(all_tables)
    near = CODE_BITS[np.minimum(code, RANK_ESCAPE - 1)]
    return np.asarray(np.where(code < RANK_ESCAPE, near, far))


def _costs(rows: Floats, shares: Floats) -> Floats:
    """Bits of histograms (rows, symbols) under each of the tables (tables, symbols)."""
    bits = np.where(shares > 0, -np.log2(np.maximum(shares, 2.0**-24)), NEVER)
    return np.asarray(rows @ bits.T)


def _own_tables(sums: Floats, otherwise: Floats, most: int) -> TableSet:
    """Tables for clusters that they make smaller than built-in ones, which take `otherwise` bits."""
    naming = CODE_BITS[RANK_ESCAPE] + np.log2(most + len(built_in.frequencies()))
    used = np.flatnonzero((with_table(sums) + naming < otherwise) & (sums.sum(1) > 0))
    if not len(used) or most < 1:
        return NONE
    group = merge(sums[used], most)
    totals = summed(sums[used], group, int(group.max()) + 1)
    return tables_from_counts(totals.astype(np.int64))


def joined(a: TableSet, b: TableSet) -> TableSet:
    """The tables of both."""
    return TableSet(
        frequencies=np.concatenate([a.frequencies, b.frequencies]),
        resolutions=np.concatenate([a.resolutions, b.resolutions]),
    )


def summed(rows: NDArray[Any], group: NDArray[Any], groups: int) -> Floats:
    """(groups, symbols) the sums of the rows of each group, as a product: `np.add.at` is ten times slower."""
    is_of = np.arange(groups)[:, None] == group
    return np.asarray(is_of.astype(np.float64) @ rows.astype(np.float64))


def _data_bits(counts: Counts, chosen: Chosen) -> float:
    """Bits of all symbols."""
    shares = chosen.tables.frequencies / (1 << chosen.tables.resolutions.astype(np.int64))[:, None]
    bits = np.where(shares > 0, -np.log2(np.maximum(shares, 2.0**-24)), NEVER)
    total = 0.0
    for name, rows in counts.items():
        total += float((summed(rows, chosen.maps[name], len(shares)) * bits).sum())
    return total
