"""(3) The primitives read what their twins wrote, and the words are those of constriction's AnsCoder."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import constriction
import numpy as np
import pytest
from rans import LaneWriter, TableDraft, draft_table, token_of, write_context_map, write_table, zigzag

from gscodec.errors import Malformed
from gscodec.reference.entropy import (
    MAGNITUDE_CHANGES,
    RANKS,
    Lane,
    Stream,
    Table,
    read_bits,
    read_context_map,
    read_hybrid,
    read_raw,
    read_symbol,
    read_table,
    read_uniform,
    signed_from_zigzag,
    table_from_frequencies,
    uniform_start,
)
from gscodec.reference.faults import Place

PLACE = Place("TEST", 100)


def random_draft(rng: random.Random) -> TableDraft:
    symbols = rng.sample(range(256), rng.choice([1, 2, 3, 20, 256]))
    return draft_table({s: int(rng.expovariate(0.001)) for s in symbols}, rng.choice([10, 11, 12]))


def lane_of(writer: LaneWriter) -> Lane:
    return Lane(writer.words(), PLACE)


@pytest.mark.parametrize("seed", range(10))
def test_primitives_round_trip(seed: int) -> None:
    rng = random.Random(seed)
    writer = LaneWriter()
    expected: list[tuple[Callable[..., int], Any, int]] = []
    tables = [random_draft(rng).table for _ in range(4)]
    for _ in range(300):
        kind, n = rng.randrange(5), rng.choice([1, 2, 3, 1000, 65535, 65536])
        table = rng.choice(tables)
        if kind == 0:
            count = rng.randint(0, 24)
            expected.append((read_bits, count, rng.getrandbits(count)))
            writer.bits(expected[-1][2], count)
        elif kind == 1:
            count = rng.randint(25, 40)
            expected.append((read_raw, count, rng.getrandbits(count)))
            writer.raw(expected[-1][2], count)
        elif kind == 2:
            expected.append((read_uniform, n, rng.randrange(n)))
            writer.uniform(expected[-1][2], n)
        else:
            symbol = rng.choice([s for s, f in enumerate(table.frequencies) if f > 0])
            expected.append((read_symbol, table, symbol))
            writer.symbol(symbol, table)
    lane = lane_of(writer)
    for read, how, value in expected:
        assert read(lane, how) == value
    assert lane.is_at_end()


@pytest.mark.parametrize("value", [0, 1, 15, 16, 17, 19, 20, 31, 32, 2**26 - 1, 2**26, 2**27 + 5, 2**32 - 1])
def test_hybrid_round_trip(value: int) -> None:
    table = draft_table({token_of(value): 5, 3: 1, 127: 1}, 12).table
    writer = LaneWriter()
    writer.hybrid(value, table)
    lane = lane_of(writer)
    assert read_hybrid(lane, table) == value
    assert lane.is_at_end()


def test_tokens() -> None:
    assert [token_of(v) for v in (0, 15, 16, 19, 20, 28, 31, 32, 63, 64, 2**32 - 1)] == [
        0, 15, 16, 16, 17, 19, 19, 20, 23, 24, 127,
    ]  # fmt: skip
    assert [zigzag(r) for r in (0, -1, 1, -2, 2)] == [0, 1, 2, 3, 4]
    assert all(signed_from_zigzag(zigzag(r)) == r for r in range(-99, 99))


def test_uniform_covers_every_slot() -> None:
    for n in (2, 3, 7, 1000, 65535, 65536):
        assert uniform_start(0, n) == 0
        assert uniform_start(n, n) == 1 << 24
        for k in (0, 1, n // 2, n - 1):
            first, last = uniform_start(k, n), uniform_start(k + 1, n) - 1
            assert (first * n >> 24, last * n >> 24) == (k, k)


@pytest.mark.parametrize("seed", range(20))
def test_tables_round_trip(seed: int) -> None:
    rng = random.Random(seed)
    drafts = [random_draft(rng) for _ in range(5)]
    writer = LaneWriter()
    for draft in drafts:
        write_table(writer, draft)
    lane = lane_of(writer)
    assert [read_table(lane) for _ in drafts] == [draft.table for draft in drafts]
    assert lane.is_at_end()


@pytest.mark.parametrize("tables", [1, 2, 15, 16, 64])
def test_context_maps_round_trip(tables: int) -> None:
    rng = random.Random(tables)
    for size in (1, 36, 165):
        chosen = [rng.randrange(tables) for _ in range(size)]
        writer = LaneWriter()
        write_context_map(writer, chosen, tables, rng)
        lane = lane_of(writer)
        assert read_context_map(lane, size, tables) == chosen
        assert lane.is_at_end()


def test_built_in_tables() -> None:
    assert (len(MAGNITUDE_CHANGES.frequencies), len(RANKS.frequencies)) == (25, 16)
    assert sum(MAGNITUDE_CHANGES.frequencies) == sum(RANKS.frequencies) == 4096


def test_words_by_hand() -> None:
    writer = LaneWriter()
    writer.bits(5, 3)  # start 5 x 2^21, frequency 2^21
    assert writer.words() == [5 << 21]
    writer.bits(1, 1)  # read after the first
    # state 2^23 from the second, then the first: (2^23 // 2^21 << 24) + 5 x 2^21 + 2^23 % 2^21
    assert writer.words() == [(4 << 24) + (5 << 21)]
    empty = LaneWriter()
    empty.bits(0, 24)
    assert empty.words() == []


# ------------------------------------------------------------ faults


def test_first_word_is_not_zero() -> None:
    with pytest.raises(Malformed) as caught:
        Lane([0, 5], PLACE)
    assert (caught.value.code, caught.value.offset, caught.value.section) == (
        "entropy.first_word",
        100,
        "TEST",
    )


def test_tokens_end_at_127() -> None:
    table = draft_table({128: 1}, 10).table
    with pytest.raises(Malformed) as caught:
        read_hybrid(Lane([], PLACE), table)
    assert caught.value.code == "entropy.token"


def test_stream_ends_empty() -> None:
    for words in ([7], [7, 0], [1, 2, 3]):
        stream = Stream([Lane([], PLACE), Lane(words, PLACE)], [], [], PLACE)
        with pytest.raises(Malformed) as caught:
            stream.end()
        assert caught.value.code == "entropy.end"


def magnitudes_writer(resolution: int, magnitudes: list[int]) -> LaneWriter:
    writer = LaneWriter()
    writer.uniform(resolution - 10, 3)
    writer.uniform(len(magnitudes) - 1, 256)
    for previous, magnitude in zip([0, *magnitudes], magnitudes, strict=False):
        writer.symbol(zigzag(magnitude - previous), MAGNITUDE_CHANGES)
    return writer


@pytest.mark.parametrize(
    ("resolution", "magnitudes"),
    [(10, [12]), (10, [5, 0]), (10, [5, -1]), (10, [11, 11]), (12, [12, 12, 12])],
)
def test_bad_tables(resolution: int, magnitudes: list[int]) -> None:
    writer = magnitudes_writer(resolution, magnitudes)
    for _ in magnitudes[1:]:
        writer.bits(0, 3)
    with pytest.raises(Malformed) as caught:
        read_table(lane_of(writer))
    assert caught.value.code == "parm.table"


def test_largest_magnitude_is_one_more_than_the_resolution() -> None:
    assert read_table(lane_of(magnitudes_writer(10, [11]))).frequencies == (1024,)


def test_bad_rank() -> None:
    writer = LaneWriter()
    writer.uniform(1, 2)
    writer.symbol(3, RANKS)
    with pytest.raises(Malformed) as caught:
        read_context_map(lane_of(writer), 1, 3)
    assert caught.value.code == "parm.map"


# ------------------------------------------------------------ constriction


def model_of(table: Table) -> Any:
    """The table as a model of constriction, which adds 1 to each integer weight and shares out the rest."""
    shift = 24 - table.resolution
    weights = np.array([(f << shift) - 1 for f in table.frequencies], dtype=np.float64)
    return constriction.stream.model.Categorical(weights, perfect=False)


def as_table(frequencies: list[int]) -> Table:
    return table_from_frequencies(sum(frequencies).bit_length() - 1, frequencies)


@pytest.mark.parametrize("seed", range(4))
def test_words_equal_those_of_constriction(seed: int) -> None:
    rng = random.Random(seed)
    tables = [as_table([1024 // n] * n) for n in (2, 8, 256)]  # bits of 1, 3 and 8
    while len(tables) < 6:  # dense ones: a model of constriction has no unused symbols
        n = rng.choice([2, 5, 60])
        tables.append(
            draft_table({s: int(rng.expovariate(0.01)) for s in range(n)}, rng.choice([10, 12])).table
        )
    models = [model_of(table) for table in tables]
    chosen = [rng.randrange(len(tables)) for _ in range(400)]
    symbols = [rng.choices(range(len(tables[t].frequencies)), tables[t].frequencies)[0] for t in chosen]

    ours, theirs = LaneWriter(), constriction.stream.stack.AnsCoder()
    for t, symbol in zip(chosen, symbols, strict=True):
        if t < 3:
            ours.bits(symbol, (1, 3, 8)[t])
        else:
            ours.symbol(symbol, tables[t])
    for t, symbol in zip(reversed(chosen), reversed(symbols), strict=True):
        theirs.encode_reverse(np.array([symbol], dtype=np.int32), models[t])
    words = ours.words()
    assert words == theirs.get_compressed()[::-1].tolist()

    lane = Lane(words, PLACE)
    assert [read_symbol(lane, tables[t]) for t in chosen] == symbols
    assert lane.is_at_end()
    reader = constriction.stream.stack.AnsCoder(np.array(words[::-1], dtype=np.uint32))
    assert [int(reader.decode(models[t])) for t in chosen] == symbols
    assert reader.is_empty()
