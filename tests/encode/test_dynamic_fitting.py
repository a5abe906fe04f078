"""Motion fitted to trajectories: noise is smoothed away, and what no polynomial follows is told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.fitting import (
    aligned,
    curve_at,
    fit_curves,
    fit_fades,
    fit_turns,
    hamilton,
    shifted,
    turned,
)
from gscodec.encode.dynamic.trajectories import hold, smoothed

FRAMES = 48
TAU = (np.arange(FRAMES) - (FRAMES - 1) / 2) / FRAMES
SIZE = 0.02


def made(degree: int, noise: float, count: int = 300) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """True positions and noisy ones, (F, N, 3)."""
    rng = np.random.default_rng(degree)
    c = rng.normal(0, 0.3, (count, degree + 1, 3))
    true = sum(c[None, :, k] * TAU[:, None, None] ** k for k in range(degree + 1))
    true = np.asarray(true) + np.zeros((FRAMES, 1, 1))
    return true, (true + rng.normal(0, noise * SIZE, true.shape)).astype(np.float32)


def test_polynomials_are_found_through_noise() -> None:
    for degree in range(4):
        true, noisy = made(degree, 0.1)
        curve = fit_curves(noisy, TAU, np.full(300, 0.01 * SIZE))
        assert np.median(curve.degree) == degree
        assert abs(np.median(curve.noise) / SIZE - 0.1) < 0.01
        assert np.quantile(curve.misfit, 0.95) == 0
        assert curve.misfit.max() < 0.05 * SIZE
        off = np.stack([curve_at(curve.coefficients, tau) for tau in TAU]) - true
        assert np.sqrt(np.square(off).mean()) < 0.04 * SIZE  # under half the noise


def test_exact_motion_is_followed_exactly() -> None:
    true, given = made(2, 0.0)
    curve = fit_curves(given, TAU, np.full(300, 0.01 * SIZE))
    off = np.stack([curve_at(curve.coefficients, tau) for tau in TAU]) - true
    assert np.abs(off).max() < 0.02 * SIZE


def test_slow_drift_within_the_tolerance_is_still() -> None:
    drift = (0.2e-3 * TAU[:, None, None] * np.ones((1, 10, 3))).astype(np.float32)
    assert (fit_curves(drift, TAU, np.full(10, 1e-3)).degree == 0).all()


def test_what_shakes_is_a_misfit() -> None:
    shaking = (SIZE * np.sin(40 * TAU)[:, None, None] * np.ones((1, 5, 3))).astype(np.float32)
    assert (fit_curves(shaking, TAU, np.full(5, 0.01 * SIZE)).misfit > 0.1 * SIZE).all()


def test_a_leap_bends_no_curve() -> None:
    true, noisy = made(1, 0.05)
    noisy[20] += np.float32(SIZE)
    curve = fit_curves(noisy, TAU, np.full(300, 0.01 * SIZE))
    off = np.stack([curve_at(curve.coefficients, tau) for tau in TAU]) - true
    assert np.sqrt(np.square(off).mean()) < 0.05 * SIZE
    assert (curve.worst > 0.8 * SIZE).all()


def test_shifted_curves_are_the_same() -> None:
    coefficients = np.random.default_rng(0).normal(size=(7, 4, 3))
    by = np.linspace(-1, 1, 7)
    assert np.allclose(curve_at(shifted(coefficients, by), 0.3 - by), curve_at(coefficients, 0.3))


def test_turns_whatever_the_signs() -> None:
    rng = np.random.default_rng(2)
    start = rng.normal(size=(100, 4))
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    rate = np.concatenate([np.zeros((100, 1)), rng.normal(0, 0.4, (100, 3))], 1)
    rate[:30] = 0
    frames = np.stack([turned(start, rate, tau) for tau in TAU])
    signs = rng.choice([-1, 1], (FRAMES, 100, 1))
    turn = fit_turns(aligned((2 * frames * signs).astype(np.float32)), TAU, np.full(100, 0.01))
    assert not turn.turns[:30].any()
    assert turn.turns[30:].all()
    for tau in (TAU[0], 0.0, TAU[-1]):
        dot = np.abs((turned(turn.start, turn.rate, tau) * turned(start, rate, tau)).sum(1))
        assert np.arccos(np.minimum(dot, 1)).max() < 0.02
    assert np.allclose(hamilton(np.array([1.0, 0, 0, 0]), start), start)


def test_fades_and_steps() -> None:
    centre, width = np.array([0.0, 0.2, -0.3]), np.array([0.2, 0.5, 0.3])
    alpha = 0.8 * np.exp(-np.square((TAU[:, None] - centre) / width))
    fade = fit_fades(alpha.astype(np.float32), TAU, 0.01)
    assert fade.fades.all()
    assert np.allclose(fade.centre, centre, atol=0.01)
    assert np.allclose(fade.width, width, atol=0.01)
    assert np.allclose(fade.alpha, 0.8, atol=0.01)
    steady = fit_fades(np.full((FRAMES, 1), 0.7, np.float32), TAU, 0.01)
    assert not steady.fades[0]
    step = np.where(TAU[:, None] < 0, 0.8, 0.0).astype(np.float32)
    assert fit_fades(step, TAU, 0.01).misfit[0] > 0.05


def test_keys_hold_their_values() -> None:
    values = np.linspace(0, 1, 11, dtype=np.float32)[:, None, None]
    held = hold(values, np.float32(0.25), np.array([2]))
    assert np.abs(held[2:] - values[2:]).max() <= 0.25 + 1e-6
    assert (held[:3] == values[2]).all()
    assert len(np.unique(held)) == 3


def test_smoothing_keeps_parabolas() -> None:
    time = np.arange(12.0)
    values = (time**2)[:, None, None].astype(np.float32)
    assert np.allclose(smoothed(values), values, atol=1e-3)
