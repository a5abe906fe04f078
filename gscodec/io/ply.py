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
from typing import BinaryIO

from gscodec.io._ply_rows import PlyScene, RowReader
from gscodec.io._source import ByteSource
from gscodec.io.offset import Offset
from gscodec.io.reading import opened


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


def read_ply_blocks(
    file: BinaryIO, *, max_bytes: int | None = None, offset: Offset | None = None
) -> RowReader:
    """A PLY file of splats in blocks, its header read: what `read_ply` says, but never all rows at a time.

    The `offset` "auto" is decided from the first block that is taken.
    """
    return RowReader(ByteSource(file, max_bytes=max_bytes), offset)


def _read(source: ByteSource, offset: Offset | None) -> PlyScene:
    rows = RowReader(source, offset)
    return rows.scene(next(rows.blocks()))
