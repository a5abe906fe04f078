"""(11.7) LROW: a block of rows, decodable with LPLY and LPAR alone.

| type     | field | value |
|----------|-------|-------|
| u32      | rows  | 1 to 262,144 |
| u8       | lanes | 1, 2 or 4 |
| u32[]    | words | of each lane |
| u32[]    | lanes | the words themselves |
| u8[]     | low   | bits, the lowest of each byte first; what fills the last byte is 0 |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec._generated import extra_types
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.entropy.tables import STATUS
from gscodec.errors import Malformed
from gscodec.lossless.description import BIG, Column
from gscodec.lossless.model import Model

SECTION = "LROW"
MAX_ROWS = 1 << 18
LANES = 4
LEFT_OVER = 13  # the kernels' status for low bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of rows as it stands in the file."""

    rows: int
    payload: memoryview
    offset: int


def _fields(payload: memoryview, offset: int) -> FieldReader:
    return FieldReader(payload, section=SECTION, offset=offset, name="lossless", clause="11.2")


def read_block(payload: memoryview, offset: int) -> Block:
    """(11.7) The first field of LROW. Raises `Malformed`."""
    rows = _fields(payload, offset).integer("u32", 1, MAX_ROWS)
    return Block(rows=rows, payload=payload, offset=offset)


def decode_block(block: Block, model: Model) -> NDArray[np.uint32]:
    """(11.7) The words of the rows, (rows, W) uint32. Raises `Malformed`."""
    fields = _fields(block.payload, block.offset)
    fields.integer("u32")
    place = fields.place
    lanes = fields.integer("u8", 1, 4)
    if lanes == 3:
        raise fields.malformed("lossless.range", "3 lanes", place)
    counts = fields.integers("u32", lanes)
    start, size = fields.position, 4 * sum(counts)
    if size > len(block.payload) - start:
        raise fields.wrong_length()
    everything = np.frombuffer(block.payload, np.uint8)
    source = kernels.Source(
        model.tables.kernel, model.map, everything[start : start + size], np.array(counts, np.uint32)
    )
    status, cells = kernels.read_rows(model.plan, source, everything[start + size :], block.rows)
    if status:
        code, clause, message = STATUS[status]
        at = fields.place + (size if status == LEFT_OVER else 0)
        raise Malformed(code, message, clause=clause, section=SECTION, offset=at)
    return cells


def write_block(
    rows: int, words: NDArray[np.uint32], counts: NDArray[np.uint32], low: NDArray[np.uint8]
) -> bytes:
    """(11.7) The payload of LROW."""
    f = FieldWriter()
    f.integer("u32", rows)
    f.integer("u8", len(counts))
    f.integers("u32", counts.tolist())
    return b"".join((bytes(f.data), words.astype("<u4", copy=False).tobytes(), low.tobytes()))


def values_from_words(
    cells: NDArray[np.uint32], columns: Sequence[Column]
) -> list[NDArray[np.unsignedinteger]]:
    """(11.3) The bit pattern of every value, a column (rows,) each, of as many bits as its type has."""
    found: list[NDArray[np.unsignedinteger]] = []
    at = 0
    for column in columns:
        if column.size == 8:
            high, low = cells[:, at].astype(np.uint64), cells[:, at + 1].astype(np.uint64)
            found.append(high << np.uint64(32) | low)
        else:
            found.append(cells[:, at].astype(f"u{column.size}"))
        at += len(column.widths)
    return found


def bytes_from_words(cells: NDArray[np.uint32], columns: Sequence[Column], form: int) -> bytes:
    """(11.3) Binary rows."""
    order = ">" if form == BIG else "<"
    if all(column.size == 4 for column in columns):
        return cells.astype(f"{order}u4", copy=False).tobytes()
    row = np.dtype([(f"c{i}", f"{order}u{column.size}") for i, column in enumerate(columns)])
    out = np.empty(len(cells), row)
    for i, values in enumerate(values_from_words(cells, columns)):
        out[f"c{i}"] = values
    return out.tobytes()


def words_from_values(values: Sequence[NDArray[np.unsignedinteger]]) -> NDArray[np.uint32]:
    """(11.3) The words (rows, W) of columns of bit patterns, the inverse of `values_from_words`."""
    words: list[NDArray[np.unsignedinteger]] = []
    for column in values:
        words += (
            [column >> np.uint64(32), column & np.uint64(0xFFFFFFFF)] if column.itemsize == 8 else [column]
        )
    return np.ascontiguousarray(np.stack([word.astype(np.uint32) for word in words], 1))


def is_float(column: Column) -> bool:
    """Whether text shows the column as a number with a fraction."""
    return column.type in (extra_types.F32, extra_types.F64)
