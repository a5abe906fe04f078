"""(11.3, 11.5) The lossless profile: the PLY file put together, its rows binary or text."""

from __future__ import annotations

import struct
import zlib

from gscodec._generated import extra_types
from gscodec.errors import Integrity
from gscodec.reference.lossless import (
    BIG,
    DECIMALS,
    SIGNIFICANT,
    TEXT,
    Description,
    LosslessFile,
    inflate,
    read_model,
    size_of,
)
from gscodec.reference.lossless_rows import read_rows


def ply_from_lossless(found: LosslessFile, *, verify: bool = True) -> bytes:
    """(11.3) The PLY file."""
    about = found.description
    around = inflate(about.packed, about.head_bytes + about.tail_bytes, about.packed_place)
    out, tail = around[: about.head_bytes], around[about.head_bytes :]
    if found.model is not None:
        model = read_model(*found.model, about)
        for count, payload, place in found.blocks:
            rows = read_rows(count, payload, place, model)
            out += b"".join(line(row, about) if about.form == TEXT else binary(row, about) for row in rows)
            if len(out) + len(tail) > about.file_bytes:
                raise about.place.malformed("lossless.text", "more text than stated")
    if len(out) + len(tail) != about.file_bytes:
        raise about.place.malformed("lossless.text", "less text than stated")
    if verify and zlib.crc32(out + tail) != about.crc:
        raise Integrity("lossless.crc", "another PLY file", clause="11.3", offset=about.place.offset + 32)
    return out + tail


def binary(row: list[int], about: Description) -> bytes:
    """(11.3) The bytes of a row; the high word of a wide value comes first in it."""
    words, out = iter(row), b""
    for type in about.types:
        value, size = next(words), size_of(type)
        if size == 8:
            value = value << 32 | next(words)
        out += value.to_bytes(size, "big" if about.form == BIG else "little")
    return out


def line(row: list[int], about: Description) -> bytes:
    """(11.5) A row as text."""
    data, shown, at = binary(row, about), [], 0
    for type in about.types:
        name, size = extra_types.ROWS[type].name, size_of(type)
        pattern, at = data[at : at + size], at + size
        if name[0] == "f":
            shown.append(float_text(struct.unpack("<f" if size == 4 else "<d", pattern)[0], size, about))
        else:
            shown.append(str(int.from_bytes(pattern, "little", signed=name[0] == "i")))
    end = (" " if about.line_end & 1 else "") + ("\r\n" if about.line_end & 2 else "\n")
    return (" ".join(shown) + end).encode("ascii")


def float_text(value: float, size: int, about: Description) -> str:
    """(11.5) A number in the notation of the file."""
    if about.notation == SIGNIFICANT:
        return f"{value:.{about.digits}g}"
    if about.notation == DECIMALS:
        return f"{value:.{about.digits}f}"
    for digits in range(1, 18):
        text = f"{value:.{digits}g}"
        if rounded(float(text), size) == value:
            break
    return text


def rounded(value: float, size: int) -> float:
    """(11.5) The nearest value of the type."""
    if size == 8:
        return value
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf")
