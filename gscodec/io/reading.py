"""`opened`, `unchanged`: files that must not change while they are read.

A file that something else writes at the same time gives splats of two files, or of none: the header promises
what the data no longer are. Nothing in the bytes need show it, so size and time of change are compared. It
makes no difference for pipes and devices, nor for a file whose name is given to another one meanwhile: what
was opened stays what it was.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from typing import Any

from gscodec.errors import GscError, InputError
from gscodec.io._source import read_error

State = tuple[int, int]  # bytes, and nanoseconds of the last change


def state_of(file: Any) -> State | None:
    """What says whether an open file is still the same; None where there is no such thing (a pipe)."""
    try:
        found = os.fstat(file.fileno())
    except (OSError, ValueError, AttributeError):  # objects that are no files of the system
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def changed_error(name: str, before: State, now: State | None) -> InputError:
    """The `InputError` "io.changed"."""
    what = f"{name} was changed while it was read"
    if now is not None and now[0] != before[0]:
        what += f": it had {before[0]:,} bytes, and now {now[0]:,}"
    return InputError("io.changed", what)


@contextlib.contextmanager
def unchanged(file: Any, name: str) -> Iterator[None]:
    """Raise `InputError` "io.changed" where the regular `file` changes within the block.

    That error takes the place of one that the block ends with by what it found in the file: a changing
    file is the reason for it, or makes it meaningless. Other exceptions pass.
    """
    before = state_of(file)
    try:
        yield
    except GscError as error:
        if before is not None and (now := state_of(file)) != before:
            raise changed_error(name, before, now) from error
        raise
    if before is not None and (now := state_of(file)) != before:
        raise changed_error(name, before, now)


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[io.FileIO]:
    """The file at `path`, to be read within the block. Raises `InputError` "io.read", "io.changed"."""
    try:
        file = io.FileIO(path)
    except OSError as error:
        raise read_error(error, os.fspath(path)) from error
    with file, unchanged(file, os.fspath(path)):
        yield file
