"""(2.2) What readers of containers share: bytes come in pieces of any size, events go out.

Rule 1: no input or output here; the caller brings the bytes.
Rule 2: how the bytes are cut never matters: events, errors and offsets are the same.
Rule 3: nothing is allocated for a number that a file states; memory grows with the bytes fed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from typing import Generic, TypeAlias, TypeVar

from gscodec.container.header import HEADER_BYTES, FileHeader, check_signature, read_file_header
from gscodec.container.section import (
    SECTION_HEADER_BYTES,
    SectionHeader,
    check_section,
    read_section_header,
)
from gscodec.errors import Malformed, StreamError, Truncated, UsageError
from gscodec.limits import Limits

Bytes: TypeAlias = bytes | bytearray | memoryview
Event = TypeVar("Event")


class Window:
    """The bytes that were fed and not yet used. A single buffer is never copied."""

    def __init__(self, position: int = 0) -> None:
        self.position = position  # in the file, of the first byte not yet used
        self.end = position  # in the file, after the last byte fed
        self._view = memoryview(b"")
        self._pieces: list[memoryview] = []

    def append(self, data: Bytes) -> None:
        """Bytes that follow those before."""
        view = memoryview(data).cast("B").toreadonly()
        if len(view):
            self._pieces.append(view)
            self.end += len(view)

    def peek(self, count: int) -> memoryview | None:
        """The next `count` bytes, or None when there are fewer."""
        if self.end - self.position < count:
            return None
        if len(self._view) < count:
            parts = [self._view, *self._pieces] if len(self._view) else self._pieces
            self._view = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
            self._pieces = []
        return self._view[:count]

    def skip(self, count: int) -> None:
        """Use up `count` bytes that were seen."""
        self._view = self._view[count:]
        self.position += count


class Feed(Generic[Event]):
    """Takes bytes, gives events; `_run` says which, and yields None where it needs more bytes.

    `verify=False` skips checksums and hash, for fuzzing; every other rule still holds.
    """

    def __init__(self, *, verify: bool = True, position: int = 0) -> None:
        self._verify = verify
        self._window = Window(position)
        self._steps = self._run()
        self._is_closed = False
        self._is_waiting = False
        self._error: StreamError | None = None
        self._pending: list[Event] = []
        self._hash = hashlib.sha256()

    def feed(self, data: Bytes) -> None:
        """Add bytes. Nothing is read until `events()` is iterated."""
        if self._is_closed:
            raise UsageError("usage.container", "data after close()")
        self._window.append(data)
        self._is_waiting = False

    def close(self) -> None:
        """Say that no more data follows. Raises what is wrong with the end when all events were taken."""
        self._is_closed = True
        if self._is_waiting or self._error is not None:
            self._pending = [event for event in (next(self.events(), None),) if event is not None]

    @property
    def is_waiting(self) -> bool:
        """Whether all events were taken, and the next one needs more bytes."""
        return self._is_waiting

    def events(self) -> Iterator[Event]:
        """The events that the bytes so far allow. A `StreamError` is raised again by every later call."""
        while True:
            if self._pending:
                yield self._pending.pop()
            if self._error is not None:
                raise self._error
            try:
                event = next(self._steps)
            except StopIteration:
                return
            except StreamError as error:
                self._error = error
                raise
            if event is None:
                self._is_waiting = True
                return
            yield event

    def _run(self) -> Generator[Event | None, None, None]:
        raise NotImplementedError

    def _read_header(self) -> Generator[None, None, FileHeader]:
        while self._window.end < HEADER_BYTES:
            check_signature(self._window.peek(min(self._window.end, 8)) or b"")
            yield from self._wait()
        data = yield from self._need(HEADER_BYTES)
        header = read_file_header(data, verify=self._verify)
        self._hash.update(data)
        self._window.skip(HEADER_BYTES)
        return header

    def _read_section(
        self, limits: Limits
    ) -> Generator[None, None, tuple[SectionHeader, memoryview, memoryview]]:
        """(2.4) The next section, which stays in the window: its header, its payload, all of it."""
        data = yield from self._need(SECTION_HEADER_BYTES)
        section = read_section_header(data, self._window.position, limits.section_bytes)
        data = yield from self._need(section.size)
        return section, check_section(section, data, verify=self._verify), data

    def _read_trailing(self) -> Generator[None, None, None]:
        """(2.5) Nothing follows the end mark."""
        while not self._is_closed or self._window.end > self._window.position:
            if self._window.end > self._window.position:
                raise Malformed(
                    "container.trailing",
                    "bytes follow the end mark",
                    clause="2.5",
                    offset=self._window.position,
                )
            yield None

    def _wait(self) -> Generator[None, None, None]:
        if self._is_closed:
            raise Truncated(
                "container.truncated", "the file ends early", clause="2.2", offset=self._window.end
            )
        yield None

    def _need(self, count: int) -> Generator[None, None, memoryview]:
        while (data := self._window.peek(count)) is None:
            yield from self._wait()
        return data
