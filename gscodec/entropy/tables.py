"""(3.8, 3.9) Frequency tables and context maps: how they are stored, and as what the kernels use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec._generated import mag, rank
from gscodec.entropy.scalar import Frequencies, ScalarReader, ScalarWriter

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


def read_tables(lane: ScalarReader, count: int) -> TableSet:
    """(3.8) `count` tables."""
    frequencies = np.zeros((count, MAX_SYMBOLS), np.uint32)
    resolutions = np.zeros(count, np.uint8)
    for table in range(count):
        resolutions[table] = resolution = 10 + lane.uniform(3)
        row = _read_table(lane, resolution)
        frequencies[table, : len(row)] = row
    return TableSet(frequencies=frequencies, resolutions=resolutions)


def _read_table(lane: ScalarReader, resolution: int) -> list[int]:
    magnitudes = []
    magnitude = 0
    for _ in range(lane.uniform(MAX_SYMBOLS) + 1):
        change = lane.symbol(MAGNITUDE_CHANGES)
        magnitude += -(change >> 1) - 1 if change & 1 else change >> 1
        if not 0 <= magnitude <= resolution + 1:
            raise lane.malformed("parm.table", f"magnitude {magnitude}", "3.8")
        magnitudes.append(magnitude)
    if magnitude == 0:
        raise lane.malformed("parm.table", "the last symbol is unused", "3.8")
    derived = magnitudes.index(max(magnitudes))
    row = [0] * len(magnitudes)
    for symbol, magnitude in enumerate(magnitudes):
        if magnitude and symbol != derived:
            bits = min(magnitude - 1, 3)
            row[symbol] = 1 << (magnitude - 1) | lane.bits(bits) << (magnitude - 1 - bits)
    row[derived] = (1 << resolution) - sum(row)
    if row[derived] < 1:
        raise lane.malformed("parm.table", "the frequencies exceed their sum", "3.8")
    return row


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


def read_map(lane: ScalarReader, contexts: int, tables: int) -> NDArray[np.uint8]:
    """(3.9) The table of every context."""
    if lane.uniform(2) == 0:
        return np.full(contexts, lane.uniform(tables), np.uint8)
    recent = list(range(tables))
    chosen = []
    for _ in range(contexts):
        place = lane.symbol(RANKS)
        if place == RANK_ESCAPE:
            place = lane.uniform(tables)
        if place >= tables:
            raise lane.malformed("parm.map", f"rank {place} of {tables} tables", "3.9")
        recent.insert(0, recent.pop(place))
        chosen.append(recent[0])
    return np.array(chosen, np.uint8)


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
