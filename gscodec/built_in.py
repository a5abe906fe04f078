"""(3.10, 4.5, 4.6) What a parameter set need not hold: tables, context maps, predictor sets, bases.

Contexts are in clusters. A built-in set says which built-in table each cluster uses. A parameter set names
one of these sets, for some clusters other tables, built-in ones or its own, and own maps for some streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import built_in_contexts, built_in_sets, built_in_tables, predictor_sets, sh_basis
from gscodec.entropy.fields import FieldReader
from gscodec.entropy.scalar import ScalarWriter
from gscodec.entropy.tables import (
    MAX_SYMBOLS,
    RANK_ESCAPE,
    RANKS,
    TableSet,
    read_choices,
    write_map,
    write_table,
)
from gscodec.errors import Unsupported

RESOLUTION = 12
CLASSES = 5  # that clusters tell apart; higher ones are like the last
STANDARD_BOUNDS = {3: (1, 3), 8: (1, 3, 8), 15: (1, 3, 6, 10, 15)}
ONE_BITS = 14  # after the point of the colour directions
Maps = dict[str, NDArray[np.intp]]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """(3.10) A built-in set, the tables added to it, and what is changed of it.

    chosen  cluster -> its table, for clusters of streams without an own map: 0 .. len(own) - 1 is an own
            table, from there on they are built-in ones
    maps    stream -> own table of each context
    """

    set: int
    own: TableSet
    chosen: Mapping[int, int]
    maps: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)


def numbers(text: str) -> list[int]:
    """The numbers of a cell; 3x7 stands for 7 7 7."""
    out: list[int] = []
    for word in text.split():
        count, _, value = word.rpartition("x")
        out += [int(value)] * int(count or 1)
    return out


# ------------------------------------------------------------ bases and predictor sets


@cache
def basis_of(coefficients: int) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """(4.6) Matrix (K, K) and order (3K,) for so many coefficients of each colour."""
    row = next(row for row in sh_basis.ROWS[1:] if row.size == coefficients)
    matrix = np.array(numbers(row.matrix), np.int16).reshape(coefficients, coefficients)
    return matrix, np.array(numbers(row.ordering), np.uint8)


@cache
def colour_directions() -> NDArray[np.int64]:
    """(4.6) (3, 3) in 2^-14."""
    return np.array(numbers(sh_basis.ROWS[0].matrix), np.int64).reshape(3, 3)


def colour_matrix(step: int) -> NDArray[np.int32]:
    """(4.6) The colour matrix (3, 3) for a step."""
    half = 1 << (ONE_BITS - 1)
    return (step * colour_directions() + half >> ONE_BITS).astype(np.int32)


@cache
def predictor_set(number: int) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """(4.5) Window, power, shrink and thresholds."""
    row = predictor_sets.ROWS[number]
    return row.window, row.power, tuple(numbers(row.shrink)), tuple(numbers(row.thresholds))


# ------------------------------------------------------------ tables, clusters, sets


@cache
def frequencies() -> NDArray[np.uint32]:
    """(3.10) (tables, 256) the built-in tables, all of resolution 12."""
    out = np.zeros((len(built_in_tables.ROWS), MAX_SYMBOLS), np.uint32)
    for row, table in zip(built_in_tables.ROWS, out, strict=True):
        values = numbers(row.frequencies)
        table[: len(values)] = values
    return out


@cache
def set_count() -> int:
    """(3.10) How many sets there are."""
    return len(built_in_sets.Row._fields) - 2


@cache
def tables_of_set(number: int) -> tuple[int, ...]:
    """(3.10) The table of each cluster; that of any further cluster is the last table."""
    return tuple(int(row[2 + number]) for row in built_in_sets.ROWS)


@cache
def _part(name: str, width: int) -> NDArray[np.intp]:
    """Clusters of a part of a stream, in lines of `width` contexts."""
    row = next(row for row in built_in_contexts.ROWS if row.part == name)
    return np.array(numbers(row.clusters), np.intp).reshape(-1, width)


def other() -> int:
    """(3.10) The cluster of contexts that no part names; extra attributes have those after it."""
    return len(built_in_sets.ROWS)


def clusters(classes: int, bounds: Sequence[int], extra_words: Sequence[int]) -> Maps:
    """(3.10) The cluster of every context of each stream, by stream.

    bounds       of the groups of harmonics; empty without harmonics
    extra_words  of each extra attribute
    """
    like = np.minimum(np.arange(classes), CLASSES - 1)
    pieces: dict[str, list[NDArray[np.intp]]] = {
        "position": [_part(f"position {m}", 15) for m in (*range(1, 8), "more")],
        "repeat": [_part("repeat", 1)],
        "class": [_part("class", 36)],
        "scale": [_part("scale", 6)[like], _part("second", 256), _part("third", 256)],
        "rotation": [_part("axis 1", 96), _part("axis 2", 288), _part("twist", 288)],
        "opacity": [_part("opacity", 6)[like]],
        "colour": [_part("luma", 18)[like], *_part("chroma", 18).reshape(2, CLASSES, 18)[:, like]],
    }
    if bounds:
        n = bounds[-1]
        standard = STANDARD_BOUNDS[n]
        width = 6 * (len(bounds) + 1)
        is_standard = tuple(bounds) == standard
        pieces["groups"] = [
            _part(f"groups {n}", width)[like] if is_standard else np.full(width * classes, other())
        ]
        groups = _part(f"coefficients {n}", n).reshape(len(standard), CLASSES, n)
        reach = [next(g for g, end in enumerate(standard) if end >= bound) for bound in bounds]
        pieces["coefficients"] = [groups[reach][:, like]]
    maps = {name: np.concatenate([part.ravel() for part in parts]) for name, parts in pieces.items()}
    for i, words in enumerate(extra_words):
        maps[f"extra {i}"] = np.full(words, other() + 1 + i, np.intp)
    return maps


def occurring(maps: Mapping[str, NDArray[np.intp]]) -> list[int]:
    """(3.10) The clusters that contexts are in, in ascending order."""
    return sorted({int(cluster) for part in maps.values() for cluster in np.unique(part)})


def standard_tables(number: int, found: Iterable[int]) -> list[int]:
    """(3.10) The built-in table of each of the clusters `found` in a set."""
    tables, last = tables_of_set(number), len(built_in_tables.ROWS) - 1
    return [tables[cluster] if cluster < len(tables) else last for cluster in found]


# ------------------------------------------------------------ choices


def read_choice(fields: FieldReader, maps: Mapping[str, NDArray[np.intp]], most: int) -> Choice:
    """(3.10, 4.7) Set, up to `most` own tables, the choice of each cluster. Raises `StreamError`."""
    place = fields.place
    if (number := fields.integer("u8")) >= set_count():
        raise Unsupported("parm.built_in", f"set {number}", clause="4.2", section="PARM", offset=place)
    own = fields.integer("u8", 0, most)
    if (len(fields.payload) - fields.position) % 4:
        raise fields.wrong_length()
    offset = fields.place
    words = np.frombuffer(fields.payload[fields.position :], np.uint8)
    joint = np.concatenate(list(maps.values()))
    standard = np.array(standard_tables(number, range(int(joint.max()) + 1)), np.uint8)
    sizes = [len(part) for part in maps.values()]
    tables, flags, chosen = read_choices(
        words, own, len(built_in_tables.ROWS), sizes, joint.astype(np.uint16), standard, offset=offset
    )
    by_cluster: dict[int, int] = {}
    own_maps, at = {}, 0
    for (name, part), flag in zip(maps.items(), flags, strict=True):
        contexts = chosen[at : at + len(part)]
        at += len(part)
        if flag:
            own_maps[name] = contexts
        else:
            by_cluster |= dict(zip(part.tolist(), contexts.tolist(), strict=True))
    return Choice(set=number, own=tables, chosen=by_cluster, maps=own_maps)


def write_choice(choice: Choice, streams: Iterable[str]) -> list[int]:
    """(3.10) The words of own tables, maps and choices: none at all if everything is as in the set."""
    lane, own = ScalarWriter(), len(choice.own)
    for row, resolution in zip(choice.own.frequencies.tolist(), choice.own.resolutions.tolist(), strict=True):
        write_table(lane, row, resolution)
    for name in streams:
        lane.uniform(int(name in choice.maps), 2)
        if name in choice.maps:
            write_map(lane, choice.maps[name].tolist(), own)
    found = sorted(choice.chosen)
    for cluster, standard in zip(found, standard_tables(choice.set, found), strict=True):
        code = code_of(choice.chosen[cluster] - own, standard)
        if code is None:
            lane.symbol(RANK_ESCAPE, RANKS)
            lane.uniform(choice.chosen[cluster], own + len(built_in_tables.ROWS))
        else:
            lane.symbol(code, RANKS)
    return lane.words()


def code_of(table: int, standard: int) -> int | None:
    """(3.10) How a built-in table near the set's one is named, if it is; own tables are under 0."""
    change = table - standard
    return (2 * change if change >= 0 else -2 * change - 1) if table >= 0 and -7 <= change <= 7 else None


def resolved(
    choice: Choice, maps: Mapping[str, NDArray[np.intp]]
) -> tuple[TableSet, dict[str, NDArray[np.uint8]]]:
    """(3.10) The tables that are used, and the context map of each stream."""
    own = len(choice.own)
    used = sorted({*choice.chosen.values(), *range(own)})
    every = np.concatenate([choice.own.frequencies, frequencies()])
    resolutions = np.concatenate([choice.own.resolutions, np.full(len(every) - own, RESOLUTION, np.uint8)])
    place = np.zeros(max(choice.chosen, default=0) + 1, np.uint8)
    for cluster, table in choice.chosen.items():
        place[cluster] = used.index(table)
    tables = TableSet(frequencies=every[used].astype(np.uint32), resolutions=resolutions[used])
    return tables, {
        name: choice.maps[name] if name in choice.maps else place[part] for name, part in maps.items()
    }
