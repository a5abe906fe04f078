"""What `gsinfo` says of a file that changes with time: its segments, bit rate, bytes by kind of section."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import Any

from gscodec._generated import profiles, temporal_kernels
from gscodec.cli.inspection import Inspection, scene_facts, tensor_facts
from gscodec.cli.timeline_parts import TimelineParts
from gscodec.container import Chunk, End, FileHeader, SceneHeader, Skipped
from gscodec.container.header import HEADER_BYTES, VERSION
from gscodec.container.metadata import MetadataReader
from gscodec.container.section import read_section_header
from gscodec.container.thumbnail import Thumbnail, read_thumbnail
from gscodec.dynamic.about import second_thumbnail
from gscodec.dynamic.reader import SegmentEnd, events_of
from gscodec.dynamic.timeline import SegmentHeader, Time
from gscodec.errors import StreamError
from gscodec.limits import LEVELS, Limits

MEGABIT = 1e6 / 8  # bytes


@dataclass(kw_only=True)
class _Walk:
    """What was met so far."""

    header: FileHeader | None = None
    scene: SceneHeader | None = None
    time: Time | None = None
    end: End | None = None
    sections: dict[str, list[int]] = field(default_factory=dict)  # by id: how many, bytes
    segments: list[SegmentHeader] = field(default_factory=list)  # that are complete
    static: list[int] = field(default_factory=lambda: [0, 0, 0])  # splats, chunks, bytes
    is_static: bool = True
    splats: int = 0
    texts: MetadataReader = field(default_factory=lambda: MetadataReader(Limits.of_level(LEVELS[-1])))
    thumbnail: Thumbnail | None = None
    tensors: list[Skipped] = field(default_factory=list)
    parts: TimelineParts = field(default_factory=TimelineParts)
    problems: list[str] = field(default_factory=list)


def inspect_timeline(data: bytes) -> Inspection:
    """Everything about a dynamic file up to its end or its first fault; no splat is decoded."""
    walk, fault, offset, view = _Walk(), None, HEADER_BYTES, memoryview(data)
    try:
        for event in events_of([data]):
            if isinstance(event, FileHeader):
                walk.header = event
                continue
            if isinstance(event, SegmentEnd):
                walk.segments.append(event.segment)
                continue
            if not isinstance(event, End) or offset < len(data):  # a stream may have no end mark
                section = read_section_header(view[offset:], offset, len(data))
                count = walk.sections.setdefault(section.id.decode(), [0, 0])
                count[0] += 1
                count[1] += section.size
                offset += section.size
                _add(walk, event, section.size)
            if isinstance(event, End):
                walk.end = event
    except StreamError as error:
        fault = error
    return Inspection(facts=_facts(walk, data), fault=fault, texts=walk.texts, thumbnail=walk.thumbnail)


def _add(walk: _Walk, event: object, size: int) -> None:
    if walk.scene is not None:
        walk.parts.add(event, walk.scene)
    if isinstance(event, SceneHeader):
        walk.scene = event
    elif isinstance(event, Time):
        walk.time = event
    elif isinstance(event, SegmentHeader):
        walk.is_static = False
    elif isinstance(event, Chunk):
        walk.splats += event.header.splat_count
        if walk.is_static:
            walk.static = [
                walk.static[0] + event.header.splat_count,
                walk.static[1] + 1,
                walk.static[2] + size,
            ]
    elif isinstance(event, Skipped):
        try:
            if event.id == b"META":
                walk.texts.add(event.payload, event.offset)
            elif event.id == b"THMB":
                if walk.thumbnail is not None:
                    raise second_thumbnail(event)
                walk.thumbnail = read_thumbnail(event.payload, event.offset)
            elif event.id == b"TENS":
                walk.tensors.append(event)
                tensor_facts(walk.tensors)
        except StreamError as error:
            walk.problems.append(str(error))


def _facts(walk: _Walk, data: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"bytes": len(data), "splats": walk.splats}
    if walk.header is not None:
        facts["format"] = {
            "version": f"{VERSION[0]}.{VERSION[1]}",
            "profile": profiles.NAMES[walk.header.profile],
            "level": walk.header.level,
            "mode": "stream" if walk.header.stream_mode else "file",
        }
    if walk.scene is not None:
        facts["scene"] = scene_facts(walk.scene)
    if walk.time is not None:
        facts["time"] = _time_facts(walk, walk.time)
        seconds = facts["time"]["duration"]
        facts["megabits_per_second"] = len(data) / MEGABIT / seconds if seconds else None
    facts["static_layer"] = dict(zip(("splats", "chunks", "bytes"), walk.static, strict=True))
    facts["segments"] = [_segment_facts(segment, walk.time) for segment in walk.segments]
    facts["sections"] = [
        {"id": id, "count": count, "bytes": size, "share": size / len(data)}
        for id, (count, size) in walk.sections.items()
    ]
    parts = walk.parts.found(walk.scene)
    parts["container and other sections"] = len(data) - sum(parts.values())
    facts["parts"] = [
        {"part": name, "bytes": size, "share": size / len(data)} for name, size in parts.items()
    ]
    facts["metadata"] = [{"kind": text.kind, "bytes": len(text.text.encode())} for text in walk.texts.found]
    picture = walk.thumbnail
    facts["thumbnail"] = picture and {
        "kind": picture.kind,
        "width": picture.width,
        "height": picture.height,
        "bytes": len(picture.data),
    }
    with contextlib.suppress(StreamError):  # which is a problem already
        facts["tensors"] = tensor_facts(walk.tensors[:1])
    facts["keeps_order"] = False
    facts["problems"] = walk.problems
    end = walk.end.sha256 if walk.end is not None else None
    facts["hashes"] = {
        "file": hashlib.sha256(data).hexdigest(),
        "end_mark": end.hex() if end is not None else None,
    }
    return facts


def _time_facts(walk: _Walk, time: Time) -> dict[str, Any]:
    ticks = time.duration
    if ticks is None:
        ticks = walk.segments[-1].end - time.start if walk.segments else 0
    return {
        "ticks_per_second": time.rate / time.scale,
        "start": time.start,
        "duration_ticks": ticks,
        "duration": float(time.seconds(ticks)),
        "is_duration_stated": time.duration is not None,
        "frame_ticks": time.frame_ticks,
        "frames": -(-ticks // time.frame_ticks) if time.frame_ticks else None,
        "temporal_kernel": temporal_kernels.NAMES[time.kernel],
        "bounds": list(time.bounds) if any(time.bounds) else None,
    }


def _segment_facts(segment: SegmentHeader, time: Time | None) -> dict[str, Any]:
    seconds = float(time.seconds(segment.duration)) if time is not None else 0.0
    return {
        "number": segment.number,
        "start": segment.start,
        "duration": segment.duration,
        "start_seconds": float(time.seconds(segment.start)) if time is not None else 0.0,
        "seconds": seconds,
        "splats": segment.splat_count,
        "chunks": segment.chunk_count,
        "frames": segment.frames or None,
        "offset": segment.offset,
        "bytes": segment.size,
        "megabits_per_second": segment.size / MEGABIT / seconds if seconds else None,
    }


def timeline_lines(facts: dict[str, Any]) -> list[str]:
    """The report for people."""
    from gscodec.cli.gsinfo import further_rows, scene_rows, state_line, table

    found = facts["segments"]
    out = [f"{facts['file']}: {facts['bytes']:,} bytes, {len(found):,} segments"]
    time = facts.get("time")
    if time is not None:
        out[0] += f", {time['duration']:.3f} s"
        if facts["megabits_per_second"] is not None:
            out[0] += f", {facts['megabits_per_second']:.3f} Mbit/s"
    if "format" in facts:
        out.append(state_line(facts))
    rows = [
        [each["id"], f"{each['count']:,}", f"{each['bytes']:,}", f"{100 * each['share']:.1f} %"]
        for each in facts["sections"]
    ]
    out += table("Bytes", ["section", "count", "bytes", "share"], rows, left=1)
    rows = [[each["part"], f"{each['bytes']:,}", f"{100 * each['share']:.1f} %"] for each in facts["parts"]]
    out += table("Bytes by attribute", ["part", "bytes", "share"], rows, left=1)
    if time is not None:
        out += ["", "Time"] + [f"  {name:19} {value}" for name, value in _time_rows(time)]
    if scene := facts.get("scene"):
        about = [*scene_rows(scene), *further_rows(facts)]
        still = facts["static_layer"]
        about.append(("static layer", f"{still['splats']:,} splats, {still['bytes']:,} bytes"))
        out += ["", "Scene"] + [f"  {name:19} {value}" for name, value in about]
    rows = [
        [
            str(each["number"]),
            f"{each['start_seconds']:.3f}",
            f"{each['seconds']:.3f}",
            f"{each['splats']:,}",
            str(each["chunks"]),
            f"{each['bytes']:,}",
            "" if each["megabits_per_second"] is None else f"{each['megabits_per_second']:.3f}",
        ]
        for each in found
    ]
    out += table("Segments", ["number", "start s", "s", "splats", "chunks", "bytes", "Mbit/s"], rows)
    out += ["", "SHA-256"] + [f"  {name:19} {value}" for name, value in facts["hashes"].items() if value]
    return out


def _time_rows(time: dict[str, Any]) -> list[tuple[str, str]]:
    is_stated = "" if time["is_duration_stated"] else " so far"
    rows = [
        ("ticks per second", f"{time['ticks_per_second']:g}"),
        ("start", f"tick {time['start']:,}"),
        ("duration", f"{time['duration_ticks']:,} ticks{is_stated}"),
        ("temporal kernel", time["temporal_kernel"]),
    ]
    if time["frames"] is not None:
        rows.append(("frames", f"{time['frames']:,}, one each {time['frame_ticks']:,} ticks"))
    if time["bounds"]:
        low, high = time["bounds"][:3], time["bounds"][3:]
        rows.append(
            ("bounds", " to ".join("(" + ", ".join(f"{v:.6g}" for v in p) + ")" for p in (low, high)))
        )
    return rows
