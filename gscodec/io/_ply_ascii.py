"""Rows of an ascii PLY file: text to exactly rounded numbers.

A row is a line; blank lines count for nothing. Values of a "float" property become the float32 nearest to
the decimal number (ties to even), not the one nearest to the nearest float64, which now and then differs.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._source import ByteSource

# Room for any sane way to print a number; a longer line is not a row.
BYTES_PER_VALUE = 1024

_FLOAT32_MAX = np.finfo(np.float32).max
_FLOAT32_OVERFLOW = 2.0**128 - 2.0**103  # half way from the largest float32 to the next power of two

Tokens = list[list[bytes]]


class AsciiRows:
    """The rows that follow an ascii header, as lists of words."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._lines: list[bytes] = []  # complete lines not yet taken, last first
        self._partial = b""
        self._ended = False

    def take(self, limit: int, max_line: int) -> Tokens:
        """Between 1 and `limit` rows; none at the end of the input."""
        rows: Tokens = []
        while not rows and self._refill(max_line):
            taken = self._lines[: -limit - 1 : -1]
            del self._lines[-len(taken) :]
            rows = [words for words in map(bytes.split, taken) if words]
        return rows

    def skip(self, count: int, max_line: int) -> bool:
        """Drop `count` rows; whether there were so many."""
        while count > 0:
            dropped = len(self.take(min(count, 65536), max_line))
            if not dropped:
                return False
            count -= dropped
        return True

    def trailing(self) -> int:
        """Drop all that is left and count its bytes, without white space before it."""
        left = b"\n".join([*reversed(self._lines), self._partial]).lstrip()
        count = len(left)
        while piece := self._source.chunk():
            count += len(piece if count else piece.lstrip())
        return count

    def _refill(self, max_line: int) -> bool:
        """Whether a line is at hand, after reading more if none was."""
        while not self._lines and not self._ended:
            piece = self._source.chunk()
            lines = (self._partial + piece).split(b"\n")
            self._partial = lines.pop()
            if not piece:
                self._ended = True
                lines, self._partial = [*lines, self._partial], b""
            if len(self._partial) > max_line:
                raise InputError(
                    "ply.value", "a line of the ascii PLY data is too long", offset=self._source.position
                )
            self._lines = lines[::-1]
        return bool(self._lines)


def parse_rows(rows: Tokens, columns: int, first_row: int) -> NDArray[np.float64]:
    """(rows, columns) float64 of the words; `first_row` is the number of the first, for messages.

    Raises `InputError` "ply.value".
    """
    for number, words in enumerate(rows, first_row):
        if len(words) != columns:
            raise InputError("ply.value", f"vertex {number} has {len(words)} values, expected {columns}")
    try:
        values = np.fromiter(map(float, chain.from_iterable(rows)), np.float64, len(rows) * columns)
    except ValueError as error:
        raise _bad_number(rows, first_row) from error
    # Python's float() takes 1_000, which no other PLY reader does.
    if any(b"_" in word for word in chain.from_iterable(rows)):
        raise _bad_number(rows, first_row)
    return values.reshape(len(rows), columns)


def convert(
    values: NDArray[np.float64], dtype: np.dtype[Any], rows: Tokens, column: int, first_row: int
) -> NDArray[Any]:
    """The (rows, n) `values` of columns `column` onwards as `dtype`, exactly rounded.

    Raises `InputError` "ply.value" where an integer property holds no integer of its range.
    """
    if dtype.kind == "f":
        return values if dtype.itemsize == 8 else _exact_float32(values, rows, column)
    info = np.iinfo(dtype)
    wrong = ~((values >= info.min) & (values <= info.max) & (values == np.floor(values)))
    if wrong.any():
        row, item = (int(i) for i in np.argwhere(wrong)[0])
        word = rows[row][column + item].decode("ascii", "replace")[:40]
        raise InputError("ply.value", f"vertex {first_row + row} has {word!r} for a {dtype.name} property")
    return values.astype(dtype)


def _exact_float32(values: NDArray[np.float64], rows: Tokens, column: int) -> NDArray[np.float32]:
    """Round once: only a float64 half way between two float32 can hide which side the decimal is on."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = values.astype(np.float32)
        nearest = rounded.astype(np.float64)
        direction = np.copysign(np.float32(np.inf), values - nearest).astype(np.float32)
        other = np.nextafter(rounded, direction).astype(np.float64)
        half_way = (values != nearest) & (0.5 * (nearest + other) == values)
    half_way |= np.abs(values) == _FLOAT32_OVERFLOW
    for row, item in np.argwhere(half_way):
        rounded[row, item] = _round_tie(
            rows[row][column + item], float(values[row, item]), rounded[row, item]
        )
    return rounded


def _round_tie(word: bytes, middle: float, even: np.float32) -> np.float32:
    """The float32 nearest to the decimal `word`, whose float64 is `middle`, half way between two float32."""
    exact, tie = Decimal(word.decode("ascii")), Decimal(middle)  # Decimal compares without rounding
    # `even` is one of the two neighbours; the other is one step from it, across the middle.
    if exact == tie or (exact > tie) == (float(even) > middle):
        return even
    if np.isinf(even):
        return _FLOAT32_MAX if middle > 0 else -_FLOAT32_MAX
    return np.float32(np.nextafter(even, np.float32(np.inf if exact > tie else -np.inf)))


def _bad_number(rows: Tokens, first_row: int) -> InputError:
    for number, words in enumerate(rows, first_row):
        for word in words:
            if not _is_number(word):
                text = word.decode("ascii", "replace")[:40]
                return InputError("ply.value", f"vertex {number} has {text!r}, which is not a number")
    return InputError("ply.value", f"vertex {first_row} or a later one has a value that is not a number")


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return b"_" not in word
