"""(4) PARM: everything that chunks share.

| field                 | type                  | value |
|-----------------------|-----------------------|-------|
| id                    | u8                    | |
| classes               | u8                    | K, 1 to 8 |
| position_cap          | u8                    | 0 to 7 |
| position_mantissa     | u16                   | 1 or more |
| multipliers           | 5 x (u8, u8)          | exponent id, cap: scale, rotation, opacity, colour, SH |
| scale                 | u32 i32 i32 u8 i32    | step (Q26), offset (Q20), floor, dilation, ln tau (Q20) |
| rotation              | u32 u32 u16 u16       | axis and twist factor, most cells of axis and twist |
| opacity               | u32 i32               | step (Q26), offset (Q20) |
| colour                | i8 3 x u16 3 x i32    | exponent, mantissas, offsets |
| predicted             | u8                    | bits 0 to 4: scale, rotation, opacity, colour, SH; 5: sets |
| sets                  | 3 x                   | [window, power, 6 shrinks, 5 thresholds], (factor, shift)s |
| harmonics             | (degree > 0)          | groups, bounds, basis?, exponent, colours or step, [basis] |
| tables                | u8                    | 0 to 64 |
| words                 | u32, then u32 words   | one lane: all tables, then all context maps |
| or, if tables is 0    | u8, u8, then words    | built-in set, own tables; one lane: these, then choices |
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gscodec import built_in
from gscodec._generated import extra_types
from gscodec.built_in import Choice
from gscodec.container import ExtraAttribute
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.entropy.scalar import ScalarWriter
from gscodec.entropy.tables import TableSet, read_tables, write_map, write_table

SCALE, ROTATION, OPACITY, COLOUR, HARMONICS = range(5)
COEFFICIENTS = (0, 3, 8, 15)  # above degree 0, by SH degree
MAX_STEP = 1 << 28
MAX_CELLS = 2048
REC_MAX = 262_143  # scale, opacity and colour
HARMONICS_MAX = 65_535
MATRIX_MAX, COLUMN_MAX = (1 << 21) - 1, 32_767
BUILT_IN_SETS = 32  # (4.2) in the field `predicted`
STORED, BUILT_IN_BASIS, STORED_SHORT, SHORT_UNIT = 1, 2, 3, 64  # (4.6) of the field `basis`

# (4.3) by exponent id (0, 1/2, 3/4, 1), then class, in 1/64 of the base step
MULTIPLIERS = (
    (64,) * 8,
    (64, 92, 128, 180, 256, 360, 512, 720),
    (64, 108, 180, 304, 512, 860, 1448, 2436),
    (64, 128, 256, 512, 1024, 2048, 4096, 8192),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleParameters:
    """(4.4) Integers to log-scales: step Q26, offset Q20, floor in 1/64 of the base step."""

    step: int
    offset: int
    floor: int
    dilated: bool = False
    ln_tau: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationParameters:
    """(4.4) How many cells the main axis and the twist get."""

    axis_factor: int
    twist_factor: int
    axis_cells: int
    twist_cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpacityParameters:
    """(4.4) Integers to log2(opacity + 1/16): step Q26, offset Q20."""

    step: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourParameters:
    """(4.4) Integers to Y, Co, Cg: steps mantissa x 2^exponent, offsets in 1/64 of them."""

    exponent: int
    mantissas: tuple[int, int, int]
    offsets: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSet:
    """(4.5) How predecessors are weighted. `distances`: factor and shift of scale, then colour."""

    window: int
    power: int = 2
    shrink: tuple[int, ...] = (256,) * 6
    thresholds: tuple[int, ...] = (0,) * 5
    distances: tuple[tuple[int, int], ...] = ()

    @property
    def without_distances(self) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
        """What built-in sets have."""
        return self.window, self.power, self.shrink, self.thresholds


@dataclass(frozen=True, kw_only=True)
class HarmonicsParameters:
    """(4.6) Integers to SH: groups of slots, colour matrix (3, 3), basis (K, K) and order (3K,) or None.

    built_in_step  of the built-in basis, whose matrices these are then; 0 if it is not that one
    """

    bounds: tuple[int, ...]
    exponent: int
    colour: NDArray[np.int32]
    basis: NDArray[np.int16] | None = None
    order: NDArray[np.uint8] | None = None
    built_in_step: int = 0

    @classmethod
    def built_in(cls, bounds: tuple[int, ...], exponent: int, step: int) -> HarmonicsParameters:
        """(4.6) With the built-in basis of their degree."""
        basis, order = built_in.basis_of(bounds[-1])
        colour = built_in.colour_matrix(step)
        return cls(
            bounds=bounds, exponent=exponent, colour=colour, basis=basis, order=order, built_in_step=step
        )


@dataclass(frozen=True, kw_only=True)
class CodingParameters:
    """(4.2) A parameter set without its tables."""

    id: int = 0
    classes: int
    position_cap: int
    position_mantissa: int
    exponents: tuple[int, int, int, int, int]
    caps: tuple[int, int, int, int, int]
    scale: ScaleParameters
    rotation: RotationParameters
    opacity: OpacityParameters
    colour: ColourParameters
    predicted: int
    sets: tuple[PredictorSet, PredictorSet, PredictorSet]
    harmonics: HarmonicsParameters | None = None

    @property
    def trees(self) -> int:
        """(4.3) P, the number of octrees of a chunk."""
        return (min(self.classes - 1, self.position_cap) >> 1) + 1

    def tree_of(self, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(4.3) The octree of each class."""
        return np.minimum(classes, self.position_cap).astype(np.uint8) >> np.uint8(1)

    def multipliers(self, attribute: int) -> NDArray[np.int32]:
        """(4.3) (8,) the step of an attribute by class, in 1/64 of the base step."""
        row = MULTIPLIERS[self.exponents[attribute]]
        return np.array([row[min(c, self.caps[attribute])] for c in range(8)], np.int32)

    def is_predicted(self, attribute: int) -> bool:
        """(4.5) Whether an attribute uses its predictor set."""
        return bool(self.predicted >> attribute & 1)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """(4.2) A parameter set: how integers become values, tables, each stream's context map.

    choice  if tables and maps are built-in ones, or some of them: which
    """

    coding: CodingParameters
    tables: TableSet
    maps: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    choice: Choice | None = None


def words_of(extra: ExtraAttribute) -> int:
    """(4.7) In how many words a splat's value of an extra attribute is coded: two per 64-bit component."""
    is_wide = extra_types.ROWS[extra.type].bytes == 8 and not extra.is_stepped
    return extra.components * (2 if is_wide else 1)


def context_counts(coding: CodingParameters, extras: Sequence[ExtraAttribute]) -> dict[str, int]:
    """(4.7) The streams of a chunk, in order, and how many contexts each has ("repeat": only when used)."""
    k = coding.classes
    counts = {
        "position": 165,
        "repeat": 1,
        "class": 36,
        "scale": 6 * k + 512,
        "rotation": 672,
        "opacity": 6 * k,
        "colour": 54 * k,
    }
    if coding.harmonics is not None:
        groups = len(coding.harmonics.bounds)
        counts["groups"] = 6 * k * (groups + 1)
        counts["coefficients"] = groups * k * coding.harmonics.bounds[-1]
    for number, extra in enumerate(extras):
        counts[f"extra {number}"] = words_of(extra)
    return counts


def clusters(coding: CodingParameters, extras: Sequence[ExtraAttribute]) -> built_in.Maps:
    """(3.10) The cluster of every context, by stream."""
    bounds = coding.harmonics.bounds if coding.harmonics else ()
    return built_in.clusters(coding.classes, bounds, [words_of(extra) for extra in extras])


def read_parameters(
    payload: memoryview,
    offset: int,
    *,
    sh_degree: int,
    extras: Sequence[ExtraAttribute],
    max_tables: int = 64,
) -> Parameters:
    """(4.2) The payload of a PARM section that stands at `offset`. Raises `Malformed`."""
    fields = FieldReader(payload, section="PARM", offset=offset, name="parm", clause="4.1")
    coding = _read_coding(fields, COEFFICIENTS[sh_degree])
    if (count := fields.integer("u8", 0, max_tables)) == 0:
        found = clusters(coding, extras)
        choice = built_in.read_choice(fields, found, max_tables)
        tables, maps = built_in.resolved(choice, found)
        return Parameters(coding=coding, tables=tables, maps=maps, choice=choice)
    length = fields.integer("u32")
    if len(payload) - fields.position != 4 * length:
        raise fields.wrong_length()
    words = np.frombuffer(payload, np.uint8, 4 * length, fields.position)
    tables, maps = read_tables(words, count, context_counts(coding, extras), offset=fields.place)
    return Parameters(coding=coding, tables=tables, maps=maps)


def write_parameters(parameters: Parameters, extras: Sequence[ExtraAttribute]) -> bytes:
    """(4.2) The payload of a PARM section."""
    fields = FieldWriter()
    _write_coding(fields, parameters.coding)
    if parameters.choice is not None:
        choice = parameters.choice
        fields.integers("u8", [0, choice.set, len(choice.own)])
        words = built_in.write_choice(choice, context_counts(parameters.coding, extras))
        return bytes(fields.data) + struct.pack(f"<{len(words)}I", *words)
    lane = ScalarWriter()
    for row, resolution in zip(
        parameters.tables.frequencies.tolist(), parameters.tables.resolutions.tolist(), strict=True
    ):
        write_table(lane, row, resolution)
    for name in context_counts(parameters.coding, extras):
        write_map(lane, parameters.maps[name].tolist(), len(parameters.tables))
    words = lane.words()
    fields.integer("u8", len(parameters.tables))
    fields.integer("u32", len(words))
    return bytes(fields.data) + struct.pack(f"<{len(words)}I", *words)


def coding_bytes(coding: CodingParameters) -> int:
    """(4.2) Bytes of a parameter set before its tables."""
    fields = FieldWriter()
    _write_coding(fields, coding)
    return len(fields.data)


def basis_kind(basis: NDArray[np.int16]) -> int:
    """(4.6) How a basis is stored: in bytes, if they hold it."""
    is_short = not (basis % SHORT_UNIT).any() and (np.abs(basis.astype(int)) <= 127 * SHORT_UNIT).all()
    return STORED_SHORT if is_short else STORED


def _read_coding(f: FieldReader, coefficients: int) -> CodingParameters:
    id = f.integer("u8")
    classes, cap, mantissa = f.integer("u8", 1, 8), f.integer("u8", 0, 7), f.integer("u16", 1)
    pairs = [(f.integer("u8", 0, 3), f.integer("u8", 0, 7)) for _ in range(5)]
    step, offset, floor, dilated = f.integer("u32", 1, MAX_STEP), *f.integers("i32", 2), f.integer("u8", 0, 1)
    ln_tau = f.integer("i32") if dilated else f.integer("i32", 0, 0)
    scale = ScaleParameters(step=step, offset=offset, floor=floor, dilated=bool(dilated), ln_tau=ln_tau)
    factors, cells = f.integers("u32", 2, 1, MAX_STEP), f.integers("u16", 2, 1, MAX_CELLS)
    rotation = RotationParameters(
        axis_factor=factors[0], twist_factor=factors[1], axis_cells=cells[0], twist_cells=cells[1]
    )
    opacity = OpacityParameters(step=f.integer("u32", 1, MAX_STEP), offset=f.integer("i32"))
    exponent, mantissas = f.integer("i8"), f.integers("u16", 3, 1)
    offsets = f.integers("i32", 3, -REC_MAX, REC_MAX)
    colour = ColourParameters(
        exponent=exponent,
        mantissas=(mantissas[0], mantissas[1], mantissas[2]),
        offsets=(offsets[0], offsets[1], offsets[2]),
    )
    predicted = f.integer("u8", 0, 31 | BUILT_IN_SETS)
    are_stored = not predicted & BUILT_IN_SETS
    sets = (_read_set(f, 0, are_stored), _read_set(f, 1, are_stored), _read_set(f, 2, are_stored))
    harmonics = _read_harmonics(f, coefficients) if coefficients else None
    exponents, caps = zip(*pairs, strict=True)
    return CodingParameters(
        id=id, classes=classes, position_cap=cap, position_mantissa=mantissa, exponents=exponents, caps=caps,
        scale=scale, rotation=rotation, opacity=opacity, colour=colour, predicted=predicted & 31, sets=sets,
        harmonics=harmonics,
    )  # fmt: skip


def _write_coding(f: FieldWriter, p: CodingParameters) -> None:
    f.integers("u8", [p.id, p.classes, p.position_cap])
    f.integer("u16", p.position_mantissa)
    for exponent, cap in zip(p.exponents, p.caps, strict=True):
        f.integers("u8", [exponent, cap])
    f.integer("u32", p.scale.step)
    f.integers("i32", [p.scale.offset, p.scale.floor])
    f.integer("u8", int(p.scale.dilated))
    f.integer("i32", p.scale.ln_tau)
    f.integers("u32", [p.rotation.axis_factor, p.rotation.twist_factor])
    f.integers("u16", [p.rotation.axis_cells, p.rotation.twist_cells])
    f.integer("u32", p.opacity.step)
    f.integer("i32", p.opacity.offset)
    f.integer("i8", p.colour.exponent)
    f.integers("u16", list(p.colour.mantissas))
    f.integers("i32", list(p.colour.offsets))
    are_stored = any(each.without_distances != built_in.predictor_set(i) for i, each in enumerate(p.sets))
    f.integer("u8", p.predicted | (0 if are_stored else BUILT_IN_SETS))
    for each in p.sets:
        _write_set(f, each, are_stored)
    if p.harmonics is not None:
        _write_harmonics(f, p.harmonics)


def _read_set(f: FieldReader, distances: int, is_stored: bool) -> PredictorSet:
    window, power, shrink, thresholds = (
        _read_stored_set(f) if is_stored else built_in.predictor_set(distances)
    )
    pairs = tuple((f.integer("u8"), f.integer("u8", 0, 31)) for _ in range(distances))
    return PredictorSet(window=window, power=power, shrink=shrink, thresholds=thresholds, distances=pairs)


def _read_stored_set(f: FieldReader) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    window, power = f.integer("u8", 0, 16), f.integer("u8", 1, 4)
    shrink = f.integers("u16", 6, 0, 256)
    thresholds: list[int] = []
    for _ in range(5):
        thresholds.append(f.integer("u8", thresholds[-1] if thresholds else 0))
    return window, power, tuple(shrink), tuple(thresholds)


def _write_set(f: FieldWriter, p: PredictorSet, is_stored: bool) -> None:
    if is_stored:
        f.integers("u8", [p.window, p.power])
        f.integers("u16", list(p.shrink))
        f.integers("u8", list(p.thresholds))
    f.integers("u8", [value for pair in p.distances for value in pair])


def _read_harmonics(f: FieldReader, coefficients: int) -> HarmonicsParameters:
    groups = f.integer("u8", 1, 8)
    bounds: list[int] = []
    for i in range(groups):
        low = coefficients if i == groups - 1 else bounds[-1] + 1 if bounds else 1
        bounds.append(f.integer("u8", low, coefficients))
    if any(a >= b for a, b in pairwise(bounds)):
        raise f.malformed("parm.range", "group bounds do not ascend", f.place - 1)
    kind, exponent = f.integer("u8", 0, STORED_SHORT), f.integer("i8")
    if kind == BUILT_IN_BASIS:
        return HarmonicsParameters.built_in(tuple(bounds), exponent, f.integer("u32", 1, MATRIX_MAX))
    colour = np.array(f.integers("i32", 9, -MATRIX_MAX, MATRIX_MAX), np.int32).reshape(3, 3)
    if not kind:
        return HarmonicsParameters(bounds=tuple(bounds), exponent=exponent, colour=colour)
    place = f.place
    form, unit = ("i8", SHORT_UNIT) if kind == STORED_SHORT else ("i16", 1)
    basis = np.array(f.integers(form, coefficients**2), np.int16).reshape(coefficients, coefficients) * unit
    if np.abs(basis.astype(np.int64)).sum(0).max() > COLUMN_MAX:
        raise f.malformed("parm.range", "a column of the basis is too large", place)
    order: list[int] = []
    for _ in range(3 * coefficients):
        place = f.place
        order.append(f.integer("u8", 0, 3 * coefficients - 1))
        if order[-1] in order[:-1]:
            raise f.malformed("parm.range", f"entry {order[-1]} occurs twice", place)
    return HarmonicsParameters(
        bounds=tuple(bounds), exponent=exponent, colour=colour, basis=basis, order=np.array(order, np.uint8)
    )


def _write_harmonics(f: FieldWriter, p: HarmonicsParameters) -> None:
    kind = BUILT_IN_BASIS if p.built_in_step else 0 if p.basis is None else basis_kind(p.basis)
    f.integers("u8", [len(p.bounds), *p.bounds, kind])
    f.integer("i8", p.exponent)
    if p.built_in_step:
        f.integer("u32", p.built_in_step)
        return
    f.integers("i32", p.colour.ravel().tolist())
    if p.basis is not None and p.order is not None:
        form, unit = ("i8", SHORT_UNIT) if kind == STORED_SHORT else ("i16", 1)
        f.integers(form, (p.basis.ravel() // unit).tolist())
        f.integers("u8", p.order.tolist())
