"""(12.7) Model 2: every splat follows a mixture of a few rigid motions, which MBAS holds.

MBAS: a set of bases, rigid motions or functions of time (12.11).

| field         | type | value |
|---------------|------|-------|
| id            | u8   | given once in a segment |
| flags         | u8   | bit 0: rotation extrapolated, 1: translation (functions) extrapolated, 2: functions |
| bases         | u8   | B, 1 to 64 |
| keys          | u16  | T, 1 to 4096 |
| interval      | u32  | ticks from key to key, from the start of the segment on |
| exponent      | i16  | of translations, -200 to 120; 0 for functions |
| step          | u16  | Q20 of a rec of rotation or of a function, 1 or more |

MOTN, model 2: u8 bases (an id), u16 levels (L, 1 to 4095: what the shares of a splat sum to).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

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
ROTATION_EXTRAPOLATED, TRANSLATION_EXTRAPOLATED, HAS_FUNCTIONS = 1, 2, 4  # flags of MBAS
FUNCTIONS_EXTRAPOLATED = TRANSLATION_EXTRAPOLATED
MAX_BASES, MAX_KEYS, MAX_LEVELS = 64, 4096, 4095
MAX_ROTATION, MAX_TRANSLATION = 1 << 22, 1 << 28
KEY_CONTEXTS = 48
SIZES = {"rotation": KEY_CONTEXTS, "translation": KEY_CONTEXTS}  # of the streams of MBAS
FUNCTION_SIZES = {"functions": KEY_CONTEXTS}
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
    step: int

    @property
    def bounds(self) -> tuple[int, int]:
        """(12.7) The greatest recs of rotation and translation; functions are bounded as rotation is."""
        return MAX_ROTATION // self.step, MAX_TRANSLATION

    def between(self, values: NDArray[np.int32], tick: int) -> NDArray[np.int64]:
        """(12.7) Values (T, ...) at a tick of the segment, between two keys or after the last."""
        j = min(tick // self.interval, self.keys - 1)
        part = 0
        if j < self.keys - 1:
            part = ((tick - j * self.interval << 16) + (self.interval >> 1)) // self.interval
        now: NDArray[np.int64] = values[j].astype(np.int64)
        if part == 0:
            return now
        return np.asarray(now * (65536 - part) + values[j + 1].astype(np.int64) * part + 32768 >> 16)


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
        return self.fields.between(self.rotations, tick), self.fields.between(self.translations, tick)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFunctions:
    """(12.7) A set of functions of time: `values` (T, B) int32, Q20, at its keys."""

    fields: BasesFields
    values: NDArray[np.int32]

    def at(self, tick: int) -> NDArray[np.int64]:
        """(12.7) (B,) at a tick of the segment, between two keys or after the last."""
        return self.fields.between(self.values, tick)


AnyBases: TypeAlias = Bases | TimeFunctions


def read_bases(payload: memoryview, offset: int, known: Mapping[int, AnyBases]) -> AnyBases:
    """(12.7) The MBAS whose payload stands at `offset`; `known` are those before it in the segment, by id.

    Raises `StreamError`.
    """
    f = FieldReader(payload, section=SECTION, offset=offset, name="motion", clause=CLAUSE)
    if (id := f.integer("u8")) in known:
        raise malformed(f"bases {id} are given twice", SECTION, offset)
    place, flags = f.place, f.integer("u8")
    has_functions = flags & HAS_FUNCTIONS > 0
    if flags & ~(6 if has_functions else 3):
        raise Unsupported("motion.flags", f"flags {flags:#x}", clause=CLAUSE, section=SECTION, offset=place)
    count, keys = f.integer("u8", 1, MAX_BASES), f.integer("u16", 1, MAX_KEYS)
    interval = f.integer("u32", 1)
    exponent = f.integer("i16", 0, 0) if has_functions else f.integer("i16", -200, 120)
    fields = BasesFields(
        id=id, flags=flags, count=count, keys=keys, interval=interval, exponent=exponent,
        step=f.integer("u16", 1),
    )  # fmt: skip
    coded = read_coder(f, FUNCTION_SIZES if has_functions else SIZES, SECTION)

    def rows(name: str, width: int, bound: int, flag: int) -> NDArray[np.int32]:
        extrapolates = flags & flag > 0
        status, rec = kernels.read_trajectories(coded.source(name), keys, count, width, bound, extrapolates)
        coded.streams[name].check(status)
        return rec

    largest, farthest = fields.bounds
    if has_functions:
        found = rows("functions", 1, largest, FUNCTIONS_EXTRAPOLATED)[:, :, 0]
        return TimeFunctions(fields=fields, values=found * np.int32(fields.step))
    turns = rows("rotation", 6, largest, ROTATION_EXTRAPOLATED)
    moves = rows("translation", 3, farthest, TRANSLATION_EXTRAPOLATED)
    return Bases(fields=fields, rotations=turns * np.int32(fields.step), translations=moves)


def write_bases_fields(f: FieldWriter, p: BasesFields) -> None:
    """(12.7) The fields of MBAS; its coder part follows."""
    f.integers("u8", [p.id, p.flags, p.count])
    f.integer("u16", p.keys)
    f.integer("u32", p.interval)
    f.integer("i16", p.exponent)
    f.integer("u16", p.step)


def malformed(message: str, section: str, place: int) -> Malformed:
    """(12.7) What is wrong with an id of bases."""
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


def read_fields(f: FieldReader, known: Mapping[int, AnyBases], section: str) -> tuple[Bases, int]:
    """(12.7) The bases and the levels. Raises `Malformed`."""
    place = f.place
    found = known.get(id := f.integer("u8"))
    if not isinstance(found, Bases):
        raise malformed(f"no rigid bases {id}", section, place)
    return found, f.integer("u16", 1, MAX_LEVELS)


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
