"""(12.5, 12.6) Motion on its way into a file: wanted values to integers, as a reader will have them.

Arrays are of the M distinct splats of a chunk in coded order, that of `ChunkIntegers`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.encode.chunks import lanes_for
from gscodec.encode.clustering import choose_tables
from gscodec.entropy.fields import FieldWriter
from gscodec.motion import polynomial, reading
from gscodec.motion.channels import Around, record_channels, record_masks, write_coder
from gscodec.motion.fixed import factor_of
from gscodec.motion.polynomial import ONE, PolynomialFields, PolynomialIntegers
from gscodec.parameters import REC_MAX, CodingParameters

F64 = NDArray[np.float64]
Integers = TypeVar("Integers")
CUBE = 3 / 20  # the line that is nearest to a cube between -1/2 and 1/2
NOT_CODED = 0.5  # steps: a splat whose values are all under it is as near without being coded
SPARE = 0.98  # of the range of recs that offsets and steps are chosen for


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """(12.6) Wanted motion. tau: time from a splat's centre, or the reference, in durations of the segment.

    degree       0 to 3
    mask         (M,) uint8         bits: 1 translates, 2 rotates, 4 temporal
    translation  (M, degree, 3)     scene units by power of tau, from 1 on
    rotation     (M, 4)             u of q(tau) = (1 + tau u) q, the product of quaternions, w first; or None
    centre       (M,)               of temporal splats, in durations from the start of the segment; or None
    log_width    (M,)               ln w, in durations: opacity times exp(-(tau / w)^2); or None
    reference    0 to 1             durations: where tau of the other splats is 0
    """

    degree: int
    mask: NDArray[np.uint8]
    translation: F64
    rotation: F64 | None = None
    centre: F64 | None = None
    log_width: F64 | None = None
    reference: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolynomialSettings:
    """Steps and classes. Translations and rotations have their steps a duration from the reference; those of
    temporal splats as many octaves nearer to their centre, up to 8, as their widths are shorter than one.

    Recs hold 4,095 steps of class 0 either way, where translations and rotations end; centres and widths get
    larger steps if they need them.

    translation  scene units, of each power
    rotation     radians, twice those of u
    centre       durations
    width        of the natural logarithm of widths
    threshold    weight, 0 to 1, under which splats are not shown
    predicted    whether values are predicted from neighbours
    exponents, caps   of class multipliers (4.3): translation, rotation
    coarse       for each order of translations, of what its residuals are multiples: higher ones matter less,
                 as frames are within half a duration of the reference
    """

    translation: float
    rotation: float
    centre: float
    width: float
    threshold: float = 1 / 512
    predicted: bool = True
    exponents: tuple[int, int] = (0, 0)
    caps: tuple[int, int] = (7, 7)
    coarse: tuple[int, int, int] = (1, 1, 1)


@dataclass(frozen=True, kw_only=True)
class RecordedMotion(Generic[Integers]):
    """A MOTN payload before its tables are known, and its integers as a reader will have them.

    fields  the bytes before the coder part; contexts: of each stream, in order; ops: their steps
    """

    fields: bytes
    ops: Mapping[str, kernels.Ops]
    contexts: Mapping[str, int]
    decoded: Integers

    def payload(self, *, most_tables: int = 64) -> bytes:
        """(12.5) The payload, with tables of its own."""
        counts = {name: ops.histogram(self.contexts[name]) for name, ops in self.ops.items()}
        tables, maps = choose_tables(counts, most=most_tables)
        return self.fields + write_coder(tables, maps, self.ops)


def still_payload(span: tuple[int, int]) -> bytes:
    """(12.5) The payload of a chunk that is shown for a time only: `span` in ticks of the segment."""
    f = FieldWriter()
    reading.write_head(f, reading.NONE, 0, span)
    return bytes(f.data)


def step_and_offset(wanted: F64, step: float, most: int) -> tuple[int, int]:
    """A step, 1 to `most`, of 64 recs, and an offset with which recs hold the range of `wanted`."""
    low, high = (float(wanted.min()), float(wanted.max())) if len(wanted) else (0.0, 0.0)
    offset = min(max(round((low + high) / 2), -(1 << 31)), (1 << 31) - 1)
    needed = (high - low) / 2 / (REC_MAX * SPARE / 64)
    return min(max(round(step), math.ceil(needed), 1), most), offset


def record_polynomial(
    fields: ChunkFields,
    integers: ChunkIntegers,
    coding: CodingParameters,
    motion: Polynomial,
    settings: PolynomialSettings,
    span: tuple[int, int],
) -> RecordedMotion[PolynomialIntegers]:
    """(12.6) Motion of a chunk that is shown from `span[0]` until `span[1]`, ticks of its segment.

    Splats that would not move by half a step keep still, and lose their bits.
    """
    mask = (motion.mask & (7 if motion.degree else 6)).astype(np.uint8)
    rotates = motion.rotation is not None and bool((mask & polynomial.ROTATED).any())
    is_temporal = motion.centre is not None and bool((mask & polynomial.TIMED).any())
    mask = (mask & (1 | 2 * rotates | 4 * is_temporal)).astype(np.uint8)
    p = _fields(fields, motion, settings, mask, (rotates, is_temporal))
    around = Around.of(fields, integers, coding, predicted=settings.predicted)
    lanes = lanes_for(integers.classes)
    ops: dict[str, kernels.Ops] = {}
    found: dict[str, NDArray[np.int32]] = {}
    octaves, view = np.zeros(len(mask), np.int64), np.zeros(len(mask), np.uint8)
    for name, channel in p.channels():
        wanted = finite(_wanted(name, p, fields, motion, octaves))
        side = view if channel.views > 1 else None
        left, coarse = -1.0 if name == "time" else NOT_CODED, None
        if name == "translation" and p.degree > 1 and settings.coarse != (1, 1, 1):
            coarse = _coarse(settings.coarse[: p.degree], mask)
        ops[name], kept, rec = record_channels(
            around, channel, mask[None], wanted[None], lanes, left=left, view=side, coarse=coarse
        )
        if coarse is not None:  # what the highest order lost, the first one makes up for
            wanted = _made_up(wanted, rec[0], coarse)
            ops[name], kept, rec = record_channels(
                around, channel, kept, wanted[None], lanes, left=-1.0, view=side
            )
        mask, found[name] = kept[0], rec[0]
        if name == "time":
            octaves = p.octaves(mask, rec[0])
            view = polynomial.views(p, mask, rec[0])
    ops = {"masks": record_masks(around, None, mask[None], p.allowed, lanes), **ops}
    f = FieldWriter()
    reading.write_head(f, reading.POLYNOMIAL, p.flags, span)
    polynomial.write_fields(f, p)
    decoded = PolynomialIntegers(
        mask=mask,
        time=found.get("time"),
        translation=found.get("translation", np.zeros((len(mask), 0), np.int32)),
        rotation=found.get("rotation"),
    )
    return RecordedMotion(fields=bytes(f.data), ops=ops, contexts=p.sizes(coding.classes), decoded=decoded)


def _coarse(units: tuple[int, ...], mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(M, 3 degree) units of residuals; those that fade are at any time from their centre, and keep 1."""
    rows = np.tile(np.repeat(np.array(units, np.int32), 3), (len(mask), 1))
    rows[mask & polynomial.TIMED > 0] = 1
    return rows


def _made_up(wanted: F64, rec: NDArray[np.int32], coarse: NDArray[np.int32]) -> F64:
    """(M, W) the recs of orders above the first; and of the first, what is nearest to the curve then."""
    out = rec.astype(np.float64)
    out[:, :3] = wanted[:, :3]
    if rec.shape[1] == 9:
        out[:, :3] += np.where(coarse[:, 6:] > 1, CUBE * (wanted[:, 6:] - rec[:, 6:]), 0.0)
    return out


def translation_unit(step: float, fields: ChunkFields) -> tuple[int, int]:
    """(12.6) Factor and shift with which 64 recs are a `step` in scene units."""
    return factor_of(math.ldexp(max(step, 1e-300), -fields.grid.exponent) / 64)


def rotation_unit(step: float) -> tuple[int, int]:
    """(12.6) Factor and shift with which 64 recs are a `step` in radians, twice the change of u."""
    return factor_of(max(step, 1e-9) / 2 * ONE / 64)


def _fields(
    fields: ChunkFields,
    motion: Polynomial,
    settings: PolynomialSettings,
    mask: NDArray[np.uint8],
    uses: tuple[bool, bool],
) -> PolynomialFields:
    rotates, is_temporal = uses
    flags = polynomial.ROTATES * rotates | polynomial.TEMPORAL * is_temporal
    centre, width = (1, 0), (1, 0)
    if is_temporal and motion.centre is not None and motion.log_width is not None:
        timed = mask & polynomial.TIMED > 0
        centre = step_and_offset(_centres(motion)[timed], settings.centre * ONE, ONE)
        # a step of Q26 is 64 recs of Q20 in 2^-12
        step, offset = step_and_offset(
            _log2_widths(motion)[timed], settings.width / math.log(2) * ONE, 1 << 22
        )
        width = step * 64, offset
    return PolynomialFields(
        flags=flags | polynomial.PREDICTED * settings.predicted,
        degree=motion.degree,
        translation=(settings.exponents[0], settings.caps[0]),
        rotation=(settings.exponents[1], settings.caps[1]),
        reference=min(max(round(motion.reference * ONE), 0), ONE),
        translation_unit=translation_unit(settings.translation, fields),
        rotation_unit=rotation_unit(settings.rotation),
        centre_step=centre[0],
        centre_offset=centre[1],
        width_step=width[0],
        width_offset=width[1],
        threshold=min(max(round(settings.threshold * 65536), 0), 65535),
    )


def _centres(motion: Polynomial) -> F64:
    """(M,) Q20; beyond 8 durations nothing changes any more."""
    assert motion.centre is not None
    return np.clip(finite(motion.centre) * ONE, -10 * ONE, 10 * ONE)


def _log2_widths(motion: Polynomial) -> F64:
    """(M,) Q20, in the bounds of 12.6."""
    assert motion.log_width is not None
    return np.clip(finite(motion.log_width) / math.log(2) * ONE, -16 * ONE, 16 * ONE - 1)


def _wanted(
    name: str, p: PolynomialFields, fields: ChunkFields, motion: Polynomial, octaves: NDArray[np.int64]
) -> F64:
    """(M, W) in rec units."""
    slower = np.ldexp(1.0, -octaves)
    if name == "time":
        centre = (_centres(motion) - p.centre_offset) * (64 / p.centre_step)
        width = (_log2_widths(motion) - p.width_offset) * (4096 / p.width_step)
        return np.stack([centre, width], 1)
    if name == "translation":
        unit = math.ldexp(p.translation_unit[0], fields.grid.exponent - p.translation_unit[1])
        powers = slower[:, None, None] ** np.arange(1, p.degree + 1)[:, None]
        return (motion.translation * powers / unit).reshape(len(slower), -1)
    assert motion.rotation is not None
    return motion.rotation * slower[:, None] * (ONE / math.ldexp(p.rotation_unit[0], -p.rotation_unit[1]))


def finite(values: NDArray[np.floating]) -> F64:
    """The values, with those that are not finite at their nearest."""
    return np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=1e30, neginf=-1e30)
