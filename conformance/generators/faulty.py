"""Faulty files: each a small valid file with one minimal damage, checksums repaired unless they are the fault.

Standard library only.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import fixup
import further
import lossless
import lossless_cases
from craft import (
    PLAIN,
    Recipe,
    end_section,
    file_from_recipe,
    file_header,
    file_mode,
    payloads,
    scene_section,
    stream_file,
    tables_tail,
)
from fixup import section
from hello import PARAMETERS, RECIPE, hello
from rans import LaneWriter, draft_table, write_table, zigzag
from streams import Event, parameter_bytes
from uncommon import bytes_of_basis

from gscodec._generated import extra_types
from gscodec.reference import built_in
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.entropy import MAGNITUDE_CHANGES, RANKS
from gscodec.reference.parameters import Harmonics

Streams = dict[str, list[Event]]


@dataclass(frozen=True)
class Fault:
    """A faulty file: the code that it has to give, and what it proves."""

    name: str
    code: str
    proves: str
    data: bytes


NOT_PROVOKED: dict[str, str] = {}  # codes of stream errors without a vector: why

# ------------------------------------------------------------ damage

STREAM = hello()
FILE = file_mode(RECIPE, *payloads(RECIPE))
NAN = struct.pack("<f", float("nan"))


def put(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


def start_of(data: bytes, id: bytes) -> int:
    """Where a section starts."""
    return next(start for name, start, _, _ in fixup.sections(data) if name == id)


def at(id: bytes, position: int, value: bytes | int, base: bytes = STREAM) -> bytes:
    """`base` with other bytes at a place in a payload, checksums repaired."""
    offset = start_of(base, id) + 16 + position
    new = bytes([value]) if isinstance(value, int) else value
    return fixup.fix_checksums(put(base, offset, new))


def insert(before: bytes, new: bytes, base: bytes = STREAM) -> bytes:
    """`base` with a section more."""
    offset = start_of(base, before)
    return base[:offset] + new + base[offset:]


def resized(id: bytes, change: Callable[[bytes], bytes], base: bytes = STREAM) -> bytes:
    """`base` with another payload of a section."""
    for name, start, payload, end in fixup.sections(base):
        if name == id:
            return base[:start] + section(id, change(base[payload:end])) + base[end + 4 :]
    raise ValueError(id)


def u16(value: int) -> bytes:
    return struct.pack("<H", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def i32(value: int) -> bytes:
    return struct.pack("<i", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


# ------------------------------------------------------------ container


def container_faults() -> Iterator[tuple[str, str, str, bytes]]:
    yield (
        "truncated_header",
        "container.truncated",
        "The file ends within the file header; the offset is its length.",
        STREAM[:13],
    )
    yield (
        "truncated_section_header",
        "container.truncated",
        "The file ends within the 16 bytes that say how long a section is.",
        STREAM[: start_of(STREAM, b"CHNK") + 9],
    )
    yield (
        "truncated_payload",
        "container.truncated",
        "The file ends within a payload: truncation is found before the checksum could be wrong.",
        STREAM[:400],
    )
    yield (
        "truncated_no_end_mark",
        "container.truncated",
        "Every section is whole, but the end mark is missing: still truncated, as in a stream that broke off.",
        STREAM[: start_of(STREAM, b"ENDM")],
    )
    yield ("empty_input", "container.truncated", "No byte at all: a prefix of every file, so truncated.", b"")
    yield (
        "signature_text",
        "container.signature",
        "A text file that is shorter than the file header: another kind of file, not a truncated one.",
        b"# splats\n",
    )
    yield (
        "signature_line_ends",
        "container.signature",
        "Transferred as text: CR LF became LF, which the signature is there to catch.",
        STREAM.replace(b"\r\n", b"\n", 1),
    )
    head = [
        ("version_major", "container.version", 8, 1, "Version 1.1; the offset is that of the major version."),
        (
            "version_minor",
            "container.version",
            9,
            1,
            "Version 0.1: before 1.0 every version but the own is refused.",
        ),
        ("profile", "container.profile", 10, 200, "A profile that this version does not have."),
        ("level_0", "container.level", 11, 0, "Level 0 does not exist."),
        ("level_3", "container.level", 11, 3, "A level that a later version may define."),
        ("header_flag", "container.flags", 12, 3, "A reserved flag of the file header."),
    ]
    for name, code, offset, value, text in head:
        yield name, code, text, fixup.fix_checksums(put(STREAM, offset, bytes([value])))
    yield (
        "crc_of_header",
        "container.crc",
        "The file header is damaged in its level: the checksum is looked at first.",
        put(STREAM, 11, b"\7"),
    )
    yield (
        "crc_of_section",
        "container.crc",
        "One bit of a parameter set is wrong; the offset is that of the checksum.",
        put(STREAM, start_of(STREAM, b"PARM") + 17, b"\5"),
    )
    yield (
        "crc_of_id",
        "container.crc",
        "One bit of a section's id is wrong, which makes it unknown: damage is reported as damage.",
        put(STREAM, start_of(STREAM, b"PARM"), b"Q"),
    )
    end = start_of(FILE, b"ENDM")
    yield (
        "hash",
        "container.hash",
        "All checksums are right, but the SHA-256 of the file is not.",
        FILE[:end] + section(b"ENDM", u64(3) + bytes(32)),
    )
    yield (
        "section_id_small_letters",
        "container.section_id",
        "An id may hold nothing but A to Z.",
        insert(b"PARM", section(b"Meta", b"", 0)),
    )
    yield (
        "section_flag_known",
        "container.flags",
        "A reserved flag of a section that the decoder knows.",
        fixup.fix_checksums(put(STREAM, start_of(STREAM, b"CHNK") + 4, b"\3")),
    )
    yield (
        "section_flag_unknown",
        "container.flags",
        "A reserved flag of a section that might be skipped: the whole file is refused all the same.",
        insert(b"PARM", section(b"META", b"", 2)),
    )
    yield (
        "section_required",
        "container.section_required",
        "A known section that claims to be ignorable.",
        fixup.fix_checksums(put(STREAM, start_of(STREAM, b"CHNK") + 4, b"\0")),
    )
    yield (
        "section_unknown",
        "container.section_unknown",
        "An unknown section that must be understood, though the splats could be decoded without it.",
        insert(b"ENDM", section(b"LATN", b"")),
    )
    yield (
        "order_scene_twice",
        "container.order",
        "A second scene header.",
        insert(b"PARM", scene_section(RECIPE)),
    )
    yield (
        "order_no_scene",
        "container.order",
        "The scene header is missing.",
        resized_away(b"SCEN"),
    )
    yield (
        "order_index_in_stream",
        "container.order",
        "In stream mode the index may not come first.",
        insert(b"SCEN", section(b"INDX", bytes(8))),
    )
    yield (
        "order_ignorable_first",
        "container.order",
        "Nothing may come before the scene header, not even what can be ignored.",
        insert(b"SCEN", section(b"META", b"", 0)),
    )
    yield (
        "scene_long",
        "container.length",
        "A byte follows the scene header's last field; its checksum is right.",
        resized(b"SCEN", lambda p: p + b"\0"),
    )
    yield (
        "scene_extra_cut",
        "container.length",
        "The scene header announces an extra attribute and ends.",
        at(b"SCEN", 72, 1),
    )
    yield (
        "end_mark_with_hash",
        "container.length",
        "Stream mode has no hash.",
        resized(b"ENDM", lambda p: p + bytes(32)),
    )
    yield (
        "end_mark_without_hash",
        "container.length",
        "File mode has one.",
        resized(b"ENDM", lambda p: p[:8], FILE),
    )
    yield (
        "trailing",
        "container.trailing",
        "A byte follows the end mark; the offset is its own.",
        STREAM + b"\n",
    )


def resized_away(id: bytes) -> bytes:
    """STREAM without a section."""
    for name, start, _, end in fixup.sections(STREAM):
        if name == id:
            return STREAM[:start] + STREAM[end + 4 :]
    raise ValueError(id)


def scene_faults() -> Iterator[tuple[str, str, str, bytes]]:
    values = [
        ("sh_degree", 12, 4, "SH degree 4: a later version may have it."),
        ("coordinate_system", 13, 8, "A coordinate system without meaning."),
        ("up_axis", 14, 7, "An up axis without meaning."),
        ("colour_space", 16, 3, "A colour space without meaning."),
        (
            "sh_convention",
            18,
            1,
            "A convention of harmonics without meaning: the splats could not be rendered.",
        ),
    ]
    for name, position, value, text in values:
        yield f"value_{name}", "container.value", text, at(b"SCEN", position, value)
    yield "reserved_scene", "container.reserved", "The reserved byte of the scene header.", at(b"SCEN", 19, 1)
    yield "reserved_chunk", "container.reserved", "The reserved field of a chunk.", at(b"CHNK", 2, u16(256))
    yield (
        "float_bounds",
        "container.float",
        "Bounds that are not a number, though decoders do not need them.",
        at(b"SCEN", 68, NAN),
    )
    yield (
        "float_negative_unit",
        "container.float",
        "Metres per unit below 0.",
        at(b"SCEN", 20, struct.pack("<f", -1.0)),
    )
    yield (
        "float_offset",
        "container.float",
        "An infinite scene offset.",
        at(b"SCEN", 40, struct.pack("<d", float("inf"))),
    )
    yield (
        "bounds",
        "container.bounds",
        "A minimum above its maximum.",
        at(b"SCEN", 52, struct.pack("<f", 9.0)),
    )
    yield (
        "bounds_of_nothing",
        "container.bounds",
        "A scene without splats has no bounds but 0.",
        fixup.fix_checksums(put(EMPTY, 20 + 16 + 60, struct.pack("<f", 1.0))),
    )
    yield (
        "axes",
        "container.axes",
        "Up is stated as +y in a system whose y points down.",
        fixup.fix_checksums(put(put(STREAM, 20 + 16 + 13, b"\1"), 20 + 16 + 14, b"\3")),
    )
    yield (
        "axes_before_reserved",
        "container.axes",
        "The up axis contradicts, and the reserved byte is set: choices are looked at before it.",
        fixup.fix_checksums(put(put(STREAM, 20 + 16 + 13, b"\1\3"), 20 + 16 + 19, b"\1")),
    )
    for name, code, text, first, second in [
        ("extra_name_twice", "container.extra", "Two attributes of one name.", (64, 6, 1, 0, b"a"), (65, 6, 1, 0, b"a")),
        ("extra_id_twice", "container.extra", "Two attributes of one id.", (64, 6, 1, 0, b"a"), (64, 6, 1, 0, b"b")),
        ("extra_no_components", "container.extra", "An attribute without components.", (64, 6, 0, 0, b"a"), None),
        ("extra_name_empty", "container.extra", "An attribute without a name.", (64, 6, 1, 0, b""), None),
        ("extra_name_space", "container.extra", "A name with white space.", (64, 6, 1, 0, b"a b"), None),
        ("extra_name_invisible", "container.extra", "A name with U+200B.", (64, 6, 1, 0, "a\u200bb".encode()), None),
        ("extra_name_utf8", "container.extra", "A name with an overlong UTF-8 sequence.", (64, 6, 1, 0, b"\xc0\xaf"), None),
        ("extra_id_reserved", "container.value", "Ids below 64 are reserved.", (63, 6, 1, 0, b"a"), None),
        ("extra_type", "container.value", "A type without meaning.", (64, 10, 1, 0, b"a"), None),
        ("extra_coding", "container.value", "A coding without meaning.", (64, 6, 1, 200, b"a"), None),
    ]:  # fmt: skip
        yield name, code, text, with_extras([extra for extra in (first, second) if extra])
    yield (
        "count_end_mark",
        "container.count",
        "The end mark counts another number of splats.",
        at(b"ENDM", 0, 4),
    )
    yield (
        "count_scene",
        "container.count",
        "The scene header counts a splat more than there are.",
        at(b"SCEN", 0, 4),
    )
    yield "count_chunks", "container.count", "The scene header counts two chunks.", at(b"SCEN", 8, 2)
    yield (
        "count_too_few",
        "container.count",
        "A chunk has more splats than the whole scene.",
        at(b"SCEN", 0, 2),
    )
    yield "count_empty_chunk", "container.count", "A chunk without splats.", at(b"CHNK", 4, u32(0))
    yield (
        "count_unknown_in_file_mode",
        "container.count",
        "Unknown counts belong to stream mode.",
        at(b"SCEN", 0, u64(2**64 - 1), FILE),
    )
    yield (
        "parameters_missing",
        "container.parameters",
        "A chunk names a set that does not exist.",
        at(b"CHNK", 0, 7),
    )
    yield (
        "parameters_late",
        "container.parameters",
        "A chunk names a set that comes only after it.",
        moved(b"PARM", b"ENDM"),
    )
    yield (
        "parameters_twice",
        "container.parameters",
        "Two sets of one id, though they are equal.",
        insert(b"CHNK", section(b"PARM", payloads(RECIPE)[0])),
    )
    listed = 4 + 20 * 3 + 4
    damage: list[tuple[str, str, int, int | bytes]] = [
        ("index_entry_offset", "A section does not start where the one before ends.", 8, 1),
        ("index_entry_id", "The index calls the scene header META.", 4, b"META"),
        ("index_entry_size", "The last section would be shorter than it is.", 16 + 40, u64(20)),
        ("index_first_splat", "The first chunk would not start with splat 0.", listed, 1),
        ("index_layer", "The index gives a chunk another layer.", listed + 12, 1),
        ("index_decoded_bytes", "The index misstates how much memory a chunk takes.", listed + 16, u64(1)),
    ]
    for name, text, position, new in damage:
        yield name, "container.index", text, at(b"INDX", position, new, FILE)


EMPTY = file_header() + scene_section(Recipe(), 0, 0) + end_section(0)


def with_extras(extras: list[tuple[int, int, int, int, bytes]]) -> bytes:
    """STREAM with other extra attributes; the damage is found before they are missed."""

    def change(payload: bytes) -> bytes:
        out = payload[:72] + u16(len(extras))
        for *numbers, name in extras:
            out += struct.pack("<H4B", *numbers, len(name)) + name
        return out

    return resized(b"SCEN", change)


def moved(id: bytes, before: bytes) -> bytes:
    for name, start, _, end in fixup.sections(STREAM):
        if name == id:
            return insert(before, STREAM[start : end + 4], resized_away(id))
    raise ValueError(id)


def limit_faults() -> Iterator[tuple[str, str, str, bytes]]:
    yield (
        "limit_splats",
        "limit.splats",
        "The scene header claims a splat more than level 1 allows.",
        at(b"SCEN", 0, u64(2**24 + 1)),
    )
    yield (
        "limit_splats_enormous",
        "limit.splats",
        "The scene header claims 2^64 - 2 splats: nothing may be allocated for them.",
        at(b"SCEN", 0, u64(2**64 - 2)),
    )
    yield (
        "limit_chunk_splats",
        "limit.chunk_splats",
        "A chunk claims 2^32 - 1 splats.",
        at(b"CHNK", 4, u32(2**32 - 1)),
    )
    wide = replace(RECIPE, extras=[ExtraAttribute(64, extra_types.F64, 255, 0, "wide")])
    yield (
        "limit_decoded_bytes",
        "limit.decoded_bytes",
        "2^24 splats are allowed, and so is an attribute of 255 doubles; both together exceed 2^32 bytes.",
        file_header() + scene_section(wide, 2**24) + end_section(0),
    )
    yield (
        "limit_section_bytes",
        "limit.section_bytes",
        "A section of 2^64 - 1 bytes: over the limit, not truncated, and no sum may overflow.",
        put(STREAM, start_of(STREAM, b"CHNK") + 8, u64(2**64 - 1)),
    )
    yield (
        "limit_sections",
        "limit.sections",
        "The scene header claims 65,537 chunks.",
        at(b"SCEN", 8, u32(65_537)),
    )
    yield (
        "limit_sections_of_index",
        "limit.sections",
        "The index claims 2^32 - 1 sections: nothing may be allocated for them.",
        at(b"INDX", 0, u32(2**32 - 1), FILE),
    )
    yield (
        "limit_extra_attributes",
        "limit.extra_attributes",
        "257 extra attributes, none of which is there.",
        at(b"SCEN", 72, u16(257)),
    )
    yield ("limit_stream_symbols", "limit.stream_symbols", STREAM_SYMBOLS, too_many_symbols())


STREAM_SYMBOLS = (
    "32,897 splats with an attribute of 255 doubles: each number is allowed, their stream of 2^24 + 254 words is not. "
    "The chunk has no words at all and could be refused for that; the limit comes first."
)


def too_many_symbols() -> bytes:
    count = 32_897
    recipe = replace(RECIPE, extras=[ExtraAttribute(64, extra_types.F64, 255, 0, "wide")], script={}, count=1)
    parameters, chunk = payloads(recipe)
    out = put(put(chunk, 4, u32(count)), 43, u32(count))
    return stream_file(replace(recipe, count=count), parameters, out)


# ------------------------------------------------------------ parameters


def parm(payload: bytes) -> bytes:
    """STREAM with another parameter set."""
    return resized(b"PARM", lambda _: payload)


FIXED = sum(struct.calcsize(f"<{kind}") for kind, _, _ in PARAMETERS) - 5  # bytes before table_count


def with_lane(words: list[int], tables: int = 1) -> bytes:
    """STREAM with another lane of tables and maps."""
    return parm(parameter_bytes(PLAIN)[:FIXED] + tables_tail(words, tables))


def magnitudes_lane(resolution: int, magnitudes: list[int]) -> LaneWriter:
    lane = LaneWriter()
    lane.uniform(resolution - 10, 3)
    lane.uniform(len(magnitudes) - 1, 256)
    for before, magnitude in zip([0, *magnitudes], magnitudes, strict=False):
        lane.symbol(zigzag(magnitude - before), MAGNITUDE_CHANGES)
    return lane


def parameter_faults() -> Iterator[tuple[str, str, str, bytes]]:
    damage: list[tuple[str, str, int, int | bytes]] = [
        ("classes", "Nine importance classes.", 1, 9),
        ("mantissa", "A position step of 0.", 3, u16(0)),
        ("exponent_id", "A row of multipliers that does not exist.", 5, 4),
        ("scale_step", "A scale step above 2^28.", 15, u32((1 << 28) + 1)),
        ("dilation", "A flag that is neither 0 nor 1.", 27, 2),
        ("dilation_log", "A dilation where none is used.", 28, i32(1)),
        ("axis_cells", "2,049 cells.", 40, u16(2049)),
        ("colour_offset", "An offset below -262,143.", 59, i32(-262_144)),
        ("predicted", "A flag beyond the six that there are.", 71, 64),
        ("window", "A window of 17.", 72, 17),
        ("shrink", "A shrink above 256.", 74, u16(257)),
        ("thresholds", "Thresholds that descend; the offset is that of the smaller one.", 86, 255),
        ("tables", "65 tables.", FIXED, 65),
    ]  # fmt: skip
    for name, text, position, value in damage:
        yield f"parm_range_{name}", "parm.range", text, at(b"PARM", position, value)
    good = payloads(RECIPE)[0]
    yield "parm_short", "parm.length", "The last word of the lane is missing.", parm(good[:-4])
    yield "parm_long", "parm.length", "A word follows the lane.", parm(good + bytes(4))
    yield "parm_cut", "parm.length", "The set ends within its fixed fields.", parm(good[:40])
    words = list(struct.unpack(f"<{(len(good) - FIXED - 5) // 4}I", good[FIXED + 5 :]))
    yield (
        "parm_first_word",
        "entropy.first_word",
        "The first word of the lane is 0: a decoder that goes on would decode something.",
        with_lane([0, *words]),
    )
    yield "parm_end", "entropy.end", "A word is left after the last map.", with_lane([*words, 1])
    tables = [
        (
            "sum",
            10,
            [11, 11],
            "Two symbols, each with the whole probability: the derived one would get nothing.",
        ),
        ("last_unused", 10, [5, 0], "The last symbol listed is unused."),
        ("negative", 10, [3, -1], "A magnitude below 0."),
        ("large", 10, [12], "A magnitude above the resolution + 1."),
        (
            "exact",
            10,
            [10, 10, 7],
            "Other symbols take all of the probability, exactly: nothing is left for the derived one.",
        ),
    ]
    for name, resolution, magnitudes, text in tables:
        lane = magnitudes_lane(resolution, magnitudes)
        if name == "sum":
            lane.bits(0, 3)
        if name == "exact":
            lane.bits(7, 3)  # 960
            lane.bits(0, 3)  # 64
        yield f"parm_table_{name}", "parm.table", text, with_lane(lane.words())
    lane = LaneWriter()
    for _ in range(3):
        write_table(lane, draft_table({0: 1}, 10))
    lane.uniform(1, 2)
    lane.symbol(3, RANKS)
    yield (
        "parm_map",
        "parm.map",
        "A context map takes the fourth most recent of three tables.",
        with_lane(lane.words(), 3),
    )
    yield from built_in_faults()
    yield from harmonics_faults()


def built_in_faults() -> Iterator[tuple[str, str, str, bytes]]:
    """(3.10) Sets of built-in tables."""

    def with_set(number: int, own: int, lane: LaneWriter, behind: bytes = b"") -> bytes:
        words = lane.words()
        tail = struct.pack(f"<3B{len(words)}I", 0, number, own, *words)
        return parm(parameter_bytes(PLAIN)[:FIXED] + tail + behind)

    names = 7  # streams of PLAIN
    nothing = LaneWriter()
    yield (
        "parm_built_in",
        "parm.built_in",
        "A built-in set that this version does not have.",
        with_set(built_in.SETS, 0, nothing),
    )
    yield (
        "parm_built_in_own_nothing",
        "parm.table",
        "A table added to a built-in set, and no word: of a lane without words all is 0, which is no table.",
        with_set(0, 1, nothing),
    )
    yield "parm_range_own", "parm.range", "65 tables added to a built-in set.", with_set(0, 65, nothing)
    yield (
        "parm_built_in_length",
        "parm.length",
        "Two bytes are left after a built-in set: no whole word.",
        with_set(0, 0, nothing, bytes(2)),
    )
    yield (
        "parm_built_in_cut",
        "parm.length",
        "The set ends before its number of own tables.",
        parm(parameter_bytes(PLAIN)[:FIXED] + bytes(2)),
    )
    yield (
        "parm_built_in_end",
        "entropy.end",
        "A word is left after the last choice.",
        with_set(0, 0, nothing, u32(1)),
    )
    lane = LaneWriter()
    lane.uniform(1, 2)
    yield (
        "parm_map_own",
        "parm.map",
        "A stream has an own map, but there are no own tables.",
        with_set(0, 0, lane),
    )
    low = LaneWriter()
    for _ in range(names):
        low.uniform(0, 2)
    low.symbol(13, RANKS)
    yield (
        "parm_map_low",
        "parm.map",
        "A table seven before that of the set, which is one of the first: there is none.",
        with_set(0, 0, low),
    )


def harmonics_faults() -> Iterator[tuple[str, str, str, bytes]]:
    plain = Harmonics(
        3, [1, 3], 0, [[0] * 3] * 3, [[8192 * (i == j) for j in range(3)] for i in range(3)], list(range(9))
    )
    recipe = replace(RECIPE, sh_degree=1, parameters=replace(RECIPE.parameters, harmonics=plain))
    _, chunk = payloads(recipe)
    for name, text, basis, step in [
        ("basis_kind", "A kind of basis that does not exist.", 4, 1),
        ("colour_step", "A built-in basis with a step of 0.", 2, 0),
        ("colour_step_large", "A built-in basis with a step of 2^21.", 2, 1 << 21),
    ]:
        parameters = parameter_bytes(recipe.parameters, basis, step) + tables_tail([])
        yield f"parm_range_sh_{name}", "parm.range", text, stream_file(recipe, parameters, chunk)
    columns = [[-8192 if k < 4 and j == 2 else 0 for j in range(8)] for k in range(8)]
    yield (
        "parm_range_sh_basis_bytes",
        "parm.range",
        "A basis of bytes: four of -128 in a column add up to 512, or 32,768.",
        stream_file(*bytes_of_basis(columns)),
    )
    cases: list[tuple[str, str, Harmonics]] = [
        ("bounds_equal", "Two groups with one bound.", replace(plain, bounds=[3, 3])),
        ("bounds_end", "The last group does not reach the last coefficient.", replace(plain, bounds=[1, 2])),
        ("matrix", "An entry of the colour matrix of 2^21.", replace(plain, colour_matrix=[[1 << 21, 0, 0], *[[0] * 3] * 2])),
        ("basis", "A column of the basis whose magnitudes add up to 32,768.", replace(plain, basis=[[-32768, 0, 0], *[[0] * 3] * 2])),
        ("order", "An order that names a slot twice.", replace(plain, order=[0, 1, 2, 3, 4, 5, 6, 7, 7])),
    ]  # fmt: skip
    for name, text, harmonics in cases:
        recipe = replace(RECIPE, sh_degree=1, parameters=replace(RECIPE.parameters, harmonics=harmonics))
        right = replace(recipe, parameters=replace(RECIPE.parameters, harmonics=plain))
        _, chunk = payloads(right)
        parameters = parameter_bytes(recipe.parameters) + tables_tail([])
        yield f"parm_range_sh_{name}", "parm.range", text, stream_file(recipe, parameters, chunk)


# ------------------------------------------------------------ chunks


def chunk_faults() -> Iterator[tuple[str, str, str, bytes]]:
    damage: list[tuple[str, str, str, int, int | bytes]] = [
        ("chunk_order", "chunk.order", "A chunk that takes its order from elsewhere.", 8, 1),
        ("chunk_flags", "chunk.flags", "A reserved flag of a chunk.", 9, 2),
        ("chunk_depth", "chunk.range", "An octree of depth 21.", 10, 21),
        ("chunk_exponent", "chunk.range", "An exponent of 121.", 11, struct.pack("<h", 121)),
        ("chunk_origin", "chunk.range", "An origin beyond 2^35.", 13, struct.pack("<q", (1 << 35) + 1)),
        ("chunk_tree_count", "chunk.range", "The octree holds fewer splats than the chunk.", 43, u32(2)),
        ("chunk_lanes_3", "chunk.range", "Three lanes: there are 1, 2 or 4.", 47, 3),
        ("chunk_lanes_0", "chunk.range", "No lane.", 47, 0),
        ("chunk_word_count", "chunk.length", "A lane of 2^32 - 1 words: nothing may be allocated for them.", 48, u32(2**32 - 1)),
    ]  # fmt: skip
    for name, code, text, position, value in damage:
        yield name, code, text, at(b"CHNK", position, value)
    yield "chunk_short", "chunk.length", "The last word is missing.", resized(b"CHNK", lambda p: p[:-4])
    yield "chunk_long", "chunk.length", "A byte follows the last word.", resized(b"CHNK", lambda p: p + b"\0")
    yield (
        "chunk_cut",
        "chunk.length",
        "The chunk ends within its header.",
        resized(b"CHNK", lambda p: p[:30]),
    )
    first = 47 + 6 * 5
    yield (
        "entropy_first_word",
        "entropy.first_word",
        "The first word of the positions is 0.",
        at(b"CHNK", first, u32(0)),
    )

    def longer(p: bytes) -> bytes:
        return (
            p[:48]
            + u32(struct.unpack_from("<I", p, 48)[0] + 1)
            + p[52 : first + 8]
            + bytes(4)
            + p[first + 8 :]
        )

    yield (
        "entropy_end_word",
        "entropy.end",
        "A word of 0 is left over after the positions.",
        resized(b"CHNK", longer),
    )
    yield (
        "entropy_end_state",
        "entropy.end",
        "The state is not 0 after the last colour: all values come out right, only the end gives the damage away.",
        resized(
            b"CHNK", lambda p: p[:-8] + u32(struct.unpack_from("<I", p, len(p) - 8)[0] + (1 << 20)) + p[-4:]
        ),
    )


def replaced(stream: str, number: int, new: Callable[[Event], Event]) -> Callable[[Streams], None]:
    def change(streams: Streams) -> None:
        streams[stream][number] = new(streams[stream][number])

    return change


def of_value(value: int) -> Callable[[Event], Event]:
    return lambda event: (event[0], event[1], event[2], value)


def value_faults() -> Iterator[tuple[str, str, str, bytes]]:
    def broken(stream: str, number: int, value: int, recipe: Recipe = RECIPE) -> bytes:
        return file_from_recipe(recipe, replaced(stream, number, of_value(value)))

    yield (
        "symbol_split",
        "static.symbol",
        "Four of three points are on the low side.",
        broken("position", 0, 4),
    )
    many = replace(RECIPE, count=8, script={"position": [2]})
    yield (
        "symbol_split_empty_part",
        "static.symbol",
        "Of 8 points, the split symbol 2 stands for no count, as 16 parts share 7 counts.",
        empty_part(many),
    )
    yield (
        "symbol_split_18",
        "static.symbol",
        "A split symbol above 17.",
        broken("position", 0, 18, replace(many, script={})),
    )
    yield (
        "symbol_group",
        "static.symbol",
        "A group of harmonics that does not exist.",
        broken("groups", 0, 3, with_harmonics()),
    )
    yield (
        "token",
        "entropy.token",
        "A hybrid integer with token 128.",
        file_from_recipe(RECIPE, replaced("opacity", 0, lambda e: ("symbol", e[1], e[2], 128))),
    )
    yield (
        "range_scale",
        "static.range",
        "A scale of 262,144, one more than the bound.",
        broken("scale", 0, zigzag(4096)),
    )
    yield (
        "range_scale_difference",
        "static.range",
        "A difference of scales that leads below the bound, though the difference itself is allowed.",
        broken("scale", 1, 4 + 4096),
    )
    yield (
        "range_opacity",
        "static.range",
        "The largest hybrid integer as an opacity.",
        broken("opacity", 1, 2**32 - 1),
    )
    yield "range_colour", "static.range", "A colour below the bound.", broken("colour", 8, zigzag(-4096))
    predicted = replace(
        RECIPE.parameters,
        predicted=8,
        sets=[replace(s, window=1) for s in RECIPE.parameters.sets],
        multipliers=[[0, 0], [0, 0], [0, 0], [0, 0], [0, 0]],
    )
    ahead = replace(
        RECIPE, parameters=predicted, script={**RECIPE.script, "colour": [4095, 0, 0, 0, 0, 0, 0, 0, 0]}
    )
    yield (
        "range_predicted",
        "static.range",
        "A residual that is small, but leads beyond the bound from a prediction that is near it.",
        broken("colour", 3, zigzag(1), ahead),
    )
    yield (
        "range_harmonics",
        "static.range",
        "A coefficient of 65,536.",
        broken("coefficients", 0, zigzag(1024), with_harmonics()),
    )
    byte = replace(RECIPE, extras=[ExtraAttribute(64, extra_types.U8, 1, 0, "label")])
    yield (
        "range_extra",
        "static.range",
        "A change of +128 in an attribute of bytes.",
        broken("extra 0", 0, zigzag(128), byte),
    )
    classes = replace(
        RECIPE, parameters=replace(RECIPE.parameters, classes=4, position_cap=7), tree_counts=[3, 0]
    )
    yield (
        "class_of_other_octree",
        "static.class",
        "Class 2 for a splat of the first octree, which holds classes 0 and 1.",
        broken("importance", 1, 2, classes),
    )
    yield "class_8", "static.class", "Class 8.", broken("importance", 0, 8)
    yield (
        "rotation_axis",
        "static.rotation",
        "An axis residual that leads beyond the last cell: axes do not wrap.",
        broken("rotation", 0, 8),
    )
    yield (
        "rotation_twist",
        "static.rotation",
        "A twist residual as large as the number of cells.",
        twist_fault(),
    )


def empty_part(recipe: Recipe) -> bytes:
    """A split symbol whose interval is empty; the value that would follow is left out."""

    def change(streams: Streams) -> None:
        events = streams["position"]
        events[0] = (*events[0][:3], 2)

    return file_from_recipe(replace(recipe, script={}), change)


def twist_fault() -> bytes:
    """A needle whose twist has several cells."""
    recipe = replace(RECIPE, script={**RECIPE.script, "scale": [4, 2, 1, 3, 0, 5, 0, 0, 0], "rotation": []})
    return file_from_recipe(recipe, replaced("rotation", 2, of_value(2 * 8)))


def with_harmonics() -> Recipe:
    harmonics = Harmonics(3, [1, 3], 0, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], None, list(range(9)))
    script = {**RECIPE.script, "groups": [2, 0, 1]}
    return replace(
        RECIPE, sh_degree=1, script=script, parameters=replace(RECIPE.parameters, harmonics=harmonics)
    )


# ------------------------------------------------------------ order of errors, output


def other_faults() -> Iterator[tuple[str, str, str, bytes]]:
    wrong = section(b"PARM", b"\1" + payloads(RECIPE)[0][1:40])
    two = insert(b"ENDM", wrong)
    yield (
        "errors_chunk_before_parameters",
        "chunk.flags",
        "A faulty chunk, and after it a faulty parameter set which nothing uses: the chunk's error comes first.",
        at(b"CHNK", 9, 2, two),
    )
    yield (
        "errors_unused_parameters",
        "parm.length",
        "A parameter set that no chunk uses is faulty: it is read all the same.",
        two,
    )
    yield (
        "errors_container_first",
        "container.count",
        "A faulty chunk, and a wrong count in the end mark: the container's errors come before those of payloads.",
        at(b"ENDM", 0, 4, at(b"CHNK", 9, 2)),
    )
    wide = replace(RECIPE, extras=[ExtraAttribute(64, extra_types.U64, 1, 0, "id")])
    parameters, chunk = payloads(wide)
    yield (
        "output_before_parameters",
        "output.type",
        "An attribute without PLY type and a faulty parameter set: what cannot be written is found first.",
        stream_file(wide, put(parameters, 1, b"\x09"), chunk),
    )
    for name, code, text, extras in [
        ("output_type", "output.type", "A valid file with an attribute of 64-bit integers, for which PLY has no type.",
         [ExtraAttribute(64, extra_types.U64, 1, 0, "id")]),
        ("output_type_signed", "output.type", "The same with signed integers and two components.",
         [ExtraAttribute(64, extra_types.I64, 2, 0, "id")]),
        ("output_name_ascii", "output.name", "A valid file with a name that is not ASCII.",
         [ExtraAttribute(64, extra_types.F32, 1, 0, "größe")]),
        ("output_name_standard", "output.name", "A valid file whose attribute is called as a standard property.",
         [ExtraAttribute(64, extra_types.F32, 1, 0, "opacity")]),
        ("output_name_component", "output.name", "Component 3 of `rot` would be the property `rot_3`.",
         [ExtraAttribute(64, extra_types.F32, 4, 0, "rot")]),
        ("output_name_clash", "output.name", "`a_1` is an attribute, and component 1 of another.",
         [ExtraAttribute(64, extra_types.F32, 2, 0, "a"), ExtraAttribute(65, extra_types.F32, 1, 0, "a_1")]),
        ("output_type_before_clash", "output.type", "Two extra attributes clash, and a third one has no PLY type.",
         [ExtraAttribute(64, extra_types.F32, 2, 0, "a"), ExtraAttribute(65, extra_types.F32, 1, 0, "a_1"),
          ExtraAttribute(66, extra_types.U64, 1, 0, "id")]),
        ("output_type_before_name", "output.type", "Attributes are looked at one by one, clashes of names last.",
         [ExtraAttribute(64, extra_types.F32, 1, 0, "x"), ExtraAttribute(65, extra_types.I64, 1, 0, "id")]),
    ]:  # fmt: skip
        yield name, code, text, file_from_recipe(replace(RECIPE, extras=extras))


def faults() -> Iterator[Fault]:
    """All of them."""
    for part in (
        container_faults, scene_faults, limit_faults, parameter_faults, chunk_faults, value_faults, other_faults,
    ):  # fmt: skip
        for case in part():
            yield Fault(*case)
    for case in further.faulty_files():
        yield Fault(*case)
    for case in (*lossless.faults(), *lossless_cases.faults()):
        yield Fault(*case)
