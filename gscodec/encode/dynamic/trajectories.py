"""From a track of frames to `Motion`: what stays, what a polynomial follows, what needs keyframes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.fitting import (
    Curve,
    Fade,
    Float,
    Frames,
    Turn,
    fit_curves,
    fit_fades,
    fit_turns,
    shifted,
    turned,
)
from gscodec.encode.dynamic.layers import NOISE, Tolerances
from gscodec.encode.dynamic.model import (
    KEYFRAMES,
    POLYNOMIAL,
    SEEN,
    STILL,
    Keys,
    Motion,
    Track,
    alpha_of,
    logit_of,
)
from gscodec.splats import Splats

MISS = 2.0  # tolerances that a fit may be off by
MISS_TURN = 0.6  # ... and a turn, which neighbours miss alike, most of all at the ends of a segment
TREMBLING = 2.5  # tolerances: what trembles more costs so much as keys that turns may be off by `MISS`, too
FADE_MISS = 0.02  # of alpha, besides the tolerance
SHORTEST = 4  # frames that are fitted
LEAP = 12.0  # standard deviations: a point so far from the curve is no noise
LEAP_SIZE = 0.75  # ... if it is so many sizes of the splat away


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """What was fitted to N trajectories, and which of them it follows: `good` (N,)."""

    curve: Curve
    turn: Turn
    fade: Fade
    changing: NDArray[np.bool_]  # scale, colour or harmonics are no constants
    good: NDArray[np.bool_]


def fit(track: Track, times: Float, limit: Tolerances, margin: tuple[int, int] = (0, 0)) -> Fits:
    """Fit everything to every splat. `times` (F,) are in durations; tau counts from their middle.

    margin  frames in front and behind that belong to neighbours: only positions are fitted through them
    """
    inside = slice(margin[0], len(times) - margin[1])
    positions, beyond = track.positions, times
    track, times = track.cut(inside.start, inside.stop), times[inside]
    tau = times - middle_of(times)
    curve = fit_curves(positions, beyond - middle_of(times), limit.position, inside=inside)
    if len(positions) > len(times):
        missed = np.flatnonzero((curve.misfit > limit.position) | (curve.worst > LEAP * curve.noise))
        alone = fit_curves(positions[inside][:, missed], tau, limit.position[missed])
        curve.put(
            missed[alone.misfit < curve.misfit[missed]], alone.take(alone.misfit < curve.misfit[missed])
        )
    turn = fit_turns(track.rotations, tau, limit.rotation)
    fade = fit_fades(alpha_of(track.opacities).astype(np.float32), tau, limit.opacity)
    changing = changes(track.scales, limit.scale)
    changing |= changes(track.colours, limit.colour)
    if track.harmonics.shape[2]:
        flat = track.harmonics.reshape(*track.harmonics.shape[:2], -1)
        changing |= changes(flat, limit.harmonics)
    good = (curve.misfit <= MISS * limit.position) & (turn.misfit <= missed_turns(curve, limit))
    good &= curve.noise <= np.maximum(NOISE * limit.size, limit.position)
    good &= (curve.worst <= LEAP_SIZE * limit.size) | (
        curve.worst <= LEAP * np.maximum(curve.noise, limit.position)
    )
    good &= fade.misfit <= limit.opacity + FADE_MISS * fade.fades
    good &= ~changing
    if len(times) < SHORTEST:
        good &= (curve.degree == 0) & ~turn.turns & ~fade.fades
    return Fits(curve, turn, fade, changing, good)


def missed_turns(curve: Curve, limit: Tolerances) -> Float:
    """(N,) how far turns may be off, in radians."""
    allowed = np.where(curve.noise <= TREMBLING * limit.position, MISS_TURN, MISS)
    return np.asarray(allowed * limit.rotation)


def middle_of(times: Float) -> float:
    """The time that polynomials are about."""
    return float((times[0] + times[-1]) / 2)


def changes(values: Frames, limit: float) -> NDArray[np.bool_]:
    """(N,) where any of the values (F, N, W) changes by more than `limit` and noise (root mean square)."""
    frames = len(values)
    out = np.zeros(values.shape[1], bool)
    if frames < 2 or values.shape[2] == 0:
        return out
    mean = values.mean(0, dtype=np.float64).astype(np.float32)
    square, tremble = np.zeros(values.shape[1:]), np.zeros(values.shape[1:])
    for f in range(frames):
        square += np.square(values[f] - mean)
        if f:
            tremble += np.square(values[f] - values[f - 1])
    noise = tremble / (2 * (frames - 1))
    return np.asarray((square / frames - 1.5 * noise > limit**2).any(1))


def motion_of(
    track: Track, times: Float, limit: Tolerances, fits: Fits | None = None
) -> tuple[Motion, NDArray[np.intp]]:
    """The motion of a track, and the rows of it that are ever seen."""
    fits = fits or fit(track, times, limit)
    shown = alpha_of(track.opacities.max(0)) > SEEN
    rows = np.flatnonzero(shown)
    if len(rows) < len(shown):
        track, limit = track.take(rows), limit.take(rows)
        fits = _taken(fits, rows)
    curve, turn, fade = fits.curve, fits.turn, fits.fade
    count, frames = len(rows), len(times)
    kind = np.full(count, KEYFRAMES, np.uint8)
    moves = (curve.degree > 0) | turn.turns | fade.fades
    kind[fits.good] = np.where(moves, POLYNOMIAL, STILL)[fits.good]
    middle = middle_of(times)
    fades = fade.fades & fits.good
    c = curve.coefficients.copy()
    c[fades] = shifted(c[fades], fade.centre[fades])
    start = np.where(
        fades[:, None], turned(turn.start, turn.rate, np.where(fades, fade.centre, 0.0)), turn.start
    )
    rate = turn.rate.copy()
    if fades.any():  # (1 + u (c + s)) is in proportion to 1 + u' s, with u' = u / (1 + u c)
        rate[fades] = _rebased(turn.rate[fades], fade.centre[fades])
    base = Splats(
        positions=c[:, 0].astype(np.float32),
        scales=track.scales.mean(0, dtype=np.float64).astype(np.float32),
        rotations=start.astype(np.float32),
        opacities=logit_of(fade.alpha).astype(np.float32),
        sh_dc=track.colours.mean(0, dtype=np.float64).astype(np.float32),
        sh_rest=track.harmonics.mean(0, dtype=np.float64).astype(np.float32),
    )
    keyed = np.flatnonzero(kind == KEYFRAMES)
    keys = None
    span = np.tile(np.array([0, frames], np.int32), (count, 1))
    if len(keyed):
        keys = keys_of(track.take(keyed), keyed, limit.take(keyed), fits, keyed)
        put_births(base, keys)
    translation = np.zeros((count, 3, 3))
    follows = kind == POLYNOMIAL
    translation[follows, : c.shape[1] - 1] = c[follows, 1:]
    rate[~follows] = 0
    return Motion(
        base=base,
        kind=kind,
        span=span,
        times=times,
        reference=middle,
        translation=translation,
        rotation=rate,
        centre=np.where(fades, fade.centre + middle, 0.0),
        width=np.where(fades, fade.width, 1.0),
        fades=fades,
        keys=keys,
    ), rows


def _rebased(rate: Float, by: Float) -> Float:
    """(n, 4) the rates of the same turns, counted from `by` (n,) on."""
    whole = rate * by[:, None]
    whole[:, 0] += 1
    square = np.square(whole).sum(1, keepdims=True)
    inverse = whole * np.array([1.0, -1, -1, -1]) / np.maximum(square, 1e-30)
    w, v = rate[:, :1], rate[:, 1:]  # rate and whole commute: both are of one axis
    iw, iv = inverse[:, :1], inverse[:, 1:]
    out = np.concatenate([w * iw - (v * iv).sum(1, keepdims=True), w * iv + iw * v], 1)
    return np.asarray(out)


def _taken(fits: Fits, rows: NDArray[np.intp]) -> Fits:
    curve, turn, fade = fits.curve, fits.turn, fits.fade
    return Fits(
        curve.take(rows),
        Turn(turn.start[rows], turn.rate[rows], turn.turns[rows], turn.misfit[rows], turn.noise[rows]),
        Fade(fade.alpha[rows], fade.centre[rows], fade.width[rows], fade.fades[rows], fade.misfit[rows]),
        fits.changing[rows],
        fits.good[rows],
    )


# ---- keyframes

HELD = 0.25  # tolerances within which values stay as they are, before steps do the rest
HELD_TURN = 0.25  # ... of rotations
SMOOTHED = 3  # frames to both sides, through which a parabola is laid where a trajectory trembles


def keys_of(
    track: Track, rows: NDArray[np.intp], limit: Tolerances, fits: Fits, fitted: NDArray[np.intp]
) -> Keys:
    """Values at all frames of `track`, each held until it would be off by more than its tolerance."""
    alpha = alpha_of(track.opacities)
    seen = alpha > SEEN
    frames = len(seen)
    first = seen.argmax(0)
    last = frames - seen[::-1].argmax(0)
    number = np.arange(frames)[:, None]
    alive = (number >= first) & (number < last)
    noise = fits.curve.noise[fitted]
    positions = track.positions
    if frames > 2 * SMOOTHED:
        trembles = np.flatnonzero((noise > limit.position) & (noise <= np.maximum(NOISE * limit.size, 0)))
        if trembles.size:
            positions = positions.copy()
            positions[:, trembles] = smoothed(positions[:, trembles])
    held = hold(positions, HELD * limit.position[:, None].astype(np.float32), first)
    turned_by = np.minimum(HELD_TURN * limit.rotation / 2, 0.2)[:, None].astype(np.float32)
    rotations = hold(track.rotations, turned_by, first)
    levels = hold(alpha.astype(np.float32)[..., None], np.float32(HELD * limit.opacity), first)[..., 0]
    changing = fits.changing[fitted].any()
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
