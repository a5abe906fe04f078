"""`RangeSource`: parts of a file, local or on a web server (HTTP range requests, by urllib3)."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from gscodec.errors import GscError, InputError
from gscodec.io._source import read_error
from gscodec.io.reading import State, changed_error, state_of

SCHEMES = ("http://", "https://")
TIMEOUT = 30.0  # seconds without an answer
START = 4096  # bytes of the first request
RETRIES = 3  # of a request that fails or is answered by an overloaded server


def is_url(path: str) -> bool:
    """Whether a name means a web server."""
    return path.lower().startswith(SCHEMES)


class RangeSource:
    """`read_at(offset, count)` of a path or URL; `bytes_read` and `requests` say what it took.

    size  of the whole file, in bytes

    Raises `InputError` "io.read" for what the system or the server refuses, and for a server without ranges;
    "io.changed" where the file is another one before the end: of a path when it is closed, of a URL at once.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self.bytes_read = self.requests = 0
        self._pool: Any = None
        self._file: Any = None
        self._start = b""
        self._state: State | None = None
        self._tag: tuple[str, ...] | None = None
        if is_url(self.name):
            self._connect()
            return
        try:
            self._file = open(self.name, "rb", buffering=0)  # noqa: SIM115
            self.size = self._file.seek(0, os.SEEK_END)
            self._state = state_of(self._file)
        except OSError as error:
            raise read_error(error, self.name) from error

    def __enter__(self) -> RangeSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            now = state_of(self._file)
            self._file.close()
            is_ours = error is None or isinstance(error, GscError)
            if self._state is not None and now != self._state and is_ours:
                raise changed_error(self.name, self._state, now) from error
        if self._pool is not None:
            self._pool.clear()

    def read_at(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on, fewer only at the end."""
        count = min(count, max(0, self.size - offset))
        if count == 0:
            return b""
        if self._file is None:
            known = self._start[offset : offset + count]  # is not asked for twice
            return known + self._requested(offset + len(known), count - len(known))
        try:
            self._file.seek(offset)
            pieces, left = [], count
            while left and (piece := self._file.read(left)):
                pieces.append(piece)
                left -= len(piece)
        except OSError as error:
            raise read_error(error, self.name) from error
        data = b"".join(pieces)
        self.bytes_read += len(data)
        self.requests += 1
        return data

    def _connect(self) -> None:
        import urllib3

        retry = urllib3.Retry(
            total=RETRIES,
            backoff_factor=0.3,
            status_forcelist=(429, 502, 503, 504),
            respect_retry_after_header=False,  # which may say any number of seconds
        )
        self._pool = urllib3.PoolManager(retries=retry, timeout=TIMEOUT)
        self._start, content_range = self._request(0, START)
        total = content_range.rpartition("/")[2]
        if not total.isascii() or not total.isdigit() or len(total) > 18:
            raise self._failed("the server does not say how long the file is")
        self.size = int(total)
        if len(self._start) < min(START, self.size):
            raise self._failed(f"the server sent only {len(self._start)} bytes of the first {START}")

    def _requested(self, offset: int, count: int) -> bytes:
        data = self._request(offset, count)[0] if count else b""
        if len(data) < count:
            raise self._failed(f"the server sent only {len(data)} of {count} bytes from byte {offset} on")
        return data

    def _request(self, offset: int, count: int) -> tuple[bytes, str]:
        """The bytes, and the server's Content-Range."""
        import urllib3

        headers = {"Range": f"bytes={offset}-{offset + count - 1}", "Accept-Encoding": "identity"}
        self.requests += 1
        try:
            answer = self._pool.request("GET", self.name, headers=headers, preload_content=False)
            try:
                if answer.status == 200:
                    raise self._failed("the server sends whole files only (no range requests)")
                if answer.status != 206:
                    raise self._failed(f"the server says {answer.status} {answer.reason or ''}".rstrip())
                data = answer.read(count)
                found = answer.headers.get("Content-Range", "")
                length, named = found.rpartition("/")[2], ("ETag", "Last-Modified")
                tag = length, *(answer.headers.get(name, "") for name in named)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, ValueError) as error:  # ValueError: where it redirects to
            raise self._failed(" ".join(str(error).split())) from error
        if not found.startswith(f"bytes {offset}-"):
            raise self._failed(f"the server sent another range than bytes {offset} on: {found!r}")
        if self._tag is None:
            self._tag = tag
        elif tag != self._tag:
            raise InputError("io.changed", f"{self.name} was changed while it was read")
        self.bytes_read += len(data)
        return data, found

    def _failed(self, why: str) -> InputError:
        return InputError("io.read", f"cannot read {self.name}: {why}")
