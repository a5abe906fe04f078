"""Motion fitted to trajectories: polynomials, linear rotations and fades, smooth through noise.

Times are tau: the time since the middle of the frames in units of the segment's duration. A fit is held
against the noise of its own trajectory, which second differences tell apart from motion: noise is smoothed
away, and what a polynomial cannot follow is called a misfit, for keyframes or shorter segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Frames = NDArray[np.float32]

BLOCK = 8192  # splats that are fitted together
DEGREE = 3
END = 0.12  # how little weights grow at ends: at most by 2.9, or ends follow the noise of few frames
TRUST = 4.0  # times the noise that a coefficient has to exceed in its energy
DOUBT = 4.2  # standard errors of a variance, within which a misfit may be noise
OUTLIER = 4.5  # standard deviations
ROUNDS = 3  # of robust weights
LOOKED = 12  # frames at which rotations are held against their fit


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Polynomials of N trajectories in W dimensions.

    coefficients  (N, n + 1, W) float64  of powers of tau, the constant first; 0 above the degree of a splat
    degree        (N,) uint8             the highest power that is used
    misfit        (N,) float64           root mean square of what the curve misses and is no noise, per axis
    noise         (N,) float64           standard deviation of the noise, per axis
    worst         (N,) float64           largest distance of a point from the curve
    """

    coefficients: Float
    degree: NDArray[np.uint8]
    misfit: Float
    noise: Float
    worst: Float

    def take(self, rows: NDArray[np.generic]) -> Curve:
        """Of some trajectories."""
        return Curve(
            self.coefficients[rows],
            self.degree[rows],
            self.misfit[rows],
            self.noise[rows],
            self.worst[rows],
        )

    def put(self, rows: NDArray[np.intp], other: Curve) -> None:
        """Replace those of some trajectories."""
        for name in ("coefficients", "degree", "misfit", "noise", "worst"):
            getattr(self, name)[rows] = getattr(other, name)


def fit_curves(
    values: Frames,
    tau: Float,
    tolerance: Float,
    *,
    degree: int = DEGREE,
    axes: int | None = None,
    inside: slice = slice(None),
) -> Curve:
    """The lowest degree for each trajectory that is within its tolerance, or the highest one.

    values     (F, N, W) at the times `tau` (F,)
    tolerance  (N,) root mean square error per axis that nobody sees; `axes` to count, W where none are given
    inside     frames that count; others around them only keep noise from bending the ends
    """
    frames, count, width = values.shape
    top = max(min(degree, frames - 1), 0)
    out = Curve(
        np.zeros((count, degree + 1, width)),
        np.zeros(count, np.uint8),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
    )
    powers = tau[:, None] ** np.arange(top + 1)
    weight = np.sqrt(end_weights(tau, inside))
    basis, triangle = np.linalg.qr(powers * weight[:, None])
    basis *= weight[:, None]
    for first in range(0, count, BLOCK):
        rows = slice(first, min(first + BLOCK, count))
        x = values[:, rows].astype(np.float64)
        part = _fit(x, powers, (basis, triangle, weight), tolerance[rows], axes or width, inside)
        out.coefficients[rows, : top + 1] = part.coefficients
        out.degree[rows], out.misfit[rows] = part.degree, part.misfit
        out.noise[rows], out.worst[rows] = part.noise, part.worst
    return out


def end_weights(tau: Float, inside: slice) -> Float:
    """(F,) weights of mean 1, more at ends that no frames of neighbours follow: misfits are even then."""
    middle, reach = (tau[0] + tau[-1]) / 2, max(float(np.ptp(tau)) / 2, 1e-9)
    place = np.clip((tau - middle) / reach, -1, 1)
    weight = 1 / np.sqrt(1 + END - np.square(place))
    start, stop, _ = inside.indices(len(tau))
    weight[(place < 0) & (start > 0)] = 1.0
    weight[(place > 0) & (stop < len(tau))] = 1.0
    return np.asarray(weight / weight.mean())


def _fit(
    x: Float,
    powers: Float,
    weighted: tuple[Float, Float, Float],
    tolerance: Float,
    axes: int,
    inside: slice,
) -> Curve:
    basis, triangle, weight = weighted
    frames, count, width = x.shape
    top = basis.shape[1] - 1
    middle = x[frames // 2].copy()
    x -= middle
    amounts = np.zeros((top + 1, count, width))  # along orthonormal polynomials
    for row, point in zip(basis, x, strict=True):  # without BLAS, whose sums depend on its number of threads
        amounts += row[:, None, None] * point
    energies = np.square(amounts).sum(2)
    whole = np.einsum("f,fnw,fnw->n", np.square(weight), x, x)
    left = np.maximum(whole - np.cumsum(energies, 0), 0.0)  # after each degree
    noise = np.zeros(count)  # variance, all axes together
    if frames >= 4:
        second = np.square(x[2:] - 2 * x[1:-1] + x[:-2]).sum(2)
        noise = np.minimum(second.mean(0), 3 * np.median(second, 0)) / 6  # one leap is no noise
        noise = np.minimum(noise, left[-1] / max(frames - top - 1, 1))
    limit = axes * np.square(tolerance)
    # energy of what would be dropped above each degree, next to what noise has there and nobody sees
    above = np.concatenate([np.cumsum(energies[::-1], 0)[::-1][1:], np.zeros((1, count))])
    orders = np.arange(top, -1, -1)[:, None]
    fits = above / frames <= limit + TRUST * noise * orders / frames
    chosen = fits.argmax(0).astype(np.uint8)
    coefficients = np.zeros((count, top + 1, width))
    for d in range(top + 1):
        if (of := np.flatnonzero(chosen == d)).size:
            inverse = np.linalg.inv(triangle[: d + 1, : d + 1])
            coefficients[of, : d + 1] = np.einsum("kl,lnw->nkw", inverse, amounts[: d + 1, of])
    misses = np.sqrt(np.square(x - _along(powers, coefficients)).sum(2))
    spread = np.sqrt(noise / max(width, 1))
    wild = np.flatnonzero(misses.max(0) > OUTLIER * np.maximum(spread, tolerance))
    if wild.size and frames > top + 2:
        coefficients[wild] = _robust(x[:, wild], powers, chosen[wild], tolerance[wild], coefficients[wild])
        misses[:, wild] = np.sqrt(np.square(x[:, wild] - _along(powers, coefficients[wild])).sum(2))
    misses = misses[inside]
    free = np.maximum(len(misses) - chosen.astype(np.float64) - 1, 1)
    mean = np.square(misses).sum(0) / free
    doubt = DOUBT * noise * np.sqrt(2 / (axes * free))
    misfit = np.sqrt(np.maximum(mean - noise - doubt, 0) / axes)
    coefficients[:, 0] += middle
    return Curve(coefficients, chosen, misfit, np.sqrt(noise / axes), misses.max(0))


def _along(powers: Float, coefficients: Float) -> Float:
    """(F, N, W) the curves at all times, whose powers are (F, n + 1)."""
    time = powers[:, 1, None, None] if powers.shape[1] > 1 else np.zeros((len(powers), 1, 1))
    value = np.broadcast_to(coefficients[:, -1], (len(powers), *coefficients[:, -1].shape)).copy()
    for k in range(coefficients.shape[1] - 2, -1, -1):
        value *= time
        value += coefficients[:, k]
    return value


def _robust(x: Float, powers: Float, degree: NDArray[np.uint8], tolerance: Float, start: Float) -> Float:
    """(n, top + 1, W) coefficients with points far off the curve counted less."""
    found = start.copy()
    used = np.arange(powers.shape[1]) <= degree[:, None]
    for _ in range(ROUNDS):
        misses = np.sqrt(np.square(x - _along(powers, found)).sum(2))
        scale = np.maximum(1.5 * np.median(misses, 0), tolerance)
        weight = np.minimum(1.0, scale / np.maximum(misses, 1e-300))
        matrix = np.einsum("fk,fn,fl->nkl", powers, weight, powers)
        matrix *= used[:, :, None] & used[:, None, :]
        matrix += np.eye(powers.shape[1]) * np.where(used, 1e-12 * len(x), 1.0)[:, :, None]
        right = np.einsum("fk,fn,fnw->nkw", powers, weight, x) * used[:, :, None]
        found = np.linalg.solve(matrix, right)
    return found


def curve_at(coefficients: Float, tau: Float | float) -> Float:
    """(N, W) the curves (N, n + 1, W) at `tau`, one time or (N,)."""
    time = np.asarray(tau, np.float64)[..., None]
    value = coefficients[:, -1].copy()
    for k in range(coefficients.shape[1] - 2, -1, -1):
        value = value * time + coefficients[:, k]
    return value


def shifted(coefficients: Float, by: Float) -> Float:
    """The curves with powers of tau - `by` (N,) in place of powers of tau."""
    out = coefficients.copy()
    top = out.shape[1] - 1
    for first in range(top):
        for k in range(top - 1, first - 1, -1):
            out[:, k] += by[:, None] * out[:, k + 1]
    return out


# ---- rotations


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


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """Linear rotations: (1 + u0 tau, u1 tau, u2 tau, u3 tau) times `start`, normalised.

    start (N, 4) and rate (N, 4) float64; turns, misfit, noise (N,) as `Curve` has them, in radians
    """

    start: Float
    rate: Float
    turns: NDArray[np.bool_]
    misfit: Float
    noise: Float


def fit_turns(rotations: Frames, tau: Float, tolerance: Float) -> Turn:
    """Of quaternions (F, N, 4) that are `aligned`; tolerance (N,) in radians."""
    curve = fit_curves(rotations, tau, tolerance / 2, degree=1, axes=3)
    length = np.linalg.norm(curve.coefficients[:, 0], axis=1, keepdims=True)
    length = np.maximum(length, 1e-12)
    start = curve.coefficients[:, 0] / length
    rate = hamilton(curve.coefficients[:, 1] / length, conjugate(start))
    turns = curve.degree > 0
    rate[~turns] = 0
    return Turn(start, rate, turns, _miss(rotations, tau, start, rate, 2 * curve.noise), 2 * curve.noise)


def _miss(rotations: Frames, tau: Float, start: Float, rate: Float, noise: Float) -> Float:
    """(N,) root mean square angle per axis between turns and what they are to be, without noise."""
    total, frames = np.zeros(len(start)), len(tau)
    looked = np.unique(np.linspace(0, frames - 1, min(frames, LOOKED)).round().astype(np.intp))
    for f in looked:
        q = turned(start, rate, tau[f])
        half = np.square(q - rotations[f]).sum(1)  # of a chord, which is half the angle while that is small
        total += 4 * np.minimum(half, 4 - half)
    mean = total / len(looked)
    doubt = DOUBT * 3 * np.square(noise) * np.sqrt(2 / (3 * max(frames - 2, 1)))
    return np.asarray(np.sqrt(np.maximum(mean - 3 * np.square(noise) - doubt, 0) / 3))


def turned(start: Float, rate: Float, tau: Float | float) -> Float:
    """(N, 4) rotations at `tau`, one time or (N,)."""
    p = rate * np.asarray(tau, np.float64)[..., None]
    p = p + np.array([1.0, 0, 0, 0])
    q = hamilton(p, start)
    return np.asarray(q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-30))


# ---- opacity over time


@dataclass(frozen=True, slots=True, eq=False)
class Fade:
    """Opacity over time: alpha exp(-((tau - centre) / width)^2) where `fades`, else alpha. All (N,) float64.

    misfit  root mean square error of alpha
    """

    alpha: Float
    centre: Float
    width: Float
    fades: NDArray[np.bool_]
    misfit: Float


UNSEEN = 1 / 255  # alpha that no renderer draws
MOST_ALPHA = 0.9999
REACH = 0.75  # of the middle, in durations: centres further out are no fades of this segment
NARROWEST = 0.01


def fit_fades(alpha: Frames, tau: Float, tolerance: float) -> Fade:
    """Of opacities (F, N), 0 to 1; constant where they are within `tolerance` (root mean square)."""
    frames, count = alpha.shape
    mean = alpha.mean(0, dtype=np.float64)
    noise = np.zeros(count)
    if frames >= 4:
        second = np.square(alpha[2:] - 2 * alpha[1:-1] + alpha[:-2], dtype=np.float64)
        noise = np.minimum(second.mean(0), 3 * np.median(second, 0)) / 6
    spread = np.maximum(np.square(alpha - mean, dtype=np.float64).mean(0) - 1.3 * noise, 0.0)
    misfit = np.sqrt(spread)
    peak, centre, width = mean.copy(), np.zeros(count), np.ones(count)
    fades = np.zeros(count, bool)
    rows = np.flatnonzero(misfit > tolerance) if frames >= 4 else np.zeros(0, np.intp)
    for first in range(0, len(rows), BLOCK):
        of = rows[first : first + BLOCK]
        a = alpha[:, of].astype(np.float64)
        powers = tau[:, None] ** np.arange(3)
        weight = np.square(a)
        matrix = np.einsum("fk,fn,fl->nkl", powers, weight, powers) + 1e-9 * np.eye(3)
        right = np.einsum("fk,fn->nk", powers, weight * np.log(np.maximum(a, 1e-6)))
        c = np.linalg.solve(matrix, right[..., None])[..., 0]
        bend = np.minimum(c[:, 2], -0.05)
        at = -c[:, 1] / (2 * bend)
        most = np.exp(np.clip(c[:, 0] - c[:, 1] ** 2 / (4 * bend), -20, 20))
        wide = 1 / np.sqrt(-bend)
        model = most * np.exp(-np.square((tau[:, None] - at) / wide))
        off = np.sqrt(np.square(model - a).mean(0))
        good = (np.abs(at) <= REACH) & (most <= MOST_ALPHA) & (wide >= NARROWEST) & (off < misfit[of])
        into = of[good]
        peak[into], centre[into], width[into] = most[good], at[good], wide[good]
        misfit[into], fades[into] = np.maximum(off[good] ** 2 - noise[into], 0) ** 0.5, True
    return Fade(np.clip(peak, 1e-7, 1 - 1e-7), centre, width, fades, misfit)


def fade_at(fade: Fade, tau: float) -> Float:
    """(N,) opacity, 0 to 1."""
    weight = np.exp(-np.square((tau - fade.centre) / fade.width))
    return np.where(fade.fades, fade.alpha * weight, fade.alpha)
