"""META, THMB and PERM sections, and steps of extra attributes: files with them, right and wrong.

Nobody who decodes splats looks into META and THMB: files in which they are wrong decode like those where they are
right, and the manifest says what a reader of metadata has to find. Standard library only.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from craft import (
    PLAIN,
    Recipe,
    end_section,
    file_from_recipe,
    file_header,
    payloads,
    scene_section,
)
from fixup import section, sections
from hello import RECIPE, hello
from rans import LaneWriter, draft_table, token_of, write_table, zigzag

from gscodec._generated import extra_codings, extra_types
from gscodec.reference.container import ExtraAttribute

Case = tuple[str, str, str, bytes]  # name, code, what it proves, file
STREAM = hello()
SEVERAL = 3  # its splats
PICTURE = {
    0: b"\x89PNG\r\n\x1a\n" + bytes(8),
    1: b"RIFF\x0c\0\0\0WEBPVP8 ",
}  # the starts of pictures are enough
MEGABYTE = bytes(1 << 20)
RUN = 65_536  # splats of a stream of PERM


def insert(before: bytes, new: bytes, base: bytes = STREAM) -> bytes:
    """`base` with sections more."""
    start = next(start for id, start, _, _ in sections(base) if id == before)
    return base[:start] + new + base[start:]


def meta(kind: int, data: bytes, compression: int = 0, size: int | None = None, reserved: int = 0) -> bytes:
    """(2.12) A META section."""
    stated = len(data) if size is None else size
    return section(b"META", struct.pack("<BBHQ", kind, compression, reserved, stated) + data, 0)


def packed(kind: int, text: bytes, size: int | None = None) -> bytes:
    """(2.12) The same, compressed. Stored blocks: other versions of zlib would find other bytes."""
    return meta(kind, zlib.compress(text, 0), 1, len(text) if size is None else size)


def thumbnail(kind: int = 0, width: int = 4, height: int = 3, first: int = 0, second: int = 0, image: bytes = PICTURE[0]) -> bytes:  # fmt: skip
    """(2.13) A THMB section."""
    return section(b"THMB", struct.pack("<BBHHH", kind, first, width, height, second) + image, 0)


def order(steps: Sequence[int], *, count: int | None = None, lanes: int = 1, words: Sequence[int] | None = None, table: Sequence[int] | None = None, extra: bytes = b"", counts: bytes | None = None) -> bytes:  # fmt: skip
    """(5.16) A PERM section of these differences; some of its parts may be replaced."""
    tokens = [token_of(zigzag(step)) for step in steps]
    draft = draft_table({t: tokens.count(t) for t in tokens} or {0: 1}, 10)
    lane = LaneWriter()
    write_table(lane, draft)
    stored = lane.words() if table is None else list(table)
    coded = []
    for start in range(0, max(1, len(steps)), RUN):
        writers = [LaneWriter() for _ in range(lanes)]
        for i, step in enumerate(steps[start : start + RUN]):
            writers[i % lanes].hybrid(zigzag(step), draft.table)
        coded.append([writer.words() for writer in writers])
    if words is not None:
        coded = [[list(words)]]
    out = struct.pack(f"<QI{len(stored)}I", len(steps) if count is None else count, len(stored), *stored)
    if counts is None:
        counts = b"".join(struct.pack(f"<B{len(run)}I", len(run), *map(len, run)) for run in coded)
    out += counts + b"".join(struct.pack(f"<{len(each)}I", *each) for run in coded for each in run)
    return section(b"PERM", out + extra, 0)


def steps_of(ranks: Sequence[int]) -> list[int]:
    """Differences, the first of a run from -1."""
    return [rank - (ranks[i - 1] if i % RUN else -1) for i, rank in enumerate(ranks)]


TURNED = order(steps_of([2, 0, 1]))


def ordered(new: bytes) -> bytes:
    """The file with a PERM section."""
    return insert(b"ENDM", new)


# ------------------------------------------------------------ valid for decoders of splats


def stepped() -> bytes:
    """Attributes in steps at the ends of all ranges."""
    code = extra_codings.STEPPED
    ends = [-(1 << 31), (1 << 31) - 1, 1]  # differences that lead to -2^31, -1, 0
    extras = [
        ExtraAttribute(64, extra_types.F32, 1, code, "large", 65_535, 80),
        ExtraAttribute(65, extra_types.F32, 2, code, "small", 3, -150),
        ExtraAttribute(66, extra_types.F32, 1, code, "smaller", 65_535, -200),
        ExtraAttribute(67, extra_types.F64, 1, code, "largest", 65_535, 976),
        ExtraAttribute(68, extra_types.F64, 2, code, "smallest", 1, -1074),
        ExtraAttribute(69, extra_types.F32, 1, code, "ties", 1, 0),
    ]
    script = {
        **RECIPE.script,
        "extra 0": ends,
        "extra 1": [1, -1, 1, 5, (1 << 31) - 3, -7],
        "extra 2": ends,
        "extra 3": ends,
        "extra 4": [1, -1, 4, 9, -5, -8],
        "extra 5": [(1 << 24) + 1, 2, 2],
    }
    return file_from_recipe(replace(RECIPE, extras=extras, script=script))


def uncommon_files() -> Iterator[tuple[str, str, bytes]]:
    """(name, what it proves, file)"""
    yield (
        "extra_steps",
        "Attributes in steps: the largest and smallest exponents and multiples, denormal numbers, ties when a multiple becomes binary32; two components of f64 in one word each.",
        stepped(),
    )
    yield "perm", "A permutation of three splats: the last one of the file comes first.", ordered(TURNED)
    yield (
        "perm_identity",
        "The order of the file itself: a table of one symbol, and not a word.",
        ordered(order([1, 1, 1])),
    )
    yield (
        "perm_lanes",
        "A permutation in four lanes for three splats: one lane is empty.",
        ordered(order(steps_of([1, 2, 0]), lanes=4)),
    )
    yield (
        "perm_round",
        "Differences that go round several times: ranks are modulo the count.",
        ordered(order([1 + 3 * 700_000_000, -1 - 9, 1 - (1 << 31) + 2])),
    )
    yield (
        "perm_then_others",
        "After a permutation, metadata, a thumbnail and an unknown section.",
        ordered(TURNED + meta(0, b"last") + thumbnail() + section(b"ZZZZ", b"?", 0)),
    )
    yield (
        "perm_of_nothing",
        "A permutation of a scene without splats.",
        insert(b"ENDM", order([], counts=b""), empty()),
    )
    texts = (
        meta(0, "two\nlines, größer".encode())
        + packed(1, b'{"a": [1, 2]}')
        + meta(2, b"<x:xmpmeta/>")
        + packed(0, b"")
        + meta(1, b"")
    )
    yield (
        "meta",
        "Metadata of every kind, as it is and compressed, empty ones among them.",
        insert(b"PARM", texts),
    )
    yield (
        "thmb",
        "A thumbnail of each kind of file that decoders of splats skip.",
        insert(b"PARM", thumbnail(1, 65_535, 1, image=PICTURE[1])),
    )
    yield "perm_runs", PERM_RUNS, two_runs()
    yield (
        "meta_mark",
        "Texts with U+FEFF at their start: readers hand it out.",
        insert(b"PARM", meta(0, "\ufeffa comment".encode()) + packed(1, "\ufeff{}".encode())),
    )
    stream, text = copying_zlib()
    yield (
        "meta_zlib_window",
        "A zlib stream that copies from 300 bytes back, though its header states a window of 256.",
        insert(b"PARM", meta(0, stream, 1, len(text))),
    )
    yield "meta_64", "As many META sections as are allowed.", insert(b"CHNK", meta(0, b"") * 64)
    for name, _, text, data in wrong():
        yield name, f"{text} Only readers of metadata find it; the splats are right.", data


PERM_RUNS = (
    "A permutation of 65,539 splats has two streams; the last three splats come out among the others. The first rank "
    "of the second stream starts from -1, too."
)


def two_runs() -> bytes:
    """A chunk of 65,536 splats that are all alike, without a word, and the three of `hello`."""
    alike = Recipe(depth=0)
    parameters, chunk = payloads(alike)
    many = struct.pack("<I", RUN)
    crowd = chunk[:4] + many + chunk[8:43] + many + chunk[47:]
    three = replace(RECIPE, parameters=replace(RECIPE.parameters, id=1))
    last = [40_000, 5, RUN + 2]
    ranks = [rank for rank in range(RUN + 3) if rank not in last] + last
    parts = [(b"PARM", parameters), (b"CHNK", crowd), *zip((b"PARM", b"CHNK"), payloads(three), strict=True)]
    out = file_header() + scene_section(alike, RUN + 3, 2) + b"".join(section(*part) for part in parts)
    return out + order(steps_of(ranks)) + end_section(RUN + 3)


def copying_zlib() -> tuple[bytes, bytes]:
    """A zlib stream by hand, and its text: 300 bytes, then a copy of 258 of them; its header says 256 (RFC 1950)."""
    start = bytes(97 + (i * i // 7) % 26 for i in range(300))
    bits = [1, 1, 0]  # the last block, fixed codes
    for byte in start:
        bits += [(48 + byte) >> k & 1 for k in reversed(range(8))]
    bits += [1, 1, 0, 0, 0, 1, 0, 1]  # length 258
    bits += [1, 0, 0, 0, 0] + [(300 - 257) >> k & 1 for k in range(7)] + [0] * 7  # distance 300, the end
    bits += [0] * (-len(bits) % 8)
    data = bytes(sum(bit << k for k, bit in enumerate(bits[i : i + 8])) for i in range(0, len(bits), 8))
    text = start + start[:258]
    whole = b"\x08\x1d" + data + struct.pack(">I", zlib.adler32(text))
    if zlib.decompress(whole) != text:
        raise ValueError("the stream does not hold what it should")
    return whole, text


def empty() -> bytes:
    """No splats."""
    start = STREAM[: next(s for id, s, _, _ in sections(STREAM) if id == b"SCEN")]
    scene = struct.pack("<QI8Bf3d6fH", 0, 0, *[0] * 8, 0.0, *[0.0] * 9, 0)
    return start + section(b"SCEN", scene) + section(b"ENDM", struct.pack("<Q", 0))


def wrong() -> Iterator[Case]:
    """Metadata and thumbnails that are wrong."""

    def about(new: bytes) -> bytes:
        return insert(b"PARM", new)

    yield (
        "meta_cut",
        "meta.length",
        "Metadata that ends within its fields.",
        about(section(b"META", bytes(11), 0)),
    )
    yield (
        "meta_length",
        "meta.length",
        "Metadata that is longer than it says.",
        about(meta(0, b"text", size=3)),
    )
    yield "meta_kind", "meta.kind", "A kind of metadata without meaning.", about(meta(3, b"text"))
    yield "meta_compression", "meta.compression", "A compression without meaning.", about(meta(0, b"text", 2))
    yield (
        "meta_reserved",
        "meta.reserved",
        "The reserved field of metadata.",
        about(meta(0, b"text", reserved=256)),
    )
    yield (
        "meta_no_zlib",
        "meta.deflate",
        "Compressed metadata that is no zlib stream.",
        about(meta(0, b"text", 1)),
    )
    yield (
        "meta_zlib_cut",
        "meta.deflate",
        "A zlib stream without its checksum, though all the text is there.",
        about(meta(0, zlib.compress(b"text", 0)[:-4], 1, 4)),
    )
    yield (
        "meta_zlib_trailing",
        "meta.deflate",
        "A byte follows the zlib stream.",
        about(meta(0, zlib.compress(b"text", 0) + b"\0", 1, 4)),
    )
    yield "meta_zlib_short", "meta.deflate", "Less text than stated.", about(packed(0, b"text", 5))
    yield (
        "meta_zlib_bomb",
        "meta.deflate",
        "A megabyte in a stream that states 10 bytes: readers stop at the eleventh.",
        about(meta(0, BOMB, 1, 10)),
    )
    yield "meta_text", "meta.text", "Metadata that is not UTF-8.", about(meta(0, b"\xff\xfe"))
    yield (
        "meta_surrogate",
        "meta.text",
        "Half of a surrogate pair is not UTF-8.",
        about(meta(1, b'"\xed\xa0\x80"')),
    )
    yield (
        "meta_large",
        "limit.meta_bytes",
        "A byte more than is allowed, of which hardly any is there.",
        about(meta(0, b"text", 1, (1 << 24) + 1)),
    )
    yield (
        "meta_large_together",
        "limit.meta_bytes",
        "Two texts, each of which would be allowed.",
        about(meta(0, b"a") + meta(0, b"text", 1, 1 << 24)),
    )
    yield "meta_65", "limit.meta_sections", "One META section more than is allowed.", about(meta(0, b"") * 65)
    yield (
        "thmb_cut",
        "thmb.length",
        "A thumbnail that ends within its fields.",
        about(section(b"THMB", bytes(7), 0)),
    )
    yield "thmb_kind", "thmb.kind", "A kind of picture without meaning.", about(thumbnail(2))
    yield (
        "thmb_reserved_1",
        "thmb.reserved",
        "The first reserved field of a thumbnail.",
        about(thumbnail(first=1)),
    )
    yield "thmb_reserved_2", "thmb.reserved", "The second one.", about(thumbnail(second=1))
    yield "thmb_width", "thmb.size", "A thumbnail without width.", about(thumbnail(width=0))
    yield "thmb_height", "thmb.size", "A thumbnail without height.", about(thumbnail(height=0))
    yield (
        "thmb_image",
        "thmb.image",
        "A WebP file that says it is a PNG file.",
        about(thumbnail(image=PICTURE[1])),
    )
    yield (
        "thmb_twice",
        "thmb.repeated",
        "Two thumbnails.",
        about(thumbnail() + thumbnail(1, image=PICTURE[1])),
    )


def bomb() -> bytes:
    """A megabyte of zeros in a zlib stream, by hand: a fixed block of one zero and copies of it (RFC 1951)."""
    bits = [1, 1, 0]  # the last block, fixed codes
    bits += [0, 0, 1, 1, 0, 0, 0, 0]  # literal 0
    copies, rest = divmod(len(MEGABYTE) - 1, 258)
    bits += ([1, 1, 0, 0, 0, 1, 0, 1] + [0] * 5) * copies  # length 258, distance 1
    bits += [0, 0, 1, 1, 0, 0, 0, 0] * rest + [0] * 7  # the rest, and the end
    bits += [0] * (-len(bits) % 8)
    data = bytes(sum(bit << k for k, bit in enumerate(bits[i : i + 8])) for i in range(0, len(bits), 8))
    whole = b"\x78\x01" + data + struct.pack(">I", zlib.adler32(MEGABYTE))
    if zlib.decompress(whole) != MEGABYTE:
        raise ValueError("the stream does not hold what it should")
    return whole


BOMB = bomb()

# ------------------------------------------------------------ faulty


def faulty_files() -> Iterator[Case]:
    """Files that no decoder accepts that restores the order."""
    yield (
        "section_required_meta",
        "container.section_required",
        "Metadata never has to be understood.",
        insert(b"PARM", section(b"META", bytes(12), 1)),
    )
    yield (
        "section_required_perm",
        "container.section_required",
        "Nor has a permutation.",
        ordered(section(b"PERM", bytes(12), 1)),
    )
    chunk = next(STREAM[start : end + 4] for id, start, _, end in sections(STREAM) if id == b"CHNK")
    yield (
        "order_chunk_after_perm",
        "container.order",
        "A chunk after the permutation.",
        ordered(TURNED + chunk),
    )
    yield "order_perm_twice", "container.order", "A second permutation.", ordered(TURNED + TURNED)
    yield (
        "perm_count",
        "perm.count",
        "Ranks for four splats where there are three.",
        ordered(order(steps_of([2, 0, 1, 3]))),
    )
    yield (
        "perm_count_huge",
        "perm.count",
        "A count of 2^64 - 1: nothing may be reserved for it.",
        ordered(order([1, 1, 1], count=(1 << 64) - 1)),
    )
    yield (
        "perm_count_high",
        "perm.count",
        "A count that is right in its low half: 2^32 + 3.",
        ordered(order([1, 1, 1], count=(1 << 32) + 3)),
    )
    yield (
        "perm_cut",
        "perm.length",
        "A permutation that ends within its fields.",
        ordered(section(b"PERM", bytes(11), 0)),
    )
    yield (
        "perm_table_cut",
        "perm.length",
        "More words of the table than there are bytes.",
        ordered(section(b"PERM", struct.pack("<QI", 3, 1 << 31), 0)),
    )
    yield (
        "perm_lanes_cut",
        "perm.length",
        "The numbers of words are missing.",
        ordered(order([1, 1, 1], counts=b"")),
    )
    yield (
        "perm_long",
        "perm.length",
        "A byte follows the last word.",
        ordered(order(steps_of([2, 0, 1]), extra=b"\0")),
    )
    yield (
        "perm_lanes_3",
        "perm.range",
        "Three lanes.",
        ordered(order([1, 1, 1], counts=struct.pack("<B3I", 3, 0, 0, 0))),
    )
    yield (
        "perm_repeat",
        "perm.repeat",
        "A rank occurs twice, another one never.",
        ordered(order(steps_of([2, 0, 2]))),
    )
    yield (
        "perm_table",
        "parm.table",
        "The table of a permutation does not add up.",
        ordered(order([1, 1, 1], table=not_a_table())),
    )
    yield (
        "perm_table_end",
        "entropy.end",
        "A word follows the table of a permutation.",
        ordered(order([1, 1, 1], table=[*a_table(), 1])),
    )
    yield (
        "perm_first_word",
        "entropy.first_word",
        "The first word of a permutation's lane is 0.",
        ordered(order(steps_of([2, 0, 1]), words=[0, 5])),
    )
    yield "perm_end", "entropy.end", "A word is left over.", ordered(order([1, 1, 1], words=[7]))
    code = extra_codings.STEPPED
    for name, text, extra, cut in [
        ("extra_step_0", "A step of 0.", ExtraAttribute(64, extra_types.F32, 1, code, "a", 0, 0), 0),
        ("extra_step_small", "A step that multiples of are not exact in binary64.", ExtraAttribute(64, extra_types.F32, 1, code, "a", 1, -201), 0),
        ("extra_step_large", "A step whose multiples may be infinite.", ExtraAttribute(64, extra_types.F64, 1, code, "a", 1, 977), 0),
        ("extra_step_integer", "Steps of an integer.", ExtraAttribute(64, extra_types.I32, 1, code, "a", 1, 0), 0),
        ("extra_step_cut", "The scene header ends before the step.", ExtraAttribute(64, extra_types.F32, 1, code, "a", 1, 0), 2),
    ]:  # fmt: skip
        yield name, "container.length" if cut else "container.extra", text, with_extra(extra, cut)


def with_extra(extra: ExtraAttribute, cut: int) -> bytes:
    """STREAM with an attribute in its header; the damage is found before its stream is missed."""
    for id, start, payload, end in sections(STREAM):
        if id == b"SCEN":
            name = extra.name.encode()
            new = STREAM[payload : end - 2] + struct.pack(
                "<HH4B", 1, extra.id, extra.type, extra.components, extra.coding, len(name)
            )
            new += name + struct.pack("<Hh", extra.mantissa, extra.exponent)
            return STREAM[:start] + section(b"SCEN", new[: len(new) - cut]) + STREAM[end + 4 :]
    raise ValueError("no SCEN")


def a_table() -> list[int]:
    """A table of many symbols, so that its lane has several words."""
    lane = LaneWriter()
    write_table(lane, draft_table({symbol: symbol + 1 for symbol in range(40)}, 10))
    return lane.words()


def not_a_table() -> list[int]:
    """Two symbols, each with the whole probability."""
    from gscodec.reference.entropy import MAGNITUDE_CHANGES

    lane = LaneWriter()
    lane.uniform(0, 3)
    lane.uniform(1, 256)
    lane.symbol(zigzag(11), MAGNITUDE_CHANGES)
    lane.symbol(zigzag(0), MAGNITUDE_CHANGES)
    lane.bits(0, 3)
    return lane.words()


if PLAIN.classes != 1 or RECIPE.count != SEVERAL:
    raise ValueError("hello is another file now")
