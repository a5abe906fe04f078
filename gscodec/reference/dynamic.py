"""(12.1, 12.9) A whole file of the dynamic profile, and the scene at a tick.

Written to be read. The fast reader, `gscodec.dynamic`, gives the same values and, for every faulty input, the
same error class, code, clause and offset.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence

from gscodec._generated import profiles
from gscodec.errors import Integrity, LimitError, Malformed, Unsupported
from gscodec.reference.bases import Bases, read_bases
from gscodec.reference.chunk import read_chunk as read_splats
from gscodec.reference.container import (
    SIGNATURE,
    Chunk,
    Container,
    SceneHeader,
    Section,
    limit,
    next_state,
    read_chunk,
    read_file_header,
    read_parameters,
    read_scene_header,
    read_section,
    wrong_length,
)
from gscodec.reference.decode import DecodedChunk, Splat
from gscodec.reference.faults import Place
from gscodec.reference.motion import Motion, moved, read_motion
from gscodec.reference.parameters import Parameters
from gscodec.reference.parameters import read_parameters as read_set
from gscodec.reference.timeline import (
    Segment,
    Timeline,
    read_segment,
    read_table,
    read_time,
    scene_of,
    time_of,
)


def is_dynamic(data: bytes) -> bool:
    """(2.3) Whether the file header, if it is one, names this profile."""
    return data[:8] == SIGNATURE and len(data) > 10 and data[10] == profiles.DYNAMIC


# ------------------------------------------------------------ the file: 12.1


def read_timeline(data: bytes, *, verify: bool = True) -> Timeline:
    """(12.1) A whole file. `verify=False` skips checksums and hash; every other rule still holds."""
    header = read_file_header(data, verify)
    if header.profile != profiles.DYNAMIC:
        raise Unsupported("container.profile", f"profile {header.profile}", clause="2.3", offset=10)
    timeline, mode = Timeline(Container(header)), "dynamic stream" if header.stream_mode else "dynamic"
    state, position = "start", 20
    while state != "end":
        if position == len(data) and may_end(timeline, state, position):
            return timeline
        section = read_section(data, position, header, verify)
        before, state = state, next_state(mode, state, section)
        check_place(timeline, section, before)
        read_payload(section, timeline, data, verify)
        check_segment_end(timeline, section)
        position = section.end
    if position != len(data):
        raise Malformed("container.trailing", "bytes after the end mark", clause="2.5", offset=position)
    return timeline


def may_end(timeline: Timeline, state: str, position: int) -> bool:
    """(12.1) Whether a stream without end mark is complete here."""
    if not timeline.static.header.stream_mode or state in ("start", "scene", "moved"):
        return False
    if timeline.segments and state != "tabled":
        return position == timeline.segments[-1].end()
    return is_static_complete(timeline.static)


def is_static_complete(static: Container) -> bool:
    """(12.1) The static layer is what SCEN says, where it says so."""
    scene = scene_of(static)
    return scene.splat_count in (static.splats, 2**64 - 1) and scene.chunk_count in (
        len(static.chunks),
        2**32 - 1,
    )


def check_place(timeline: Timeline, section: Section, state: str) -> None:
    """(12.1, 12.4) What ends here, where `state` was, is complete; what goes on has room."""
    segment = timeline.segments[-1] if timeline.segments else None
    if section.id in (b"SEGM", b"SEGT", b"ENDM"):
        if state == "body" and not is_static_complete(timeline.static):
            raise Malformed("container.count", "the static layer", clause="12.1", offset=section.start)
        if state in ("segment", "chunk") and segment is not None and section.start != segment.end():
            raise Malformed("timeline.count", "the segment ends early", clause="12.4", offset=section.start)
    elif segment is not None and section.end > segment.end():
        raise Malformed("timeline.count", "beyond the segment", clause="12.4", offset=section.start)


def read_payload(section: Section, timeline: Timeline, data: bytes, verify: bool) -> None:
    """(12.1) What a section adds to what is known."""
    static, header = timeline.static, timeline.static.header
    if section.id == b"SEGT":
        timeline.table_position = section.start + 16
        timeline.table = read_table(section, timeline, verify)
        return
    if section.id == b"ENDM":
        read_end_mark(section, timeline, data, verify)
        return
    if timeline.sections >= limit(header, "sections"):
        raise LimitError("limit.sections", "one section more", clause="2.5", offset=section.start)
    timeline.sections += 1
    if section.id == b"SCEN":
        static.scene = read_scene_header(section, header)
    elif section.id == b"TIME":
        timeline.time = read_time(section, header)
    elif section.id == b"SEGM":
        timeline.segments.append(read_segment(section, timeline))
    elif timeline.segments:
        read_in_segment(section, timeline)
    else:
        read_in_static_layer(section, timeline)


def read_in_static_layer(section: Section, timeline: Timeline) -> None:
    """(12.1) A section of the header part, by the rules of chapter 2."""
    static, chunk = timeline.static, None
    if section.id == b"PARM":
        parameters = read_parameters(section, static)
        static.parameters[parameters.id] = parameters
    elif section.id == b"CHNK":
        chunk = read_chunk(section, static, scene_of(static))
        static.chunks.append(chunk)
        static.splats += chunk.count
        timeline.splats += chunk.count
    else:
        static.skipped.append(section)
        timeline.skipped.append(section)
    static.listed.append((section, chunk))


def read_in_segment(section: Section, timeline: Timeline) -> None:
    """(12.4) A section of a segment; MBAS and MOTN are read when they are decoded."""
    segment, chunk = timeline.segments[-1], None
    if section.id == b"PARM":
        known = {**timeline.static.parameters, **segment.parameters}
        parameters = read_parameters(section, Container(timeline.static.header, parameters=known))
        segment.parameters[parameters.id] = parameters
    elif section.id == b"CHNK":
        chunk = read_segment_chunk(section, timeline, segment)
        segment.chunks.append(chunk)
        segment.splats += chunk.count
        timeline.splats += chunk.count
    elif section.id == b"MOVE":
        segment.moves.append(read_move(section, timeline, segment))
    elif section.id not in (b"MBAS", b"MOTN"):
        timeline.skipped.append(section)
    segment.listed.append((section, chunk))


def check_segment_end(timeline: Timeline, section: Section) -> None:
    """(12.4) A segment that is over holds as many splats and chunks as it says."""
    segment = timeline.segments[-1] if timeline.segments else None
    if segment is None or section.end != segment.end():
        return
    at = segment.position + 16
    if segment.splats != segment.splat_count:
        raise Malformed("timeline.count", f"{segment.splats} splats", clause="12.4", offset=at + 16)
    if len(segment.chunks) != segment.chunk_count:
        raise Malformed("timeline.count", f"{len(segment.chunks)} chunks", clause="12.4", offset=at + 20)


def read_end_mark(section: Section, timeline: Timeline, data: bytes, verify: bool) -> None:
    """(12.1) As in core: the hash of what came before, then the counts."""
    at, stream_mode = section.start + 16, timeline.static.header.stream_mode
    if len(section.payload) != (8 if stream_mode else 40):
        raise wrong_length(section)
    if not stream_mode:
        timeline.sha256 = section.payload[8:]
        if verify and timeline.sha256 != hashlib.sha256(data[: section.start]).digest():
            raise Integrity("container.hash", "the file is damaged", clause="2.10", offset=at + 8)
    (total,) = struct.unpack_from("<Q", section.payload, 0)
    if total != timeline.splats:
        raise Malformed("container.count", f"{total} splats", clause="2.10", offset=at)
    if not stream_mode and len(timeline.segments) != time_of(timeline).segment_count:
        raise Malformed("timeline.count", "segments are missing", clause="12.1", offset=at)


def read_segment_chunk(section: Section, timeline: Timeline, segment: Segment) -> Chunk:
    """(12.4) The fields of 2.9, and whether the segment has room for the chunk."""
    at, header = section.start + 16, timeline.static.header
    if len(section.payload) < 8:
        raise wrong_length(section)
    parameters, layer, reserved, count = struct.unpack_from("<BBHI", section.payload, 0)
    if parameters not in timeline.static.parameters and parameters not in segment.parameters:
        raise Malformed("container.parameters", f"no set {parameters}", clause="2.8", offset=at)
    if reserved != 0:
        raise Unsupported("container.reserved", "reserved field", clause="2.9", offset=at + 2)
    if count == 0:
        raise Malformed("container.count", "an empty chunk", clause="2.9", offset=at + 4)
    if count > limit(header, "chunk_splats"):
        raise LimitError("limit.chunk_splats", f"{count} splats", clause="2.9", offset=at + 4)
    total, number = segment.splats + count, len(segment.chunks)
    if total > segment.splat_count or number >= segment.chunk_count:
        raise Malformed("timeline.count", "more than the segment says", clause="12.4", offset=at + 4)
    return Chunk(parameters, layer, count, number, segment.splats, section.payload, at)


def read_move(section: Section, timeline: Timeline, segment: Segment) -> int:
    """(12.4) The number of a chunk of the static layer that the segment moves; they ascend."""
    if len(section.payload) != 4:
        raise wrong_length(section)
    number = int.from_bytes(section.payload, "little")
    before = segment.moves[-1] if segment.moves else -1
    if not before < number < len(timeline.static.chunks):
        raise Malformed("motion.chunk", f"chunk {number}", clause="12.4", offset=section.start + 16)
    return number


# ------------------------------------------------------------ the scene at a tick: 12.9


def segment_at(timeline: Timeline, tick: int) -> Segment | None:
    """(12.9) The segment that holds the tick."""
    for segment in timeline.segments:
        if segment.start <= tick < segment.start + segment.duration:
            return segment
    return None


def decode_part(
    listed: Iterable[tuple[Section, Chunk | None]],
    sets: dict[int, Parameters],
    scene: SceneHeader,
    duration: int,
    layer: Sequence[DecodedChunk] = (),
) -> Iterator[tuple[int | None, DecodedChunk, Motion | None]]:
    """(12.9) The chunks of the static layer or a segment, each with its motion; `sets` are added to.

    Among those of a segment are the chunks of the static layer, `layer`, that it moves, each with its number.
    """
    sections, bases = list(listed), dict[int, Bases]()
    for i, (section, chunk) in enumerate(sections):
        place = Place(section.id.decode(), section.start + 16)
        if section.id == b"PARM":
            read = read_set(section.payload, place, scene.sh_degree, scene.extras)
            sets[read.id] = read
        elif section.id == b"MBAS":
            found = read_bases(section.payload, place, bases)
            bases[found.id] = found
        elif section.id == b"MOVE":
            number = int.from_bytes(section.payload, "little")
            yield number, layer[number], motion_behind(sections, i, layer[number], duration, bases)
        elif chunk is not None:
            parameters = sets[chunk.parameters]
            header, splats = read_splats(chunk.payload, place, parameters, scene.extras)
            decoded = DecodedChunk(header, parameters, splats)
            yield None, decoded, motion_behind(sections, i, decoded, duration, bases)


def motion_behind(
    sections: Sequence[tuple[Section, Chunk | None]],
    i: int,
    chunk: DecodedChunk,
    duration: int,
    bases: dict[int, Bases],
) -> Motion | None:
    """(12.5) The motion that the section behind section `i` gives to a chunk, if it is MOTN."""
    if i + 1 == len(sections) or sections[i + 1][0].id != b"MOTN":
        return None
    payload, place = sections[i + 1][0].payload, Place("MOTN", sections[i + 1][0].start + 16)
    return read_motion(payload, place, chunk.header, chunk.parameters, chunk.splats, duration, bases)


def splats_at(timeline: Timeline, tick: int) -> list[Splat]:
    """(12.9) What is shown at a tick: the static layer, then the segment that holds the tick."""
    scene, sets, k, duration = scene_of(timeline.static), dict[int, Parameters](), 0, 0
    layer = [chunk for _, chunk, _ in decode_part(timeline.static.listed, sets, scene, duration)]
    shown: list[tuple[DecodedChunk, Motion | None]] = [(chunk, None) for chunk in layer]
    segment = segment_at(timeline, tick)
    if segment is not None:
        k, duration = tick - segment.start, segment.duration
        for number, chunk, motion in decode_part(segment.listed, sets, scene, duration, layer):
            if number is None:
                shown.append((chunk, motion))
            else:
                shown[number] = (chunk, motion)
    return [splat for chunk, motion in shown for splat in moved(motion, chunk, k, duration, scene.extras)]
