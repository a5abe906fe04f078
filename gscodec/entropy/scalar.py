"""(3.1-3.5) The coder one value at a time, for the tables and maps that a writer puts into a parameter set.

Streams of splats, and all reading, go through the kernels, which code the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

PRECISION = 24
SLOTS = 1 << PRECISION


def uniform_start(k: int, n: int) -> int:
    """(3.4) The first slot of value k of n."""
    return -(-(k << PRECISION) // n)


class Frequencies:
    """(3.5) A built-in table: frequencies by symbol at resolution 12."""

    def __init__(self, frequencies: Sequence[int]) -> None:
        self.frequencies = list(frequencies)
        self.starts = [0, *accumulate(frequencies)][:-1]


class ScalarWriter:
    """One lane, written: values in reading order, words at the end."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, int]] = []

    def bits(self, value: int, count: int) -> None:
        """(3.3) 0 to 24 equally likely bits."""
        if count:
            self._steps.append((value << (PRECISION - count), 1 << (PRECISION - count)))

    def uniform(self, value: int, n: int) -> None:
        """(3.4) One of n equally likely values."""
        if n > 1:
            start = uniform_start(value, n)
            self._steps.append((start, uniform_start(value + 1, n) - start))

    def symbol(self, value: int, table: Frequencies) -> None:
        """(3.5) A symbol of a built-in table."""
        self._steps.append((table.starts[value] << 12, table.frequencies[value] << 12))

    def words(self) -> list[int]:
        """The lane's words in the order of consumption."""
        state, words = 0, []
        for start, frequency in reversed(self._steps):
            if state >> 40 >= frequency:
                words.append(state & 0xFFFFFFFF)
                state >>= 32
            state = (state // frequency << PRECISION) + state % frequency + start
        while state:
            words.append(state & 0xFFFFFFFF)
            state >>= 32
        return words[::-1]
