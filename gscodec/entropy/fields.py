"""(4.1) Plain little-endian fields of a payload, each with the range it may have."""

from __future__ import annotations

import struct

from gscodec.errors import Malformed

FORMATS = {
    "u8": "<B",
    "i8": "<b",
    "u16": "<H",
    "i16": "<h",
    "u32": "<I",
    "i32": "<i",
    "i64": "<q",
    "u64": "<Q",
}


class FieldReader:
    """Reads fields from the front of a payload. `offset` is where the payload stands in the file."""

    def __init__(self, payload: memoryview, *, section: str, offset: int, name: str, clause: str) -> None:
        self.payload, self.position = payload, 0
        self._section, self._offset, self._name, self._clause = section, offset, name, clause

    @property
    def place(self) -> int:
        """File offset of the next field."""
        return self._offset + self.position

    def malformed(self, code: str, message: str, place: int) -> Malformed:
        """An error of this payload."""
        return Malformed(code, message, clause=self._clause, section=self._section, offset=place)

    def wrong_length(self) -> Malformed:
        """The payload is shorter or longer than what it holds."""
        return self.malformed(f"{self._name}.length", f"a payload of {len(self.payload)} bytes", self._offset)

    def integer(self, kind: str, low: int | None = None, high: int | None = None) -> int:
        """The next field, which must be there and lie in low .. high."""
        form = FORMATS[kind]
        size = struct.calcsize(form)
        if self.position + size > len(self.payload):
            raise self.wrong_length()
        value = int(struct.unpack_from(form, self.payload, self.position)[0])
        if (low is not None and value < low) or (high is not None and value > high):
            raise self.malformed(f"{self._name}.range", f"value {value}", self.place)
        self.position += size
        return value

    def integers(self, kind: str, count: int, low: int | None = None, high: int | None = None) -> list[int]:
        """`count` fields of one kind."""
        return [self.integer(kind, low, high) for _ in range(count)]


class FieldWriter:
    """The mirror of `FieldReader`; raises struct.error for what does not fit."""

    def __init__(self) -> None:
        self.data = bytearray()

    def integer(self, kind: str, value: int) -> None:
        """The next field."""
        self.data += struct.pack(FORMATS[kind], value)

    def integers(self, kind: str, values: list[int]) -> None:
        """Fields of one kind."""
        for value in values:
            self.integer(kind, value)
