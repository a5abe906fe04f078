"""Scenes far from their origin: float32 holds what is near it, so positions are kept relative to an offset.

`relative` moves float64 positions before they become float32; `auto_offset` finds out whether and how far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import UsageError

Floats3: TypeAlias = tuple[float, float, float]
Offset: TypeAlias = Sequence[float] | Literal["auto"]

NOWHERE: Floats3 = (0.0, 0.0, 0.0)
FAR = 10.0  # sizes of the scene: farther than this, precision is lost that the scene could use


def auto_offset(positions: NDArray[Any]) -> Floats3:
    """Of positions (N, 3): the median in round numbers where it is far away, otherwise zeros.

    Round numbers are multiples of the power of ten under the size of the scene, and never fractions, so that
    people recognise the offset and float64 holds it exactly. Rows that are not finite do not count.
    """
    known = positions[np.isfinite(positions).all(1)].astype(np.float64)
    if not len(known):
        return NOWHERE
    low, middle, high = np.quantile(known, (0.02, 0.5, 0.98), axis=0)
    size = float((high - low).max())
    if np.abs(middle).max() <= FAR * max(size, 1.0):
        return NOWHERE
    unit = 10.0 ** max(0, math.floor(math.log10(size))) if size > 0 else 1.0
    x, y, z = (np.round(middle / unit) * unit + 0.0).tolist()  # + 0.0: no minus zeros
    return x, y, z


def checked_offset(offset: Sequence[float]) -> Floats3:
    """Three finite numbers. Raises `UsageError` "usage.offset"."""
    try:
        x, y, z = (float(value) for value in offset)
    except (TypeError, ValueError):
        raise UsageError("usage.offset", f"offset {offset!r}: expected three numbers, or auto") from None
    if not all(map(math.isfinite, (x, y, z))):
        raise UsageError("usage.offset", f"offset {offset!r}: expected finite numbers")
    return x, y, z


def relative(positions: NDArray[Any], offset: Floats3) -> NDArray[np.float32]:
    """(N, 3) positions less the offset, rounded once."""
    if offset == NOWHERE:
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(positions, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # infinite ones are for others to find
        return np.asarray(positions.astype(np.float64) - np.array(offset), np.float32)


def stated_offset(comments: Sequence[str]) -> Floats3 | None:
    """The offset in a comment "offset X Y Z", as gsdec writes it; the last if there are several."""
    for comment in reversed(comments):
        if is_offset(comment):
            x, y, z = map(float, comment.split()[1:])
            return x, y, z
    return None


def is_offset(comment: str) -> bool:
    """Whether a comment states an offset."""
    words = comment.split()
    if len(words) != 4 or words[0] != "offset":
        return False
    try:
        return all(math.isfinite(float(word)) for word in words[1:])
    except ValueError:
        return False


def offset_comment(offset: Floats3) -> str:
    """The comment that states an offset."""
    return "offset " + " ".join(map(repr, offset))
