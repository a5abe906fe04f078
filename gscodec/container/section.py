"""(2.4, 2.5) Sections: how one is framed, and which may follow which.

| offset | type   | field   | value |
|--------|--------|---------|-------|
| 0      | u8[4]  | id      | four letters A to Z |
| 4      | u32    | flags   | bit 0: must be understood; others reserved |
| 8      | u64    | length  | bytes of payload |
| 16     | u8[]   | payload | |
| 16 + n | u32    | crc     | CRC-32 of id, flags, length and payload |

A reader looks at a section in two steps: `read_section_header` learns where it ends and nothing more;
`check_section` verifies the complete section first by its checksum and only then by its meaning, so that
damage is reported as damage.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from gscodec._generated import order, sections
from gscodec.errors import Integrity, LimitError, Malformed, Unsupported

SECTION_HEADER_BYTES = 16
SECTION_FRAME_BYTES = 20  # header and checksum
MUST_UNDERSTAND = 1

_FLAGS = {row.id.encode(): row.must_understand for row in sections.ROWS if row.status == "known"}
KNOWN_IDS = frozenset(_FLAGS)
IGNORABLE_IDS = frozenset(id for id, flags in _FLAGS.items() if flags != MUST_UNDERSTAND)
_NEXT = {(row.mode, row.state, row.section): row.next for row in order.ROWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionHeader:
    """The fields before the payload, and where they stand in the file."""

    id: bytes
    flags: int
    length: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the whole section."""
        return SECTION_FRAME_BYTES + self.length

    @property
    def payload_offset(self) -> int:
        """Offset of the payload in the file."""
        return self.offset + SECTION_HEADER_BYTES


def is_section_id(id: bytes) -> bool:
    """(2.4) Four letters A to Z."""
    return len(id) == 4 and all(0x41 <= letter <= 0x5A for letter in id)


def read_section_header(data: memoryview, offset: int, max_bytes: int) -> SectionHeader:
    """(2.4) The header in the first 16 bytes of `data`, which stand at `offset` in the file."""
    id, flags, length = struct.unpack_from("<4sIQ", data)
    if length > max_bytes:
        raise LimitError(
            "limit.section_bytes",
            f"a section of {length} bytes; at most {max_bytes} are allowed",
            clause="2.4",
            offset=offset + 8,
        )
    return SectionHeader(id=id, flags=flags, length=length, offset=offset)


def check_section(header: SectionHeader, data: memoryview, *, verify: bool = True) -> memoryview:
    """(2.4) The payload of the complete section in `data`, once checksum, id and flags are in order."""
    offset, id, flags = header.offset, header.id, header.flags
    crc_at = header.size - 4
    if verify and int.from_bytes(data[crc_at : header.size], "little") != zlib.crc32(data[:crc_at]):
        raise Integrity(
            "container.crc",
            f"the section at byte {offset} is damaged",
            clause="2.4",
            section=id.decode("ascii", "replace"),
            offset=offset + crc_at,
        )
    if not is_section_id(id):
        raise Malformed("container.section_id", f"{id!r} is no section id", clause="2.4", offset=offset)
    section = id.decode()
    if flags & ~MUST_UNDERSTAND:
        raise Unsupported(
            "container.flags",
            f"reserved bits in section flags {flags:#x}",
            clause="2.4",
            section=section,
            offset=offset + 4,
        )
    if id in KNOWN_IDS and flags != _FLAGS[id]:
        raise Malformed(
            "container.section_required",
            f"the must-understand flag of this section is {_FLAGS[id]}",
            clause="2.4",
            section=section,
            offset=offset + 4,
        )
    if id not in KNOWN_IDS and flags == MUST_UNDERSTAND:
        raise Unsupported(
            "container.section_unknown",
            f"the file cannot be decoded without its section {section}, which this decoder does not know",
            clause="2.4",
            section=section,
            offset=offset,
        )
    return data[SECTION_HEADER_BYTES:crc_at]


def write_section(id: bytes, payload: bytes | memoryview, *, flags: int = MUST_UNDERSTAND) -> bytes:
    """(2.4) A whole section."""
    start = struct.pack("<4sIQ", id, flags, len(payload))
    crc = zlib.crc32(payload, zlib.crc32(start))
    return b"".join((start, payload, struct.pack("<I", crc)))


def next_state(mode: str, state: str, header: SectionHeader) -> str:
    """(2.5) The state after a section; "start" is the first state, "end" the last.

    `mode` is "file", "stream" or "lossless".
    """
    symbol = header.id.decode() if header.id in KNOWN_IDS else "other"
    following = _NEXT.get((mode, state, symbol))
    if following is None:
        raise Malformed(
            "container.order",
            f"section {header.id.decode()} may not stand here",
            clause="2.5",
            section=header.id.decode(),
            offset=header.offset,
        )
    return following


def wrong_length(section: str, payload_offset: int) -> Malformed:
    """(2.4) The error for a payload that is longer or shorter than what it holds."""
    return Malformed(
        "container.length",
        "the payload is longer or shorter than what it holds",
        clause="2.4",
        section=section,
        offset=payload_offset - 8,
    )
