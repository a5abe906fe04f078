"""(4.1) Little-endian integers one after the other, each with the range that it may have."""

from __future__ import annotations

from gscodec.errors import Malformed
from gscodec.reference.faults import Place

SIZES = {"u8": 1, "i8": 1, "u16": 2, "i16": 2, "u32": 4, "i32": 4, "i64": 8, "u64": 8}


class Fields:
    """(4.1) A payload that is read from its start; `name` is for the codes of errors: parm, chunk, perm."""

    def __init__(self, payload: bytes, place: Place, name: str) -> None:
        self.payload, self.start, self.name = payload, place, name
        self.position = 0

    def place(self) -> Place:
        """The place of the next field."""
        return self.start.after(self.position)

    def wrong_length(self) -> Malformed:
        """The payload is shorter or longer than what it holds."""
        return self.start.malformed(f"{self.name}.length", f"a payload of {len(self.payload)} bytes")

    def integer(self, kind: str, low: int | None = None, high: int | None = None) -> int:
        """The next field, which must be there and lie in low .. high."""
        size = SIZES[kind]
        if self.position + size > len(self.payload):
            raise self.wrong_length()
        data = self.payload[self.position : self.position + size]
        value = int.from_bytes(data, "little", signed=kind[0] == "i")
        if (low is not None and value < low) or (high is not None and value > high):
            raise self.place().malformed(f"{self.name}.range", f"value {value}")
        self.position += size
        return value

    def integers(self, kind: str, count: int, low: int | None = None, high: int | None = None) -> list[int]:
        """`count` fields of one kind."""
        return [self.integer(kind, low, high) for _ in range(count)]

    def words(self, count: int) -> list[int]:
        """`count` 32-bit words of a lane; their presence has been checked."""
        return self.integers("u32", count)
