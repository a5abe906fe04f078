"""(12.11) Functions of time that the trajectories of a segment share, and what each splat follows of them.

Trajectories are sums of few functions, whatever the motion: a body that swings has one or two, for as long
as it swings. They come from the covariance of a sample; the noise of a trajectory is not among them, as it
is shared with none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Frames = NDArray[np.float32]

MOST = 16  # functions of one attribute (12.11)
SAMPLE, FEWEST = 6000, 300  # splats whose trajectories decide, at most and at least
PRODUCTS = 1e9  # multiplications that finding functions may take, if that leaves enough splats
COMMON = 0.98  # quantile of the energy of trajectories, from where on they all count alike
VALUE_BITS = 2.0  # of a coefficient besides its logarithm, in steps
PREDICTED = 0.8  # of the logarithm: what neighbours do not tell
FUNCTION_BITS = 8.0  # of a function at a frame
LEAST_BENEFIT = 1.0  # bits at which a coefficient is worth its own
BLOCK = 8192  # splats that are fitted together


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """Values (F, N, W) as `constant` + sum of `coefficients` times `functions`, and what is left.

    functions     (F, n) float64, of mean square 1
    coefficients  (N, n, W) float64, 0 where a splat does not follow
    constant      (N, W) float64
    noise         (N,) standard deviation of the noise, per component
    left          (N,) root mean square of what is left, noise included, per component
    worst         (N,) largest distance from what is followed, at frames that count
    """

    functions: Float
    coefficients: Float
    constant: Float
    noise: Float
    left: Float
    worst: Float

    @property
    def follows(self) -> NDArray[np.bool_]:
        """(N,) whether a splat has any coefficient."""
        return np.asarray(self.coefficients.any((1, 2)))

    def take(self, rows: NDArray[np.generic]) -> Factor:
        """Of some splats."""
        return Factor(
            self.functions,
            self.coefficients[rows],
            self.constant[rows],
            self.noise[rows],
            self.left[rows],
            self.worst[rows],
        )

    def change(self, frame: int, rows: NDArray[np.intp]) -> Float:
        """(n, W) what functions add to the constants of some splats at a frame."""
        value = np.zeros((len(rows), self.constant.shape[1]))
        for k, function in enumerate(self.functions[frame]):
            value += function * self.coefficients[rows, k]
        return value


def factor(
    values: Frames, unit: Float, alive: NDArray[np.bool_] | None = None, *, most: int = MOST
) -> Factor:
    """The functions that are worth their bits, and every splat's part of them.

    values  (F, N, W) float32
    unit    (N,) root mean square error per component that nobody sees
    alive   (F, N) frames that count; None: all of them. No splat is without any
    """
    frames, count, _ = values.shape
    functions = shared_functions(values, unit, alive, most=most) if frames > 1 else np.zeros((frames, 0))
    parts = []
    for first in range(0, count, BLOCK):
        rows = slice(first, min(first + BLOCK, count))
        x = values[:, rows].astype(np.float64)
        there = None if alive is None else alive[:, rows]
        parts.append(_followed(x, functions, unit[rows], there))
    return Factor(functions, *(np.concatenate(each) for each in zip(*parts, strict=True)))


def shared_functions(values: Frames, unit: Float, alive: NDArray[np.bool_] | None, *, most: int) -> Float:
    """(F, n) functions of mean 0 and mean square 1, by how much they are worth."""
    frames, count, width = values.shape
    most_rows = int(np.clip(PRODUCTS / (frames**2 * width), FEWEST, SAMPLE))
    whole = np.arange(count) if alive is None else np.flatnonzero(alive.all(0))
    if len(whole) == 0:
        whole = np.arange(count)
    rows = whole[np.unique(np.linspace(0, len(whole) - 1, min(len(whole), most_rows)).astype(np.intp))]
    x = values[:, rows].astype(np.float64)
    noise = noise_of(x) / unit[rows]
    x -= x.mean(0)
    x /= unit[rows, None]
    energy = np.square(x).sum((0, 2))
    limit = float(np.quantile(energy, COMMON)) if len(rows) else 0.0
    weight = np.minimum(1.0, limit / np.maximum(energy, 1e-300))
    flat = (x * np.sqrt(weight)[:, None]).reshape(frames, -1)
    covariance = np.einsum("fr,gr->fg", flat, flat)  # without BLAS, whose sums depend on its threads
    if not np.isfinite(covariance).all() or not covariance.any():
        return np.zeros((frames, 0))
    found = np.linalg.eigh(covariance)[1][:, ::-1][:, : min(most, frames - 1)]
    found = found * np.sqrt(frames)
    found *= np.where(found[np.abs(found).argmax(0), np.arange(found.shape[1])] < 0, -1.0, 1.0)
    share, worth = count / max(len(rows), 1), 0
    for k in range(found.shape[1]):
        c = np.einsum("f,fnw->nw", found[:, k], x) / frames
        gain = np.maximum(benefit(c, noise, frames) - cost(c), 0).sum() * share
        if gain <= FUNCTION_BITS * frames:
            break
        worth = k + 1
    return np.asarray(found[:, :worth])


def benefit(c: Float, noise: Float, frames: int) -> Float:
    """(n,) bits that a coefficient (n, W) in units spares what would have to be coded at each frame."""
    level = 1 + np.square(noise)
    return np.asarray(0.5 * frames * np.log2(1 + np.square(c) / level[:, None]).sum(1))


def cost(c: Float) -> Float:
    """(n,) bits of coefficients (n, W) in units."""
    return np.asarray((PREDICTED * np.log2(1 + np.abs(c)) + VALUE_BITS).sum(1))


def noise_of(x: Float) -> Float:
    """(N,) standard deviation of the noise of trajectories (F, N, W), by second differences."""
    if len(x) < 4:
        return np.zeros(x.shape[1])
    second = np.square(x[2:] - 2 * x[1:-1] + x[:-2]).sum(2)
    noise = np.minimum(second.mean(0), 3 * np.median(second, 0)) / 6  # one leap is no noise
    return np.asarray(np.sqrt(noise / max(x.shape[2], 1)))


def _followed(
    x: Float, functions: Float, unit: Float, alive: NDArray[np.bool_] | None
) -> tuple[Float, Float, Float, Float, Float]:
    """Coefficients, constant, noise, left, worst of a block (F, N, W)."""
    frames, count, width = x.shape
    noise = noise_of(x)
    parts = functions.shape[1]
    part = None if alive is None else ~alive.all(0)
    constant, c = _projected(x, functions)
    if alive is not None and part is not None and part.any():
        rows = np.flatnonzero(part)
        usual = np.square(c[~part]).mean((0, 2)) if not part.all() else np.full(parts, np.inf)
        level = np.maximum(unit[rows], noise[rows])
        constant[rows], c[rows] = _solved(x[:, rows], functions, alive[:, rows], level, usual)
    for k in range(parts):  # a coefficient that is not worth its bits is none
        small = benefit(c[:, k] / unit[:, None], noise / unit, frames) < cost(c[:, k] / unit[:, None])
        c[small, k] = 0
    total, worst, number = np.zeros(count), np.zeros(count), np.zeros(count)
    for f in range(frames):
        off = x[f] - constant
        for k in range(parts):
            off -= functions[f, k] * c[:, k]
        square = np.square(off).sum(1)
        if alive is not None:
            square *= alive[f]
            number += alive[f]
        total += square
        np.maximum(worst, square, out=worst)
    number = np.full(count, float(frames)) if alive is None else number
    left = np.sqrt(total / np.maximum(number, 1) / max(width, 1))
    return c, constant, np.minimum(noise, left), left, np.sqrt(worst)


def _projected(x: Float, functions: Float) -> tuple[Float, Float]:
    """Constants (N, W) and coefficients (N, n, W) by least squares over all frames."""
    frames, count, width = x.shape
    design = np.concatenate([np.ones((frames, 1)), functions], 1)
    inverse = np.linalg.pinv(design)
    out = np.zeros((design.shape[1], count, width))
    for k, row in enumerate(inverse):
        for weight, point in zip(row, x, strict=True):
            out[k] += weight * point
    return out[0], np.ascontiguousarray(out[1:].transpose(1, 0, 2))


def _solved(
    x: Float, functions: Float, alive: NDArray[np.bool_], level: Float, usual: Float
) -> tuple[Float, Float]:
    """The same over the frames that count: what these leave open is as small as it can be.

    level (N,) is the error of a value, and `usual` (n,) the mean square of coefficients.
    """
    design = np.concatenate([np.ones((len(x), 1)), functions], 1)
    there = alive.astype(np.float64)
    matrix = np.einsum("fk,fn,fl->nkl", design, there, design)
    doubt = np.square(level)[:, None] / np.maximum(usual, 1e-300) + 1e-9 * len(x)
    matrix += np.eye(design.shape[1]) * np.concatenate([np.full((len(level), 1), 1e-9), doubt], 1)[:, None]
    middle = np.einsum("fn,fnw->nw", there, x) / np.maximum(there.sum(0), 1)[:, None]
    right = np.einsum("fk,fn,fnw->nkw", design, there, x - middle)
    found = np.linalg.solve(matrix, right)
    return found[:, 0] + middle, found[:, 1:]
