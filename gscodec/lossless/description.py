"""(11.3, 11.4) LPLY: what the PLY file is made of, and the bytes around its rows.

| type  | field        | value |
|-------|--------------|-------|
| u64   | file_bytes   | of the PLY file |
| u64   | row_count    | |
| u64   | head_bytes   | before the rows |
| u64   | tail_bytes   | after them |
| u32   | crc          | CRC-32 of the PLY file |
| u8    | form         | 0 little-endian, 1 big-endian, 2 text |
| u8    | notation     | text: 0 shortest, 1 significant digits, 2 digits after the point |
| u8    | digits       | of notation 1: 1 to 18, of 2: 0 to 18, else 0 |
| u8    | line_end     | text: bit 0 a space before it, bit 1 CR LF; else 0 |
| u16   | column_count | |
| u8[]  | types        | of each column, 0 to 7 of the table of types |
| u8[]  | packed       | zlib stream of head and tail |
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from gscodec._generated import extra_types
from gscodec.entropy.fields import FieldReader, FieldWriter
from gscodec.errors import LimitError, Malformed
from gscodec.limits import Limits

SECTION = "LPLY"
LITTLE, BIG, TEXT = 0, 1, 2
SHORTEST, SIGNIFICANT, DECIMALS = 0, 1, 2
MAX_DIGITS = 18
SPACE_BEFORE_END, CR_LF = 1, 2
MAX_WORDS = 256
LAST_TYPE = extra_types.F64
CRC_AT = 32  # offset of the field in the payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One property of the rows: its type in the table of extra types, and the words it is coded as."""

    type: int

    @property
    def size(self) -> int:
        """Bytes of a value in a binary file."""
        return extra_types.ROWS[self.type].bytes

    @property
    def widths(self) -> tuple[int, ...]:
        """(11.3) Bits of each word; a 64-bit value is two words, the high one first."""
        return (32, 32) if self.size == 8 else (8 * self.size,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What LPLY says. `packed` is the zlib stream as it stands in the file at `packed_at`."""

    file_bytes: int
    row_count: int
    head_bytes: int
    tail_bytes: int
    crc: int
    form: int = LITTLE
    notation: int = SHORTEST
    digits: int = 0
    line_end: int = 0
    columns: tuple[Column, ...] = ()
    packed: bytes | memoryview = b""
    offset: int = 0

    @property
    def packed_at(self) -> int:
        """File offset of the zlib stream."""
        return self.offset + 42 + len(self.columns)

    @property
    def stride(self) -> int:
        """Bytes of a binary row."""
        return sum(column.size for column in self.columns)

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of every word of a row."""
        return tuple(width for column in self.columns for width in column.widths)

    @property
    def number_words(self) -> tuple[bool, ...]:
        """Which words are binary32 numbers."""
        return tuple(c.type == extra_types.F32 for c in self.columns for _ in c.widths)

    def around(self) -> tuple[bytes, bytes]:
        """(11.4) The bytes before and after the rows. Raises `Malformed`."""
        both = inflate(self.packed, self.head_bytes + self.tail_bytes, SECTION, self.packed_at)
        return both[: self.head_bytes], both[self.head_bytes :]


def inflate(packed: bytes | memoryview, size: int, section: str, offset: int) -> bytes:
    """(11.4) A zlib stream of exactly `size` bytes that fills `packed`. Raises `Malformed`."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, size + 1)
    except zlib.error:
        data, stream = b"", zlib.decompressobj()
    if len(data) != size or not stream.eof or stream.unused_data:
        raise Malformed(
            "lossless.deflate",
            f"no zlib stream of {size} bytes",
            clause="11.4",
            section=section,
            offset=offset,
        )
    return data


def read_description(payload: memoryview, offset: int, limits: Limits) -> Description:
    """(11.3) The payload of LPLY at `offset`; the zlib stream is not looked at. Raises `StreamError`."""
    fields = FieldReader(payload, section=SECTION, offset=offset, name="lossless", clause="11.2")
    file_bytes, rows, head, tail = (fields.integer("u64") for _ in range(4))
    crc = fields.integer("u32")
    form = fields.integer("u8", LITTLE, TEXT)
    notation = fields.integer("u8", SHORTEST, DECIMALS if form == TEXT else SHORTEST)
    digits = fields.integer("u8", int(notation == SIGNIFICANT), MAX_DIGITS if notation else 0)
    line_end = fields.integer("u8", 0, SPACE_BEFORE_END | CR_LF if form == TEXT else 0)
    count = fields.integer("u16", 0, MAX_WORDS)
    columns = tuple(Column(type=fields.integer("u8", 0, LAST_TYPE)) for _ in range(count))
    found = Description(
        file_bytes=file_bytes,
        row_count=rows,
        head_bytes=head,
        tail_bytes=tail,
        crc=crc,
        form=form,
        notation=notation,
        digits=digits,
        line_end=line_end,
        columns=columns,
        packed=payload[fields.position :],
        offset=offset,
    )
    for name, value, most, at in (
        ("decoded_bytes", file_bytes, limits.decoded_bytes, 0),
        ("splats", rows, limits.splats, 8),
    ):
        if value > most:
            raise LimitError(
                f"limit.{name}", f"{value}; at most {most}", clause="1.7", section=SECTION, offset=offset + at
            )
    wrong = "the sizes of the parts are not that of the file"
    is_right = head + tail <= file_bytes if form == TEXT else head + rows * found.stride + tail == file_bytes
    if not is_right:
        raise fields.malformed("lossless.range", wrong, offset)
    if len(found.widths) > MAX_WORDS or (rows > 0 and not columns):
        raise fields.malformed("lossless.range", f"{len(found.widths)} words in a row", offset + 40)
    return found


def write_description(description: Description) -> bytes:
    """(11.3) The payload of LPLY. Raises struct.error for what does not fit."""
    d, f = description, FieldWriter()
    f.integers("u64", [d.file_bytes, d.row_count, d.head_bytes, d.tail_bytes])
    f.integer("u32", d.crc)
    f.integers("u8", [d.form, d.notation, d.digits, d.line_end])
    f.integer("u16", len(d.columns))
    f.integers("u8", [column.type for column in d.columns])
    return bytes(f.data) + bytes(d.packed)
