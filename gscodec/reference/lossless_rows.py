"""(11.7 to 11.10) The rows of the lossless profile: repeats, prediction, numbers, other words."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from gscodec.reference.entropy import Lane, read_symbol
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields
from gscodec.reference.lossless import BYTES, CONSTANT, DIFFERENCE, MAX_FIXED, MAX_WORDS, NUMBER, Model, Word

CODED, ZERO, REPEATED, PREVIOUS = 0, 1, 2, 3  # kinds of a number
FAR = 8  # quarter octaves from which on a prediction is far from 0
STEPS = range(-40, 22)
ESCAPE = 0
ZEROS = [0] * MAX_WORDS


@dataclass
class Rows:
    """(11.7) A block while it is read: lanes, low bits, and the rows so far."""

    model: Model
    lanes: list[Lane]
    low: int  # all low bits as one number
    low_left: int  # how many of them are left
    place: Place
    low_place: Place
    number: int = 0  # of the next symbol
    rows: list[list[int]] = field(default_factory=list)
    had_source: int = 0
    last: list[int] = field(default_factory=list)  # fixed point numbers of the row before
    sizes: list[int] = field(default_factory=list)  # of the last difference of each word

    def symbol(self, context: int, allowed: Container[int]) -> int:
        """(11.7) The next symbol."""
        table = self.model.tables[self.model.contexts[context]]
        symbol = read_symbol(self.lanes[self.number % len(self.lanes)], table)
        self.number += 1
        if symbol not in allowed:
            raise self.place.malformed("lossless.symbol", f"symbol {symbol}")
        return symbol

    def bits(self, count: int) -> int:
        """(11.7) The next low bits."""
        if count > self.low_left:
            raise self.low_place.malformed("lossless.bits", "the low bits end early")
        value = self.low & ((1 << count) - 1)
        self.low >>= count
        self.low_left -= count
        return value


def read_rows(count: int, payload: bytes, place: Place, model: Model) -> list[list[int]]:
    """(11.7) The payload of LROW: the words of each row."""
    fields = Fields(payload, place, "lossless")
    fields.integer("u32")
    lanes_place = fields.place()
    if (lanes := fields.integer("u8", 1, 4)) == 3:
        raise lanes_place.malformed("lossless.range", "3 lanes")
    lengths = fields.integers("u32", lanes)
    if 4 * sum(lengths) > len(payload) - fields.position:
        raise fields.wrong_length()
    here = fields.place()
    opened = [Lane(fields.words(length), here) for length in lengths]
    low = payload[fields.position :]
    numbers = len(model.weights.bias)
    rows = Rows(model, opened, int.from_bytes(low, "little"), 8 * len(low), here, fields.place())
    rows.last, rows.sizes = [0] * numbers, [0] * len(model.words)
    for i in range(count):
        read_row(rows, i)
    if not all(lane.is_at_end() for lane in opened):
        raise here.malformed("entropy.end", "words or state are left over")
    if rows.low_left > 7 or rows.low != 0:
        raise rows.low_place.malformed("lossless.bits", "low bits are left over")
    return rows.rows


def read_row(rows: Rows, i: int) -> None:
    """(11.7) Row i of the block."""
    source = read_source(rows, i)
    before = rows.rows[-1] if rows.rows else None
    weights, numbers = rows.model.weights, len(rows.last)
    sums = [weights.previous[j] * rows.last[j] for j in range(numbers)]
    spreads = [0] * numbers
    row: list[int] = []
    kind = CODED
    for w, word in enumerate(rows.model.words):
        if word.coding == CONSTANT:
            row.append(word.constant)
        elif word.coding == DIFFERENCE:
            row.append(read_difference(rows, w, word, before[w] if before else 0))
        elif word.coding == BYTES:
            row.append(read_bytes(rows, word))
        else:
            j = sum(other.coding == NUMBER for other in rows.model.words[:w])
            prediction = within(weights.bias[j] + (sums[j] >> 12), -MAX_FIXED)
            spread = within(weights.spread[j] + (spreads[j] >> 12), 1)
            kind = read_kind(rows, word, kind, source is not None, before is not None)
            if kind == CODED:
                row.append(read_number(rows, word, prediction, spread))
            else:
                of = {ZERO: ZEROS, REPEATED: source or ZEROS, PREVIOUS: before or ZEROS}
                row.append(of[kind][w])
            x = fixed_from_pattern(row[w], word.exponent)
            for later in range(j + 1, numbers):
                sums[later] += weights.weight[j][later] * x
                spreads[later] += weights.growth[j][later] * abs(x - prediction)
            rows.last[j] = x
    rows.rows.append(row)


def read_source(rows: Rows, i: int) -> list[int] | None:
    """(11.7) The row of the block that this one repeats values of, if it does."""
    rows.had_source = rows.symbol(rows.had_source, range(2))
    if rows.had_source == 0:
        return None
    if i == 0:
        raise rows.place.malformed("lossless.source", "the first row")
    k = rows.bits((i - 1).bit_length())
    if k >= i:
        raise rows.place.malformed("lossless.source", f"row {k} for row {i}")
    return rows.rows[k]


# ------------------------------------------------------------ prediction: 11.8


def within(value: int, least: int) -> int:
    """(11.8) A value brought into the fixed point's range."""
    return min(MAX_FIXED, max(least, value))


def fixed_from_pattern(pattern: int, exponent: int) -> int:
    """(11.8) The number times 2^exponent, towards 0, of 24 bits at most."""
    e = pattern >> 23 & 255
    shift = e - 150 + exponent
    if e == 0 or shift < -24:
        size = 0
    elif shift > 0:
        size = MAX_FIXED
    else:
        size = (pattern & 0x7FFFFF | 0x800000) >> -shift
    return -size if pattern >> 31 else size


def pattern_from_fixed(value: int, exponent: int) -> int:
    """(11.8) The bit pattern of value 2^-exponent, value not 0; it is exact."""
    size = abs(value)
    n = size.bit_length()
    return (value < 0) << 31 | (126 + n - exponent) << 23 | (size << (24 - n)) & 0x7FFFFF


def quarters(n: int) -> int:
    """(11.8) Four times the exponent of n, 1 or more, plus its next two bits."""
    e = n.bit_length() - 1
    return 4 * e + ((n << 2 >> e) & 3)


# ------------------------------------------------------------ numbers: 11.9


def read_kind(rows: Rows, word: Word, before: int, has_source: bool, has_previous: bool) -> int:
    """(11.9) Whether a number is coded, or which it is otherwise."""
    allowed = {CODED, ZERO} | ({REPEATED} if has_source else set()) | ({PREVIOUS} if has_previous else set())
    return rows.symbol(word.first + 2 * before + has_source, allowed)


def read_number(rows: Rows, word: Word, prediction: int, spread: int) -> int:
    """(11.9) The bit pattern of a coded number."""
    ratio = quarters(abs(prediction)) - quarters(spread) if prediction else -64
    if ratio < FAR:
        return read_near(rows, word, prediction, spread, min(9, max(0, (ratio + 12) >> 1)))
    return read_far(rows, word, prediction, spread, 10 + min(1, (ratio - FAR) >> 3))


def read_near(rows: Rows, word: Word, prediction: int, spread: int, context: int) -> int:
    """(11.9) A number whose prediction is near 0: sign, exponent and two bits, then the others."""
    symbol = rows.symbol(word.first + 8 + context, range(2 * len(STEPS) + 1))
    if symbol == ESCAPE:
        return rows.bits(32 - word.low) << word.low
    step, sign = STEPS[(symbol - 1) >> 1], ((symbol - 1) & 1) ^ (prediction < 0)
    top = quarters(spread) + 4 * (127 - word.exponent) + step
    if not 0 <= top <= 1023:
        raise rows.place.malformed("lossless.value", f"exponent {top}")
    return sign << 31 | top << 21 | rows.bits(21 - word.low) << word.low


def read_far(rows: Rows, word: Word, prediction: int, spread: int, context: int) -> int:
    """(11.9) A number whose prediction is far from 0: how many numbers are between the two."""
    symbol = rows.symbol(word.first + 8 + context, range(2 * len(STEPS) + 1))
    if symbol == ESCAPE:
        return rows.bits(32 - word.low) << word.low
    step, below = STEPS[(symbol - 1) >> 1], ((symbol - 1) & 1) ^ (prediction < 0)
    size = quarters(spread) + 4 * (24 - abs(prediction).bit_length() - word.low) + step
    e = size >> 2
    if size < 0 or (4 | size & 3) << e & 3:
        raise rows.place.malformed("lossless.value", f"size {size}")
    distance = (4 | size & 3) << e >> 2
    if e >= 2:
        distance |= rows.bits(e - 2)
    centre = ordered_from_pattern(pattern_from_fixed(prediction, word.exponent)) >> word.low
    ordered = centre - distance if below else centre + distance
    if not 0 <= ordered < 1 << (32 - word.low):
        raise rows.place.malformed("lossless.value", "beyond all patterns")
    return pattern_from_ordered(ordered, word.low)


def ordered_from_pattern(pattern: int) -> int:
    """(11.9) An integer that is ordered as the numbers are."""
    return pattern ^ 0xFFFFFFFF if pattern >> 31 else pattern | 1 << 31


def pattern_from_ordered(ordered: int, low: int) -> int:
    """(11.9) The pattern of an ordered integer without its `low` last bits."""
    pattern = ordered << low
    return pattern ^ 1 << 31 if pattern >> 31 else pattern ^ 0xFFFFFFFF ^ ((1 << low) - 1)


# ------------------------------------------------------------ other words: 11.10


def read_difference(rows: Rows, w: int, word: Word, before: int) -> int:
    """(11.10) A word as the difference to that of the row before."""
    token = rows.symbol(word.first + rows.sizes[w], range(16 + 4 * (word.bits - 4)))
    rows.sizes[w] = 0 if token == 0 else 1 if token < 16 else 2
    if token >= 16:
        n = 4 + ((token - 16) >> 2)
        token = 1 << n | ((token - 16) & 3) << (n - 2) | rows.bits(n - 2)
    change = -(token >> 1) - 1 if token & 1 else token >> 1
    return (before + change) % (1 << word.bits)


def read_bytes(rows: Rows, word: Word) -> int:
    """(11.10) A word byte by byte, the highest first."""
    value = 0
    for k in range(word.bits // 8):
        value = value << 8 | rows.symbol(word.first + k, range(256))
    return value
