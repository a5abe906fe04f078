"""(5) The chunk: its header, its streams and the order in which they are decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from gscodec.reference.colour import read_colours
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.entropy import Lane, Stream
from gscodec.reference.extras import read_extra
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields
from gscodec.reference.harmonics import read_coefficients, read_groups
from gscodec.reference.importance import read_classes
from gscodec.reference.opacity import read_opacities
from gscodec.reference.parameters import (
    COLOUR,
    HARMONICS,
    OPACITY,
    ROTATION,
    SCALE,
    Parameters,
    read_distance,
    words_of,
)
from gscodec.reference.position import Cell, read_duplicates, read_positions
from gscodec.reference.predictor import UNPREDICTED, Neighbours, Triple, all_neighbours
from gscodec.reference.rotation import Quaternion, read_rotations
from gscodec.reference.scale import read_scales

OWN_POSITIONS = 0
HAS_DUPLICATES = 1
MAX_SPLATS = 65_536
MAX_DEPTH = 20
MAX_ORIGIN = 1 << 35
MAX_STREAM_SYMBOLS = 1 << 24


@dataclass
class ChunkHeader:
    """(5.1) The fields in front of the streams."""

    count: int
    has_duplicates: bool
    depth: int
    exponent: int
    origin: list[int]
    distances: list[tuple[int, int]]  # position weights of the three predictor sets
    tree_counts: list[int]


@dataclass
class Splats:
    """(5.2) The integers of a chunk; attributes are those of the distinct splats."""

    positions: list[Cell] = field(default_factory=list)
    position_classes: list[int] = field(default_factory=list)
    distinct: list[int] = field(default_factory=list)  # for each splat, the distinct splat that it shows
    classes: list[int] = field(default_factory=list)
    scales: list[Triple] = field(default_factory=list)
    rotations: list[Quaternion] = field(default_factory=list)
    opacities: list[int] = field(default_factory=list)
    colours: list[Triple] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    coefficients: list[list[int]] = field(default_factory=list)
    extras: list[list[list[int]]] = field(default_factory=list)  # by attribute, then splat


def read_header(fields: Fields, parameters: Parameters) -> ChunkHeader:
    """(5.1) The header; its first 8 bytes have been checked with the container."""
    fields.integers("u8", 2)
    fields.integer("u16")
    count = fields.integer("u32", 1, MAX_SPLATS)
    place = fields.place()
    if (order := fields.integer("u8")) != OWN_POSITIONS:
        raise place.unsupported("chunk.order", f"order source {order}")
    place = fields.place()
    if (flags := fields.integer("u8")) & ~HAS_DUPLICATES:
        raise place.unsupported("chunk.flags", f"flags {flags:#x}")
    depth = fields.integer("u8", parameters.trees() - 1, MAX_DEPTH)
    exponent = fields.integer("i16", -200, 120)
    origin = fields.integers("i64", 3, -MAX_ORIGIN, MAX_ORIGIN)
    distances = [read_distance(fields) for _ in range(3)]
    tree_counts: list[int] = []
    for p in reversed(range(parameters.trees())):
        left = count - sum(tree_counts)
        tree_counts.append(fields.integer("u32", left if p == 0 else 0, left))
    return ChunkHeader(count, flags == HAS_DUPLICATES, depth, exponent, origin, distances, tree_counts)


def check_symbols(count: int, extras: Sequence[ExtraAttribute], place: Place) -> None:
    """(5.13) No stream has more values than a level allows; only those of extra attributes could."""
    for extra in extras:
        if count * words_of(extra) > MAX_STREAM_SYMBOLS:
            raise place.over_limit("limit.stream_symbols", f"attribute {extra.name!r}")


def context_maps(header: ChunkHeader, parameters: Parameters) -> list[list[int]]:
    """(5.2) The context map of each stream of the chunk, in the order of the streams."""
    maps = parameters.maps
    first = [maps.position] + ([maps.duplicate] if header.has_duplicates else [])
    fixed = [maps.importance, maps.scale, maps.rotation, maps.opacity, maps.colour]
    harmonics = [maps.groups, maps.coefficients] if parameters.harmonics else []
    return first + fixed + harmonics + maps.extras


def read_lengths(fields: Fields, streams: int) -> list[list[int]]:
    """(5.2) The words of each lane of each stream; together they fill the payload."""
    lengths = []
    for _ in range(streams):
        place = fields.place()
        lanes = fields.integer("u8", 1, 4)
        if lanes == 3:
            raise place.malformed("chunk.range", "3 lanes")
        lengths.append(fields.integers("u32", lanes))
    if fields.position + 4 * sum(map(sum, lengths)) != len(fields.payload):
        raise fields.wrong_length()
    return lengths


def neighbours_if_predicted(
    attribute: int, found: list[Neighbours], parameters: Parameters
) -> list[Neighbours]:
    """(5.7) The neighbours for an attribute, none for one that is not predicted."""
    return found if parameters.is_predicted(attribute) else [UNPREDICTED] * len(found)


def read_streams(
    header: ChunkHeader,
    parameters: Parameters,
    extras: Sequence[ExtraAttribute],
    next_stream: Callable[[], Stream],
) -> Splats:
    """(5.2) Every stream in order; `next_stream` opens the one that follows."""
    s, sets = Splats(), parameters.sets

    def neighbours(which: int, attributes: list[list[Triple]]) -> list[Neighbours]:
        factors = [header.distances[which], *sets[which].distances]
        return all_neighbours(attributes, factors, sets[which])

    def near(attribute: int, found: list[Neighbours]) -> list[Neighbours]:
        return neighbours_if_predicted(attribute, found, parameters)

    s.positions, s.position_classes = read_positions(next_stream(), header.depth, header.tree_counts)
    repeats = [False] * header.count
    if header.has_duplicates:
        repeats = read_duplicates(next_stream(), s.positions)
    firsts = [i for i, repeat in enumerate(repeats) if not repeat]
    s.distinct = [shown - 1 for shown in accumulate(not repeat for repeat in repeats)]
    positions = [s.positions[i] for i in firsts]
    s.classes = read_classes(next_stream(), [s.position_classes[i] for i in firsts], parameters)

    found = neighbours(0, [positions])
    s.scales = read_scales(next_stream(), s.classes, near(SCALE, found), parameters)

    found = neighbours(1, [positions, s.scales])
    s.rotations = read_rotations(next_stream(), s.classes, s.scales, near(ROTATION, found), parameters)
    s.opacities = read_opacities(next_stream(), s.classes, near(OPACITY, found), parameters)
    s.colours = read_colours(next_stream(), s.classes, near(COLOUR, found), parameters)

    if parameters.harmonics:
        found = near(HARMONICS, neighbours(2, [positions, s.scales, s.colours]))
        groups = len(parameters.harmonics.bounds)
        s.groups = read_groups(next_stream(), s.classes, found, groups, parameters)
        s.coefficients = read_coefficients(
            next_stream(), s.classes, s.groups, found, parameters.harmonics, parameters
        )
    s.extras = [read_extra(next_stream(), extra, header.count) for extra in extras]
    return s


def read_chunk(
    payload: bytes, place: Place, parameters: Parameters, extras: Sequence[ExtraAttribute]
) -> tuple[ChunkHeader, Splats]:
    """(5) The payload of CHNK; `place` is its first byte."""
    fields = Fields(payload, place, "chunk")
    header = read_header(fields, parameters)
    check_symbols(header.count, extras, place.after(4))
    maps = context_maps(header, parameters)
    waiting = list(zip(maps, read_lengths(fields, len(maps)), strict=True))

    def next_stream() -> Stream:
        contexts, lengths = waiting.pop(0)
        here = fields.place()
        lanes = [Lane(fields.words(length), here) for length in lengths]
        return Stream(lanes, parameters.tables, contexts, here)

    return header, read_streams(header, parameters, extras, next_stream)
