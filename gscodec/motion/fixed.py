"""(12.6) Powers and logarithms in integers, as the kernels have them, and factors with a shift."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import exp2 as exp2_table
from gscodec._generated import log2 as log2_table

Integers = NDArray[np.int64]

MAX_FACTOR, MAX_SHIFT = (1 << 22) - 1, 52
_EXP2 = np.array(exp2_table.VALUE, np.int64)
_LOG2 = np.array(log2_table.VALUE, np.int64)


def exp2(x: Integers) -> tuple[Integers, Integers]:
    """(12.6) 2^x of x in Q20 as G, I: the number G 2^(I - 24)."""
    j, r = x >> 10 & 1023, x & 1023
    return _EXP2[j] + ((_EXP2[j + 1] - _EXP2[j]) * r + 512 >> 10), x >> 20


def log2(x: Integers) -> Integers:
    """(12.6) log2(x / 2^24) in Q20, of 1 to 2^24 - 1."""
    bits = np.frexp(x.astype(np.float64))[1].astype(np.int64)  # exact: x is under 2^53
    m = (x << 25 - bits) - (1 << 24)
    j = m >> 14
    between = (_LOG2[j + 1] - _LOG2[j]) * (m & 16383) + 8192 >> 14
    return np.asarray(_LOG2[j] + between + (bits - 25) * (1 << 20))


def factor_of(value: float) -> tuple[int, int]:
    """The factor A, 1 to 2^22 - 1, and shift S, 0 to 52, with A 2^-S nearest to a positive value."""
    _, exponent = math.frexp(value)
    shift = min(max(22 - exponent, 0), MAX_SHIFT)
    factor = round(math.ldexp(value, shift))
    if factor > MAX_FACTOR and shift > 0:  # rounded up to 2^22
        shift, factor = shift - 1, round(math.ldexp(value, shift - 1))
    return min(max(factor, 1), MAX_FACTOR), shift


def scaled(x: Integers, factor: int, shift: int) -> Integers:
    """(12.6) x A 2^-S, to the nearest."""
    return x * factor + ((1 << shift) >> 1) >> shift
