"""(12.4) Vectors with MOVE: segments that move chunks of the static layer. Standard library only."""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import timeline as made
from craft import Recipe
from dynamic import META, OTHER, Case, nth
from fixup import section
from hello import RECIPE
from motion_craft import (
    LINE,
    PULSE,
    STEPS,
    Model,
    Source,
    Stage,
    bases_payload,
    coded_motion,
    stage,
    start_bytes,
)
from motion_faulty import KEYS, crowd, put
from motion_functions import lone
from motions import FINE, STILL, coloured_recipe, columns
from timeline import COUNT, Part

from gscodec.reference.bases import Mixture
from gscodec.reference.functions import HAS_LIVES, PREDICTED
from gscodec.reference.parameters import PredictorSet

DURATION = 100
NEAR = PredictorSet(4, 1, [256, 250, 200, 256, 128, 64], [10, 19, 29, 38, 48], [])
EIGHT: Recipe = replace(
    FINE,
    parameters=replace(
        FINE.parameters,
        classes=8,
        sets=[replace(NEAR, distances=[(0, 0)] * attributes) for attributes in range(3)],
    ),
    script={**FINE.script, "importance": [0, 7, 3]},
    depth=2,
)  # three splats of classes, and with a window of predictors, that FINE lacks
FIRST, SECOND = stage(FINE), stage(EIGHT)
USUAL = {"moved_file", "moved_stream"}


def sections_of(on: Stage, id: int) -> bytes:
    """A parameter set of that id, and the chunk."""
    parameters = section(b"PARM", made.with_id(on.parameter_payload, id))
    return parameters + section(b"CHNK", made.with_id(on.chunk_payload, id))


# The static layer: two chunks, whose sets have other ids than those of the segments, 0.
LAYER = sections_of(FIRST, 7) + sections_of(SECOND, 9)
OWN = sections_of(FIRST, 0)
OWN_CHUNK = section(b"CHNK", made.with_id(FIRST.chunk_payload, 0))
BAD = put(start_bytes(0, 0, 0, DURATION), 1, b"\1")  # model 0 has no flags


def move(number: int, motion: bytes = b"", length: int = 4) -> bytes:
    """MOVE, and the payload of the MOTN behind it, if there is to be one."""
    payload = number.to_bytes(8, "little")[:length]
    return section(b"MOVE", payload) + (section(b"MOTN", motion) if motion else b"")


def motion_of(on: Stage, model: Model, span: tuple[int, int] = (0, DURATION), **script: list[int]) -> bytes:
    return coded_motion(on, model, Source(script), span)[0]


def shown(first: int, until: int) -> bytes:
    return start_bytes(0, 0, first, until)


STEADY = shown(0, DURATION)
CURVE = replace(
    LINE, flags=5, degree=2, translation=(64, 4), rotation=(1 << 10, 4), translation_multipliers=[3, 7],
    rotation_multipliers=[2, 5],
)  # fmt: skip
FLOWN = motion_of(
    SECOND,
    CURVE,
    masks=[3, 1, 3],
    position=[3, 2, 1, 0, -1, -2, 9, 9, 9, 31, -31, 5, 0, 9, 1, 2, 3, 4],
    rotation=[1, 2, 3, 4, 0, 9, -9, 9],
)  # by classes, and predicted
STEPPED = replace(STEPS, attributes=3, extrapolated=1, keys=3, interval=30, position=(1 << 12, 0))
WALKED = motion_of(
    FIRST,
    replace(STEPPED, rotation=(1 << 10, 2)),
    masks=[1, 0, 3, 1, 2, 1],
    position=[64, 0, -64, 9, 9, 9, 0, 0, 7, -5, 6, 7],
    rotation=[0, 1, 0, 9, -9, 9],
)
LIVED = motion_of(
    FIRST,
    replace(STEPPED, attributes=1, flags=1, keys=2, interval=20),
    (15, 90),
    lives=[0, 0, 1, 0, 0, 1],
    masks=[1, 1, 0],
    position=[64, 0, -64, 9, 9, 9],
)
TURNED = motion_of(SECOND, Mixture(0, STILL, 1), masks=[1, 0, 1])


def basis(*rotation: int) -> bytes:
    """MBAS of one basis."""
    script = {"rotation": columns(*rotation), "translation": [4096, 0, -4096]}
    return section(b"MBAS", bases_payload(STILL, Source(script)))


def three(body: bytes) -> list[Part]:
    """Three segments, of which the second has this body; after it is a gap."""
    return [Part(0, DURATION, OWN), Part(100, DURATION, body), Part(250, 50, OWN)]


TICKS = (-1, 0, 99, 100, 101, 129, 130, 145, 160, 199, 200, 249, 250, 300)
WALK = OWN + move(0, WALKED)
FILE = made.file(three(WALK), LAYER)
STREAM = made.stream(three(WALK), LAYER)


# ------------------------------------------------------------ valid


def whole_files() -> Iterator[Case]:
    """The modes."""
    yield Case(
        "moved_file",
        "The second of three segments moves the first chunk of the static layer by keyframes; elsewhere it is shown as it is.",
        FILE,
        TICKS,
    )
    yield Case(
        "moved_stream",
        "A stream whose second segment moves the second chunk of the static layer by polynomials: classes, steps and predictors are those of that chunk.",
        made.stream(three(OWN + move(1, FLOWN)), LAYER),
        TICKS,
    )
    yield Case(
        "moved_no_end",
        "A stream that ends behind a segment whose last section is the MOTN of a moved chunk: complete.",
        made.stream(three(OWN + move(1, FLOWN))[:2], LAYER, end=False),
        (0, 100, 150, 200),
    )
    yield Case(
        "moved_table",
        "A stream with a table that comes last, behind the MOTN of a moved chunk; SEGM and SEGT count the segment's own chunks.",
        made.stream(three(WALK)[:2], LAYER, with_table=True),
        (0, 145, 200),
    )
    yield Case(
        "moved_cat",
        "Header part and a segment that moves a chunk, joined.",
        made.stream([], LAYER, end=False) + three(WALK)[1].written(1),
        (0, 99, 100, 145, 200),
    )
    nothing = [Part(-100, DURATION, move(1, FLOWN)), Part(0, DURATION, move(0, WALKED) + move(1, FLOWN))]
    yield Case(
        "moved_alone",
        "Segments without chunks of their own that move one and two chunks of the static layer.",
        made.file(nothing, LAYER),
        (-101, -100, -50, -1, 0, 45, 99, 100),
    )
    yield Case(
        "moved_level_2",
        "Level 2.",
        made.file(three(WALK), LAYER, level=2),
        (145,),
    )


def meaning() -> Iterator[Case]:
    """What is shown when, and in which order."""
    body = section(b"PARM", made.with_id(FIRST.parameter_payload, 0)) + META + OWN_CHUNK
    body += (
        move(0, shown(10, 50)) + OTHER + OWN_CHUNK + section(b"MOTN", shown(0, 20)) + move(1, FLOWN) + META
    )
    yield Case(
        "moved_among",
        "MOVE between the segment's own chunks: the chunks of the static layer are shown first and in their order all the same; a MOTN behind MOVE is not that of the chunk before.",
        made.file(three(body), LAYER),
        (99, 100, 110, 119, 120, 149, 150, 199, 200),
    )
    yield Case(
        "moved_spans",
        "Chunks of the static layer that a segment shows for a part of it, or for a single tick.",
        made.stream(
            [
                Part(100, DURATION, move(0, shown(10, 60)) + move(1, shown(99, 100))),
                Part(200, 10, move(1, shown(0, 1))),
            ],
            LAYER,
        ),
        (99, 100, 109, 110, 159, 160, 198, 199, 200, 201, 210),
    )
    yield Case(
        "moved_lives",
        "Lifespans of a moved chunk, whose keys count from the tick at which it is first shown.",
        made.file(three(OWN + move(0, LIVED)), LAYER),
        (99, 100, 114, 115, 134, 135, 155, 189, 190, 200),
    )
    bodies = [basis(*turn) + move(1, TURNED) for turn in ((1, 0, 0, 0, -1, 0), (3, 4, 0, -4, 3, 0))]
    yield Case(
        "moved_bases",
        "Two segments move a chunk by bases of one id, which are those of each segment.",
        made.file([Part(100 * i, DURATION, body) for i, body in enumerate(bodies)], LAYER),
        (0, 99, 100, 199, 200),
    )
    yield Case(
        "moved_again",
        "A chunk of the static layer moved by one model in one segment and by another in the next, then not at all, then for a while.",
        made.file(
            [
                Part(0, DURATION, move(1, FLOWN)),
                Part(100, DURATION, basis(0, 1, 0, -1, 0, 0) + move(1, TURNED)),
                Part(200, DURATION, OWN),
                Part(300, 7, move(1, shown(2, 7))),
            ],
            LAYER,
        ),
        (0, 50, 99, 100, 199, 250, 300, 301, 302, 306, 307),
    )
    shared = section(b"CHNK", made.with_id(SECOND.chunk_payload, 9)) + section(b"MOTN", FLOWN)
    yield Case(
        "moved_as_own",
        "The same chunk with the same motion, moved in the static layer and as a chunk of the segment with a set of the header part: at the same place.",
        made.file([Part(0, DURATION, shared + move(1, FLOWN))], LAYER),
        (0, 33, 99),
    )
    longest = (1 << 32) - 1
    slow = motion_of(
        FIRST, replace(LINE, translation=(1 << 12, 0)), (0, longest), masks=[1, 1, 0], position=[64, 0, 9] * 2
    )
    yield Case(
        "moved_durations",
        "The time of polynomials of a moved chunk is that of the segment: in one of a single tick, and in the longest.",
        made.stream([Part(-1, 1, move(0, put(slow, 8, struct.pack("<I", 1)))), Part(0, longest, move(0, slow))], LAYER, start=-1),
        (-2, -1, 0, longest >> 1, longest - 1, longest),
    )  # fmt: skip


def kinds() -> Iterator[Case]:
    """What the chunk of the static layer brings along."""
    bright = stage(coloured_recipe())
    every = replace(STEPPED, attributes=63, extrapolated=0, keys=1, rotation=(1 << 10, 2))
    keys = motion_of(
        bright,
        every,
        masks=[63, 1, 62],
        position=[64, 0, -64, 9, 9, 9],
        rotation=[0, 1, 0, 9, -9, 9],
        scale=[0, 0, 9, 1, 1, 1],
        opacity=[1, -4],
        colour=[1, 2, 3, 0, 0, -1],
        harmonics=[*range(9), *range(-9, 0)],
    )
    yield Case(
        "moved_attributes",
        "All attributes of a chunk of the static layer change at a key, harmonics among them; the next segment shows them as they were.",
        made.file(
            [Part(0, DURATION, move(0, keys)), Part(100, DURATION, b"")],
            sections_of(bright, 7),
            recipe=replace(RECIPE, sh_degree=1),
        ),
        (0, 15, 30, 99, 100, 200),
    )
    same = {k: v for k, v in RECIPE.script.items() if k != "position"}
    script = {
        **same,
        "scale": [4, 3, 0, 3, 0, 5],
        "rotation": [2],
        "opacity": [1, -1],
        "colour": [0, 2, -1, 0, 0, 2],
    }
    repeated = stage(replace(FINE, depth=0, has_duplicates=True, script={**script, "duplicate": [1, 0]}))
    line = motion_of(
        repeated, replace(LINE, translation=(64, 0)), masks=[1, 1], position=[1, 2, 3, -1, -2, -3]
    )
    yield Case(
        "moved_duplicates",
        "A splat of the static layer that repeats the one before moves with it.",
        made.file([Part(0, DURATION, move(0, line))], sections_of(repeated, 7)),
        (0, 50, 99, 100),
    )

    wave = replace(PULSE, id=3, keys=4)
    waves = section(b"MBAS", bases_payload(wave, Source({"functions": [256, -384, 0, 77]})))
    follows = motion_of(
        SECOND,
        lone("position", "opacity", residual=["colour"], bases=wave, flags=HAS_LIVES | PREDICTED),
        lives=[0, 0, 1, 0, 0, 1],
        masks=[9, 1, 8],
        position=[64, 0, -64, 9, -9, 9],
        opacity=[5, -3],
        colour_fineness=[9, 0, 3],
        colour_residuals=[*range(-9, 9), 5, 0, -5],
    )
    yield Case(
        "moved_functions",
        "A chunk of the static layer follows functions of a segment and has residuals; another segment has other functions of that id.",
        made.file(
            [
                Part(0, DURATION, waves + move(1, follows)),
                Part(100, DURATION, OWN),
                Part(
                    200,
                    DURATION,
                    section(b"MBAS", bases_payload(wave, Source({"functions": [0, 0, 99, -512]})))
                    + move(1, follows),
                ),
            ],
            LAYER,
        ),
        (-1, 0, 15, 29, 30, 45, 89, 90, 99, 100, 199, 200, 260, 299, 300),
    )


def valid() -> Iterator[Case]:
    yield from whole_files()
    yield from meaning()
    yield from kinds()


# ------------------------------------------------------------ faulty


def of(*bodies: bytes, layer: bytes = LAYER) -> bytes:
    """A stream of segments with these bodies."""
    parts = [Part(DURATION * i, DURATION, body) for i, body in enumerate(bodies)]
    return made.stream(parts, layer)


def number_faults() -> Iterator[tuple[str, str, str, bytes]]:
    good = move(0, STEADY)
    yield "number", "motion.chunk", "A chunk that the static layer lacks.", of(move(2, STEADY))
    yield "number_largest", "motion.chunk", "The largest number.", of(move(2**32 - 1, STEADY))
    yield (
        "number_of_none",
        "motion.chunk",
        "There is no static layer; chunks of the segment are not those that MOVE names.",
        of(OWN + move(0, STEADY), layer=b""),
    )
    yield "number_again", "motion.chunk", "A chunk moved twice.", of(good + good)
    yield "number_again_apart", "motion.chunk", "The same, with a chunk between.", of(good + OWN + good)
    yield (
        "number_descends",
        "motion.chunk",
        "Chunks that are not moved in their order.",
        of(move(1, STEADY) + good),
    )
    yield (
        "number_before_motion",
        "motion.chunk",
        "A number out of range, and no motion behind it: the number is found first.",
        of(move(2) + OWN),
    )
    for length in (0, 3, 5):
        name = {0: "empty", 3: "short", 5: "long"}[length]
        yield (
            f"length_{name}",
            "container.length",
            f"MOVE of {length} bytes, with a number out of range: the length is found first.",
            of(move(2, STEADY, length)),
        )


def order_faults() -> Iterator[tuple[str, str, str, bytes]]:
    alone = move(0)
    yield "no_motion", "container.order", "MOVE, then a parameter set.", of(alone + OWN)
    for name, behind, text in [
        ("chunk", OWN_CHUNK, "a chunk"),
        ("bases", basis(1, 0, 0, 0, 1, 0), "bases"),
        ("move", move(1, STEADY), "another MOVE"),
        ("meta", META, "META"),
        ("other", OTHER, "an unknown section"),
    ]:
        first = section(b"PARM", made.with_id(FIRST.parameter_payload, 0))
        body = first + alone + behind + section(b"MOTN", STEADY)
        yield f"then_{name}", "container.order", f"MOVE, then {text}, then MOTN.", of(body)
    yield (
        "then_segment",
        "container.order",
        "A segment that ends with MOVE, then the next one.",
        of(OWN + alone, OWN),
    )
    yield "then_end", "container.order", "A segment that ends with MOVE, then the end mark.", of(OWN + alone)
    yield (
        "then_end_file",
        "container.order",
        "The same in file mode.",
        made.file([Part(0, DURATION, OWN + alone)], LAYER),
    )
    yield (
        "then_table",
        "container.order",
        "A segment that ends with MOVE, then the table.",
        made.stream([Part(0, DURATION, OWN + alone)], LAYER, with_table=True),
    )
    yield (
        "then_nothing",
        "container.truncated",
        "A stream that ends behind MOVE, as its segment does.",
        made.stream([Part(0, DURATION, OWN + alone)], LAYER, end=False),
    )
    yield (
        "cut",
        "container.truncated",
        "A stream that ends behind MOVE, before the end of its segment.",
        STREAM[: nth(STREAM, b"MOTN")],
    )
    yield "cut_file", "container.truncated", "The same in file mode.", FILE[: nth(FILE, b"MOTN")]
    yield "twice", "container.order", "Two MOTN behind MOVE.", of(move(0, STEADY) + section(b"MOTN", STEADY))
    yield (
        "between",
        "container.order",
        "MOVE and its MOTN between a chunk and its own.",
        of(OWN + move(0, STEADY) + section(b"MOTN", STEADY)),
    )
    yield "in_front", "container.order", "MOVE in the header part.", of(OWN, layer=LAYER + move(0, STEADY))
    yield (
        "before_time",
        "container.order",
        "MOVE before TIME.",
        STREAM[: nth(STREAM, b"TIME")] + move(0) + STREAM[nth(STREAM, b"TIME") :],
    )
    yield (
        "ignorable",
        "container.section_required",
        "MOVE that may be skipped.",
        of(section(b"MOVE", bytes(4), 0) + section(b"MOTN", STEADY)),
    )


def count_faults() -> Iterator[tuple[str, str, str, bytes]]:
    def one(body: bytes, **counts: int) -> bytes:
        return made.stream([Part(0, DURATION, body, **counts)], LAYER)

    body = OWN + move(0, STEADY)
    yield (
        "splats_counted",
        "timeline.count",
        "SEGM counts the splats of the moved chunk.",
        one(body, splats=2 * COUNT),
    )
    yield "chunks_counted", "timeline.count", "SEGM counts the moved chunk.", one(body, chunks=2)
    behind = len(section(b"MOTN", STEADY))
    yield (
        "ends_between",
        "timeline.count",
        "The size of the segment ends between MOVE and its MOTN.",
        one(body, size=56 + len(body) - behind),
    )
    yield (
        "ends_within",
        "timeline.count",
        "The size of the segment ends within MOVE.",
        one(body, size=56 + len(body) - behind - 1),
    )
    yield (
        "end_mark",
        "container.count",
        "The end mark counts the splats of the moved chunk once more.",
        made.stream([Part(0, DURATION, body)], LAYER, splats=4 * COUNT),
    )


def motion_faults() -> Iterator[tuple[str, str, str, bytes]]:
    yield "model", "motion.model", "A model of a later version.", of(move(0, put(STEADY, 0, b"\xc8")))
    yield "span", "motion.range", "A chunk that is shown beyond the segment.", of(move(1, shown(0, 101)))
    yield (
        "damaged",
        "motion.length",
        "The motion of a moved chunk lacks its last word.",
        of(OWN + move(1, FLOWN[:-4])),
    )
    start = nth(STREAM, b"MOTN") + 30
    yield (
        "crc",
        "container.crc",
        "One bit of the MOTN of a moved chunk is wrong.",
        STREAM[:start] + bytes([STREAM[start] ^ 1]) + STREAM[start + 1 :],
    )
    yield "no_bases", "motion.bases", "A moved chunk by bases that are not there.", of(move(1, TURNED))
    bases = basis(1, 0, 0, 0, 1, 0)
    yield (
        "bases_late",
        "motion.bases",
        "A moved chunk by bases that come after it.",
        of(move(1, TURNED) + bases),
    )
    yield (
        "not_shown",
        "motion.flags",
        "A fault in the motion of a moved chunk that is not shown at the tick.",
        of(move(0, put(shown(50, 60), 1, b"\1"))),
    )
    span = section(b"MOTN", shown(0, 101))
    yield (
        "after_own",
        "motion.range",
        "A fault in the motion of a chunk of the segment, and one in that of a moved chunk behind it: the first is found, though the moved chunk is shown first.",
        of(OWN + span + move(0, BAD)),
    )
    yield (
        "before_own",
        "motion.flags",
        "The same, the moved chunk first.",
        of(section(b"PARM", made.with_id(FIRST.parameter_payload, 0)) + move(0, BAD) + OWN_CHUNK + span),
    )
    yield (
        "before_bases",
        "motion.flags",
        "A fault in the motion of a moved chunk, and one in bases behind it: the first is found.",
        of(move(0, BAD) + section(b"MBAS", b"\x08\0\0")),
    )
    broken = sections_of(FIRST, 7) + section(b"CHNK", made.with_id(FIRST.chunk_payload, 7)[:-4])
    yield (
        "static_first",
        "chunk.length",
        "A fault in the second chunk of the static layer, and one in the motion of the first: that of the layer is found.",
        of(move(0, BAD), layer=broken),
    )
    many = put(KEYS, 12 + 2, struct.pack("<H", 4096))  # keys
    on = stage(crowd())
    front = made.header(stream_mode=True) + made.scene(on.header.count, 1) + made.time()
    yield (
        "limit",
        "limit.stream_symbols",
        "4,096 keys of three values of the 1,366 splats of a chunk of the static layer.",
        front + sections_of(on, 7) + Part(0, DURATION, move(0, many)).written(0),
    )


def faulty() -> Iterator[Case]:
    """Each with one fault, or with two of which one is found."""
    for group in (number_faults, order_faults, count_faults, motion_faults):
        for name, code, text, data in group():
            yield Case(f"moved_{name}", text, data, (0,), code)


def one_segment() -> Iterator[Case]:
    """A fault in one segment, and what is shown elsewhere."""
    yield Case(
        "moved_one_segment",
        "The motion of a moved chunk is faulty in the second segment: everything else can be shown.",
        made.file(three(move(0, BAD)), LAYER),
        (0, 99, 100, 199, 200, 250),
    )


def all_cases() -> Iterator[tuple[str, Case]]:
    """Group and case of every vector with MOVE."""
    for case in valid():
        yield "baseline" if case.name in USUAL else "uncommon", case
    for group in (faulty, one_segment):
        for case in group():
            yield "faulty", case
