"""(3.1-3.5) The coder one value at a time, for what is small: the tables and maps of a parameter set.

Streams of splats go through the kernels, which code the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from gscodec.errors import Malformed

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
        self.symbols = [s for s, f in enumerate(frequencies) for _ in range(f)]


class ScalarReader:
    """One lane, read. `offset` is where the words stand in the file, for errors."""

    def __init__(self, words: Sequence[int], *, section: str, offset: int) -> None:
        self._words, self._at, self._state = words, 0, 0
        self._section, self._offset = section, offset
        if words and words[0] == 0:
            raise self.malformed("entropy.first_word", "the first word of a lane is zero", "3.2")
        while self._at < min(2, len(words)):
            self._state = self._state << 32 | words[self._at]
            self._at += 1

    def malformed(self, code: str, message: str, clause: str) -> Malformed:
        """An error of this lane."""
        return Malformed(code, message, clause=clause, section=self._section, offset=self._offset)

    def _step(self, start: int, frequency: int) -> None:
        self._state = frequency * (self._state >> PRECISION) + (self._state & (SLOTS - 1)) - start
        if self._state < 1 << 32 and self._at < len(self._words):
            self._state = self._state << 32 | self._words[self._at]
            self._at += 1

    def bits(self, count: int) -> int:
        """(3.3) 0 to 24 equally likely bits."""
        if count == 0:
            return 0
        value = (self._state & (SLOTS - 1)) >> (PRECISION - count)
        self._step(value << (PRECISION - count), 1 << (PRECISION - count))
        return value

    def uniform(self, n: int) -> int:
        """(3.4) One of n equally likely values."""
        if n == 1:
            return 0
        k = (self._state & (SLOTS - 1)) * n >> PRECISION
        start = uniform_start(k, n)
        self._step(start, uniform_start(k + 1, n) - start)
        return k

    def symbol(self, table: Frequencies) -> int:
        """(3.5) A symbol of a built-in table."""
        symbol = table.symbols[(self._state & (SLOTS - 1)) >> 12]
        self._step(table.starts[symbol] << 12, table.frequencies[symbol] << 12)
        return symbol

    def end(self) -> None:
        """(3.7) Nothing may be left."""
        if self._state or self._at != len(self._words):
            raise self.malformed("entropy.end", "words or state are left over", "3.7")


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
