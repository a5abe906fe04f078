"""(12.6) Model 1: positions and rotations as polynomials in time, opacities under a bell in time.

| field              | type     | value |
|--------------------|----------|-------|
| degree             | u8       | 0 to 3, of translations |
| multipliers        | 2 x u8[2] | exponent id, cap: translation, rotation |
| reference          | u32      | Q20 of the segment, 0 to 2^20: the moment of the chunk as it is |
| translation_factor | u32 u8   | factor A and shift S: a rec is A 2^-S units of 2^exponent |
| rotation_factor    | u32 u8   | factor and shift: a rec is B 2^-S of Q20 |
| centre             | u32 i32  | step and offset in Q20 of the segment |
| width              | u32 i32  | step (Q26) and offset (Q20) of the logarithm of the width to base 2 |
| threshold          | u16      | Q16 weight under which a splat is not shown |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.motion.channels import MASK_CONTEXTS, Around, Channel, Coded, Rows, multipliers
from gscodec.motion.fixed import MAX_FACTOR, MAX_SHIFT
from gscodec.motion.shown import Shown
from gscodec.parameters import CodingParameters

ROTATES, TEMPORAL, PREDICTED = 1, 2, 4  # flags
FLAGS = 7
TRANSLATED, ROTATED, TIMED = 1, 2, 4  # bits of a mask
ONE = 1 << 20  # Q20
VIEWS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PolynomialFields:
    """(12.6) Flags and fields. `translation`, `rotation`: exponent and cap; their units: factor and shift."""

    flags: int
    degree: int
    translation: tuple[int, int]
    rotation: tuple[int, int]
    reference: int
    translation_unit: tuple[int, int]
    rotation_unit: tuple[int, int]
    centre_step: int
    centre_offset: int
    width_step: int
    width_offset: int
    threshold: int

    @property
    def allowed(self) -> int:
        """(12.5) The bits of masks that have a stream."""
        rotated = ROTATED if self.flags & ROTATES else 0
        timed = TIMED if self.flags & TEMPORAL else 0
        return (TRANSLATED if self.degree else 0) | rotated | timed

    def channels(self) -> Iterator[tuple[str, Channel]]:
        """(12.6) The streams of channels in order."""
        if self.flags & TEMPORAL:
            yield "time", Channel(bit=2, groups=(0, 1), multipliers=multipliers(0, 0))
        if self.degree:
            groups = tuple(k for k in range(self.degree) for _ in range(3))
            yield (
                "translation",
                Channel(bit=0, groups=groups, views=VIEWS, multipliers=multipliers(*self.translation)),
            )
        if self.flags & ROTATES:
            yield (
                "rotation",
                Channel(bit=1, groups=(0, 1, 1, 1), views=VIEWS, multipliers=multipliers(*self.rotation)),
            )

    def sizes(self, classes: int) -> dict[str, int]:
        """(12.6) The streams in order, and the contexts of each."""
        return {
            "masks": MASK_CONTEXTS,
            **{name: channel.contexts(classes) for name, channel in self.channels()},
        }

    def octaves(self, mask: NDArray[np.uint8], time: Rows | None) -> NDArray[np.int64]:
        """(12.6) (M,) o: how much faster than the segment the time of each splat runs, in octaves."""
        if time is None:
            return np.zeros(len(mask), np.int64)
        y = self.width_offset + (time[:, 1].astype(np.int64) * self.width_step + 2048 >> 12)
        found = np.clip(-(np.clip(y, -16 * ONE, 16 * ONE - 1) >> 20), 0, 8)
        return np.where(mask & TIMED, found, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolynomialIntegers:
    """(12.6) What the streams hold, of M distinct splats.

    mask         (M,) uint8      bits: translates, rotates, temporal
    time         (M, 2)          centre, width; None without the flag
    translation  (M, 3 degree)   component 3 (k - 1) + axis of order k
    rotation     (M, 4)          None without the flag
    """

    mask: NDArray[np.uint8]
    time: Rows | None
    translation: Rows
    rotation: Rows | None


def read_fields(f: FieldReader, flags: int) -> PolynomialFields:
    """(12.6) The fields. Raises `Malformed`."""
    degree = f.integer("u8", 0, 3)
    translation = f.integer("u8", 0, 3), f.integer("u8", 0, 7)
    rotation = f.integer("u8", 0, 3), f.integer("u8", 0, 7)
    reference = f.integer("u32", 0, ONE)
    translation_unit, rotation_unit = read_unit(f), read_unit(f)
    centre = f.integer("u32", 1, ONE), f.integer("i32")
    width = f.integer("u32", 1, 1 << 28), f.integer("i32")
    return PolynomialFields(
        flags=flags, degree=degree, translation=translation, rotation=rotation, reference=reference,
        translation_unit=translation_unit, rotation_unit=rotation_unit, centre_step=centre[0],
        centre_offset=centre[1], width_step=width[0], width_offset=width[1], threshold=f.integer("u16"),
    )  # fmt: skip


def write_fields(f: FieldWriter, p: PolynomialFields) -> None:
    """(12.6) The mirror of `read_fields`."""
    f.integers("u8", [p.degree, *p.translation, *p.rotation])
    f.integer("u32", p.reference)
    write_unit(f, p.translation_unit)
    write_unit(f, p.rotation_unit)
    f.integer("u32", p.centre_step)
    f.integer("i32", p.centre_offset)
    f.integer("u32", p.width_step)
    f.integer("i32", p.width_offset)
    f.integer("u16", p.threshold)


def read_unit(f: FieldReader) -> tuple[int, int]:
    """(12.6) A factor and a shift."""
    return f.integer("u32", 1, MAX_FACTOR), f.integer("u8", 0, MAX_SHIFT)


def write_unit(f: FieldWriter, unit: tuple[int, int]) -> None:
    """(12.6) The mirror of `read_unit`."""
    f.integer("u32", unit[0])
    f.integer("u8", unit[1])


def read_integers(p: PolynomialFields, coded: Coded, around: Around) -> PolynomialIntegers:
    """(12.6) All streams. Raises `Malformed`."""
    masks = coded.masks(around, None, 1, p.allowed, 1)
    time, view = None, np.zeros(len(around.classes), np.uint8)
    found: dict[str, Rows] = {}
    for name, channel in p.channels():
        is_viewed = channel.views > 1
        found[name] = coded.channels(name, around, channel, masks, 1, view if is_viewed else None)[0]
        if name == "time":
            time = found[name]
            view = views(p, masks[0], time)
    return PolynomialIntegers(
        mask=masks[0],
        time=time,
        translation=found.get("translation", np.zeros((len(view), 0), np.int32)),
        rotation=found.get("rotation"),
    )


def views(p: PolynomialFields, mask: NDArray[np.uint8], time: Rows | None) -> NDArray[np.uint8]:
    """(12.6) (M,) v, the side context of each splat."""
    return np.minimum(p.octaves(mask, time), VIEWS - 1).astype(np.uint8)


class PolynomialMotion:
    """(12.6) The values of a chunk at any moment of its segment."""

    def __init__(
        self,
        fields: ChunkFields,
        integers: ChunkIntegers,
        coding: CodingParameters,
        motion: tuple[PolynomialFields, PolynomialIntegers],
        duration: int,
    ) -> None:
        p, rec = motion
        self._duration, self._count = duration, fields.count
        time = None
        if rec.time is not None:
            time = (rec.time, p.centre_step, p.centre_offset, p.width_step, p.width_offset)
        self._kernel = kernels.make_polynomial(
            (integers.positions.x, integers.source, integers.rotation, integers.opacity),
            (np.array(fields.grid.origin, np.int64), coding.position_mantissa, fields.grid.exponent),
            (coding.opacity.step, coding.opacity.offset),
            rec.mask,
            (rec.translation, *p.translation_unit),
            None if rec.rotation is None else (rec.rotation, *p.rotation_unit),
            time,
            p.reference,
            p.threshold,
        )

    def at(self, tick: int) -> Shown:
        """(12.6) `tick` counts from the start of the segment, 0 to its duration."""
        moment = ((tick << 20) + (self._duration >> 1)) // self._duration
        rows, positions, rotations, opacities = self._kernel.at(moment)
        return Shown(
            rows=None if len(rows) == self._count else rows,
            positions=positions,
            rotations=rotations,
            opacities=opacities,
        )
