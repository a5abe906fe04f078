"""(11.5) Rows as text: values with a space between, lines with an end.

Which text a value has follows from the description alone, so that most ASCII files need only their values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import extra_types
from gscodec.lossless.description import CR_LF, SHORTEST, SIGNIFICANT, SPACE_BEFORE_END, Column, Description

_DTYPES = {row.value: f"{'f' if row.name[0] == 'f' else row.name[0]}{row.bytes}" for row in extra_types.ROWS}


def dtype_of(column: Column) -> np.dtype[np.generic]:
    """The numpy type of a column's values, of this machine's byte order."""
    return np.dtype(_DTYPES[column.type])


def line_end(flags: int) -> str:
    """(11.5) What stands after the last value of a line."""
    return (" " if flags & SPACE_BEFORE_END else "") + ("\r\n" if flags & CR_LF else "\n")


def text_from_values(values: Sequence[NDArray[np.generic]], description: Description) -> bytes:
    """(11.5) The lines of the rows whose columns have the bit patterns `values` (rows,) each."""
    columns = []
    for column, patterns in zip(description.columns, values, strict=True):
        numbers = patterns.view(dtype_of(column))
        if numbers.dtype.kind == "f":
            show = _float_text(column, description)
            columns.append([show(v) for v in numbers.tolist()])
        else:
            columns.append([str(v) for v in numbers.tolist()])
    end = line_end(description.line_end)
    return "".join(" ".join(row) + end for row in zip(*columns, strict=True)).encode("ascii")


def _float_text(column: Column, description: Description) -> Callable[[float], str]:
    if description.notation == SHORTEST:
        return _shortest32 if column.type == extra_types.F32 else _shortest64
    form = f"%.{description.digits}{'g' if description.notation == SIGNIFICANT else 'f'}"
    return lambda value: form % value


def _shortest32(value: float) -> str:
    single = np.float32(value)
    with np.errstate(over="ignore"):  # the greatest numbers with few digits
        return next(
            text
            for digits in range(1, 18)
            if np.float32(text := f"{value:.{digits}g}") == single or digits == 17
        )


def _shortest64(value: float) -> str:
    return next(
        text for digits in range(1, 18) if float(text := f"{value:.{digits}g}") == value or digits == 17
    )
