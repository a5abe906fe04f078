"""SPZ files, versions 1 to 4: `read_spz`, `write_spz`.

Versions 1 to 3 are one gzip stream, version 4 a header with a table of zstd streams. The attributes, in that
order, of all splats after each other:

    positions   3 x 24 bit fixed point (version 1: 3 half floats)
    opacity     8 bit of the opacity itself
    colour      3 x 8 bit of 0.15 sh_dc + 0.5
    scales      3 x 8 bit of the logarithm, 1/16 each, from -10
    rotations   smallest three: 2 bit for the largest, 3 x (sign, 9 bit); before version 3: 3 x 8 bit
    harmonics   8 bit each, 1/128 from -1, by coefficient and within it by colour

The axes are right, up, back; an extension record can say otherwise.
"""

from __future__ import annotations

import gzip
import os
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.errors import InputError, UsageError
from gscodec.io._inflate import Budget, Gzip, Inflated, unzstd, zstd_frame
from gscodec.io._source import ByteSource
from gscodec.io._spz_values import (
    COEFFICIENTS,
    SH_BITS,
    Packed,
    fraction_of,
    out_of_range,
    pack,
    unpack,
    widths,
)
from gscodec.io.axes import LETTERS, between, in_axes, turned
from gscodec.io.output import atomic_output
from gscodec.io.reading import opened
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats

MAGIC = b"NGSP"
GZIP_MAGIC = b"\x1f\x8b"
AXES = coordinate_systems.RIGHT_UP_BACK
VERSIONS = (2, 3, 4)  # that are written
ANTIALIASED, HAS_EXTENSIONS = 1, 2
LEVEL = 12  # of zstd, as other writers have it
MOST_EXTENSIONS = 1 << 20
AXES_RECORD = 0xADBE0003
# What that record counts from 1: the first axis changes fastest.
AXES_OF_RECORD = [x + y + z for z in "BF" for y in "DU" for x in "LR"]
AXES_OF_RECORD += [x + y + z for y in "FB" for z in "DU" for x in "LR"]

_OLD_HEADER = struct.Struct("<4sII4B")
_HEADER = struct.Struct("<4sII4BI12s")


# ---- reading


def read_spz(source: str | os.PathLike[str] | BinaryIO, *, max_bytes: int | None = None) -> SplatFile:
    """Read an SPZ file from a path or a binary file object (a pipe too).

    Opacities of 0 and 1 become the logits of a millionth and of all but that. `max_bytes` bounds the input.

    Raises `InputError`: "io.read", "io.limit", "spz.magic", "spz.version", "spz.header", "spz.truncated",
    "spz.packing", "spz.limit", "spz.memory".
    """
    if not isinstance(source, (str, os.PathLike)):
        return _read(ByteSource(source, max_bytes=max_bytes))
    with opened(source) as file:
        return _read(ByteSource(file, max_bytes=max_bytes))


def _read(source: ByteSource) -> SplatFile:
    start = _exactly(source, 4)
    try:
        if start == MAGIC:
            return _read_streams(source, start)
        if start[:2] == GZIP_MAGIC:
            return _read_gzip(source, start)
    except MemoryError as error:
        raise InputError("spz.memory", "not enough memory for the splats") from error
    raise InputError("spz.magic", "not an SPZ file", offset=0)


def _exactly(source: ByteSource, count: int) -> bytes:
    """Up to `count` bytes, fewer only at the end."""
    out = bytearray()
    while len(out) < count and (piece := source.chunk(count - len(out))):
        out += piece
    return bytes(out)


def _read_streams(source: ByteSource, start: bytes) -> SplatFile:
    """Version 4."""
    head = start + _exactly(source, _HEADER.size - len(start))
    if len(head) < _HEADER.size:
        raise _truncated(source)
    _, version, count, degree, fraction, flags, streams, table_at, _ = _HEADER.unpack(head)
    if version != 4:
        raise InputError("spz.version", f"SPZ version {version} without gzip; only 4 is known", offset=4)
    wanted = _sizes(version, count, degree)
    if table_at < _HEADER.size or streams != sum(size > 0 for size in wanted):
        raise InputError("spz.header", f"a table of {streams} streams at byte {table_at}", offset=12)
    records = b""
    if table_at - _HEADER.size <= MOST_EXTENSIONS:
        records = _exactly(source, table_at - _HEADER.size)
    else:
        source.skip(table_at - _HEADER.size)
    table = _exactly(source, 16 * streams)
    if len(table) < 16 * streams:
        raise _truncated(source)
    entries = iter(struct.iter_unpack("<QQ", table))
    budget, parts = Budget(), []
    for size in wanted:
        if not size:
            parts.append(bytearray())
            continue
        compressed, stated = next(entries)
        if stated != size:
            raise InputError(
                "spz.header", f"a stream of {stated:,} bytes where {count:,} splats need {size:,}"
            )
        stream = Inflated(source, unzstd, budget, compressed=compressed)
        parts.append(stream.take(size))
        if len(parts[-1]) < size:
            raise _truncated(source)
        if stream.skip():
            raise InputError("spz.header", "a stream unpacks to more than its size", offset=source.position)
    notes = [f"ignored {rest:,} bytes after the last stream"] if (rest := source.skip()) else []
    packed = Packed(version, count, degree, fraction, *parts)
    return _file(packed, flags, records if flags & HAS_EXTENSIONS else b"", notes)


def _read_gzip(source: ByteSource, start: bytes) -> SplatFile:
    """Versions 1 to 3."""
    stream = Inflated(source, Gzip, Budget(), start=start)
    head = stream.take(_OLD_HEADER.size)
    if head[:4] != MAGIC:
        raise InputError("spz.magic", "a gzip file, but what it holds is not SPZ")
    if len(head) < _OLD_HEADER.size:
        raise _truncated(source)
    _, version, count, degree, fraction, flags, _ = _OLD_HEADER.unpack(head)
    if version not in (1, 2, 3):
        raise InputError("spz.version", f"SPZ version {version} in gzip; only 1 to 3 are known")
    parts = []
    for size in _sizes(version, count, degree):
        parts.append(stream.take(size))
        if len(parts[-1]) < size:
            raise _truncated(source)
    records = bytes(stream.take(MOST_EXTENSIONS)) if flags & HAS_EXTENSIONS else b""
    return _file(Packed(version, count, degree, fraction, *parts), flags, records, [])


def _sizes(version: int, count: int, degree: int) -> list[int]:
    """Bytes of each attribute."""
    if degree >= len(COEFFICIENTS):
        raise InputError("spz.header", f"SH degree {degree}; at most {len(COEFFICIENTS) - 1} is known")
    return [count * width for width in widths(version, degree)]


def _truncated(source: ByteSource) -> InputError:
    return InputError("spz.truncated", "the SPZ data ends early", offset=source.position)


def _file(packed: Packed, flags: int, records: bytes, notes: list[str]) -> SplatFile:
    with np.errstate(all="ignore"):  # half floats of version 1 may be anything
        splats = unpack(packed)
    if packed.degree > 3:
        notes.append("left out the harmonics of degree 4")
    letters, others = _records(records)
    if others:
        notes.append(f"ignored {others} extension record{'s' if others > 1 else ''}")
    systems = {name: system for system, name in LETTERS.items()}
    if letters not in systems:
        splats = turned(splats, between(letters, LETTERS[AXES]))
        notes.append(f"turned from the axes {letters} to right, up, back")
    is_antialiased = bool(flags & ANTIALIASED)
    return SplatFile(
        splats=splats,
        coordinate_system=systems.get(letters, AXES),
        rendering_model=rendering_models.ANTIALIASED if is_antialiased else rendering_models.CLASSIC,
        notes=tuple(notes),
    )


def _records(data: bytes) -> tuple[str, int]:
    """The axes, and how many records say anything else."""
    letters, others, at = LETTERS[AXES], 0, 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        payload = data[at + 8 : at + 8 + size]
        at += 8 + size
        number = int.from_bytes(payload, "little") if kind == AXES_RECORD and size == 4 else -1
        if len(payload) == size and 0 <= number <= len(AXES_OF_RECORD):
            letters = AXES_OF_RECORD[number - 1] if number else letters
        else:
            others += 1
    return letters, others


# ---- writing


def lost_in_spz(file: SplatFile) -> tuple[str, ...]:
    """What an SPZ file cannot hold of `file`, a sentence each."""
    splats, lost = file.splats, []
    kept = _writable(splats)
    if missing := len(splats) - int(np.count_nonzero(kept)):
        lost.append(f"{missing:,} of {len(splats):,} splats have values that are not finite: left out")
        splats = splats.take(kept)
    if splats.extras:
        lost.append(f"extra attributes: {', '.join(splats.extras)}")
    if file.rendering_model == rendering_models.SURFELS:
        lost.append("that the splats are flat discs (2DGS)")
    lost += out_of_range(splats)
    if file.comments:
        lost.append("the comments")
    lost.append(f"positions are rounded to 1/{2 ** fraction_of(splats)}, logarithms of scales to 1/16")
    lost.append("rotations are rounded to 10 bits, opacities and colours to 8, harmonics to 5 and 4")
    return tuple(lost)


def write_spz(
    sink: str | os.PathLike[str] | BinaryIO,
    file: SplatFile,
    *,
    version: int = 4,
    sh_bits: tuple[int, int] = SH_BITS,
) -> int:
    """Write an SPZ file to a path (whole or not at all) or a binary file; its size.

    Splats with NaN, or infinities other than of the opacity, are left out. `sh_bits`: of 8, how many are kept
    of harmonics of degree 1, and of higher ones; fewer pack better.

    Raises `UsageError` "spz.option", `InputError` "io.write" for a path that fails.
    """
    if version not in VERSIONS:
        raise UsageError("spz.option", f"SPZ version {version!r} is not written; expected one of {VERSIONS}")
    if not all(1 <= bits <= 8 for bits in sh_bits):
        raise UsageError("spz.option", f"sh_bits {sh_bits!r}: expected two numbers from 1 to 8")
    file = in_axes(file, AXES)
    splats = file.splats
    kept = _writable(splats)
    if not kept.all():
        splats = splats.take(kept)
    flags = ANTIALIASED if file.rendering_model == rendering_models.ANTIALIASED else 0
    fraction = fraction_of(splats)
    parts = pack(splats, version, fraction, sh_bits)
    if version == 4:
        data = _streams(splats, fraction, flags, parts)
    else:
        head = _OLD_HEADER.pack(MAGIC, version, len(splats), splats.sh_degree, fraction, flags, 0)
        data = gzip.compress(head + b"".join(parts), mtime=0)
    if isinstance(sink, (str, os.PathLike)):
        with atomic_output(sink) as out:
            out.write(data)
    else:
        view = memoryview(data)
        while view:
            view = view[sink.write(view) or 0 :]
    return len(data)


def _streams(splats: Splats, fraction: int, flags: int, parts: list[bytes]) -> bytes:
    """Version 4; an attribute without bytes has no stream."""
    sizes = [len(part) for part in parts if part]
    frames = [zstd_frame(part, LEVEL) for part in parts if part]
    head = _HEADER.pack(
        MAGIC, 4, len(splats), splats.sh_degree, fraction, flags, len(sizes), _HEADER.size, bytes(12)
    )
    table = [struct.pack("<QQ", len(frame), size) for frame, size in zip(frames, sizes, strict=True)]
    return b"".join([head, *table, *frames])


def _writable(splats: Splats) -> NDArray[np.bool_]:
    """(N,) whether each value has a nearest one in the format."""
    kept = ~np.isnan(splats.opacities)
    for array in (splats.positions, splats.rotations, splats.scales, splats.sh_dc, splats.sh_rest):
        kept &= np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    return np.asarray(kept)
