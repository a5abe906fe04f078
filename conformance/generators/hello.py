"""`hello.gsc`, the smallest file that shows something, and the page that explains it (spec/07-hello.md).

The generated parts of the page come from a walk of the reference decoder over the bytes of the file; build.py
puts them there. Standard library only.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace

from craft import PLAIN, Recipe, file_from_recipe

from gscodec.reference.chunk import ChunkHeader, context_maps, read_header, read_lengths, read_streams
from gscodec.reference.container import read_container
from gscodec.reference.decode import Splat, decode
from gscodec.reference.entropy import Lane, Stream, Table, read_context_map, read_table
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields
from gscodec.reference.parameters import Colour, Parameters, Rotation, read_parameters

RECIPE = Recipe(
    count=3,
    parameters=replace(
        PLAIN,
        rotation=Rotation(axis_factor=256, twist_factor=256, axis_cells=8, twist_cells=8),
        colour=Colour(exponent=0, mantissas=[1, 1, 1], offsets=[0, 0, 0]),
    ),
    script={
        # counts on the low side of x, y, z in the root; then three bits for each point
        "position": [1, 1, 1, 1, 1, 0, 0b010, 0b101, 0b000],
        "scale": [4, 3, 0, 3, 0, 5, 0, 0, 0],
        "rotation": [2, 1],
        "opacity": [1, -1, 2],
        "colour": [0, 2, -1, 0, 0, 2, 0, -2, -1],
    },
)


def hello() -> bytes:
    """Three splats: a red needle, a green disc and a small blue ball."""
    return file_from_recipe(RECIPE)


# ------------------------------------------------------------ fields

FRAME = [("4s", "id", ""), ("I", "flags", "must be understood"), ("Q", "length", "bytes of payload")]
HEADER = [
    ("8s", "signature", "the same in every file"),
    ("B", "major", ""),
    ("B", "minor", "version 0.4"),
    ("B", "profile", "core"),
    ("B", "level", ""),
    ("I", "flags", "stream mode"),
    ("I", "crc", "of bytes 0 to 15"),
]
SCENE = [
    ("Q", "splat_count", ""),
    ("I", "chunk_count", ""),
    ("B", "sh_degree", "colour does not depend on the direction"),
    ("7s", "coordinate_system to reserved", "not stated"),
    ("f", "metres_per_unit", "not stated"),
    ("24s", "offset", "three f64: 0, 0, 0"),
    ("24s", "bounds", "six f32: not known"),
    ("H", "extra_count", "no attributes beyond the fixed ones"),
]
PARAMETERS = [
    ("B", "id", ""),
    ("B", "classes", "one importance class"),
    ("B", "position_cap", ""),
    ("H", "position_mantissa", "M"),
    ("10s", "multipliers", "exponent and cap of five attributes: all 0, every step is 64/64"),
    ("I", "scale_step", "64 rec units are 0.25 in the log-scale"),
    ("i", "scale_offset", "-2.5 in 2^-20"),
    ("i", "scale_floor", ""),
    ("B", "dilation", "off"),
    ("i", "dilation_log", ""),
    ("I", "axis_factor", "A"),
    ("I", "twist_factor", "B"),
    ("H", "axis_cells", "at most 8 by 8 cells of axes"),
    ("H", "twist_cells", "at most 8 cells of twists"),
    ("I", "opacity_step", "64 rec units are 0.25 in log2(opacity + 1/16)"),
    ("i", "opacity_offset", "-0.5 in 2^-20"),
    ("b", "colour_exponent", "64 rec units are 1"),
    ("6s", "colour_mantissas", "three u16: 1, 1, 1"),
    ("12s", "colour_offsets", "three i32: 0, 0, 0"),
    ("B", "predicted", "nothing is predicted"),
    ("19s", "set 0", "window 0, power 1, six shrinks of 256, five thresholds of 0: not used"),
    ("21s", "set 1", "the same, and the weight of scale"),
    ("23s", "set 2", "the same, and the weights of scale and colour"),
    ("B", "table_count", ""),
    ("I", "word_count", ""),
]
CHUNK = [
    ("B", "parameters", "the set above"),
    ("B", "layer", ""),
    ("H", "reserved", ""),
    ("I", "splat_count", ""),
    ("B", "order", "own positions"),
    ("B", "flags", "no duplicates"),
    ("B", "depth", "cells 0 to 3 on every axis"),
    ("h", "exponent", "half a cell is M 2^-2"),
    ("24s", "origin", "three i64: -2, -2, -2"),
    ("6s", "distances", "weights of position in the predictor sets: 0"),
    ("I", "tree_count", "all in the only octree"),
]
STREAMS = ("position", "importance", "scale", "rotation", "opacity", "colour")


@dataclass
class Walk:
    """Where in the file the description is, and its lines so far."""

    data: bytes
    position: int = 0
    lines: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        self.lines += [
            "",
            f"**{text}**",
            "",
            "| offset | bytes | field | value | meaning |",
            "| --- | --- | --- | --- | --- |",
        ]

    def field(self, kind: str, name: str, meaning: str) -> int | bytes | float:
        size = struct.calcsize(f"<{kind}")
        raw = self.data[self.position : self.position + size]
        (value,) = struct.unpack(f"<{kind}", raw)
        cells = [str(self.position), in_hex(raw), name, shown(value, name), meaning]
        self.lines.append(f"| {' | '.join(cells)} |")
        self.position += size
        return value  # type: ignore[no-any-return]

    def fields(self, rows: Sequence[tuple[str, str, str]]) -> list[int | bytes | float]:
        return [self.field(*row) for row in rows]

    def words(self, count: int) -> None:
        for i in range(count):
            self.field("I", f"word {i}", "")


def in_hex(raw: bytes) -> str:
    """The bytes, a run of at least six equal ones shortened."""
    text = raw.hex(" ").upper()
    return re.sub(r"\b(..)((?: \1){5,})\b", lambda m: f"{m[1]} ... ({len(m[2]) // 3 + 1} times)", text)


def shown(value: int | bytes | float, name: str) -> str:
    if isinstance(value, bytes):
        return value.decode() if name == "id" else ""
    if isinstance(value, float):
        return f"{value:g}"
    return f"0x{value:08X}" if name == "crc" or name.startswith("word ") else str(value)


def byte_tables(data: bytes) -> list[str]:
    """Every byte of the file."""
    walk = Walk(data)
    walk.heading("File header (2.3)")
    walk.fields(HEADER)
    walk.heading("SCEN: scene header (2.6)")
    walk.fields([*FRAME, *SCENE, ("I", "crc", "of the section so far")])
    walk.heading("PARM: parameter set (4.2)")
    *_, words = walk.fields([*FRAME, *PARAMETERS])
    assert isinstance(words, int)
    walk.words(words)
    walk.field("I", "crc", "of the section so far")
    walk.heading("CHNK: chunk (5.1)")
    walk.fields([*FRAME, *CHUNK])
    counts = []
    for name in STREAMS:
        _, count = walk.fields([("B", f"{name}: lanes", ""), ("I", f"{name}: words", "")])
        assert isinstance(count, int)
        counts.append(count)
    for name, count in zip(STREAMS, counts, strict=True):
        for i in range(count):
            walk.field("I", f"word {i}", f"of {name}")
    walk.field("I", "crc", "of the section so far")
    walk.heading("ENDM: end mark (2.10)")
    walk.fields([*FRAME, ("Q", "splat_count", ""), ("I", "crc", "of the section so far")])
    assert walk.position == len(data)
    return walk.lines[1:]


# ------------------------------------------------------------ entropy decoding


class TracedLane(Lane):
    """A lane that remembers its steps: slot, start, frequency and the state after."""

    def __init__(self, words: Sequence[int], place: Place) -> None:
        super().__init__(words, place)
        self.steps: list[tuple[int, int, int, int]] = []

    def step(self, start: int, frequency: int) -> None:
        slot = self.slot()
        super().step(start, frequency)
        self.steps.append((slot, start, frequency, self.state))


@dataclass
class TracedStream(Stream):
    """A stream that describes what it reads."""

    name: str = ""
    rows: list[str] = field(default_factory=list)

    def told(self, what: str, number: int, value: int, before: int) -> int:
        lane = self.lane(number)
        assert isinstance(lane, TracedLane)
        self.rows += step_rows(f"{number}: {what}", str(value), lane.steps[before:])
        return value

    def taken(self, number: int) -> int:
        lane = self.lane(number)
        assert isinstance(lane, TracedLane)
        return len(lane.steps)

    def bits(self, number: int, count: int) -> int:
        before = self.taken(number)
        return self.told(f"{count} bits", number, super().bits(number, count), before)

    def symbol(self, number: int, context: int, allowed: Container[int], code: str = "static.symbol") -> int:
        before = self.taken(number)
        value = super().symbol(number, context, allowed, code)
        return self.told(f"symbol, context {context}", number, value, before)

    def hybrid(self, number: int, context: int, allowed: range) -> int:
        before = self.taken(number)
        value = super().hybrid(number, context, allowed)
        return self.told(f"hybrid, context {context}", number, value, before)

    def signed(self, number: int, context: int, allowed: range) -> int:
        before = self.taken(number)
        value = super().signed(number, context, allowed)
        return self.told(f"signed, context {context}", number, value, before)


def step_rows(what: str, value: str, steps: Sequence[tuple[int, int, int, int]]) -> list[str]:
    """A line for each step; a value that takes none has a line all the same."""
    if not steps:
        return [f"| {what} | | | {value} | |"]
    return [
        f"| {what} | {slot:06X} | {start:06X} to {start + frequency - 1:06X} | {value} | {state:X} |"
        for slot, start, frequency, state in steps
    ]


STEP_HEAD = ["| value | slot | interval | result | state after |", "| --- | --- | --- | --- | --- |"]


def state_line(lane: Lane) -> str:
    return f"State at the start: {lane.state:X}."


def table_lane(payload: bytes, parameters: Parameters) -> list[str]:
    """The lane of the parameter set: one table, and the context maps."""
    fields = Fields(payload, Place("PARM", 0), "parm")
    fields.position = sum(struct.calcsize(f"<{kind}") for kind, _, _ in PARAMETERS[:-1])
    lane = TracedLane(fields.words(fields.integer("u32")), Place("PARM", 0))
    lines = [state_line(lane), "", *STEP_HEAD]
    table = read_table(lane)
    assert table == parameters.tables[0]
    lines += [
        row
        for (what, value), step in zip(table_values(table), lane.steps, strict=True)
        for row in step_rows(what, value, [step])
    ]
    for name, size in [
        ("position", 165),
        ("duplicate", 1),
        ("importance", 36),
        ("scale", 518),
        ("rotation", 672),
        ("opacity", 6),
        ("colour", 54),
    ]:
        before = len(lane.steps)
        assert read_context_map(lane, size, 1) == [0] * size
        lines += step_rows(f"map of {name}", "0: one table", lane.steps[before:])
    assert lane.is_at_end()
    symbols = [f"{f} for {s}" for s, f in enumerate(table.frequencies) if f > 0]
    return [*lines, "", f"The frequencies, of {1 << table.resolution}: {', '.join(symbols)}."]


def table_values(table: Table) -> Iterator[tuple[str, str]]:
    """What a table is coded with (3.8), in order."""
    magnitudes = [f.bit_length() for f in table.frequencies]
    derived = magnitudes.index(max(magnitudes))
    yield "resolution - 10", str(table.resolution - 10)
    yield "symbols - 1", str(len(magnitudes) - 1)
    for symbol, (before, magnitude) in enumerate(zip([0, *magnitudes], magnitudes, strict=False)):
        yield f"magnitude of {symbol}: change", f"{magnitude - before:+}, so {magnitude}"
    for symbol, magnitude in enumerate(magnitudes):
        if magnitude > 1 and symbol != derived:
            yield f"frequency of {symbol}: bits after the first", f"frequency {table.frequencies[symbol]}"


def chunk_lanes(data: bytes) -> list[str]:
    """The values of every stream."""
    container = read_container(data)
    assert container.scene is not None
    set_, (chunk,) = container.parameters[0], container.chunks
    parameters = read_parameters(set_.payload, Place("PARM", set_.offset), 0, [])
    lines = ["**Table and maps (3.8, 3.9)**", "", *table_lane(set_.payload, parameters)]
    fields = Fields(chunk.payload, Place("CHNK", chunk.offset), "chunk")
    header: ChunkHeader = read_header(fields, parameters)
    maps = context_maps(header, parameters)
    lengths = read_lengths(fields, len(maps))
    opened: list[TracedStream] = []
    starts: list[str] = []

    def next_stream() -> Stream:
        number = len(opened)
        here = fields.place()
        lane = TracedLane(fields.words(lengths[number][0]), here)
        starts.append(state_line(lane))
        opened.append(TracedStream([lane], parameters.tables, maps[number], here, STREAMS[number]))
        return opened[-1]

    read_streams(header, parameters, [], next_stream)
    for stream, start in zip(opened, starts, strict=True):
        lines += ["", f"**{stream.name.capitalize()}**", ""]
        lines += [start, "", *STEP_HEAD, *stream.rows] if stream.rows else ["Nothing is coded."]
    return lines


# ------------------------------------------------------------ values


def numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def described(splat: Splat) -> str:
    alpha = 1 / (1 + math.exp(-splat.opacity.binary32()[0]))
    red, green, blue = (0.5 + 0.28209479177387814 * v for v in splat.colour.binary32())
    cells = [
        numbers(splat.position.binary32()),
        numbers(splat.scale.binary32()),
        numbers(splat.rotation.binary32()),
        f"{numbers(splat.opacity.binary32())} (opacity {alpha:.2f})",
        f"{numbers(splat.colour.binary32())} ({red:.2f}, {green:.2f}, {blue:.2f})",
    ]
    return f"| {' | '.join(cells)} |"


def splat_table(data: bytes) -> list[str]:
    """The splats."""
    head = ["| position | log-scales | rotation w x y z | logit | f_dc (colour) |", "|" + " --- |" * 5]
    return head + [described(splat) for splat in decode(data)[1]]


# ------------------------------------------------------------ the page

BLOCK = re.compile(r"(<!-- hello: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def page(text: str) -> str:
    """The page with its generated parts brought up to date."""
    data = hello()
    parts = {
        "dump": ["```", *dump(data), "```"],
        "bytes": byte_tables(data),
        "steps": chunk_lanes(data),
        "splats": splat_table(data),
    }
    return BLOCK.sub(lambda m: m[1] + "\n" + "\n".join(parts[m[2]]) + "\n\n" + m[3], text)


def dump(data: bytes) -> list[str]:
    """As hex editors show it."""
    return [f"{i:4}  {data[i : i + 16].hex(' ')}" for i in range(0, len(data), 16)]
