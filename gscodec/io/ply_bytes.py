"""Where the rows of a PLY file are, whatever they mean: for coding that keeps every byte."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from gscodec.io._ply_header import BYTE_ORDERS, PlyElement, PlyHeader, read_header
from gscodec.io._source import ByteSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PlyRows:
    """The element of a PLY file that takes most bytes.

    start       offset of its first byte
    count       rows that are there, which may be fewer than the header declares
    dtypes      type of each column; of the file's byte order, or of this machine's for text
    is_text     whether the rows are lines of text; `start` is then that of the first line after the header
    skipped     text only: lines before the first row
    """

    start: int
    count: int
    dtypes: tuple[np.dtype[np.generic], ...]
    is_text: bool
    skipped: int = 0


def find_rows(data: bytes) -> PlyRows | None:
    """The rows of a whole PLY file, or None where there are none of a fixed size.

    Raises `InputError`: "ply.magic", "ply.header", "ply.truncated" for what has no complete PLY header.
    """
    source = ByteSource(io.BytesIO(data))
    header = read_header(source)
    best: PlyRows | None = None
    most = 0
    start, lines = source.position, 0
    for element in header.elements:
        if element.has_lists and element.count:
            break
        dtypes = tuple(p.dtype(BYTE_ORDERS[header.format]) for p in element.properties)
        if element.count * element.stride > most:
            found = _rows(data, header, element, dtypes, start, lines)
            if found.count * element.stride > most:
                best, most = found, found.count * element.stride
        lines += element.count
        start += 0 if header.format == "ascii" else element.count * element.stride
    return best


def _rows(
    data: bytes,
    header: PlyHeader,
    element: PlyElement,
    dtypes: tuple[np.dtype[np.generic], ...],
    start: int,
    lines: int,
) -> PlyRows:
    if header.format == "ascii":
        return PlyRows(start=start, count=element.count, dtypes=dtypes, is_text=True, skipped=lines)
    there = max(0, len(data) - start) // element.stride
    return PlyRows(start=start, count=min(element.count, there), dtypes=dtypes, is_text=False)
