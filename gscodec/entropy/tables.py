"""(3.8, 3.9) Frequency tables and context maps: how they are stored, and as what the kernels use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec._generated import mag, rank
from gscodec.entropy.scalar import Frequencies, ScalarWriter
from gscodec.errors import Malformed

MAGNITUDE_CHANGES = Frequencies(mag.VALUE)
RANKS = Frequencies(rank.VALUE)
RANK_ESCAPE = 15
MAX_SYMBOLS = 256


@dataclass(frozen=True, kw_only=True)
class TableSet:
    """The tables of a parameter set.

    frequencies  (T, 256) uint32  a row sums to 2^resolution; 0 for a symbol that cannot occur
    resolutions  (T,) uint8       10 to 12
    """

    frequencies: NDArray[np.uint32]
    resolutions: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.resolutions)

    @cached_property
    def kernel(self) -> kernels.Tables:
        """The look-ups that the kernels read and write with."""
        return kernels.Tables(self.frequencies, self.resolutions)


# kernels' status -> code, clause, message (rans.hpp: Status)
STATUS = {
    1: ("entropy.first_word", "3.2", "the first word of a lane is zero"),
    2: ("entropy.end", "3.7", "words or state are left over"),
    3: ("entropy.token", "3.6", "a token stands for more than 32 bits"),
    4: ("static.symbol", "5.2", "a symbol that does not belong here"),
    5: ("static.class", "5.6", "a class that does not exist or has another octree"),
    6: ("static.range", "5.2", "a value out of range"),
    7: ("static.rotation", "5.9", "a rotation cell that does not exist"),
    8: ("parm.table", "3.8", "a frequency table that does not add up"),
    9: ("parm.map", "3.9", "a context map that names no table"),
    10: ("lossless.symbol", "11.9", "a symbol that does not belong here"),
    11: ("lossless.source", "11.7", "a row repeats one that is not before it"),
    12: ("lossless.value", "11.9", "a number that no pattern has"),
    13: ("lossless.bits", "11.7", "too few or too many low bits"),
    14: ("motion.symbol", "12.5", "a mask with a bit that has no stream"),
    15: ("motion.value", "12.5", "a value of motion out of its bounds"),
}


@cache
def _built_in() -> kernels.Tables:
    """Magnitude changes and ranks, in the order of the kernel's contexts."""
    frequencies = np.zeros((2, MAX_SYMBOLS), np.uint32)
    for row, table in zip(frequencies, (MAGNITUDE_CHANGES, RANKS), strict=True):
        row[: len(table.frequencies)] = table.frequencies
    return kernels.Tables(frequencies, np.full(2, 12, np.uint8))


def read_tables(
    words: NDArray[np.uint8],
    count: int,
    sizes: Mapping[str, int],
    *,
    offset: int,
    section: str = "PARM",
) -> tuple[TableSet, dict[str, NDArray[np.uint8]]]:
    """(3.8, 3.9) `count` tables, then the table of every context of each map; `sizes` says how many it has.

    `words` is the lane as bytes, which stand at `offset` in the file. Raises `Malformed`.
    """
    lengths = np.array([len(words) // 4], np.uint32)
    source = kernels.Source(_built_in(), np.arange(2, dtype=np.uint8), words, lengths)
    status, frequencies, resolutions, maps = kernels.read_tables(source, count, list(sizes.values()))
    if status:
        code, clause, message = STATUS[status]
        raise Malformed(code, message, clause=clause, section=section, offset=offset)
    ends = list(accumulate(sizes.values()))
    found = {name: maps[end - size : end] for (name, size), end in zip(sizes.items(), ends, strict=True)}
    return TableSet(frequencies=frequencies, resolutions=resolutions), found


def read_choices(
    words: NDArray[np.uint8],
    own: int,
    known: int,
    sizes: Sequence[int],
    clusters: NDArray[np.uint16],
    standard: NDArray[np.uint8],
    *,
    offset: int,
) -> tuple[TableSet, list[int], NDArray[np.uint8]]:
    """(3.10) `own` tables, which streams have an own map, each context's table: own ones come first.

    `clusters` are those of all contexts, `standard` the table of each cluster. Raises `Malformed`.
    """  # fmt: skip
    lengths = np.array([len(words) // 4], np.uint32)
    source = kernels.Source(_built_in(), np.arange(2, dtype=np.uint8), words, lengths)
    status, frequencies, resolutions, flags, maps = kernels.read_choices(
        source, own, known, list(sizes), clusters, standard
    )
    if status:
        code, clause, message = STATUS[status]
        raise Malformed(code, message, clause=clause, section="PARM", offset=offset)
    return TableSet(frequencies=frequencies, resolutions=resolutions), flags.tolist(), maps


def write_table(lane: ScalarWriter, row: Sequence[int], resolution: int) -> None:
    """(3.8) A table whose frequencies are `storable`, as `normalise` makes them."""
    lane.uniform(resolution - 10, 3)
    used = max(s for s, f in enumerate(row) if f) + 1
    lane.uniform(used - 1, MAX_SYMBOLS)
    derived = derived_symbol(row[:used])
    magnitudes = [f.bit_length() for f in row[:used]]
    magnitudes[derived] = max(magnitudes[:derived] + magnitudes[derived + 1 :] + [1])
    if any(m >= magnitudes[derived] for m in magnitudes[:derived]):
        magnitudes[derived] += 1
    previous = 0
    for magnitude in magnitudes:
        change = magnitude - previous
        lane.symbol(2 * change if change >= 0 else -2 * change - 1, MAGNITUDE_CHANGES)
        previous = magnitude
    for symbol, magnitude in enumerate(magnitudes):
        if magnitude and symbol != derived:
            bits = min(magnitude - 1, 3)
            lane.bits(row[symbol] >> (magnitude - 1 - bits) & ((1 << bits) - 1), bits)


def derived_symbol(row: Sequence[int]) -> int:
    """The symbol whose frequency is not stored: the only one that need not be exact to four bits."""
    odd = [s for s, f in enumerate(row) if f and not is_storable(f)]
    if len(odd) > 1:
        raise ValueError("more than one frequency needs deriving")
    return odd[0] if odd else int(np.argmax(row))


def is_storable(frequency: int) -> bool:
    """Whether four significant bits hold it."""
    return frequency == frequency >> max(0, frequency.bit_length() - 4) << max(0, frequency.bit_length() - 4)


def normalise(counts: NDArray[np.int64], resolution: int) -> NDArray[np.uint32]:
    """Storable frequencies that sum to 2^resolution, in proportion to `counts` (256,), 1 or more."""
    total = 1 << resolution
    used = np.flatnonzero(counts)
    share = counts[used] * (total / counts.sum())
    exponent = np.maximum(np.floor(np.log2(np.maximum(share, 1))).astype(np.int64) - 3, 0)
    frequency = np.maximum(np.rint(share / 2.0**exponent), 1).astype(np.int64) << exponent
    top = int(np.argmax(share))
    while (rest := total - (frequency.sum() - frequency[top])) < 1:
        others = np.where(np.arange(len(used)) == top, 0, frequency)
        worst = int(np.argmax(others))
        f = int(frequency[worst])
        step = 1 << max(0, f.bit_length() - 4)
        frequency[worst] = f - step if f - step >= 1 << (f.bit_length() - 1) else f - max(1, step >> 1)
    frequency[top] = rest
    row = np.zeros(MAX_SYMBOLS, np.uint32)
    row[used] = frequency
    return row


def write_map(lane: ScalarWriter, chosen: Sequence[int], tables: int) -> None:
    """(3.9) The table of every context; `chosen` is not empty."""
    if len(set(chosen)) == 1:
        lane.uniform(0, 2)
        lane.uniform(chosen[0], tables)
        return
    lane.uniform(1, 2)
    recent = list(range(tables))
    for table in chosen:
        place = recent.index(table)
        if place < RANK_ESCAPE:
            lane.symbol(place, RANKS)
        else:
            lane.symbol(RANK_ESCAPE, RANKS)
            lane.uniform(place, tables)
        recent.insert(0, recent.pop(place))
