"""(12.5 to 12.8, 12.11) Vectors with motion: segments of motions.py and others in complete files.

Standard library only.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import moves
import timeline as made
from dynamic import STATIC, Case, of
from dynamic import all_cases as container_cases
from fixup import section
from hello import RECIPE
from motion_craft import start_bytes
from motion_faulty import DURATION, GIVEN, MIXED, STAGE, faulty_segments, put
from motion_functions import function_segments
from motion_functions_faulty import function_faulty_segments
from motion_rules import ruled_segments
from motions import Segment, segments
from timeline import COUNT, Part

USUAL = {
    "motion_spans",
    "motion_window_4",
    "motion_keys_0",
    "motion_mixture_0",
    "motion_half_turn_z",
    "motion_functions_2",
}
START = 1000  # tick of the segment
GIVEN_BASES = section(b"MBAS", GIVEN)
PARM, CHNK = section(b"PARM", STAGE.parameter_payload), section(b"CHNK", STAGE.chunk_payload)
MOTN = section(b"MOTN", MIXED)


def part_of(segment: Segment, start: int = START) -> Part:
    return Part(start, segment.duration, segment.body, splats=segment.splats, chunks=segment.chunks)


def case_of(segment: Segment) -> Case:
    """A file of one segment; looked at when it ends, too."""
    recipe = replace(RECIPE, sh_degree=segment.sh_degree, extras=segment.extras)
    ticks = sorted({*segment.ticks, segment.duration - 1})
    return Case(
        segment.name,
        segment.proves,
        made.file([part_of(segment)], recipe=recipe, splats=segment.splats),
        tuple(START + tick for tick in ticks),
    )


def file_of(part: Part, splats: int, sh_degree: int = 0) -> bytes:
    """A stream of one segment of so many splats; with a static layer, which has no harmonics, where it can."""
    if sh_degree:
        return made.stream([part], recipe=replace(RECIPE, sh_degree=sh_degree), splats=splats)
    return made.stream([part], STATIC, splats=COUNT + splats)


def together() -> Iterator[Case]:
    """Several segments."""
    named = {segment.name: segment for segment in segments()}
    models = [named[name] for name in ("motion_window_4", "motion_mixture_3", "motion_keys_bounds")]
    parts = [part_of(segment, 100 * i) for i, segment in enumerate(models)]
    splats = COUNT + sum(segment.splats for segment in models)
    yield Case(
        "motion_models",
        "A static layer and three segments: polynomials, shared bases, keyframes; ticks of segments are counted from their starts.",
        made.file(parts, STATIC, splats=splats),
        (-1, 0, 50, 99, 100, 130, 199, 200, 249, 298, 299, 300),
    )
    turns = [named[f"motion_half_turn_{axis}"] for axis in "xy"]
    yield Case(
        "motion_bases_again",
        "Two segments have bases of one id, which are not the same.",
        made.file([part_of(segment, 100 * i) for i, segment in enumerate(turns)]),
        (0, 99, 100, 199),
    )
    whole = part_of(named["motion_keys_bounds"])
    yield Case(
        "motion_stream",
        "Motion in a stream without end mark.",
        made.stream([whole], STATIC, end=False),
        (START, START + 49, START + 99, START + 100),
    )


def faulty_together() -> Iterator[Case]:
    """Faults of which a segment alone does not tell."""
    good = PARM + GIVEN_BASES + CHNK + MOTN
    bad = put(MIXED, 1, b"\2")
    yield Case(
        "motion_bases_of_another",
        "Motion by the bases of another segment.",
        of(Part(0, DURATION, good), Part(DURATION, DURATION, PARM + CHNK + MOTN)),
        (DURATION,),
        "motion.bases",
    )
    yield Case(
        "motion_bases_late",
        "Motion by bases that come after it.",
        of(Part(0, DURATION, PARM + CHNK + MOTN + GIVEN_BASES)),
        (0,),
        "motion.bases",
    )
    yield Case(
        "motion_not_shown",
        "A fault in the motion of a chunk that is not shown at the tick.",
        of(Part(0, DURATION, good + CHNK + section(b"MOTN", start_bytes(1, 8, 50, 60)))),
        (0,),
        "motion.flags",
    )
    yield Case(
        "motion_before_bases",
        "A fault in the motion of a chunk, and one in bases after it: the first one is found.",
        of(
            Part(
                0,
                DURATION,
                PARM + GIVEN_BASES + CHNK + section(b"MOTN", bad) + section(b"MBAS", b"\x08\0\0"),
            )
        ),
        (0,),
        "motion.flags",
    )
    yield Case(
        "motion_unused_bases",
        "Faulty bases behind all chunks: they are read all the same.",
        of(Part(0, DURATION, good + section(b"MBAS", b"\x08\0\0"))),
        (0,),
        "motion.range",
    )
    yield Case(
        "motion_one_segment",
        "The motion of the second segment is faulty: the first one, and the time after both, can be shown.",
        of(
            Part(0, DURATION, good),
            Part(DURATION, DURATION, PARM + GIVEN_BASES + CHNK + section(b"MOTN", bad)),
        ),
        (0, DURATION - 1, DURATION, 2 * DURATION - 1, 2 * DURATION),
    )


def motion_cases() -> Iterator[tuple[str, Case]]:
    """Group and case of every vector with motion."""
    for segment in segments():
        yield "baseline" if segment.name in USUAL else "uncommon", case_of(segment)
    for segment in (*ruled_segments(), *function_segments()):
        yield "baseline" if segment.name in USUAL else "uncommon", case_of(segment)
    for case in together():
        yield "uncommon", case
    for body in (*faulty_segments(), *function_faulty_segments()):
        part = Part(0, DURATION, body.body, splats=body.splats, chunks=1)
        data = file_of(part, body.splats, body.sh_degree)
        yield "faulty", Case(body.name, body.proves, data, (0,), body.code)
    for case in faulty_together():
        yield "faulty", case


def all_cases() -> Iterator[tuple[str, Case]]:
    """Group and case of every vector of the dynamic profile."""
    yield from container_cases()
    yield from motion_cases()
    yield from moves.all_cases()
