"""PLY files of splats, in the layouts of the common 3DGS training code: `read_ply`, `write_ply`.

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
and written in blocks, straight into and out of the arrays of `Splats`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError, UsageError
from gscodec.io._ply_ascii import BYTES_PER_VALUE, AsciiRows, convert, parse_rows
from gscodec.io._ply_header import (
    BYTE_ORDERS,
    TYPE_NAMES,
    PlyElement,
    header_bytes,
    is_property_name,
    read_header,
)
from gscodec.io._ply_layout import NORMALS, Table, runs_of, slots_of, standard_names
from gscodec.io._source import ByteSource, read_error
from gscodec.io.output import atomic_output
from gscodec.splats import SH_REST_COUNTS, Splats

Layout = Literal["inria", "compact"]

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
    """

    splats: Splats
    comments: tuple[str, ...]
    format: str
    trailing_bytes: int
    properties: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]


# ---- reading ----------------------------------------------------------------------------------------------


def read_ply(source: str | os.PathLike[str] | BinaryIO, *, max_bytes: int | None = None) -> PlyScene:
    """Read a PLY file of splats from a path or a binary file object (a pipe too), to its end.

    Required: x, y, z, f_dc_0..2, scale_0, scale_1, rot_0..3. A file without `opacity` is opaque
    (`DEFAULT_OPACITY`), one without `scale_2` flat (`DEFAULT_SCALE_2`). Normals that are all zero are
    dropped. Standard properties become float32, extra ones keep their type. `max_bytes` bounds the input.

    Raises `InputError`: "io.read", "io.limit", "ply.magic", "ply.header", "ply.truncated",
    "ply.missing", "ply.pointcloud", "ply.compressed", "ply.sh", "ply.list", "ply.value", "ply.memory".
    """
    if not isinstance(source, (str, os.PathLike)):
        return _read(ByteSource(source, max_bytes=max_bytes))
    try:
        file = io.FileIO(source)
    except OSError as error:
        raise read_error(error, os.fspath(source)) from error
    with file:
        return _read(ByteSource(file, max_bytes=max_bytes))


def _read(source: ByteSource) -> PlyScene:
    header = read_header(source)
    names = [element.name for element in header.elements]
    if names.count("vertex") != 1:
        raise InputError("ply.header", "the PLY header needs exactly one vertex element")
    at = names.index("vertex")
    before, vertex, after = header.elements[:at], header.elements[at], header.elements[at + 1 :]
    slots, missing = slots_of(header, vertex)
    _check_size(source, header.format, before, vertex)
    try:
        table = Table(slots, vertex.count, trusted=source.size is not None)
        if header.format == "ascii":
            trailing = _read_ascii(source, before, vertex, after, table)
        else:
            trailing = _read_binary(source, header.format, before, vertex, after, table)
        splats = table.splats(vertex.count)
    except MemoryError as error:
        raise InputError("ply.memory", f"not enough memory for {vertex.count:,} splats") from error
    return PlyScene(
        splats=splats,
        comments=header.comments,
        format=header.format,
        trailing_bytes=trailing,
        properties=tuple((p.name, p.type) for p in vertex.properties),
        missing=missing,
    )


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


# ---- writing ----------------------------------------------------------------------------------------------


def write_ply(
    sink: str | os.PathLike[str] | BinaryIO,
    splats_or_blocks: Splats | Iterable[Splats],
    *,
    layout: Layout = "inria",
    count: int | None = None,
    sh_degree: int | None = None,
) -> int:
    """Write a binary little-endian PLY file to a path (whole or not at all) or a binary file; its size.

    Of an iterable of blocks `count` must be given: the sum of their lengths. All need the same SH
    degree and extras as the first. `sh_degree`: cut, or fill with zeros, to another degree than the splats'.

    Raises `UsageError` for what does not fit together, `InputError` "io.write" for a path that fails.
    """
    if isinstance(splats_or_blocks, Splats):
        count = len(splats_or_blocks) if count is None else count
        splats_or_blocks = (splats_or_blocks,)
    elif count is None:
        raise UsageError("ply.count", "a PLY file's header needs the count before the blocks are written")
    pieces = _file_pieces(iter(splats_or_blocks), layout, count, sh_degree)
    if isinstance(sink, (str, os.PathLike)):
        with atomic_output(sink) as file:
            return sum(_write_all(file, piece) for piece in pieces)
    return sum(_write_all(sink, piece) for piece in pieces)


def ply_header(
    splats: Splats, *, layout: Layout = "inria", count: int | None = None, sh_degree: int | None = None
) -> bytes:
    """The header that `write_ply` writes for `splats`, or for `count` splats like them."""
    properties = [(name, TYPE_NAMES[dtype.str[1:]]) for name, dtype in _columns(splats, layout, sh_degree)]
    return header_bytes(len(splats) if count is None else count, properties)


def ply_rows(splats: Splats, *, layout: Layout = "inria", sh_degree: int | None = None) -> NDArray[np.uint8]:
    """The rows that `write_ply` writes: (N, bytes of a row) uint8, C-contiguous."""
    columns = _columns(splats, layout, sh_degree)
    rest = SH_REST_COUNTS[splats.sh_degree if sh_degree is None else sh_degree]
    offsets = np.cumsum([0, *(dtype.itemsize for _, dtype in columns)])
    rows = np.zeros((len(splats), int(offsets[-1])), np.uint8)
    at = {name: (int(offset), dtype) for (name, dtype), offset in zip(columns, offsets[:-1], strict=True)}

    def put(first_name: str, values: NDArray[Any]) -> None:
        """Consecutive columns from `first_name` on."""
        offset, dtype = at[first_name]
        shape, strides = values.shape, (rows.shape[1], dtype.itemsize)
        np.ndarray(shape, dtype, rows.data, offset, strides)[...] = values

    if not len(splats):
        return rows
    put("x", splats.positions)
    put("f_dc_0", splats.sh_dc)
    for channel in range(3 if rest else 0):
        put(f"f_rest_{channel * rest}", splats.sh_rest[:, :rest, channel])
    put("opacity", splats.opacities[:, None])
    put("scale_0", splats.scales)
    put("rot_0", splats.rotations)
    for name, array in splats.extras.items():
        if array.ndim == 1:
            put(name, array[:, None])
        elif array.shape[1]:
            put(f"{name}_0", array)
    return rows


def _columns(splats: Splats, layout: Layout, sh_degree: int | None) -> list[tuple[str, np.dtype[Any]]]:
    """Name and little-endian type of each property, in file order."""
    _check_options(layout, sh_degree)
    found = list(_extra_columns(splats))
    extras = dict(found)
    if len(extras) < len(found):
        twice = next(name for i, (name, _) in enumerate(found) if name in dict(found[:i]))
        raise UsageError("ply.name", f"two extras would be the PLY property {twice!r}")
    real = np.dtype("<f4")
    columns = [(name, real) for name in ("x", "y", "z")]
    if layout == "inria":
        columns += [(name, extras.pop(name, real)) for name in NORMALS]
    rest = SH_REST_COUNTS[splats.sh_degree if sh_degree is None else sh_degree]
    names = standard_names(rest)
    file_order = [f"f_rest_{i}" for i in range(3 * rest)]
    for name in chain(names["sh_dc"], file_order, names["opacities"], names["scales"], names["rotations"]):
        columns.append((name, real))
    taken = {name for name, _ in columns}
    if clash := sorted(taken & extras.keys()):
        raise UsageError("ply.name", f"the extra {clash[0]!r} has the name of a standard PLY property")
    return columns + list(extras.items())


def _check_options(layout: Layout, sh_degree: int | None) -> None:
    if layout not in get_args(Layout):
        raise UsageError("ply.layout", f"unknown PLY layout {layout!r}; expected one of {get_args(Layout)}")
    if sh_degree is not None and sh_degree not in range(len(SH_REST_COUNTS)):
        raise UsageError("usage.sh_degree", f"SH degree {sh_degree} is not 0 to 3")


def _extra_columns(splats: Splats) -> Iterator[tuple[str, np.dtype[Any]]]:
    for name, array in splats.extras.items():
        little = array.dtype.newbyteorder("<")
        if array.dtype.kind not in "iuf" or little.str[1:] not in TYPE_NAMES:
            raise UsageError("ply.type", f"the extra {name!r} is {array.dtype}, for which PLY has no type")
        columns = [name] if array.ndim == 1 else [f"{name}_{i}" for i in range(array.shape[1])]
        for column in columns:
            if not is_property_name(column):
                raise UsageError("ply.name", f"the extra name {column!r} cannot be written to a PLY header")
            yield column, little


def _file_pieces(
    blocks: Iterator[Splats], layout: Layout, count: int, sh_degree: int | None
) -> Iterator[bytes | NDArray[np.uint8]]:
    """The header and the rows, a block at a time."""
    _check_options(layout, sh_degree)
    first = next(blocks, None)
    if first is None:
        first = _no_splats(sh_degree or 0)
    wanted = first.sh_degree if sh_degree is None else None
    columns = _columns(first, layout, sh_degree)
    yield ply_header(first, layout=layout, count=count, sh_degree=sh_degree)
    step = max(1, BLOCK_BYTES // sum(dtype.itemsize for _, dtype in columns))
    written = 0
    for block in chain((first,), blocks):
        written += len(block)
        if written > count:
            break
        if wanted not in (None, block.sh_degree) or _columns(block, layout, sh_degree) != columns:
            raise UsageError("ply.blocks", "a block has another SH degree or other extras than the first")
        for start in range(0, len(block), step):
            yield ply_rows(block.take(slice(start, start + step)), layout=layout, sh_degree=sh_degree)
    if written != count:
        raise UsageError("ply.count", f"{written:,} splats or more came for a PLY file of {count:,}")


def _no_splats(sh_degree: int) -> Splats:
    return Splats(
        positions=np.zeros((0, 3), np.float32),
        scales=np.zeros((0, 3), np.float32),
        rotations=np.zeros((0, 4), np.float32),
        opacities=np.zeros(0, np.float32),
        sh_dc=np.zeros((0, 3), np.float32),
        sh_rest=np.zeros((0, SH_REST_COUNTS[sh_degree], 3), np.float32),
    )


def _write_all(sink: BinaryIO, piece: bytes | NDArray[np.uint8]) -> int:
    """Write all bytes, also to an unbuffered file, which may take only some at a time."""
    view = memoryview(piece if isinstance(piece, bytes) else piece.reshape(-1).data)
    size = len(view)
    while view:
        view = view[sink.write(view) or 0 :]
    return size
