"""(12.8) Model 3: attributes that change at keys, splats that come and go.

| field           | type      | value |
|-----------------|-----------|-------|
| attributes      | u8        | bits 0 to 5: position, rotation, scale, opacity, colour, harmonics |
| extrapolated    | u8        | those of them whose changes are expected to go on |
| keys            | u16       | F, 1 to 4096, after the chunk itself, which is key 0 |
| interval        | u32       | ticks from key to key, 1 or more |
| multipliers     | 2 x u8[2] | exponent id, cap: position, rotation |
| position_factor | u32 u8    | factor and shift: a rec is A 2^-S units of 2^exponent |
| rotation_factor | u32 u8    | factor and shift: a rec is B 2^-S of Q20 |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.attributes import colour, harmonics, opacity, scale
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.errors import LimitError
from gscodec.motion.channels import (
    LIFESPAN_CONTEXTS,
    MASK_CONTEXTS,
    Around,
    Channel,
    Coded,
    Lives,
    Masks,
    Rows,
    multipliers,
)
from gscodec.motion.polynomial import read_unit, write_unit
from gscodec.motion.shown import Shown
from gscodec.parameters import COLOUR, HARMONICS, HARMONICS_MAX, OPACITY, REC_MAX, SCALE, CodingParameters

LIFESPANS, PREDICTED = 1, 2  # flags
FLAGS = 3
NAMES = ("position", "rotation", "scale", "opacity", "colour", "harmonics")  # by bit
MAX_KEYS = 4096
POSITION_MAX = 4_194_303


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyframesFields:
    """(12.8) Flags and fields. `position`, `rotation`: exponent and cap; their units: factor and shift."""

    flags: int
    attributes: int
    extrapolated: int
    keys: int
    interval: int
    position: tuple[int, int]
    rotation: tuple[int, int]
    position_unit: tuple[int, int]
    rotation_unit: tuple[int, int]

    def has(self, name: str) -> bool:
        """Whether an attribute changes."""
        return bool(self.attributes >> NAMES.index(name) & 1)

    @property
    def streams(self) -> list[str]:
        """(12.8) The names of the streams in order."""
        first = ["lifespans"] if self.flags & LIFESPANS else []
        return [*first, "masks", *filter(self.has, NAMES)]

    def channels(self, coding: CodingParameters, integers: ChunkIntegers) -> Iterator[tuple[str, Channel]]:
        """(12.8) The streams of channels in order."""
        count = 0 if coding.harmonics is None else coding.harmonics.bounds[-1]
        shapes: dict[str, tuple[tuple[int, ...], NDArray[np.int32], Rows | None]] = {
            "position": ((0,) * 3, multipliers(*self.position), None),
            "rotation": ((0,) * 3, multipliers(*self.rotation), None),
            "scale": ((0,) * 3, coding.multipliers(SCALE), integers.scale),
            "opacity": ((0,), coding.multipliers(OPACITY), integers.opacity),
            "colour": ((0,) * 3, coding.multipliers(COLOUR), integers.colour),
            "harmonics": (
                tuple(j // 3 for j in range(3 * count)),
                coding.multipliers(HARMONICS),
                integers.harmonics,
            ),
        }
        for bit, (name, (groups, steps, start)) in enumerate(shapes.items()):
            if self.has(name):
                yield (
                    name,
                    Channel(
                        bit=bit,
                        groups=groups,
                        multipliers=steps,
                        views=2,
                        start=start,
                        extrapolates=bool(self.extrapolated >> bit & 1),
                        limit=limit_of(name),
                    ),
                )

    def sizes(self, coding: CodingParameters, integers: ChunkIntegers) -> dict[str, int]:
        """(12.8) The streams in order, and the contexts of each."""
        first = {"lifespans": LIFESPAN_CONTEXTS} if self.flags & LIFESPANS else {}
        channels = {name: c.contexts(coding.classes) for name, c in self.channels(coding, integers)}
        return {**first, "masks": MASK_CONTEXTS, **channels}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyframesIntegers:
    """(12.8) What the streams hold, of M distinct splats; fewer than F keys where reading stopped early.

    lives   (M, 2) uint16  keys of birth and death; None: all splats live at all keys
    masks   (F, M) uint8   by key, from 1 on: which attributes change
    recs    (F, M, W)      by name
    """

    lives: Lives | None
    masks: Masks
    recs: Mapping[str, Rows]


def limit_of(name: str) -> int:
    """(12.8) The largest rec of an attribute: displacements may be large."""
    return {"position": POSITION_MAX, "harmonics": HARMONICS_MAX}.get(name, REC_MAX)


def read_fields(f: FieldReader, flags: int, coding: CodingParameters) -> KeyframesFields:
    """(12.8) The fields. Raises `Malformed`."""
    attributes = f.integer("u8", 0, 31 if coding.harmonics is None else 63)
    place = f.place
    if (extrapolated := f.integer("u8")) & ~attributes:
        raise f.malformed("motion.range", f"attributes {extrapolated:#x} do not change", place)
    keys, interval = f.integer("u16", 1, MAX_KEYS), f.integer("u32", 1)
    position = f.integer("u8", 0, 3), f.integer("u8", 0, 7)
    rotation = f.integer("u8", 0, 3), f.integer("u8", 0, 7)
    return KeyframesFields(
        flags=flags, attributes=attributes, extrapolated=extrapolated, keys=keys, interval=interval,
        position=position, rotation=rotation, position_unit=read_unit(f), rotation_unit=read_unit(f),
    )  # fmt: skip


def write_fields(f: FieldWriter, p: KeyframesFields) -> None:
    """(12.8) The mirror of `read_fields`."""
    f.integers("u8", [p.attributes, p.extrapolated])
    f.integer("u16", p.keys)
    f.integer("u32", p.interval)
    f.integers("u8", [*p.position, *p.rotation])
    write_unit(f, p.position_unit)
    write_unit(f, p.rotation_unit)


def check_symbols(
    p: KeyframesFields, coding: CodingParameters, count: int, most: int, section: str, offset: int
) -> None:
    """(12.8) No stream of a chunk of `count` splats, N, has more than `most` values. Raises `LimitError`."""
    width = 3 if p.attributes & 0b010111 else 1
    if coding.harmonics is not None and p.has("harmonics"):
        width = 3 * coding.harmonics.bounds[-1]
    if count * p.keys * width > most:
        raise LimitError(
            "limit.stream_symbols", f"{p.keys} keys", clause="5.13", section=section, offset=offset
        )


def read_integers(
    p: KeyframesFields,
    coded: Coded,
    around: Around,
    coding: CodingParameters,
    integers: ChunkIntegers,
    stop: int,
) -> KeyframesIntegers:
    """(12.8) The streams up to key `stop`. Raises `Malformed`."""
    lives = coded.lifespans(around, p.keys) if p.flags & LIFESPANS else None
    masks = coded.masks(around, lives, p.keys, p.attributes, stop)
    recs = {
        name: coded.channels(name, around, channel, masks, p.keys)
        for name, channel in p.channels(coding, integers)
    }
    return KeyframesIntegers(lives=lives, masks=masks, recs=recs)


class KeyframesMotion:
    """(12.8) The values of a chunk at any of its keys."""

    def __init__(
        self,
        fields: ChunkFields,
        integers: ChunkIntegers,
        coding: CodingParameters,
        motion: tuple[KeyframesFields, KeyframesIntegers],
        start: int,
    ) -> None:
        self._fields, self._integers, self._coding = fields, integers, coding
        self._p, self._rec = motion
        self._start = start
        self._last = -1, Shown()

    def key(self, tick: int) -> int:
        """The key that holds at a tick of the segment. Keys that were not read hold the last that was."""
        return min(len(self._rec.masks), (tick - self._start) // self._p.interval)

    def at(self, tick: int) -> Shown:
        """(12.8) `tick` counts from the start of the segment; it is not before the chunk is shown."""
        key = self.key(tick)
        last, shown = self._last
        if last != key:
            shown = self.at_key(key)
            self._last = key, shown
        return shown

    def at_key(self, key: int) -> Shown:
        """(12.8) The splats that live at a key, 0 being the chunk as it is."""
        rows, source = living(self._rec.lives, key, self._integers.source)
        if key == 0:
            return Shown(rows=rows)
        now = {name: recs[key - 1] for name, recs in self._rec.recs.items()}
        units = self._p.position_unit, self._p.rotation_unit
        return shown_of(now, units, rows, source, (self._fields, self._integers, self._coding))


def shown_of(
    now: Mapping[str, Rows],
    units: tuple[tuple[int, int], tuple[int, int]],
    rows: NDArray[np.uint32] | None,
    source: NDArray[np.uint32],
    chunk: tuple[ChunkFields, ChunkIntegers, CodingParameters],
) -> Shown:
    """(12.8) What is shown of a chunk with recs `now` (M, W) of the attributes that change.

    `units` are factor and shift of position and of rotation. `rows` (S,) are the splats that are shown, None
    if all are; `source` (S,) says which of the M distinct splats is behind each.
    """
    fields, integers, c = chunk
    count = len(source)

    def empty(*shape: int) -> NDArray[np.float32]:
        return np.empty((count, *shape), np.float32)

    positions = rotations = opacities = scales = dc = rest = None
    if "position" in now:
        positions, x = empty(3), integers.positions.x
        kernels.moved_positions(
            x if rows is None else x[rows],
            np.array(fields.grid.origin, np.int64),
            c.position_mantissa,
            fields.grid.exponent,
            source,
            now["position"],
            *units[0],
            positions,
        )
    if "rotation" in now:
        rotations = empty(4)
        kernels.turned_rotations(integers.rotation, source, now["rotation"], *units[1], rotations)
    if "scale" in now:
        scales = empty(3)
        scale.values(now["scale"], source, c.scale, scales)
    if "opacity" in now:
        opacities = empty()
        opacity.values(now["opacity"], source, c.opacity, opacities)
    if "colour" in now:
        dc = empty(3)
        colour.values(now["colour"], source, c.colour, dc)
    if "harmonics" in now and c.harmonics is not None:
        rest = empty(c.harmonics.bounds[-1], 3)
        harmonics.values(now["harmonics"], source, c.harmonics, rest)
    return Shown(
        rows=rows, positions=positions, rotations=rotations, opacities=opacities, scales=scales,
        sh_dc=dc, sh_rest=rest,
    )  # fmt: skip


def living(
    lives: Lives | None, key: int, source: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32] | None, NDArray[np.uint32]]:
    """(12.5) The splats that are there at a key, (S,) or None if all are, and what is behind each (S,)."""
    if lives is not None:
        birth, death = lives[source].T
        found = np.flatnonzero((birth <= key) & (key < death))
        if len(found) < len(source):
            return found.astype(np.uint32), np.ascontiguousarray(source[found])
    return None, source
