"""(12.5 to 12.8) Motion that is wrong in one place: the code, and the offset in the payload.

`motion_faults` are payloads of MOTN for `STAGE` in a segment of `DURATION` ticks with the MBAS of `KNOWN`;
`bases_faults` are payloads of MBAS after that. Standard library only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from craft import Recipe
from fixup import section
from motion_craft import LINE, STEPS, Model, Script, Source, Stage, bases_payload, coded_motion, stage
from motions import FINE, STILL, coloured_recipe, columns
from rans import LaneWriter, draft_table, write_table
from streams import Event

from gscodec.reference.bases import Mixture
from gscodec.reference.entropy import MAGNITUDE_CHANGES, RANKS

DURATION = 100
STAGE = stage(FINE)
THREE = replace(STILL, count=3)
KNOWN = {THREE.id: THREE}
GIVEN = bases_payload(
    THREE, Source({"rotation": columns(1, 0, 0, 0, 1, 0) * 3, "translation": [1, 2, 3] * 3})
)
FIELDS = 12  # bytes in front of those of the model
POLYNOMIAL, MIXTURE, KEYFRAMES = 37, 3, 22  # bytes of the fields of the models
OF_BASES = 13


@dataclass(frozen=True)
class Fault:
    """A wrong payload."""

    name: str
    code: str
    proves: str
    payload: bytes
    offset: int


def put(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


def made(
    model: Model, script: Script, change: Callable[[list[list[Event]]], None] = lambda events: None
) -> bytes:
    return coded_motion(STAGE, model, Source(script), (0, DURATION), 1, change)[0]


def first_stream(payload: bytes, at: int, streams: int) -> int:
    """The offset of the first word of the first stream; `at` is that of the coder part."""
    _, words = struct.unpack_from("<BI", payload, at)
    return int(at + 5 + 4 * words + 5 * streams)  # streams of one lane


LINES = made(replace(LINE, flags=2), {"masks": [5, 1, 4], "time": [1, 2, 3, 4], "position": [1] * 6})
KEYS = made(
    replace(STEPS, flags=1, keys=2), {"lives": [0, 1, 1, 0, 0, 0], "masks": [1] * 3, "position": [1] * 9}
)
MIXED = made(Mixture(0, THREE, 16), {"masks": [1, 1, 1], "shares": [16, 3, 4, 5, 11]})
STOPPED = struct.pack("<BBHII", 0, 0, 0, 0, DURATION)


def replaced(stream: int, number: int, value: int) -> Callable[[list[list[Event]]], None]:
    """Another value where `number` is the place in a stream."""

    def change(events: list[list[Event]]) -> None:
        kind, place, detail, _ = events[stream][number]
        events[stream][number] = (kind, place, detail, value)

    return change


def field_faults() -> Iterator[Fault]:
    """The fields, one after the other."""
    yield Fault("model", "motion.model", "A model that is kept for later.", put(STOPPED, 0, b"\5"), 0)
    yield Fault("flags", "motion.flags", "Model 0 has no flags.", put(STOPPED, 1, b"\1"), 1)
    yield Fault("flags_polynomial", "motion.flags", "Flag 3 of model 1.", put(LINES, 1, b"\x0a"), 1)
    yield Fault("flags_mixture", "motion.flags", "Flag 1 of model 2.", put(MIXED, 1, b"\2"), 1)
    yield Fault("flags_keyframes", "motion.flags", "Flag 2 of model 3.", put(KEYS, 1, b"\4"), 1)
    yield Fault("reserved", "container.reserved", "The reserved field is 256.", put(STOPPED, 3, b"\1"), 2)
    yield Fault("from", "motion.range", "It begins when the segment ends.", put(STOPPED, 4, b"\x64"), 4)
    yield Fault(
        "until_early", "motion.range", "It ends when it begins.", put(STOPPED, 4, b"\x09\0\0\0\x09"), 8
    )
    yield Fault("until_late", "motion.range", "It ends after the segment.", put(STOPPED, 8, b"\x65"), 8)
    yield Fault("short", "motion.length", "The fields end early.", STOPPED[:-1], 0)
    yield Fault("long", "motion.length", "A byte after model 0.", STOPPED + b"\0", 0)
    of_line = {
        "degree": (0, b"\4"),
        "exponent": (1, b"\4"),
        "cap": (4, b"\x08"),
        "reference": (5, struct.pack("<I", (1 << 20) + 1)),
        "factor": (9, bytes(4)),
        "factor_large": (14, struct.pack("<I", 1 << 22)),
        "shift": (13, b"\x35"),
        "centre_step": (19, struct.pack("<I", (1 << 20) + 1)),
        "width_step": (27, struct.pack("<I", (1 << 28) + 1)),
    }
    for name, (offset, value) in of_line.items():
        wrong = put(LINES, FIELDS + offset, value)
        yield Fault(
            f"polynomial_{name}", "motion.range", f"{name} is out of its range.", wrong, FIELDS + offset
        )
    of_keys = {
        "attributes": (0, b"\x20"),
        "extrapolated": (1, b"\2"),
        "keys": (2, bytes(2)),
        "keys_many": (2, struct.pack("<H", 4097)),
        "interval": (4, bytes(4)),
    }
    for name, (offset, value) in of_keys.items():
        wrong = put(KEYS, FIELDS + offset, value)
        yield Fault(
            f"keyframes_{name}", "motion.range", f"{name} is out of its range.", wrong, FIELDS + offset
        )
    yield Fault("levels", "motion.range", "4096 levels.", put(MIXED, FIELDS + 1, b"\0\x10"), FIELDS + 1)
    yield Fault("bases", "motion.bases", "Bases that are not there.", put(MIXED, FIELDS, b"\x08"), FIELDS)


def coder_faults() -> Iterator[Fault]:
    """The coder part."""
    at = FIELDS + POLYNOMIAL
    words = struct.unpack_from("<I", LINES, at + 1)[0]
    lanes = at + 5 + 4 * words
    yield Fault("tables", "motion.range", "There are no tables.", put(LINES, at, b"\0"), at)
    yield Fault("tables_many", "motion.range", "65 tables.", put(LINES, at, b"\x41"), at)
    yield Fault(
        "words_missing", "motion.length", "The words of the tables are not there.", LINES[: at + 8], 0
    )
    yield Fault(
        "words_many",
        "motion.length",
        "More words of tables than bytes.",
        put(LINES, at + 1, b"\xff\xff\xff\xff"),
        0,
    )
    for count in (0, 3, 5):
        yield Fault(
            f"lanes_{count}",
            "motion.range",
            f"A stream of {count} lanes.",
            put(LINES, lanes, bytes([count])),
            lanes,
        )
    yield Fault("trailing", "motion.length", "Four bytes after the last word.", LINES + bytes(4), 0)
    yield Fault("cut", "motion.length", "The last word is missing.", LINES[:-4], 0)
    stream = first_stream(LINES, at, 3)
    yield Fault(
        "first_word_table",
        "entropy.first_word",
        "The lane of tables begins with 0.",
        put(LINES, at + 5, bytes(4)),
        at + 5,
    )
    yield Fault(
        "first_word",
        "entropy.first_word",
        "A lane of masks begins with 0.",
        put(LINES, stream, bytes(4)),
        stream,
    )
    for name, code, lane in lanes_of_tables():
        coded = lane.words()
        wrong = LINES[:at] + struct.pack(f"<BI{len(coded)}I", 2, len(coded), *coded) + b"\1\0\0\0\0" * 3
        yield Fault(f"coder_{name}", code, f"The lane of tables: {name}.", wrong, at + 5)


def lanes_of_tables() -> Iterator[tuple[str, str, LaneWriter]]:
    """Lanes of two tables and three maps, each wrong."""
    draft = draft_table({0: 1}, 10)
    lane = LaneWriter()
    lane.uniform(0, 3)
    lane.uniform(0, 256)
    lane.symbol(1, MAGNITUDE_CHANGES)
    yield "magnitude", "parm.table", lane
    lane = LaneWriter()
    for _ in range(2):
        write_table(lane, draft)
    lane.uniform(1, 2)
    lane.symbol(2, RANKS)
    yield "rank", "parm.map", lane
    lane = LaneWriter()
    for _ in range(2):
        write_table(lane, draft)
    for _ in range(3):
        lane.uniform(0, 2)
        lane.uniform(0, 2)
    lane.bits(1, 24)
    lane.bits(1, 24)
    yield "end", "entropy.end", lane


def value_faults() -> Iterator[Fault]:
    """What is decoded."""
    at = FIELDS + POLYNOMIAL
    for value in (2, 8, 64, 255):
        wrong = made(replace(LINE), {"masks": [1, 0, 0], "position": [1] * 3}, replaced(0, 1, value))
        yield Fault(
            f"mask_{value}",
            "motion.symbol",
            f"A mask of {value}, where only bit 0 is there.",
            wrong,
            first_stream(wrong, at, 2),
        )
    wrong = made(LINE, {"masks": [1, 0, 0], "position": [1] * 3}, replaced(0, 1, 4))
    yield Fault(
        "mask_temporal",
        "motion.symbol",
        "A mask says that a splat is temporal, where flag 1 is not set.",
        wrong,
        first_stream(wrong, at, 2),
    )
    wrong = made(replace(LINE, degree=0), {}, replaced(0, 1, 1))
    yield Fault(
        "mask_degree_0",
        "motion.symbol",
        "A mask says that a splat is translated, where the degree is 0.",
        wrong,
        first_stream(wrong, at, 1),
    )
    bound = {"masks": [1, 0, 0], "position": [4095, -4095, 1]}
    for number, value in ((0, 8192), (1, 8191)):
        wrong = made(replace(LINE), bound, replaced(1, number, value))
        place = first_stream(wrong, at, 2)
        place += 4 * sum(struct.unpack_from("<BI", wrong, place - 10)[1:])
        yield Fault(
            f"value_{number}",
            "motion.value",
            "A reconstructed value of 4096 base steps, one too many.",
            wrong,
            place,
        )
    wrong = made(replace(LINE), bound, lambda events: events[1].append(("hybrid", 3, 0, 1)))
    place = first_stream(wrong, at, 2)
    place += 4 * sum(struct.unpack_from("<BI", wrong, place - 10)[1:])
    yield Fault("stream_end", "entropy.end", "A value more than there are components.", wrong, place)
    at = FIELDS + KEYFRAMES
    lives = {"lives": [0, 1, 1, 0, 0, 0], "masks": [1] * 3, "position": [1] * 9}
    for number, value in ((0, 3), (3, 2)):
        wrong = made(replace(STEPS, flags=1, keys=2), lives, replaced(0, number, value))
        yield Fault(
            f"life_{number}",
            "motion.value",
            "A splat that is born after the last key, or gone before its first.",
            wrong,
            first_stream(wrong, at, 3),
        )
    bound = {"masks": [1, 0, 0], "position": [65535, -65535, 1]}
    for number, value in ((0, 131_072), (1, 131_071)):
        wrong = made(STEPS, bound, replaced(1, number, value))
        place = first_stream(wrong, at, 2)
        place += 4 * sum(struct.unpack_from("<BI", wrong, place - 10)[1:])
        yield Fault(
            f"keyframes_value_{number}",
            "motion.value",
            "A position of 65,536 base steps, one too many.",
            wrong,
            place,
        )
    at = FIELDS + MIXTURE
    shares = {"masks": [1, 1, 1], "shares": [16, 3, 4, 5, 11]}
    for number, value in ((2, 28), (1, 1)):
        wrong = made(Mixture(0, THREE, 16), shares, replaced(1, number, value))
        place = first_stream(wrong, at, 2)
        place += 4 * sum(struct.unpack_from("<BI", wrong, place - 10)[1:])
        yield Fault(
            f"share_{number}",
            "motion.value",
            "A share of more than is left, or of less than nothing.",
            wrong,
            place,
        )


def limit_faults() -> Iterator[Fault]:
    """A motion whose streams would be too long; it is for the stage of `crowd`."""
    many = put(KEYS, FIELDS + 2, struct.pack("<H", 4096))
    yield Fault(
        "symbols",
        "limit.stream_symbols",
        "4,096 keys of three values of 1,366 splats: 8,192 too many.",
        many,
        0,
    )


def crowd() -> Recipe:
    """1,366 splats in one cell: 4,096 times three of them are more than 2^24."""
    return Recipe(count=1366, depth=0)


def repeating_crowd() -> Recipe:
    """The same, all of them one distinct splat."""
    return replace(crowd(), has_duplicates=True, script={"duplicate": [1] * 1365})


def bright_crowd() -> Recipe:
    """456 splats with harmonics of degree 1: 4,096 times nine of them are more than 2^24."""
    recipe = coloured_recipe()
    return replace(recipe, count=456, depth=0, script={})


def faults_elsewhere() -> Iterator[tuple[Stage, Fault]]:
    """Motion of other chunks."""
    many = put(KEYS, FIELDS + 2, struct.pack("<H", 4096))
    yield (
        stage(repeating_crowd()),
        Fault(
            "symbols_repeated",
            "limit.stream_symbols",
            "As many values, though all splats repeat the first: splat_count of the chunk counts.",
            many,
            0,
        ),
    )
    yield (
        stage(bright_crowd()),
        Fault(
            "symbols_harmonics",
            "limit.stream_symbols",
            "4,096 keys of nine values of harmonics of 456 splats.",
            put(many, FIELDS, b"\x20"),
            0,
        ),
    )
    bright = stage(coloured_recipe())
    model = replace(STEPS, attributes=32)
    source, change = Source({"masks": [32] * 3}), replaced(1, 0, 4000)
    wrong = coded_motion(bright, model, source, (0, DURATION), 1, change)[0]
    place = first_stream(wrong, FIELDS + KEYFRAMES, 2)
    place += 4 * sum(struct.unpack_from("<BI", wrong, place - 10)[1:])
    yield (
        bright,
        Fault(
            "value_harmonics",
            "motion.value",
            "Harmonics over 65,535, which other attributes could be.",
            wrong,
            place,
        ),
    )


def bases_faults() -> Iterator[Fault]:
    """MBAS after the one that is given."""
    other = replace(STILL, id=8)
    script: Script = {"rotation": columns(1, 0, 0, 0, 1, 0), "translation": [1, 2, 3]}
    right = bases_payload(other, Source(script))
    yield Fault("bases_twice", "motion.bases", "Bases with the id of others.", put(right, 0, b"\7"), 0)
    yield Fault("bases_flags", "motion.flags", "A reserved flag of MBAS.", put(right, 1, b"\x08"), 1)
    ranges = {
        "count": (2, b"\0"),
        "count_many": (2, b"\x41"),
        "keys": (3, bytes(2)),
        "keys_many": (3, struct.pack("<H", 4097)),
        "interval": (5, bytes(4)),
        "exponent": (9, struct.pack("<h", 121)),
        "exponent_small": (9, struct.pack("<h", -201)),
        "step": (11, bytes(2)),
        "tables": (13, b"\0"),
    }
    for name, (offset, value) in ranges.items():
        yield Fault(
            f"bases_{name}", "motion.range", f"{name} is out of its range.", put(right, offset, value), offset
        )
    yield Fault("bases_short", "motion.length", "The fields of MBAS end early.", right[:12], 0)
    yield Fault("bases_long", "motion.length", "A byte after the last word of MBAS.", right + b"\0", 0)
    wide = {**script, "rotation": [1024, 0, 0, 0, 1024, -1024]}
    wrong = bases_payload(other, Source(wide), 1, replaced(0, 4, 2050))
    place = first_stream(wrong, OF_BASES, 2)
    yield Fault("bases_rotation", "motion.value", "A value of rotation over 4.", wrong, place)
    long = {**script, "translation": [1 << 28, -(1 << 28), 1]}
    wrong = bases_payload(other, Source(long), 1, replaced(1, 1, (1 << 29) + 1))
    place = first_stream(wrong, OF_BASES, 2)
    place += 4 * sum(struct.unpack_from("<BI", wrong, place - 10)[1:])
    yield Fault("bases_translation", "motion.value", "A translation under -2^28.", wrong, place)


def motion_faults() -> Iterator[Fault]:
    """All payloads of MOTN but those for the crowd."""
    for group in (field_faults, coder_faults, value_faults):
        yield from group()


@dataclass(frozen=True)
class Body:
    """(12.4) A faulty segment: what stands after SEGM, its splats, and the code."""

    name: str
    code: str
    proves: str
    body: bytes
    splats: int
    sh_degree: int = 0


def faulty_segments() -> Iterator[Body]:
    """All faults as segments of one chunk."""
    given, parameters = section(b"MBAS", GIVEN), section(b"PARM", STAGE.parameter_payload)
    chunk, count = section(b"CHNK", STAGE.chunk_payload), STAGE.header.count
    for fault in motion_faults():
        body = parameters + given + chunk + section(b"MOTN", fault.payload)
        yield Body(f"motion_{fault.name}", fault.code, fault.proves, body, count)
    for fault in bases_faults():
        body = parameters + given + section(b"MBAS", fault.payload) + chunk
        yield Body(f"motion_{fault.name}", fault.code, fault.proves, body, count)
    many = stage(crowd())
    for fault in limit_faults():
        body = many.sections() + section(b"MOTN", fault.payload)
        yield Body(f"motion_{fault.name}", fault.code, fault.proves, body, many.header.count)
    for on, fault in faults_elsewhere():
        body = on.sections() + section(b"MOTN", fault.payload)
        yield Body(f"motion_{fault.name}", fault.code, fault.proves, body, on.header.count, on.sh_degree)
