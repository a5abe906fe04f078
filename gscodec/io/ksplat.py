"""mkkellogg .ksplat files, version 0.1, of all three compression levels: `read_ksplat`, `write_ksplat`.

A header of 4096 bytes, 1024 bytes for each section, then the data of the sections. Little-endian:

    header   0 uint8 2 version, 4 uint32 section places, 8 sections, 12 splat places, 16 splats,
             20 uint16 level, 24 float32 3 centre of the scene, 36 float32 2 range of the harmonics (level 2)
    section  0 uint32 splats, 4 splat places, 8 splats in a full bucket, 12 buckets, 16 float32 block size,
             20 uint16 bytes of a bucket, 24 uint32 position range, 28 bytes of data, 32 full buckets,
             36 other buckets, 40 uint16 degree of the harmonics (0 to 2)
    data     uint32 for each bucket that is not full: its splats; float32 3 for each bucket: its centre;
             the splats, those of full buckets first

    of a splat        level 0        level 1      level 2
    position          float32 3      uint16 3     uint16 3    from the bucket's centre
    scale             float32 3      float16 3    float16 3   not its logarithm
    rotation          float32 4      float16 4    float16 4   w first
    colour, opacity   uint8 4        uint8 4      uint8 4     255 is 1
    harmonics         float32        float16      uint8       band after band, each by channel

A position p of levels 1 and 2 is (p - range) block / (2 range) from the centre, along each axis; level 0
has no buckets. The format is what its viewer reads. The viewer's converter copies the axes of PLY files as
they are: the coordinate system is unspecified.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError, UsageError
from gscodec.io._quantise import (
    LARGEST,
    LOGITS,
    alpha_bytes,
    byte_of,
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
from gscodec.splats import SH_REST_COUNTS, Float32, Splats, joined

HEADER = struct.Struct("<BB2xIIIIH2x3f2f")
SECTION = struct.Struct("<IIIIfH2xIIIIH")
HEADER_BYTES, SECTION_BYTES = 4096, 1024
LEVELS = (0, 1, 2)
DEGREE = 2
BLOCK, BUCKET, RANGE = 5.0, 256, 32767  # of what is written; the viewer's own values
HARMONICS = 1.5  # the range of level 2 where the file says 0

_BUCKET_BYTES = 12
_HALF = float(np.finfo(np.float16).max)
# Where the channel-and-coefficient lists of bands 1 and 2 go: (coefficient, channel) of each value.
_PLACES = [(k, c) for c in range(3) for k in range(3)] + [(k, c) for c in range(3) for k in range(3, 8)]


def _row(level: int, degree: int) -> np.dtype[Any]:
    real, place = ("<f4", "<f4") if level == 0 else ("<f2", "<u2")
    rest = ("<f4", "<f2", "u1")[level]
    fields: list[Any] = [("position", place, 3), ("scale", real, 3), ("rotation", real, 4)]
    fields += [("colour", "u1", 3), ("alpha", "u1"), ("rest", rest, 3 * SH_REST_COUNTS[degree])]
    return np.dtype(fields)


# ---- reading ----------------------------------------------------------------------------------------------


def read_ksplat(source: Source, *, max_bytes: int | None = None) -> SplatFile:
    """Read a .ksplat file. NaN and infinities are kept; scales of 0 or below become `FLAT`.

    Raises `InputError`: "io.read", "io.limit", "ksplat.header", "ksplat.truncated", "ksplat.buckets",
    "ksplat.memory".
    """
    data = read_whole(source, max_bytes=max_bytes)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # the values are whatever the file says
            return _read(data)
    except MemoryError as error:
        raise InputError("ksplat.memory", "not enough memory for the splats of the file") from error


def _read(data: bytes) -> SplatFile:
    if len(data) < HEADER_BYTES:
        raise InputError(
            "ksplat.truncated", f"a .ksplat file has a header of {HEADER_BYTES:,} bytes", offset=len(data)
        )
    major, minor, places, _, _, count, level, _, _, _, low, high = HEADER.unpack_from(data)
    if major != 0 or minor < 1:
        raise InputError("ksplat.header", f"version {major}.{minor} of .ksplat; only 0.1 is known", offset=0)
    if level not in LEVELS:
        raise InputError("ksplat.header", f"compression level {level}; known are 0, 1 and 2", offset=20)
    base = HEADER_BYTES + places * SECTION_BYTES
    if base > len(data):
        raise _truncated(data, f"{places:,} sections")
    parts = []
    for i in range(places):
        part, base = _section(data, HEADER_BYTES + i * SECTION_BYTES, base, level, (low, high))
        parts.append(part)
    found = sum(len(part) for part in parts)
    if found != count:
        raise InputError("ksplat.header", f"the file declares {count:,} splats; its sections have {found:,}")
    return SplatFile(splats=joined(parts))


def _section(
    data: bytes, at: int, base: int, level: int, sh_range: tuple[float, float]
) -> tuple[Splats, int]:
    """The splats of the section whose header is at `at` and data at `base`; where the next data are."""
    head = SECTION.unpack_from(data, at)
    count, places, capacity, buckets, block, bucket_bytes, span, _, full, partial, degree = head
    if degree > DEGREE:
        raise InputError("ksplat.header", f"harmonics of degree {degree}; .ksplat has 0 to 2", offset=at + 40)
    if count > places:
        raise InputError("ksplat.header", f"{count:,} splats in a section of {places:,}", offset=at)
    row = _row(level, degree)
    tables = partial * 4 + buckets * bucket_bytes
    end = base + tables + places * row.itemsize
    if end > len(data):
        raise _truncated(data, f"{places:,} splats")
    rows = np.frombuffer(data, row, count, base + tables)
    positions = rows["position"].astype(np.float32)
    if level:
        if bucket_bytes != _BUCKET_BYTES or full + partial > buckets:
            raise InputError("ksplat.buckets", "the sizes of the buckets do not fit together", offset=at)
        sizes = np.frombuffer(data, "<u4", partial, base)
        centres = np.frombuffer(data, "<f4", 3 * buckets, base + partial * 4).reshape(-1, 3)
        of_splat = _buckets(count, capacity, full, sizes, at)
        span = span or RANGE
        offsets = (rows["position"].astype(np.float64) - span) * (block / 2 / span)
        positions = (centres[of_splat] + offsets).astype(np.float32)
    return Splats(
        positions=positions,
        scales=log_scales(rows["scale"]),
        rotations=rows["rotation"].astype(np.float32),
        opacities=LOGITS[rows["alpha"]],
        sh_dc=colour_coefficients(rows["colour"]),
        sh_rest=_harmonics(rows["rest"], degree, sh_range),
    ), end


def _buckets(count: int, capacity: int, full: int, sizes: NDArray[np.uint32], at: int) -> NDArray[np.int64]:
    """(count,): the bucket of each splat."""
    in_full = min(count, full * capacity)
    ends = in_full + np.cumsum(sizes.astype(np.int64))
    if count > in_full and (not len(ends) or ends[-1] < count):
        raise InputError("ksplat.buckets", f"the buckets hold fewer than {count:,} splats", offset=at)
    of_splat = np.empty(count, np.int64)
    of_splat[:in_full] = np.arange(in_full) // max(capacity, 1)
    of_splat[in_full:] = full + np.searchsorted(ends, np.arange(in_full, count), side="right")
    return of_splat


def _harmonics(values: NDArray[Any], degree: int, sh_range: tuple[float, float]) -> Float32:
    rest = np.zeros((len(values), SH_REST_COUNTS[degree], 3), np.float32)
    low, high = _sh_range(*sh_range)
    for i, (k, c) in enumerate(_PLACES[: 3 * SH_REST_COUNTS[degree]]):
        column = values[:, i]
        if column.dtype == np.uint8:
            rest[:, k, c] = (low + column / 255 * (high - low)).astype(np.float32)
        else:
            rest[:, k, c] = column
    return rest


def _sh_range(low: float, high: float) -> tuple[float, float]:
    """What the viewer takes for a range: 0, as in files without harmonics, is the usual end."""
    return low or -HARMONICS, high or HARMONICS


def _truncated(data: bytes, what: str) -> InputError:
    return InputError("ksplat.truncated", f"the file ends before its {what}", offset=len(data))


# ---- writing ----------------------------------------------------------------------------------------------


def lost_in_ksplat(file: SplatFile, *, level: int = 0) -> tuple[str, ...]:
    """What a .ksplat file of the compression level cannot hold of `file`, a sentence each."""
    _check_level(level)
    lost = commonly_lost(file, sh_degree=DEGREE, order=level > 0, colours_clipped=True, sizes=True)
    if file.comments:
        lost.append("the comments")
    lost.append("colours and opacities are rounded to 8 bits")
    if level:
        lost.append("positions are rounded to 16 bits of a block; scales and rotations have 11 bits")
        lost.append("scales above 65504 and below 6e-8 are clipped")
    if level and file.splats.sh_degree:
        lost.append("harmonics are rounded to 8 bits" if level == 2 else "harmonics have 11 bits")
    return tuple(lost)


def write_ksplat(sink: Sink, file: SplatFile, *, level: int = 0) -> int:
    """Write a .ksplat file of one section to a path (whole or not at all) or a binary file; its size.

    level  0: float32, in the order of `file`; 1: 16 bits, sorted into buckets; 2: as 1, harmonics in 8 bits

    Raises `UsageError` "ksplat.level"; `InputError` "io.write" for a path that cannot be written.
    """
    _check_level(level)
    splats = kept(file.splats)
    degree = min(splats.sh_degree, DEGREE)
    rest = splats.sh_rest[:, : SH_REST_COUNTS[degree]]
    low, high = (float(rest.min()), float(rest.max())) if rest.size else (-HARMONICS, HARMONICS)
    sh_range = _sh_range(float(np.float32(low)), float(np.float32(high)))
    tables = b""
    block, sizes = 0.0, np.zeros(0, np.int64)
    places = splats.positions
    if level:
        block = _block(splats.positions)
        order, centres, sizes = _filled(splats.positions, block)
        splats, rest = splats.take(order), rest[order]
        offsets = splats.positions.astype(np.float64) - np.repeat(centres.astype(np.float64), sizes, axis=0)
        steps = np.rint(offsets * (RANGE / (block / 2))) + RANGE
        places = np.clip(steps, 0, 2 * RANGE + 1).astype(np.float32)
        tables = sizes[sizes < BUCKET].astype("<u4").tobytes() + centres.astype("<f4").tobytes()
    rows = np.zeros(len(splats), _row(level, degree))
    rows["position"] = places
    rows["scale"] = _in_half(linear_scales(splats.scales), level)
    rows["rotation"] = unit(splats.rotations)
    rows["colour"] = colour_bytes(splats.sh_dc)
    rows["alpha"] = alpha_bytes(splats.opacities)
    for i, (k, c) in enumerate(_PLACES[: rest.shape[1] * 3]):
        values = rest[:, k, c].astype(np.float64)
        if level == 2:
            rows["rest"][:, i] = byte_of((values - sh_range[0]) / ((sh_range[1] - sh_range[0]) or 1))
        else:
            rows["rest"][:, i] = np.clip(values, -_HALF, _HALF) if level else values
    full = int((sizes == BUCKET).sum())
    count = len(rows)
    size = len(tables) + rows.nbytes
    buckets = (BUCKET, len(sizes), block, _BUCKET_BYTES, RANGE) if level else (0, 0, 0.0, 0, 0)
    section = SECTION.pack(count, count, *buckets, size & 0xFFFFFFFF, full, len(sizes) - full, degree)
    header = HEADER.pack(0, 1, 1, 1, count, count, level, 0.0, 0.0, 0.0, *sh_range)
    head = header.ljust(HEADER_BYTES, b"\0") + section.ljust(SECTION_BYTES, b"\0")
    return write_whole(sink, [head, tables, rows.tobytes()])


def _check_level(level: int) -> None:
    if level not in LEVELS:
        raise UsageError("ksplat.level", f"compression level {level!r} of .ksplat; known are 0, 1 and 2")


def _block(positions: Float32) -> float:
    """The side of a block: the viewer's, or less for a small scene, whose positions then lose less."""
    if not len(positions):
        return BLOCK
    values = positions.astype(np.float64)
    extent = float((values.max(axis=0) - values.min(axis=0)).max())
    return float(np.float32(min(BLOCK, extent * 1.001))) or BLOCK


def _filled(positions: Float32, block: float) -> tuple[NDArray[np.intp], Float32, NDArray[np.int64]]:
    """Splats in buckets of at most `BUCKET`, each within a block: order, centres, sizes; full ones first."""
    if not len(positions):
        return np.zeros(0, np.intp), np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    values = positions.astype(np.float64)
    low = values.min(axis=0)
    cells = np.floor((values - low) / block)
    order = np.lexsort(cells.T)
    cells = cells[order]
    starts = np.flatnonzero(np.r_[True, (cells[1:] != cells[:-1]).any(axis=1)])
    counts = np.diff(np.r_[starts, len(cells)])
    # A block's splats are cut into pieces of BUCKET; the last piece of each may be shorter.
    pieces = -(-counts // BUCKET)
    number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    firsts = np.repeat(starts, pieces) + number * BUCKET
    sizes = np.minimum(np.repeat(counts, pieces) - number * BUCKET, BUCKET)
    full_first = np.argsort(sizes < BUCKET, kind="stable")
    firsts, sizes = firsts[full_first], sizes[full_first]
    centres = np.clip((cells[firsts] + 0.5) * block + low, -LARGEST, LARGEST).astype(np.float32)
    within = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[np.repeat(firsts, sizes) + within], centres, sizes


def _in_half(scales: Float32, level: int) -> Float32:
    """Scales that float16 can hold, where that is what is written; none becomes 0."""
    if not level:
        return scales
    return np.clip(scales, np.float32(2.0**-25) * np.float32(1.01), np.float32(_HALF))
