"""(11) The lossless profile: the container, LPLY and LPAR."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, field

from gscodec._generated import extra_types, profiles
from gscodec.errors import Integrity, LimitError, Malformed, Unsupported
from gscodec.reference.container import (
    SIGNATURE,
    FileHeader,
    Section,
    limit,
    next_state,
    read_file_header,
    read_section,
    wrong_length,
)
from gscodec.reference.entropy import Lane, Table, read_context_map, read_table
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields

LITTLE, BIG, TEXT = 0, 1, 2
SHORTEST, SIGNIFICANT, DECIMALS = 0, 1, 2
CONSTANT, DIFFERENCE, BYTES, NUMBER = 0, 1, 2, 3
MAX_WORDS = 256
MAX_ROWS = 1 << 18
MAX_FIXED = (1 << 24) - 1


@dataclass
class Description:
    """(11.3) The fields of LPLY."""

    file_bytes: int
    rows: int
    head_bytes: int
    tail_bytes: int
    crc: int
    form: int
    notation: int
    digits: int
    line_end: int
    types: list[int]
    packed: bytes
    packed_place: Place
    place: Place


@dataclass
class Word:
    """(11.6) How a word of the rows is coded, and its contexts."""

    coding: int
    bits: int
    constant: int = 0
    exponent: int = 0
    low: int = 0
    first: int = 0  # context


@dataclass
class Weights:
    """(11.6) How numbers are predicted; weight[k][j] is that of number k for number j."""

    bias: list[int]
    spread: list[int]
    previous: list[int]
    weight: list[list[int]]
    growth: list[list[int]]


@dataclass
class Model:
    """(11.6) The fields of LPAR."""

    words: list[Word]
    weights: Weights
    tables: list[Table]
    contexts: list[int]


@dataclass
class LosslessFile:
    """(11.2) The sections of a file, their first fields read."""

    description: Description
    model: tuple[bytes, Place] | None = None
    blocks: list[tuple[int, bytes, Place]] = field(default_factory=list)  # rows, payload, place


def is_lossless(data: bytes) -> bool:
    """(2.3) Whether the file header, if it is one, names this profile."""
    return data[:8] == SIGNATURE and len(data) > 10 and data[10] == profiles.LOSSLESS


# ------------------------------------------------------------ the file: 11.2


def read_lossless(data: bytes, *, verify: bool = True) -> LosslessFile:
    """(11.2) All sections of a file, in order."""
    header = read_file_header(data, verify)
    if header.profile != profiles.LOSSLESS:
        raise Unsupported("container.profile", "not lossless", clause="2.3", offset=10)
    if header.stream_mode:
        raise Unsupported("container.flags", "stream mode", clause="11.2", offset=12)
    section = read_section(data, 20, header, verify)
    state = next_state("lossless", "start", section)
    found = LosslessFile(read_description(section.payload, Place("LPLY", section.start + 16), header))
    sections, rows = 1, 0
    while state != "end":
        section = read_section(data, section.end, header, verify)
        state = next_state("lossless", state, section)
        place = Place(section.id.decode(), section.start + 16)
        if section.id == b"ENDM":
            read_end_mark(section, rows, found.description, data, verify)
        elif sections >= limit(header, "sections"):
            raise LimitError("limit.sections", "one section more", clause="2.5", offset=section.start)
        elif section.id == b"LPAR":
            found.model = section.payload, place
        elif section.id == b"LROW":
            count = Fields(section.payload, place, "lossless").integer("u32", 1, MAX_ROWS)
            rows += count
            if rows > found.description.rows:
                raise place.malformed("lossless.count", f"{rows} rows")
            found.blocks.append((count, section.payload, place))
        sections += 1
    if section.end != len(data):
        raise Malformed("container.trailing", "bytes after the end mark", clause="2.5", offset=section.end)
    return found


def read_end_mark(section: Section, rows: int, about: Description, data: bytes, verify: bool) -> None:
    """(11.2) As in file mode (2.10): the hash, then the count, which is that of the rows."""
    at = section.start + 16
    if len(section.payload) != 40:
        raise wrong_length(section)
    if verify and section.payload[8:] != hashlib.sha256(data[: section.start]).digest():
        raise Integrity("container.hash", "the file is damaged", clause="2.10", offset=at + 8)
    if not struct.unpack_from("<Q", section.payload)[0] == rows == about.rows:
        raise Place("ENDM", at).malformed("lossless.count", f"{rows} rows")


# ------------------------------------------------------------ the description: 11.3, 11.4


def read_description(payload: bytes, place: Place, header: FileHeader) -> Description:
    """(11.3) The payload of LPLY."""
    fields = Fields(payload, place, "lossless")
    size, rows, head, tail = fields.integers("u64", 4)
    crc = fields.integer("u32")
    form = fields.integer("u8", LITTLE, TEXT)
    notation = fields.integer("u8", SHORTEST, DECIMALS if form == TEXT else SHORTEST)
    digits = fields.integer("u8", 1 if notation == SIGNIFICANT else 0, 0 if notation == SHORTEST else 18)
    line_end = fields.integer("u8", 0, 3 if form == TEXT else 0)
    types = fields.integers("u8", fields.integer("u16", 0, MAX_WORDS), 0, extra_types.F64)
    packed_place = fields.place()
    packed = payload[fields.position :]
    about = Description(
        size, rows, head, tail, crc, form, notation, digits, line_end, types, packed, packed_place, place
    )
    if about.file_bytes > limit(header, "decoded_bytes"):
        raise LimitError("limit.decoded_bytes", f"{about.file_bytes}", clause="1.7", offset=place.offset)
    if about.rows > limit(header, "splats"):
        raise LimitError("limit.splats", f"{about.rows} rows", clause="1.7", offset=place.offset + 8)
    around = about.head_bytes + about.tail_bytes
    if form == TEXT:
        is_right = around <= about.file_bytes
    else:
        is_right = around + about.rows * sum(size_of(type) for type in types) == about.file_bytes
    if not is_right:
        raise place.malformed("lossless.range", "the sizes of the parts")
    if len(word_bits(about)) > MAX_WORDS or (about.rows > 0 and not types):
        raise place.after(40).malformed("lossless.range", "the words of a row")
    return about


def size_of(type: int) -> int:
    """(11.3) The bytes of a value in a binary file."""
    return extra_types.ROWS[type].bytes


def word_bits(about: Description) -> list[int]:
    """(11.3) The bits of each word of a row; a value of 8 bytes is two words."""
    return [
        bits for type in about.types for bits in ([32, 32] if size_of(type) == 8 else [8 * size_of(type)])
    ]


def number_words(about: Description) -> list[bool]:
    """(11.6) Which words are binary32 numbers."""
    return [type == extra_types.F32 for type in about.types for _ in range(2 if size_of(type) == 8 else 1)]


def inflate(packed: bytes, size: int, place: Place) -> bytes:
    """(11.4) A zlib stream of exactly `size` bytes, and nothing after it."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, size + 1)
    except zlib.error:
        raise place.malformed("lossless.deflate", "no zlib stream") from None
    if len(data) != size or not stream.eof or stream.unused_data:
        raise place.malformed("lossless.deflate", f"not {size} bytes")
    return data


# ------------------------------------------------------------ the model: 11.6


def read_model(payload: bytes, place: Place, about: Description) -> Model:
    """(11.6) The payload of LPAR."""
    fields = Fields(payload, place, "lossless")
    words = read_words(fields, about)
    size, packed_place = fields.integer("u32"), fields.place()
    packed = take(fields, size)
    weights = read_weights(packed, sum(word.coding == NUMBER for word in words), packed_place)
    tables = fields.integer("u8", 1, 64)
    size, lane_place = 4 * fields.integer("u32"), fields.place()
    data = take(fields, size)
    if fields.position != len(payload):
        raise fields.wrong_length()
    lane = Lane(struct.unpack(f"<{size // 4}I", data), lane_place)
    found = [read_table(lane) for _ in range(tables)]
    contexts = read_context_map(lane, give_contexts(words), tables)
    if not lane.is_at_end():
        raise lane_place.malformed("entropy.end", "words or state are left over")
    return Model(words, weights, found, contexts)


def take(fields: Fields, size: int) -> bytes:
    """(11.6) The next `size` bytes."""
    if size > len(fields.payload) - fields.position:
        raise fields.wrong_length()
    fields.position += size
    return fields.payload[fields.position - size : fields.position]


def read_words(fields: Fields, about: Description) -> list[Word]:
    """(11.6) The coding of each word."""
    words = []
    for bits, is_number in zip(word_bits(about), number_words(about), strict=True):
        word = Word(fields.integer("u8", CONSTANT, NUMBER if is_number else BYTES), bits)
        if word.coding == CONSTANT:
            word.constant = fields.integer("u32", 0, (1 << bits) - 1)
        elif word.coding == NUMBER:
            word.exponent = fields.integer("i16", -100, 120)
            word.low = fields.integer("u8", 0, 21)
        words.append(word)
    return words


def read_weights(packed: bytes, m: int, place: Place) -> Weights:
    """(11.6) Constants and weights of m numbers."""
    pairs = m * (m - 1) // 2
    data = inflate(packed, 10 * m + 4 * pairs, place)
    values = list(struct.unpack(f"<{2 * m}i{m + 2 * pairs}h", data))
    if any(abs(value) > MAX_FIXED for value in values[: 2 * m]):
        raise place.malformed("lossless.range", "a constant of the prediction")
    weights = [[[0] * m for _ in range(m)] for _ in range(2)]
    at = 3 * m
    for matrix in weights:
        for later in range(m):
            for earlier in range(later):
                matrix[earlier][later] = values[at]
                at += 1
    return Weights(values[:m], values[m : 2 * m], values[2 * m : 3 * m], *weights)


def give_contexts(words: list[Word]) -> int:
    """(11.7) Number the contexts: two for repeats, then those of each word; how many there are."""
    contexts = 2
    for word in words:
        word.first = contexts
        contexts += [0, 3, word.bits // 8, 20][word.coding]
    return contexts
