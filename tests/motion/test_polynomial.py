"""(12.6) Polynomials in time: what is recorded comes back, near to what was wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gscodec.encode.dynamic.recording import (
    Polynomial,
    PolynomialSettings,
    RecordedMotion,
    record_polynomial,
    still_payload,
)
from gscodec.motion import Motion, read_motion
from gscodec.motion.polynomial import PolynomialIntegers
from tests.motion.made import DURATION, Made, between, made, product

SETTINGS = PolynomialSettings(
    translation=0.002, rotation=0.004, centre=1 / 500, width=0.02, exponents=(1, 2), caps=(3, 7)
)
OFFSET = 1234


def motion_of(chunk: Made, seed: int = 3, degree: int = 3, bits: int = 7) -> Polynomial:
    """Motion of most splats."""
    rng, count = np.random.default_rng(seed), chunk.distinct
    x = chunk.integers.positions.x[: chunk.distinct, 0] / 1e5
    mask = np.zeros(count, np.uint8)
    for bit in (1, 2, 4):
        mask |= np.where(rng.random(count) < 0.8, bit & bits, 0).astype(np.uint8)
    return Polynomial(
        degree=degree,
        mask=mask,
        translation=rng.normal(0, 0.3, (count, degree, 3)) + np.sin(x)[:, None, None],
        rotation=rng.normal(0, 0.3, (count, 4)),
        centre=rng.uniform(-0.1, 1.1, count),
        log_width=rng.normal(-1.5, 1.2, count),
        reference=0.5,
    )


def recorded(
    chunk: Made, motion: Polynomial, settings: PolynomialSettings = SETTINGS
) -> RecordedMotion[PolynomialIntegers]:
    """For the whole segment."""
    return record_polynomial(chunk.fields, chunk.integers, chunk.coding, motion, settings, (0, DURATION))


def read(chunk: Made, payload: bytes, duration: int = DURATION) -> Motion:
    """As after the chunk."""
    return read_motion(memoryview(payload), OFFSET, chunk.fields, chunk.integers, chunk.coding, duration)


def wanted_at(
    chunk: Made, motion: Polynomial, tick: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions, rotations, opacities and weights of all splats by plain formulas."""
    source, splats = chunk.integers.source, chunk.splats
    time = tick / DURATION
    timed = motion.mask & 4 > 0
    assert motion.centre is not None
    assert motion.log_width is not None
    assert motion.rotation is not None
    tau = np.where(timed, time - motion.centre, time - motion.reference)
    powers = tau[:, None] ** np.arange(1, motion.degree + 1)
    moved = np.einsum("mk,mka->ma", powers, motion.translation) * (motion.mask & 1 > 0)[:, None]
    u = motion.rotation * tau[:, None] * (motion.mask & 2 > 0)[:, None]
    p = u + np.array([1.0, 0, 0, 0])
    weight = np.where(timed, np.exp(-((tau / np.exp(motion.log_width)) ** 2)), 1.0)[source]
    alpha = weight / (1 + np.exp(-splats.opacities.astype(np.float64)))
    return splats.positions + moved[source], product(p[source], splats.rotations), alpha, weight


@pytest.mark.parametrize("predicted", [False, True])
@pytest.mark.parametrize(("degree", "bits"), [(3, 7), (1, 3), (2, 4), (0, 6), (0, 0), (3, 1)])
def test_what_is_recorded_comes_back(degree: int, bits: int, predicted: bool) -> None:
    chunk = made(repeats=20)
    assert chunk.distinct < len(chunk.splats)
    found = recorded(
        chunk, motion_of(chunk, degree=degree, bits=bits), replace(SETTINGS, predicted=predicted)
    )
    again = read(chunk, found.payload())
    assert (again.start, again.end) == (0, DURATION)
    integers = again.integers
    for name in ("mask", "time", "translation", "rotation"):
        np.testing.assert_array_equal(getattr(integers, name), getattr(found.decoded, name), err_msg=name)


def test_values_are_near_to_the_formulas() -> None:
    chunk = made(repeats=20)
    motion = motion_of(chunk)
    found = read(chunk, recorded(chunk, motion).payload())
    for tick in (0, 1, 9_999, 24_000, 47_999):
        shown = found.at(tick)
        place, turned, alpha, weight = wanted_at(chunk, motion, tick)
        rows = np.arange(len(place)) if shown.rows is None else shown.rows
        missing = np.setdiff1d(np.arange(len(place)), rows)
        assert weight[missing].max(initial=0) < 0.004
        assert shown.positions is not None
        assert shown.rotations is not None
        assert shown.opacities is not None
        # of short-lived splats little of the motion is seen: where they are, it must be right
        seen = weight[rows] > 0.05
        assert np.abs(shown.positions - place[rows])[seen].max() < 0.2
        assert np.median(np.abs(shown.positions - place[rows])[seen]) < 0.004
        assert between(shown.rotations, turned[rows])[seen].max() < 0.12
        got = 1 / (1 + np.exp(-shown.opacities.astype(np.float64)))
        assert np.abs(got - alpha[rows]).max() < 0.03
        assert np.abs(np.linalg.norm(shown.rotations, axis=1) - 1).max() < 1e-6


def test_a_chunk_is_as_it_is_at_its_reference() -> None:
    chunk = made()
    motion = motion_of(chunk, bits=3)
    shown = read(chunk, recorded(chunk, motion).payload()).at(DURATION // 2)
    assert shown.rows is None
    splats = shown.applied(chunk.splats)
    for name in ("positions", "rotations", "opacities"):
        np.testing.assert_array_equal(getattr(splats, name), getattr(chunk.splats, name))
    assert splats.scales is chunk.splats.scales
    assert splats.sh_rest is chunk.splats.sh_rest


def test_nothing_is_shown_outside_of_its_time() -> None:
    chunk = made()
    found = read(chunk, still_payload((10, 20)))
    assert [len(found.at(t).applied(chunk.splats)) for t in (0, 9, 10, 19, 20)] == [0, 0, 600, 600, 0]
    assert found.at(10).applied(chunk.splats).positions is chunk.splats.positions


def test_neighbours_that_move_alike_cost_little() -> None:
    chunk = made(3000, degree=0)
    motion = motion_of(chunk, degree=1, bits=1)
    alike = replace(motion, mask=np.ones(chunk.distinct, np.uint8))
    alike = replace(alike, translation=np.full((chunk.distinct, 1, 3), 0.7))
    sizes = [len(recorded(chunk, each).payload()) for each in (alike, motion)]
    assert sizes[0] < 400
    assert sizes[1] > 2000


def test_coarse_orders_are_made_up_for() -> None:
    chunk = made()
    motion = motion_of(chunk, bits=3)
    noise = np.random.default_rng(8).normal(0, 0.02, motion.translation.shape)
    motion = replace(motion, translation=0.2 + noise)
    sizes, errors = [], []
    for coarse in ((1, 1, 1), (1, 2, 16)):
        found = recorded(chunk, motion, replace(SETTINGS, coarse=coarse))
        payload, square = found.payload(), 0.0
        shown = read(chunk, payload)
        moves = (motion.mask & 1 > 0)[chunk.integers.source]
        for tick in (1, 9_999, 30_000, 47_999):
            positions = shown.at(tick).positions
            assert positions is not None
            square += np.square(positions - wanted_at(chunk, motion, tick)[0])[moves].mean() / 4
        sizes.append(len(payload))
        errors.append(square**0.5)
    assert sizes[1] < 0.95 * sizes[0]
    assert errors[1] < 2.5 * errors[0] < 0.01
