"""Keyframes of splats that follow nothing: values held until they would be off by too much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.layers import Tolerances
from gscodec.encode.dynamic.model import SEEN, Keys, Track, alpha_of, logit_of
from gscodec.encode.dynamic.turns import Float, Frames
from gscodec.splats import Splats

HELD = 0.25  # tolerances within which values stay as they are, before steps do the rest
HELD_TURN = 0.25  # ... of rotations
SMOOTHED = 3  # frames to both sides, through which a parabola is laid where a trajectory trembles


def keys_of(track: Track, rows: NDArray[np.intp], limit: Tolerances, noise: Float, changing: bool) -> Keys:
    """Values at all frames of `track`, each held until it would be off by more than its tolerance.

    rows      numbers of the splats; noise (n,) of their positions; changing: in scale, colour or harmonics
    """
    alpha = alpha_of(track.opacities)
    seen = alpha > SEEN
    frames = len(seen)
    first = seen.argmax(0)
    last = frames - seen[::-1].argmax(0)
    number = np.arange(frames)[:, None]
    alive = (number >= first) & (number < last)
    positions = track.positions
    if frames > 2 * SMOOTHED:
        trembles = np.flatnonzero((noise > limit.position) & (noise <= limit.noise))
        if trembles.size:
            positions = positions.copy()
            positions[:, trembles] = smoothed(positions[:, trembles])
    held = hold(positions, HELD * limit.position[:, None].astype(np.float32), first)
    turned_by = np.minimum(HELD_TURN * limit.rotation / 2, 0.2)[:, None].astype(np.float32)
    rotations = hold(track.rotations, turned_by, first)
    levels = hold(alpha.astype(np.float32)[..., None], np.float32(HELD * limit.opacity), first)[..., 0]
    has_rest = changing and track.harmonics.shape[2] > 0
    flat = track.harmonics.reshape(*track.harmonics.shape[:2], -1) if has_rest else None
    rest = None if flat is None else hold(flat, np.float32(HELD * limit.harmonics), first)
    return Keys(
        rows=rows,
        positions=held,
        rotations=rotations,
        opacities=logit_of(levels.astype(np.float64)).astype(np.float32),
        alive=alive,
        scales=hold(track.scales, np.float32(HELD * limit.scale), first) if changing else None,
        colours=hold(track.colours, np.float32(HELD * limit.colour), first) if changing else None,
        harmonics=None if rest is None else rest.reshape(track.harmonics.shape),
    )


def hold(values: Frames, limit: NDArray[np.float32] | np.float32, first: NDArray[np.intp]) -> Frames:
    """(F, n, W) each value of a splat as it was when it last changed by more than `limit`.

    Before the frame `first` (n,) they are those of that frame.
    """
    out = np.empty_like(values)
    now = values[first, np.arange(values.shape[1])].copy()
    for f in range(len(values)):
        late = (np.abs(values[f] - now) > limit).any(1) & (f > first)
        now[late] = values[f, late]
        out[f] = now
    return out


def smoothed(values: Frames) -> Frames:
    """(F, n, W) on parabolas through the frames around each; F is more than twice `SMOOTHED`."""
    frames = len(values)
    out = np.empty_like(values)
    width = 2 * SMOOTHED + 1
    for f in range(frames):
        first = min(max(f - SMOOTHED, 0), frames - width)
        time = np.arange(first, first + width) - f
        weights = np.linalg.pinv(np.stack([time**0, time, time**2], 1).astype(np.float64))[0]
        total = np.zeros(values.shape[1:])
        for k, weight in enumerate(weights):
            total += weight * values[first + k]
        out[f] = total
    return out


def put_births(base: Splats, keys: Keys) -> None:
    """Write the values that splats are born with into `base`."""
    rows, n = keys.rows, np.arange(len(keys.rows))
    first = keys.alive.argmax(0)
    base.positions[rows] = keys.positions[first, n]
    base.rotations[rows] = keys.rotations[first, n]
    base.opacities[rows] = keys.opacities[first, n]
    if keys.scales is not None:
        base.scales[rows] = keys.scales[first, n]
    if keys.colours is not None:
        base.sh_dc[rows] = keys.colours[first, n]
    if keys.harmonics is not None:
        base.sh_rest[rows] = keys.harmonics[first, n]
