"""PLY files of splats, written: `write_ply`. The module `ply` says what stands in them, and reads them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import UsageError
from gscodec.io._ply_header import TYPE_NAMES, header_bytes, is_property_name
from gscodec.io._ply_layout import NORMALS, standard_names
from gscodec.io.offset import Floats3
from gscodec.io.output import atomic_output
from gscodec.splats import SH_REST_COUNTS, Splats

Layout = Literal["inria", "compact"]

BLOCK_BYTES = 1 << 21


def write_ply(
    sink: str | os.PathLike[str] | BinaryIO,
    splats_or_blocks: Splats | Iterable[Splats],
    *,
    layout: Layout = "inria",
    count: int | None = None,
    sh_degree: int | None = None,
    comments: Sequence[str] = (),
    world: Floats3 | None = None,
) -> int:
    """Write a binary little-endian PLY file to a path (whole or not at all) or a binary file; its size.

    Of an iterable of blocks `count` must be given: the sum of their lengths. All need the same SH
    degree and extras as the first. `sh_degree`: cut, or fill with zeros, to another degree than the splats'.
    `comments` are lines for the header. With `world`, x, y and z are doubles to which it has been added.

    Raises `UsageError` for what does not fit together, `InputError` "io.write" for a path that fails.
    """
    if isinstance(splats_or_blocks, Splats):
        count = len(splats_or_blocks) if count is None else count
        splats_or_blocks = (splats_or_blocks,)
    elif count is None:
        raise UsageError("ply.count", "a PLY file's header needs the count before the blocks are written")
    pieces = _file_pieces(iter(splats_or_blocks), layout, count, sh_degree, comments, world)
    if isinstance(sink, (str, os.PathLike)):
        with atomic_output(sink) as file:
            return sum(_write_all(file, piece) for piece in pieces)
    return sum(_write_all(sink, piece) for piece in pieces)


def ply_header(
    splats: Splats,
    *,
    layout: Layout = "inria",
    count: int | None = None,
    sh_degree: int | None = None,
    comments: Sequence[str] = (),
    world: Floats3 | None = None,
) -> bytes:
    """The header that `write_ply` writes for `splats`, or for `count` splats like them."""
    columns = _columns(splats, layout, sh_degree, world)
    properties = [(name, TYPE_NAMES[dtype.str[1:]]) for name, dtype in columns]
    return header_bytes(len(splats) if count is None else count, properties, comments)


def ply_rows(
    splats: Splats,
    *,
    layout: Layout = "inria",
    sh_degree: int | None = None,
    world: Floats3 | None = None,
) -> NDArray[np.uint8]:
    """The rows that `write_ply` writes: (N, bytes of a row) uint8, C-contiguous."""
    columns = _columns(splats, layout, sh_degree, world)
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
    put("x", splats.positions if world is None else splats.positions.astype(np.float64) + np.array(world))
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


def _columns(
    splats: Splats, layout: Layout, sh_degree: int | None, world: Floats3 | None
) -> list[tuple[str, np.dtype[Any]]]:
    """Name and little-endian type of each property, in file order."""
    _check_options(layout, sh_degree)
    found = list(_extra_columns(splats))
    extras = dict(found)
    if len(extras) < len(found):
        twice = next(name for i, (name, _) in enumerate(found) if name in dict(found[:i]))
        raise UsageError("ply.name", f"two extras would be the PLY property {twice!r}")
    real = np.dtype("<f4")
    place = real if world is None else np.dtype("<f8")
    columns = [(name, place) for name in ("x", "y", "z")]
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
    blocks: Iterator[Splats],
    layout: Layout,
    count: int,
    sh_degree: int | None,
    comments: Sequence[str],
    world: Floats3 | None,
) -> Iterator[bytes | NDArray[np.uint8]]:
    """The header and the rows, a block at a time."""
    _check_options(layout, sh_degree)
    first = next(blocks, None)
    if first is None:
        first = _no_splats(sh_degree or 0)
    wanted = first.sh_degree if sh_degree is None else None
    columns = _columns(first, layout, sh_degree, world)
    yield ply_header(first, layout=layout, count=count, sh_degree=sh_degree, comments=comments, world=world)
    step = max(1, BLOCK_BYTES // sum(dtype.itemsize for _, dtype in columns))
    written = 0
    for block in chain((first,), blocks):
        written += len(block)
        if written > count:
            break
        if wanted not in (None, block.sh_degree) or _columns(block, layout, sh_degree, world) != columns:
            raise UsageError("ply.blocks", "a block has another SH degree or other extras than the first")
        for start in range(0, len(block), step):
            rows = block.take(slice(start, start + step))
            yield ply_rows(rows, layout=layout, sh_degree=sh_degree, world=world)
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
