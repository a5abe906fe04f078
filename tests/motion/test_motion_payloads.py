"""(12.5 to 12.8) Payloads of MOTN and MBAS: what is written is read, what is wrong is told."""

from __future__ import annotations

import csv
import random
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import moves
import pytest
from fixup import sections
from motion_craft import Source, Stage, coded_motion, decoded_motion, stage, stage_of
from motion_draw import Moving, moving_from_seed, ticks_of
from motion_faulty import (
    DURATION,
    KNOWN,
    STAGE,
    bases_faults,
    crowd,
    faulty_segments,
    limit_faults,
    motion_faults,
)
from motions import Segment, polynomials, segments

from gscodec.errors import StreamError
from gscodec.reference.bases import Bases, read_bases
from gscodec.reference.decode import Splat
from gscodec.reference.faults import Place
from gscodec.reference.keyframes import Keyframes
from gscodec.reference.motion import Motion, moved
from gscodec.reference.polynomial import Polynomial

ROOT = Path(__file__).resolve().parents[2]
MBAS = Place("MBAS", 0)
SEEDS = range(16)


def parts(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Id and payload of each section."""
    for id, _, start, end in sections(bytes(20) + body):
        yield id, body[start - 20 : end - 20]


def splats_of(segment: Segment, tick: int) -> list[Splat]:
    """What is shown of a segment."""
    known: dict[int, Bases] = {}
    sets, found = dict[int, bytes](), list[Splat]()
    on: Stage | None = None
    waiting = [*parts(segment.body), (b"", b"")]
    for id, payload in waiting:
        motion = None
        if id == b"MOTN" and on is not None:
            motion = decoded_motion(on, payload, segment.duration, known)
        if on is not None:
            found += moved(motion, on.chunk(), tick, segment.duration, segment.extras)
        on = None
        if id == b"PARM":
            sets[payload[0]] = payload
        elif id == b"MBAS":
            bases = read_bases(payload, MBAS, known)
            known[bases.id] = bases
        elif id == b"CHNK":
            on = stage_of(sets[payload[0]], payload, segment.sh_degree, segment.extras)
    return found


def numbers(splat: Splat) -> Iterator[int]:
    for exact in (splat.position, splat.rotation, splat.scale, splat.opacity, splat.colour, splat.harmonics):
        yield from exact.integers


# ------------------------------------------------------------ what is right


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_written_is_read(seed: int) -> None:
    drawn = moving_from_seed(seed, 16)
    for payload in drawn.bases_payloads:
        bases = read_bases(payload, MBAS, {})
        assert bases == drawn.bases[bases.id]
    for on, written in zip(drawn.stages, drawn.motions, strict=True):
        if written:
            assert decoded_motion(on, written[0], drawn.duration, drawn.bases) == written[1]
        for tick in ticks_of(drawn):
            splats = moved(written and written[1], on.chunk(), tick, drawn.duration, on.extras)
            assert all(abs(v) < 2**53 for splat in splats for v in numbers(splat))
            assert len(splats) <= on.header.count


@pytest.mark.parametrize("segment", list(segments()), ids=lambda s: s.name)
def test_segments_decode(segment: Segment) -> None:
    for tick in segment.ticks:
        splats = splats_of(segment, tick)
        assert len(splats) <= segment.splats
        assert all(abs(v) < 2**53 for splat in splats for v in numbers(splat))
        for splat in splats:
            w, x, y, z = splat.rotation.integers
            assert w >= 0
            assert abs((w * w + x * x + y * y + z * z) - 2**48) < 2**27


def named(name: str) -> Segment:
    return next(segment for segment in segments() if segment.name == name)


def test_a_chunk_is_shown_from_and_until() -> None:
    spans = named("motion_spans")
    assert [len(splats_of(spans, tick)) for tick in spans.ticks] == [3, 3, 6, 6, 3, 6]


def test_without_motion_a_chunk_is_as_it_is() -> None:
    on = STAGE.chunk()
    assert moved(None, on, 5, 100, []) == moved(Motion(0, 100, None), on, 5, 100, [])
    line = next(s for s in polynomials() if s.name == "motion_degrees")
    assert splats_of(line, 50)[:3] == moved(None, on, 50, 100, [])  # degree 0


def test_degrees_move_about_the_reference() -> None:
    line = named("motion_degrees")
    still = moved(None, STAGE.chunk(), 0, 100, [])
    assert splats_of(line, 50)[3:6] == still
    late = splats_of(line, 99)[3:6]
    assert late[1] == still[1]
    # 0.99 - 0.5 = 513,802 / 2^20 of 9, -5, 300 base steps of 64, times 32
    offsets = [a - b for a, b in zip(late[0].position.integers, still[0].position.integers, strict=True)]
    assert offsets == [(64 * rec * 513_802 + (1 << 19) >> 20) * 32 for rec in (9, -5, 300)]


def test_turns_of_nothing_leave_the_rotation() -> None:
    turns = named("motion_turns")
    still = moved(None, STAGE.chunk(), 0, 100, [])
    found = splats_of(turns, 25)[6:]
    assert found[0].rotation == still[0].rotation  # 2^20 + U0 is below 0, U1 to U3 are 0
    assert found[1].rotation != still[1].rotation
    assert found[2].rotation == still[2].rotation  # only U0 is not 0
    assert found[3].rotation == still[0].rotation  # a quaternion of 0
    assert splats_of(turns, 0)[8].rotation == still[2].rotation


def test_duplicates_move_together() -> None:
    one, two, three = splats_of(named("motion_duplicates"), 99)
    assert one == two
    assert three.position != one.position


def test_thresholds_hide() -> None:
    shown = [len(splats_of(named(f"motion_threshold_{n}"), 49)) for n in (0, 1, 65_535)]
    assert shown == [9, 7, 3]


def test_lives() -> None:
    lives = named("motion_lives")
    assert [len(splats_of(lives, tick)) for tick in lives.ticks] == [1, 1, 1, 1, 2, 1, 1]


def test_what_cannot_be_stored_is_not_in_the_vectors() -> None:
    names = [segment.name for segment in segments()]
    assert len(set(names)) == len(names)
    assert all(len(segment.body) < 20_000 for segment in segments())


# ------------------------------------------------------------ widths


class Narrow(int):
    """An integer that must not reach 2^53."""

    def __new__(cls, value: int) -> Narrow:
        assert -(2**53) < value < 2**53
        return super().__new__(cls, value)


for operation in ("add", "sub", "mul", "lshift", "rshift", "floordiv", "and", "neg", "abs"):
    for name in (f"__{operation}__", f"__r{operation}__"):
        if hasattr(int, name):
            plain = getattr(int, name)
            setattr(Narrow, name, lambda self, *other, plain=plain: Narrow(plain(self, *other)))


def narrowed(rng: random.Random, size: int) -> Narrow:
    return Narrow(rng.choice([-size, size, 0, rng.randint(-size, size)]))


def test_no_intermediate_reaches_2_to_the_53() -> None:
    from gscodec.reference import bases, polynomial
    from gscodec.reference.channels import scaled, turned
    from gscodec.reference.rotation import ONE

    rng = random.Random(8)
    most, time = (1 << 22) - 1, (1 << 23) - 1
    for _ in range(1000):
        factor = Narrow(rng.choice([1, most])), Narrow(rng.choice([0, 1, 22, 51, 52]))
        recs = [narrowed(rng, 262_143) for _ in range(9)]
        motion = Polynomial(
            7, 3, [], [], 0, factor, factor, Narrow(1 << 20), narrowed(rng, (1 << 31) - 1), Narrow(1 << 28),
            narrowed(rng, (1 << 31) - 1), 0, [7], [recs[:2]], [recs], [recs[:4]],
        )  # fmt: skip
        duration = rng.choice([1, (1 << 32) - 1])
        polynomial.segment_time(Narrow(duration), Narrow(duration))
        tau = polynomial.own_time(motion, 0, Narrow(1 << 20))
        polynomial.octave(motion, 0)
        tau = Narrow(rng.choice([tau, narrowed(rng, time)]))
        position = (1 << 52) + (1 << 37)
        assert all(abs(v) + position < 2**53 for v in polynomial.displacement(motion, 0, tau))
        turn = [Narrow(v) for v in polynomial.turn(motion, 0, tau)]
        q = tuple(narrowed(rng, ONE) for _ in range(4))
        if any(q):
            turned((turn[0], turn[1], turn[2], turn[3]), (q[0], q[1], q[2], q[3]))
        polynomial.temporal_weight(
            tau, Narrow(rng.choice([-16 << 20, (16 << 20) - 1, rng.randint(-16 << 20, 15 << 20)]))
        )
        scaled(recs[0], *factor)
        size = rng.choice([1, 1 << 22, 4095 << 22])
        columns = bases.orthonormal(*([narrowed(rng, size) for _ in range(3)] for _ in range(2)))
        shift = rng.randint(-40, 320)
        moves = tuple(bases.aligned(narrowed(rng, 1 << 28), shift) for _ in range(3))
        narrow = columns and tuple(tuple(Narrow(v) for v in column) for column in columns)
        place = [narrowed(rng, position) for _ in range(3)]
        bases.carried(place, bases.Rigid(narrow, moves))  # type: ignore[arg-type]
        if narrow:
            p = bases.quaternion_from_columns(narrow)  # type: ignore[arg-type]
            turned((Narrow(p[0]), Narrow(p[1]), Narrow(p[2]), Narrow(p[3])), (ONE, ONE, ONE, ONE))


# ------------------------------------------------------------ what is wrong


def error_of(call: object, *arguments: object) -> tuple[str, int | None, str, str]:
    with pytest.raises(StreamError) as caught:
        call(*arguments)  # type: ignore[operator]
    error = caught.value
    return error.code, error.offset, type(error).__name__, error.clause


CLASSES = {
    row["code"]: row["error_class"]
    for row in csv.DictReader((ROOT / "spec/tables/errors.csv").read_text(encoding="utf-8").splitlines())
}


@pytest.mark.parametrize("fault", list(motion_faults()), ids=lambda f: f.name)
def test_faulty_motion(fault: object) -> None:
    code, offset, kind, _ = error_of(decoded_motion, STAGE, fault.payload, DURATION, KNOWN)  # type: ignore[attr-defined]
    assert (code, offset, kind) == (fault.code, fault.offset, CLASSES[fault.code])  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", list(bases_faults()), ids=lambda f: f.name)
def test_faulty_bases(fault: object) -> None:
    code, offset, kind, _ = error_of(read_bases, fault.payload, MBAS, KNOWN)  # type: ignore[attr-defined]
    assert (code, offset, kind) == (fault.code, fault.offset, CLASSES[fault.code])  # type: ignore[attr-defined]


def test_limit() -> None:
    (fault,) = limit_faults()
    on = stage(crowd())
    code, offset, kind, clause = error_of(decoded_motion, on, fault.payload, DURATION, KNOWN)
    assert (code, offset, kind, clause) == ("limit.stream_symbols", 0, "LimitError", "5.13")


def test_every_code_has_a_fault() -> None:
    provoked = {body.code for body in faulty_segments()} | {case.code for case in moves.faulty()}
    assert {code for code in CLASSES if code.startswith("motion.")} <= provoked


def test_a_token_over_127() -> None:
    def change(events: list[list[tuple[str, int, int, int]]]) -> None:
        _, number, context, _ = events[1][0]
        events[1][0] = ("symbol", number, context, 128)

    from motion_craft import LINE

    payload, _ = coded_motion(
        STAGE, LINE, Source({"masks": [1, 0, 0], "position": [1] * 3}), (0, 9), 1, change
    )
    assert error_of(decoded_motion, STAGE, payload, 9, {})[0] == "entropy.token"


def damaged(rng: random.Random, payload: bytes) -> bytes:
    out = bytearray(payload)
    kind = rng.randrange(6)
    if kind == 0:
        return bytes(out[: rng.randrange(len(out))])
    if kind == 1:
        return bytes(out) + rng.randbytes(rng.randint(1, 8))
    for _ in range(kind - 1):
        place = rng.randrange(min(len(out), 60) if rng.random() < 0.4 else len(out))
        out[place] = rng.choice([0, 255, rng.randrange(256), out[place] ^ 1 << rng.randrange(8)])
    return bytes(out)


@cache
def small(seed: int) -> Moving:
    return moving_from_seed(seed, 6)


def is_long(payload: bytes) -> bool:
    """Whether damage made so many keys or bases that reading takes long."""
    keys = struct.unpack_from("<H", payload, 14)[0] if len(payload) > 16 and payload[0] == 3 else 0
    return keys > 300


def test_damage_gives_a_result_or_an_error() -> None:
    rng, codes, whole, is_placed = random.Random(9), set(), 0, True
    for i in range(250):
        drawn = small(i % 20)
        on, written = rng.choice(list(zip(drawn.stages, drawn.motions, strict=True)))
        wrong = damaged(rng, written[0] if written else bytes(12))
        if is_long(wrong):
            continue
        try:
            motion = decoded_motion(on, wrong, drawn.duration, drawn.bases)
            if not (isinstance(motion.model, Keyframes) and motion.model.keys > 300):
                moved(motion, on.chunk(), motion.first, drawn.duration, on.extras)
            whole += 1
        except StreamError as error:
            codes.add(error.code)
            is_placed &= error.section == "MOTN" and 0 <= (error.offset or 0) <= len(wrong)
    assert is_placed
    assert whole > 8
    assert {"motion.length", "motion.range", "motion.model", "motion.flags", "entropy.end"} <= codes


def test_damaged_bases_give_a_result_or_an_error() -> None:
    rng, codes = random.Random(10), set()
    for i in range(200):
        wrong = damaged(rng, rng.choice(small(i % 20).bases_payloads))
        if len(wrong) >= 5 and struct.unpack_from("<H", wrong, 3)[0] * wrong[2] > 400:
            continue
        try:
            read_bases(wrong, MBAS, {})
        except StreamError as error:
            codes.add(error.code)
    assert {"motion.length", "motion.range", "motion.flags", "entropy.end"} <= codes
