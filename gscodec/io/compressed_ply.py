"""PlayCanvas compressed PLY files: `read_compressed_ply`, `write_compressed_ply`.

A binary PLY file of 16 bytes a splat, in chunks of 256 splats, the last one shorter:

    element chunk        float min_x min_y min_z max_x max_y max_z
                         float min_scale_x .. max_scale_z           log scales
                         float min_r min_g min_b max_r max_g max_b  may be missing: then 0 to 1
    element vertex       uint packed_position                       x 11, y 10, z 11 bits, x highest
                         uint packed_rotation                       2 bits: which of w x y z is left out
                         uint packed_scale                          11, 10, 11 bits
                         uint packed_color                          red, green, blue, opacity, 8 bits each
    element sh           uchar f_rest_0 ...                         may be missing; 9, 24 or 45, by channel

Packed values are fractions of the way from the chunk's minimum to its maximum. The other three parts of a
rotation have 10 bits each, from -sqrt(1/2) to sqrt(1/2). The colour is 0.5 + 0.282 sh_dc, not clipped. The
byte b of a harmonic is ((b + 0.5) / 256 - 0.5) 8, but 0 and 255 are -4 and 4.

The format is a way to write a PLY file of splats, and the tools copy the axes from one to the other: the
coordinate system is unspecified, as in PLY.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._ply_header import BYTE_ORDERS, PlyElement, read_header
from gscodec.io._quantise import (
    LARGEST,
    LOGITS,
    SH_C0,
    alpha_bytes,
    byte_of,
    commonly_lost,
    from_smallest_three,
    kept,
    morton_order,
    smallest_three,
)
from gscodec.io._source import ByteSource
from gscodec.io._whole import Sink, Source, read_rest, write_whole
from gscodec.io.reading import opened
from gscodec.io.splat_file import SplatFile
from gscodec.splats import SH_REST_COUNTS, Float32, Splats

CHUNK = 256
SCALES = 20  # log scales are clipped to -20 to 20: beyond that only infinities are found
HARMONICS = 4  # harmonics are clipped to -4 to 4

_PLACES = [f"{end}_{axis}" for end in ("min", "max") for axis in "xyz"]
_SCALES = [f"{end}_scale_{axis}" for end in ("min", "max") for axis in "xyz"]
_COLOURS = [f"{end}_{channel}" for end in ("min", "max") for channel in "rgb"]
_PACKED = ["packed_position", "packed_rotation", "packed_scale", "packed_color"]

_BYTES = np.arange(256)
_REST: Float32 = np.where(_BYTES == 0, -4, np.where(_BYTES == 255, 4, (_BYTES + 0.5) / 32 - 4)).astype(
    np.float32
)

Rows = NDArray[Any]

# ---- reading ----------------------------------------------------------------------------------------------


def read_compressed_ply(source: Source, *, max_bytes: int | None = None) -> SplatFile:
    """Read a compressed PLY file. Opacities of 0 and 1 become the logits of a millionth and of all but that.

    Raises `InputError`: "io.read", "io.limit", "compressed.header", "compressed.truncated",
    "compressed.memory"; and "ply.magic", "ply.header", "ply.truncated" for a header that is not one of PLY.
    """
    try:
        if not isinstance(source, (str, os.PathLike)):
            return _read(ByteSource(source, max_bytes=max_bytes))
        with opened(source) as file:
            return _read(ByteSource(file, max_bytes=max_bytes))
    except MemoryError as error:
        raise InputError("compressed.memory", "not enough memory for the splats of the file") from error


def _read(source: ByteSource) -> SplatFile:
    header = read_header(source)
    if header.format == "ascii":
        raise InputError("compressed.header", "a compressed PLY file is binary; this one is ASCII")
    elements = {element.name: element for element in header.elements}
    _check(header.elements, elements)
    needed = sum(element.count * element.stride for element in header.elements)
    source.check_limit(source.position + needed)
    start = source.position
    data = read_rest(source)
    if len(data) < needed:
        raise InputError(
            "compressed.truncated",
            f"the header declares {elements['vertex'].count:,} splats and needs {needed:,} bytes; "
            f"only {len(data):,} follow it",
            offset=start + len(data),
        )
    tables: dict[str, Rows] = {}
    at = 0
    for element in header.elements:
        dtype = np.dtype([(p.name, p.dtype(BYTE_ORDERS[header.format])) for p in element.properties])
        size = element.count * element.stride
        tables[element.name] = np.frombuffer(data[at : at + size], dtype) if size else np.zeros(0, dtype)
        at += size
    notes = []
    if others := set(elements) - {"chunk", "vertex", "sh"}:
        notes.append(f"the elements {', '.join(sorted(others))} are left out")
    if others := {p.name for p in elements["vertex"].properties} - set(_PACKED):
        notes.append(f"the properties {', '.join(sorted(others))} are left out")
    if len(data) > needed:
        notes.append(f"{len(data) - needed:,} bytes after the splats are left out")
    return SplatFile(
        splats=_splats(tables["chunk"], tables["vertex"], tables.get("sh")),
        comments=header.comments,
        notes=tuple(notes),
    )


def _check(listed: tuple[PlyElement, ...], elements: dict[str, PlyElement]) -> None:
    """The elements have what they need, in numbers that belong together."""
    for name in ("chunk", "vertex"):
        if name not in elements:
            raise InputError("compressed.header", f"not a compressed PLY file: it has no element {name!r}")
    if len(elements) < len(listed):
        raise InputError("compressed.header", "the PLY header has two elements of the same name")
    if any(element.has_lists for element in listed):
        raise InputError("compressed.header", "a compressed PLY file has no lists")
    chunk, vertex, sh = elements["chunk"], elements["vertex"], elements.get("sh")
    _check_properties(chunk, _PLACES + _SCALES, ("f4", "f8"))
    if any(p.name in _COLOURS for p in chunk.properties):
        _check_properties(chunk, _COLOURS, ("f4", "f8"))
    _check_properties(vertex, _PACKED, ("u4",))
    if chunk.count != -(-vertex.count // CHUNK):
        raise InputError(
            "compressed.header",
            f"{vertex.count:,} splats need {-(-vertex.count // CHUNK):,} chunks; there are {chunk.count:,}",
        )
    if sh is not None:
        if sh.count != vertex.count or len(sh.properties) not in (9, 24, 45):
            raise InputError(
                "compressed.header", "element 'sh' needs 9, 24 or 45 properties and as many rows as 'vertex'"
            )
        _check_properties(sh, [f"f_rest_{i}" for i in range(len(sh.properties))], ("u1",))


def _check_properties(element: PlyElement, names: list[str], codes: tuple[str, ...]) -> None:
    found = {p.name: p.dtype("=").str[1:] for p in element.properties}
    for name in names:
        if found.get(name) not in codes:
            raise InputError(
                "compressed.header", f"element {element.name!r} has no property {name!r} of the right type"
            )


@np.errstate(over="ignore", invalid="ignore")  # the ends are whatever the file says
def _splats(chunk: Rows, vertex: Rows, sh: Rows | None) -> Splats:
    count = len(vertex)
    of_chunk = np.arange(count) // CHUNK
    colour = vertex["packed_color"].astype(np.uint32)
    rgb = np.stack([colour >> 24, colour >> 16 & 255, colour >> 8 & 255], axis=1) / 255
    if chunk.dtype.names and _COLOURS[0] in chunk.dtype.names:
        rgb = _between(chunk, _COLOURS, of_chunk, rgb)
    rotation = vertex["packed_rotation"].astype(np.uint32)
    rest = np.stack([rotation >> 20 & 1023, rotation >> 10 & 1023, rotation & 1023], axis=1)
    harmonics = np.zeros((count, 0, 3), np.float32)
    if sh is not None:
        k = len(sh.dtype.names or ()) // 3
        harmonics = np.empty((count, k, 3), np.float32)
        for i in range(3 * k):
            harmonics[:, i % k, i // k] = _REST[sh[f"f_rest_{i}"]]
    positions = _between(chunk, _PLACES, of_chunk, _fractions(vertex["packed_position"]))
    scales = _between(chunk, _SCALES, of_chunk, _fractions(vertex["packed_scale"]))
    return Splats(
        positions=positions.astype(np.float32),
        scales=scales.astype(np.float32),
        rotations=from_smallest_three((rotation >> 30).astype(np.int64), rest, 1023),
        opacities=LOGITS[colour & 255],
        sh_dc=((rgb - 0.5) / SH_C0).astype(np.float32),
        sh_rest=harmonics,
    )


def _fractions(packed: NDArray[Any]) -> NDArray[np.float64]:
    """(N,) words of 11, 10 and 11 bits as (N, 3) numbers from 0 to 1."""
    words = packed.astype(np.uint32)
    return np.stack([words >> 21, words >> 11 & 1023, words & 2047], axis=1) / [2047, 1023, 2047]


def _between(
    chunk: Rows, names: list[str], of_chunk: NDArray[Any], t: NDArray[np.float64]
) -> NDArray[np.float64]:
    """From the chunk's minimum (the first three of `names`) at 0 to its maximum (the others) at 1."""
    ends = np.stack([chunk[name].astype(np.float64) for name in names], axis=1)[of_chunk]
    return np.asarray(ends[:, :3] * (1 - t) + ends[:, 3:] * t)


# ---- writing ----------------------------------------------------------------------------------------------


def lost_in_compressed_ply(file: SplatFile) -> tuple[str, ...]:
    """What a compressed PLY file cannot hold of `file`, a sentence each."""
    lost = commonly_lost(file, order=True)
    splats = file.splats
    if count := int((np.abs(splats.scales) > SCALES).any(axis=1).sum()):
        lost.append(f"log scales outside of -{SCALES} to {SCALES} of {count:,} splats are clipped")
    if count := int((np.abs(splats.sh_rest) > HARMONICS).any(axis=(1, 2)).sum()):
        lost.append(f"harmonics outside of -{HARMONICS} to {HARMONICS} of {count:,} splats are clipped")
    lost.append("positions, scales and rotations are rounded to 10 or 11 bits, colours and the rest to 8")
    return tuple(lost)


def write_compressed_ply(sink: Sink, file: SplatFile) -> int:
    """Write a compressed PLY file to a path (whole or not at all) or a binary file; its size.

    The splats are sorted along a Z-order curve, so that those of a chunk are near to each other.

    Raises `InputError` "io.write" for a path that cannot be written.
    """
    splats = kept(file.splats)
    splats = splats.take(morton_order(splats.positions))
    count = len(splats)
    firsts = np.arange(0, count, CHUNK)
    scales = np.clip(splats.scales.astype(np.float64), -SCALES, SCALES)
    colours = 0.5 + SH_C0 * splats.sh_dc.astype(np.float64)
    place_ends, places = _packed(splats.positions.astype(np.float64), firsts, (2047, 1023, 2047))
    scale_ends, sizes = _packed(scales, firsts, (2047, 1023, 2047))
    colour_ends, rgb = _packed(colours, firsts, (255, 255, 255))
    which, rest = smallest_three(splats.rotations, 1023)
    words = np.empty((count, 4), "<u4")
    words[:, 0] = places[:, 0] << 21 | places[:, 1] << 11 | places[:, 2]
    words[:, 1] = which << 30 | rest[:, 0] << 20 | rest[:, 1] << 10 | rest[:, 2]
    words[:, 2] = sizes[:, 0] << 21 | sizes[:, 1] << 11 | sizes[:, 2]
    words[:, 3] = rgb[:, 0] << 24 | rgb[:, 1] << 16 | rgb[:, 2] << 8 | alpha_bytes(splats.opacities)
    # -4 and 4 are the bytes 0 and 255; any other byte stands for the middle of its 1/32.
    cells = np.floor(np.clip(splats.sh_rest.astype(np.float64) / 8 + 0.5, 0, 1) * 256)
    harmonics = np.minimum(cells, 255).astype(np.uint8).transpose(0, 2, 1)
    ends = np.concatenate([place_ends, scale_ends, colour_ends], axis=1).astype("<f4")
    return write_whole(
        sink,
        [
            _header(count, SH_REST_COUNTS[splats.sh_degree], file.comments),
            ends.tobytes(),
            words.tobytes(),
            harmonics.tobytes(),
        ],
    )


def _packed(
    values: NDArray[np.float64], firsts: NDArray[Any], tops: tuple[int, int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The ends of each chunk, (chunks, 6), and the values as integers between them, (N, 3)."""
    if not len(values):
        return np.zeros((0, 6)), np.zeros((0, 3), np.int64)
    # The file's ends are float32: what lies between is measured from those, not from the exact ones.
    low, high = (
        np.clip(f.reduceat(values, firsts), -LARGEST, LARGEST).astype(np.float32).astype(np.float64)
        for f in (np.minimum, np.maximum)
    )
    of_chunk = np.arange(len(values)) // CHUNK
    span = np.where(high > low, high - low, 1)[of_chunk]
    fractions = (values - low[of_chunk]) / span
    packed = np.stack([byte_of(fractions[:, i], top) for i, top in enumerate(tops)], axis=1)
    return np.concatenate([low, high], axis=1), packed


def _header(count: int, rest: int, comments: tuple[str, ...]) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {' '.join(comment.split())}" for comment in comments]
    lines.append(f"element chunk {-(-count // CHUNK)}")
    lines += [f"property float {name}" for name in _PLACES + _SCALES + _COLOURS]
    lines.append(f"element vertex {count}")
    lines += [f"property uint {name}" for name in _PACKED]
    if rest:
        lines.append(f"element sh {count}")
        lines += [f"property uchar f_rest_{i}" for i in range(3 * rest)]
    return "\n".join([*lines, "end_header", ""]).encode("utf-8", errors="replace")
