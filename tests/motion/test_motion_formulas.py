"""(12.5 to 12.8) Each formula by hand, and against what it stands for, in floating point."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from motion_craft import LINE, STEPS, stage
from motions import FINE

from gscodec.reference import bases, keyframes, polynomial
from gscodec.reference.bases import Bases
from gscodec.reference.channels import scaled, turned
from gscodec.reference.decode import splat_from_integers
from gscodec.reference.opacity import opacity_logit
from gscodec.reference.parameters import Opacity
from gscodec.reference.rotation import ONE, Quaternion, normalised

UNIT = 1 << 20


def rotated(quaternion: Quaternion, vector: tuple[float, ...]) -> list[float]:
    """A vector turned by a quaternion of any length."""
    n = math.hypot(*quaternion)
    w, *u = (v / n for v in quaternion)
    cross = [u[1] * vector[2] - u[2] * vector[1], u[2] * vector[0] - u[0] * vector[2]]
    cross.append(u[0] * vector[1] - u[1] * vector[0])
    again = [u[1] * cross[2] - u[2] * cross[1], u[2] * cross[0] - u[0] * cross[2]]
    again.append(u[0] * cross[1] - u[1] * cross[0])
    return [v + 2 * w * c + 2 * a for v, c, a in zip(vector, cross, again, strict=True)]


def a_rotation(rng: random.Random) -> Quaternion:
    w, x, y, z = (round(rng.gauss(0, 1) * (1 << 20)) for _ in range(4))
    return normalised((w, x, y, z))


# ------------------------------------------------------------ 12.5


def test_scaled() -> None:
    assert [scaled(v, 3, 2) for v in (-3, -2, -1, 0, 1, 2, 3)] == [-2, -1, -1, 0, 1, 2, 2]
    assert scaled(-7, 5, 0) == -35
    assert scaled(1, 1, 52) == 0


def test_turned() -> None:
    half = normalised((1, 1, 0, 0))  # a quarter turn about x
    assert turned((UNIT, 0, 0, 0), half) == half
    assert turned((-5, 0, 0, 0), half) == half
    assert turned((0, 0, 0, 0), half) == half
    assert turned((3, 3, 0, 0), half) == (0, ONE, 0, 0)
    assert turned((0, 0, 0, 7), (ONE, 0, 0, 0)) == (0, 0, 0, ONE)
    assert turned((-9, 0, 9, 0), (ONE, 0, 0, 0))[0] > 0  # the sign is chosen so


def test_turned_is_first_the_rotation_then_the_turn() -> None:
    rng = random.Random(1)
    for _ in range(200):
        p, q = a_rotation(rng), a_rotation(rng)
        p = (p[0] >> 3, p[1] >> 3, p[2] >> 3, p[3] >> 3)
        vector = (rng.random(), rng.random(), rng.random())
        wanted = rotated(p, tuple(rotated(q, vector)))
        assert rotated(turned(p, q), vector) == pytest.approx(wanted, abs=1e-6)


# ------------------------------------------------------------ 12.6


def test_power_and_logarithm() -> None:
    assert polynomial.power(0) == (ONE, 0)
    assert polynomial.power(3 << 20) == (ONE, 3)
    assert polynomial.power(-1) == (2 * ONE - 22, -1)
    assert polynomial.logarithm(1) == -24 << 20
    assert polynomial.logarithm(1 << 23) == -1 << 20
    assert polynomial.logarithm(ONE - 1) == 0  # -2^-24 log2(e) is nothing in 2^-20
    rng = random.Random(2)
    for _ in range(2000):
        x = rng.randint(-30 * UNIT, 16 * UNIT)
        g, i = polynomial.power(x)
        assert g * 2.0 ** (i - 24) == pytest.approx(2 ** (x / UNIT), rel=1.5e-7)
        v = rng.randrange(1, 1 << rng.randint(1, 24))
        assert polynomial.logarithm(v) / UNIT == pytest.approx(math.log2(v / ONE), abs=1.2e-6)


def test_segment_time() -> None:
    assert [polynomial.segment_time(k, 3) for k in range(4)] == [0, 349_525, 699_051, UNIT]
    assert polynomial.segment_time((1 << 32) - 2, (1 << 32) - 1) == UNIT


def test_time_of_a_splat() -> None:
    motion = replace(LINE, masks=[4, 0, 4], times=[[64, -64], [0, 0], [-1 << 17, 1 << 17]], reference=9)
    motion = replace(motion, centre_step=100, centre_offset=5, width_step=1 << 20, width_offset=-UNIT)
    # centre 5 + 100; log width -1 - 64 / 4096 2^20 / 2^20 = -1 - 1/64
    assert polynomial.own_time(motion, 0, 1000) == 895
    assert polynomial.log_width(motion, 0) == -UNIT - (1 << 14)
    assert polynomial.octave(motion, 0) == 2
    assert polynomial.own_time(motion, 1, 1000) == 991
    assert polynomial.octave(motion, 1) == 0
    assert polynomial.log_width(motion, 2) == 16 * UNIT - 1
    assert polynomial.octave(motion, 2) == 0
    narrow = replace(motion, width_offset=-(1 << 31))
    assert polynomial.log_width(narrow, 0) == -16 * UNIT
    assert polynomial.octave(narrow, 0) == 8
    late = replace(motion, centre_offset=-(1 << 31), centre_step=UNIT)
    assert polynomial.own_time(late, 0, 0) == (1 << 23) - 1


def test_displacement_is_a_polynomial() -> None:
    motion = replace(LINE, degree=2, translations=[[1, -2, 3, 4, 5, -6]], translation=(3, 1))
    # at tau' = 1: (1 + 4, -2 + 5, 3 - 6) 3 / 2, halves up
    assert polynomial.displacement(motion, 0, UNIT) == (8, 5, -4)
    assert polynomial.displacement(motion, 0, 0) == (0, 0, 0)
    rng = random.Random(3)
    for _ in range(500):
        recs = [rng.randint(-262_143, 262_143) for _ in range(9)]
        tau, factor = rng.randint(-(1 << 23) + 1, (1 << 23) - 1), rng.randint(1, (1 << 22) - 1)
        shift = rng.randint(0, 30)
        motion = replace(LINE, degree=3, translations=[recs], translation=(factor, shift))
        found = polynomial.displacement(motion, 0, tau)
        t = tau / UNIT
        unit = factor / 2**shift
        for axis in range(3):
            wanted = t * (recs[axis] + t * (recs[3 + axis] + t * recs[6 + axis]))
            # each of three roundings is up to 1/2, and grows with t from then on
            assert abs(found[axis] / unit - wanted) <= 0.51 * (1 + abs(t) + t * t) + 0.51 / unit


def test_turn() -> None:
    motion = replace(LINE, rotations=[[1, -2, 3, 262_143]], rotation=(1 << 10, 2))
    assert polynomial.turn(motion, 0, UNIT) == (UNIT + 256, -512, 768, 1 << 22)
    assert polynomial.turn(motion, 0, -UNIT) == (UNIT - 256, 512, -768, -(1 << 22))
    # a rec is a change of the quaternion: for small angles half the angle
    quarter = replace(LINE, rotations=[[0, 0, 0, 1000]], rotation=(1 << 10, 0))
    turn = turned(polynomial.turn(quarter, 0, UNIT >> 1), (ONE, 0, 0, 0))
    angle = 2 * math.atan2(turn[3], turn[0])
    assert angle == pytest.approx(2 * math.atan(500 * 1024 / UNIT), abs=1e-6)


def test_weight() -> None:
    assert polynomial.temporal_weight(0, 5) == ONE
    assert polynomial.temporal_weight((1 << 23) - 1, -16 * UNIT) == 0
    assert polynomial.temporal_weight(8 * UNIT - 1, 0) == 0  # e^-64 is nothing in 2^-24
    worst = 0.0
    rng = random.Random(4)
    for _ in range(5000):
        log_width = rng.randint(-16 * UNIT, 4 * UNIT)
        tau = round(rng.uniform(-4.5, 4.5) * 2 ** (log_width / UNIT) * UNIT)
        tau = min(max(tau, -(1 << 23) + 1), (1 << 23) - 1)
        weight = polynomial.temporal_weight(tau, log_width) / ONE
        worst = max(worst, abs(weight - math.exp(-((tau / UNIT / 2 ** (log_width / UNIT)) ** 2))))
    assert worst < 2**-18


def test_faded_logit() -> None:
    settings = Opacity(1 << 24, 0)
    assert polynomial.faded_logit(-30, settings, ONE) == opacity_logit(-30, settings)
    rng = random.Random(5)
    for _ in range(3000):
        settings = Opacity(1 << 20, rng.randint(-(4 << 20), 94_208))
        opacity = 2 ** (settings.offset / UNIT) - 1 / 16
        weight = rng.randrange(ONE)
        opacity = min(max(opacity, 1 / 4096), 1 - 1 / 16384)
        # exact opacity times weight, in 2^-24, rounded down: the logit of that
        found = polynomial.faded_logit(0, settings, weight) / UNIT
        wanted = max(1 / ONE, opacity * weight / ONE)
        slack = 2 / ONE / (wanted * (1 - wanted))
        assert found == pytest.approx(math.log(wanted / (1 - wanted)), abs=1e-5 + slack)


def test_opacity_goes_over_into_that_of_a_static_splat() -> None:
    for offset in range(-(4 << 20), 94_208, 9_973):
        settings = Opacity(1, offset)
        faded, whole = polynomial.faded_logit(0, settings, ONE - 1), opacity_logit(0, settings)
        # what is left is how 6.5 goes between the entries of its table
        alpha = [1 / (1 + math.exp(-v / UNIT)) for v in (faded, whole)]
        assert abs(alpha[0] - alpha[1]) < 3e-4


# ------------------------------------------------------------ 12.7


def test_between_keys() -> None:
    told = Bases(0, 0, 1, 3, 4, 0, 1)
    keys = [[[0]], [[100]], [[-100]]]
    found = [bases.between(keys, told, tick)[0][0] for tick in range(11)]
    assert found == [0, 25, 50, 75, 100, 50, 0, -50, -100, -100, -100]


def test_aligned() -> None:
    assert [bases.aligned(v, -1) for v in (-3, -2, -1, 0, 1, 2, 3)] == [-1, -1, 0, 0, 1, 1, 2]
    assert bases.aligned(5, 3) == 40
    assert bases.aligned(-5, 60) == -(1 << 50)
    assert bases.aligned(5, 48) == 1 << 50
    assert bases.aligned(3, 48) == 3 << 48
    assert bases.aligned(1 << 28, -29) == 1
    assert bases.aligned(1 << 28, -30) == 0
    assert bases.aligned(0, 320) == 0


def test_unit() -> None:
    assert bases.unit((3, 0, -4)) == (round(0.6 * ONE), 0, -round(0.8 * ONE))
    assert bases.unit((0, -1, 0)) == (0, -ONE, 0)
    assert bases.levelled((1 << 30, -1, 1)) == (1 << 24, -1, 0)


def test_no_rotation() -> None:
    for a, b in [
        ((0, 0, 0), (1, 0, 0)),
        ((5, 0, 0), (0, 0, 0)),
        ((1, 2, 3), (2, 4, 6)),
        ((1, 0, 0), (-9, 0, 0)),
    ]:
        assert bases.orthonormal(a, b) is None


def gram_schmidt(a: list[int], b: list[int]) -> list[list[float]]:
    n = math.hypot(*a)
    x = [v / n for v in a]
    dot = sum(p * q for p, q in zip(x, b, strict=True))
    y = [q - dot * p for p, q in zip(x, b, strict=True)]
    n = math.hypot(*y)
    y = [v / n for v in y]
    z = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    return [x, y, z]


def test_orthonormal_is_gram_and_schmidts() -> None:
    rng = random.Random(6)
    for _ in range(500):
        size = 1 << rng.randint(8, 33)
        a, b = ([rng.randint(-size, size) for _ in range(3)] for _ in range(2))
        found = bases.orthonormal(a, b)
        assert found is not None
        wanted = gram_schmidt(a, b)
        for i, (u, v) in enumerate(zip(found, wanted, strict=True)):
            assert [c / ONE for c in u] == pytest.approx(v, abs=2e-5)
            for j, other in enumerate(found):
                dot = sum(p * q for p, q in zip(u, other, strict=True)) / ONE**2
                assert dot == pytest.approx(float(i == j), abs=4e-7)
        turn = bases.quaternion_from_columns(found)
        for axis in range(3):
            one = tuple(float(k == axis) for k in range(3))
            assert rotated(turn, one) == pytest.approx(wanted[axis], abs=2e-5)


def test_half_turns_have_each_another_largest_component() -> None:
    for axis, a, b in (
        (0, (1, 0, 0), (0, 1, 0)),
        (1, (1, 0, 0), (0, -1, 0)),
        (2, (-1, 0, 0), (0, 1, 0)),
        (3, (-1, 0, 0), (0, -1, 0)),
    ):
        found = bases.orthonormal(a, b)
        assert found is not None
        turn = bases.quaternion_from_columns(found)
        assert [v != 0 for v in turn] == [k == axis for k in range(4)]


def test_carried() -> None:
    still = bases.Rigid(None, (1, 2, 3))
    assert bases.carried((10, 20, -30), still) == (11, 22, -27)
    quarter = bases.Rigid(((0, ONE, 0), (-ONE, 0, 0), (0, 0, ONE)), (1, 2, 3))  # about z
    far = (1 << 52) + 12345
    assert bases.carried((far, -7, 5), quarter) == (8, far + 2, 8)
    rng = random.Random(7)
    for _ in range(300):
        columns = bases.orthonormal(
            [rng.randint(-99, 99) for _ in range(3)], [rng.randint(-99, 99) or 1 for _ in range(3)]
        )
        if columns is None:
            continue
        position = [rng.randint(-(1 << 52), 1 << 52) for _ in range(3)]
        found = bases.carried(position, bases.Rigid(columns, (0, 0, 0)))
        for i in range(3):
            exact = sum(column[i] * p for column, p in zip(columns, position, strict=True))
            assert found[i] == exact + (1 << 23) >> 24  # as if it had been one product


# ------------------------------------------------------------ 12.8


def test_a_key_of_all_attributes() -> None:
    on = stage(FINE)
    motion = replace(STEPS, attributes=31, position=(3, 1), rotation=(1 << 12, 2))
    motion = replace(
        motion,
        recs={
            "position": [[], [[4, -4, 1]]],
            "rotation": [[], [[0, 0, 1 << 10]]],
            "scale": [[], [[0, 64, 128]]],
            "opacity": [[], [[0]]],
            "colour": [[], [[64, 0, 0]]],
        },
    )
    chunk = on.chunk()
    splat = splat_from_integers(chunk, 0, [])
    now = {name: recs[1][0] for name, recs in motion.recs.items()}
    found = keyframes.changed_splat(splat, chunk, 0, now, motion.position, motion.rotation)
    offsets = [a - b for a, b in zip(found.position.integers, splat.position.integers, strict=True)]
    assert offsets == [6, -6, 2]
    assert found.scale.integers == (-5 << 19, (-5 << 19) + (1 << 18), (-5 << 19) + (1 << 19))
    assert found.opacity.integers == (opacity_logit(0, chunk.parameters.opacity),)
    assert found.colour.integers == (128, 128, 128)
    q = on.splats.rotations[0]
    assert found.rotation.integers == turned((UNIT, 0, 0, UNIT), q)
