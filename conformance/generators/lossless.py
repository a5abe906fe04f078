"""Files of the lossless profile from integers: at random, with chosen values, or wrong on purpose.

The reference decoder asks for symbols and low bits; here they are drawn or come from a script. Standard
library only; the zlib streams are stored ones, whose bytes every machine makes alike.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, replace

from fixup import fix_checksums, section
from rans import LaneWriter, draft_table, write_context_map, write_table

from gscodec._generated import extra_types
from gscodec.errors import Malformed
from gscodec.reference.container import MAJOR, MINOR
from gscodec.reference.faults import Place
from gscodec.reference.lossless import (
    BYTES,
    CONSTANT,
    DIFFERENCE,
    NUMBER,
    Model,
    Weights,
    Word,
    give_contexts,
    read_lossless,
    word_bits,
)
from gscodec.reference.lossless import Description as Fields
from gscodec.reference.lossless_ply import line, ply_from_lossless
from gscodec.reference.lossless_rows import Rows, read_row

SIGNATURE = bytes.fromhex("894753430D0A1A0A")
HEAD, TAIL = b"ply\nrows follow\n", b"and something after them"
TYPES = [row.value for row in extra_types.ROWS if row.value <= extra_types.F64]


def stored(data: bytes) -> bytes:
    """A zlib stream that compresses nothing."""
    pieces = [data[i : i + 0xFFFF] for i in range(0, len(data), 0xFFFF)] or [b""]
    out = b"\x78\x01"
    for i, piece in enumerate(pieces):
        out += struct.pack("<BHH", i + 1 == len(pieces), len(piece), len(piece) ^ 0xFFFF) + piece
    return out + struct.pack(">I", zlib.adler32(data))


@dataclass
class DrawnRows(Rows):
    """A block whose symbols and bits are drawn, or come from a script, and are noted."""

    dice: random.Random = field(default_factory=lambda: random.Random(0))
    script: list[int] | None = None
    symbols: list[tuple[int, int]] = field(default_factory=list)
    noted: list[tuple[int, int]] = field(default_factory=list)  # bits: value, count
    change: Callable[[int, int], int] = lambda _number, symbol: symbol

    def symbol(self, context: int, allowed: Container[int]) -> int:
        if self.script is not None:
            value = self.script.pop(0) if self.script else 0
        else:
            value = self.dice.choice([s for s in range(256) if s in allowed][: self.dice.choice((2, 4, 256))])
        self.symbols.append((context, self.change(len(self.symbols), value)))
        return value

    def bits(self, count: int) -> int:
        if self.script is not None:
            value = self.script.pop(0) if self.script else 0
        else:
            value = self.dice.choice((0, (1 << count) - 1, self.dice.getrandbits(count) if count else 0))
        self.noted.append((value, count))
        return value


@dataclass(frozen=True)
class Recipe:
    """A file: what LPLY says beside sizes, the model, and the symbols and bits of its blocks."""

    types: tuple[int, ...] = (extra_types.F32,)
    words: tuple[Word, ...] = (Word(NUMBER, 32, exponent=16),)
    weights: Weights = field(default_factory=lambda: Weights([0], [65536], [0], [[0]], [[0]]))
    blocks: tuple[int, ...] = (2,)  # rows of each
    scripts: tuple[tuple[int, ...], ...] = ((),)
    seed: int | None = None
    form: int = 0
    notation: int = 0
    digits: int = 0
    line_end: int = 0
    lanes: int = 1
    tables: int = 1
    level: int = 1
    change: Callable[[int, int], int] = lambda _number, symbol: symbol
    ignorable: bool = False


def draw_block(recipe: Recipe, model: Model, which: int) -> DrawnRows:
    """The values of a block; rows that come out wrong by chance are drawn again."""
    rows = DrawnRows(
        model=model,
        lanes=[],
        low=0,
        low_left=0,
        place=Place("LROW", 0),
        low_place=Place("LROW", 0),
        dice=random.Random(f"{recipe.seed} {which}"),
        script=None if recipe.seed is not None else list(recipe.scripts[which]),
        change=recipe.change,
    )
    rows.last, rows.sizes = [0] * len(model.weights.bias), [0] * len(model.words)
    for i in range(recipe.blocks[which]):
        while True:
            kept = (len(rows.symbols), len(rows.noted), rows.had_source, list(rows.last), list(rows.sizes))
            try:
                read_row(rows, i)
                break
            except Malformed:
                if recipe.seed is None:
                    raise
                del rows.symbols[kept[0] :], rows.noted[kept[1] :]
                rows.had_source, rows.last, rows.sizes = kept[2:]
    return rows


def low_bytes(noted: list[tuple[int, int]]) -> bytes:
    """(11.7) Low bits as bytes."""
    value = count = 0
    for bits, width in noted:
        value |= bits << count
        count += width
    return value.to_bytes((count + 7) // 8, "little")


def model_payload(recipe: Recipe, model: Model, drafts: list, packed: bytes | None = None) -> bytes:  # type: ignore[type-arg]
    """(11.6) The payload of LPAR."""
    out = b""
    for word in model.words:
        out += bytes([word.coding])
        if word.coding == CONSTANT:
            out += struct.pack("<I", word.constant)
        elif word.coding == NUMBER:
            out += struct.pack("<hB", word.exponent, word.low)
    w, m = model.weights, len(model.weights.bias)
    pairs = [(earlier, later) for later in range(m) for earlier in range(later)]
    values = [each[earlier][later] for each in (w.weight, w.growth) for earlier, later in pairs]
    if packed is None:
        packed = stored(struct.pack(f"<{2 * m}i{m + len(values)}h", *w.bias, *w.spread, *w.previous, *values))
    lane = LaneWriter()
    for draft in drafts:
        write_table(lane, draft)
    write_context_map(lane, model.contexts, len(drafts), random.Random(0))
    words = lane.words()
    out += struct.pack("<I", len(packed)) + packed
    return out + struct.pack(f"<BI{len(words)}I", len(drafts), len(words), *words)


def block_payload(recipe: Recipe, rows: DrawnRows, model: Model, count: int) -> bytes:
    """(11.7) The payload of LROW."""
    writers = [LaneWriter() for _ in range(recipe.lanes)]
    for number, (context, symbol) in enumerate(rows.symbols):
        writers[number % recipe.lanes].symbol(symbol, model.tables[model.contexts[context]])
    words = [writer.words() for writer in writers]
    out = struct.pack(f"<IB{len(words)}I", count, len(words), *map(len, words))
    return out + b"".join(struct.pack(f"<{len(w)}I", *w) for w in words) + low_bytes(rows.noted)


def file_from_recipe(recipe: Recipe) -> bytes:
    """A complete file; its sizes and CRC-32 are right."""
    model = Model([replace(word) for word in recipe.words], recipe.weights, [], [])
    contexts = give_contexts(model.words)
    dice = random.Random(f"map {recipe.seed}")
    model.contexts = [dice.randrange(recipe.tables) for _ in range(contexts)]
    drawn = [draw_block(recipe, model, which) for which in range(len(recipe.blocks))]
    counts: list[dict[int, int]] = [{} for _ in range(recipe.tables)]
    for rows in drawn:
        for context, symbol in rows.symbols:
            mine = counts[model.contexts[context]]
            mine[symbol] = mine.get(symbol, 0) + 1
    drafts = [draft_table(count or {0: 1}, 12) for count in counts]
    model.tables = [draft.table for draft in drafts]
    body = [section(b"LPAR", model_payload(recipe, model, drafts))]
    if recipe.ignorable:
        body = [section(b"QQQQ", b"?", 0), *body, section(b"META", b"{}", 0)]
    for rows, count in zip(drawn, recipe.blocks, strict=True):
        body.append(section(b"LROW", block_payload(recipe, rows, model, count)))
    total = sum(recipe.blocks)
    size = sum(extra_types.ROWS[type].bytes for type in recipe.types) * total
    fields = [recipe.form, recipe.notation, recipe.digits, recipe.line_end]

    def whole(file_bytes: int, crc: int) -> bytes:
        about = struct.pack(
            "<4QI4BH", file_bytes, total, len(HEAD), len(TAIL), crc, *fields, len(recipe.types)
        )
        start = SIGNATURE + struct.pack("<4BI", MAJOR, MINOR, 1, recipe.level, 0)
        data = start + struct.pack("<I", zlib.crc32(start))
        data += section(b"LPLY", about + bytes(recipe.types) + stored(HEAD + TAIL)) + b"".join(body)
        return data + section(b"ENDM", struct.pack("<Q", total) + hashlib.sha256(data).digest())

    if recipe.change.__name__ != "<lambda>":
        return whole(len(HEAD) + size + len(TAIL), 0)
    if recipe.form == 2:
        size = len(_text(recipe, drawn))
    file_bytes = len(HEAD) + size + len(TAIL)
    ply = ply_from_lossless(read_lossless(whole(file_bytes, 0)), verify=False)
    return whole(file_bytes, zlib.crc32(ply))


def _text(recipe: Recipe, drawn: list[DrawnRows]) -> bytes:
    about = Fields(
        0, 0, 0, 0, 0, 2, recipe.notation, recipe.digits, recipe.line_end, list(recipe.types), b"",
        Place("LPLY", 0), Place("LPLY", 0),
    )  # fmt: skip
    return b"".join(line(row, about) for rows in drawn for row in rows.rows)


# ------------------------------------------------------------ at random


def recipe_from_seed(seed: int) -> Recipe:
    """A recipe drawn at random; every coding, type, form and width may be in it."""
    dice = random.Random(f"lossless {seed}")
    types = tuple(
        dice.choice([*TYPES, extra_types.F32, extra_types.F32]) for _ in range(dice.randrange(1, 8))
    )
    about = Fields(0, 0, 0, 0, 0, 0, 0, 0, 0, list(types), b"", Place("", 0), Place("", 0))
    is_number = [
        t == extra_types.F32 for t in types for _ in range(2 if extra_types.ROWS[t].bytes == 8 else 1)
    ]
    words = []
    for bits, number in zip(word_bits(about), is_number, strict=True):
        coding = dice.choice([CONSTANT, DIFFERENCE, BYTES, *([NUMBER] * 6 if number else [])])
        constant = dice.getrandbits(bits) if coding == CONSTANT else 0
        exponent, low = (
            (dice.choice((-100, 120, 16, 10, 0)), dice.choice((0, 0, 21, 13))) if coding == NUMBER else (0, 0)
        )
        words.append(Word(coding, bits, constant, exponent, low))
    m = sum(word.coding == NUMBER for word in words)
    largest = (1 << 24) - 1

    def drawn(most: int, count: int) -> list[int]:
        return [dice.choice((0, most, -most, dice.randrange(-most, most + 1), 1)) for _ in range(count)]

    weight, growth = [[[0] * m for _ in range(m)] for _ in range(2)]
    for later in range(m):
        for earlier in range(later):
            weight[earlier][later] = drawn(dice.choice((32767, 4096)), 1)[0]
            growth[earlier][later] = drawn(dice.choice((32767, 2048)), 1)[0]
    weights = Weights(drawn(largest, m), drawn(largest, m), drawn(4096, m), weight, growth)
    form = dice.randrange(3)
    notation = dice.randrange(3) if form == 2 else 0
    digits = dice.randrange(1, 19) if notation else 0
    return Recipe(
        types=types,
        words=tuple(words),
        weights=weights,
        blocks=tuple(dice.randrange(1, 7) for _ in range(dice.randrange(1, 4))),
        seed=seed,
        form=form,
        notation=notation,
        digits=digits,
        line_end=dice.randrange(4) if form == 2 else 0,
        lanes=dice.choice((1, 2, 4)),
        tables=dice.choice((1, 2, 5)),
        level=dice.choice((1, 2)),
        ignorable=dice.random() < 0.3,
    )


def file_from_seed(seed: int) -> bytes:
    """A random valid file."""
    return file_from_recipe(recipe_from_seed(seed))


# ------------------------------------------------------------ wrong on purpose

# One number a row, no prediction: per row a repeat flag, then kind and value.
PLAIN = Recipe(blocks=(2,), scripts=((0, 0, 81, 5, 0, 0, 83, 7),))


def _at(id: bytes, position: int, value: bytes, base: bytes, which: int = 0) -> bytes:
    from fixup import sections

    start = [payload for found, _, payload, _ in sections(base) if found == id][which]
    return base[: start + position] + value + base[start + position + len(value) :]


def _resized(id: bytes, change: Callable[[bytes], bytes], base: bytes) -> bytes:
    from fixup import sections

    for found, start, payload, end in sections(base):
        if found == id:
            return base[:start] + section(id, change(base[payload:end])) + base[end + 4 :]
    raise ValueError(id)


def _without(id: bytes, base: bytes) -> bytes:
    from fixup import sections

    for found, start, _, end in sections(base):
        if found == id:
            return base[:start] + base[end + 4 :]
    raise ValueError(id)


def _swapped(number: int, symbol: int) -> Callable[[int, int], int]:
    def change(at: int, value: int) -> int:
        return symbol if at == number else value

    return change


def faults() -> Iterator[tuple[str, str, str, bytes]]:
    """(name, code, what it proves, file) of every fault, checksums repaired."""
    base = file_from_recipe(PLAIN)
    cases = [
        ("flags", "container.flags", "Stream mode, which the profile does not have.", base[:12] + b"\1" + base[13:]),
        ("order", "container.order", "Rows without a model.", _without(b"LPAR", base)),
        ("order_first", "container.order", "No description.", _without(b"LPLY", base)),
        ("core_section", "container.order", "A scene header, which is no section of the profile.",
         _without(b"LPAR", base)[:-60] + section(b"SCEN", bytes(74)) + base[-60:]),
        ("length", "lossless.length", "A description that ends within its fields.", _resized(b"LPLY", lambda p: p[:30], base)),
        ("length_model", "lossless.length", "A model with a byte too many.", _resized(b"LPAR", lambda p: p + b"\0", base)),
        ("length_rows", "lossless.length", "Lanes beyond the end of a block.", _at(b"LROW", 5, struct.pack("<I", 99), base)),
        ("range_form", "lossless.range", "Form 3.", _at(b"LPLY", 36, b"\3", base)),
        ("range_notation", "lossless.range", "A notation in a binary file.", _at(b"LPLY", 37, b"\1", base)),
        ("range_type", "lossless.range", "A column of 64-bit integers, which PLY does not have.", _at(b"LPLY", 42, b"\x08", base)),
        ("range_sizes", "lossless.range", "Parts that do not add up to the file.", _at(b"LPLY", 0, b"\x77", base)),
        ("range_coding", "lossless.range", "Coding 4.", _at(b"LPAR", 0, b"\4", base)),
        ("range_exponent", "lossless.range", "An exponent of 121.", _at(b"LPAR", 1, struct.pack("<h", 121), base)),
        ("range_low", "lossless.range", "22 bits that are 0.", _at(b"LPAR", 3, b"\x16", base)),
        ("range_lanes", "lossless.range", "3 lanes.", _at(b"LROW", 4, b"\3", base)),
        ("range_rows", "lossless.range", "A block of 2^18 + 1 rows.", _at(b"LROW", 0, struct.pack("<I", (1 << 18) + 1), base)),
        ("range_tables", "lossless.range", "No table.", _resized(b"LPAR", lambda p: p[:29] + b"\0" + p[30:], base)),
        ("count_block", "lossless.count", "A block with more rows than the file.", _at(b"LROW", 0, b"\3", base)),
        ("count_end", "lossless.count", "Fewer rows than the description says.", _without(b"LROW", base)),
        ("count_mark", "lossless.count", "An end mark with another count.", _at(b"ENDM", 0, b"\1", base)),
        ("deflate", "lossless.deflate", "A zlib stream with a wrong Adler-32.", _resized(b"LPLY", lambda p: p[:-1] + bytes([p[-1] ^ 1]), base)),
        ("deflate_long", "lossless.deflate", "A byte after the zlib stream.", _resized(b"LPLY", lambda p: p + b"\0", base)),
        ("deflate_size", "lossless.deflate", "A stream of a byte less than stated, the file a byte larger.",
         _at(b"LPLY", 0, struct.pack("<Q", len(HEAD) + len(TAIL) + 9), _at(b"LPLY", 16, struct.pack("<Q", len(HEAD) + 1), base))),
        ("deflate_weights", "lossless.deflate", "Weights that are no zlib stream.", _at(b"LPAR", 8, b"\0", base)),
        ("symbol_repeat", "lossless.symbol", "A repeat flag of 2.", file_from_recipe(replace(PLAIN, change=_swapped(0, 2)))),
        ("symbol_kind", "lossless.symbol", "The kind of a source that is not there.", file_from_recipe(replace(PLAIN, change=_swapped(1, 2)))),
        ("symbol_previous", "lossless.symbol", "The row before the first.", file_from_recipe(replace(PLAIN, change=_swapped(1, 3)))),
        ("symbol_value", "lossless.symbol", "Symbol 125 of a number.", file_from_recipe(replace(PLAIN, change=_swapped(2, 125)))),
        ("source_first", "lossless.source", "A source of the first row.", file_from_recipe(replace(PLAIN, change=_swapped(0, 1)))),
        ("source", "lossless.source", "Row 3 repeats row 3.", _bad_source()),
        ("value", "lossless.value", "An exponent below 0.",
         file_from_recipe(replace(PLAIN, words=(Word(NUMBER, 32, exponent=120),), scripts=((0, 0, 81, 5, 0, 0, 83, 7),),
                                  weights=Weights([0], [1], [0], [[0]], [[0]]), change=_swapped(2, 1)))),
        ("bits_short", "lossless.bits", "Low bits that end early.", _resized(b"LROW", lambda p: p[:-3], base)),
        ("bits_long", "lossless.bits", "A byte of low bits too many.", _resized(b"LROW", lambda p: p + b"\0", base)),
        ("bits_filling", "lossless.bits", "Filling that is not 0.", _resized(b"LROW", lambda p: p[:-1] + bytes([p[-1] | 0x80]), base)),
        ("end", "entropy.end", "A block whose lane goes on after its last row.", _shortened(base)),
        ("text", "lossless.text", "Text that is longer than stated.", _text_fault(-1)),
        ("text_short", "lossless.text", "Text that is shorter than stated.", _text_fault(1)),
        ("crc", "lossless.crc", "A PLY file with another CRC-32.", _at(b"LPLY", 32, b"\0\0\0\0", base)),
        ("limit_rows", "limit.splats", "2^24 + 1 rows at level 1.", _at(b"LPLY", 8, struct.pack("<Q", (1 << 24) + 1), base)),
        ("limit_bytes", "limit.decoded_bytes", "A PLY file of over 4 GiB at level 1.", _at(b"LPLY", 0, struct.pack("<Q", (1 << 32) + 1), base)),
    ]  # fmt: skip
    for name, code, proves, data in cases:
        yield f"lossless_{name}", code, proves, fix_checksums(data)


def _shortened(base: bytes) -> bytes:
    """All counts say one row, not two."""
    size = len(HEAD) + 4 + len(TAIL)
    counted = _at(b"LPLY", 0, struct.pack("<QQ", size, 1), _at(b"LROW", 0, struct.pack("<I", 1), base))
    return _at(b"ENDM", 0, struct.pack("<Q", 1), counted)


def _bad_source() -> bytes:
    """The two low bits that name the source of row 3 say 3; they are the last of three bytes."""
    script = (0, 0, 81, 5, 1, 0, 2, 1, 1, 2, 1, 0, 2)
    data = file_from_recipe(replace(PLAIN, blocks=(4,), scripts=(script,)))
    return _resized(b"LROW", lambda p: p[:-1] + bytes([p[-1] | 0xC0]), data)


def _text_fault(more: int) -> bytes:
    """A text file whose stated size is off."""
    data = file_from_recipe(replace(PLAIN, form=2))
    size = len(ply_from_lossless(read_lossless(data)))
    return _at(b"LPLY", 0, struct.pack("<Q", size + more), data)


# ------------------------------------------------------------ uncommon

SEEDS = (1, 2, 3, 4, 5, 6, 7, 8)


def uncommon() -> Iterator[tuple[str, str, bytes]]:
    """(name, what it proves, file)."""
    for seed in SEEDS:
        recipe = recipe_from_seed(seed)
        names = ", ".join(extra_types.NAMES[type] for type in recipe.types)
        yield (
            f"lossless_random_{seed:03}",
            f"Lossless: words, weights, tables and values drawn at random (seed {seed}): columns {names}, "
            f"{len(recipe.blocks)} blocks, form {recipe.form}.",
            file_from_recipe(recipe),
        )
    yield (
        "lossless_crowd",
        "Lossless: 20,000 rows of constants and repeat flags of 0: there is not a single word to decode.",
        crowd(),
    )


def crowd() -> bytes:
    """A block of 20,000 rows of one constant byte."""
    recipe = replace(
        PLAIN,
        types=(extra_types.U8,),
        words=(Word(CONSTANT, 8, 7),),
        weights=Weights([], [], [], [], []),
        blocks=(20_000,),
        scripts=((),),
    )
    return file_from_recipe(recipe)
