"""(12.7) Shared bases, rigid or of time, and what splats follow of them, on their way into a file."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.encode.chunks import lanes_for
from gscodec.encode.dynamic.recording import RecordedMotion, finite
from gscodec.entropy.fields import FieldWriter
from gscodec.motion import bases, reading
from gscodec.motion.bases import MAX_TRANSLATION, Bases, BasesFields, MixtureIntegers, TimeFunctions
from gscodec.motion.channels import Around, record_masks
from gscodec.motion.polynomial import ONE
from gscodec.parameters import CodingParameters

F64 = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """(12.7) Wanted rigid motions.

    interval      ticks from key to key, from the start of the segment on
    rotations     (T, B, 6)  the first two columns of rotation matrices, one after the other
    translations  (T, B, 3)  scene units: a splat at x comes to R x + t
    """

    interval: int
    rotations: F64
    translations: F64


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoriesSettings:
    """Steps: of rotations, 2^-20 to 1/16; of translations in scene units, the next lower power of two."""

    rotation: float = 2.0**-14
    translation: float = 1e-4
    extrapolates: tuple[bool, bool] = (True, True)


def record_bases(id: int, motion: Trajectories, settings: TrajectoriesSettings) -> RecordedMotion[Bases]:
    """(12.7) The payload of MBAS; ids are 0 to 255, each once in a segment."""
    step = min(max(round(settings.rotation * ONE), 1), 65535)
    largest = float(np.abs(finite(motion.translations)).max(initial=0))
    least = largest / MAX_TRANSLATION if largest > 0 else 0.0
    exponent = math.frexp(max(settings.translation, 1e-60))[1] - 1
    if least > 0:
        exponent = max(exponent, math.frexp(least)[1])
    rotates, translates = settings.extrapolates
    fields = BasesFields(
        id=id,
        flags=bases.ROTATION_EXTRAPOLATED * rotates | bases.TRANSLATION_EXTRAPOLATED * translates,
        count=motion.rotations.shape[1],
        keys=len(motion.rotations),
        interval=motion.interval,
        exponent=min(max(exponent, -200), 120),
        step=step,
    )
    bounds = fields.bounds
    wanted = (
        _rounded(motion.rotations * (ONE / step), bounds[0]),
        _rounded(motion.translations * 2.0**-fields.exponent, bounds[1]),
    )
    ops = {
        name: kernels.write_trajectories(rec, bound, extrapolates, lanes_for(rec.ravel()))
        for name, rec, bound, extrapolates in zip(
            bases.SIZES, wanted, bounds, settings.extrapolates, strict=True
        )
    }
    f = FieldWriter()
    bases.write_bases_fields(f, fields)
    decoded = Bases(fields=fields, rotations=wanted[0] * np.int32(step), translations=wanted[1])
    return RecordedMotion(fields=bytes(f.data), ops=ops, contexts=bases.SIZES, decoded=decoded)


def record_functions_bases(
    id: int, values: F64, interval: int, step: float, *, extrapolated: bool | None = None
) -> RecordedMotion[TimeFunctions]:
    """(12.7) The payload of an MBAS of functions of time: `values` (Q, B) at keys, each within -4 to 4.

    `interval`: ticks from key to key, from the start of the segment on. `step` of values: 2^-20 to 1/16.
    `extrapolated` says whether changes are expected to go on; None: what takes fewer bytes.
    Raises ValueError if a value is out of range.
    """
    if extrapolated is None:
        both = [record_functions_bases(id, values, interval, step, extrapolated=e) for e in (False, True)]
        return min(both, key=lambda each: len(each.payload()))
    if np.abs(finite(values)).max(initial=0) > bases.MAX_ROTATION / ONE:
        raise ValueError("functions: values are within -4 to 4")
    fields = BasesFields(
        id=id,
        flags=bases.HAS_FUNCTIONS | bases.FUNCTIONS_EXTRAPOLATED * extrapolated,
        count=values.shape[1],
        keys=len(values),
        interval=interval,
        exponent=0,
        step=min(max(round(step * ONE), 1), 65535),
    )
    bound, _ = fields.bounds
    rec = _rounded(values * (ONE / fields.step), bound)
    ops = kernels.write_trajectories(rec[:, :, None], bound, extrapolated, lanes_for(rec.ravel()))
    f = FieldWriter()
    bases.write_bases_fields(f, fields)
    return RecordedMotion(
        fields=bytes(f.data),
        ops={"functions": ops},
        contexts=bases.FUNCTION_SIZES,
        decoded=TimeFunctions(fields=fields, values=rec * np.int32(fields.step)),
    )


def record_mixture(
    fields: ChunkFields,
    integers: ChunkIntegers,
    coding: CodingParameters,
    motion: tuple[Bases, NDArray[np.uint8], F64],
    levels: int,
    span: tuple[int, int],
    *,
    predicted: bool = True,
) -> RecordedMotion[MixtureIntegers]:
    """(12.7) What a chunk that is shown from `span[0]` until `span[1]` follows.

    `motion` are the bases as decoded; (M,) the masks, bit 0: moves; (M, B) weights, which need not sum to 1.
    `levels` say how finely they are told apart, 1 to 4095.
    """
    chosen, mask, weights = motion
    mask = (mask & 1).astype(np.uint8)
    shares = shares_of(weights, levels)
    shares[mask == 0] = 0
    around = Around.of(fields, integers, coding, predicted=predicted)
    lanes = lanes_for(integers.classes)
    ops = {
        "masks": record_masks(around, None, mask[None], 1, lanes),
        "shares": kernels.write_shares(bases.side(around), mask, shares, levels, lanes),
    }
    f = FieldWriter()
    reading.write_head(f, reading.BASES, bases.PREDICTED * predicted, span)
    bases.write_fields(f, chosen.fields.id, levels)
    decoded = MixtureIntegers(bases=chosen.fields.id, levels=levels, mask=mask, shares=shares)
    return RecordedMotion(
        fields=bytes(f.data), ops=ops, contexts=bases.sizes(coding.classes), decoded=decoded
    )


def shares_of(weights: F64, levels: int) -> NDArray[np.uint16]:
    """(M, B) shares that sum to `levels`, nearest to weights (M, B) of 0 or more; all 0 counts as alike."""
    positive = np.clip(finite(weights), 0, 1e30)
    total = positive.sum(1, keepdims=True)
    ideal = np.where(total > 0, positive / np.maximum(total, 1e-300), 1 / weights.shape[1]) * levels
    found = np.floor(ideal).astype(np.int64)
    missing = levels - found.sum(1)
    order = np.argsort(found - ideal, axis=1, kind="stable")  # the largest remainders first
    ranks = np.argsort(order, axis=1, kind="stable")
    found += ranks < missing[:, None]
    return np.asarray(found, np.uint16)


def _rounded(values: F64, bound: int) -> NDArray[np.int32]:
    return np.ascontiguousarray(np.clip(np.rint(finite(values)), -bound, bound).astype(np.int32))
