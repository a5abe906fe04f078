"""Files of known layout read whole, and written piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import BinaryIO

from gscodec.io._source import CHUNK, ByteSource
from gscodec.io.output import atomic_output
from gscodec.io.reading import opened

Source = str | os.PathLike[str] | BinaryIO
Sink = str | os.PathLike[str] | BinaryIO


def read_whole(source: Source, *, max_bytes: int | None = None) -> bytes:
    """All bytes of a path or a binary file (a pipe too).

    Raises `InputError` "io.read", "io.limit".
    """
    if not isinstance(source, (str, os.PathLike)):
        return read_rest(ByteSource(source, max_bytes=max_bytes))
    with opened(source) as file:
        return read_rest(ByteSource(file, max_bytes=max_bytes))


def read_rest(source: ByteSource) -> bytes:
    """What is left of `source`; the memory grows with what arrives, never with what a header says."""
    if source.size is not None:
        data = bytearray(source.size - source.position)
        return bytes(memoryview(data)[: source.read_into(memoryview(data))])
    pieces: list[bytes] = []
    while piece := source.chunk(CHUNK):
        pieces.append(piece)
    return b"".join(pieces)


def write_whole(sink: Sink, pieces: Iterable[bytes]) -> int:
    """Write the pieces to a path (whole or not at all) or to a binary file; how many bytes.

    Raises `InputError` "io.write" for a path that cannot be written.
    """
    if isinstance(sink, (str, os.PathLike)):
        with atomic_output(sink) as file:
            return sum(_write_all(file, piece) for piece in pieces)
    return sum(_write_all(sink, piece) for piece in pieces)


def _write_all(sink: BinaryIO, piece: bytes) -> int:
    """All bytes, also to an unbuffered file, which may take only some at a time."""
    view = memoryview(piece)
    while view:
        view = view[sink.write(view) or 0 :]
    return len(piece)
