r"""Random valid streams: the reference decoder, with a coder that draws values instead of decoding them.

From the root of the repository:

    PYTHONPATH=.:conformance/generators python -c \
        "import sys, streams; sys.stdout.buffer.write(streams.file_from_seed(7).data)" > 7.gsc

The same seed gives the same bytes. First the decoder's own functions draw every value, so that every value
is valid and what they return is what a decoder must find; then the values are counted, tables and context
maps are made for them at random, and rANS codes them. All tools occur. Standard library only.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace

from fixup import section
from rans import RANK_ESCAPE, RANKS, LaneWriter, draft_table, token_of, write_context_map, write_table, zigzag

from gscodec._generated import extra_codings, extra_types
from gscodec.reference import built_in
from gscodec.reference.chunk import ChunkHeader, Splats, check_symbols, read_streams
from gscodec.reference.container import MAJOR, MINOR, ExtraAttribute
from gscodec.reference.entropy import Stream, Table
from gscodec.reference.faults import Place
from gscodec.reference.parameters import (
    BUILT_IN_BASIS,
    BUILT_IN_SETS,
    COEFFICIENTS,
    MULTIPLIERS,
    SHORT_BASIS,
    Colour,
    ContextMaps,
    Harmonics,
    Opacity,
    Parameters,
    PredictorSet,
    Rotation,
    Scale,
    words_of,
)

NOWHERE = Place("CHNK", 0)
NO_MAPS = ContextMaps([], [], [], [], [], [], [], [], [], [])

Event = tuple[str, int, int, int]  # kind, number of the value, context or count or n, value


@dataclass
class Recorder(Stream):
    """A stream that draws a valid value where a decoder would read one, and notes it."""

    rng: random.Random = field(default_factory=random.Random)
    spread: float = 1.0  # how far values go from the smallest
    wild: float = 0.0  # how often a value is the largest or smallest that is valid
    events: list[Event] = field(default_factory=list)

    def note(self, kind: str, number: int, detail: int, value: int) -> int:
        self.events.append((kind, number, detail, value))
        return value

    def bits(self, number: int, count: int) -> int:
        return self.note("bits", number, count, self.rng.randrange(1 << count))

    def uniform(self, number: int, n: int) -> int:
        return self.note("uniform", number, n, self.rng.randrange(n))

    def symbol(self, number: int, context: int, allowed: Container[int], code: str = "static.symbol") -> int:
        possible = [s for s in range(256) if s in allowed]
        place = self.rng.randrange(len(possible))
        if possible[-1] > 17 or self.rng.random() < 0.3:  # mostly small rotation residuals
            place = min(len(possible) - 1, int(self.rng.expovariate(1 / self.spread)))
            if self.rng.random() < self.wild:
                place = len(possible) - 1 - self.rng.randrange(2)
        return self.note("symbol", number, context, possible[max(0, place)])

    def hybrid(self, number: int, context: int, allowed: range, code: str = "static.range") -> int:
        value = int(self.rng.expovariate(1 / self.spread))
        return self.note("hybrid", number, context, self.fit(value, allowed))

    def signed(self, number: int, context: int, allowed: range, code: str = "static.range") -> int:
        value = int(self.rng.gauss(0, self.spread))
        value = self.fit(value, allowed)
        self.note("hybrid", number, context, zigzag(value))
        return value

    def fit(self, value: int, allowed: range) -> int:
        """The nearest valid value, or now and then one at the end of the range."""
        if self.rng.random() < self.wild:
            return self.rng.choice([allowed[0], allowed[-1]])
        return min(max(value, allowed[0]), allowed[-1])

    def end(self) -> None:
        pass


@dataclass
class Drawn:
    """A chunk with all that was drawn for it."""

    header: ChunkHeader
    layer: int
    splats: Splats
    streams: list[tuple[str, list[Event]]]


# ------------------------------------------------------------ parameters


def draw_set(rng: random.Random, attributes: int) -> PredictorSet:
    return PredictorSet(
        window=rng.choice([0, 1, 2, 5, 8, 16, 16]),
        power=rng.randint(1, 4),
        shrink=[rng.choice([0, 64, 200, 250, 256]) for _ in range(6)],
        thresholds=sorted(rng.randint(0, 120) for _ in range(5)),
        distances=[
            (rng.randint(0, 255), rng.randint(0, 31 if rng.random() < 0.1 else 10)) for _ in range(attributes)
        ],
    )


def draw_basis(rng: random.Random, n: int) -> list[list[int]]:
    most = 32767 // n
    basis = [[rng.randint(-most, most) for _ in range(n)] for _ in range(n)]
    if rng.random() < 0.5:
        for k in range(n):  # nearly the identity, as real ones are
            basis[k] = [(16384 if n == 3 else 8192) * (k == j) + rng.randint(-900, 900) for j in range(n)]
    return basis


def draw_harmonics(rng: random.Random, n: int) -> Harmonics:
    bounds = sorted({n, *(rng.randint(1, n) for _ in range(rng.randint(0, 7)))})[-8:]
    order = list(range(3 * n))
    basis = draw_basis(rng, n) if rng.random() < 0.6 else None
    if basis:
        rng.shuffle(order)
    largest = rng.choice([300, 40_000, (1 << 21) - 1])
    matrix = [[rng.randint(-largest, largest) for _ in range(3)] for _ in range(3)]
    return Harmonics(n, bounds, rng.choice([-128, -20, -16, 0, 127]), matrix, basis, order)


def draw_parameters(rng: random.Random, id: int, sh_degree: int) -> Parameters:
    classes = rng.choice([1, 2, 3, 5, 8, 8])
    dilation = rng.randint(0, 1)
    multipliers = [[rng.randint(0, 3), rng.choice([0, 3, 7, 7])] for _ in range(5)]
    return Parameters(
        id=id,
        classes=classes,
        position_cap=rng.choice([0, 1, 4, 7, 7]),
        position_mantissa=rng.choice([1, 65535, rng.randint(1, 65535)]),
        multipliers=multipliers,  # exponent id and cap, until `with_multipliers`
        scale=Scale(
            rng.choice([1, 1 << 28, rng.randint(1 << 19, 1 << 23)]),
            rng.randint(-(5 << 20), 3 << 20)
            if rng.random() < 0.9
            else rng.choice([-(1 << 31), (1 << 31) - 1]),
            rng.randint(-4000, 4000),
            dilation,
            rng.randint(-(6 << 20), 1 << 20) if dilation else 0,
        ),
        rotation=Rotation(
            rng.choice([1, 1 << 28, rng.randint(200, 1 << 16)]),
            rng.choice([1, 1 << 28, rng.randint(200, 1 << 16)]),
            rng.choice([1, 17, 255, 2048, 2048]),
            rng.choice([1, 17, 255, 2048, 2048]),
        ),
        opacity=Opacity(
            rng.choice([1, 1 << 28, rng.randint(1 << 18, 1 << 22)]), rng.randint(-(4 << 20), 1 << 17)
        ),
        colour=Colour(
            rng.choice([-128, 127, -17, -14, -12]),
            [rng.choice([1, 65535, rng.randint(1, 65535)]) for _ in range(3)],
            [rng.choice([0, -262143, 262143, rng.randint(-9000, 9000)]) for _ in range(3)],
        ),
        predicted=rng.choice([0, 31, 31, 31, rng.randint(0, 31)]),
        sets=[draw_set(rng, k) for k in range(3)],
        harmonics=draw_harmonics(rng, COEFFICIENTS[sh_degree]) if sh_degree else None,
        tables=[],
        maps=NO_MAPS,
    )


def with_multipliers(p: Parameters) -> Parameters:
    """The parameters as a decoder sees them."""
    rows = [[MULTIPLIERS[e][min(c, cap)] for c in range(p.classes)] for e, cap in p.multipliers]
    return replace(p, multipliers=rows)


def map_sizes(p: Parameters, extras: list[ExtraAttribute]) -> dict[str, int]:
    """(4.7) The contexts of each stream."""
    k, groups = p.classes, len(p.harmonics.bounds) if p.harmonics else 0
    sizes = {"position": 165, "duplicate": 1, "importance": 36, "scale": 6 * k + 512, "rotation": 672}
    sizes |= {"opacity": 6 * k, "colour": 54 * k}
    if p.harmonics:
        sizes |= {"groups": 6 * k * (groups + 1), "coefficients": groups * k * p.harmonics.coefficients}
    return sizes | {f"extra {i}": words_of(extra) for i, extra in enumerate(extras)}


def parameter_bytes(p: Parameters, basis: int | None = None, step: int = 0) -> bytes:
    """(4.2) Everything up to the tables; `p.multipliers` holds exponents and caps.

    `basis` is how that of the harmonics is stored, if not 0 or 1; built in (2) with its `step`. With bit 5 of
    `p.predicted`, predictor sets are not stored.
    """
    out = struct.pack("<BBBH", p.id, p.classes, p.position_cap, p.position_mantissa)
    out += bytes(value for pair in p.multipliers for value in pair)
    s, r, c = p.scale, p.rotation, p.colour
    out += struct.pack("<IiiBi", s.step, s.offset, s.floor, s.dilation, s.dilation_log)
    out += struct.pack("<IIHH", r.axis_factor, r.twist_factor, r.axis_cells, r.twist_cells)
    out += struct.pack("<Ii", p.opacity.step, p.opacity.offset)
    out += struct.pack("<b3H3iB", c.exponent, *c.mantissas, *c.offsets, p.predicted)
    for settings in p.sets:
        if not p.predicted & BUILT_IN_SETS:
            fixed = settings.window, settings.power, *settings.shrink, *settings.thresholds
            out += struct.pack("<BB6H5B", *fixed)
        out += bytes(value for pair in settings.distances for value in pair)
    if p.harmonics:
        h = p.harmonics
        kind = int(h.basis is not None) if basis is None else basis
        out += bytes([len(h.bounds), *h.bounds, kind]) + struct.pack("<b", h.exponent)
        if kind == BUILT_IN_BASIS:
            return out + struct.pack("<I", step)
        out += struct.pack("<9i", *(entry for row in h.colour_matrix for entry in row))
        if h.basis is not None:
            form, unit = ("b", 64) if kind == SHORT_BASIS else ("h", 1)
            out += b"".join(struct.pack(f"<{len(row)}{form}", *(v // unit for v in row)) for row in h.basis)
            out += bytes(h.order)
    return out


# ------------------------------------------------------------ chunks


def draw_header(rng: random.Random, p: Parameters, most: int) -> ChunkHeader:
    trees = p.trees()
    count = rng.choice([1, 2, rng.randint(1, most), most])
    counts = [0] * trees
    for _ in range(count):
        counts[min(trees - 1, int(rng.expovariate(1)))] += 1
    depth = rng.choice([trees - 1, trees, rng.randint(trees - 1, 20), 12, 20])
    return ChunkHeader(
        count,
        rng.random() < 0.5,
        max(depth, trees - 1),
        rng.choice([-200, 120, -20, -10, 0]),
        [rng.choice([0, -(1 << 35), 1 << 35, rng.randint(-9999, 9999)]) for _ in range(3)],
        [(rng.randint(0, 255), rng.randint(0, 20)) for _ in range(3)],
        counts,
    )


def stream_names(header: ChunkHeader, p: Parameters, extras: list[ExtraAttribute]) -> list[str]:
    """(5.2) The streams of a chunk in order."""
    names = ["position", "duplicate"] if header.has_duplicates else ["position"]
    names += ["importance", "scale", "rotation", "opacity", "colour"]
    if p.harmonics:
        names += ["groups", "coefficients"]
    return names + [f"extra {i}" for i in range(len(extras))]


def draw_chunk(rng: random.Random, p: Parameters, extras: list[ExtraAttribute], most: int) -> Drawn:
    """Run the reference decoder, drawing every value."""
    header = draw_header(rng, p, most)
    check_symbols(header.count, extras, NOWHERE)
    names = stream_names(header, p, extras)
    recorders: list[Recorder] = []

    def next_stream() -> Stream:
        name = names[len(recorders)]
        spread = rng.choice([0.1, 1.0, 1.0, 4.0, 30.0])
        if name.startswith("extra"):
            spread = rng.choice([1.0, 100.0, 1e6])
        wild = rng.choice([0, 0, 0.001, 0.02])
        recorders.append(Recorder([], [], [], NOWHERE, random.Random(rng.random()), spread, wild))
        return recorders[-1]

    splats = read_streams(header, p, extras, next_stream)
    streams = [(name, r.events) for name, r in zip(names, recorders, strict=True)]
    return Drawn(header, rng.randint(0, 3), splats, streams)


def coded_symbol(event: Event) -> int | None:
    """The table symbol of an event, if it has one."""
    kind, _, _, value = event
    return value if kind == "symbol" else token_of(value) if kind == "hybrid" else None


def lane_words(events: list[Event], lanes: int, tables: list[Table], chosen: list[int]) -> list[list[int]]:
    """The words of each lane of a stream."""
    writers = [LaneWriter() for _ in range(lanes)]
    for kind, number, detail, value in events:
        lane = writers[number % lanes]
        if kind == "bits":
            lane.bits(value, detail)
        elif kind == "uniform":
            lane.uniform(value, detail)
        elif kind == "symbol":
            lane.symbol(value, tables[chosen[detail]])
        else:
            lane.hybrid(value, tables[chosen[detail]])
    return [writer.words() for writer in writers]


def chunk_payload(
    rng: random.Random, id: int, drawn: Drawn, tables: list[Table], maps: dict[str, list[int]]
) -> bytes:
    """(5.1) A chunk; every stream has its own number of lanes."""
    h = drawn.header
    out = struct.pack("<BBHI", id, drawn.layer, 0, h.count)
    out += struct.pack("<BBBh3q", 0, int(h.has_duplicates), h.depth, h.exponent, *h.origin)
    out += bytes(value for pair in h.distances for value in pair)
    out += struct.pack(f"<{len(h.tree_counts)}I", *h.tree_counts)
    behind = b""
    for name, events in drawn.streams:
        lanes = lane_words(events, rng.choice([1, 2, 4]), tables, maps[name])
        out += struct.pack(f"<B{len(lanes)}I", len(lanes), *map(len, lanes))
        behind += b"".join(struct.pack(f"<{len(words)}I", *words) for words in lanes)
    return out + behind


# ------------------------------------------------------------ tables


def draw_tables(
    rng: random.Random, chunks: list[Drawn], sizes: dict[str, int]
) -> tuple[list[dict[int, int]], dict[str, list[int]]]:
    """Assign every context to a table at random, and count the symbols that each table must have."""
    count = rng.choice([1, 2, 7, 20, 64])
    maps = {}
    for name, size in sizes.items():
        favourites = rng.sample(range(count), rng.randint(1, count))
        maps[name] = [rng.choice(favourites) for _ in range(size)]
    counts: list[dict[int, int]] = [{} for _ in range(count)]
    for drawn in chunks:
        for name, events in drawn.streams:
            for event in events:
                if (symbol := coded_symbol(event)) is not None:
                    table = counts[maps[name][event[2]]]
                    table[symbol] = table.get(symbol, 0) + 1
    for table in counts:
        if not table or rng.random() < 0.1:
            table[rng.randrange(256)] = 0  # a symbol that never occurs
    return counts, maps


Built = tuple[list[Table], dict[str, list[int]], bytes]


def draw_built_in(
    rng: random.Random, p: Parameters, extras: list[ExtraAttribute], chunks: list[Drawn]
) -> Built:
    """(3.10) A set and changes of it at random: all tables, maps that name them, and the end of PARM."""
    number, own = rng.randrange(built_in.SETS), rng.choice([0, 0, 1, 3, 20])
    sizes = map_sizes(p, extras)
    bounds = p.harmonics.bounds if p.harmonics else []
    parts = built_in.clusters_of(p.classes, bounds, [words_of(extra) for extra in extras])
    clusters = dict(zip(sizes, parts, strict=True))
    apart = {
        name: [rng.randrange(own) for _ in range(size)]
        for name, size in sizes.items()
        if own and rng.random() < 0.4
    }
    used: dict[int, set[int]] = {c: set() for name in sizes if name not in apart for c in clusters[name]}
    counts: list[dict[int, int]] = [{} for _ in range(own)]
    for name, context, symbol in coded_symbols(chunks):
        if name in apart:
            counts[apart[name][context]][symbol] = counts[apart[name][context]].get(symbol, 0) + 1
        else:
            used[clusters[name][context]].add(symbol)
    chosen = {c: draw_table(rng, built_in.standard_table(number, c), own, used[c]) for c in sorted(used)}
    for c, table in chosen.items():
        if table < own:
            counts[table] |= {symbol: counts[table].get(symbol, 0) + 1 for symbol in used[c]}
    drafts = [draft_table(table or {rng.randrange(256): 0}, rng.choice([10, 11, 12])) for table in counts]
    lane = LaneWriter()
    for draft in drafts:
        write_table(lane, draft)
    for name in sizes:
        lane.uniform(int(name in apart), 2)
        if name in apart:
            write_context_map(lane, apart[name], own, rng)
    for c, table in chosen.items():
        write_choice(lane, table, built_in.standard_table(number, c), own, rng.random() < 0.1)
    words = lane.words()
    maps = apart | {n: [chosen[c] for c in part] for n, part in clusters.items() if n not in apart}
    tables = [draft.table for draft in drafts] + [built_in.built_in_table(i) for i in range(built_in.TABLES)]
    return tables, maps, struct.pack(f"<3B{len(words)}I", 0, number, own, *words)


def coded_symbols(chunks: list[Drawn]) -> Iterator[tuple[str, int, int]]:
    """Stream, context and symbol of everything that is coded by a table."""
    for drawn in chunks:
        for name, events in drawn.streams:
            for event in events:
                if (symbol := coded_symbol(event)) is not None:
                    yield name, event[2], symbol


def draw_table(rng: random.Random, standard: int, own: int, symbols: set[int]) -> int:
    """A table that has the symbols: now and then an own one, else one near that of the set, or any."""
    if own and rng.random() < 0.2:
        return rng.randrange(own)
    near = [standard] * 8 + [t for t in range(standard - 7, standard + 8) if 0 <= t < built_in.TABLES]
    rng.shuffle(near)
    for table in [*near, rng.randrange(built_in.TABLES)]:
        if has_symbols(built_in.built_in_table(table), symbols):
            return own + table
    return own + built_in.TABLES - 1


def has_symbols(table: Table, symbols: set[int]) -> bool:
    """Whether all of them can be coded."""
    return all(s < len(table.frequencies) and table.frequencies[s] for s in symbols)


def write_choice(lane: LaneWriter, table: int, standard: int, own: int, is_long: bool) -> None:
    """(3.10) The table of a cluster, if need be or wanted in the longer way."""
    code = zigzag(table - own - standard)
    if table >= own and code < RANK_ESCAPE and not is_long:
        lane.symbol(code, RANKS)
    else:
        lane.symbol(RANK_ESCAPE, RANKS)
        lane.uniform(table, own + built_in.TABLES)


def draw_extras(rng: random.Random) -> list[ExtraAttribute]:
    extras = []
    for i in range(rng.choice([0, 0, 1, 3])):
        kind = rng.randrange(10 if rng.random() < 0.5 else 8)
        extras.append(ExtraAttribute(64 + i, kind, rng.choice([1, 1, 2, 3]), 0, f"extra_{i}"))
    if rng.random() < 0.1:
        extras += [
            ExtraAttribute(80 + i, extra_types.F32, 1, 0, name) for i, name in enumerate(["nx", "ny", "nz"])
        ]
    return extras


# ------------------------------------------------------------ files


@dataclass(frozen=True)
class Group:
    """A parameter set and the chunks that use it."""

    parameters: Parameters
    parameter_payload: bytes
    chunks: list[Drawn]
    chunk_payloads: list[bytes]


@dataclass(frozen=True)
class RandomFile:
    """A random file and what a decoder must find in it."""

    sh_degree: int
    extras: list[ExtraAttribute]
    groups: list[Group]
    data: bytes


def draw_built_in_group(
    rng: random.Random, id: int, sh_degree: int, extras: list[ExtraAttribute], most: int
) -> Group:
    """The same with as much built-in as can be: tables, predictor sets, bases of all kinds."""
    stated, basis, step = draw_parameters(rng, id, sh_degree), None, 0
    if rng.random() < 0.7:
        sets = [
            PredictorSet(*built_in.predictor_set(i), each.distances) for i, each in enumerate(stated.sets)
        ]
        stated = replace(stated, predicted=stated.predicted | BUILT_IN_SETS, sets=sets)
    if (h := stated.harmonics) and (basis := rng.choice([None, BUILT_IN_BASIS, SHORT_BASIS])):
        n, step = h.coefficients, rng.choice([1, 300, (1 << 21) - 1])
        matrix, order = built_in.basis_of(n)
        if rng.random() < 0.5:
            h = replace(h, bounds=built_in.STANDARD_BOUNDS[n])
        if basis == SHORT_BASIS:
            most_each = 127 if n == 3 else 32_767 // 64 // n
            matrix = [[64 * rng.randint(-most_each, most_each) for _ in range(n)] for _ in range(n)]
        else:
            h = replace(h, colour_matrix=built_in.colour_matrix(step))
        stated = replace(stated, harmonics=replace(h, basis=matrix, order=order))
    parameters = with_multipliers(replace(stated, predicted=stated.predicted & 31))
    chunks = [draw_chunk(rng, parameters, extras, most) for _ in range(rng.randint(1, 3))]
    tables, maps, tail = draw_built_in(rng, parameters, extras, chunks)
    payloads = [chunk_payload(rng, id, drawn, tables, maps) for drawn in chunks]
    return Group(parameters, parameter_bytes(stated, basis, step) + tail, chunks, payloads)


def draw_group(rng: random.Random, id: int, sh_degree: int, extras: list[ExtraAttribute], most: int) -> Group:
    """A parameter set with one to three chunks."""
    stated = draw_parameters(rng, id, sh_degree)
    parameters = with_multipliers(stated)
    chunks = [draw_chunk(rng, parameters, extras, most) for _ in range(rng.randint(1, 3))]
    sizes = map_sizes(parameters, extras)
    counts, maps = draw_tables(rng, chunks, sizes)
    drafts = [draft_table(table, rng.choice([10, 11, 12])) for table in counts]
    lane = LaneWriter()
    for draft in drafts:
        write_table(lane, draft)
    for name in sizes:
        write_context_map(lane, maps[name], len(drafts), rng)
    words = lane.words()
    tail = struct.pack(f"<BI{len(words)}I", len(drafts), len(words), *words)
    tables = [draft.table for draft in drafts]
    payloads = [chunk_payload(rng, id, drawn, tables, maps) for drawn in chunks]
    return Group(parameters, parameter_bytes(stated) + tail, chunks, payloads)


def scene_payload(count: int, chunks: int, sh_degree: int, extras: list[ExtraAttribute]) -> bytes:
    """(2.6) A scene header that says nothing about the axes."""
    out = struct.pack("<QI8Bf3d6fH", count, chunks, sh_degree, *[0] * 7, 0.0, *[0.0] * 9, len(extras))
    for extra in extras:
        name = extra.name.encode()
        out += struct.pack("<H4B", extra.id, extra.type, extra.components, extra.coding, len(name)) + name
        if extra.coding == extra_codings.STEPPED:
            out += struct.pack("<Hh", extra.mantissa, extra.exponent)
    return out


def file_from_seed(seed: int, most: int = 60, *, is_built_in: bool = False) -> RandomFile:
    """A random valid file in stream mode, with at most so many splats a chunk.

    With tables of its own, or such as are built into decoders.
    """
    rng = random.Random(seed)
    sh_degree, extras = rng.choice([0, 1, 2, 3, 3]), draw_extras(rng)
    draw = draw_built_in_group if is_built_in else draw_group
    groups = [draw(rng, id, sh_degree, extras, most) for id in range(rng.choice([1, 1, 2]))]
    headers = [drawn.header for group in groups for drawn in group.chunks]
    splats = sum(header.count for header in headers)
    start = bytes.fromhex("894753430D0A1A0A") + struct.pack("<4BI", MAJOR, MINOR, 0, 1, 1)
    data = start + struct.pack("<I", zlib.crc32(start))
    data += section(b"SCEN", scene_payload(splats, len(headers), sh_degree, extras))
    for group in groups:
        data += section(b"PARM", group.parameter_payload)
        data += b"".join(section(b"CHNK", payload) for payload in group.chunk_payloads)
    return RandomFile(sh_degree, extras, groups, data + section(b"ENDM", struct.pack("<Q", splats)))
