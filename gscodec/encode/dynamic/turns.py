"""Rotations of splats over time, as turns from where they are in the middle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Frames = NDArray[np.float32]

FARTHEST = 4.0  # of u, with which a turn is 1 + u (12.8)
CENTRED = 2  # times that the middle is looked for


def aligned(rotations: Frames) -> Frames:
    """(F, N, 4) normalised, with the signs that keep each near the one before; nothing becomes w."""
    out = np.array(rotations, np.float32)
    length = np.linalg.norm(out, axis=2, keepdims=True)
    out /= np.maximum(length, 1e-30)
    out[..., 0] += (length[..., 0] < 1e-20).astype(np.float32)
    for f in range(1, len(out)):
        out[f] *= np.where((out[f] * out[f - 1]).sum(1) < 0, np.float32(-1), np.float32(1))[:, None]
    return out


def hamilton(a: Float, b: Float) -> Float:
    """The products (..., 4) of quaternions, w first."""
    w, x, y, z = np.moveaxis(a, -1, 0)
    t, u, v, s = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            w * t - x * u - y * v - z * s,
            w * u + x * t + y * s - z * v,
            w * v - x * s + y * t + z * u,
            w * s + x * v - y * u + z * t,
        ],
        -1,
    )


def conjugate(q: Float) -> Float:
    """(..., 4)"""
    return np.asarray(q * np.array([1.0, -1.0, -1.0, -1.0]))


def turned(u: Float, rotations: Float) -> Float:
    """(N, 4) rotations, turned by 1 + u, (N, 3)."""
    p = np.concatenate([np.ones((*u.shape[:-1], 1)), u], -1)
    q = hamilton(p, rotations)
    return np.asarray(q / np.maximum(np.linalg.norm(q, axis=-1, keepdims=True), 1e-30))


def turns_from(rotations: Frames, middle: Float) -> Frames:
    """(F, N, 3) u of the turns from `middle` (N, 4), up to 152 degrees, to `aligned` rotations (F, N, 4)."""
    out = np.empty((*rotations.shape[:2], 3), np.float32)
    back = conjugate(middle)
    for f, now in enumerate(rotations):
        p = hamilton(now.astype(np.float64), back)
        w, v = p[:, :1], p[:, 1:]
        least = np.maximum(np.linalg.norm(v, axis=1, keepdims=True) / FARTHEST, 1e-300)
        out[f] = v * np.where(w < 0, -1.0, 1.0) / np.maximum(np.abs(w), least)
    return out


def middle_rotations(rotations: Frames, alive: NDArray[np.bool_]) -> Float:
    """(N, 4) the rotations from which turns are 0 on the mean over the frames (F, N) that count."""
    there = alive.astype(np.float64)[..., None]
    middle = np.zeros(rotations.shape[1:])
    for f, now in enumerate(rotations):
        middle += now * there[f]
    length = np.linalg.norm(middle, axis=1, keepdims=True)
    middle = np.where(length > 1e-6, middle / np.maximum(length, 1e-30), rotations[0])
    number = np.maximum(there.sum(0), 1)
    for _ in range(CENTRED):
        u = np.zeros((len(middle), 3))
        for f, now in enumerate(turns_from(rotations, middle)):
            u += now * there[f]
        middle = turned(u / number, middle)
    return middle
