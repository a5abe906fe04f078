"""Small files with chosen values, valid or wrong on purpose.

Like streams.py, this lets the reference decoder ask for its values; here they come from a script, and what
the script does not give is 0, or the smallest value that is valid. `change` sees every value before it is
coded and may replace it, so that a file can be wrong in one value only. Standard library only.
"""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fixup import section
from rans import RANK_ESCAPE, LaneWriter, TableDraft, draft_table, write_table, zigzag
from streams import (
    NO_MAPS,
    Event,
    Recorder,
    coded_symbol,
    has_symbols,
    lane_words,
    map_sizes,
    parameter_bytes,
    scene_payload,
    stream_names,
    with_multipliers,
    write_choice,
)

from gscodec.reference import built_in
from gscodec.reference.chunk import ChunkHeader, read_streams
from gscodec.reference.container import MAJOR, MINOR, ExtraAttribute, SceneHeader, decoded_bytes_per_splat
from gscodec.reference.entropy import Stream, signed_from_zigzag
from gscodec.reference.faults import Place
from gscodec.reference.parameters import (
    BUILT_IN_SETS,
    Colour,
    Opacity,
    Parameters,
    PredictorSet,
    Rotation,
    Scale,
    words_of,
)

Script = Mapping[str, Sequence[int | None]]  # by stream; None: the value that is asked for least
Streams = list[tuple[str, list[Event]]]
SIGNATURE = bytes.fromhex("894753430D0A1A0A")
NEITHER = PredictorSet(0, 1, [256] * 6, [0] * 5, [])  # window 0: nothing is predicted

PLAIN = Parameters(
    id=0,
    classes=1,
    position_cap=0,
    position_mantissa=1,
    multipliers=[[0, 0] for _ in range(5)],  # exponent id and cap of each attribute
    scale=Scale(step=1 << 24, offset=-(5 << 19), floor=0, dilation=0, dilation_log=0),
    rotation=Rotation(axis_factor=256, twist_factor=256, axis_cells=16, twist_cells=16),
    opacity=Opacity(step=1 << 24, offset=-(1 << 19)),
    colour=Colour(exponent=0, mantissas=[1, 1, 1], offsets=[0, 0, 0]),
    predicted=0,
    sets=[replace(NEITHER, distances=[(0, 0)] * attributes) for attributes in range(3)],
    harmonics=None,
    tables=[],
    maps=NO_MAPS,
)


@dataclass
class Scripted(Recorder):
    """A stream whose values come from a script."""

    script: list[int | None] = field(default_factory=list)

    def chosen(self, fallback: int) -> int:
        value = self.script.pop(0) if self.script else None
        return fallback if value is None else value

    def bits(self, number: int, count: int) -> int:
        return self.note("bits", number, count, self.chosen(0))

    def uniform(self, number: int, n: int) -> int:
        return self.note("uniform", number, n, self.chosen(0))

    def symbol(self, number: int, context: int, allowed: Container[int], code: str = "static.symbol") -> int:
        value = self.chosen(min(s for s in range(256) if s in allowed))
        return self.note("symbol", number, context, self.check(value, allowed, code))

    def hybrid(self, number: int, context: int, allowed: range, code: str = "static.range") -> int:
        value = self.chosen(self.fit(0, allowed))
        return self.note("hybrid", number, context, self.check(value, allowed, code))

    def signed(self, number: int, context: int, allowed: range, code: str = "static.range") -> int:
        value = self.check(self.chosen(self.fit(0, allowed)), allowed, code)
        self.note("hybrid", number, context, zigzag(value))
        return value


@dataclass(frozen=True)
class Recipe:
    """One parameter set and one chunk. `parameters.multipliers` holds exponents and caps."""

    count: int = 1
    script: Script = field(default_factory=dict)
    sh_degree: int = 0
    extras: list[ExtraAttribute] = field(default_factory=list)
    parameters: Parameters = field(default_factory=lambda: PLAIN)
    depth: int = 2
    exponent: int = -2
    origin: tuple[int, int, int] = (-2, -2, -2)
    tree_counts: list[int] | None = None
    has_duplicates: bool = False
    lanes: int = 1
    resolution: int = 10


def chunk_header(recipe: Recipe) -> ChunkHeader:
    trees = recipe.parameters.trees()
    counts = recipe.tree_counts or [recipe.count, *[0] * (trees - 1)]
    return ChunkHeader(
        recipe.count,
        recipe.has_duplicates,
        recipe.depth,
        recipe.exponent,
        list(recipe.origin),
        [(0, 0)] * 3,
        counts,
    )


def record(recipe: Recipe, header: ChunkHeader) -> Streams:
    """Run the reference decoder; what it asked for, stream by stream."""
    names = stream_names(header, recipe.parameters, recipe.extras)
    recorders: list[Scripted] = []

    def next_stream() -> Stream:
        script = list(recipe.script.get(names[len(recorders)], ()))
        recorders.append(Scripted([], [], [], Place("CHNK", 0), random.Random(0), script=script))
        return recorders[-1]

    read_streams(header, with_multipliers(recipe.parameters), recipe.extras, next_stream)
    for name, recorder in zip(names, recorders, strict=True):
        if recorder.script:
            raise ValueError(f"stream {name}: {len(recorder.script)} values left over")
    return [(name, r.events) for name, r in zip(names, recorders, strict=True)]


def common_draft(streams: Streams, resolution: int) -> TableDraft:
    """One table for all symbols of all streams."""
    counts: dict[int, int] = {}
    for _, events in streams:
        for event in events:
            if (symbol := coded_symbol(event)) is not None:
                counts[symbol] = counts.get(symbol, 0) + 1
    return draft_table(counts or {0: 1}, resolution)


def write_maps(lane: LaneWriter, sizes: Mapping[str, int]) -> None:
    """Every context of every stream uses table 0."""
    for _ in sizes:
        lane.uniform(0, 2)


def tables_tail(words: Sequence[int], tables: int = 1) -> bytes:
    """The end of a parameter set: the lane of tables and maps."""
    return struct.pack(f"<BI{len(words)}I", tables, len(words), *words)


def chunk_bytes(recipe: Recipe, header: ChunkHeader, lanes: Sequence[Sequence[Sequence[int]]]) -> bytes:
    """The payload of CHNK from the words of each lane of each stream."""
    out = struct.pack("<BBHI", recipe.parameters.id, 0, 0, header.count)
    flags = int(header.has_duplicates)
    out += struct.pack("<BBBh3q", 0, flags, header.depth, header.exponent, *header.origin)
    out += bytes(value for pair in header.distances for value in pair)
    out += struct.pack(f"<{len(header.tree_counts)}I", *header.tree_counts)
    for stream in lanes:
        out += struct.pack(f"<B{len(stream)}I", len(stream), *map(len, stream))
    return out + b"".join(struct.pack(f"<{len(w)}I", *w) for stream in lanes for w in stream)


def payloads(
    recipe: Recipe, change: Callable[[dict[str, list[Event]]], None] = lambda streams: None
) -> tuple[bytes, bytes]:
    """The payloads of PARM and CHNK."""
    header = chunk_header(recipe)
    streams = record(recipe, header)
    change(dict(streams))
    draft = common_draft(streams, recipe.resolution)
    lane = LaneWriter()
    write_table(lane, draft)
    sizes = map_sizes(recipe.parameters, recipe.extras)
    write_maps(lane, sizes)
    words = [
        lane_words(events, recipe.lanes, [draft.table], [0] * sizes.get(name, 1)) for name, events in streams
    ]
    return parameter_bytes(recipe.parameters) + tables_tail(lane.words()), chunk_bytes(recipe, header, words)


def built_in_payloads(recipe: Recipe, number: int = 0) -> tuple[bytes, bytes]:
    """(3.10) The same with built-in predictor sets, and those built-in tables that have the symbols."""
    header = chunk_header(recipe)
    streams = record(recipe, header)
    p = replace(recipe.parameters, predicted=recipe.parameters.predicted | BUILT_IN_SETS)
    sizes = map_sizes(p, recipe.extras)
    parts = built_in.clusters_of(
        p.classes, p.harmonics.bounds if p.harmonics else [], [words_of(extra) for extra in recipe.extras]
    )
    clusters = dict(zip(sizes, parts, strict=True))
    used: dict[int, set[int]] = {cluster: set() for part in parts for cluster in part}
    for name, events in streams:
        for event in events:
            if (symbol := coded_symbol(event)) is not None:
                used[clusters[name][event[2]]].add(symbol)
    lane, chosen = LaneWriter(), {}
    for _ in parts:
        lane.uniform(0, 2)
    for cluster, symbols in sorted(used.items()):
        standard = built_in.standard_table(number, cluster)
        near = [standard + signed_from_zigzag(code) for code in range(RANK_ESCAPE)]
        options = [*(t for t in near if 0 <= t < built_in.TABLES), built_in.TABLES - 1]
        chosen[cluster] = next(t for t in options if has_symbols(built_in.built_in_table(t), symbols))
        write_choice(lane, chosen[cluster], standard, 0, is_long=False)
    tables = [built_in.built_in_table(i) for i in range(built_in.TABLES)]
    maps = {name: [chosen[cluster] for cluster in part] for name, part in clusters.items()}
    words = [lane_words(events, recipe.lanes, tables, maps[name]) for name, events in streams]
    tail = struct.pack(f"<3B{len(lane.words())}I", 0, number, 0, *lane.words())
    return parameter_bytes(p) + tail, chunk_bytes(recipe, header, words)


def file_header(level: int = 1, stream_mode: bool = True) -> bytes:
    start = SIGNATURE + struct.pack("<4BI", MAJOR, MINOR, 0, level, int(stream_mode))
    return start + struct.pack("<I", zlib.crc32(start))


def scene_section(recipe: Recipe, splats: int | None = None, chunks: int = 1) -> bytes:
    count = recipe.count if splats is None else splats
    return section(b"SCEN", scene_payload(count, chunks, recipe.sh_degree, recipe.extras))


def end_section(splats: int) -> bytes:
    return section(b"ENDM", struct.pack("<Q", splats))


def stream_file(recipe: Recipe, parameters: bytes, chunk: bytes) -> bytes:
    """A stream of one parameter set and one chunk."""
    start = file_header() + scene_section(recipe)
    return start + section(b"PARM", parameters) + section(b"CHNK", chunk) + end_section(recipe.count)


def file_from_recipe(
    recipe: Recipe, change: Callable[[dict[str, list[Event]]], None] = lambda streams: None
) -> bytes:
    """A file in stream mode."""
    return stream_file(recipe, *payloads(recipe, change))


def file_mode(recipe: Recipe, parameters: bytes, chunk: bytes) -> bytes:
    """(2.2) The same in file mode: an index in front, a hash at the end."""
    body = [scene_section(recipe), section(b"PARM", parameters), section(b"CHNK", chunk)]
    scene = SceneHeader(0, 0, recipe.sh_degree, 0, 0, 0, 0, 0, 0, 0.0, (), (), recipe.extras)
    decoded = recipe.count * decoded_bytes_per_splat(scene)
    start = file_header(stream_mode=False)
    at = len(start) + 20 + 4 + 20 * len(body) + 4 + 72
    index = struct.pack("<I", len(body))
    for part in body:
        index += struct.pack("<4sQQ", part[:4], at, len(part))
        at += len(part)
    index += struct.pack(
        "<IQIB3sQ12f", 1, 0, recipe.count, 0, b"", decoded, *[-9.0] * 3, *[9.0] * 3, *[-9.0] * 3, *[9.0] * 3
    )
    data = start + section(b"INDX", index) + b"".join(body)
    return data + section(b"ENDM", struct.pack("<Q", recipe.count) + hashlib.sha256(data).digest())
