"""From a track of frames to `Motion`: what stays, what follows functions of time, what needs keyframes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.factors import Factor, factor
from gscodec.encode.dynamic.keys import keys_of, put_births
from gscodec.encode.dynamic.layers import Tolerances
from gscodec.encode.dynamic.model import (
    FUNCTIONS,
    KEYFRAMES,
    SEEN,
    STILL,
    Motion,
    Track,
    alpha_of,
    logit_of_octaves,
    octaves_of,
)
from gscodec.encode.dynamic.turns import Float, Frames, middle_rotations, turns_from
from gscodec.splats import Splats

MISS = 2.0  # tolerances that what is followed may be off by, besides noise
MISS_SHARE = 0.3  # ... or of what is left, where noise is most of it
FAR_TURN = 3.9  # of u: beyond 4 no turn is told from another
FEWEST = 4  # frames that tell noise from motion
DOUBT = 4.2  # standard errors of a variance, within which what is left may be noise
TREMBLING = 2.5  # tolerances: keys of what trembles more would follow noise
LEAP = 8.0  # times what is usually left: a point so far off is no noise
LEAP_SIZE = 0.75  # ... if it is so many sizes of the splat away


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """What N splats follow: a factor for each attribute that changes, of the `rows` (n,) that change.

    factors   by name: rows, and what they follow. Rotations are turns from `rotations` (N, 4), opacities
              are in octaves
    alive     (F, N) from the first frame in which a splat is seen to the last
    good      (N,) what all that is followed is good enough for
    noise     (N,) of positions, in scene units; changing: in scale, colour or harmonics
    left      by attribute (N,) root mean square of what is not followed, per component
    missed    by attribute (N,) how much of it residuals have to make up for, 0: nothing
    """

    factors: Mapping[str, tuple[NDArray[np.intp], Factor]]
    alive: NDArray[np.bool_]
    rotations: Float
    good: NDArray[np.bool_]
    noise: Float
    changing: NDArray[np.bool_]
    left: Mapping[str, Float]
    missed: Mapping[str, Float]


def fit(track: Track, limit: Tolerances) -> Fits:
    """Find what every splat of a track follows."""
    count = track.positions.shape[1]
    alive = lifetimes(alpha_of(track.opacities) > SEEN)
    rotations = middle_rotations(track.rotations, alive)
    good, noise = np.ones(count, bool), np.zeros(count)
    factors: dict[str, tuple[NDArray[np.intp], Factor]] = {}
    changing = np.zeros(count, bool)
    left: dict[str, Float] = {}
    missed: dict[str, Float] = {}
    for name, unit in units_of(track, limit, alive).items():
        values = values_of(track, name, rotations)
        moved, noisy = variation(values, alive)
        if name == "rotation":
            good &= (np.abs(values) < FAR_TURN).all((0, 2))
        rows = np.flatnonzero((moved > unit) & alive.any(0))
        left[name] = noisy
        if name == "position":
            noise = noisy.copy()
        if not len(rows):
            continue
        there = alive[:, rows]
        found = factor(values[:, rows], unit[rows], None if there.all() else there)
        factors[name] = rows, found
        left[name][rows] = found.left
        if name == "position":
            noise[rows] = found.noise
        doubt = 1 + DOUBT * np.sqrt(2 / max(values.shape[2] * len(values), 1))
        hidden = np.sqrt(np.maximum(np.square(found.left) - doubt * np.square(found.noise), 0))
        fine = hidden <= np.maximum(MISS * unit[rows], MISS_SHARE * found.left)
        if name == "position":
            usual = LEAP * np.maximum(found.left, unit[rows])
            fine &= (found.worst <= LEAP_SIZE * limit.size[rows]) | (found.worst <= usual)
        trembles = ~fine & (found.noise > TREMBLING * unit[rows])
        missed[name] = np.zeros(count)  # keys would follow noise: residuals make up for it
        missed[name][rows[trembles]] = np.maximum(hidden, unit[rows])[trembles]
        fine |= trembles
        if name in ("scale", "colour", "harmonics"):
            changing[rows] = True
        good[rows[~fine]] = False
    return Fits(factors, alive, rotations, good, noise, changing, left, missed)


def lifetimes(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(F, N) from the first frame in which a splat is seen to the last."""
    number = np.arange(len(seen))[:, None]
    last = len(seen) - seen[::-1].argmax(0)
    return np.asarray((number >= seen.argmax(0)) & (number < last) & seen.any(0))


def units_of(track: Track, limit: Tolerances, alive: NDArray[np.bool_]) -> dict[str, Float]:
    """(N,) tolerances by attribute, in the units of `values_of`."""
    count = track.positions.shape[1]
    mean = (alpha_of(track.opacities) * alive).sum(0) / np.maximum(alive.sum(0), 1)
    units = {
        "position": limit.position,
        "rotation": limit.rotation / 2,
        "scale": np.full(count, limit.scale),
        "opacity": limit.opacity / ((mean + 1 / 16) * np.log(2)),
        "colour": np.full(count, limit.colour),
    }
    if track.harmonics.shape[2]:
        units["harmonics"] = np.full(count, limit.harmonics)
    return units


def values_of(track: Track, name: str, rotations: Float) -> Frames:
    """(F, N, W) of an attribute, as functions add to it."""
    if name == "position":
        return track.positions
    if name == "rotation":
        return turns_from(track.rotations, rotations)
    if name == "scale":
        return track.scales
    if name == "opacity":
        return octaves_of(track.opacities)[..., None].astype(np.float32)
    if name == "colour":
        return track.colours
    return track.harmonics.reshape(*track.harmonics.shape[:2], -1)


def variation(values: Frames, alive: NDArray[np.bool_]) -> tuple[Float, Float]:
    """(N,) root mean square of what changes and is no noise, of the worst component; and the noise."""
    frames, count, width = values.shape
    if frames < 2 or width == 0:
        return np.zeros(count), np.zeros(count)
    there = alive.astype(np.float32)[..., None]
    number = np.maximum(there.sum(0), 1)
    mean = (values * there).sum(0, dtype=np.float64) / number
    mean = mean.astype(np.float32)
    square, tremble, pairs = np.zeros((count, width)), np.zeros((count, width)), np.zeros((count, 1))
    for f in range(frames):
        square += np.square(values[f] - mean) * there[f]
        if f:
            both = there[f] * there[f - 1]
            tremble += np.square(values[f] - values[f - 1]) * both
            pairs += both
    noise = tremble / (2 * np.maximum(pairs, 1)) * (frames >= FEWEST)
    moved = np.maximum(square / number - 1.2 * noise, 0).max(1)
    return np.sqrt(moved), np.sqrt(np.minimum(noise, square / number).mean(1))


def motion_of(track: Track, times: Float, limit: Tolerances, fits: Fits | None = None) -> Motion:
    """The motion of the splats of a track that are ever seen."""
    fits = fits or fit(track, limit)
    rows = np.flatnonzero(fits.alive.any(0))
    if len(rows) < fits.alive.shape[1]:
        track, limit, fits = track.take(rows), limit.take(rows), _taken(fits, rows)
    count, frames = len(rows), len(times)
    base = _constants(track, fits)
    kind = np.full(count, KEYFRAMES, np.uint8)
    moves = np.array(~fits.alive.all(0))
    for of, found in fits.factors.values():
        moves[of] |= found.follows
    kind[fits.good] = np.where(moves, FUNCTIONS, STILL)[fits.good]
    keys, keyed = None, np.flatnonzero(kind == KEYFRAMES)
    if len(keyed):
        part = track.take(keyed)
        keys = keys_of(part, keyed, limit.take(keyed), fits.noise[keyed], bool(fits.changing[keyed].any()))
        put_births(base, keys)
    functions = {}
    for name, (of, found) in fits.factors.items():
        follows = (kind[of] == FUNCTIONS) & found.follows
        if follows.any():
            functions[name] = of[follows], found.take(follows)
    return Motion(
        base=base,
        kind=kind,
        span=np.tile(np.array([0, frames], np.int32), (count, 1)),
        times=times,
        functions=functions,
        alive=fits.alive,
        keys=keys,
        track=track,
        left=fits.left,
        missed=fits.missed,
    )


def _constants(track: Track, fits: Fits) -> Splats:
    """The splats as functions add to them: means over the frames in which they are alive."""
    there = fits.alive.astype(np.float32)
    number = np.maximum(there.sum(0), 1)

    def mean(values: Frames) -> Frames:
        weight = there.reshape(*there.shape, *(1,) * (values.ndim - 2))
        total = np.zeros(values.shape[1:])
        for f in range(len(values)):
            total += values[f] * weight[f]
        return np.asarray(total / number.reshape(-1, *(1,) * (values.ndim - 2)), np.float32)

    base = Splats(
        positions=mean(track.positions),
        scales=mean(track.scales),
        rotations=fits.rotations.astype(np.float32),
        opacities=logit_of_octaves(mean(octaves_of(track.opacities).astype(np.float32))).astype(np.float32),
        sh_dc=mean(track.colours),
        sh_rest=mean(track.harmonics),
    )
    names = {"position": "positions", "scale": "scales", "colour": "sh_dc"}
    for name, (rows, found) in fits.factors.items():
        if name in names:
            getattr(base, names[name])[rows] = found.constant
        elif name == "opacity":
            base.opacities[rows] = logit_of_octaves(found.constant[:, 0])
        elif name == "harmonics":
            base.sh_rest[rows] = found.constant.reshape(len(rows), -1, 3)
    return base


def _taken(fits: Fits, rows: NDArray[np.intp]) -> Fits:
    place = np.full(fits.alive.shape[1], -1, np.intp)
    place[rows] = np.arange(len(rows))
    factors = {}
    for name, (of, found) in fits.factors.items():
        kept = place[of] >= 0
        factors[name] = place[of[kept]], found.take(kept)
    return replace(
        fits,
        factors=factors,
        alive=fits.alive[:, rows],
        rotations=fits.rotations[rows],
        good=fits.good[rows],
        noise=fits.noise[rows],
        changing=fits.changing[rows],
        left={name: values[rows] for name, values in fits.left.items()},
        missed={name: values[rows] for name, values in fits.missed.items()},
    )
