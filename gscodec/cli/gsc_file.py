"""The bytes of a .gsc: of a file, a URL or stdin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from gscodec.cli.common import open_input
from gscodec.errors import InputError

SIGNATURE_BYTES = 8
FETCHED = 1 << 24  # bytes of a URL that is read as a whole, at a time


def read_gsc(path: str) -> bytes:
    """All bytes of a .gsc (a path, URL or "-"); another kind of file is refused at its start.

    Raises `InputError`, `Malformed`.
    """
    from gscodec.io.remote import RangeSource, is_url

    if is_url(path):
        with RangeSource(path) as source:
            _check_start(source.read_at(0, SIGNATURE_BYTES))
            return b"".join(source.read_at(at, FETCHED) for at in range(0, source.size, FETCHED))
    with open_input(path) as file:
        try:
            return _checked_start(file) + file.read()
        except OSError as error:
            raise InputError("io.read", f"cannot read {path}: {error.strerror}") from error


def _checked_start(file: BinaryIO) -> bytes:
    """The first bytes, which are those of a .gsc."""
    start = b""
    while len(start) < SIGNATURE_BYTES and (more := file.read(SIGNATURE_BYTES - len(start))):
        start += more
    _check_start(start)
    return start


def _check_start(start: bytes) -> None:
    from gscodec.container.header import check_signature

    if start.startswith((b"ply\n", b"ply\r")):
        raise InputError("io.format", "this is a PLY file, not a .gsc: gsenc encodes it", offset=0)
    check_signature(start)


class GscFile:
    """A .gsc that is read as often as it takes, some bytes at a time; all are held only of a pipe or URL.

    start  the first bytes, as many as say of which profile it is
    size   bytes in all
    held   all bytes, of a pipe or URL

    Raises `InputError`, and `Malformed` for another kind of file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.held = None if os.path.isfile(path) else read_gsc(path)
        if self.held is None:
            with open_input(path) as file:
                self.start = _checked_start(file) + file.read(12)
        else:
            self.start = self.held[:20]
        self.size = os.path.getsize(path) if self.held is None else len(self.held)

    def pieces(self, size: int = 1 << 20) -> Iterator[bytes]:
        """All bytes in order, `size` at a time."""
        if self.held is not None:
            yield self.held
            return
        with open_input(self._path) as file:
            try:
                while piece := file.read(size):
                    yield piece
            except OSError as error:
                raise InputError("io.read", f"cannot read {self._path}: {error.strerror}") from error
