"""The writing twin of gscodec/reference/entropy.py: lanes, primitives, tables, context maps.

A `LaneWriter` notes what a `Lane` will read, in the order of reading, and codes it backwards at the end.
Standard library only.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gscodec.reference.entropy import (
    MAGNITUDE_CHANGES,
    PRECISION,
    RANK_ESCAPE,
    RANKS,
    Table,
    table_from_frequencies,
    uniform_start,
)


class LaneWriter:
    """One lane: the (start, frequency) of every step, in the order in which a decoder takes them."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []

    def bits(self, value: int, count: int) -> None:
        if count > 0:
            self.steps.append((value << (PRECISION - count), 1 << (PRECISION - count)))

    def raw(self, value: int, count: int) -> None:
        if count <= PRECISION:
            self.bits(value, count)
        else:
            self.bits(value & 0xFFFF, 16)
            self.bits(value >> 16, count - 16)

    def uniform(self, value: int, n: int) -> None:
        if n > 1:
            start = uniform_start(value, n)
            self.steps.append((start, uniform_start(value + 1, n) - start))

    def symbol(self, value: int, table: Table) -> None:
        if not table.is_constant():
            shift = PRECISION - table.resolution
            self.steps.append((table.starts[value] << shift, table.frequencies[value] << shift))

    def hybrid(self, value: int, table: Table) -> None:
        token = token_of(value)
        self.symbol(token, table)
        if token >= 16:
            count = value.bit_length() - 3
            self.raw(value & ((1 << count) - 1), count)

    def words(self) -> list[int]:
        """The words in the order of their use."""
        state, out = 0, []
        for start, frequency in reversed(self.steps):
            if state >= frequency << 40:
                out.append(state & 0xFFFFFFFF)
                state >>= 32
            state = (state // frequency << PRECISION) + start + state % frequency
        while state:
            out.append(state & 0xFFFFFFFF)
            state >>= 32
        return out[::-1]


def token_of(value: int) -> int:
    """The token of a hybrid integer."""
    if value < 16:
        return value
    n = value.bit_length() - 1
    return 16 + (n - 4 << 2) + (value >> (n - 2) & 3)


def zigzag(r: int) -> int:
    """0, -1, 1, -2, 2 ... to 0, 1, 2, 3, 4 ..."""
    return 2 * r if r >= 0 else -2 * r - 1


@dataclass(frozen=True)
class TableDraft:
    """A table with the magnitudes that are written for it."""

    magnitudes: list[int]
    table: Table


def draft_table(counts: Mapping[int, int], resolution: int) -> TableDraft:
    """A table for symbols that occur so often; a symbol with count 0 gets a frequency all the same."""
    total, whole = sum(counts.values()) + len(counts), 1 << resolution
    # leave each symbol 1, and share out seven eighths of the rest: what remains goes to the derived symbol
    share = (whole - len(counts)) * 7 // 8
    wanted = {s: 1 + (counts[s] + 1) * share // total for s in counts}
    magnitudes = [wanted.get(s, 0).bit_length() for s in range(max(counts) + 1)]
    derived = magnitudes.index(max(magnitudes))
    frequencies = [0] * len(magnitudes)
    for s, f in wanted.items():
        if s != derived:
            shift = max(0, f.bit_length() - 4)
            frequencies[s] = f >> shift << shift
    frequencies[derived] = whole - sum(frequencies)
    return TableDraft(magnitudes, table_from_frequencies(resolution, frequencies))


def write_table(lane: LaneWriter, draft: TableDraft) -> None:
    """(3.8)"""
    lane.uniform(draft.table.resolution - 10, 3)
    lane.uniform(len(draft.magnitudes) - 1, 256)
    previous = 0
    for magnitude in draft.magnitudes:
        lane.symbol(zigzag(magnitude - previous), MAGNITUDE_CHANGES)
        previous = magnitude
    derived = draft.magnitudes.index(max(draft.magnitudes))
    for s, magnitude in enumerate(draft.magnitudes):
        if magnitude > 0 and s != derived:
            bits = min(magnitude - 1, 3)
            f = draft.table.frequencies[s]
            lane.bits(f >> (magnitude - 1 - bits) & ((1 << bits) - 1), bits)


def write_context_map(lane: LaneWriter, chosen: Sequence[int], tables: int, rng: random.Random) -> None:
    """(3.9) Now and then in the longer of two possible ways."""
    if len(set(chosen)) == 1 and rng.random() < 0.9:
        lane.uniform(0, 2)
        lane.uniform(chosen[0], tables)
        return
    lane.uniform(1, 2)
    recent = list(range(tables))
    for table in chosen:
        place = recent.index(table)
        if place >= RANK_ESCAPE or rng.random() < 0.01:
            lane.symbol(RANK_ESCAPE, RANKS)
            lane.uniform(place, tables)
        else:
            lane.symbol(place, RANKS)
        recent.insert(0, recent.pop(place))
