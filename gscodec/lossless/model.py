"""(11.6) LPAR: how the words of a row are coded, predicted and counted.

| type  | field        | value |
|-------|--------------|-------|
|       | words        | for each word of a row: |
| +0 u8 | coding       | 0 constant, 1 difference, 2 bytes, 3 number (binary32 only) |
| u32   | value        | of a constant |
| i16   | exponent     | of a number: -100 to 120 |
| u8    | low          | of a number: 0 to 21 bits that are 0 at the end of every value |
| u32   | packed_bytes | |
| u8[]  | packed       | zlib stream of i32 bias[m], spread[m], i16 previous[m], weight[], growth[] |
| u8    | table_count  | 1 to 64 |
| u32   | word_count   | |
| u32[] | lane         | tables, then the map of all contexts (3.8, 3.9) |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.entropy.scalar import ScalarWriter
from gscodec.entropy.tables import TableSet, read_tables, write_map, write_table
from gscodec.lossless.description import Description, inflate

SECTION = "LPAR"
CONSTANT, DIFFERENCE, BYTES, NUMBER = 0, 1, 2, 3
MAX_FIXED = (1 << 24) - 1
MIN_EXPONENT, MAX_EXPONENT = -100, 120
MAX_LOW = 21
MAX_TABLES = 64
NUMBER_CONTEXTS, DIFFERENCE_CONTEXTS = 20, 3
KIND_CONTEXTS = 8  # the first of a number's


@dataclass(frozen=True, kw_only=True)
class Words:
    """(11.6) The coding of a row's W words, m of them numbers.

    coding, width (W,) uint8, constant (W,) uint32; exponent (m,) int32, low (m,) uint8.
    """

    coding: NDArray[np.uint8]
    width: NDArray[np.uint8]
    constant: NDArray[np.uint32]
    exponent: NDArray[np.int32]
    low: NDArray[np.uint8]

    @property
    def numbers(self) -> NDArray[np.intp]:
        """(m,) Which words are numbers."""
        return np.flatnonzero(self.coding == NUMBER)

    def context_counts(self) -> list[int]:
        """(11.7) Contexts of each word."""
        of = {NUMBER: NUMBER_CONTEXTS, DIFFERENCE: DIFFERENCE_CONTEXTS, CONSTANT: 0}
        return [of.get(int(c), int(w) // 8) for c, w in zip(self.coding, self.width, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """(11.8) bias, spread (m,) int32; previous (m,) int16; weight, growth (m, m) int16, [earlier, later]."""

    bias: NDArray[np.int32]
    spread: NDArray[np.int32]
    previous: NDArray[np.int16]
    weight: NDArray[np.int16]
    growth: NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class Model:
    """What LPAR says. `map` (contexts,) uint8 names the table of each context."""

    words: Words
    weights: Weights
    tables: TableSet
    map: NDArray[np.uint8]

    @cached_property
    def plan(self) -> kernels.RowPlan:
        """What the kernels walk by."""
        return plan_of(self.words, self.weights)


def plan_of(words: Words, weights: Weights) -> kernels.RowPlan:
    """What the kernels walk by, before tables are known."""
    return kernels.make_plan(
        words.coding,
        words.width,
        words.constant,
        words.exponent,
        words.low,
        weights.bias,
        weights.spread,
        weights.previous,
        weights.weight,
        weights.growth,
    )


def read_model(payload: memoryview, offset: int, description: Description) -> Model:
    """(11.6) The payload of LPAR at `offset`. Raises `Malformed`."""
    fields = FieldReader(payload, section=SECTION, offset=offset, name="lossless", clause="11.2")
    words = _read_words(fields, description)
    size = fields.integer("u32")
    at = fields.place
    packed = _bytes(fields, size)
    m = len(words.exponent)
    weights = _weights(inflate(packed, 10 * m + 2 * m * (m - 1), SECTION, at), m)
    constants = np.concatenate([weights.bias, weights.spread]).astype(np.int64)
    if (np.abs(constants) > MAX_FIXED).any():
        raise fields.malformed("lossless.range", "a constant of the prediction", at)
    count = fields.integer("u8", 1, MAX_TABLES)
    size = 4 * fields.integer("u32")
    at = fields.place
    data = np.frombuffer(_bytes(fields, size), np.uint8)
    if fields.position != len(payload):
        raise fields.wrong_length()
    contexts = 2 + sum(words.context_counts())
    tables, maps = read_tables(data, count, {"rows": contexts}, offset=at, section=SECTION)
    return Model(words=words, weights=weights, tables=tables, map=maps["rows"])


def write_model(model: Model) -> bytes:
    """(11.6) The payload of LPAR."""
    import zlib

    words, w, f = model.words, model.weights, FieldWriter()
    number = 0
    for coding, constant in zip(words.coding.tolist(), words.constant.tolist(), strict=True):
        f.integer("u8", coding)
        if coding == CONSTANT:
            f.integer("u32", constant)
        elif coding == NUMBER:
            f.integer("i16", int(words.exponent[number]))
            f.integer("u8", int(words.low[number]))
            number += 1
    later, earlier = np.tril_indices(number, -1)
    arrays: Sequence[NDArray[np.signedinteger]] = (
        w.bias.astype("<i4"),
        w.spread.astype("<i4"),
        w.previous.astype("<i2"),
        w.weight[earlier, later].astype("<i2"),
        w.growth[earlier, later].astype("<i2"),
    )
    packed = zlib.compress(b"".join(a.tobytes() for a in arrays), 9)
    f.integer("u32", len(packed))
    f.data += packed
    lane = ScalarWriter()
    for row, resolution in zip(
        model.tables.frequencies.tolist(), model.tables.resolutions.tolist(), strict=True
    ):
        write_table(lane, row, resolution)
    write_map(lane, model.map.tolist(), len(model.tables))
    lane_words = lane.words()
    f.integer("u8", len(model.tables))
    f.integer("u32", len(lane_words))
    f.integers("u32", lane_words)
    return bytes(f.data)


def _read_words(fields: FieldReader, description: Description) -> Words:
    coding, constant, exponent, low = [], [], [], []
    for width, is_number in zip(description.widths, description.number_words, strict=True):
        coding.append(fields.integer("u8", CONSTANT, NUMBER if is_number else BYTES))
        constant.append(fields.integer("u32", 0, (1 << width) - 1) if coding[-1] == CONSTANT else 0)
        if coding[-1] == NUMBER:
            exponent.append(fields.integer("i16", MIN_EXPONENT, MAX_EXPONENT))
            low.append(fields.integer("u8", 0, MAX_LOW))
    return Words(
        coding=np.array(coding, np.uint8),
        width=np.array(description.widths, np.uint8),
        constant=np.array(constant, np.uint32),
        exponent=np.array(exponent, np.int32),
        low=np.array(low, np.uint8),
    )


def _bytes(fields: FieldReader, size: int) -> memoryview:
    if size > len(fields.payload) - fields.position:
        raise fields.wrong_length()
    fields.position += size
    return fields.payload[fields.position - size : fields.position]


def _weights(data: bytes, m: int) -> Weights:
    pairs = m * (m - 1) // 2
    later, earlier = np.tril_indices(m, -1)
    wide = np.frombuffer(data, "<i4", 2 * m).astype(np.int32)
    narrow = np.frombuffer(data, "<i2", m + 2 * pairs, 8 * m).astype(np.int16)
    both = np.zeros((2, m, m), np.int16)
    both[0, earlier, later] = narrow[m : m + pairs]
    both[1, earlier, later] = narrow[m + pairs :]
    return Weights(
        bias=wide[:m].copy(),
        spread=wide[m:].copy(),
        previous=narrow[:m].copy(),
        weight=both[0].copy(),
        growth=both[1].copy(),
    )
