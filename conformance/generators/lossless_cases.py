"""Files of the lossless profile that were made for one rule each, right or wrong. Standard library only."""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from fixup import fix_checksums, section, sections
from further import copying_zlib, meta, thumbnail
from lossless import (
    HEAD,
    PLAIN,
    SIGNATURE,
    TAIL,
    Recipe,
    file_from_recipe,
    stored,
)

from gscodec._generated import extra_types
from gscodec.reference.container import MAJOR, MINOR
from gscodec.reference.lossless import BYTES, CONSTANT, DIFFERENCE, NUMBER, Weights, Word, read_lossless
from gscodec.reference.lossless_ply import ply_from_lossless

F32, F64 = extra_types.F32, extra_types.F64
LARGEST = (1 << 24) - 1
ONE = file_from_recipe(PLAIN)
LINES = file_from_recipe(replace(PLAIN, form=2))


def at(id: bytes, position: int, value: bytes, base: bytes = ONE) -> bytes:
    """`base` with other bytes at a place in a payload."""
    start = next(payload for found, _, payload, _ in sections(base) if found == id) + position
    return base[:start] + value + base[start + len(value) :]


def resized(id: bytes, change: Callable[[bytes], bytes], base: bytes = ONE, which: int = 0) -> bytes:
    """`base` with another payload of a section."""
    _, start, payload, end = [found for found in sections(base) if found[0] == id][which]
    return base[:start] + section(id, change(base[payload:end])) + base[end + 4 :]


def insert(before: bytes, new: bytes, base: bytes) -> bytes:
    """`base` with sections more."""
    start = next(start for id, start, _, _ in sections(base) if id == before)
    return base[:start] + new + base[start:]


def swapped(number: int, symbol: int) -> Callable[[int, int], int]:
    """Another symbol in place of one of a file."""

    def change(found: int, value: int) -> int:
        return symbol if found == number else value

    return change


def numbers(count: int) -> tuple[Word, ...]:
    """Words that are binary32 numbers, predicted as integers."""
    return (Word(NUMBER, 32, exponent=0),) * count


def plain_weights(bias: Sequence[int], spread: Sequence[int]) -> Weights:
    """Numbers that do not depend on others."""
    m = len(bias)
    return Weights(list(bias), list(spread), [0] * m, *[[[0] * m for _ in range(m)] for _ in range(2)])


def step(k: int, side: int = 0) -> int:
    """(11.9) The symbol of a step."""
    return 1 + 2 * (k + 40) + side


def without_rows(types: Sequence[int], rows: int, packed: bytes, around: bytes) -> bytes:
    """A file of a description and nothing else."""
    sizes = len(around), rows, len(around), 0, zlib.crc32(around)
    start = SIGNATURE + struct.pack("<4BI", MAJOR, MINOR, 1, 1, 0)
    data = start + struct.pack("<I", zlib.crc32(start))
    about = struct.pack("<4QI4BH", *sizes, 0, 0, 0, 0, len(types)) + bytes(types)
    data += section(b"LPLY", about + packed)
    return data + section(b"ENDM", struct.pack("<Q", rows) + hashlib.sha256(data).digest())


# ------------------------------------------------------------ uncommon


def text(values: Sequence[float], notation: int, digits: int) -> bytes:
    """Lines of a binary32 and a binary64 number, byte by byte."""
    script: list[int] = []
    for value in values:
        script += [0, *struct.pack(">f", value), *struct.pack(">d", value)]
    recipe = Recipe(
        types=(F32, F64),
        words=(Word(BYTES, 32),) * 3,
        weights=plain_weights([], []),
        blocks=(len(values),),
        scripts=(tuple(script),),
        form=2,
        notation=notation,
        digits=digits,
    )
    return file_from_recipe(recipe)


ODD = [-0.0, 0.0, float("inf"), float("-inf"), float("nan")]
HALVES = [0.5, 1.5, 2.5, 3.5, 8.5, 9.5, -0.5, -2.5, 1e22, 3e38, 2.0**70, 0.1]
EIGHTHS = [0.125, 0.375, 2.125, 0.5625, 1.005, 2.675, -0.001, -0.125, 0.995, 1e-40]
SHORT = [0.1, 1 / 3, 1e5, 123456.0, 1e16, 1e21, 2.0**24 + 2, 1e-5, 1e-4, 1e-40, 3e38, 2.0**-149]


def small_spreads() -> bytes:
    """Predictions and spreads of 1, 2 and 3."""
    bias, spread = [0, 0, 0, 1, 2, 3, -3, 0], [1, 2, 3, 1, 1, 1, 1, 5]
    row = [0]
    for j in range(len(bias)):
        row += [0, step(j - 3, j & 1), 0x155555]
    recipe = replace(PLAIN, types=(F32,) * 8, words=numbers(8), weights=plain_weights(bias, spread))
    return file_from_recipe(replace(recipe, scripts=(tuple(row * 2),), tables=5))


def clamped() -> bytes:
    """Sums beyond 24 bits by the row before, in both directions."""
    weights = plain_weights([0] * 5, [1] * 5)
    weights.previous[:3] = [32767, -32768, 32767]
    weights.weight[0][2] = -32768
    weights.growth[0][3], weights.growth[0][4] = 32767, -32768
    pattern = {x: struct.unpack("<I", struct.pack("<f", float(x)))[0] for x in (10_000_000, 16_000_000)}
    first = [0]
    for value in (10_000_000, 10_000_000, 16_000_000):
        first += [0, 0, pattern[value]]  # escapes
    first += [0, step(0), 5, 0, step(0), 5]
    # far from predictions of +-(2^24 - 1): distances of 4; the third one's sum is in range at its end only
    second = [0, 0, step(8), 0, 0, step(8), 0, 0, step(8), 0]
    second += [0, step(0), 5, 0, step(0), 5]
    recipe = replace(PLAIN, types=(F32,) * 5, words=numbers(5), weights=weights)
    return file_from_recipe(replace(recipe, scripts=(tuple(first + second),)))


def far() -> bytes:
    """Distances of 1, 2, 3, 4 and more on both sides of both signs."""
    weights = plain_weights([LARGEST, -LARGEST], [1, 1])
    script: list[int] = []
    for k in (0, 4, 6, 8, 13):
        bits = [k & 1] if k >= 8 else []
        for side in (0, 1):
            script.append(0)
            script += [0, step(k, side), *bits] * 2
    recipe = replace(PLAIN, types=(F32, F32), words=numbers(2), weights=weights)
    return file_from_recipe(replace(recipe, blocks=(10,), scripts=(tuple(script),)))


def ends(*signs: int) -> bytes:
    """Numbers that are the last of all patterns of a sign, by their distance to the prediction."""
    m = len(signs)
    weights = plain_weights([sign * LARGEST for sign in signs], [15 << 18] * m)
    words = (Word(NUMBER, 32, exponent=-100),) * m
    script = (0, *(0, step(14), 0) * m)
    return file_from_recipe(
        replace(PLAIN, types=(F32,) * m, words=words, weights=weights, blocks=(1,), scripts=(script,))
    )


def with_others() -> bytes:
    """Sections that decoders of rows skip, in all places that they can have."""
    out = insert(b"LPAR", meta(0, b"before the model") + thumbnail(), ONE)
    out = insert(b"LROW", thumbnail(9) + meta(7, b"wrong", 9), out)
    return fix_checksums(insert(b"ENDM", meta(1, b"{}") + section(b"ZZZZ", b"", 0) + thumbnail(), out))


def window() -> bytes:
    """A head whose zlib stream copies from further back than it says."""
    packed, head = copying_zlib()
    return without_rows((), 0, packed, head)


def uncommon() -> Iterator[tuple[str, str, bytes]]:
    """(name, what it proves, file)."""
    for name, proves, values, notation, digits in [
        ("decimals_0", "without decimals: ties go to the even digit, -0 and what rounds to it keep the sign, large numbers have all their digits", ODD + HALVES, 2, 0),
        ("decimals_2", "with two decimals: ties and what only looks like one", ODD + EIGHTHS, 2, 2),
        ("digits_1", "of one digit: ties to even, a tie that gets an exponent, exponents of two digits at least", ODD + HALVES, 1, 1),
        ("digits_2", "of two digits", ODD + EIGHTHS + [99.5, 2.25, 98.5], 1, 2),
        ("shortest", "as short as they can be, of either width; -0, infinities and what is no number", ODD + SHORT, 0, 0),
    ]:  # fmt: skip
        yield f"lossless_text_{name}", f"Lossless: text of numbers {proves}.", text(values, notation, digits)
    yield (
        "lossless_small_spreads",
        "Lossless: predictions and spreads of 1, 2 and 3, which have less than two bits after the first.",
        small_spreads(),
    )
    yield (
        "lossless_clamped",
        "Lossless: predictions and spreads that the row before and the numbers before lead beyond 24 bits, and one whose sum does so only on its way.",
        clamped(),
    )
    yield (
        "lossless_far",
        "Lossless: numbers 1, 2, 3, 4 and more away from predictions of either sign, on both sides.",
        far(),
    )
    yield (
        "lossless_far_ends",
        "Lossless: distances that lead to the last pattern of either sign, exactly.",
        ends(1, -1),
    )
    yield (
        "lossless_others",
        "Lossless: metadata, thumbnails and an unknown section in all places that they can have; some payloads are wrong, which concerns nobody who decodes rows.",
        with_others(),
    )
    yield (
        "lossless_window",
        "Lossless: a zlib stream that copies from 300 bytes back, though its header states a window of 256: the window is not looked at.",
        window(),
    )


# ------------------------------------------------------------ faulty


def with_constants(bias: int, spread: int) -> bytes:
    """Another bias and spread."""
    new = stored(struct.pack("<2ih", bias, spread, 0))
    return resized(b"LPAR", lambda p: p[:8] + new + p[8 + len(new) :])


def early_text() -> bytes:
    """Two lines, the first too long with what is around it, the block of the second broken."""
    base = file_from_recipe(replace(PLAIN, form=2, blocks=(1, 1), scripts=((0, 0, 81, 5), (0, 0, 83, 7))))
    whole = ply_from_lossless(read_lossless(base))
    first = whole.index(b"\n", len(HEAD)) + 1 - len(HEAD)
    short = at(b"LPLY", 0, struct.pack("<Q", len(HEAD) + first + len(TAIL) - 1), base)
    return resized(b"LROW", lambda p: p + b"\0", short, 1)


def beyond(sign: int) -> bytes:
    """One more than the distance to the last pattern."""
    return resized(b"LROW", lambda p: p[:-3] + b"\1" + p[-2:], ends(sign))


def without_bits(bits: int, token: int) -> bytes:
    """A difference with a token of too many bits."""
    type = {8: extra_types.U8, 16: extra_types.U16, 32: extra_types.U32}[bits]
    weights = plain_weights([], [])
    recipe = replace(PLAIN, types=(type,), words=(Word(DIFFERENCE, bits),), weights=weights, scripts=((),))
    return file_from_recipe(replace(recipe, change=swapped(1, token)))


def wrong_distance(k: int, low: int = 0) -> bytes:
    """A step that leads to no distance, instead of an escape."""
    words = (Word(NUMBER, 32, exponent=0, low=low),)
    recipe = replace(PLAIN, words=words, weights=plain_weights([LARGEST], [1]), blocks=(1,))
    return file_from_recipe(replace(recipe, scripts=((0, 0, 0, 1),), change=swapped(2, step(k))))


def faults() -> Iterator[tuple[str, str, str, bytes]]:
    """(name, code, what it proves, file) of every fault, checksums repaired."""
    constant = file_from_recipe(
        replace(PLAIN, types=(extra_types.U8,), words=(Word(CONSTANT, 8, 7),), weights=plain_weights([], []), scripts=((),))
    )  # fmt: skip
    integer = file_from_recipe(
        replace(PLAIN, types=(extra_types.U32,), words=(Word(BYTES, 32),), weights=plain_weights([], []), scripts=((),))
    )  # fmt: skip
    around = HEAD + TAIL
    cases = [
        ("range_notation_3", "lossless.range", "A notation without meaning.", at(b"LPLY", 37, b"\3", LINES)),
        ("range_digits", "lossless.range", "A number of digits where numbers are as short as they can be.", at(b"LPLY", 38, b"\1", LINES)),
        ("range_digits_0", "lossless.range", "Numbers of no digit.", at(b"LPLY", 37, b"\1\0", LINES)),
        ("range_digits_19", "lossless.range", "Numbers of 19 digits.", at(b"LPLY", 37, b"\1\x13", LINES)),
        ("range_decimals_19", "lossless.range", "Numbers with 19 decimals.", at(b"LPLY", 37, b"\2\x13", LINES)),
        ("range_line_end", "lossless.range", "A third bit of the line end.", at(b"LPLY", 39, b"\4", LINES)),
        ("range_line_end_binary", "lossless.range", "A line end in a binary file.", at(b"LPLY", 39, b"\1")),
        ("range_columns", "lossless.range", "257 columns.", at(b"LPLY", 40, struct.pack("<H", 257))),
        ("range_words", "lossless.range", "129 columns of doubles: each is allowed, their 258 words are not.", without_rows([F64] * 129, 0, stored(around), around)),
        ("range_no_columns", "lossless.range", "A row without columns.", without_rows([], 1, stored(around), around)),
        ("range_constant", "lossless.range", "A constant byte of 256.", at(b"LPAR", 1, struct.pack("<I", 256), constant)),
        ("range_coding_integer", "lossless.range", "An integer that is coded as a number.", at(b"LPAR", 0, b"\3", integer)),
        ("range_bias", "lossless.range", "A bias of 2^24.", with_constants(1 << 24, 1)),
        ("range_spread", "lossless.range", "A spread of -2^24.", with_constants(0, -(1 << 24))),
        ("range_spread_low", "lossless.range", "A spread of -2^31, whose magnitude a signed integer of 32 bits does not have.", with_constants(0, -(1 << 31))),
        ("order_packed", "lossless.deflate", "Weights that are no zlib stream, and no table: the weights come first.",
         resized(b"LPAR", lambda p: p[:8] + b"\0" + p[9:29] + b"\0" + p[30:])),
        ("order_perm", "container.order", "A permutation, which rows do not need.", insert(b"ENDM", section(b"PERM", bytes(12), 0), ONE)),
        ("section_required_thmb", "container.section_required", "A thumbnail never has to be understood.", insert(b"LPAR", section(b"THMB", bytes(8)), ONE)),
        ("symbol_token_8", "lossless.symbol", "A difference of bytes with a token of 2^8 and more; its low bits would be missing, too.", without_bits(8, 32)),
        ("symbol_token_16", "lossless.symbol", "The same of 16 bits.", without_bits(16, 64)),
        ("symbol_token_32", "lossless.symbol", "The same of 32 bits: the token over 127 is no entropy.token here.", without_bits(32, 128)),
        ("value_negative", "lossless.value", "A distance whose size is below 0.", wrong_distance(0, 21)),
        ("value_quarter", "lossless.value", "A distance of 5/4.", wrong_distance(1)),
        ("value_half", "lossless.value", "A distance of 5/2.", wrong_distance(5)),
        ("value_above", "lossless.value", "A distance that leads one beyond the last pattern.", beyond(1)),
        ("value_below", "lossless.value", "The same below the first.", beyond(-1)),
        ("text_early", "lossless.text", "With head and tail, the first line is a byte too long, and the block of the second is broken: the size is looked at after each block.", early_text()),
    ]  # fmt: skip
    for name, code, proves, data in cases:
        yield f"lossless_{name}", code, proves, fix_checksums(data)
    end = next(payload for id, _, payload, _ in sections(ONE) if id == b"ENDM")
    damaged = ONE[: end - 16] + section(b"ENDM", ONE[end : end + 8] + bytes(32))
    yield "lossless_hash", "container.hash", "All checksums are right, but the SHA-256 is not.", damaged
