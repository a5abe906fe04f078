"""(12.5-12.8) Both readers give the same bits for the segments that conformance vectors are made of."""

from __future__ import annotations

import random
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import motion_functions_faulty as of_functions_faulty
import numpy as np
import pytest
from fixup import sections
from motion_craft import Stage, stage, stage_of
from motion_draw import moving_from_seed, ticks_of
from motion_faulty import DURATION as FAULTY_DURATION
from motion_faulty import GIVEN, KNOWN, STAGE, Fault, bases_faults, crowd, limit_faults, motion_faults
from motion_functions import function_segments
from motions import Segment, segments

from gscodec.chunk import read_chunk
from gscodec.container import ExtraAttribute
from gscodec.decoder import empty_splats, write_values
from gscodec.errors import StreamError
from gscodec.motion import read_bases
from gscodec.motion.bases import AnyBases, TimeFunctions
from gscodec.parameters import read_parameters
from gscodec.reference import bases as reference
from gscodec.reference.faults import Place
from tests.motion.both import OFFSET, assert_same, facts, fast, mutated, plain
from tests.motion.made import Made


def made_of(on: Stage) -> Made:
    """The chunk as both readers have it."""
    extras = [ExtraAttribute(**asdict(extra)) for extra in on.extras]
    parameters = read_parameters(memoryview(on.parameter_payload), 0, sh_degree=on.sh_degree, extras=extras)
    fields, integers = read_chunk(memoryview(on.chunk_payload), 0, parameters, extras)
    scene: Any = SimpleNamespace(extras=extras)
    splats = empty_splats(scene, fields.count, on.sh_degree)
    write_values(fields, integers, parameters.coding, scene, splats)
    coding = parameters.coding
    return Made(
        fields=fields,
        integers=integers,
        coding=coding,
        splats=splats,
        plain=on.chunk(),
        extras=tuple(on.extras),
    )


class Known:
    """The bases of a segment, as both readers have them."""

    def __init__(self) -> None:
        self.fast: dict[int, AnyBases] = {}
        self.plain: dict[int, Any] = {}

    def add(self, payload: bytes) -> None:
        bases = read_bases(memoryview(payload), OFFSET, self.fast)
        self.fast[bases.fields.id] = bases
        same = reference.read_bases(payload, Place("MBAS", OFFSET), self.plain)
        self.plain[same.id] = same
        if isinstance(bases, TimeFunctions):
            assert bases.values.tolist() == [[value for (value,) in row] for row in same.functions]
            return
        assert bases.rotations.tolist() == same.rotations
        assert bases.translations.tolist() == same.translations


def compare(chunk: Made, payload: bytes, ticks: list[int], duration: int, known: Known) -> bool:
    """Whether there is no error, which both agree on."""
    found = fast(chunk, payload, ticks, duration, known.fast)
    assert_same(found, plain(chunk, payload, ticks, duration, known.plain))
    return not isinstance(found, tuple)


@pytest.mark.parametrize("seed", range(24))
def test_drawn_segments(seed: int) -> None:
    drawn, known = moving_from_seed(seed, 24), Known()
    for payload in drawn.bases_payloads:
        known.add(payload)
    rng = np.random.default_rng(seed)
    for on, motion in zip(drawn.stages, drawn.motions, strict=True):
        if motion is None:
            continue
        chunk = made_of(on)
        assert compare(chunk, motion[0], ticks_of(drawn), drawn.duration, known)
        for _ in range(4):
            compare(chunk, mutated(motion[0], rng), ticks_of(drawn)[:2], drawn.duration, known)


@pytest.mark.parametrize("segment", [*segments(), *function_segments()], ids=lambda s: s.name)
def test_segments_of_vectors(segment: Segment) -> None:
    known, sets, chunk, seen = Known(), dict[int, bytes](), None, 0
    for id, _, start, end in sections(bytes(20) + segment.body):
        payload = segment.body[start - 20 : end - 20]
        if id == b"PARM":
            sets[payload[0]] = payload
        elif id == b"MBAS":
            known.add(payload)
        elif id == b"CHNK":
            on = stage_of(sets[payload[0]], payload, segment.sh_degree, segment.extras)
            chunk = made_of(on)
        elif id == b"MOTN":
            assert chunk is not None
            assert compare(chunk, payload, segment.ticks, segment.duration, known)
            seen += 1
    assert seen or segment.chunks


def given(of_functions: bool = False) -> Known:
    known = Known()
    for payload in of_functions_faulty.GIVEN if of_functions else [GIVEN]:
        known.add(payload)
    assert known.plain.keys() == (of_functions_faulty.KNOWN if of_functions else KNOWN).keys()
    return known


def assert_faulty(on: Stage, fault: Fault, known: Known) -> None:
    """Both readers find what is wrong, at its place."""
    found = fast(made_of(on), fault.payload, (0,), FAULTY_DURATION, known.fast)
    assert isinstance(found, tuple)
    assert (found[1], found[4]) == (fault.code, OFFSET + fault.offset)
    assert_same(found, plain(made_of(on), fault.payload, (0,), FAULTY_DURATION, known.plain))


@pytest.mark.parametrize("fault", [*motion_faults()], ids=lambda f: f.name)
def test_faulty_motion(fault: Fault) -> None:
    assert_faulty(STAGE, fault, given())


@pytest.mark.parametrize("fault", [*of_functions_faulty.motion_faults()], ids=lambda f: f.name)
def test_faulty_functions(fault: Fault) -> None:
    assert_faulty(STAGE, fault, given(True))


@pytest.mark.parametrize(
    ("on", "fault"), [*of_functions_faulty.faults_elsewhere()], ids=lambda f: getattr(f, "name", "")
)
def test_faulty_functions_elsewhere(on: Stage, fault: Fault) -> None:
    assert_faulty(on, fault, given(True))


@pytest.mark.parametrize(
    "fault", [*bases_faults(), *of_functions_faulty.bases_faults()], ids=lambda f: f.name
)
def test_faulty_bases(fault: Fault) -> None:
    known = given(fault.name.startswith("functions_"))
    with pytest.raises(StreamError) as error:
        read_bases(memoryview(fault.payload), OFFSET, known.fast)
    with pytest.raises(StreamError) as same:
        reference.read_bases(fault.payload, Place("MBAS", OFFSET), known.plain)
    assert facts(error.value) == facts(same.value)
    assert (error.value.code, error.value.offset) == (fault.code, OFFSET + fault.offset)


@pytest.mark.parametrize("fault", [*limit_faults()], ids=lambda f: f.name)
def test_limits(fault: Fault) -> None:
    found = fast(made_of(stage(crowd())), fault.payload, (0,), FAULTY_DURATION)
    assert isinstance(found, tuple)
    assert (found[1], found[4]) == (fault.code, OFFSET + fault.offset)


def test_many_drawn_segments_are_alike_at_any_tick() -> None:
    drawn, known = moving_from_seed(101, 60), Known()
    for payload in drawn.bases_payloads:
        known.add(payload)
    rng = random.Random(1)
    ticks = [rng.randrange(drawn.duration) for _ in range(6)]
    for on, motion in zip(drawn.stages, drawn.motions, strict=True):
        if motion is not None:
            assert compare(made_of(on), motion[0], ticks, drawn.duration, known)
