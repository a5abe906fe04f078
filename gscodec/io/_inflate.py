"""`Inflated`: compressed bytes of a `ByteSource`, unpacked piece by piece, never beyond what was asked for.

A few bytes can claim to unpack to gigabytes. Nothing is taken in advance: what is asked for grows with what
arrives, and all that one file unpacks to is bounded by what was read of it (`Budget`).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Protocol

from gscodec.errors import InputError
from gscodec.io._source import CHUNK, ByteSource

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FLOOR = 64 << 20
RATIO = 1024  # DEFLATE reaches 1032, zstd far more, but only on bytes that say nothing
WINDOW_LOG = 27  # 128 MiB: the most that decoders of zstd accept unless told otherwise


class Unpacker(Protocol):
    """What the standard library's decompressors have in common: see `compression.zstd.ZstdDecompressor`."""

    @property
    def eof(self) -> bool:
        """Whether the compressed stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing to give without more input."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the stream in the last input."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes."""


class Gzip:
    """zlib's decompressor with that interface."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)
        self._has_more = False

    @property
    def eof(self) -> bool:
        """Whether the gzip member has ended."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing to give without more input."""
        return not (self._has_more or self._inner.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the member in the last input."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes."""
        out = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._has_more = len(out) == max_length  # zlib may hold output back even without input left
        return out


def unzstd() -> Unpacker:
    """A decompressor of zstd with a bounded window."""
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})


def zstd_frame(data: bytes, level: int) -> bytes:
    """`data` compressed."""
    return zstd.compress(data, level)


class Budget:
    """How many bytes a file may unpack to: `FLOOR`, and `RATIO` for each byte that was read of it."""

    def __init__(self) -> None:
        self.read = 0
        self.made = 0

    def check(self) -> None:
        """Raise `InputError` "spz.limit" where more was made than what was read allows."""
        if self.made > FLOOR + RATIO * self.read:
            raise InputError(
                "spz.limit", f"{self.read:,} compressed bytes unpack to more than {self.made:,}: refused"
            )


class Inflated:
    """The unpacked bytes of the next `compressed` bytes of `source` (None: all that follow).

    Streams that follow each other within them are one. `start` are bytes that were read already.
    """

    def __init__(
        self,
        source: ByteSource,
        make: Callable[[], Unpacker],
        budget: Budget,
        *,
        compressed: int | None = None,
        start: bytes = b"",
    ) -> None:
        self._source, self._make, self._budget = source, make, budget
        self._left = compressed
        self._ahead = start
        self._unpacker: Unpacker | None = None

    def take(self, count: int) -> bytearray:
        """Up to `count` bytes, fewer only at the end. Raises `InputError` "spz.packing", "spz.limit"."""
        out = bytearray()
        while len(out) < count:
            piece = self._piece(min(CHUNK, count - len(out)))
            if not piece:
                break
            out += piece
        return out

    def skip(self) -> int:
        """Drop what is left; how many unpacked bytes that were."""
        dropped = 0
        while piece := self._piece(CHUNK):
            dropped += len(piece)
        return dropped

    def _piece(self, limit: int) -> bytes:
        """1 to `limit` bytes, or none at the end."""
        while True:
            if self._unpacker is None or self._unpacker.eof:
                if self._unpacker is not None:
                    self._ahead = self._unpacker.unused_data + self._ahead
                data = self._input()
                if not data:
                    return b""
                self._unpacker = self._make()
            elif self._unpacker.needs_input:
                data = self._input()
                if not data:
                    raise InputError(
                        "spz.truncated", "the compressed data ends early", offset=self._source.position
                    )
            else:
                data = b""
            try:
                piece = self._unpacker.decompress(data, limit)
            except (zlib.error, zstd.ZstdError, EOFError) as error:
                raise InputError(
                    "spz.packing", f"the compressed data is damaged: {error}", offset=self._source.position
                ) from error
            self._budget.made += len(piece)
            self._budget.check()
            if piece:
                return piece

    def _input(self) -> bytes:
        """Compressed bytes, none at their end."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
        else:
            data = self._source.chunk(CHUNK if self._left is None else min(CHUNK, self._left))
            if self._left is not None:
                self._left -= len(data)
        self._budget.read += len(data)
        return data
