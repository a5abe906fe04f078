"""(12) Vectors of the dynamic profile: containers, right and wrong. Standard library only.

The motion of chunks has vectors of its own; here, chunks stand still, or are shown for a while.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import fixup
import timeline as made
from fixup import section
from hello import RECIPE
from timeline import CHNK, CHUNK, COUNT, PARAMETERS, PARM, Part

from gscodec._generated import extra_types
from gscodec.reference.container import ExtraAttribute

NAN = struct.pack("<f", float("nan"))
TICKS = (-1, 0, 50, 99, 100, 149, 150, 199, 200, 299, 300)
OTHER = section(b"ZZZZ", b"whatever", 0)
META = section(b"META", struct.pack("<BBHQ", 0, 0, 0, 5) + b"hello", 0)
THMB = section(b"THMB", b"", 0)
TENSORS = b"\x08\0\0\0\0\0\0\0{}      "  # the smallest safetensors file, padded
TENS = section(b"TENS", struct.pack("<BBHQ", 0, 0, 0, len(TENSORS)) + TENSORS, 0)
STATIC = section(b"PARM", made.with_id(PARAMETERS, 7)) + section(b"CHNK", made.with_id(CHUNK, 7))


@dataclass(frozen=True)
class Case:
    """A file: what it proves, when it is looked at, and for a faulty one the code of its error.

    Where `ticks` are those of a faulty file, its first is the one at which the error is found.
    """

    name: str
    proves: str
    data: bytes
    ticks: tuple[int, ...] = (0,)
    code: str = ""


def three() -> list[Part]:
    """Three segments of 100 ticks: one chunk; a chunk shown from 10 to 50 and one all the time; one chunk."""
    second = PARM + CHNK + made.still(10, 50) + CHNK
    return [Part(0, 100), Part(100, 100, second), Part(200, 100)]


FILE = made.file(three(), STATIC)
STREAM = made.stream(three(), STATIC)
TABLED = made.stream(three(), STATIC, with_table=True)
BARE = made.stream([])


def cat() -> bytes:
    """Header part and the last segment."""
    return made.stream([], STATIC, end=False) + three()[2].written(2)


# ------------------------------------------------------------ valid


def baseline() -> Iterator[Case]:
    """What an encoder writes."""
    yield Case(
        "dynamic_file",
        "Static layer and three segments, with a table, in file mode; at their first and last ticks and outside.",
        FILE,
        TICKS,
    )
    yield Case(
        "dynamic_still",
        "No segments: the static layer, whatever the tick.",
        made.file([], STATIC),
        (-(1 << 40), 0, 1 << 40),
    )
    yield Case(
        "dynamic_nothing_still",
        "No static layer: outside of the segments nothing is shown.",
        made.file(three()),
        TICKS,
    )
    yield Case("dynamic_stream", "Stream mode, with an end mark and without table.", STREAM, TICKS)


def uncommon() -> Iterator[Case]:
    """Valid, but rare."""
    yield Case(
        "dynamic_no_end",
        "A stream that just ends, behind a segment: complete.",
        made.stream(three(), STATIC, end=False),
        TICKS,
    )
    yield Case(
        "dynamic_table", "A stream whose table comes last, before the end mark.", TABLED, (0, 150, 299)
    )
    yield Case(
        "dynamic_table_no_end",
        "A stream that ends with its table.",
        made.stream(three(), STATIC, end=False, with_table=True),
        (0, 150),
    )
    yield Case(
        "dynamic_cat",
        "Header part and the last segment, joined: times and numbers may begin anywhere.",
        cat(),
        (0, 100, 200, 299),
    )
    yield Case(
        "dynamic_header_part",
        "A stream that ends behind its header part: no segment came.",
        made.stream([], STATIC, end=False),
        (0,),
    )
    yield Case(
        "dynamic_bounds",
        "A stream whose TIME knows a longer duration and more segments than came: these are bounds.",
        made.stream(three(), STATIC, end=False, start=-5, duration=10**6, segments=9),
        (0, 250),
    )
    gap = [Part(-300, 100), Part(-100, 50), Part(0, 1)]
    yield Case(
        "dynamic_gap",
        "Negative times, and gaps in which the static layer alone is shown.",
        made.file(gap, STATIC, start=-400, duration=500),
        (-400, -300, -201, -200, -101, -100, -50, 0, 1),
    )
    empty = [Part(0, 100, b""), Part(100, 100), Part(200, 100, PARM + META)]
    yield Case("dynamic_empty_segment", "Segments without chunks.", made.file(empty, STATIC), (50, 150, 250))
    body = META + OTHER + PARM + OTHER + CHNK + META + CHNK + made.still(0, 100) + OTHER
    everywhere = [Part(0, 100, body), Part(100, 100, body)]
    front = META + THMB + TENS + OTHER + STATIC + META + OTHER
    yield Case(
        "dynamic_ignorable",
        "META and unknown sections wherever they may stand, THMB and TENS in the header part.",
        made.file(everywhere, front),
        (0, 100),
    )
    yield Case("dynamic_level_2", "Level 2.", made.file(three(), STATIC, level=2), (0,))
    own = section(b"PARM", made.with_id(PARAMETERS, 0)) + section(b"CHNK", made.with_id(CHUNK, 0))
    shared = section(b"CHNK", made.with_id(CHUNK, 7))
    yield Case(
        "dynamic_shared_set",
        "Chunks of segments with the set of the header part, and sets whose id another segment has, too.",
        made.file([Part(0, 100, own + shared), Part(100, 100, shared + own)], STATIC),
        (0, 100),
    )
    yield Case(
        "dynamic_numbers",
        "Numbers that ascend by more than one, up to the largest.",
        made.file([replace(p, number=n) for p, n in zip(three(), (5, 6, 2**32 - 1), strict=True)], STATIC),
        (0, 299),
    )
    yield Case(
        "dynamic_segments_fewer",
        "A stream with an end mark and fewer segments than TIME says, which may be as many as sections.",
        made.stream(three(), STATIC, segments=1 << 16),
        (0, 299),
    )
    far = 1 << 52
    yield Case(
        "dynamic_long",
        "The latest start and the longest duration of a scene.",
        made.stream([Part(far, 2**32 - 1)], STATIC, start=far, duration=far - 1),
        (far - 1, far, far + 2**32 - 2),
    )
    yield Case(
        "dynamic_far",
        "The earliest and the latest tick at which a segment can start, and the longest one.",
        made.stream([Part(-far, 2**32 - 1), Part(far, 2**32 - 1)], STATIC, start=-far),
        (-far, far - 1, far, far + 2**32 - 2, far + 2**32 - 1),
    )
    tens = [
        (
            "deflate",
            "tens.deflate",
            "Compressed tensors that are none.",
            struct.pack("<BBHQ", 0, 1, 0, 9) + b"abc",
        ),
        (
            "length",
            "tens.length",
            "Fewer bytes of tensors than stated.",
            struct.pack("<BBHQ", 0, 0, 0, 9) + b"abc",
        ),
        ("kind", "tens.kind", "Tensors of an unknown kind.", struct.pack("<BBHQ", 9, 0, 0, 3) + b"abc"),
        (
            "compression",
            "tens.compression",
            "Tensors compressed in an unknown way.",
            struct.pack("<BBHQ", 0, 9, 0, 3) + b"abc",
        ),
        ("reserved", "tens.reserved", "A reserved field of TENS.", struct.pack("<BBHQ", 0, 0, 1, 3) + b"abc"),
        (
            "limit",
            "limit.tens_bytes",
            "More bytes of tensors than the level allows.",
            struct.pack("<BBHQ", 0, 1, 0, 1 << 27) + b"abc",
        ),
        ("short", "tens.length", "TENS without its fields.", b"\0"),
    ]
    for name, code, text, payload in tens:
        yield Case(
            f"dynamic_tens_{name}",
            f"{text} Decoders of splats skip it.",
            made.file([], section(b"TENS", payload, 0) + STATIC),
            (0,),
            code,
        )
    yield Case(
        "dynamic_tens_twice",
        "A second TENS. Decoders of splats skip both.",
        made.file([], TENS + TENS + STATIC),
        (0,),
        "tens.repeated",
    )


# ------------------------------------------------------------ faulty


def nth(data: bytes, id: bytes, number: int = 0) -> int:
    """Where a section starts."""
    return [start for name, start, _, _ in fixup.sections(data) if name == id][number]


def at(id: bytes, position: int, form: str, value: int, base: bytes = FILE, number: int = 0) -> bytes:
    """`base` with another field, checksums repaired."""
    offset = nth(base, id, number) + 16 + position
    new = struct.pack("<" + form, value)
    return fixup.fix_checksums(base[:offset] + new + base[offset + len(new) :])


def resized(id: bytes, change: Callable[[bytes], bytes], base: bytes = FILE) -> bytes:
    """`base` with another payload of a section; the hash repaired."""
    for name, start, payload, end in fixup.sections(base):
        if name == id:
            return fixup.fix_checksums(
                base[:start] + section(id, change(base[payload:end])) + base[end + 4 :]
            )
    raise ValueError(id)


def before(id: bytes, new: bytes, base: bytes = STREAM, number: int = 0) -> bytes:
    """`base` with a section more."""
    offset = nth(base, id, number)
    return base[:offset] + new + base[offset:]


def of(*parts: Part, **times: int) -> bytes:
    """A stream of these segments."""
    return made.stream(parts, STATIC, **times)


def order_faults() -> Iterator[tuple[str, str, str, bytes]]:
    time = section(b"TIME", bytes(60))
    yield "no_time", "container.order", "No TIME.", made.header(stream_mode=True) + made.scene() + STATIC
    yield (
        "meta_before_time",
        "container.order",
        "Not even what can be ignored stands between SCEN and TIME.",
        before(b"TIME", META),
    )
    yield "time_twice", "container.order", "A second TIME.", before(b"SEGM", time)
    yield (
        "no_table",
        "container.order",
        "File mode without a table.",
        FILE[: nth(FILE, b"SEGT")] + FILE[nth(FILE, b"PARM") :],
    )
    yield (
        "table_in_front",
        "container.order",
        "A stream whose table is followed by a segment.",
        before(b"SEGM", made.table([], 0)),
    )
    yield "table_twice", "container.order", "A second table.", before(b"ENDM", made.table([], 0), TABLED)
    yield "motion_in_front", "container.order", "MOTN in the static layer.", before(b"SEGM", made.still(0, 1))
    yield (
        "motion_first",
        "container.order",
        "MOTN without a chunk before it.",
        of(Part(0, 100, made.still(0, 1))),
    )
    yield (
        "motion_twice",
        "container.order",
        "A second MOTN of a chunk.",
        of(Part(0, 100, PARM + CHNK + made.still(0, 1) * 2)),
    )
    yield (
        "motion_apart",
        "container.order",
        "Something between a chunk and its MOTN.",
        of(Part(0, 100, PARM + CHNK + META + made.still(0, 1))),
    )
    yield "thumbnail_in_segment", "container.order", "A thumbnail in a segment.", of(Part(0, 100, THMB))
    yield "tensors_in_segment", "container.order", "TENS in a segment.", of(Part(0, 100, TENS))
    yield "index", "container.order", "An index.", before(b"PARM", section(b"INDX", bytes(8)))
    yield "permutation", "container.order", "A permutation.", before(b"SEGM", section(b"PERM", b"", 0))
    yield (
        "bases_in_front",
        "container.order",
        "MBAS in the header part.",
        before(b"SEGM", section(b"MBAS", b"")),
    )
    yield "trailing", "container.trailing", "A byte behind the end mark.", STREAM + b"\0"
    yield (
        "cut_in_segment",
        "container.truncated",
        "A stream that ends between two sections of a segment.",
        STREAM[: nth(STREAM, b"CHNK", 2)],
    )
    yield (
        "cut_in_section",
        "container.truncated",
        "A file that ends within the last segment; those before are complete.",
        FILE[: nth(FILE, b"CHNK", 4) + 40],
    )
    yield (
        "cut_file",
        "container.truncated",
        "File mode without end mark: cut off, though every segment is whole.",
        FILE[: nth(FILE, b"ENDM")],
    )
    yield (
        "cut_static",
        "container.truncated",
        "A stream that ends before the static layer is what SCEN says.",
        STREAM[: nth(STREAM, b"CHNK")],
    )
    yield (
        "hash",
        "container.hash",
        "The hash of the file is wrong.",
        FILE[: nth(FILE, b"ENDM")] + section(b"ENDM", struct.pack("<Q", 5 * COUNT) + bytes(32)),
    )
    yield (
        "crc_of_segment",
        "container.crc",
        "One bit of SEGM is wrong.",
        FILE[: nth(FILE, b"SEGM") + 20] + b"\x55" + FILE[nth(FILE, b"SEGM") + 21 :],
    )


def count_faults() -> Iterator[tuple[str, str, str, bytes]]:
    one, two = Part(0, 100), PARM + CHNK
    yield (
        "static_less",
        "container.count",
        "The static layer holds less than SCEN says: found when the first segment comes.",
        at(b"SCEN", 0, "Q", 9, STREAM),
    )
    yield (
        "static_less_chunks",
        "container.count",
        "SCEN says one chunk more: found at the end mark.",
        at(b"SCEN", 8, "I", 2, made.stream([], STATIC)),
    )
    yield (
        "static_less_table",
        "container.count",
        "The same, found at a table that comes last.",
        at(b"SCEN", 8, "I", 2, made.stream([], STATIC, with_table=True)),
    )
    yield (
        "static_more",
        "container.count",
        "The static layer holds more than SCEN says.",
        at(b"SCEN", 0, "Q", 2, STREAM),
    )
    yield (
        "end_mark",
        "container.count",
        "The end mark counts the static layer alone.",
        at(b"ENDM", 0, "Q", COUNT, STREAM),
    )
    yield (
        "parameters_twice",
        "container.parameters",
        "A segment has a set of an id that the header part has.",
        of(Part(0, 100, section(b"PARM", made.with_id(PARAMETERS, 7)) + CHNK)),
    )
    yield (
        "parameters_twice_in_segment",
        "container.parameters",
        "A segment has two sets of one id.",
        of(Part(0, 100, PARM + two)),
    )
    yield (
        "parameters_of_another",
        "container.parameters",
        "A chunk uses the set of another segment.",
        of(one, Part(100, 100, CHNK)),
    )
    yield (
        "segments_less",
        "timeline.count",
        "File mode with a segment less than TIME says; the end mark and its hash are right.",
        made.ended(FILE[: nth(FILE, b"SEGM", 2)], 4 * COUNT),
    )
    yield (
        "segments_more",
        "timeline.count",
        "A stream with more segments than TIME says.",
        of(one, Part(100, 100), segments=1),
    )
    yield (
        "segment_splats_more",
        "timeline.count",
        "A chunk with more splats than SEGM has.",
        of(Part(0, 100, splats=2)),
    )
    yield (
        "segment_chunks_more",
        "timeline.count",
        "More chunks than SEGM has.",
        of(Part(0, 100, PARM + CHNK * 2, splats=9, chunks=1)),
    )
    yield (
        "segment_splats_less",
        "timeline.count",
        "The segment is over and has fewer splats than SEGM says.",
        of(Part(0, 100, splats=4)),
    )
    yield (
        "segment_chunks_less",
        "timeline.count",
        "The segment is over and has fewer chunks than SEGM says.",
        of(Part(0, 100, chunks=2)),
    )
    yield (
        "segment_empty_but_not",
        "timeline.count",
        "SEGM is all of the segment, but it has splats.",
        of(Part(0, 100, b"", splats=1)),
    )
    size = 56 + len(two)
    yield (
        "segment_long",
        "timeline.count",
        "The next segment begins before the size of the first is reached.",
        of(replace(one, size=size + 1), Part(100, 100)),
    )
    yield (
        "segment_long_at_end",
        "timeline.count",
        "The end mark comes before the size of the segment is reached.",
        of(replace(one, size=size + 1)),
    )
    yield (
        "segment_short",
        "timeline.count",
        "The last section of a segment is beyond its size.",
        of(replace(one, size=size - 1)),
    )
    yield (
        "segment_over",
        "timeline.count",
        "META behind the end of a segment.",
        before(b"SEGM", META, STREAM, 1),
    )
    yield (
        "chunk_empty",
        "container.count",
        "A chunk of a segment without splats.",
        at(b"CHNK", 4, "I", 0, STREAM, 1),
    )
    yield (
        "chunk_reserved",
        "container.reserved",
        "A reserved field of a chunk of a segment.",
        at(b"CHNK", 2, "H", 1, STREAM, 1),
    )
    yield (
        "chunk_short",
        "container.length",
        "A chunk of a segment that ends within its fields.",
        of(Part(0, 100, PARM + section(b"CHNK", bytes(7)))),
    )
    yield (
        "chunk_splats",
        "limit.chunk_splats",
        "A chunk of a segment with more splats than allowed.",
        at(b"CHNK", 4, "I", 65_537, STREAM, 1),
    )
    yield (
        "parameters_empty",
        "container.length",
        "A parameter set of a segment without an id.",
        of(Part(0, 100, section(b"PARM", b""))),
    )


def time_faults() -> Iterator[tuple[str, str, str, bytes]]:
    fields = [
        ("rate", "timeline.range", 0, "I", 0, "No ticks in a second."),
        ("scale", "timeline.range", 4, "I", 0, "A tick of no time."),
        ("kernel", "container.value", 12, "B", 3, "A kernel of a later version."),
        (
            "reserved",
            "container.reserved",
            15,
            "B",
            1,
            "A reserved byte of TIME; the offset is that of the first of them.",
        ),
        ("start", "timeline.range", 16, "q", -(1 << 52) - 1, "The scene starts too far from tick 0."),
        ("duration", "timeline.range", 24, "Q", 1 << 52, "A scene that is too long."),
        ("duration_unknown", "timeline.range", 24, "Q", (1 << 64) - 1, "An unknown duration in file mode."),
        (
            "segments_unknown",
            "timeline.range",
            32,
            "I",
            2**32 - 1,
            "An unknown number of segments in file mode.",
        ),
        ("segments", "limit.sections", 32, "I", 65_537, "More segments than there may be sections."),
        ("float", "container.float", 40, "I", 0x7FC00000, "A bound that is not a number."),
        ("bounds", "container.bounds", 36, "I", 0x3F800000, "A minimum above its maximum."),
    ]
    for name, code, position, form, value, text in fields:
        yield f"time_{name}", code, text, at(b"TIME", position, form, value)
    yield "time_short", "container.length", "TIME with a byte less.", resized(b"TIME", lambda p: p[:-1])


def table_faults() -> Iterator[tuple[str, str, str, bytes]]:
    yield "table_short", "container.length", "A table without count.", resized(b"SEGT", lambda p: p[:3])
    yield (
        "table_long",
        "container.length",
        "A byte behind the last entry.",
        resized(b"SEGT", lambda p: p + b"\0"),
    )
    yield (
        "table_limit",
        "limit.sections",
        "A table of more segments than there may be sections: found before the length.",
        at(b"SEGT", 0, "I", 65_537),
    )
    yield "table_count", "timeline.table", "A table with another count than TIME.", at(b"TIME", 32, "I", 2)
    yield (
        "table_count_in_stream",
        "timeline.table",
        "A table of a stream that lacks a segment.",
        resized(b"SEGT", lambda p: struct.pack("<I", 2) + p[4:84], TABLED),
    )
    crc = nth(FILE, b"SEGT") + 16 + 4 + 36
    new = FILE[:crc] + bytes(4) + FILE[crc + 4 :]
    start, end = nth(FILE, b"SEGT"), nth(FILE, b"PARM")
    yield (
        "table_crc",
        "container.crc",
        "The checksum of an entry is wrong, that of the section is right.",
        new[:start] + section(b"SEGT", new[start + 16 : end - 4]) + new[end:],
    )
    first, second = nth(FILE, b"SEGM"), nth(FILE, b"SEGM", 1)
    entries = [
        ("start_early", 0, 0, "q", -1, "The first segment starts before the scene."),
        ("start_overlaps", 1, 0, "q", 99, "A segment starts before the end of the one before."),
        ("duration_0", 0, 8, "I", 0, "A segment of no ticks."),
        ("duration_long", 2, 8, "I", 101, "The last segment ends after the scene."),
        ("offset_in_table", 0, 16, "Q", nth(FILE, b"PARM") - 1, "The first segment begins within the table."),
        ("offset_gap", 1, 16, "Q", second + 1, "A segment does not begin where the one before ends."),
        ("offset_far", 0, 16, "Q", 1 << 63, "An offset that no file has."),
        ("size_small", 0, 24, "Q", 55, "A segment that does not hold its SEGM."),
        ("size_far", 2, 24, "Q", 1 << 63, "A size that no file has."),
        ("start_of_segment", 2, 0, "q", 201, "The table says another start than SEGM; found there."),
        ("duration_of_segment", 0, 8, "I", 99, "The table says another duration than SEGM."),
        ("splats_of_segment", 0, 12, "I", COUNT + 1, "The table says another number of splats."),
        ("chunks_of_segment", 0, 32, "I", 2, "The table says another number of chunks."),
        ("size_of_segment", 2, 24, "Q", 60, "The table says another size."),
    ]  # fmt: skip
    for name, number, position, form, value, text in entries:
        yield f"table_{name}", "timeline.table", text, at(b"SEGT", 4 + 40 * number + position, form, value)
    moved = made.table(three(), first + 1)
    yield (
        "table_offset_of_segment",
        "timeline.table",
        "The table has all segments a byte too far.",
        fixup.fix_checksums(FILE[:start] + moved + FILE[end:]),
    )
    for name, position, form, value in [
        ("start", 0, "q", 1),
        ("duration", 8, "I", 9),
        ("splats", 12, "I", 9),
        ("offset", 16, "Q", 9),
        ("size", 24, "Q", 99),
        ("chunks", 32, "I", 9),
    ]:
        yield (
            f"late_table_{name}",
            "timeline.table",
            f"A table of a stream, at its end, with another {name} of the second segment.",
            at(b"SEGT", 44 + position, form, value, TABLED),
        )


def segment_faults() -> Iterator[tuple[str, str, str, bytes]]:
    one = Part(0, 100)
    yield (
        "segment_length",
        "container.length",
        "SEGM with a byte more.",
        resized(b"SEGM", lambda p: p + b"\0", STREAM),
    )
    yield "segment_number", "timeline.order", "Two segments of one number.", of(one, Part(100, 100, number=0))
    yield (
        "segment_start_far",
        "timeline.range",
        "A segment too far from tick 0.",
        of(Part((1 << 52) + 1, 100)),
    )
    yield (
        "segment_start_early",
        "timeline.range",
        "A segment before the start of the scene.",
        of(Part(-1, 100)),
    )
    yield (
        "segment_overlaps",
        "timeline.order",
        "A segment starts before the one before it ends.",
        of(one, Part(99, 100)),
    )
    yield "segment_duration_0", "timeline.range", "A segment of no ticks.", of(Part(0, 0))
    yield (
        "segment_duration_long",
        "timeline.range",
        "A segment ends after the scene.",
        of(one, Part(100, 100), duration=199),
    )
    yield (
        "segment_limit_splats",
        "limit.splats",
        "Static layer and segment together have one splat more than allowed.",
        of(Part(0, 100, splats=(1 << 24) - COUNT + 1)),
    )
    yield (
        "segment_limit_chunks",
        "limit.sections",
        "More chunks than there may be sections.",
        of(Part(0, 100, chunks=65_537)),
    )
    yield (
        "segment_size_small",
        "timeline.range",
        "A segment that does not hold its SEGM.",
        of(replace(one, size=55)),
    )
    yield "segment_size_far", "timeline.range", "A size that no file has.", of(replace(one, size=1 << 63))


def stream_faults() -> Iterator[tuple[str, str, str, bytes]]:
    """Streams that end, or go on, where they may not."""
    one = Part(0, 100)
    yield "cut_header", "container.truncated", "A stream of a file header alone.", STREAM[:20]
    yield (
        "cut_scene",
        "container.truncated",
        "A stream without static layer that ends behind SCEN.",
        BARE[: nth(BARE, b"TIME")],
    )
    yield (
        "segment_long_at_table",
        "timeline.count",
        "A table that comes last comes before the size of the segment is reached.",
        made.stream([replace(one, size=57 + len(one.body))], STATIC, with_table=True),
    )
    for name, base in (("file", FILE), ("stream", STREAM)):
        start = nth(base, b"ENDM")
        short = section(b"ENDM", base[start + 16 : -4][:-1])
        yield (
            f"end_short_{name}",
            "container.length",
            f"An end mark with a byte less ({name} mode).",
            base[:start] + short,
        )
    less = FILE[: nth(FILE, b"SEGM", 2)]
    yield (
        "hash_before_segments",
        "container.hash",
        "The hash is wrong, and a segment less than TIME says: the hash is checked first.",
        less + section(b"ENDM", struct.pack("<Q", 4 * COUNT) + bytes(32)),
    )
    yield (
        "splats_before_segments",
        "container.count",
        "The end mark counts the splats of a segment that is missing: the splats are checked first.",
        made.ended(less, 5 * COUNT),
    )
    yield (
        "segment_splats_before_chunks",
        "timeline.count",
        "A segment with fewer splats and fewer chunks than SEGM says: the offset is that of splat_count.",
        of(Part(0, 100, splats=9, chunks=3)),
    )
    wide = replace(RECIPE, sh_degree=3, extras=[ExtraAttribute(64, extra_types.F64, 4, 0, "wide")])
    yield (
        "segment_limit_bytes",
        "limit.decoded_bytes",
        "As many splats as are allowed, but not when decoded.",
        made.stream([Part(0, 100, splats=1 << 24)], recipe=wide),
    )
    time = [
        ("start_late", "timeline.range", 16, "q", (1 << 52) + 1, "A scene that starts after tick 2^52."),
        ("duration_long", "timeline.range", 24, "Q", 1 << 52, "A stream that is too long."),
        ("duration_known", "timeline.range", 24, "Q", (1 << 64) - 2, "A stream that is nearly of unknown duration."),
        ("segments_known", "limit.sections", 32, "I", (1 << 32) - 2, "A stream of a nearly unknown number of segments."),
    ]  # fmt: skip
    for name, code, position, form, value, text in time:
        yield f"time_{name}", code, text, at(b"TIME", position, form, value, BARE)
    yield "time_long", "container.length", "TIME with a byte more.", resized(b"TIME", lambda p: p + b"\0")


def agreed(position: int, in_segment: int, form: str, value: int, number: int) -> bytes:
    """`FILE` with a field of an entry of the table that SEGM has, too."""
    base = at(b"SEGT", 4 + 40 * number + position, form, value)
    return at(b"SEGM", in_segment, form, value, base, number)


def agreed_faults() -> Iterator[tuple[str, str, str, bytes]]:
    """A table whose faults are those of the segments: found in the table."""
    for name, text, position, in_segment, form, value, number in [
        ("start_early", "A segment that starts before the scene", 0, 4, "q", -1, 0),
        ("overlap", "Segments that overlap", 0, 4, "q", 99, 1),
        ("duration_0", "A segment of no ticks", 8, 12, "I", 0, 0),
        ("duration_long", "A segment that ends after the scene", 8, 12, "I", 101, 2),
        ("size_small", "A segment that does not hold its SEGM", 24, 28, "Q", 55, 2),
        ("size_far", "A size that no file has", 24, 28, "Q", 1 << 63, 2),
    ]:
        data = agreed(position, in_segment, form, value, number)
        yield (
            f"agreed_{name}",
            "timeline.table",
            f"{text}, in the table as in SEGM: found in the table.",
            data,
        )
    yield (
        "table_length_first",
        "container.length",
        "A table of a stream that lacks a segment, and with a byte more: the length is checked first.",
        resized(b"SEGT", lambda p: struct.pack("<I", 2) + p[4:84] + b"\0", TABLED),
    )
    crc, start, end = nth(TABLED, b"SEGT") + 16 + 4 + 36, nth(TABLED, b"SEGT"), nth(TABLED, b"ENDM")
    new = TABLED[:crc] + bytes(4) + TABLED[crc + 4 :]
    yield (
        "late_table_crc",
        "container.crc",
        "A table of a stream: the checksum of an entry is wrong, that of the section is right.",
        new[:start] + section(b"SEGT", new[start + 16 : end - 4]) + new[end:],
    )


def motion_faults() -> Iterator[tuple[str, str, str, bytes]]:
    def moving(payload: bytes) -> bytes:
        return of(Part(0, 100, PARM + CHNK + section(b"MOTN", payload)))

    def head(model: int = 0, flags: int = 0, reserved: int = 0, first: int = 0, until: int = 100) -> bytes:
        return struct.pack("<BBHII", model, flags, reserved, first, until)

    yield "motion_model", "motion.model", "A model of a later version.", moving(head(model=200))
    yield "motion_flags", "motion.flags", "A flag that model 0 does not have.", moving(head(flags=1))
    yield "motion_reserved", "container.reserved", "A reserved field of MOTN.", moving(head(reserved=1))
    yield (
        "motion_from",
        "motion.range",
        "A chunk that is shown from the end of the segment on.",
        moving(head(first=100)),
    )
    yield "motion_until", "motion.range", "A chunk that is shown beyond the segment.", moving(head(until=101))
    yield "motion_never", "motion.range", "A chunk that is never shown.", moving(head(first=50, until=50))
    yield "motion_short", "motion.length", "MOTN that ends within its fields.", moving(head()[:-1])
    yield "motion_long", "motion.length", "A byte behind the fields of model 0.", moving(head() + b"\0")


def faulty() -> Iterator[Case]:
    """Each with one fault."""
    groups = (
        order_faults,
        count_faults,
        time_faults,
        table_faults,
        segment_faults,
        stream_faults,
        agreed_faults,
        motion_faults,
    )
    for part in groups:
        for name, code, text, data in part():
            yield Case(f"dynamic_{name}", text, data, (0,), code)


def all_cases() -> Iterator[tuple[str, Case]]:
    """Group and case of every vector."""
    for group, cases in (("baseline", baseline), ("uncommon", uncommon), ("faulty", faulty)):
        for case in cases():
            yield group, case
