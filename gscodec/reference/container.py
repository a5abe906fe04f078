"""(2) The container, as the specification prints it: one pass over a complete `bytes`.

Written to be read. The fast reader, `gscodec.container`, gives the same values and, for every faulty
input, the same error class, code, clause and offset.
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from dataclasses import dataclass, field

from gscodec._generated import (
    colour_spaces,
    coordinate_systems,
    extra_codings,
    extra_types,
    forbidden_in_names,
    handedness,
    levels,
    order,
    profiles,
    rendering_models,
    sections,
    sh_conventions,
    up_axes,
)
from gscodec.errors import Integrity, LimitError, Malformed, Truncated, Unsupported

SIGNATURE = bytes.fromhex("89475343 0D0A1A0A")
MAJOR, MINOR = 0, 4
MUST_UNDERSTAND = 1
STREAM_MODE = 1
UNKNOWN_SPLATS = 2**64 - 1
UNKNOWN_CHUNKS = 2**32 - 1
STEP_EXPONENTS = {extra_types.F32: (-200, 80), extra_types.F64: (-1074, 976)}


@dataclass
class FileHeader:
    """The fields of clause 2.3 that a decoder keeps."""

    profile: int
    level: int
    stream_mode: bool


@dataclass
class Section:
    """One section of clause 2.4, wherever it stands."""

    id: bytes
    flags: int
    start: int  # offset of the id
    payload: bytes
    end: int  # offset of the first byte after the section


@dataclass
class ExtraAttribute:
    """One attribute beyond the fixed ones (2.6)."""

    id: int
    type: int
    components: int
    coding: int
    name: str
    mantissa: int = 0  # of the step of coding 1
    exponent: int = 0


@dataclass
class SceneHeader:
    """The fields of clause 2.6."""

    splat_count: int
    chunk_count: int
    sh_degree: int
    coordinate_system: int
    up_axis: int
    handedness: int
    colour_space: int
    rendering_model: int
    sh_convention: int
    metres_per_unit: float
    offset: tuple[float, ...]
    bounds: tuple[float, ...]
    extras: list[ExtraAttribute]


@dataclass
class IndexEntry:
    """Where one section is (2.7)."""

    id: bytes
    offset: int
    size: int
    position: int  # of this entry in the file, for error messages


@dataclass
class IndexChunk:
    """What one chunk holds (2.7)."""

    first: int
    count: int
    layer: int
    decoded_bytes: int
    bounds: tuple[float, ...]
    extents: tuple[float, ...]
    position: int


@dataclass
class Index:
    """The payload of INDX (2.7)."""

    entries: list[IndexEntry]
    chunks: list[IndexChunk]
    position: int  # of the payload


@dataclass
class Parameters:
    """A parameter set (2.8); the payload begins with the id."""

    id: int
    payload: bytes
    offset: int


@dataclass
class Chunk:
    """A chunk (2.9); the payload begins with the fields that are repeated here."""

    parameters: int
    layer: int
    count: int
    number: int
    first: int
    payload: bytes
    offset: int


@dataclass
class Container:
    """Everything the container layer knows about a file."""

    header: FileHeader
    scene: SceneHeader | None = None
    index: Index | None = None
    parameters: dict[int, Parameters] = field(default_factory=dict)
    chunks: list[Chunk] = field(default_factory=list)
    skipped: list[Section] = field(default_factory=list)
    listed: list[tuple[Section, Chunk | None]] = field(default_factory=list)  # what an index lists
    splats: int = 0
    sha256: bytes | None = None


def limit(header: FileHeader, name: str) -> int:
    """(1.7) The bound of the file's level."""
    row = next(row for row in levels.ROWS if row.limit == name)
    return row.level_1 if header.level == 1 else row.level_2


# ------------------------------------------------------------ framing: 2.3 to 2.5


def read_file_header(data: bytes, verify: bool) -> FileHeader:
    """(2.3) The first 20 bytes."""
    start = data[:8]
    if start != SIGNATURE[: len(start)]:
        raise Malformed("container.signature", "this is not a .gsc file", clause="2.3", offset=0)
    if len(data) < 20:
        raise Truncated("container.truncated", "the file ends early", clause="2.2", offset=len(data))
    major, minor, profile, level, flags, crc = struct.unpack_from("<4BII", data, 8)
    if verify and crc != zlib.crc32(data[:16]):
        raise Integrity("container.crc", "the file header is damaged", clause="2.3", offset=16)
    if (major, minor) != (MAJOR, MINOR):
        raise Unsupported(
            "container.version",
            f"the file has version {major}.{minor}, this decoder reads {MAJOR}.{MINOR}",
            clause="2.3",
            offset=8 if major != MAJOR else 9,
        )
    if profile not in profiles.NAMES:
        raise Unsupported("container.profile", f"profile {profile}", clause="2.3", offset=10)
    if level not in (1, 2):
        raise Unsupported("container.level", f"level {level}", clause="2.3", offset=11)
    if flags & ~STREAM_MODE:
        raise Unsupported("container.flags", f"flags {flags:#x}", clause="2.3", offset=12)
    return FileHeader(profile, level, flags == STREAM_MODE)


def read_section(data: bytes, start: int, header: FileHeader, verify: bool) -> Section:
    """(2.4) The section at `start`: enough of its header to find its end, its checksum, then the rest."""
    if len(data) < start + 16:
        raise Truncated("container.truncated", "the file ends early", clause="2.2", offset=len(data))
    id, flags, length = struct.unpack_from("<4sIQ", data, start)
    if length > limit(header, "section_bytes"):
        raise LimitError("limit.section_bytes", f"a section of {length}", clause="2.4", offset=start + 8)
    end = start + 16 + length + 4
    if len(data) < end:
        raise Truncated("container.truncated", "the file ends early", clause="2.2", offset=len(data))
    (crc,) = struct.unpack_from("<I", data, end - 4)
    if verify and crc != zlib.crc32(data[start : end - 4]):
        raise Integrity("container.crc", "a section is damaged", clause="2.4", offset=end - 4)
    if not all(ord("A") <= letter <= ord("Z") for letter in id):
        raise Malformed("container.section_id", f"section id {id!r}", clause="2.4", offset=start)
    if flags & ~MUST_UNDERSTAND:
        raise Unsupported("container.flags", f"section flags {flags:#x}", clause="2.4", offset=start + 4)
    known = known_section(id)
    if known is not None and flags != known.must_understand:
        raise Malformed("container.section_required", f"flags {flags}", clause="2.4", offset=start + 4)
    if known is None and flags == MUST_UNDERSTAND:
        raise Unsupported("container.section_unknown", f"section {id!r}", clause="2.4", offset=start)
    return Section(id, flags, start, data[start + 16 : end - 4], end)


def known_section(id: bytes) -> sections.Row | None:
    """(2.4) The row of a section that this version defines."""
    rows = (row for row in sections.ROWS if row.id == id.decode() and row.status == "known")
    return next(rows, None)


def next_state(mode: str, state: str, section: Section) -> str:
    """(2.5) The state after a section: one look-up in the table of orders."""
    symbol = section.id.decode() if known_section(section.id) else "other"
    for row in order.ROWS:
        if (row.mode, row.state, row.section) == (mode, state, symbol):
            return row.next
    raise Malformed("container.order", f"{symbol} here", clause="2.5", offset=section.start)


# ------------------------------------------------------------ scene header: 2.6


def read_scene_header(section: Section, header: FileHeader) -> SceneHeader:
    """(2.6) The payload of SCEN."""
    at, payload = section.start + 16, section.payload
    if len(payload) < 74:
        raise wrong_length(section)
    splats, chunks, degree, system, up, hand, colour, rendering, sh = struct.unpack_from("<QI7B", payload, 0)
    (metres_per_unit,) = struct.unpack_from("<f", payload, 20)
    offset, bounds = struct.unpack_from("<3d", payload, 24), struct.unpack_from("<6f", payload, 48)
    scene = SceneHeader(
        splats, chunks, degree, system, up, hand, colour, rendering, sh, metres_per_unit, offset, bounds, []
    )
    check_scene_counts(scene, header, at)
    check_scene_values(scene, at)
    if payload[19] != 0:
        raise Unsupported("container.reserved", "reserved byte", clause="2.6", offset=at + 19)
    check_scene_floats(scene, at)
    (extra_count,) = struct.unpack_from("<H", payload, 72)
    if extra_count > limit(header, "extra_attributes"):
        raise LimitError("limit.extra_attributes", f"{extra_count}", clause="2.6", offset=at + 72)
    position = 74
    for _ in range(extra_count):
        if len(payload) < position + 6 or len(payload) < position + extra_bytes(payload, position):
            raise wrong_length(section)
        position = read_extra_attribute(payload, position, at, scene.extras)
    if position != len(payload):
        raise wrong_length(section)
    if scene.splat_count != UNKNOWN_SPLATS:
        check_decoded_bytes(scene.splat_count, scene, header, at)
    return scene


def check_scene_counts(scene: SceneHeader, header: FileHeader, at: int) -> None:
    """(2.6) Unknown counts belong to stream mode; known ones obey the level."""
    if scene.splat_count == UNKNOWN_SPLATS:
        if not header.stream_mode:
            raise Malformed("container.count", "unknown splat count", clause="2.6", offset=at)
    elif scene.splat_count > limit(header, "splats"):
        raise LimitError("limit.splats", f"{scene.splat_count} splats", clause="2.6", offset=at)
    if scene.chunk_count == UNKNOWN_CHUNKS and not header.stream_mode:
        raise Malformed("container.count", "unknown chunk count", clause="2.6", offset=at + 8)
    if scene.chunk_count != UNKNOWN_CHUNKS and scene.chunk_count > limit(header, "sections"):
        raise LimitError("limit.sections", f"{scene.chunk_count} chunks", clause="2.6", offset=at + 8)


def check_scene_values(scene: SceneHeader, at: int) -> None:
    """(2.6) Every choice is one that this version defines, and the axes agree."""
    if scene.sh_degree > 3:
        raise Unsupported("container.value", f"SH degree {scene.sh_degree}", clause="2.6", offset=at + 12)
    for position, value, names in [
        (13, scene.coordinate_system, coordinate_systems.NAMES),
        (14, scene.up_axis, up_axes.NAMES),
        (15, scene.handedness, handedness.NAMES),
        (16, scene.colour_space, colour_spaces.NAMES),
        (17, scene.rendering_model, rendering_models.NAMES),
        (18, scene.sh_convention, sh_conventions.NAMES),
    ]:
        if value not in names:
            raise Unsupported("container.value", f"value {value}", clause="2.6", offset=at + position)
    system = coordinate_systems.ROWS[scene.coordinate_system]
    if system.value != 0 and scene.up_axis not in (0, system.up_axis):
        raise Malformed("container.axes", "the up axis contradicts", clause="2.6", offset=at + 14)
    if system.value != 0 and scene.handedness not in (0, system.handedness):
        raise Malformed("container.axes", "the handedness contradicts", clause="2.6", offset=at + 15)


def check_scene_floats(scene: SceneHeader, at: int) -> None:
    """(2.6) Finite numbers, a scale that is not negative, bounds that are bounds."""
    if not math.isfinite(scene.metres_per_unit) or scene.metres_per_unit < 0:
        raise Malformed("container.float", "metres per unit", clause="2.6", offset=at + 20)
    for i in range(3):
        if not math.isfinite(scene.offset[i]):
            raise Malformed("container.float", "scene offset", clause="2.6", offset=at + 24 + 8 * i)
    check_bounds(scene.bounds, at + 48, clause="2.6")
    if scene.splat_count == 0:
        for i in range(6):
            if scene.bounds[i] != 0:
                raise Malformed("container.bounds", "no splats", clause="2.6", offset=at + 48 + 4 * i)


def check_bounds(bounds: tuple[float, ...], at: int, clause: str) -> None:
    """(1.2) Six finite numbers, no minimum above its maximum."""
    for i in range(6):
        if not math.isfinite(bounds[i]):
            raise Malformed("container.float", "not finite", clause=clause, offset=at + 4 * i)
    for i in range(3):
        if bounds[i] > bounds[3 + i]:
            raise Malformed("container.bounds", "minimum over maximum", clause=clause, offset=at + 4 * i)


def extra_bytes(payload: bytes, position: int) -> int:
    """(2.6) The size of the extra attribute at `position`."""
    return 6 + payload[position + 5] + (4 if payload[position + 4] == extra_codings.STEPPED else 0)


def read_extra_attribute(payload: bytes, position: int, at: int, extras: list[ExtraAttribute]) -> int:
    """(2.6) Append the extra attribute at `position`; the position of the next one."""
    id, type, components, coding, name_length = struct.unpack_from("<H4B", payload, position)
    here, end = at + position, position + 6 + payload[position + 5]
    if id < 64:
        raise Unsupported("container.value", f"extra id {id}", clause="2.6", offset=here)
    if any(extra.id == id for extra in extras):
        raise Malformed("container.extra", f"extra id {id} twice", clause="2.6", offset=here)
    if type not in extra_types.NAMES:
        raise Unsupported("container.value", f"extra type {type}", clause="2.6", offset=here + 2)
    if components == 0:
        raise Malformed("container.extra", "no components", clause="2.6", offset=here + 3)
    if coding not in extra_codings.NAMES:
        raise Unsupported("container.value", f"extra coding {coding}", clause="2.6", offset=here + 4)
    if coding == extra_codings.STEPPED and type not in STEP_EXPONENTS:
        raise Malformed("container.extra", "steps of an integer", clause="2.6", offset=here + 4)
    if name_length == 0:
        raise Malformed("container.extra", "an empty name", clause="2.6", offset=here + 5)
    try:
        name = payload[position + 6 : end].decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("container.extra", "not UTF-8", clause="2.6", offset=here + 6) from None
    if not is_name(name) or any(extra.name == name for extra in extras):
        raise Malformed("container.extra", f"name {name!r}", clause="2.6", offset=here + 6)
    mantissa = exponent = 0
    if coding == extra_codings.STEPPED:
        mantissa, exponent = struct.unpack_from("<Hh", payload, end)
        low, high = STEP_EXPONENTS[type]
        if mantissa == 0:
            raise Malformed("container.extra", "a step of 0", clause="2.6", offset=at + end)
        if not low <= exponent <= high:
            raise Malformed("container.extra", f"exponent {exponent}", clause="2.6", offset=at + end + 2)
    extras.append(ExtraAttribute(id, type, components, coding, name, mantissa, exponent))
    return position + extra_bytes(payload, position)


def is_name(name: str) -> bool:
    """(2.6) No control characters, no white space, nothing invisible."""
    ranges = list(zip(forbidden_in_names.FIRST, forbidden_in_names.LAST, strict=True))
    return not any(first <= ord(character) <= last for character in name for first, last in ranges)


def decoded_bytes_per_splat(scene: SceneHeader) -> int:
    """(2.6) Position 3, scale 3, rotation 4, opacity 1, colour 3 values per SH coefficient; extras."""
    values = 3 + 3 + 4 + 1 + 3 * (scene.sh_degree + 1) ** 2
    extras = [extra_types.ROWS[extra.type].bytes * extra.components for extra in scene.extras]
    return int(4 * values + sum(extras))


def check_decoded_bytes(splats: int, scene: SceneHeader, header: FileHeader, offset: int) -> None:
    """(1.7) What the splats take when decoded."""
    if splats * decoded_bytes_per_splat(scene) > limit(header, "decoded_bytes"):
        raise LimitError("limit.decoded_bytes", f"{splats} splats", clause="1.7", offset=offset)


def wrong_length(section: Section) -> Malformed:
    """(2.4) The payload is longer or shorter than what it holds."""
    return Malformed("container.length", "payload length", clause="2.4", offset=section.start + 8)


# ------------------------------------------------------------ index: 2.7


def read_index(section: Section, header: FileHeader) -> Index:
    """(2.7) The payload of INDX, checked against itself."""
    at, payload = section.start + 16, section.payload
    if len(payload) < 8:
        raise wrong_length(section)
    (entry_count,) = struct.unpack_from("<I", payload, 0)
    if entry_count > limit(header, "sections"):
        raise LimitError("limit.sections", f"{entry_count} sections", clause="2.7", offset=at)
    middle = 4 + 20 * entry_count
    if len(payload) < middle + 4:
        raise wrong_length(section)
    (chunk_count,) = struct.unpack_from("<I", payload, middle)
    if len(payload) != middle + 4 + 72 * chunk_count:
        raise wrong_length(section)
    index = Index([], [], at)
    expected = 20 if header.stream_mode else section.end
    for i in range(entry_count):
        here = 4 + 20 * i
        id, offset, size = struct.unpack_from("<4sQQ", payload, here)
        entry = IndexEntry(id, offset, size, at + here)
        if not all(ord("A") <= letter <= ord("Z") for letter in entry.id):
            raise Malformed("container.index", f"id {entry.id!r}", clause="2.7", offset=at + here)
        if entry.offset != expected:
            raise Malformed("container.index", f"offset {entry.offset}", clause="2.7", offset=at + here + 4)
        if not 20 <= entry.size <= 20 + limit(header, "section_bytes"):
            raise Malformed("container.index", f"size {entry.size}", clause="2.7", offset=at + here + 12)
        expected += entry.size
        index.entries.append(entry)
    if sum(entry.id == b"CHNK" for entry in index.entries) != chunk_count:
        raise Malformed("container.index", f"{chunk_count} chunks", clause="2.7", offset=at + middle)
    expected = 0
    for i in range(chunk_count):
        here = middle + 4 + 72 * i
        first, count, layer, reserved, size = struct.unpack_from("<QIB3sQ", payload, here)
        bounds = struct.unpack_from("<6f", payload, here + 24)
        extents = struct.unpack_from("<6f", payload, here + 48)
        if first != expected:
            raise Malformed("container.index", f"first {first}", clause="2.7", offset=at + here)
        if reserved != bytes(3):
            raise Unsupported("container.reserved", "reserved bytes", clause="2.7", offset=at + here + 13)
        check_bounds(bounds, at + here + 24, clause="2.7")
        check_bounds(extents, at + here + 48, clause="2.7")
        expected += count
        index.chunks.append(IndexChunk(first, count, layer, size, bounds, extents, at + here))
    return index


def check_listed(index: Index, i: int, section: Section, chunk: Chunk | None, scene: SceneHeader) -> None:
    """(2.7) Section `i` of the file is the one that the index names, and so is its chunk."""
    if i >= len(index.entries):
        raise Malformed("container.index", "a section more", clause="2.7", offset=index.position)
    entry = index.entries[i]
    if entry.id != section.id:
        raise Malformed("container.index", f"id {entry.id!r}", clause="2.7", offset=entry.position)
    if entry.size != section.end - section.start:
        raise Malformed("container.index", f"size {entry.size}", clause="2.7", offset=entry.position + 12)
    if chunk is None:
        return
    facts = index.chunks[chunk.number]
    if facts.count != chunk.count:
        raise Malformed("container.index", f"count {facts.count}", clause="2.7", offset=facts.position + 8)
    if facts.layer != chunk.layer:
        raise Malformed("container.index", f"layer {facts.layer}", clause="2.7", offset=facts.position + 12)
    if facts.decoded_bytes != chunk.count * decoded_bytes_per_splat(scene):
        raise Malformed("container.index", "decoded size", clause="2.7", offset=facts.position + 16)


def check_all_listed(index: Index, count: int) -> None:
    """(2.7) The index names no section that is not there."""
    if count != len(index.entries):
        raise Malformed("container.index", "a section less", clause="2.7", offset=index.position)


# ------------------------------------------------------------ parameters, chunks, end: 2.8 to 2.10


def read_parameters(section: Section, container: Container) -> Parameters:
    """(2.8) A parameter set; ids do not repeat."""
    if len(section.payload) < 1:
        raise wrong_length(section)
    id, offset = section.payload[0], section.start + 16
    if id in container.parameters:
        raise Malformed("container.parameters", f"set {id} twice", clause="2.8", offset=offset)
    return Parameters(id, section.payload, offset)


def read_chunk(section: Section, container: Container, scene: SceneHeader) -> Chunk:
    """(2.9) The fields at the start of a chunk, and whether it fits what came before."""
    header, at = container.header, section.start + 16
    if len(section.payload) < 8:
        raise wrong_length(section)
    parameters, layer, reserved, count = struct.unpack_from("<BBHI", section.payload, 0)
    if parameters not in container.parameters:
        raise Malformed("container.parameters", f"no set {parameters}", clause="2.8", offset=at)
    if reserved != 0:
        raise Unsupported("container.reserved", "reserved field", clause="2.9", offset=at + 2)
    if count == 0:
        raise Malformed("container.count", "an empty chunk", clause="2.9", offset=at + 4)
    if count > limit(header, "chunk_splats"):
        raise LimitError("limit.chunk_splats", f"{count} splats", clause="2.9", offset=at + 4)
    total = container.splats + count
    if total > limit(header, "splats"):
        raise LimitError("limit.splats", f"{total} splats", clause="2.9", offset=at + 4)
    check_decoded_bytes(total, scene, header, at + 4)
    if total > scene.splat_count or len(container.chunks) >= scene.chunk_count:
        raise Malformed("container.count", "more than the scene header says", clause="2.9", offset=at + 4)
    return Chunk(parameters, layer, count, len(container.chunks), container.splats, section.payload, at)


def read_end_mark(
    section: Section, container: Container, scene: SceneHeader, data: bytes, verify: bool
) -> None:
    """(2.10) The hash of what came before, then the counts."""
    at = section.start + 16
    if len(section.payload) != (8 if container.header.stream_mode else 40):
        raise wrong_length(section)
    if not container.header.stream_mode:
        container.sha256 = section.payload[8:]
        if verify and container.sha256 != hashlib.sha256(data[: section.start]).digest():
            raise Integrity("container.hash", "the file is damaged", clause="2.10", offset=at + 8)
    (total,) = struct.unpack_from("<Q", section.payload, 0)
    if total != container.splats:
        raise Malformed("container.count", f"{total} splats", clause="2.10", offset=at)
    if scene.splat_count not in (total, UNKNOWN_SPLATS):
        raise Malformed("container.count", f"{total} splats", clause="2.10", offset=at)
    if scene.chunk_count not in (len(container.chunks), UNKNOWN_CHUNKS):
        raise Malformed("container.count", "chunk count", clause="2.10", offset=at)


# ------------------------------------------------------------ the file: 2.2


def read_container(data: bytes, *, verify: bool = True) -> Container:
    """(2.2) A whole file. `verify=False` skips checksums and hash; every other rule still holds."""
    header = read_file_header(data, verify)
    if header.profile != profiles.CORE:
        raise Unsupported("container.profile", f"profile {header.profile}", clause="2.3", offset=10)
    container, mode = Container(header), "stream" if header.stream_mode else "file"
    state, position = "start", 20
    while state != "end":
        section = read_section(data, position, container.header, verify)
        state = next_state(mode, state, section)
        read_payload(section, container, data, verify)
        position = section.end
    if position != len(data):
        raise Malformed("container.trailing", "bytes after the end mark", clause="2.5", offset=position)
    return container


def read_payload(section: Section, container: Container, data: bytes, verify: bool) -> None:
    """(2.2) What a section adds to what is known."""
    header, scene, index, listed = container.header, container.scene, container.index, container.listed
    if section.id == b"INDX":
        container.index = index = read_index(section, header)
        if scene is not None:  # stream mode: everything that it lists has been read
            for i, (earlier, chunk) in enumerate(listed):
                check_listed(index, i, earlier, chunk, scene)
            check_all_listed(index, len(listed))
        return
    if section.id == b"ENDM" and scene is not None:
        read_end_mark(section, container, scene, data, verify)
        if index is not None:
            check_all_listed(index, len(listed))
        return
    if len(listed) >= limit(header, "sections"):
        raise LimitError("limit.sections", "one section more", clause="2.5", offset=section.start)
    chunk = None
    if section.id == b"SCEN":
        container.scene = scene = read_scene_header(section, header)
    elif section.id == b"PARM":
        parameters = read_parameters(section, container)
        container.parameters[parameters.id] = parameters
    elif section.id == b"CHNK" and scene is not None:
        chunk = read_chunk(section, container, scene)
        container.chunks.append(chunk)
        container.splats += chunk.count
    else:
        container.skipped.append(section)
    if index is not None and scene is not None:
        check_listed(index, len(listed), section, chunk, scene)
    listed.append((section, chunk))
