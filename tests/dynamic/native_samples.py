"""Made-up scenes with motion of their own; each splat has a number as an extra attribute, to be found by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gscodec.io import read_ply
from gscodec.io.bases_npz import BasesScene
from gscodec.io.spacetime import SpacetimeScene
from gscodec.splats import Splats

MADE = Path(__file__).resolve().parents[2] / "examples/made_scene.ply"
COUNT = 1500


def numbered(count: int = COUNT) -> Splats:
    splats = read_ply(MADE).splats
    splats = splats.take(np.arange(count) % len(splats))
    return replace(splats, extras={"number": np.arange(count, dtype=np.float32)})


def spacetime(count: int = COUNT, seed: int = 1) -> SpacetimeScene:
    """Smooth motion with some noise, all lengths of life."""
    rng = np.random.default_rng(seed)
    splats = numbered(count)
    size = float(np.ptp(splats.positions, axis=0).max()) if count else 1.0
    speed = np.sin(splats.positions.astype(np.float64) * (6 / size)) * 0.1 * size
    motion = np.stack([speed, 0.3 * speed[:, ::-1], 0.1 * speed], 1)
    return SpacetimeScene(
        splats=splats,
        centre=rng.uniform(-0.2, 1.2, count),
        scale=rng.normal(-1.0, 1.0, count),
        motion=motion + rng.normal(0, 1e-3 * size, motion.shape),
        omega=rng.normal(0, 0.2, (count, 4)),
    )


def bases(count: int = COUNT, parts: int = 4, frames: int = 12, seed: int = 2) -> BasesScene:
    """Splats between a few motions that turn and go."""
    rng = np.random.default_rng(seed)
    splats = numbered(count)
    size = float(np.ptp(splats.positions, axis=0).max()) if count else 1.0
    angle = np.linspace(0, 1, frames)[None] * rng.normal(0, 0.5, (parts, 1))
    six = np.zeros((parts, frames, 6))
    six[..., 0], six[..., 1] = np.cos(angle), np.sin(angle)
    six[..., 3], six[..., 4] = -np.sin(angle), np.cos(angle)
    way = np.linspace(0, 1, frames)[None, :, None] * rng.normal(0, 0.1 * size, (parts, 1, 3))
    logits = 3 * np.sin(splats.positions @ rng.normal(0, 4 / size, (3, parts)))
    weights = np.exp(logits.astype(np.float64))
    return BasesScene(
        splats=splats,
        weights=weights / weights.sum(1, keepdims=True),
        rotations=six,
        translations=way,
        fps=30.0,
    )


def shapes(splats: Splats) -> np.ndarray:
    """(n, 3, 3) covariances over the largest variance, for which the order of axes means nothing."""
    w, x, y, z = (splats.rotations / np.linalg.norm(splats.rotations, axis=1, keepdims=True)).T.astype(float)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    turn = np.moveaxis(np.array(rows), 2, 0)
    size = np.exp(2.0 * (splats.scales - splats.scales.max(1, keepdims=True)))
    return (turn * size[:, None]) @ turn.transpose(0, 2, 1)


def apart(a: Splats, b: Splats) -> np.ndarray:
    """(n,) how much shapes differ: sin of the angle, for splats that are thin."""
    return np.linalg.norm(shapes(a) - shapes(b), axis=(1, 2)) / np.sqrt(2)


def alpha(splats: Splats) -> np.ndarray:
    return 1 / (1 + np.exp(-splats.opacities.astype(np.float64)))


def by_number(splats: Splats) -> Splats:
    return splats.take(np.argsort(splats.extras["number"]))
