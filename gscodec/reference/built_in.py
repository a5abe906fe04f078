"""(3.10) Built-in tables, the clusters of contexts that they are for, predictor sets and bases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from gscodec._generated import built_in_contexts, built_in_sets, built_in_tables, predictor_sets, sh_basis
from gscodec.reference.entropy import (
    RANK_ESCAPE,
    RANKS,
    Lane,
    Table,
    read_symbol,
    read_uniform,
    signed_from_zigzag,
    table_from_frequencies,
)

TABLES = len(built_in_tables.ROWS)
SETS = len(built_in_sets.Row._fields) - 2
OTHER = len(
    built_in_sets.ROWS
)  # the cluster of contexts that no part names; extra attributes have those after it
CLASSES = 5  # that clusters tell apart; higher ones are like the last
STANDARD_BOUNDS = {3: [1, 3], 8: [1, 3, 8], 15: [1, 3, 6, 10, 15]}


def numbers(text: str) -> list[int]:
    """(3.10) The numbers of a list; 3x7 stands for 7 7 7."""
    out: list[int] = []
    for word in text.split():
        count, _, value = word.rpartition("x")
        out += [int(value)] * int(count or 1)
    return out


@cache
def built_in_table(number: int) -> Table:
    """(3.10) A built-in table."""
    return table_from_frequencies(12, numbers(built_in_tables.ROWS[number].frequencies))


@cache
def part(name: str) -> list[int]:
    """(3.10) The clusters of a part of a stream."""
    return next(numbers(row.clusters) for row in built_in_contexts.ROWS if row.part == name)


def by_class(name: str, classes: int) -> list[int]:
    """(3.10) A part whose contexts begin with the class, for any number of classes."""
    clusters = part(name)
    each = len(clusters) // CLASSES
    return [x for c in range(classes) for x in clusters[min(c, CLASSES - 1) * each :][:each]]


def group_clusters(classes: int, bounds: list[int]) -> list[int]:
    """(3.10) The clusters of the stream of groups."""
    n = bounds[-1]
    if bounds != STANDARD_BOUNDS[n]:
        return [OTHER] * (6 * classes * (len(bounds) + 1))
    return by_class(f"groups {n}", classes)


def coefficient_clusters(classes: int, bounds: list[int]) -> list[int]:
    """(3.10) The clusters of the stream of coefficients: a group is like the standard one that covers it."""
    n = bounds[-1]
    clusters, out = part(f"coefficients {n}"), []
    for bound in bounds:
        group = next(g for g, end in enumerate(STANDARD_BOUNDS[n]) if end >= bound)
        for c in range(classes):
            out += clusters[(group * CLASSES + min(c, CLASSES - 1)) * n :][:n]
    return out


def clusters_of(classes: int, bounds: list[int], extra_words: Sequence[int]) -> list[list[int]]:
    """(3.10) The cluster of every context of each stream; no bounds: no harmonics."""
    blue, n = part("chroma"), 18 * CLASSES
    chroma = [blue[at + min(c, CLASSES - 1) * 18 :][:18] for at in (0, n) for c in range(classes)]
    harmonics = [group_clusters(classes, bounds), coefficient_clusters(classes, bounds)] if bounds else []
    return [
        [x for m in (*range(1, 8), "more") for x in part(f"position {m}")],
        part("repeat"),
        part("class"),
        by_class("scale", classes) + part("second") + part("third"),
        part("axis 1") + part("axis 2") + part("twist"),
        by_class("opacity", classes),
        by_class("luma", classes) + [x for line in chroma for x in line],
        *harmonics,
        *([OTHER + 1 + i] * words for i, words in enumerate(extra_words)),
    ]


def standard_table(set: int, cluster: int) -> int:
    """(3.10) The built-in table of a cluster in a set."""
    return int(built_in_sets.ROWS[cluster][2 + set]) if cluster < OTHER else TABLES - 1


def read_choice(lane: Lane, standard: int, own: int) -> int:
    """(3.10) The table of a cluster: own ones from 0, built-in ones from `own`."""
    code = read_symbol(lane, RANKS)
    if code == RANK_ESCAPE:
        return read_uniform(lane, own + TABLES)
    table = standard + signed_from_zigzag(code)
    if not 0 <= table < TABLES:
        raise lane.place.malformed("parm.map", f"no built-in table {table}")
    return own + table


def predictor_set(number: int) -> tuple[int, int, list[int], list[int]]:
    """(4.5) Window, power, shrink and threshold of a built-in predictor set."""
    row = predictor_sets.ROWS[number]
    return row.window, row.power, numbers(row.shrink), numbers(row.thresholds)


def square(text: str, size: int) -> list[list[int]]:
    """A matrix, row after row."""
    values = numbers(text)
    return [values[i : i + size] for i in range(0, size * size, size)]


def basis_of(count: int) -> tuple[list[list[int]], list[int]]:
    """(4.6) Matrix and order of the built-in basis of `count` coefficients."""
    row = next(row for row in sh_basis.ROWS[1:] if row.size == count)
    return square(row.matrix, count), numbers(row.ordering)


def colour_matrix(step: int) -> list[list[int]]:
    """(4.6) The colour matrix of a built-in basis."""
    return [[step * entry + 8192 >> 14 for entry in row] for row in square(sh_basis.ROWS[0].matrix, 3)]
