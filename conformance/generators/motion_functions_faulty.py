"""(12.7, 12.11) Functions of time that are wrong in one place: the code, and the offset in the payload.

`motion_faults` are payloads of MOTN for `STAGE` of motion_faulty.py after `GIVEN`, a rigid MBAS and one of
functions; `bases_faults` are payloads of MBAS after those. Standard library only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace

import motion_faulty
from craft import Recipe
from fixup import section
from motion_craft import PULSE, Script, Source, Stage, bases_payload, coded_motion, stage
from motion_faulty import DURATION, FIELDS, OF_BASES, STAGE, THREE, Body, Fault, put, replaced
from motion_functions import lone
from motions import FINE, coloured_recipe

from gscodec.reference.bases import Bases
from gscodec.reference.functions import HAS_LIVES, Functions, names_of
from gscodec.reference.parameters import Harmonics

TWO = replace(PULSE, count=2)
MANY = replace(PULSE, id=5, count=20, keys=1)
LONG = replace(PULSE, id=6, keys=4096)
RIGID = motion_faulty.GIVEN
KNOWN: Mapping[int, Bases] = {**motion_faulty.KNOWN, **{told.id: told for told in (TWO, MANY, LONG)}}
GIVEN = [
    RIGID,
    bases_payload(TWO, Source({"functions": [256, 0, 1, 2, 3, 4]})),
    bases_payload(MANY, Source({"functions": [0] * 20})),
    bases_payload(LONG, Source({"functions": [0] * 4096})),
]
MOVES: Script = {"masks": [1, 0, 1], "position": [1, -2, 3, -4, 5, -6]}
BOTH = lone(
    "position", "opacity", residual=["colour"], bases=TWO, follows={"position": (0, 2), "opacity": (1, 1)}
)
SCRIPT: Script = {
    "masks": [9, 0, 8],
    "position": [1, -2, 3, -4, 5, -6],
    "opacity": [1, 2],
    "colour_fineness": [0, 9, 0],
    "colour_residuals": [*range(9)],
}


def made(
    model: Functions, script: Script, wrong: tuple[int, int, int] | None = None, on: Stage = STAGE
) -> bytes:
    """A payload; `wrong` is a stream, the place of a value in it, and what is there instead."""
    change = replaced(*wrong) if wrong else lambda events: None
    return coded_motion(on, model, Source(script), (0, DURATION), 1, change)[0]


def fields_of(model: Functions) -> int:
    """The bytes of the fields of the model."""
    return 17 + 2 * len(model.follows)


def place_of(payload: bytes, at: int, streams: int, number: int) -> int:
    """The offset of the first word of a stream, of which there are so many, of a lane each."""
    _, words = struct.unpack_from("<BI", payload, at)
    table = at + 5 + 4 * words
    before = (struct.unpack_from("<I", payload, table + 5 * i + 1)[0] for i in range(number))
    return int(table + 5 * streams + 4 * sum(before))


def streams_of(model: Functions) -> int:
    lives, masks = int(model.flags & HAS_LIVES > 0), int(model.attributes > 0)
    return lives + masks + len(model.follows) + 2 * len(names_of(model.residual))


def of_value(
    name: str, code: str, proves: str, model: Functions, script: Script, wrong: tuple[int, int, int]
) -> Fault:
    """A value that is wrong: found in its stream."""
    payload = made(model, script, wrong)
    place = place_of(payload, FIELDS + fields_of(model), streams_of(model), wrong[0])
    return Fault(name, code, proves, payload, place)


RIGHT = made(BOTH, SCRIPT)


def field_faults() -> Iterator[Fault]:
    """The fields, one after the other."""
    yield Fault("functions_flags", "motion.flags", "Flag 2 of model 4.", put(RIGHT, 1, b"\4"), 1)
    for name, proves, id in (
        ("missing", "Functions that are not there.", 9),
        ("rigid", "Model 4 with rigid motions.", THREE.id),
    ):
        yield Fault(f"functions_{name}", "motion.bases", proves, put(RIGHT, FIELDS, bytes([id])), FIELDS)
    nothing = made(lone(bases=TWO), {})
    yield Fault(
        "functions_missing_unused",
        "motion.bases",
        "Functions that are not there, of a chunk that follows none.",
        put(nothing, FIELDS, b"\x09"),
        FIELDS,
    )
    mixture = struct.pack("<BBHIIBH", 2, 0, 0, 0, DURATION, TWO.id, 16)
    yield Fault("functions_mixture", "motion.bases", "Model 2 with functions of time.", mixture, FIELDS)
    of_functions = {
        "attributes": (1, 32, "harmonics, where the SH degree is 0, follow functions"),
        "attributes_unknown": (1, 64, "an attribute that is not there follows functions"),
        "residual": (2, 32, "harmonics, where the SH degree is 0, have residuals"),
        "residual_unknown": (2, 64, "an attribute that is not there has residuals"),
        "first": (3, 2, "the first function is none of two"),
        "first_second": (5, 255, "the first function of another attribute is none of two"),
        "count": (4, 0, "an attribute follows no function"),
        "count_many": (4, 3, "three functions of two"),
        "count_end": (6, 2, "two functions from the last one on"),
        "exponent": (7, 4, "an exponent of multipliers"),
        "cap": (10, 8, "a cap of multipliers"),
        "shift": (15, 53, "a shift"),
    }
    for name, (offset, value, text) in of_functions.items():
        wrong = put(RIGHT, FIELDS + offset, bytes([value]))
        yield Fault(
            f"functions_{name}", "motion.range", f"A field out of its range: {text}.", wrong, FIELDS + offset
        )
    for name, offset, factor in (("factor", 11, 0), ("factor_large", 16, 1 << 22)):
        wrong = put(RIGHT, FIELDS + offset, struct.pack("<I", factor))
        yield Fault(f"functions_{name}", "motion.range", f"A factor of {factor:,}.", wrong, FIELDS + offset)
    seventeen = made(lone("opacity", bases=MANY), {"masks": [8, 0, 0], "opacity": [1]})
    yield Fault(
        "functions_seventeen",
        "motion.range",
        "17 functions of 20, where 16 are allowed.",
        put(seventeen, FIELDS + 4, b"\x11"),
        FIELDS + 4,
    )
    yield Fault("functions_fields", "motion.length", "The fields of model 4 end early.", RIGHT[:32], 0)
    yield Fault("functions_cut", "motion.length", "The last word of model 4 is missing.", RIGHT[:-4], 0)
    yield Fault("functions_long", "motion.length", "A byte after the last word of model 4.", RIGHT + b"\0", 0)
    yield Fault("functions_none_long", "motion.length", "A byte after no streams.", nothing + b"\0", 0)


def value_faults() -> Iterator[Fault]:
    """What is decoded."""
    for value, text in ((16, "colour, which does not follow"), (64, "what no bit is for"), (255, "too many")):
        yield of_value(
            f"functions_mask_{value}",
            "motion.symbol",
            f"A mask of functions: {text}.",
            BOTH,
            SCRIPT,
            (0, 1, value),
        )
    for value in (25, 127):
        yield of_value(
            f"functions_fineness_{value}",
            "motion.symbol",
            f"A fineness of {value}.",
            BOTH,
            SCRIPT,
            (3, 2, value),
        )
    bound: Script = {"masks": [3, 0, 0], "position": [65_535, -65_535, 0], "rotation": [4095, -4095, 0]}
    for stream, number, value, text in (
        (1, 0, 1 << 17, "position of 65,536"),
        (1, 1, (1 << 17) - 1, "position of -65,536"),
        (2, 0, 1 << 13, "rotation of 4,096"),
        (2, 1, (1 << 13) - 1, "rotation of -4,096"),
    ):
        yield of_value(
            f"functions_coefficient_{stream}_{number}",
            "motion.value",
            f"A coefficient of {text} base steps, one too many.",
            lone("position", "rotation", bases=TWO),
            bound,
            (stream, number, value),
        )
    late: Script = {
        "position_fineness": [0, 24, 1], "opacity_fineness": [24, 0, 1],
        "position_residuals": [*[0] * 12, 181, -181, 0, 524_287, -524_287, 0],
        "opacity_residuals": [11, 32_767, -11, -32_767, 0, 0],
    }  # fmt: skip
    for stream, number, value, text in (
        (1, 12, 2 * 182, "position, 182 times 23,170"),
        (1, 13, 2 * 182 - 1, "position, -182 times 23,170"),
        (1, 15, 1 << 20, "position, 524,288 times 8"),
        (3, 0, 2 * 12, "opacity, 12 times 23,170"),
        (3, 3, (1 << 16) - 1, "opacity, -32,768 times 8"),
    ):
        yield of_value(
            f"functions_residual_{stream}_{number}",
            "motion.value",
            f"A residual over its bound: {text}.",
            lone(residual=["position", "opacity"], bases=TWO),
            late,
            (stream, number, value),
        )
    lives: Script = {"lives": [0, 1, 2, 0, 1, 0], **MOVES}
    for number, value, text in ((2, 3, "born after the last key"), (3, 1, "gone before its first key")):
        yield of_value(
            f"functions_life_{number}",
            "motion.value",
            f"A splat that is {text}.",
            lone("position", bases=TWO, flags=HAS_LIVES),
            lives,
            (0, number, value),
        )


def motion_faults() -> Iterator[Fault]:
    """All payloads of MOTN for `STAGE`."""
    yield from field_faults()
    yield from value_faults()


def faults_elsewhere() -> Iterator[tuple[Stage, Fault]]:
    """Motion of other chunks."""
    bright = stage(coloured_recipe())
    for name, model, script, wrong in (
        ("coefficient", lone("harmonics", bases=TWO), {"masks": [32, 0, 0]}, (1, 0, 2 * 1024)),
        ("residual", lone(residual=["harmonics"], bases=TWO), {"harmonics_fineness": [24, 0, 0]}, (1, 4, 6)),
    ):
        payload = made(model, script, wrong, bright)
        place = place_of(payload, FIELDS + fields_of(model), 2, 1)
        text = f"Harmonics: a {name} over 65,535, which other attributes could have."
        yield bright, Fault(f"functions_{name}_harmonics", "motion.value", text, payload, place)
    unknown = put(made(lone(bases=TWO), {}, None, bright), FIELDS + 1, b"\x40")
    text = "A seventh attribute, where there are harmonics."
    yield bright, Fault("functions_attributes_seven", "motion.range", text, unknown, FIELDS + 1)
    for name, recipe, residual, text in (
        ("symbols", motion_faulty.crowd(), "position", "three values of 1,366 splats: 8,192 too many"),
        (
            "symbols_repeated",
            motion_faulty.repeating_crowd(),
            "colour",
            "as many, though all repeat the first",
        ),
        (
            "symbols_least",
            Recipe(count=4097, depth=0),
            "opacity",
            "one value of 4,097 splats, but not 4,095 keys of them",
        ),
        ("symbols_harmonics", motion_faulty.bright_crowd(), "harmonics", "nine values of 456 splats"),
    ):
        wrong_fields = put(
            made(lone(bases=LONG), {}), FIELDS + 2, bytes([lone(residual=[residual]).residual])
        )
        proves = f"4,096 keys of residuals, {text}."
        yield stage(recipe), Fault(f"functions_{name}", "limit.stream_symbols", proves, wrong_fields, 0)
    model = lone("harmonics", bases=MANY, follows={"harmonics": (0, 16)})
    text = "16 functions of 45 values of harmonics of 23,302 splats: 224 too many."
    yield (
        stage(brightest_crowd()),
        Fault(
            "functions_symbols_coefficients", "limit.stream_symbols", text, made(model, {}, None, bright), 0
        ),
    )


def brightest_crowd() -> Recipe:
    """23,302 splats that repeat the first, with 45 values of harmonics: 16 times as many are over 2^24."""
    identity = [[1024 * (i == j) for j in range(3)] for i in range(3)]
    parameters = replace(FINE.parameters, harmonics=Harmonics(15, [15], -14, identity, None, [*range(45)]))
    script: Script = {"duplicate": [1] * 23_301}
    recipe = Recipe(count=23_302, depth=0, has_duplicates=True, script=script)
    return replace(recipe, sh_degree=3, parameters=parameters)


def bases_faults() -> Iterator[Fault]:
    """MBAS of functions after those that are given."""
    other = replace(TWO, id=8)
    script: Script = {"functions": [1024, -1024, 0, 5, -6, 7]}
    right = bases_payload(other, Source(script))
    twice = put(right, 0, bytes([THREE.id]))
    yield Fault("functions_bases_twice", "motion.bases", "Functions with the id of rigid motions.", twice, 0)
    for flags, text in ((5, "rotations that are extrapolated"), (12, "a reserved flag"), (7, "all flags")):
        yield Fault(
            f"functions_bases_flags_{flags}",
            "motion.flags",
            f"MBAS of functions with {text}.",
            put(right, 1, bytes([flags])),
            1,
        )
    ranges = {
        "count": (2, b"\0"),
        "count_many": (2, b"\x41"),
        "keys": (3, bytes(2)),
        "keys_many": (3, struct.pack("<H", 4097)),
        "interval": (5, bytes(4)),
        "exponent": (9, struct.pack("<h", 1)),
        "exponent_small": (9, struct.pack("<h", -1)),
        "step": (11, bytes(2)),
        "tables": (13, b"\0"),
    }
    for name, (offset, value) in ranges.items():
        text = f"MBAS of functions: {name} is out of its range."
        yield Fault(f"functions_bases_{name}", "motion.range", text, put(right, offset, value), offset)
    yield Fault("functions_bases_short", "motion.length", "MBAS of functions lacks a word.", right[:-4], 0)
    yield Fault("functions_bases_long", "motion.length", "A byte after MBAS of functions.", right + b"\0", 0)
    yield Fault(
        "functions_bases_of_rigid",
        "motion.range",
        "Rigid motions with the flag of functions: the exponent is not 0.",
        put(RIGID, 0, b"\x08\4"),
        9,
    )
    for number, token in ((0, 2 * 1025), (1, 2 * 1025 - 1), (2, 2 * 2049 - 1)):
        turning = Source({"functions": [1024, -1024, -2048, 5, 6, 7]})
        wrong = bases_payload(other, turning, 1, replaced(0, number, token))
        text = "A function that is over 4, or under -4."
        place = place_of(wrong, OF_BASES, 1, 0)
        yield Fault(f"functions_bases_value_{number}", "motion.value", text, wrong, place)


def function_faulty_segments() -> Iterator[Body]:
    """All faults as segments of one chunk."""
    given = b"".join(section(b"MBAS", payload) for payload in GIVEN)
    for on, fault in (*((STAGE, fault) for fault in motion_faults()), *faults_elsewhere()):
        body = section(b"PARM", on.parameter_payload) + given + section(b"CHNK", on.chunk_payload)
        body += section(b"MOTN", fault.payload)
        yield Body(f"motion_{fault.name}", fault.code, fault.proves, body, on.header.count, on.sh_degree)
    for fault in bases_faults():
        body = section(b"PARM", STAGE.parameter_payload) + given + section(b"MBAS", fault.payload)
        body += section(b"CHNK", STAGE.chunk_payload)
        yield Body(f"motion_{fault.name}", fault.code, fault.proves, body, STAGE.header.count)
