"""(5.1, 5.2) CHNK: up to 65,536 splats that decode on their own, given their parameter set.

| offset | type        | field         | value |
|--------|-------------|---------------|-------|
| 0      | u8          | parameters_id | read by the container |
| 1      | u8          | layer         | read by the container |
| 2      | u16         | reserved      | 0 |
| 4      | u32         | splat_count   | N |
| 8      | u8          | order source  | 0: own positions |
| 9      | u8          | flags         | bit 0: repeats |
| 10     | u8          | depth         | of the finest octree, P - 1 to 20 |
| 11     | i16         | exponent      | of half a finest cell, -200 to 120 |
| 13     | i64[3]      | origin        | in finest cells, magnitude at most 2^35 |
| 37     | 3 x (u8,u8) | distances     | factor and shift of position in each predictor set |
| 43     | u32[P]      | tree counts   | sum N |
|        |             | streams       | for each stream: u8 lanes, u32 words of each lane |
|        | u32[]       | words         | of all lanes, in that order |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec import kernels
from gscodec.attributes import classes, colour, extras, harmonics, opacity, predictor, rotation, scale
from gscodec.container import ChunkHeader, ExtraAttribute, write_chunk_header
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.entropy.streams import StreamBytes
from gscodec.errors import LimitError, Unsupported
from gscodec.geometry import positions
from gscodec.geometry.positions import MAX_DEPTH, Grid, Positions
from gscodec.parameters import (
    COLOUR,
    HARMONICS,
    OPACITY,
    ROTATION,
    SCALE,
    CodingParameters,
    Parameters,
    context_counts,
    words_of,
)

HAS_REPEATS = 1
MAX_SPLATS = 65_536
MAX_ORIGIN = 1 << 35
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkFields:
    """(5.1) The fields between the container's and the streams."""

    count: int
    repeats: bool
    grid: Grid
    distances: tuple[Pair, Pair, Pair]
    tree_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkIntegers:
    """(5.2) What the streams of a chunk hold. N splats, M distinct ones.

    source (N,) is the distinct splat that each splat shows; attributes
    are of the distinct ones, extras of all.
    """

    positions: Positions
    source: NDArray[np.uint32]
    classes: NDArray[np.uint8]
    scale: NDArray[np.int32]
    rotation: NDArray[np.int32]
    opacity: NDArray[np.int32]
    colour: NDArray[np.int32]
    harmonics: NDArray[np.int32] | None
    extras: tuple[NDArray[np.uint32], ...]


def chunk_reader(payload: memoryview, offset: int) -> FieldReader:
    """(5.1) What reads the fields of the chunk whose payload stands at `offset`."""
    return FieldReader(payload, section="CHNK", offset=offset, name="chunk", clause="5.1")


def read_fields(fields: FieldReader, coding: CodingParameters) -> ChunkFields:
    """(5.1) The header of a chunk. Raises `Malformed`, `Unsupported`."""
    fields.integers("u8", 2)
    fields.integer("u16")
    count = fields.integer("u32", 1, MAX_SPLATS)
    place = fields.place
    if order := fields.integer("u8"):
        raise Unsupported("chunk.order", f"order source {order}", clause="5.1", section="CHNK", offset=place)
    place = fields.place
    if (flags := fields.integer("u8")) & ~HAS_REPEATS:
        raise Unsupported("chunk.flags", f"flags {flags:#x}", clause="5.1", section="CHNK", offset=place)
    depth, exponent = fields.integer("u8", coding.trees - 1, MAX_DEPTH), fields.integer("i16", -200, 120)
    x, y, z = fields.integers("i64", 3, -MAX_ORIGIN, MAX_ORIGIN)
    pairs = [(fields.integer("u8"), fields.integer("u8", 0, 31)) for _ in range(3)]
    left, counts = count, []
    for tree in range(coding.trees):
        counts.append(fields.integer("u32", left if tree == coding.trees - 1 else 0, left))
        left -= counts[-1]
    return ChunkFields(
        count=count,
        repeats=bool(flags & HAS_REPEATS),
        grid=Grid(depth=depth, exponent=exponent, origin=(x, y, z)),
        distances=(pairs[0], pairs[1], pairs[2]),
        tree_counts=tuple(counts),
    )


def write_chunk(
    header: ChunkHeader, chunk: ChunkFields, streams: Sequence[tuple[NDArray[np.uint32], NDArray[np.uint32]]]
) -> bytes:
    """(5.1, 5.2) The payload of CHNK; `streams` are (words, words per lane), in order."""
    f = FieldWriter()
    f.integers("u8", [0, int(chunk.repeats) * HAS_REPEATS, chunk.grid.depth])
    f.integer("i16", chunk.grid.exponent)
    f.integers("i64", list(chunk.grid.origin))
    f.integers("u8", [value for pair in chunk.distances for value in pair])
    f.integers("u32", list(chunk.tree_counts))
    for _, counts in streams:
        f.integer("u8", len(counts))
        f.integers("u32", counts.tolist())
    words = (words.astype("<u4", copy=False).tobytes() for words, _ in streams)
    return b"".join([write_chunk_header(header), bytes(f.data), *words])


def stream_names(coding: CodingParameters, extra: Sequence[ExtraAttribute], *, repeats: bool) -> list[str]:
    """(5.2) The streams of a chunk in order."""
    return [name for name in context_counts(coding, extra) if repeats or name != "repeat"]


def read_lengths(fields: FieldReader, names: Sequence[str]) -> dict[str, list[int]]:
    """(5.2) The words of each lane of each stream. Raises `Malformed`."""
    lengths = {}
    for name in names:
        place = fields.place
        if (lanes := fields.integer("u8", 1, 4)) == 3:
            raise fields.malformed("chunk.range", "3 lanes", place)
        lengths[name] = fields.integers("u32", lanes)
    if len(fields.payload) - fields.position != 4 * sum(map(sum, lengths.values())):
        raise fields.wrong_length()
    return lengths


def _read_streams(fields: FieldReader, names: Sequence[str]) -> Mapping[str, StreamBytes]:
    streams = {}
    for name, counts in read_lengths(fields, names).items():
        size = 4 * sum(counts)
        data = np.frombuffer(fields.payload, np.uint8, size, fields.position)
        streams[name] = StreamBytes(
            name=name, counts=np.array(counts, np.uint32), data=data, offset=fields.place
        )
        fields.position += size
    return streams


def read_chunk(
    payload: memoryview,
    offset: int,
    parameters: Parameters,
    extra: Sequence[ExtraAttribute],
    *,
    max_symbols: int = 1 << 24,
) -> tuple[ChunkFields, ChunkIntegers]:
    """(5.2) All integers of the chunk whose payload stands at `offset`. Raises `StreamError`."""
    coding, tables, maps = parameters.coding, parameters.tables, parameters.maps
    fields = chunk_reader(payload, offset)
    chunk = read_fields(fields, coding)
    for attribute in extra:
        if chunk.count * words_of(attribute) > max_symbols:
            raise LimitError(
                "limit.stream_symbols",
                f"attribute {attribute.name!r}",
                clause="5.13",
                section="CHNK",
                offset=offset + 4,
            )
    streams = _read_streams(fields, stream_names(coding, extra, repeats=chunk.repeats))

    place = positions.read(streams["position"], tables, maps["position"], chunk.grid, list(chunk.tree_counts))
    source = np.arange(chunk.count, dtype=np.uint32)
    x, tree = place.x, place.tree  # of the distinct splats
    if chunk.repeats:
        repeat = classes.read_repeats(streams["repeat"], tables, maps["repeat"], place)
        distinct = np.flatnonzero(repeat == 0)
        if len(distinct) < chunk.count:
            source = np.cumsum(repeat == 0, dtype=np.uint32) - np.uint32(1)
            x, tree = x.take(distinct, 0), tree.take(distinct)
    klass = classes.read_classes(streams["class"], tables, maps["class"], coding, tree)

    def side(attribute: int, found: predictor.Similar | None) -> kernels.Side:
        return predictor.side(coding, attribute, klass, found)

    similar = predictor.similar(coding, 0, (x, chunk.distances[0]))
    scales = scale.read(streams["scale"], tables, maps["scale"], side(SCALE, similar), coding.scale)
    similar = predictor.similar(coding, 1, (x, chunk.distances[1]), scales)
    rotations = rotation.read(
        streams["rotation"], tables, maps["rotation"], side(ROTATION, similar), coding.rotation, scales
    )
    opacities = opacity.read(streams["opacity"], tables, maps["opacity"], side(OPACITY, similar))
    colours = colour.read(streams["colour"], tables, maps["colour"], side(COLOUR, similar))
    rest = None
    if coding.harmonics is not None:
        similar = predictor.similar(coding, 2, (x, chunk.distances[2]), scales, colours)
        rest = harmonics.read(
            streams["groups"],
            streams["coefficients"],
            tables,
            (maps["groups"], maps["coefficients"]),
            side(HARMONICS, similar),
            coding.harmonics,
        )
    words = tuple(
        extras.read(streams[f"extra {k}"], tables, maps[f"extra {k}"], attribute, chunk.count)
        for k, attribute in enumerate(extra)
    )
    return chunk, ChunkIntegers(
        positions=place, source=source, classes=klass, scale=scales, rotation=rotations, opacity=opacities,
        colour=colours, harmonics=rest, extras=words,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A chunk as a writer has it before tables are known: its fields, steps by stream, and integers."""

    fields: ChunkFields
    ops: dict[str, kernels.Ops]
    integers: ChunkIntegers

    def encoded(self, parameters: Parameters) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.uint32]]]:
        """(words, words per lane) of each stream."""
        for name, ops in self.ops.items():
            yield ops.encode(parameters.tables.kernel, parameters.maps[name])
