"""`atomic_output`: a file that appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from gscodec.errors import InputError


@contextlib.contextmanager
def atomic_output(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file for writing, which takes the place of `path` when the block ends without an exception.

    Until then the bytes go to a temporary file in the same directory, which any exception removes
    (KeyboardInterrupt too); an existing `path` stays as it was. A new file gets the permissions of any new
    file, a replaced one keeps its own; a symbolic link stays and its target is replaced. Devices and
    named pipes are written directly. Nothing is forced to disk (no fsync).

    Raises `InputError` "io.write" for whatever the operating system refuses, also from within `write`.
    Errors of the block itself pass unchanged.
    """
    name = os.fspath(path)
    if not os.path.basename(name):
        raise write_error(IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), name)
    try:
        existing = os.stat(name)
    except FileNotFoundError:
        existing = None
    except OSError as error:
        raise write_error(error, name) from error
    if existing is not None and not stat.S_ISREG(existing.st_mode):
        with _direct(name) as file:
            yield file
    else:
        with _replacing(name, existing) as file:
            yield file


@contextlib.contextmanager
def _direct(name: str) -> Iterator[BinaryIO]:
    try:
        file = _Output(io.FileIO(name, "w"), name)
    except OSError as error:
        raise write_error(error, name) from error
    with _closing(file):
        yield file


@contextlib.contextmanager
def _replacing(name: str, existing: os.stat_result | None) -> Iterator[BinaryIO]:
    target = os.path.realpath(name)
    # A rename would pass over the write protection of the file that it replaces.
    if existing is not None and not os.access(target, os.W_OK):
        raise write_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), name)
    temporary = os.path.join(os.path.dirname(target), f".gscodec-{secrets.token_hex(8)}.tmp")
    done = False
    try:
        file = _Output(_create(temporary, existing, name), name)
        with _closing(file):
            yield file
        try:
            os.replace(temporary, target)
        except OSError as error:
            raise write_error(error, name) from error
        done = True
    finally:
        if not done:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _create(temporary: str, existing: os.stat_result | None, name: str) -> io.FileIO:
    try:
        # "x" creates with the permissions of any new file: 0o666 less the umask.
        file = io.FileIO(temporary, "x")
    except OSError as error:
        raise write_error(error, name) from error
    if existing is not None:
        # Some file systems have no permissions to set; then there are none to keep.
        with contextlib.suppress(OSError):
            os.chmod(temporary, stat.S_IMODE(existing.st_mode))
    return file


@contextlib.contextmanager
def _closing(file: _Output) -> Iterator[None]:
    """Flush and close; after an exception close without flushing, which could fail again."""
    try:
        yield
        if not file.closed:
            file.flush()
            file.close()
    finally:
        # A failing close hides nothing: the bytes were flushed, or another exception is on its way.
        with contextlib.suppress(OSError):
            file.raw.close()


class _Output(io.BufferedWriter):
    """A buffered file whose operating system errors are `InputError`: the block may have others."""

    def __init__(self, raw: io.FileIO, target: str) -> None:
        super().__init__(raw, 1 << 18)
        self._target = target

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise write_error(error, self._target) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise write_error(error, self._target) from error

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:
            raise write_error(error, self._target) from error


def write_error(error: OSError, path: str) -> InputError:
    """The `InputError` "io.write" that says what the operating system said, and what that means."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            reason = f"{folder} is not a directory" if folder.exists() else f"there is no directory {folder}"
    elif error.errno == errno.EISDIR:
        reason = "it is a directory"
    elif error.errno == errno.ENOSPC:
        reason = "the disk is full"
    return InputError("io.write", f"cannot write {path}: {reason}")
