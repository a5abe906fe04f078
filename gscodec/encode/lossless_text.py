"""Which notation (11.5) an ASCII PLY file is written in, if its values alone reproduce every byte of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import extra_types
from gscodec.io.ply_bytes import PlyRows
from gscodec.lossless.description import (
    CR_LF,
    DECIMALS,
    SHORTEST,
    SIGNIFICANT,
    SPACE_BEFORE_END,
    TEXT,
    Column,
    Description,
)
from gscodec.lossless.text import text_from_values

FIRST_LINES = 50  # enough to rule most notations out
NOTATIONS = (
    (SIGNIFICANT, 6),
    (SHORTEST, 0),
    *((SIGNIFICANT, digits) for digits in (9, 8, 7, 17, 18, 10, 12, 16)),
    *((DECIMALS, digits) for digits in (6, 8, 4, 5, 7, 9, 10, 3, 2)),
)
_TYPES = {f"{row.name[0]}{row.bytes}": row.value for row in extra_types.ROWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notation:
    """How rows are written, and from where to where they go in the file."""

    notation: int
    digits: int
    line_end: int
    start: int
    end: int


def find_notation(data: bytes, rows: PlyRows) -> tuple[list[NDArray[np.unsignedinteger]], Notation] | None:
    """The bit patterns of the columns and the notation that gives back the text; None where none does."""
    bounds = _line_bounds(data, rows)
    if bounds is None:
        return None
    start, end = bounds
    text = data[start:end]
    lines = text.splitlines()
    values = _parse(lines, rows)
    if values is None:
        return None
    first = lines[0]
    line_end = SPACE_BEFORE_END * first.endswith(b" ") | CR_LF * (
        text[len(first) : len(first) + 2] == b"\r\n"
    )
    columns = tuple(Column(type=_TYPES[dtype.str[1:]]) for dtype in rows.dtypes)
    for about in _descriptions(columns, line_end):
        some = [column[:FIRST_LINES] for column in values]
        if not text.startswith(text_from_values(some, about)):
            continue
        if text_from_values(values, about) == text:
            notation = Notation(
                notation=about.notation, digits=about.digits, line_end=line_end, start=start, end=end
            )
            return values, notation
    return None


def _descriptions(columns: tuple[Column, ...], line_end: int) -> Iterator[Description]:
    for notation, digits in NOTATIONS:
        yield Description(
            file_bytes=0,
            row_count=0,
            head_bytes=0,
            tail_bytes=0,
            crc=0,
            form=TEXT,
            notation=notation,
            digits=digits,
            line_end=line_end,
            columns=columns,
        )


def _line_bounds(data: bytes, rows: PlyRows) -> tuple[int, int] | None:
    """Where the lines of the rows start and end; None when there are fewer."""
    position = rows.start
    start = position
    for line in range(rows.skipped + rows.count):
        if line == rows.skipped:
            start = position
        position = data.find(b"\n", position) + 1
        if position == 0:
            return None
    return start, position


def _parse(lines: list[bytes], rows: PlyRows) -> list[NDArray[np.unsignedinteger]] | None:
    """The bit patterns of each column; None where a word is no number of its column's type."""
    words = [line.split() for line in lines]
    if any(len(line) != len(rows.dtypes) for line in words):
        return None
    out: list[NDArray[np.unsignedinteger]] = []
    try:
        with np.errstate(over="ignore"):
            for dtype, column in zip(rows.dtypes, zip(*words, strict=True), strict=True):
                if dtype.kind == "f":
                    numbers = np.array([float(word) for word in column]).astype(dtype)
                else:
                    numbers = np.array([int(word) for word in column], np.int64)
                    if (numbers != numbers.astype(dtype)).any():
                        return None
                    numbers = numbers.astype(dtype)
                out.append(numbers.view(f"u{dtype.itemsize}"))
    except (ValueError, OverflowError):
        return None
    return out
