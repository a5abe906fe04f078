"""(11.2) A file of the lossless profile: header, LPLY, LPAR, LROW by LROW, ENDM; and the PLY file in it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from gscodec._generated import profiles
from gscodec.container.end import EndMark, read_end_mark, write_end_mark
from gscodec.container.header import (
    HEADER_BYTES,
    SIGNATURE,
    FileHeader,
    check_signature,
    read_file_header,
    write_file_header,
)
from gscodec.container.section import (
    SECTION_HEADER_BYTES,
    SectionHeader,
    check_section,
    next_state,
    read_section_header,
    write_section,
)
from gscodec.errors import EncodeError, Integrity, LimitError, Malformed, Truncated, Unsupported
from gscodec.limits import Limits
from gscodec.lossless.description import (
    CRC_AT,
    SECTION,
    TEXT,
    Description,
    read_description,
    write_description,
)
from gscodec.lossless.model import Model, read_model, write_model
from gscodec.lossless.rows import Block, bytes_from_words, decode_block, read_block, values_from_words
from gscodec.lossless.text import text_from_values

MOST_VALUES = 1 << 14  # of text that are put together before its size is looked at


def is_lossless(data: bytes | memoryview) -> bool:
    """Whether the bytes start as a file of the lossless profile."""
    return bytes(data[:8]) == SIGNATURE and len(data) > 10 and data[10] == profiles.LOSSLESS


@dataclass(kw_only=True)
class LosslessFile:
    """A file whose container is in order; rows are decoded by `pieces`.

    sections  (id, offset, bytes of the whole section), in order
    verified  whether checksums were and the CRC-32 of the PLY file shall be looked at
    """

    header: FileHeader
    description: Description
    model: tuple[memoryview, int] | None = None
    blocks: list[Block] = field(default_factory=list)
    sections: list[tuple[str, int, int]] = field(default_factory=list)
    sha256: bytes | None = None
    verified: bool = True

    def read_model(self) -> Model | None:
        """(11.6) How rows are coded; None for a file without rows. Raises `Malformed`."""
        return read_model(*self.model, self.description) if self.model is not None else None

    def pieces(self) -> Iterator[bytes]:
        """The PLY file, at most a block at a time. Raises `StreamError`, for its CRC-32 at the end."""
        about = self.description
        head, tail = about.around()
        crc = zlib.crc32(head)
        count = len(head)
        model = self.read_model()
        yield head
        for piece in self._rows(model) if model is not None else ():
            count += len(piece)
            if count + len(tail) > about.file_bytes:
                raise self._wrong_text()
            crc = zlib.crc32(piece, crc)
            yield piece
        if count + len(tail) != about.file_bytes:
            raise self._wrong_text()
        if self.verified and zlib.crc32(tail, crc) != about.crc:
            raise Integrity(
                "lossless.crc",
                "the decoded PLY file is not the one that was encoded",
                clause="11.3",
                section=SECTION,
                offset=about.offset + CRC_AT,
            )
        yield tail

    def _rows(self, model: Model) -> Iterator[bytes]:
        about = self.description
        for block in self.blocks:
            cells = decode_block(block, model)
            if about.form != TEXT:
                yield bytes_from_words(cells, about.columns, about.form)
                continue
            # few at a time: a value may be 330 letters long, and the file be far shorter than that
            step = max(1, MOST_VALUES // len(about.columns))
            for start in range(0, block.rows, step):
                values = values_from_words(cells[start : start + step], about.columns)
                yield text_from_values(values, about)

    def _wrong_text(self) -> Malformed:
        return Malformed(
            "lossless.text",
            "the text of the rows is longer or shorter than stated",
            clause="11.5",
            section=SECTION,
            offset=self.description.offset,
        )


def read_lossless(
    data: bytes | memoryview, *, limits: Limits | None = None, verify: bool = True
) -> LosslessFile:
    """(11.2) The container of a complete file; nothing is unpacked or decoded. Raises `StreamError`."""
    view = memoryview(data).cast("B").toreadonly()
    check_signature(view[:8])
    if len(view) < HEADER_BYTES:
        raise _truncated(len(view))
    header = read_file_header(view[:HEADER_BYTES], verify=verify)
    if header.profile != profiles.LOSSLESS:
        raise Unsupported("container.profile", "not of the lossless profile", clause="2.3", offset=10)
    if header.stream_mode:
        raise Unsupported("container.flags", "stream mode", clause="11.2", offset=12)
    bounds = Limits.of_level(header.level)
    if limits is not None:
        bounds = bounds.at_most(limits)
    found: LosslessFile | None = None
    state, position, rows, ended = "start", HEADER_BYTES, 0, None
    while state != "end":
        section, payload = _read_section(view, position, bounds, verify)
        state = next_state("lossless", state, section)
        at = section.payload_offset
        if section.id == b"ENDM":
            digest = hashlib.sha256(view[:position]).digest() if verify else None
            ended = read_end_mark(payload, at, stream_mode=False, sha256=digest)
        elif found is None:
            found = LosslessFile(
                header=header, description=read_description(payload, at, bounds), verified=verify
            )
        else:
            if len(found.sections) >= bounds.sections:
                raise LimitError("limit.sections", "one section more", clause="2.5", offset=position)
            if section.id == b"LPAR":
                found.model = payload, at
            elif section.id == b"LROW":
                block = read_block(payload, at)
                rows += block.rows
                if rows > found.description.row_count:
                    raise _wrong_count(rows, "LROW", at)
                found.blocks.append(block)
        if found is not None:
            found.sections.append((section.id.decode(), position, section.size))
        position += section.size
    if found is None or ended is None:  # the table of orders has LPLY first and ENDM last
        raise RuntimeError("a file without description")
    end_at = found.sections[-1][1] + SECTION_HEADER_BYTES
    if rows != found.description.row_count or ended.splat_count != rows:
        raise _wrong_count(rows, "ENDM", end_at)
    if position != len(view):
        raise Malformed("container.trailing", "bytes follow the end mark", clause="2.5", offset=position)
    found.sha256 = ended.sha256
    return found


def _read_section(
    view: memoryview, position: int, bounds: Limits, verify: bool
) -> tuple[SectionHeader, memoryview]:
    if len(view) < position + SECTION_HEADER_BYTES:
        raise _truncated(len(view))
    section = read_section_header(view[position:], position, bounds.section_bytes)
    if len(view) < position + section.size:
        raise _truncated(len(view))
    return section, check_section(section, view[position : position + section.size], verify=verify)


def _truncated(size: int) -> Truncated:
    return Truncated("container.truncated", "the file ends early", clause="2.2", offset=size)


def _wrong_count(rows: int, section: str, offset: int) -> Malformed:
    return Malformed(
        "lossless.count",
        f"{rows} rows; description or end mark say otherwise",
        clause="11.2",
        section=section,
        offset=offset,
    )


def write_lossless(
    description: Description, model: Model | None, blocks: Sequence[bytes], *, level: int = 1
) -> bytes:
    """(11.2) A complete file. `blocks` are payloads of LROW; without any, `model` is None.

    Raises `EncodeError` for what exceeds the level.
    """
    bounds = Limits.of_level(level)
    payloads = [(b"LPLY", write_description(description))]
    if model is not None:
        payloads.append((b"LPAR", write_model(model)))
    payloads += [(b"LROW", block) for block in blocks]
    longest = max(len(payload) for _, payload in payloads)
    for name, value, most in (
        ("bytes in a section", longest, bounds.section_bytes),
        ("bytes", description.file_bytes, bounds.decoded_bytes),
        ("rows", description.row_count, bounds.splats),
    ):
        if value > most:
            raise EncodeError("encode.level", f"{value} {name}; level {level} allows {most}")
    pieces = [write_file_header(FileHeader(profile=profiles.LOSSLESS, level=level))]
    pieces += [write_section(id, payload) for id, payload in payloads]
    sha = hashlib.sha256()
    for piece in pieces:
        sha.update(piece)
    end = write_end_mark(EndMark(splat_count=description.row_count, sha256=sha.digest()))
    return b"".join([*pieces, write_section(b"ENDM", end)])
