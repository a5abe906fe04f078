"""PLY files of splats, in the layouts of the common 3DGS training code: `read_ply`.

Vertex properties, in the order in which they are written ("inria"; "compact" leaves nx, ny, nz out):

    x y z                 positions
    nx ny nz              unused, zero
    f_dc_0..2             sh_dc
    f_rest_0..3K-1        sh_rest, by channel: f_rest_(c*K + k) is coefficient k of channel c; K = 0, 3, 8, 15
    opacity               opacities
    scale_0..2            scales
    rot_0..3              rotations, w first
    ...                   extras, each in its own type; an (N, M) extra E is M properties E_0..E_(M-1)

They are read in any order and of any scalar type; what is none of them becomes a one-column extra of its
own type, so that reading does not put the columns of an (N, M) extra together again. Rows are read
and written in blocks, straight into and out of the arrays of `Splats`. `ply_writing` is the other direction.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._ply_ascii import BYTES_PER_VALUE, AsciiRows, convert, parse_rows
from gscodec.io._ply_header import BYTE_ORDERS, PlyElement, read_header
from gscodec.io._ply_layout import Table, runs_of, slots_of
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
from gscodec.io.reading import opened
from gscodec.splats import Splats

BLOCK_BYTES = 1 << 21


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


# ---- reading ----------------------------------------------------------------------------------------------


def read_ply(
    source: str | os.PathLike[str] | BinaryIO, *, max_bytes: int | None = None, offset: Offset | None = None
) -> PlyScene:
    """Read a PLY file of splats from a path or a binary file object (a pipe too), to its end.

    Required: x, y, z, f_dc_0..2, scale_0, scale_1, rot_0..3. A file without `opacity` is opaque
    (`DEFAULT_OPACITY`), one without `scale_2` flat (`DEFAULT_SCALE_2`). Normals that are all zero are
    dropped. Standard properties become float32, extra ones keep their type. `max_bytes` bounds the input.

    Positions stay as they are and are relative to the offset that a comment "offset X Y Z" states. An
    `offset` of three numbers is subtracted from them (and what a comment states, added) before they become
    float32; "auto" does so where no comment states any, x, y or z is double and the scene is far away.

    Raises `InputError`: "io.read", "io.limit", "ply.magic", "ply.header", "ply.truncated",
    "ply.missing", "ply.pointcloud", "ply.compressed", "ply.sh", "ply.list", "ply.value", "ply.memory".
    """
    if not isinstance(source, (str, os.PathLike)):
        return _read(ByteSource(source, max_bytes=max_bytes), offset)
    with opened(source) as file:
        return _read(ByteSource(file, max_bytes=max_bytes), offset)


def _read(source: ByteSource, offset: Offset | None) -> PlyScene:
    header = read_header(source)
    names = [element.name for element in header.elements]
    if names.count("vertex") != 1:
        raise InputError("ply.header", "the PLY header needs exactly one vertex element")
    at = names.index("vertex")
    before, vertex, after = header.elements[:at], header.elements[at], header.elements[at + 1 :]
    is_double = any(p.dtype("=") == np.float64 for p in vertex.properties if p.name in ("x", "y", "z"))
    exact = np.dtype(np.float64 if offset is not None and is_double else np.float32)
    slots, missing = slots_of(header, vertex, exact)
    _check_size(source, header.format, before, vertex)
    try:
        table = Table(slots, vertex.count, trusted=source.size is not None)
        if header.format == "ascii":
            trailing = _read_ascii(source, before, vertex, after, table)
        else:
            trailing = _read_binary(source, header.format, before, vertex, after, table)
        positions = table.positions(vertex.count)
        origin, moved = _offsets(positions, stated_offset(header.comments), offset)
        splats = table.splats(vertex.count, relative(positions, moved))
    except MemoryError as error:
        raise InputError("ply.memory", f"not enough memory for {vertex.count:,} splats") from error
    return PlyScene(
        splats=splats,
        comments=header.comments,
        format=header.format,
        trailing_bytes=trailing,
        properties=tuple((p.name, p.type) for p in vertex.properties),
        missing=missing,
        offset=origin,
        moved=moved,
    )


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
    form: str,
    before: Iterable[PlyElement],
    vertex: PlyElement,
    after: Iterable[PlyElement],
    table: Table,
) -> int:
    """Fill the table; the number of trailing bytes."""
    for element in before:
        size = element.count * element.stride if element.count else 0
        if source.skip(size) != size:
            raise _truncated(source, f"within element {element.name!r}")
    runs = list(runs_of(vertex, table.slots, BYTE_ORDERS[form]))
    stride = vertex.stride
    block = max(1, min(BLOCK_BYTES // stride, vertex.count))
    buffer = memoryview(bytearray(block * stride))
    for start in range(0, vertex.count, block):
        rows = min(block, vertex.count - start)
        got = source.read_into(buffer[: rows * stride])
        if got != rows * stride:
            raise _truncated(source, f"after {start + got // stride:,} of {vertex.count:,} vertices")
        table.reserve(start + rows)
        for run in runs:
            size = run.dtype.itemsize
            values = np.ndarray((rows, run.count), run.dtype, buffer, run.offset, (stride, size))
            table.store(run.target, run.columns, start, values)
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
    table: Table,
) -> int:
    """Fill the table; the number of trailing bytes."""
    lines = AsciiRows(source)
    longest = BYTES_PER_VALUE * max(1024, len(vertex.properties))
    for element in before:
        if not lines.skip(element.count if element.properties else 0, longest):
            raise _truncated(source, f"within element {element.name!r}")
    runs = list(runs_of(vertex, table.slots, "="))
    block = max(1, BLOCK_BYTES // 16 // len(vertex.properties))
    start = 0
    while start < vertex.count:
        rows = lines.take(min(block, vertex.count - start), longest)
        if not rows:
            raise _truncated(source, f"after {start:,} of {vertex.count:,} vertices")
        numbers = parse_rows(rows, len(vertex.properties), start)
        table.reserve(start + len(rows))
        for run in runs:
            part = numbers[:, run.first : run.first + run.count]
            table.store(run.target, run.columns, start, convert(part, run.dtype, rows, run.first, start))
        start += len(rows)
    for element in after:
        if not lines.skip(element.count if element.properties else 0, longest):
            return 0
    return lines.trailing()


def _truncated(source: ByteSource, where: str) -> InputError:
    return InputError("ply.truncated", f"the PLY data ends {where}", offset=source.position)
