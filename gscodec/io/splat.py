"""antimatter15 .splat files, 32 bytes a splat, no header: `read_splat`, `write_splat`.

    offset  type       what
    0       float32 3  position
    12      float32 3  scale, not its logarithm
    24      uint8 4    red, green, blue, opacity: 255 is 1
    28      uint8 4    quaternion, w first: (byte - 128) / 128, to be normalised

Everything is little-endian, and the colour is 0.5 + 0.282 sh_dc, clipped: harmonics there are none. The
format is defined by its viewer and by the converter beside it, which copies the axes of a PLY file as they
are; so the coordinate system is whatever that of the PLY file was: unspecified.
"""

from __future__ import annotations

import numpy as np

from gscodec.errors import InputError
from gscodec.io._quantise import (
    LOGITS,
    alpha_bytes,
    colour_bytes,
    colour_coefficients,
    commonly_lost,
    kept,
    linear_scales,
    log_scales,
    unit,
)
from gscodec.io._whole import Sink, Source, read_whole, write_whole
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats

ROW = np.dtype(
    [("position", "<f4", 3), ("scale", "<f4", 3), ("colour", "u1", 3), ("alpha", "u1"), ("rotation", "u1", 4)]
)


def read_splat(source: Source, *, max_bytes: int | None = None) -> SplatFile:
    """Read a .splat file. NaN and infinities are kept; scales of 0 or below become `FLAT`.

    Raises `InputError`: "io.read", "io.limit", "splat.size", "splat.memory".
    """
    try:
        data = read_whole(source, max_bytes=max_bytes)
        if len(data) % ROW.itemsize:
            raise InputError(
                "splat.size",
                f"a .splat file has {ROW.itemsize} bytes a splat; {len(data):,} is not a multiple of that",
                offset=len(data),
            )
        rows = np.frombuffer(data, ROW)
        splats = Splats(
            positions=rows["position"].astype(np.float32),
            scales=log_scales(rows["scale"]),
            rotations=unit(rows["rotation"].astype(np.int16) - 128).astype(np.float32),
            opacities=LOGITS[rows["alpha"]],
            sh_dc=colour_coefficients(rows["colour"]),
            sh_rest=np.zeros((len(rows), 0, 3), np.float32),
        )
    except MemoryError as error:
        raise InputError("splat.memory", "not enough memory for the splats of the file") from error
    return SplatFile(splats=splats)


def lost_in_splat(file: SplatFile) -> tuple[str, ...]:
    """What a .splat file cannot hold of `file`, a sentence each."""
    lost = commonly_lost(file, sh_degree=0, colours_clipped=True, sizes=True)
    if file.comments:
        lost.append("the comments")
    lost.append("colours, opacities and rotations are rounded to 8 bits")
    return tuple(lost)


def write_splat(sink: Sink, file: SplatFile) -> int:
    """Write a .splat file to a path (whole or not at all) or a binary file; its size. The order is kept.

    Raises `InputError` "io.write" for a path that cannot be written.
    """
    splats = kept(file.splats)
    rows = np.zeros(len(splats), ROW)
    rows["position"] = splats.positions
    rows["scale"] = linear_scales(splats.scales)
    rows["colour"] = colour_bytes(splats.sh_dc)
    rows["alpha"] = alpha_bytes(splats.opacities)
    rows["rotation"] = np.clip(np.rint(unit(splats.rotations) * 128 + 128), 0, 255)
    return write_whole(sink, [rows.tobytes()])
