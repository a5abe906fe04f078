"""(3) The words of the native kernels are those of constriction's AnsCoder, one AnsCoder a lane.

What is compared, with what constriction has:
  table symbols  Categorical over the used symbols, with exactly the frequencies of the table scaled to 2^24
  raw bits       its own Uniform model, over 2^b values: 2^(24-b) slots each
  uniform        Categorical with the frequencies start(k + 1) - start(k) of 3.4: Uniform gives the last value
                 all that is left, so that its frequencies are others unless n is a power of two
Each way round: one encodes and the other decodes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

import constriction
import numpy as np
import pytest
from numpy.typing import NDArray

from gscodec import kernels

AnsCoder = constriction.stream.stack.AnsCoder
SLOTS = 1 << 24
SYMBOL, UNIFORM, BITS = range(3)
SIZES = (2, 3, 4, 5, 7, 16, 100, 255, 256, 257, 1000, 4095, 4096, 4097, 21846, 32767, 32768, 65535, 65536)


@dataclass(frozen=True)
class Table:
    """Frequencies of 256 symbols; `used` are those that have one."""

    resolution: int
    frequencies: NDArray[np.uint32]
    used: list[int]
    model: Any


@dataclass(frozen=True)
class Step:
    """One coded value: for the kernels (kind, context, value, aux), for constriction (model, index)."""

    kind: int
    context: int
    value: int
    aux: int
    model: Any
    index: int


def categorical(frequencies: NDArray[np.int64]) -> Any:
    """A model of exactly these frequencies: constriction adds 1 to each integer weight."""
    assert frequencies.sum() == SLOTS
    return constriction.stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)


@cache
def uniform_model(n: int) -> Any:
    starts = -(-np.arange(n + 1, dtype=np.int64) * SLOTS // n)
    return categorical(np.diff(starts))


@cache
def bits_model(count: int) -> Any:
    return constriction.stream.model.Uniform(1 << count)


def random_table(rng: random.Random, resolution: int, size: int) -> Table:
    """`size` symbols of 256, of very different frequencies."""
    used = sorted(rng.sample(range(256), size))
    weights = np.array([rng.expovariate(1) ** 4 for _ in used])
    given = 1 + np.floor(weights / weights.sum() * ((1 << resolution) - size)).astype(np.int64)
    given[given.argmax()] += (1 << resolution) - given.sum()
    frequencies = np.zeros(256, np.uint32)
    frequencies[used] = given
    return Table(resolution, frequencies, used, categorical(given << (24 - resolution)))


class Case:
    """Tables, a map from contexts to them, and steps."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        sizes = [(10, 2), (10, 200), (11, 3), (11, 256), (12, 2), (12, 30), (12, 256)]
        self.tables = [random_table(self.rng, *size) for size in sizes]
        self.map = [self.rng.randrange(len(sizes)) for _ in range(20)] + list(range(len(sizes)))
        self.steps: list[Step] = []

    def symbol(self, context: int) -> None:
        table = self.tables[self.map[context]]
        even = self.rng.random() < 0.3  # rare symbols, too
        weights = None if even else table.frequencies[table.used].tolist()
        index = self.rng.choices(range(len(table.used)), weights)[0]
        self.steps.append(Step(SYMBOL, context, table.used[index], 0, table.model, index))

    def any_symbol(self) -> None:
        self.symbol(self.rng.randrange(len(self.map)))

    def uniform(self, n: int, k: int) -> None:
        self.steps.append(Step(UNIFORM, 0, k, n, uniform_model(n), k))

    def any_uniform(self) -> None:
        n = self.rng.choice(SIZES)
        self.uniform(n, self.rng.randrange(n))

    def bits(self, count: int, value: int) -> None:
        self.steps.append(Step(BITS, 0, value, count, bits_model(count), value))

    def any_bits(self) -> None:
        count = self.rng.randint(1, 24)
        self.bits(count, self.rng.getrandbits(count))

    # ---- ours

    def kernel_tables(self) -> kernels.Tables:
        frequencies = np.stack([table.frequencies for table in self.tables])
        return kernels.Tables(frequencies, np.array([t.resolution for t in self.tables], np.uint8))

    def columns(self) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint32], NDArray[np.uint32]]:
        return (
            np.array([s.kind for s in self.steps], np.uint8),
            np.array([s.context for s in self.steps], np.uint16),
            np.array([s.value for s in self.steps], np.uint32),
            np.array([s.aux for s in self.steps], np.uint32),
        )

    def encode(self, lanes: int) -> list[list[int]]:
        """The words of each lane, by the kernels."""
        ops = kernels.make_ops(*self.columns(), lanes)
        words, counts = ops.encode(self.kernel_tables(), np.array(self.map, np.uint8))
        assert counts.sum() == len(words)
        return [part.tolist() for part in np.split(words, np.cumsum(counts)[:-1])]

    def decode(self, lanes: list[list[int]]) -> list[int]:
        """The values in these words, by the kernels; table symbols alone by `decode_symbols` as well."""
        data = np.array([word for lane in lanes for word in lane], "<u4").view(np.uint8)
        counts = np.array([len(lane) for lane in lanes], np.uint32)
        source = kernels.Source(self.kernel_tables(), np.array(self.map, np.uint8), data, counts)
        kinds, contexts, _, aux = self.columns()
        status, values = kernels.run_ops(source, kinds, contexts, aux)
        assert status == 0
        if not kinds.any():
            status, symbols = kernels.decode_symbols(source, len(kinds), contexts)
            assert status == 0
            assert symbols.tolist() == values.tolist()
        return [int(value) for value in values]

    # ---- theirs

    def encode_theirs(self, lanes: int) -> list[list[int]]:
        """The words of each lane, by constriction, which is a stack: the last value goes first."""
        coded = []
        for lane in range(lanes):
            coder = AnsCoder()
            for step in reversed(self.steps[lane::lanes]):
                coder.encode_reverse(np.array([step.index], np.int32), step.model)
            coded.append(coder.get_compressed()[::-1].tolist())
        return coded

    def decode_theirs(self, lanes: list[list[int]]) -> list[int]:
        """The indices in these words, by constriction."""
        indices = [0] * len(self.steps)
        for lane, words in enumerate(lanes):
            coder = AnsCoder(np.array(words[::-1], np.uint32))
            for at in range(lane, len(self.steps), len(lanes)):
                indices[at] = int(coder.decode(self.steps[at].model))
            assert coder.is_empty()
        return indices

    def check(self, lanes: int) -> None:
        ours, theirs = self.encode(lanes), self.encode_theirs(lanes)
        assert ours == theirs
        assert self.decode_theirs(ours) == [step.index for step in self.steps]
        assert self.decode(theirs) == [step.value for step in self.steps]


each_lanes = pytest.mark.parametrize("lanes", [1, 2, 4])


@each_lanes
def test_one_table(lanes: int) -> None:
    case = Case(lanes)
    for context in range(20, len(case.map)):
        case.steps = []
        for _ in range(300):
            case.symbol(context)
        case.check(lanes)


@each_lanes
def test_interleaved_contexts(lanes: int) -> None:
    case = Case(10 + lanes)
    for _ in range(3001):
        case.any_symbol()
    case.check(lanes)


@each_lanes
def test_bits_of_every_width(lanes: int) -> None:
    case = Case(20 + lanes)
    for count in range(1, 25):
        for value in (0, 1, (1 << count) - 1, *(case.rng.getrandbits(count) for _ in range(20))):
            case.bits(count, value)
    case.rng.shuffle(case.steps)
    case.check(lanes)


@each_lanes
def test_uniform(lanes: int) -> None:
    case = Case(30 + lanes)
    for n in (*SIZES, *range(2, 130), *(case.rng.randint(130, 65536) for _ in range(10))):
        for k in (0, n - 1, *(case.rng.randrange(n) for _ in range(4))):
            case.uniform(n, k)
    case.rng.shuffle(case.steps)
    case.check(lanes)


@each_lanes
@pytest.mark.parametrize("seed", range(3))
def test_mixtures(seed: int, lanes: int) -> None:
    case = Case(100 + 10 * seed + lanes)
    for _ in range(1500):
        case.rng.choice([case.any_symbol, case.any_symbol, case.any_uniform, case.any_bits])()
    case.check(lanes)


@each_lanes
def test_every_length(lanes: int) -> None:
    """The first words of a lane, from none on, and lanes without a value."""
    case = Case(40 + lanes)
    case.check(lanes)
    for _ in range(60):
        case.rng.choice([case.any_symbol, case.any_uniform, case.any_bits])()
        case.check(lanes)
