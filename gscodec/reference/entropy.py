"""(3) The entropy coder: lanes of rANS, the primitives, streams, tables and context maps."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from gscodec._generated import mag, rank
from gscodec.reference.faults import Place

PRECISION = 24  # probabilities are multiples of 2^-24
SLOTS = 1 << PRECISION
REFILL = 1 << 32  # a state under this takes the next word
WORD = 32


# ------------------------------------------------------------ lanes: 3.1 to 3.4


class Lane:
    """(3.1) One rANS decoder: a state below 2^64, and 32-bit words in the order of their use."""

    def __init__(self, words: Sequence[int], place: Place) -> None:
        """(3.2) The first two words, or the only one, make the state."""
        if words and words[0] == 0:
            raise place.malformed("entropy.first_word", "the first word of a lane is zero")
        self.words, self.place = words, place
        self.position = min(2, len(words))
        self.state = 0
        for word in words[: self.position]:
            self.state = self.state << WORD | word

    def slot(self) -> int:
        """(3.2) The part of the state that tells the next value."""
        return self.state & (SLOTS - 1)

    def step(self, start: int, frequency: int) -> None:
        """(3.2) Remove a value that owns the slots start .. start + frequency - 1."""
        self.state = frequency * (self.state >> PRECISION) + self.slot() - start
        if self.state < REFILL and self.position < len(self.words):
            self.state = self.state << WORD | self.words[self.position]
            self.position += 1

    def is_at_end(self) -> bool:
        """(3.7) Whether the lane is used up."""
        return self.state == 0 and self.position == len(self.words)


def read_bits(lane: Lane, count: int) -> int:
    """(3.3) `count` equally likely bits, 0 to 24 of them."""
    if count == 0:
        return 0
    value = lane.slot() >> (PRECISION - count)
    lane.step(value << (PRECISION - count), 1 << (PRECISION - count))
    return value


def read_raw(lane: Lane, count: int) -> int:
    """(3.3) `count` equally likely bits, 0 to 40 of them."""
    if count <= PRECISION:
        return read_bits(lane, count)
    low = read_bits(lane, 16)
    return read_bits(lane, count - 16) << 16 | low


def uniform_start(k: int, n: int) -> int:
    """(3.4) The first slot of value k of n: k 2^24 / n, rounded up."""
    return -(-k * SLOTS // n)


def read_uniform(lane: Lane, n: int) -> int:
    """(3.4) One of n equally likely values, n from 1 to 65,536."""
    if n == 1:
        return 0
    k = lane.slot() * n >> PRECISION
    start = uniform_start(k, n)
    lane.step(start, uniform_start(k + 1, n) - start)
    return k


# ------------------------------------------------------------ symbols: 3.5, 3.6


@dataclass(frozen=True)
class Table:
    """(3.5) Frequencies by symbol (0: unused) that add up to 2^resolution."""

    resolution: int
    frequencies: tuple[int, ...]
    starts: tuple[int, ...]  # sum of the frequencies before
    symbols: tuple[int, ...]  # the symbol of each of the 2^resolution slots

    def is_constant(self) -> bool:
        """Whether there is one symbol only, so that nothing is coded."""
        return max(self.frequencies) == 1 << self.resolution


def table_from_frequencies(resolution: int, frequencies: Sequence[int]) -> Table:
    """(3.5) The table with what is derived from its frequencies."""
    starts: list[int] = []
    symbols: list[int] = []
    for symbol, frequency in enumerate(frequencies):
        starts.append(len(symbols))
        symbols += [symbol] * frequency
    return Table(resolution, tuple(frequencies), tuple(starts), tuple(symbols))


def read_symbol(lane: Lane, table: Table) -> int:
    """(3.5) A symbol by its frequency in the table."""
    if table.is_constant():
        return table.symbols[0]
    shift = PRECISION - table.resolution
    symbol = table.symbols[lane.slot() >> shift]
    lane.step(table.starts[symbol] << shift, table.frequencies[symbol] << shift)
    return symbol


def read_hybrid(lane: Lane, table: Table) -> int:
    """(3.6) A non-negative integer below 2^32: a token, then raw bits."""
    token = read_symbol(lane, table)
    if token < 16:
        return token
    bits = 4 + ((token - 16) >> 2)
    if bits > 31:
        raise lane.place.malformed("entropy.token", f"token {token}")
    return 1 << bits | ((token - 16) & 3) << (bits - 2) | read_raw(lane, bits - 2)


def signed_from_zigzag(z: int) -> int:
    """(3.6) 0, 1, 2, 3, 4 ... stand for 0, -1, 1, -2, 2 ..."""
    return -(z >> 1) - 1 if z & 1 else z >> 1


# ------------------------------------------------------------ streams: 3.7


@dataclass
class Stream:
    """(3.7) The values of one kind: lanes, and the table for each context.

    Every value has a number, from 0 in each stream, that selects its lane, and a set of values allowed.
    """

    lanes: list[Lane]
    tables: list[Table]  # all tables of the parameter set
    contexts: Sequence[int]  # which of them serves each context
    place: Place

    def lane(self, number: int) -> Lane:
        """(3.7) The lane of a value."""
        return self.lanes[number % len(self.lanes)]

    def check(self, value: int, allowed: Container[int], code: str) -> int:
        """(5.2) The value, when it is one of those allowed."""
        if value not in allowed:
            raise self.place.malformed(code, f"value {value}")
        return value

    def bits(self, number: int, count: int) -> int:
        """(3.3) Raw bits."""
        return read_bits(self.lane(number), count)

    def uniform(self, number: int, n: int) -> int:
        """(3.4) A value below n."""
        return read_uniform(self.lane(number), n)

    def symbol(self, number: int, context: int, allowed: Container[int], code: str = "static.symbol") -> int:
        """(3.5) A plain symbol."""
        value = read_symbol(self.lane(number), self.tables[self.contexts[context]])
        return self.check(value, allowed, code)

    def hybrid(self, number: int, context: int, allowed: range, code: str = "static.range") -> int:
        """(3.6) A non-negative integer."""
        value = read_hybrid(self.lane(number), self.tables[self.contexts[context]])
        return self.check(value, allowed, code)

    def signed(self, number: int, context: int, allowed: range, code: str = "static.range") -> int:
        """(3.6) An integer of either sign."""
        value = signed_from_zigzag(read_hybrid(self.lane(number), self.tables[self.contexts[context]]))
        return self.check(value, allowed, code)

    def end(self) -> None:
        """(3.7) After the last value, nothing is left."""
        if not all(lane.is_at_end() for lane in self.lanes):
            raise self.place.malformed("entropy.end", "words or state are left over")


# ------------------------------------------------------------ tables and maps: 3.8, 3.9

MAGNITUDE_CHANGES = table_from_frequencies(12, mag.VALUE)
RANKS = table_from_frequencies(12, rank.VALUE)
RANK_ESCAPE = 15


def read_magnitudes(lane: Lane, resolution: int) -> list[int]:
    """(3.8) The bit length of each frequency, 0 for an unused symbol."""
    magnitudes = []
    previous = 0
    for _ in range(read_uniform(lane, 256) + 1):
        previous += signed_from_zigzag(read_symbol(lane, MAGNITUDE_CHANGES))
        if not 0 <= previous <= resolution + 1:
            raise lane.place.malformed("parm.table", f"magnitude {previous}")
        magnitudes.append(previous)
    if previous == 0:
        raise lane.place.malformed("parm.table", "the last symbol is unused")
    return magnitudes


def read_frequency(lane: Lane, magnitude: int) -> int:
    """(3.8) A frequency of the given bit length, exact to four bits."""
    bits = min(magnitude - 1, 3)
    return 1 << (magnitude - 1) | read_bits(lane, bits) << (magnitude - 1 - bits)


def read_table(lane: Lane) -> Table:
    """(3.8) A table; the first of its most frequent symbols gets what the others leave."""
    resolution = 10 + read_uniform(lane, 3)
    magnitudes = read_magnitudes(lane, resolution)
    derived = magnitudes.index(max(magnitudes))
    frequencies = [0] * len(magnitudes)
    for symbol, magnitude in enumerate(magnitudes):
        if magnitude > 0 and symbol != derived:
            frequencies[symbol] = read_frequency(lane, magnitude)
    frequencies[derived] = (1 << resolution) - sum(frequencies)
    if frequencies[derived] < 1:
        raise lane.place.malformed("parm.table", "the frequencies exceed their sum")
    return table_from_frequencies(resolution, frequencies)


def read_context_map(lane: Lane, contexts: int, tables: int) -> list[int]:
    """(3.9) For each context, which of the tables it uses."""
    if read_uniform(lane, 2) == 0:
        return [read_uniform(lane, tables)] * contexts
    recent = list(range(tables))
    chosen = []
    for _ in range(contexts):
        place = read_symbol(lane, RANKS)
        if place == RANK_ESCAPE:
            place = read_uniform(lane, tables)
        if place >= tables:
            raise lane.place.malformed("parm.map", f"rank {place} of {tables} tables")
        recent.insert(0, recent.pop(place))
        chosen.append(recent[0])
    return chosen
