"""Every error the package raises: whose fault, which clause, which byte.

* `StreamError`: the bytes are to blame (`Truncated`, `Malformed`, `Integrity`, `Unsupported`).
* `LimitError`: the bytes ask for more than the declared level, or than the caller allows.
* `EncodeError`: the splats cannot be encoded as asked.
* `InputError`: a file in another format (PLY, ...) cannot be read or written.
* `UsageError`: the caller's arguments are wrong.

Codes are short, stable and pinned by tests; they are listed in the specification.
"""

from __future__ import annotations


class GscError(Exception):
    """Base of all errors. `code` is a stable identifier such as "container.crc"."""

    exit_code = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        clause: str = "",
        section: str = "",
        offset: int | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.clause = clause
        self.section = section
        self.offset = offset
        super().__init__(message)

    def __str__(self) -> str:
        where = []
        if self.section:
            where.append(f"section {self.section}")
        if self.offset is not None:
            where.append(f"byte {self.offset}")
        if self.clause:
            where.append(f"clause {self.clause}")
        place = f" ({', '.join(where)})" if where else ""
        return f"{self.message}{place} [{self.code}]"


class UsageError(GscError):
    """The caller's arguments are wrong."""

    exit_code = 2


class InputError(GscError):
    """A file cannot be read or written, or is not a valid file of its own format."""

    exit_code = 3


class StreamError(GscError):
    """The .gsc bytes are to blame."""

    exit_code = 5


class Truncated(StreamError):
    """The bytes end before the stream does."""

    exit_code = 4


class Malformed(StreamError):
    """The bytes break a rule of the specification."""

    exit_code = 5


class Integrity(StreamError):
    """A checksum or hash does not match."""

    exit_code = 6


class Unsupported(StreamError):
    """Valid, as far as can be told, but of a version or with a tool that this decoder lacks."""

    exit_code = 7


class LimitError(StreamError):
    """The stream exceeds its level, or what the caller allows."""

    exit_code = 8


class EncodeError(GscError):
    """The splats cannot be encoded as asked."""

    exit_code = 9
