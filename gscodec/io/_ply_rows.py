"""The rows of a PLY file of splats, in blocks: `RowReader`."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._ply_ascii import BYTES_PER_VALUE, AsciiRows, convert, parse_rows
from gscodec.io._ply_header import BYTE_ORDERS, PlyElement, read_header
from gscodec.io._ply_layout import Run, Table, runs_of, slots_of
from gscodec.io._source import ByteSource
from gscodec.io.offset import (
    NOWHERE,
    Floats3,
    Offset,
    auto_offset,
    checked_offset,
    relative,
    stated_offset,
)
from gscodec.splats import Splats

BLOCK_BYTES = 1 << 21

# Number of the first row, rows, and the values of each run of properties: good until the next batch is read.
_Batch: TypeAlias = tuple[int, int, list[tuple[Run, NDArray[Any]]]]
_Batches: TypeAlias = Generator[_Batch, None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlyScene:
    """A PLY file of splats.

    splats          what it holds; NaN and infinities are kept
    comments        text of its comment and obj_info lines
    format          "binary_little_endian", "binary_big_endian" or "ascii"
    trailing_bytes  bytes after the declared data; not counted (0) where lists of unknown size follow
    properties      (name, PLY type) of the vertex element, in file order
    missing         standard properties that it lacks and that were filled with defaults
    offset          what has to be added to the positions, in float64, to place them in a larger frame
    moved           what was subtracted from the positions of the file; what came with them has to follow
    """

    splats: Splats
    comments: tuple[str, ...]
    format: str
    trailing_bytes: int
    properties: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]
    offset: Floats3 = NOWHERE
    moved: Floats3 = NOWHERE


class RowReader:
    """The header of a PLY file, and its rows as they come.

    count           declared splats
    missing, properties, comments, format   as in `PlyScene`
    trailing_bytes  known once the last block was taken
    offset, moved   as in `PlyScene`, known once the first block was taken, which decides what "auto" means
    """

    def __init__(self, source: ByteSource, offset: Offset | None = None) -> None:
        header = read_header(source)
        names = [element.name for element in header.elements]
        if names.count("vertex") != 1:
            raise InputError("ply.header", "the PLY header needs exactly one vertex element")
        at = names.index("vertex")
        self._before, self._after = header.elements[:at], header.elements[at + 1 :]
        self._source, self._vertex = source, header.elements[at]
        xyz = [p.dtype("=") for p in self._vertex.properties if p.name in ("x", "y", "z")]
        exact = np.dtype(np.float64 if offset is not None and np.float64 in xyz else np.float32)
        self._slots, self.missing = slots_of(header, self._vertex, exact)
        self.count, self.comments, self.format = self._vertex.count, header.comments, header.format
        self.properties = tuple((p.name, p.type) for p in self._vertex.properties)
        self.trailing_bytes = 0
        self._wanted, self._is_placed = offset, False
        self.offset, self.moved = stated_offset(header.comments) or NOWHERE, NOWHERE
        _check_size(source, header.format, self._before, self._vertex)

    def blocks(self, rows: int | None = None, *, keeps_normals: bool = False) -> Iterator[Splats]:
        """The splats in blocks of `rows` or a little more, or all at once; at least one block.

        Normals that are all zero in a block are no part of it, unless it `keeps_normals`.
        """
        trusted = rows is None and self._source.size is not None
        try:
            table, first, end = self._table(keeps_normals, trusted=trusted), 0, 0
            batches = self._batches()
            while True:
                try:
                    start, count, stores = next(batches)
                except StopIteration as stop:
                    self.trailing_bytes = int(stop.value)
                    break
                if rows is not None and start - first >= rows:
                    yield self._placed(table, start - first)
                    table, first = self._table(keeps_normals, trusted=False), start
                end = start + count
                table.reserve(end - first)
                for run, values in stores:
                    table.store(run.target, run.columns, start - first, values)
            if end > first or self.count == 0:
                yield self._placed(table, end - first)
        except MemoryError as error:
            raise InputError("ply.memory", f"not enough memory for {self.count:,} splats") from error

    def scene(self, splats: Splats) -> PlyScene:
        """`splats` with what the file says about them, once the last block was taken."""
        return PlyScene(
            splats=splats,
            comments=self.comments,
            format=self.format,
            trailing_bytes=self.trailing_bytes,
            properties=self.properties,
            missing=self.missing,
            offset=self.offset,
            moved=self.moved,
        )

    def _placed(self, table: Table, rows: int) -> Splats:
        """The first `rows` rows of the table, relative to the scene offset."""
        positions = table.positions(rows)
        if not self._is_placed:
            self.offset, self.moved = _offsets(positions, stated_offset(self.comments), self._wanted)
            self._is_placed = True
        return table.splats(rows, relative(positions, self.moved))

    def _table(self, keeps_normals: bool, *, trusted: bool) -> Table:
        return Table(self._slots, self.count, trusted=trusted, keeps_normals=keeps_normals)

    def _batches(self) -> _Batches:
        order = BYTE_ORDERS.get(self.format, "=")
        runs = list(runs_of(self._vertex, self._slots, order))
        if self.format == "ascii":
            return _read_ascii(self._source, self._before, self._vertex, self._after, runs)
        return _read_binary(self._source, self._before, self._vertex, self._after, runs)


def _offsets(
    positions: NDArray[Any], stated: Floats3 | None, wanted: Offset | None
) -> tuple[Floats3, Floats3]:
    """The scene offset, and what has to be subtracted from the positions for it. Raises `UsageError`."""
    if wanted is None or (wanted == "auto" and stated is not None):
        return stated or NOWHERE, NOWHERE
    if isinstance(wanted, str):
        found = auto_offset(positions) if positions.dtype == np.float64 else NOWHERE
        return found, found
    found, (x, y, z) = checked_offset(wanted), stated or NOWHERE
    return found, (found[0] - x, found[1] - y, found[2] - z)


def _check_size(source: ByteSource, form: str, before: Iterable[PlyElement], vertex: PlyElement) -> None:
    """Compare what the header promises with the input's size, before any memory is taken for it."""
    if form == "ascii":
        # At least a digit and a separator for each value; the last line may lack its end.
        needed = max(0, vertex.count * len(vertex.properties) * 2 - 1)
    else:
        for element in before:
            if element.has_lists and element.count:
                raise InputError(
                    "ply.list",
                    f"element {element.name!r} before the vertices has list properties; not supported",
                )
        needed = sum(e.count * e.stride for e in before if e.count) + vertex.count * vertex.stride
    source.check_limit(source.position + needed)
    if source.size is not None and needed > source.size - source.position:
        raise InputError(
            "ply.truncated",
            f"the header declares {vertex.count:,} vertices, which need {needed:,} bytes; "
            f"only {source.size - source.position:,} follow it",
            offset=source.size,
        )


def _read_binary(
    source: ByteSource,
    before: Iterable[PlyElement],
    vertex: PlyElement,
    after: Iterable[PlyElement],
    runs: list[Run],
) -> _Batches:
    """Every row; returns the number of trailing bytes."""
    for element in before:
        size = element.count * element.stride if element.count else 0
        if source.skip(size) != size:
            raise _truncated(source, f"within element {element.name!r}")
    stride = vertex.stride
    block = max(1, min(BLOCK_BYTES // stride, vertex.count))
    buffer = memoryview(bytearray(block * stride))
    for start in range(0, vertex.count, block):
        rows = min(block, vertex.count - start)
        got = source.read_into(buffer[: rows * stride])
        if got != rows * stride:
            raise _truncated(source, f"after {start + got // stride:,} of {vertex.count:,} vertices")
        yield (
            start,
            rows,
            [
                (
                    run,
                    np.ndarray(
                        (rows, run.count), run.dtype, buffer, run.offset, (stride, run.dtype.itemsize)
                    ),
                )
                for run in runs
            ],
        )
    if any(e.has_lists and e.count for e in after):
        source.skip()
        return 0
    return max(0, _skip_rest(source) - sum(e.count * e.stride for e in after if e.count))


def _skip_rest(source: ByteSource) -> int:
    """How many bytes are left; those of a pipe are read, so that its writer can end."""
    return source.skip() if source.size is None else source.size - source.position


def _read_ascii(
    source: ByteSource,
    before: Iterable[PlyElement],
    vertex: PlyElement,
    after: Iterable[PlyElement],
    runs: list[Run],
) -> _Batches:
    """Every row; returns the number of trailing bytes."""
    lines = AsciiRows(source)
    longest = BYTES_PER_VALUE * max(1024, len(vertex.properties))
    for element in before:
        if not lines.skip(element.count if element.properties else 0, longest):
            raise _truncated(source, f"within element {element.name!r}")
    block = max(1, BLOCK_BYTES // 16 // len(vertex.properties))
    start = 0
    while start < vertex.count:
        rows = lines.take(min(block, vertex.count - start), longest)
        if not rows:
            raise _truncated(source, f"after {start:,} of {vertex.count:,} vertices")
        numbers = parse_rows(rows, len(vertex.properties), start)
        parts = [(run, numbers[:, run.first : run.first + run.count]) for run in runs]
        stores = [(run, convert(part, run.dtype, rows, run.first, start)) for run, part in parts]
        yield start, len(rows), stores
        start += len(rows)
    for element in after:
        if not lines.skip(element.count if element.properties else 0, longest):
            return 0
    return lines.trailing()


def _truncated(source: ByteSource, where: str) -> InputError:
    return InputError("ply.truncated", f"the PLY data ends {where}", offset=source.position)
