"""(12.11) Model 4: attributes that are sums of a constant, of functions of time, and of residuals at keys.

| field           | type      | value |
|-----------------|-----------|-------|
| bases           | u8        | id of an MBAS of functions, B of them at Q keys |
| attributes      | u8        | bits 0 to 5, as in 12.8: those that follow functions |
| residual        | u8        | those that have residuals |
| first, count    | u8 u8     | for each of `attributes`: the functions that it follows, 1 to 16 |
| multipliers     | 2 x u8[2] | exponent id, cap: position, rotation |
| position_factor | u32 u8    | factor and shift: a rec is A 2^-S units of 2^exponent |
| rotation_factor | u32 u8    | factor and shift: a rec is B 2^-S of Q20 |

Key f, 0 to F = Q - 1, is at tick f interval of the segment. The chunk says the constant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec._generated import fineness as fineness_table
from gscodec.chunk import ChunkFields, ChunkIntegers
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.errors import LimitError
from gscodec.motion.bases import AnyBases, TimeFunctions, malformed
from gscodec.motion.channels import (
    LIFESPAN_CONTEXTS,
    MASK_CONTEXTS,
    SECTION,
    Around,
    Channel,
    Coded,
    Lives,
    Rows,
    multipliers,
)
from gscodec.motion.keyframes import NAMES, limit_of, living, shown_of
from gscodec.motion.polynomial import read_unit, write_unit
from gscodec.motion.shown import Shown
from gscodec.parameters import COLOUR, HARMONICS, OPACITY, SCALE, CodingParameters

LIFESPANS, PREDICTED = 1, 2  # flags
FLAGS = 3
MAX_FOLLOWED = 16
FINENESS_CONTEXTS = 25  # of each class
_FINENESS = np.array(fineness_table.MULTIPLIER, np.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionsFields:
    """(12.11) Flags and fields. `position`, `rotation`: exponent and cap; their units: factor and shift.

    follows   by name of attribute: the first function and how many; residual: bits of attributes
    """

    flags: int
    bases: int
    follows: Mapping[str, tuple[int, int]]
    residual: int
    position: tuple[int, int]
    rotation: tuple[int, int]
    position_unit: tuple[int, int]
    rotation_unit: tuple[int, int]

    @property
    def attributes(self) -> int:
        """(12.11) The bits of attributes that follow functions."""
        return sum(1 << NAMES.index(name) for name in self.follows)

    @property
    def residuals(self) -> list[str]:
        """(12.11) The names of attributes that have residuals."""
        return [name for bit, name in enumerate(NAMES) if self.residual >> bit & 1]

    @property
    def streams(self) -> list[str]:
        """(12.11) The names of the streams in order."""
        first = ["lifespans"] if self.flags & LIFESPANS else []
        masks = ["masks"] if self.follows else []
        pairs = [stream for name in self.residuals for stream in (f"{name} fineness", f"{name} residuals")]
        return [*first, *masks, *self.follows, *pairs]

    def steps(self, coding: CodingParameters) -> dict[str, NDArray[np.int32]]:
        """(12.11) (8,) the multipliers of each attribute by class."""
        found = {
            "position": multipliers(*self.position),
            "rotation": multipliers(*self.rotation),
            "scale": coding.multipliers(SCALE),
            "opacity": coding.multipliers(OPACITY),
            "colour": coding.multipliers(COLOUR),
        }
        return found if coding.harmonics is None else {**found, "harmonics": coding.multipliers(HARMONICS)}

    def channels(self, coding: CodingParameters) -> Iterator[tuple[str, Channel]]:
        """(12.11) The streams of coefficients in order: one group for each function."""
        steps = self.steps(coding)
        for name, (_, count) in self.follows.items():
            groups = tuple(o for o in range(count) for _ in range(width_of(name, coding)))
            yield (
                name,
                Channel(bit=NAMES.index(name), groups=groups, multipliers=steps[name], limit=limit_of(name)),
            )

    def sizes(self, coding: CodingParameters) -> dict[str, int]:
        """(12.11) The streams in order, and the contexts of each."""
        found = {"lifespans": LIFESPAN_CONTEXTS, "masks": MASK_CONTEXTS}
        found |= {name: channel.contexts(coding.classes) for name, channel in self.channels(coding)}
        for name in self.residuals:
            found[f"{name} fineness"] = FINENESS_CONTEXTS * coding.classes
            found[f"{name} residuals"] = 18 * (int(groups_of(name, coding)[-1]) + 1)
        return {name: found[name] for name in self.streams}


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionsIntegers:
    """(12.11) What the streams hold, of M distinct splats; fewer than Q keys where reading stopped early.

    lives         (M, 2) uint16    keys of birth and death; None: all splats live at all keys
    mask          (M,) uint8       which attributes follow functions
    coefficients  (M, count W)     by name: of function o and component w at o W + w
    fineness      (M,) uint8       by name: 0 to 24
    residuals     (Q, M, W)        by name, in recs
    """

    lives: Lives | None
    mask: NDArray[np.uint8]
    coefficients: Mapping[str, Rows]
    fineness: Mapping[str, NDArray[np.uint8]]
    residuals: Mapping[str, Rows]


def width_of(name: str, coding: CodingParameters) -> int:
    """(12.8) W: how many values an attribute has."""
    if name == "harmonics":
        return 0 if coding.harmonics is None else 3 * coding.harmonics.bounds[-1]
    return 1 if name == "opacity" else 3


def groups_of(name: str, coding: CodingParameters) -> NDArray[np.uint8]:
    """(12.11) (W,) g of each component of residuals."""
    width = width_of(name, coding)
    return (np.arange(width) // 3 if name == "harmonics" else np.zeros(width)).astype(np.uint8)


def start_of(name: str, integers: ChunkIntegers) -> Rows | None:
    """(12.11) rec0 (M, W), what the chunk says of an attribute; None: zeros."""
    starts = {
        "scale": integers.scale,
        "opacity": integers.opacity,
        "colour": integers.colour,
        "harmonics": integers.harmonics,
    }
    return starts.get(name)


def multiplier_of(fineness: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(12.11) (M,) recs of a step of residuals; 0: there are none."""
    return np.asarray(_FINENESS[fineness])


def side(around: Around) -> kernels.Side:
    """What the kernel of fineness knows of each splat."""
    return around.side(Channel(bit=0, groups=(0,), multipliers=multipliers(0, 0)))


def key_at(functions: TimeFunctions, tick: int) -> int:
    """(12.11) The key that holds at a tick of the segment."""
    return min(functions.fields.keys - 1, max(0, tick) // functions.fields.interval)


def read_fields(
    f: FieldReader, flags: int, coding: CodingParameters, known: Mapping[int, AnyBases]
) -> tuple[FunctionsFields, TimeFunctions]:
    """(12.11) The fields, and the functions that they name. Raises `Malformed`."""
    place = f.place
    functions = known.get(id := f.integer("u8"))
    if not isinstance(functions, TimeFunctions):
        raise malformed(f"no functions {id}", SECTION, place)
    return _read_rest(f, flags, coding, id, functions.fields.count), functions


def skip_fields(f: FieldReader, flags: int, coding: CodingParameters) -> FunctionsFields:
    """(12.11) The fields, whatever the functions are. Raises `Malformed`."""
    return _read_rest(f, flags, coding, f.integer("u8"), 255 + MAX_FOLLOWED)


def _read_rest(f: FieldReader, flags: int, coding: CodingParameters, id: int, count: int) -> FunctionsFields:
    most = 31 if coding.harmonics is None else 63
    attributes, residual = f.integer("u8", 0, most), f.integer("u8", 0, most)
    follows = {}
    for bit, name in enumerate(NAMES):
        if attributes >> bit & 1:
            first = f.integer("u8", 0, min(255, count - 1))
            follows[name] = first, f.integer("u8", 1, min(MAX_FOLLOWED, count - first))
    position = f.integer("u8", 0, 3), f.integer("u8", 0, 7)
    rotation = f.integer("u8", 0, 3), f.integer("u8", 0, 7)
    return FunctionsFields(
        flags=flags, bases=id, follows=follows, residual=residual, position=position, rotation=rotation,
        position_unit=read_unit(f), rotation_unit=read_unit(f),
    )  # fmt: skip


def write_fields(f: FieldWriter, p: FunctionsFields) -> None:
    """(12.11) The mirror of `read_fields`."""
    f.integers("u8", [p.bases, p.attributes, p.residual])
    for first, count in p.follows.values():
        f.integers("u8", [first, count])
    f.integers("u8", [*p.position, *p.rotation])
    write_unit(f, p.position_unit)
    write_unit(f, p.rotation_unit)


def check_symbols(
    p: FunctionsFields,
    coding: CodingParameters,
    counts: tuple[int, int],
    most: int,
    section: str,
    offset: int,
) -> None:
    """(12.11) No stream has more than `most` values. `counts`: splats N, and keys Q. Raises `LimitError`."""
    splats, keys = counts
    residual = max((width_of(name, coding) for name in p.residuals), default=0)
    followed = max((width_of(name, coding) * count for name, (_, count) in p.follows.items()), default=0)
    if splats * max(keys * residual, followed, 1) > most:
        raise LimitError(
            "limit.stream_symbols", f"{keys} keys", clause="5.13", section=section, offset=offset
        )


def read_integers(
    p: FunctionsFields,
    functions: TimeFunctions,
    coded: Coded,
    around: Around,
    coding: CodingParameters,
    stop: int,
) -> FunctionsIntegers:
    """(12.11) The streams, residuals of the first `stop` keys. Raises `Malformed`."""
    keys, count = functions.fields.keys, len(around.classes)
    lives = coded.lifespans(around, keys - 1) if p.flags & LIFESPANS else None
    masks = np.zeros((1, count), np.uint8)
    if p.follows:
        masks = coded.masks(around, None, 1, p.attributes, 1)
    coefficients = {
        name: coded.channels(name, around, channel, masks, 1)[0] for name, channel in p.channels(coding)
    }
    fineness, residuals = {}, {}
    for name in p.residuals:
        stream = f"{name} fineness"
        status, fineness[name] = kernels.read_fineness(coded.source(stream), side(around))
        coded.streams[stream].check(status)
        stream = f"{name} residuals"
        status, residuals[name] = kernels.read_residuals(
            coded.source(stream),
            multiplier_of(fineness[name]),
            lives,
            groups_of(name, coding),
            limit_of(name),
            keys,
            stop,
        )
        coded.streams[stream].check(status)
    return FunctionsIntegers(
        lives=lives, mask=masks[0], coefficients=coefficients, fineness=fineness, residuals=residuals
    )


class FunctionsMotion:
    """(12.11) The values of a chunk at any tick."""

    def __init__(
        self,
        fields: ChunkFields,
        integers: ChunkIntegers,
        coding: CodingParameters,
        motion: tuple[FunctionsFields, TimeFunctions, FunctionsIntegers],
    ) -> None:
        self._chunk = fields, integers, coding
        self._p, self._functions, self._rec = motion
        changing = self._rec.coefficients.keys() | self._rec.residuals.keys()
        self._changing = [name for name in NAMES if name in changing]

    def recs(self, name: str, tick: int) -> Rows:
        """(12.11) (M, W) recs of an attribute at a tick of the segment, whose key was read."""
        _, integers, coding = self._chunk
        first, count = self._p.follows.get(name, (0, 0))
        residuals = self._rec.residuals.get(name)
        if residuals is not None:  # keys that were not read hold the last that was
            residuals = residuals[min(key_at(self._functions, tick), len(residuals) - 1)]
        out = np.empty((len(integers.classes), width_of(name, coding)), np.int32)
        kernels.function_recs(
            start_of(name, integers),
            self._rec.coefficients.get(name),
            np.ascontiguousarray(self._functions.at(tick)[first : first + count]),
            residuals,
            limit_of(name),
            out,
        )
        return out

    def at(self, tick: int) -> Shown:
        """(12.11) `tick` counts from the start of the segment."""
        _, integers, _ = self._chunk
        rows, source = living(self._rec.lives, key_at(self._functions, tick), integers.source)
        now = {name: self.recs(name, tick) for name in self._changing}
        return shown_of(now, (self._p.position_unit, self._p.rotation_unit), rows, source, self._chunk)
