"""(4) The parameter set: everything that chunks share, the payload of PARM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gscodec._generated import extra_codings, extra_types
from gscodec.reference import built_in
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.entropy import Lane, Table, read_context_map, read_table, read_uniform
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields

SCALE, ROTATION, OPACITY, COLOUR, HARMONICS = range(5)
COEFFICIENTS = (0, 3, 8, 15)  # spherical harmonics above degree 0, by degree
MAX_STEP = 1 << 28
MAX_TABLES = 64
REC_BOUND = 262_143  # of reconstructed scale, opacity and colour
COLOUR_MATRIX_BOUND = (1 << 21) - 1
BASIS_BOUND = 32_767
BUILT_IN_SETS = 32  # in the field `predicted`
BUILT_IN_BASIS, SHORT_BASIS = 2, 3

MULTIPLIERS = (  # 4.3: by exponent id, then class, in 1/64
    (64, 64, 64, 64, 64, 64, 64, 64),
    (64, 92, 128, 180, 256, 360, 512, 720),
    (64, 108, 180, 304, 512, 860, 1448, 2436),
    (64, 128, 256, 512, 1024, 2048, 4096, 8192),
)


@dataclass
class Scale:
    """(4.4) How integers become log-scales."""

    step: int
    offset: int
    floor: int
    dilation: int
    dilation_log: int


@dataclass
class Rotation:
    """(4.4) How many cells axes and twists have."""

    axis_factor: int
    twist_factor: int
    axis_cells: int
    twist_cells: int


@dataclass
class Opacity:
    """(4.4) How integers become log2(opacity + 1/16)."""

    step: int
    offset: int


@dataclass
class Colour:
    """(4.4) How integers become colours."""

    exponent: int
    mantissas: list[int]
    offsets: list[int]


@dataclass
class PredictorSet:
    """(4.5) How predecessors are weighted; the weights of position are in the chunk."""

    window: int
    power: int
    shrink: list[int]
    thresholds: list[int]
    distances: list[tuple[int, int]]


@dataclass
class Harmonics:
    """(4.6) How integers become spherical harmonics."""

    coefficients: int
    bounds: list[int]
    exponent: int
    colour_matrix: list[list[int]]
    basis: list[list[int]] | None
    order: list[int]


@dataclass
class ContextMaps:
    """(4.7) For each stream, the table of each context."""

    position: list[int]
    duplicate: list[int]
    importance: list[int]
    scale: list[int]
    rotation: list[int]
    opacity: list[int]
    colour: list[int]
    groups: list[int]
    coefficients: list[int]
    extras: list[list[int]]


@dataclass
class Parameters:
    """(4.2) A parameter set."""

    id: int
    classes: int
    position_cap: int
    position_mantissa: int
    multipliers: list[list[int]]  # by attribute, then class
    scale: Scale
    rotation: Rotation
    opacity: Opacity
    colour: Colour
    predicted: int
    sets: list[PredictorSet]
    harmonics: Harmonics | None
    tables: list[Table]
    maps: ContextMaps

    def position_class(self, importance: int) -> int:
        """(4.3) The octree of a class."""
        return min(importance, self.position_cap) >> 1

    def trees(self) -> int:
        """(4.3) The number of octrees."""
        return self.position_class(self.classes - 1) + 1

    def is_predicted(self, attribute: int) -> bool:
        """(4.5) Whether an attribute uses its predictor set."""
        return self.predicted >> attribute & 1 == 1


def read_multipliers(fields: Fields, classes: int) -> list[int]:
    """(4.3) The step of an attribute in each class, in 1/64 of the base step."""
    exponent, cap = fields.integer("u8", 0, 3), fields.integer("u8", 0, 7)
    return [MULTIPLIERS[exponent][min(c, cap)] for c in range(classes)]


def read_scale(fields: Fields) -> Scale:
    """(4.4) The parameters of scale."""
    step = fields.integer("u32", 1, MAX_STEP)
    offset, floor = fields.integers("i32", 2)
    dilation = fields.integer("u8", 0, 1)
    dilation_log = fields.integer("i32") if dilation else fields.integer("i32", 0, 0)
    return Scale(step, offset, floor, dilation, dilation_log)


def read_rotation(fields: Fields) -> Rotation:
    """(4.4) The parameters of rotation."""
    return Rotation(*fields.integers("u32", 2, 1, MAX_STEP), *fields.integers("u16", 2, 1, 2048))


def read_opacity(fields: Fields) -> Opacity:
    """(4.4) The parameters of opacity."""
    return Opacity(fields.integer("u32", 1, MAX_STEP), fields.integer("i32"))


def read_colour(fields: Fields) -> Colour:
    """(4.4) The parameters of colour."""
    exponent, mantissas = fields.integer("i8"), fields.integers("u16", 3, 1)
    return Colour(exponent, mantissas, fields.integers("i32", 3, -REC_BOUND, REC_BOUND))


def read_predictor_set(fields: Fields, attributes: int, is_built_in: bool) -> PredictorSet:
    """(4.5) A predictor set that compares position and so many attributes more."""
    if is_built_in:
        settings = built_in.predictor_set(attributes)
        return PredictorSet(*settings, [read_distance(fields) for _ in range(attributes)])
    window, power = fields.integer("u8", 0, 16), fields.integer("u8", 1, 4)
    shrink = fields.integers("u16", 6, 0, 256)
    thresholds: list[int] = []
    for _ in range(5):
        thresholds.append(fields.integer("u8", thresholds[-1] if thresholds else 0))
    return PredictorSet(window, power, shrink, thresholds, [read_distance(fields) for _ in range(attributes)])


def read_distance(fields: Fields) -> tuple[int, int]:
    """(4.5) The weight of an attribute in the distance: a factor, and a shift to the right."""
    return fields.integer("u8"), fields.integer("u8", 0, 31)


def read_harmonics(fields: Fields, count: int) -> Harmonics:
    """(4.6) The parameters of `count` coefficients of each colour."""
    bounds: list[int] = []
    groups = fields.integer("u8", 1, 8)
    for i in range(groups):
        lowest = bounds[-1] + 1 if bounds else 1
        bounds.append(fields.integer("u8", max(lowest, count) if i == groups - 1 else lowest, count))
    kind, exponent = fields.integer("u8", 0, SHORT_BASIS), fields.integer("i8")
    if kind == BUILT_IN_BASIS:
        step = fields.integer("u32", 1, COLOUR_MATRIX_BOUND)
        return Harmonics(count, bounds, exponent, built_in.colour_matrix(step), *built_in.basis_of(count))
    matrix = [fields.integers("i32", 3, -COLOUR_MATRIX_BOUND, COLOUR_MATRIX_BOUND) for _ in range(3)]
    basis = read_basis(fields, count, kind == SHORT_BASIS) if kind else None
    order = read_order(fields, 3 * count) if kind else list(range(3 * count))
    return Harmonics(count, bounds, exponent, matrix, basis, order)


def read_basis(fields: Fields, count: int, is_short: bool) -> list[list[int]]:
    """(4.6) The matrix S[k][kout]; no column is so large that a sum could leave 32 bits."""
    place = fields.place()
    kind, unit = ("i8", 64) if is_short else ("i16", 1)
    basis = [[unit * entry for entry in fields.integers(kind, count)] for _ in range(count)]
    for column in zip(*basis, strict=True):
        if sum(abs(entry) for entry in column) > BASIS_BOUND:
            raise place.malformed("parm.range", "a column of the basis is too large")
    return basis


def read_order(fields: Fields, count: int) -> list[int]:
    """(4.6) A permutation of 0 .. count - 1."""
    order: list[int] = []
    for _ in range(count):
        place = fields.place()
        entry = fields.integer("u8", 0, count - 1)
        if entry in order:
            raise place.malformed("parm.range", f"entry {entry} occurs twice")
        order.append(entry)
    return order


def words_of(extra: ExtraAttribute) -> int:
    """(4.7) In how many words an extra attribute is coded: two for each lossless 64-bit component."""
    is_wide = extra_types.ROWS[extra.type].bytes == 8 and extra.coding == extra_codings.LOSSLESS
    return extra.components * (2 if is_wide else 1)


def read_maps(
    lane: Lane, tables: int, classes: int, harmonics: Harmonics | None, extras: Sequence[ExtraAttribute]
) -> ContextMaps:
    """(4.7) The context maps of all streams, in the order of the streams."""

    def read(contexts: int) -> list[int]:
        return read_context_map(lane, contexts, tables)

    groups = len(harmonics.bounds) if harmonics else 0
    return ContextMaps(
        position=read(165),
        duplicate=read(1),
        importance=read(36),
        scale=read(6 * classes + 512),
        rotation=read(672),
        opacity=read(6 * classes),
        colour=read(54 * classes),
        groups=read(6 * classes * (groups + 1)) if harmonics else [],
        coefficients=read(groups * classes * harmonics.coefficients) if harmonics else [],
        extras=[read(words_of(extra)) for extra in extras],
    )


def read_own(
    fields: Fields, count: int, classes: int, harmonics: Harmonics | None, extras: Sequence[ExtraAttribute]
) -> tuple[list[Table], ContextMaps]:
    """(4.7) `count` tables and the context maps of all streams."""
    words = fields.integer("u32")
    if fields.position + 4 * words != len(fields.payload):
        raise fields.wrong_length()
    place = fields.place()
    lane = Lane(fields.words(words), place)
    tables = [read_table(lane) for _ in range(count)]
    maps = read_maps(lane, count, classes, harmonics, extras)
    if not lane.is_at_end():
        raise place.malformed("entropy.end", "words or state are left over")
    return tables, maps


def read_own_map(lane: Lane, contexts: int, own: int) -> list[int] | None:
    """(3.10) The context map of a stream, if it has one of its own."""
    if read_uniform(lane, 2) == 0:
        return None
    if own == 0:
        raise lane.place.malformed("parm.map", "a map without tables")
    return read_context_map(lane, contexts, own)


def read_built_in(
    fields: Fields, classes: int, harmonics: Harmonics | None, extras: Sequence[ExtraAttribute]
) -> tuple[list[Table], ContextMaps]:
    """(4.7) Tables and context maps of a built-in set, and what is changed of it."""
    place = fields.place()
    if (number := fields.integer("u8")) >= built_in.SETS:
        raise place.unsupported("parm.built_in", f"set {number}")
    own = fields.integer("u8", 0, MAX_TABLES)
    left = len(fields.payload) - fields.position
    if left % 4 != 0:
        raise fields.wrong_length()
    place = fields.place()
    lane = Lane(fields.words(left // 4), place)
    tables = [read_table(lane) for _ in range(own)]
    tables += [built_in.built_in_table(i) for i in range(built_in.TABLES)]
    bounds = harmonics.bounds if harmonics else []
    streams = built_in.clusters_of(classes, bounds, [words_of(extra) for extra in extras])
    own_maps = [read_own_map(lane, len(clusters), own) for clusters in streams]
    by_cluster = zip(streams, own_maps, strict=True)
    occurring = {cluster for clusters, own_map in by_cluster if own_map is None for cluster in clusters}
    table_of = {
        cluster: built_in.read_choice(lane, built_in.standard_table(number, cluster), own)
        for cluster in sorted(occurring)
    }
    if not lane.is_at_end():
        raise place.malformed("entropy.end", "words or state are left over")
    maps = [
        [table_of[cluster] for cluster in clusters] if own_map is None else own_map
        for clusters, own_map in zip(streams, own_maps, strict=True)
    ]
    position, duplicate, importance, scale, rotation, opacity, colour, *rest = maps
    groups, coefficients = (rest.pop(0), rest.pop(0)) if harmonics else ([], [])
    return tables, ContextMaps(
        position, duplicate, importance, scale, rotation, opacity, colour, groups, coefficients, rest
    )


def read_parameters(
    payload: bytes, place: Place, sh_degree: int, extras: Sequence[ExtraAttribute]
) -> Parameters:
    """(4.2) The payload of PARM; `place` is its first byte."""
    fields = Fields(payload, place, "parm")
    id, classes = fields.integer("u8"), fields.integer("u8", 1, 8)
    position_cap, position_mantissa = fields.integer("u8", 0, 7), fields.integer("u16", 1)
    multipliers = [read_multipliers(fields, classes) for _ in range(5)]
    scale, rotation = read_scale(fields), read_rotation(fields)
    opacity, colour = read_opacity(fields), read_colour(fields)
    predicted = fields.integer("u8", 0, 31 | BUILT_IN_SETS)
    sets = [read_predictor_set(fields, i, predicted & BUILT_IN_SETS > 0) for i in range(3)]
    harmonics = read_harmonics(fields, COEFFICIENTS[sh_degree]) if sh_degree > 0 else None
    if table_count := fields.integer("u8", 0, MAX_TABLES):
        tables, maps = read_own(fields, table_count, classes, harmonics, extras)
    else:
        tables, maps = read_built_in(fields, classes, harmonics, extras)
    return Parameters(
        id, classes, position_cap, position_mantissa, multipliers, scale, rotation, opacity, colour,
        predicted & 31, sets, harmonics, tables, maps,
    )  # fmt: skip
