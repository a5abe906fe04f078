"""`ByteSource`: bytes from a path's file or any binary file object, which may be a pipe.

It reads ahead by itself, so the object need not be buffered nor seekable; it counts what it hands out, so
that errors can name the byte; and it turns operating system errors into `InputError`.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from gscodec.errors import InputError, UsageError

CHUNK = 1 << 20


class ByteSource:
    """Sequential bytes of `file`, from where it stands.

    position  bytes handed out so far
    size      bytes from the start to the end, or None where that cannot be known (a pipe, a device)
    max_bytes refuse (`InputError` "io.limit") an input that is longer
    """

    def __init__(self, file: BinaryIO, *, max_bytes: int | None = None) -> None:
        self._file = file
        self._ahead = memoryview(b"")
        self._max_bytes = max_bytes
        self._arrived = 0
        self.position = 0
        self.size = _remaining_size(file)
        if self.size is not None:
            self.check_limit(self.size)

    def check_limit(self, total: int) -> None:
        """Raise `InputError` when `total` bytes are more than the caller allows."""
        if self._max_bytes is not None and total > self._max_bytes:
            raise InputError("io.limit", f"the input is longer than the {self._max_bytes:,} bytes allowed")

    def chunk(self, limit: int = CHUNK) -> bytes:
        """Between 1 and `limit` bytes, whatever is at hand first; b"" at the end."""
        if not self._ahead:
            self._ahead = memoryview(self._read(max(limit, 1)))
        piece = bytes(self._ahead[:limit])
        self._advance(len(piece))
        return piece

    def line(self, limit: int) -> bytes:
        r"""Up to and including the next "\n"; without one at the end, or where `limit` bytes are passed."""
        pieces: list[bytes] = []
        length = 0
        while length < limit:
            if not self._ahead:
                self._ahead = memoryview(self._read(4096))
                if not self._ahead:
                    break
            seen = bytes(self._ahead[: limit - length])
            end = seen.find(b"\n") + 1
            pieces.append(seen[:end] if end else seen)
            length += len(pieces[-1])
            self._advance(len(pieces[-1]))
            if end:
                break
        return b"".join(pieces)

    def read_into(self, view: memoryview) -> int:
        """Fill the flat byte `view`; the count is smaller than its length only at the end of the input."""
        filled = min(len(self._ahead), len(view))
        view[:filled] = self._ahead[:filled]
        self._advance(filled)
        while filled < len(view):
            got = self._read_into(view[filled:])
            if not got:
                break
            filled += got
            self.position += got
        return filled

    def skip(self, count: int | None = None) -> int:
        """Drop `count` bytes, or all that is left; the number dropped."""
        dropped = 0
        while count is None or dropped < count:
            piece = len(self.chunk(CHUNK if count is None else min(CHUNK, count - dropped)))
            if not piece:
                break
            dropped += piece
        return dropped

    def _advance(self, count: int) -> None:
        self._ahead = self._ahead[count:]
        self.position += count

    def _arrive(self, count: int) -> None:
        self._arrived += count
        self.check_limit(self._arrived)

    def _read(self, limit: int) -> bytes:
        try:
            data = self._file.read(limit)
        except OSError as error:
            raise read_error(error) from error
        if not isinstance(data, bytes):
            raise UsageError("io.binary", "the input must be a blocking file opened in binary mode")
        self._arrive(len(data))
        return data

    def _read_into(self, view: memoryview) -> int:
        readinto = getattr(self._file, "readinto", None)
        if readinto is None:
            data = self._read(len(view))
            view[: len(data)] = data
            return len(data)
        try:
            got = readinto(view)
        except OSError as error:
            raise read_error(error) from error
        if got is None:
            raise UsageError("io.binary", "the input must be a blocking file opened in binary mode")
        self._arrive(int(got))
        return int(got)


def read_error(error: OSError, path: str | None = None) -> InputError:
    """The `InputError` "io.read" that says what the operating system said."""
    what = f"cannot read {path}" if path is not None else "cannot read the input"
    return InputError("io.read", f"{what}: {error.strerror or error}")


def _remaining_size(file: BinaryIO) -> int | None:
    """Bytes from the current position to the end, if the object can tell by seeking.

    Not from fstat: objects that unpack as they read hand out the descriptor of the packed file.
    """
    try:
        if not file.seekable():
            return None
        here = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(here)
    except (OSError, ValueError, AttributeError):
        return None
    # Devices and files of the kernel claim to be seekable and empty; they are streams.
    return end - here if end > here else None
