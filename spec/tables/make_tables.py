"""Makes the numeric tables of the specification (weights, sin, atan, logit, dilation, exp2, log2, mag, rank).

    python spec/tables/make_tables.py

The committed CSV files are normative, not this script: it documents where the numbers come from. Everything
is computed with 50 decimal digits, so that the result does not depend on a machine's libm.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, getcontext

getcontext().prec = 50
HERE = pathlib.Path(__file__).parent
PI = Decimal("3.14159265358979323846264338327950288419716939937511")


def rounded(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_HALF_EVEN))


def sine(x: Decimal) -> Decimal:
    term = total = x
    for k in range(1, 40):
        term *= -x * x / ((2 * k) * (2 * k + 1))
        total += term
    return total


def arctangent(x: Decimal) -> Decimal:
    """For 0 <= x <= 1, with two halvings of the angle so that the series converges fast."""
    for _ in range(2):
        x = x / (1 + (1 + x * x).sqrt())
    total, power = Decimal(0), x
    for k in range(80):
        total += power / (2 * k + 1) * (-1) ** k
        power *= x * x
    return total * 4


def weights() -> Iterable[int]:
    """4096 * 2^(-x/8)."""
    return (rounded(4096 * Decimal(2) ** (Decimal(-x) / 8)) for x in range(104))


def sin_table() -> Iterable[int]:
    """2^24 sin(pi/2 * j/4096)."""
    return (rounded(2**24 * sine(PI / 2 * j / 4096)) for j in range(4097))


def atan_table() -> Iterable[int]:
    """4096/pi * atan(j/256)."""
    return (rounded(4096 / PI * arctangent(Decimal(j) / 256)) for j in range(257))


def logit_table() -> Iterable[int]:
    """Q20 logit of the opacity whose log2(alpha + 1/16) is j/256 - 4, opacity in [1/4096, 1 - 1/16384]."""
    for j in range(1049):
        alpha = Decimal(2) ** (Decimal(j) / 256 - 4) - Decimal(1) / 16
        alpha = min(max(alpha, Decimal(1) / 4096), 1 - Decimal(1) / 16384)
        yield rounded(2**20 * (alpha / (1 - alpha)).ln())


def dilation_table() -> Iterable[int]:
    """Q20 of 1/2 ln(1 - e^(-2x)), x = j/32; entry 0 stands for an axis far thinner than the dilation."""
    yield rounded(2**20 * Decimal("-2.5"))
    for j in range(1, 257):
        yield rounded(2**19 * (1 - (Decimal(-2) * j / 32).exp()).ln())


def exp2_table() -> Iterable[int]:
    """2^24 2^(j/1024)."""
    return (rounded(2**24 * Decimal(2) ** (Decimal(j) / 1024)) for j in range(1025))


def log2_table() -> Iterable[int]:
    """2^20 log2(1 + j/1024)."""
    return (rounded(2**20 * (1 + Decimal(j) / 1024).ln() / Decimal(2).ln()) for j in range(1025))


def apportioned(shares: list[float], total: int) -> list[int]:
    """Frequencies of at least 1 that add up to `total`, in proportion to `shares`."""
    whole = sum(shares)
    counts = [max(1, round(s / whole * total)) for s in shares]
    counts[counts.index(max(counts))] += total - sum(counts)
    return counts


def mag() -> Iterable[int]:
    """Changes of magnitude along a frequency table, zigzag; mostly small."""
    return apportioned([0.40, 0.25, 0.14] + [0.10 * 0.78**k for k in range(22)], 4096)


def rank() -> Iterable[int]:
    """Move-to-front ranks along a context map; mostly the table just used."""
    return apportioned([0.62, 0.14, 0.07] + [0.03 * 0.86**k for k in range(12)] + [0.02], 4096)


TABLES = {
    "weights": weights,
    "sin": sin_table,
    "atan": atan_table,
    "logit": logit_table,
    "dilation": dilation_table,
    "exp2": exp2_table,
    "log2": log2_table,
    "mag": mag,
    "rank": rank,
}

if __name__ == "__main__":
    for name, make in TABLES.items():
        rows = "".join(f"{i},{v}\n" for i, v in enumerate(make()))
        (HERE / f"{name}.csv").write_text("index,value\n" + rows, encoding="utf-8")
