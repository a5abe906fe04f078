"""(5.13, 6.8) Extra attributes: every bit of them, or multiples of a step."""

from __future__ import annotations

import math
import struct

from gscodec._generated import extra_codings, extra_types
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.entropy import Stream
from gscodec.reference.parameters import words_of

FLOATS = (extra_types.F32, extra_types.F64)


def word_bits(extra: ExtraAttribute) -> int:
    """(5.13) The bits of a coded word."""
    return 8 * min(4, extra_types.ROWS[extra.type].bytes)  # 32 for all that can be stepped


def read_extra(stream: Stream, extra: ExtraAttribute, count: int) -> list[list[int]]:
    """(5.13) The words of an attribute for each of `count` splats."""
    words, bits = words_of(extra), word_bits(extra)
    previous = [0] * words
    rows = []
    for i in range(count):
        row = []
        for word in range(words):
            change = stream.signed(i * words + word, word, range(-(1 << (bits - 1)), 1 << (bits - 1)))
            row.append((previous[word] + change) % (1 << bits))
        rows.append(row)
        previous = row
    stream.end()
    return rows


def patterns(row: list[int], extra: ExtraAttribute) -> list[int]:
    """(6.8) The bit pattern of each component."""
    if extra.coding == extra_codings.STEPPED:
        return [pattern_from_steps(word, extra) for word in row]
    bits = 8 * extra_types.ROWS[extra.type].bytes
    joined = row if bits < 64 else [high << 32 | low for high, low in zip(row[::2], row[1::2], strict=True)]
    return [pattern_from_ordered(u, bits) if extra.type in FLOATS else u for u in joined]


def pattern_from_steps(word: int, extra: ExtraAttribute) -> int:
    """(6.8) The floating-point pattern of q steps, q being the word as a two's complement integer."""
    q = word - (1 << 32) if word >> 31 else word
    exact = math.ldexp(q * extra.mantissa, extra.exponent)  # 47 bits at most: nothing is rounded yet
    code = "<f" if extra.type == extra_types.F32 else "<d"
    return int.from_bytes(struct.pack(code, exact), "little")


def pattern_from_ordered(u: int, bits: int) -> int:
    """(6.8) The floating-point pattern of an integer that is ordered as the numbers are."""
    sign = 1 << (bits - 1)
    return u ^ sign if u & sign else u ^ (1 << bits) - 1
