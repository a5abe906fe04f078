"""(12.11) Attributes that follow functions of time, on their way into a file.

Arrays are of the M distinct splats of a chunk in coded order, that of `ChunkIntegers`, and of all Q keys of
the functions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.attributes import colour, harmonics, opacity
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.encode.chunks import lanes_for
from gscodec.encode.dynamic.keyframe_recording import lives_of, recs_of, turns
from gscodec.encode.dynamic.recording import (
    NOT_CODED,
    RecordedMotion,
    finite,
    rotation_unit,
    translation_unit,
)
from gscodec.entropy.fields import FieldWriter
from gscodec.motion import functions, reading
from gscodec.motion.bases import TimeFunctions
from gscodec.motion.channels import (
    Around,
    Lives,
    Rows,
    distinct,
    record_channels,
    record_lifespans,
    record_masks,
)
from gscodec.motion.functions import FunctionsFields, FunctionsIntegers
from gscodec.motion.keyframes import NAMES, limit_of
from gscodec.motion.polynomial import ONE
from gscodec.parameters import CodingParameters

F64 = NDArray[np.float64]
Units = tuple[tuple[int, int], tuple[int, int]]  # of position and rotation: factor and shift
HALF = 1 << 19


@dataclass(frozen=True, kw_only=True)
class Functions:
    """(12.11) Wanted values. What the chunk says is the constant of each attribute.

    functions     as decoded, from `record_functions_bases`: B functions at Q keys
    coefficients  by attribute: the first function, and (M, count, W) of it and those after it, in the units
                  of `linear`; harmonics (M, count, K, 3), opacity (M, count)
    uses          by attribute: (M,) which splats follow; without it, all
    targets       by attribute with residuals: (Q, M, W) wanted values at all keys, in the units of
                  `Keyframes`: position relative to the chunk as decoded (`still`), rotation as it turns it
    fineness      by attribute with residuals: (M,) uint8, 0: none, 1 to 24: the step of residuals, 8 recs
                  times 2^((fineness - 1) / 2); 64 recs are the step of class 0
    alive         (Q, M) bool: at which keys a splat is shown: those from its first to its last one. None: all
    """

    functions: TimeFunctions
    coefficients: Mapping[str, tuple[int, F64]] = field(default_factory=dict)
    uses: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    targets: Mapping[str, F64] = field(default_factory=dict)
    fineness: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    alive: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionsSettings:
    """Steps and classes; those of attributes other than position and rotation are the chunk's.

    position      scene units, of coefficients of class 0; 64 recs
    rotation      radians
    left          steps: a splat whose coefficients are all as near to 0 as this does not follow
    rounding      a residual of size x steps becomes floor(x + rounding): 0.5 rounds to the nearest, less has
                  a dead zone
    exponents, caps   of class multipliers (4.3): position, rotation
    """

    position: float = 1e-3
    rotation: float = 1e-2
    left: float = NOT_CODED
    rounding: float = 0.5
    predicted: bool = True
    exponents: tuple[int, int] = (0, 0)
    caps: tuple[int, int] = (7, 7)


def record_functions(
    fields: ChunkFields,
    integers: ChunkIntegers,
    coding: CodingParameters,
    motion: Functions,
    settings: FunctionsSettings,
    span: tuple[int, int],
) -> RecordedMotion[FunctionsIntegers]:
    """(12.11) The motion of a chunk that is shown from `span[0]` until `span[1]`, ticks of its segment.

    Residuals are of what decoded constants and coefficients leave, so that they make up for their errors.
    Attributes that no splat follows in the end, or that have no residuals, are left out. Raises ValueError.
    """
    units = translation_unit(settings.position, fields), rotation_unit(settings.rotation)
    wishes = {name: motion.coefficients[name] for name in NAMES if name in motion.coefficients}
    p = FunctionsFields(
        flags=functions.PREDICTED * settings.predicted,
        bases=motion.functions.fields.id,
        follows={name: (first, values.shape[1]) for name, (first, values) in wishes.items()},
        residual=sum(1 << NAMES.index(name) for name in motion.targets),
        position=(settings.exponents[0], settings.caps[0]),
        rotation=(settings.exponents[1], settings.caps[1]),
        position_unit=units[0],
        rotation_unit=units[1],
    )
    _check(p, motion, coding)
    lives = lives_of(motion.alive)
    around = Around.of(fields, integers, coding, predicted=settings.predicted)
    lanes = lanes_for(integers.classes)
    ops: dict[str, kernels.Ops] = {}
    if lives is not None:
        ops["lifespans"] = record_lifespans(lives, motion.functions.fields.keys - 1, lanes)
    masks = np.zeros((1, len(integers.classes)), np.uint8)
    for name in p.follows:
        masks[0] |= np.where(motion.uses.get(name, True), 1 << NAMES.index(name), 0).astype(np.uint8)
    followed: dict[str, kernels.Ops] = {}
    coefficients: dict[str, Rows] = {}
    for name, channel in p.channels(coding):
        wanted = changes_of(name, units, fields, coding, wishes[name][1])
        found, masks, recs = record_channels(
            around, channel, masks, finite(wanted)[None], lanes, left=settings.left
        )
        if (masks >> channel.bit & 1).any():
            followed[name], coefficients[name] = found, recs[0]
    follows = {name: p.follows[name] for name in followed}
    if follows:
        allowed = sum(1 << NAMES.index(name) for name in follows)
        ops["masks"] = record_masks(around, None, masks, allowed, lanes)
    ops |= followed
    fineness: dict[str, NDArray[np.uint8]] = {}
    residuals: dict[str, Rows] = {}
    for name in p.residuals:
        aims = recs_of(name, units, fields, coding, motion.targets[name])
        smooth = _smooth(name, p, motion.functions, integers, coefficients.get(name))
        limit = limit_of(name)
        ideal = np.clip(finite(aims), -limit, limit) - smooth
        fine = _worth(ideal, np.asarray(motion.fineness[name], np.uint8), lives, settings.rounding)
        if not fine.any():
            continue
        fineness[name] = fine
        ops[f"{name} fineness"] = kernels.write_fineness(functions.side(around), fine, lanes)
        ops[f"{name} residuals"], residuals[name] = kernels.write_residuals(
            functions.multiplier_of(fine),
            lives,
            functions.groups_of(name, coding),
            limit,
            np.ascontiguousarray(ideal),
            settings.rounding,
            lanes,
        )
    p = FunctionsFields(
        flags=p.flags | functions.LIFESPANS * (lives is not None),
        bases=p.bases,
        follows=follows,
        residual=sum(1 << NAMES.index(name) for name in residuals),
        position=p.position,
        rotation=p.rotation,
        position_unit=units[0],
        rotation_unit=units[1],
    )
    f = FieldWriter()
    reading.write_head(f, reading.FUNCTIONS, p.flags, span)
    functions.write_fields(f, p)
    decoded = FunctionsIntegers(
        lives=lives, mask=masks[0], coefficients=coefficients, fineness=fineness, residuals=residuals
    )
    return RecordedMotion(fields=bytes(f.data), ops=ops, contexts=p.sizes(coding), decoded=decoded)


def _check(p: FunctionsFields, motion: Functions, coding: CodingParameters) -> None:
    known = motion.functions.fields
    for name, (first, count) in p.follows.items():
        if not 1 <= count <= functions.MAX_FOLLOWED or first < 0 or first + count > known.count:
            raise ValueError(f"functions: {name} follows {count} from {first} on, of {known.count}")
    for name in p.residuals:
        if name not in motion.fineness:
            raise ValueError(f"functions: no fineness of {name}")
    keys = {len(each) for each in motion.targets.values()}
    if motion.alive is not None:
        keys.add(len(motion.alive))
    if keys - {known.keys}:
        raise ValueError(f"functions: numbers of keys {sorted(keys)} are not {known.keys}")
    if coding.harmonics is None and ("harmonics" in p.follows or "harmonics" in p.residuals):
        raise ValueError("functions: the chunk has no harmonics")


def _smooth(
    name: str, p: FunctionsFields, known: TimeFunctions, integers: ChunkIntegers, coefficients: Rows | None
) -> F64:
    """(Q, M, W) or, without functions, (M, W) or 0: recs as a reader has them without residuals."""
    start = functions.start_of(name, integers)
    smooth = np.zeros(1) if start is None else start.astype(np.float64)
    if coefficients is None:
        return smooth
    first, count = p.follows[name]
    values = known.values[:, first : first + count].astype(np.float64)
    rows = coefficients.astype(np.float64).reshape(len(coefficients), count, -1)
    # sums of integers under 2^53 are exact in any order
    sums = (values @ rows.transpose(1, 0, 2).reshape(count, -1)).reshape(len(values), len(rows), -1)
    return np.asarray(smooth + np.floor((sums + HALF) / ONE))


def _worth(
    ideal: F64, fineness: NDArray[np.uint8], lives: Lives | None, rounding: float
) -> NDArray[np.uint8]:
    """(M,) the fineness of splats that have any residual, else 0. `ideal` (Q, M, W)."""
    least = np.maximum(functions.multiplier_of(fineness), 1) * (1 - rounding)
    is_coded = (np.abs(ideal) >= least[:, None]).any(2)
    if lives is not None:
        at = np.arange(len(ideal))[:, None]
        is_coded &= (at >= lives[:, 0]) & (at < lives[:, 1])
    return np.where(is_coded.any(0), fineness, 0).astype(np.uint8)


# ---- units


def changes_of(name: str, units: Units, fields: ChunkFields, coding: CodingParameters, values: F64) -> F64:
    """(M, count W) recs of coefficients (M, count, ...), which are differences in the units of `linear`."""
    shape = values.shape[:2]
    rows = finite(values).reshape(shape[0] * shape[1], *values.shape[2:])
    if name == "position":
        factor, shift = units[0]
        found = rows / math.ldexp(factor, fields.grid.exponent - shift)
    elif name == "rotation":
        factor, shift = units[1]
        found = rows * (ONE / math.ldexp(factor, -shift))
    elif name == "scale":
        found = rows * (2.0**32 / coding.scale.step)
    elif name == "opacity":
        found = rows * (2.0**32 / coding.opacity.step)
    elif name == "colour":
        found = colour.channels(rows) / (
            np.array(coding.colour.mantissas) * 2.0 ** (coding.colour.exponent - 6)
        )
    else:
        if coding.harmonics is None:
            raise ValueError("functions: the chunk has no harmonics")
        small = np.clip(rows, -1e30, 1e30).astype(np.float32)
        found = harmonics.lattice(small, coding.harmonics).astype(np.float64)
    return np.ascontiguousarray(found.reshape(shape[0], -1))


def linear(name: str, values: F64, coding: CodingParameters) -> F64:
    """Values (...) of an attribute, as `Keyframes` has them, in units in which recs are linear.

    Coefficients are differences of these: position as it is; rotation (..., 4) to u (..., 3) with 1 + u;
    scale to ln sqrt(s^2 + tau) where the chunk has dilated scales; opacity from logits to log2(alpha + 1/16);
    colour and harmonics as they are.
    """
    if name == "rotation":
        return turns(values)
    if name == "opacity":
        return opacity.octaves(np.asarray(values, np.float32))
    if name == "scale" and coding.scale.dilated:
        return np.asarray(0.5 * np.logaddexp(2 * values, 2 * coding.scale.ln_tau / 2**20))
    return values


def still(fields: ChunkFields, integers: ChunkIntegers, coding: CodingParameters) -> tuple[F64, F64]:
    """(6.2, 6.4) Positions (M, 3), scene units, and rotations (M, 4), w first, of a chunk as decoded."""
    x = distinct(integers.positions.x, integers).astype(np.float64)
    unit = math.ldexp(coding.position_mantissa, fields.grid.exponent)
    return (2.0 * np.array(fields.grid.origin, np.float64) + x) * unit, integers.rotation / 2.0**24
