"""(12.7) Model 2: every splat follows a mixture of a few rigid motions, which MBAS holds.

MBAS: a set of bases.

| field         | type | value |
|---------------|------|-------|
| id            | u8   | given once in a segment |
| flags         | u8   | bit 0: rotation extrapolated, 1: translation extrapolated |
| bases         | u8   | B, 1 to 64 |
| keys          | u16  | T, 1 to 4096 |
| interval      | u32  | ticks from key to key, from the start of the segment on |
| exponent      | i16  | of translations, -200 to 120 |
| rotation_step | u16  | Q20 of a rec of rotation, 1 or more |

MOTN, model 2: u8 bases (an id), u16 levels (L, 1 to 4095: what the shares of a splat sum to).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.errors import Malformed, Unsupported
from gscodec.motion.channels import CLAUSE, MASK_CONTEXTS, Around, Channel, Coded, multipliers, read_coder
from gscodec.motion.shown import Shown
from gscodec.parameters import CodingParameters

PREDICTED = 1  # flags of MOTN
FLAGS = 1
ROTATION_EXTRAPOLATED, TRANSLATION_EXTRAPOLATED = 1, 2  # flags of MBAS
MAX_BASES, MAX_KEYS, MAX_LEVELS = 64, 4096, 4095
MAX_ROTATION, MAX_TRANSLATION = 1 << 22, 1 << 28
KEY_CONTEXTS = 48
SIZES = {"rotation": KEY_CONTEXTS, "translation": KEY_CONTEXTS}  # of the streams of MBAS
SECTION, BASES_CLAUSE = "MBAS", "12.7"


@dataclass(frozen=True, slots=True, kw_only=True)
class BasesFields:
    """(12.7) The fields of MBAS."""

    id: int
    flags: int
    count: int
    keys: int
    interval: int
    exponent: int
    rotation_step: int

    @property
    def bounds(self) -> tuple[int, int]:
        """(12.7) The greatest recs of rotation and translation."""
        return MAX_ROTATION // self.rotation_step, MAX_TRANSLATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """(12.7) A set of rigid motions.

    rotations     (T, B, 6) int32  Q20: two columns of a matrix, made orthonormal after mixing
    translations  (T, B, 3) int32  in 2^exponent
    """

    fields: BasesFields
    rotations: NDArray[np.int32]
    translations: NDArray[np.int32]

    def at(self, tick: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(12.7) (B, 6) and (B, 3) at a tick of the segment, between two keys or after the last."""
        f = self.fields
        j = min(tick // f.interval, f.keys - 1)
        part = 0
        if j < f.keys - 1:
            part = ((tick - j * f.interval << 16) + (f.interval >> 1)) // f.interval

        def between(values: NDArray[np.int32]) -> NDArray[np.int64]:
            now: NDArray[np.int64] = values[j].astype(np.int64)
            if part == 0:
                return now
            return np.asarray(now * (65536 - part) + values[j + 1].astype(np.int64) * part + 32768 >> 16)

        return between(self.rotations), between(self.translations)


def read_bases(payload: memoryview, offset: int, known: Mapping[int, Bases]) -> Bases:
    """(12.7) The MBAS whose payload stands at `offset`; `known` are those before it in the segment, by id.

    Raises `StreamError`.
    """
    f = FieldReader(payload, section=SECTION, offset=offset, name="motion", clause=CLAUSE)
    if (id := f.integer("u8")) in known:
        raise _malformed(f"bases {id} are given twice", SECTION, offset)
    place, flags = f.place, f.integer("u8")
    if flags & ~(ROTATION_EXTRAPOLATED | TRANSLATION_EXTRAPOLATED):
        raise Unsupported("motion.flags", f"flags {flags:#x}", clause=CLAUSE, section=SECTION, offset=place)
    count, keys = f.integer("u8", 1, MAX_BASES), f.integer("u16", 1, MAX_KEYS)
    interval, exponent = f.integer("u32", 1), f.integer("i16", -200, 120)
    fields = BasesFields(
        id=id, flags=flags, count=count, keys=keys, interval=interval, exponent=exponent,
        rotation_step=f.integer("u16", 1),
    )  # fmt: skip
    coded = read_coder(f, SIZES, SECTION)
    found: list[NDArray[np.int32]] = []
    for (name, stream), width, bound in zip(coded.streams.items(), (6, 3), fields.bounds, strict=True):
        extrapolates = bool(flags >> len(found) & 1)
        status, rec = kernels.read_trajectories(coded.source(name), keys, count, width, bound, extrapolates)
        stream.check(status)
        found.append(rec)
    return Bases(fields=fields, rotations=found[0] * np.int32(fields.rotation_step), translations=found[1])


def write_bases_fields(f: FieldWriter, p: BasesFields) -> None:
    """(12.7) The fields of MBAS; its coder part follows."""
    f.integers("u8", [p.id, p.flags, p.count])
    f.integer("u16", p.keys)
    f.integer("u32", p.interval)
    f.integer("i16", p.exponent)
    f.integer("u16", p.rotation_step)


def _malformed(message: str, section: str, place: int) -> Malformed:
    return Malformed("motion.bases", message, clause=BASES_CLAUSE, section=section, offset=place)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureIntegers:
    """(12.7) What a chunk follows, M distinct splats.

    mask    (M,) uint8      bit 0: moves
    shares  (M, B) uint16   those of a splat that moves sum to `levels`, the others are 0
    """

    bases: int
    levels: int
    mask: NDArray[np.uint8]
    shares: NDArray[np.uint16]


def read_fields(f: FieldReader, known: Mapping[int, Bases], section: str) -> tuple[Bases, int]:
    """(12.7) The bases and the levels. Raises `Malformed`."""
    place = f.place
    if (id := f.integer("u8")) not in known:
        raise _malformed(f"no bases {id}", section, place)
    return known[id], f.integer("u16", 1, MAX_LEVELS)


def skip_fields(f: FieldReader) -> None:
    """(12.7) Go beyond the fields, whatever the bases are."""
    f.integer("u8")
    f.integer("u16", 1, MAX_LEVELS)


def write_fields(f: FieldWriter, bases: int, levels: int) -> None:
    """(12.7) The mirror of `read_fields`."""
    f.integer("u8", bases)
    f.integer("u16", levels)


def sizes(classes: int) -> dict[str, int]:
    """(12.7) The streams in order, and the contexts of each."""
    return {"masks": MASK_CONTEXTS, "shares": 54 * classes}


def side(around: Around) -> kernels.Side:
    """What the kernel of shares knows of each splat."""
    return around.side(Channel(bit=0, groups=(0,), multipliers=multipliers(0, 0)))


def read_integers(bases: Bases, levels: int, coded: Coded, around: Around) -> MixtureIntegers:
    """(12.7) Both streams. Raises `Malformed`."""
    mask = coded.masks(around, None, 1, 1, 1)[0]
    status, shares = kernels.read_shares(
        coded.source("shares"), side(around), mask, bases.fields.count, levels
    )
    coded.streams["shares"].check(status)
    return MixtureIntegers(bases=bases.fields.id, levels=levels, mask=mask, shares=shares)


class MixtureMotion:
    """(12.7) The values of a chunk at any moment."""

    def __init__(
        self,
        fields: ChunkFields,
        integers: ChunkIntegers,
        coding: CodingParameters,
        motion: tuple[Bases, MixtureIntegers],
    ) -> None:
        self._bases, rec = motion
        self._kernel = kernels.make_mixture(
            (integers.positions.x, integers.source, integers.rotation),
            (np.array(fields.grid.origin, np.int64), coding.position_mantissa, fields.grid.exponent),
            rec.mask,
            rec.shares,
            rec.levels,
            self._bases.fields.exponent,
        )

    def at(self, tick: int) -> Shown:
        """(12.7) `tick` counts from the start of the segment."""
        positions, rotations = self._kernel.at(*self._bases.at(tick))
        return Shown(positions=positions, rotations=rotations)
