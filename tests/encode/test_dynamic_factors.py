"""What trajectories share is found through noise; what follows nothing is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import gscodec
from gscodec._generated.fineness import MULTIPLIER
from gscodec.encode.dynamic.factors import MOST, factor
from gscodec.encode.dynamic.keys import hold, smoothed
from gscodec.encode.dynamic.layers import tolerances
from gscodec.encode.dynamic.model import Track
from gscodec.encode.dynamic.moving import motion_from
from gscodec.encode.dynamic.residuals import symbols
from gscodec.encode.dynamic.trajectories import lifetimes, variation
from gscodec.encode.dynamic.turns import aligned, hamilton, middle_rotations, turned, turns_from
from gscodec.encode.steps import choose_steps, extent_of

FRAMES, COUNT = 48, 900
TIME = np.arange(FRAMES) / FRAMES
SIZE = 0.02
UNIT = np.full(COUNT, 0.02 * SIZE)
SHARED = np.stack([np.sin(5 * TIME), TIME**2, np.sign(TIME - 0.3) * 0.5], 1)


def made(noise: float, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """True positions and noisy ones, (F, N, 3)."""
    rng = np.random.default_rng(seed)
    true = np.einsum("fk,nkw->fnw", SHARED, rng.normal(0, 0.3, (COUNT, 3, 3)))
    true += rng.normal(0, 1, (COUNT, 3))
    return true, (true + rng.normal(0, noise * SIZE, true.shape)).astype(np.float32)


def along(found: object, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """(F, N, W) what is followed."""
    assert hasattr(found, "constant")
    assert hasattr(found, "change")
    return np.stack([found.constant[rows] + found.change(frame, rows) for frame in range(FRAMES)])


def test_shared_functions_are_found_through_noise() -> None:
    true, noisy = made(0.1)
    found = factor(noisy, UNIT)
    assert found.functions.shape == (FRAMES, 3)
    assert np.allclose(found.functions.mean(0), 0, atol=1e-2)
    assert np.allclose(np.square(found.functions).mean(0), 1)
    off = along(found, np.arange(COUNT)) - true
    assert np.sqrt(np.square(off).mean()) < 0.04 * SIZE  # under half the noise
    assert abs(np.median(found.left) / SIZE - 0.1) < 0.01


def test_exact_motion_is_followed_exactly() -> None:
    true, given = made(0.0)
    found = factor(given, UNIT)
    assert np.abs(along(found, np.arange(COUNT)) - true).max() < 0.01 * SIZE


def test_noise_alone_has_no_functions() -> None:
    noise = np.random.default_rng(1).normal(0, SIZE, (FRAMES, COUNT, 3)).astype(np.float32)
    found = factor(noise, UNIT)
    assert found.functions.shape[1] == 0
    assert not found.follows.any()


def test_what_few_frames_show_is_enough() -> None:
    true, noisy = made(0.05)
    alive = np.ones((FRAMES, COUNT), bool)
    alive[20:, :300] = False
    noisy[20:, :300] = 99.0  # where nobody looks
    found = factor(noisy, UNIT, alive)
    off = along(found, np.arange(300))[:20] - true[:20, :300]
    assert np.sqrt(np.square(off).mean()) < 0.06 * SIZE


def test_one_that_leaps_spoils_nothing() -> None:
    true, noisy = made(0.05)
    noisy[10:, 7] += np.float32(50)
    found = factor(noisy, UNIT)
    others = np.delete(np.arange(COUNT), 7)
    assert np.sqrt(np.square(along(found, others) - true[:, others]).mean()) < 0.05 * SIZE


def test_lifetimes_are_from_first_to_last() -> None:
    seen = np.array([[0, 1, 0], [1, 0, 0], [0, 1, 0]], bool)
    assert lifetimes(seen).astype(int).tolist() == [[0, 1, 0], [1, 1, 0], [0, 1, 0]]


def test_variation_is_told_from_noise() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, (200, 40, 2)).astype(np.float32)
    values[:, 20:, 1] += np.linspace(-20, 20, 200, dtype=np.float32)[:, None]
    moved, noise = variation(values, np.ones((200, 40), bool))
    assert moved[:20].max() < 0.5
    assert moved[20:].min() > 10
    assert np.allclose(noise, 1, atol=0.3)


def test_turns_whatever_the_signs() -> None:
    rng = np.random.default_rng(2)
    start = rng.normal(size=(100, 4))
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    rate = rng.normal(0, 0.4, (100, 3))
    rate[:30] = 0
    frames = np.stack([turned(rate * tau, start) for tau in TIME])
    signs = rng.choice([-1, 1], (FRAMES, 100, 1))
    given = aligned((2 * frames * signs).astype(np.float32))
    middle = middle_rotations(given, np.ones((FRAMES, 100), bool))
    u = turns_from(given, middle)
    assert np.abs(u.mean(0)).max() < 1e-3
    assert np.abs(u[:, :30]).max() < 1e-5
    for frame in (0, 20, FRAMES - 1):
        dot = np.abs((turned(u[frame].astype(np.float64), middle) * frames[frame]).sum(1))
        assert np.arccos(np.minimum(dot, 1)).max() < 1e-3
    assert np.allclose(hamilton(np.array([1.0, 0, 0, 0]), start), start)


def test_symbols_are_the_nearest() -> None:
    assert symbols(np.array([0.001, 8.0, 64.0, 100.0, 1e9])).tolist() == [1, 1, 7, 8, 24]
    assert MULTIPLIER[7] == 64


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


def test_a_moved_layer_follows_as_many_functions_as_there_may_be() -> None:
    """(12.11) The constant is one of them."""
    rng = np.random.default_rng(2)
    waves = np.stack([np.cos(np.pi * k * TIME) / k for k in range(1, 25)], 1)
    values = (waves @ rng.normal(size=(24, COUNT * 3))).reshape(FRAMES, COUNT, 3)
    base = gscodec.Splats(
        positions=np.zeros((COUNT, 3), np.float32),
        scales=np.full((COUNT, 3), -4, np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (COUNT, 1)),
        opacities=np.zeros(COUNT, np.float32),
        sh_dc=np.zeros((COUNT, 3), np.float32),
        sh_rest=np.zeros((COUNT, 0, 3), np.float32),
    )
    track = Track.of([replace(base, positions=here.astype(np.float32)) for here in values])
    limit = tolerances(base, choose_steps(0.25, None), extent_of(base))
    found = motion_from(base, track, TIME, limit).functions["position"][1]
    assert found.functions.shape[1] == found.coefficients.shape[1] == MOST
