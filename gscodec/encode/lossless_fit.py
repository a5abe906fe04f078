"""How the words of a lossless file are coded and predicted: least squares over a sample of the rows.

Whatever is chosen here is coded in LPAR and correct; a better choice only makes the file smaller.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscodec.lossless.model import (
    BYTES,
    CONSTANT,
    DIFFERENCE,
    MAX_EXPONENT,
    MAX_FIXED,
    MAX_LOW,
    MIN_EXPONENT,
    NUMBER,
    Weights,
    Words,
)

SAMPLE = 40_000  # rows that are looked at
FEWEST = 400  # rows that are worth weights
TYPICAL = 19  # 99 of 100 values are below 2^19 in the fixed point of their column
UNIT = 65536.0  # of the fixed point, in the sums below
RIDGE = 1e-3
ONE = 4096  # a weight of 1
FAR = 8.0  # times the root mean square: what is farther counts as this far


def choose_words(cells: NDArray[np.uint32], widths: Sequence[int], is_number: Sequence[bool]) -> Words:
    """The coding of each word of `cells` (rows, W), at least one row."""
    sample = cells[_sample(len(cells))]
    before = cells[np.maximum(_sample(len(cells)), 1) - 1]
    coding, exponents, lows = [], [], []
    constant = (cells == cells[0]).all(0)
    for w, (width, number) in enumerate(zip(widths, is_number, strict=True)):
        if constant[w]:
            coding.append(CONSTANT)
        elif number:
            coding.append(NUMBER)
            exponents.append(_exponent(sample[:, w]))
            every = int(np.bitwise_or.reduce(cells[:, w]))
            lows.append(min(MAX_LOW, (every & -every).bit_length() - 1))
        else:
            difference = _difference_bits(sample[:, w], before[:, w], width)
            coding.append(DIFFERENCE if difference < _byte_bits(sample[:, w], width) else BYTES)
    return Words(
        coding=np.array(coding, np.uint8),
        width=np.array(widths, np.uint8),
        constant=np.where(constant, cells[0], 0).astype(np.uint32),
        exponent=np.array(exponents, np.int32),
        low=np.array(lows, np.uint8),
    )


def _sample(rows: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, rows - 1, min(rows, SAMPLE)).astype(np.intp))


def _exponent(patterns: NDArray[np.uint32]) -> int:
    """The fixed point in which most values fill their bits."""
    with np.errstate(invalid="ignore"):  # signalling NaNs
        values = np.abs(patterns.view(np.float32).astype(np.float64))
    values = values[np.isfinite(values) & (values > 0)]
    top = float(np.percentile(values, 99)) if len(values) else 1.0
    return int(np.clip(TYPICAL - np.floor(np.log2(top)), MIN_EXPONENT, MAX_EXPONENT))


def _entropy(symbols: NDArray[np.integer]) -> float:
    counts = np.unique(symbols, return_counts=True)[1]
    return float(-(counts * np.log2(counts / len(symbols))).sum() / len(symbols)) + 5 * len(counts) / len(
        symbols
    )


def _difference_bits(values: NDArray[np.uint32], before: NDArray[np.uint32], width: int) -> float:
    """Bits of a word as a difference: its size costs what sizes cost, the rest is raw."""
    change = (values.astype(np.int64) - before) % (1 << width)
    change -= (change >> (width - 1)) << width
    size = np.ceil(np.log2(np.abs(change) * 2.0 + 1)).astype(np.int64)
    return _entropy(np.where(np.abs(change) < 8, change, size + 16)) + float(np.maximum(size - 3, 0).mean())


def _byte_bits(values: NDArray[np.uint32], width: int) -> float:
    return sum(_entropy(values >> np.uint32(shift) & np.uint32(255)) for shift in range(0, width, 8))


def fixed_from_patterns(patterns: NDArray[np.uint32], exponents: NDArray[np.int32]) -> NDArray[np.int32]:
    """(11.8) (rows, m) fixed point values of the patterns of m numbers."""
    e = (patterns >> np.uint32(23) & np.uint32(255)).astype(np.int64)
    mantissa = (patterns & np.uint32(0x7FFFFF) | np.uint32(0x800000)).astype(np.int64)
    shift = e - 150 + exponents
    size = np.where(shift > 0, MAX_FIXED, np.where(shift < -24, 0, mantissa >> np.clip(-shift, 0, 24)))
    size = np.where(e == 0, 0, size)
    return np.where(patterns >> np.uint32(31), -size, size).astype(np.int32)


def fit_weights(cells: NDArray[np.uint32], words: Words) -> Weights:
    """The weights that predict each number and its spread from the numbers before it in the row."""
    m = len(words.exponent)
    rows = _sample(len(cells))
    rows = rows[rows > 0]
    if len(rows) < FEWEST or m == 0:
        return _plain_weights(cells, words)
    x = fixed_from_patterns(cells[np.ix_(rows, words.numbers)], words.exponent) / UNIT
    before = fixed_from_patterns(cells[np.ix_(rows - 1, words.numbers)], words.exponent) / UNIT
    size = np.clip(x / (_rms(x) + 1e-9), -FAR, FAR)
    trust = 1 / ((size * size).mean(1) + 0.05)  # rows of large values are no more important than others
    ones = np.ones((len(rows), 1))

    bias, previous = np.zeros(m), np.zeros(m)
    weight, growth = np.zeros((m, m)), np.zeros((m, m))
    inputs = np.concatenate([ones, x, before], 1)
    gram = (inputs * trust[:, None]).T @ inputs
    for j in range(m):
        used = np.array([0, *range(1, 1 + j), 1 + m + j])
        solution = _solve(gram, used, 1 + j)
        bias[j], weight[:j, j], previous[j] = solution[0], solution[1:-1], solution[-1]
    weight_of, previous_of = _rounded(weight), _rounded(previous)

    error = np.abs(x - bias - x @ (weight_of / ONE) - before * (previous_of / ONE))
    error = np.minimum(error, FAR * _rms(error) + 1e-9)
    spread = np.zeros(m)
    inputs = np.concatenate([ones, error], 1)
    gram = (inputs * trust[:, None]).T @ inputs
    for j in range(m):
        solution = _solve(gram, np.arange(j + 1), 1 + j)
        spread[j], growth[:j, j] = solution[0], solution[1:]
    return Weights(
        bias=_constants(bias * UNIT),
        spread=_constants(spread * UNIT),
        previous=previous_of,
        weight=weight_of,
        growth=_rounded(growth),
    )


def _plain_weights(cells: NDArray[np.uint32], words: Words) -> Weights:
    """For few rows: the mean, and how far values are from it."""
    m = len(words.exponent)
    x = fixed_from_patterns(cells[:, words.numbers], words.exponent).astype(np.float64)
    mean = np.median(x, 0) if m else np.zeros(0)
    return Weights(
        bias=_constants(mean),
        spread=_constants(np.abs(x - mean).mean(0)),
        previous=np.zeros(m, np.int16),
        weight=np.zeros((m, m), np.int16),
        growth=np.zeros((m, m), np.int16),
    )


def _rms(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.mean(np.clip(x, -16, 16) ** 2, 0)))


def _solve(gram: NDArray[np.float64], used: NDArray[np.intp], target: int) -> NDArray[np.float64]:
    part = gram[np.ix_(used, used)]
    size = np.sqrt(np.diag(part)) + 1e-9
    part = part / size / size[:, None] + RIDGE * np.eye(len(used))
    return np.asarray(np.linalg.solve(part, gram[used, target] / size) / size)


def _rounded(weights: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.asarray(np.clip(np.rint(weights * ONE), -32767, 32767), np.int16)


def _constants(values: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.asarray(np.clip(np.rint(values), -MAX_FIXED, MAX_FIXED), np.int32)
