"""(12.9) A part of a dynamic file, decoded: what is shown of it at a tick.

This is where the motion of a chunk comes in: `ShownChunk.at` asks it which splats are shown, and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gscodec.chunk import ChunkFields, ChunkIntegers, read_chunk
from gscodec.container.reader import Chunk, Parameters
from gscodec.container.scene import SceneHeader
from gscodec.decoder import empty_splats, thread_count, write_values
from gscodec.dynamic.reader import Bases, Motion, Move, Part, Segment
from gscodec.dynamic.timeline import SegmentHeader
from gscodec.errors import StreamError
from gscodec.motion import Motion as ChunkMotion
from gscodec.motion import read_motion
from gscodec.motion.bases import AnyBases, read_bases
from gscodec.parameters import Parameters as ParameterSet
from gscodec.parameters import read_parameters
from gscodec.splats import Splats


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChunk:
    """A chunk, and how it moves; None: it is shown as it is all the time."""

    splats: Splats
    motion: ChunkMotion | None = None

    def at(self, tick: int) -> Splats | None:
        """What is shown `tick` ticks after the start of the segment; None for nothing."""
        if self.motion is None:
            return self.splats
        if not self.motion.start <= tick < self.motion.end:
            return None
        return self.motion.at(tick).applied(self.splats)


@dataclass(kw_only=True)
class ShownPart:
    """The static layer or a segment, decoded.

    sets      parameter sets by id: of the header part, and of the segment
    moved     of a segment: chunks of the static layer, by number, as the segment shows them
    sections  of the static layer: what its chunks were decoded from
    integers  of the static layer: of chunks that a segment moved, by number, so that each is read once more
              at most
    """

    header: SegmentHeader | None
    chunks: list[ShownChunk] = field(default_factory=list)
    sets: dict[int, ParameterSet] = field(default_factory=dict)
    moved: dict[int, ShownChunk] = field(default_factory=dict)
    sections: list[Chunk] = field(default_factory=list)
    integers: dict[int, tuple[ChunkFields, ChunkIntegers]] = field(default_factory=dict)

    def at(self, tick: int) -> list[Splats]:
        """What is shown of each chunk at tick `tick` of the scene."""
        return _shown_of(self.chunks, tick - (self.header.start if self.header is not None else 0))

    def at_with(self, segment: ShownPart, tick: int) -> list[Splats]:
        """(12.4) The same of the static layer in a segment, which may move chunks, and of the segment."""
        start = segment.header.start if segment.header is not None else 0
        layer = [segment.moved.get(i, chunk) for i, chunk in enumerate(self.chunks)]
        return _shown_of(layer, tick - start) + segment.at(tick)


def _shown_of(chunks: Sequence[ShownChunk], tick: int) -> list[Splats]:
    return [splats for chunk in chunks if (splats := chunk.at(tick)) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A chunk of the part, or, by its number, of the static layer, and how it moves."""

    chunk: Chunk | int
    motion: Motion | None
    bases: dict[int, AnyBases]


def decode_part(
    part: Segment, layer: ShownPart | None, scene: SceneHeader, *, sh_degree: int, threads: int
) -> ShownPart:
    """(12.9) Decode the static layer (`layer` None), or a segment. Raises the first fault in file order."""
    found = ShownPart(header=part.header, sets=dict(layer.sets) if layer is not None else {})
    tasks, known = list[_Task](), dict[int, AnyBases]()
    fault: StreamError | None = None
    for i, each in enumerate(part.parts):
        if isinstance(each, Parameters):
            try:
                found.sets[each.id] = read_parameters(
                    each.payload, each.offset, sh_degree=scene.sh_degree, extras=scene.extras
                )
            except StreamError as error:
                fault = error  # a fault in the chunks before it comes first
                break
        elif isinstance(each, Bases):
            try:
                found_bases = read_bases(each.payload, each.offset, known)
            except StreamError as error:
                fault = error
                break
            known = {**known, found_bases.fields.id: found_bases}
        elif isinstance(each, Chunk | Move):
            chunk = each.chunk if isinstance(each, Move) else each
            tasks.append(_Task(chunk=chunk, motion=_motion_at(part.parts, i + 1), bases=known))

    def work(task: _Task) -> ShownChunk:
        if isinstance(task.chunk, Chunk):
            return _decode_chunk(
                task.chunk, task, found.sets[task.chunk.header.parameters_id], scene, sh_degree, part.header
            )
        return _move_chunk(task.chunk, task, layer, scene, part.header)

    workers = min(thread_count(threads), len(tasks))
    if workers > 1:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(workers) as pool:
            done = list(pool.map(work, tasks))
    else:
        done = [work(task) for task in tasks]
    if fault is not None:
        raise fault
    for task, chunk_shown in zip(tasks, done, strict=True):
        if isinstance(task.chunk, Chunk):
            found.chunks.append(chunk_shown)
            if layer is None:
                found.sections.append(task.chunk)
        else:
            found.moved[task.chunk] = chunk_shown
    return found


def _motion_at(parts: Sequence[Part], i: int) -> Motion | None:
    """The motion that stands there, if there is one."""
    found = parts[i] if i < len(parts) else None
    return found if isinstance(found, Motion) else None


def _decode_chunk(
    chunk: Chunk,
    task: _Task,
    parameters: ParameterSet,
    scene: SceneHeader,
    sh_degree: int,
    segment: SegmentHeader | None,
) -> ShownChunk:
    fields, integers = read_chunk(chunk.payload, chunk.offset, parameters, scene.extras)
    motion = _read_motion(task, fields, integers, parameters, segment)
    out = empty_splats(scene, chunk.header.splat_count, sh_degree)
    write_values(fields, integers, parameters.coding, scene, out)
    return ShownChunk(splats=out, motion=motion)


def _move_chunk(
    number: int, task: _Task, layer: ShownPart | None, scene: SceneHeader, segment: SegmentHeader | None
) -> ShownChunk:
    """(12.4) A chunk of the static layer as a segment moves it; its splats are those of the layer."""
    if layer is None:  # the table of orders has MOVE in segments alone
        raise RuntimeError("MOVE outside of segments")
    chunk = layer.sections[number]
    parameters = layer.sets[chunk.header.parameters_id]
    if number not in layer.integers:
        layer.integers[number] = read_chunk(chunk.payload, chunk.offset, parameters, scene.extras)
    motion = _read_motion(task, *layer.integers[number], parameters, segment)
    return ShownChunk(splats=layer.chunks[number].splats, motion=motion)


def _read_motion(
    task: _Task,
    fields: ChunkFields,
    integers: ChunkIntegers,
    parameters: ParameterSet,
    segment: SegmentHeader | None,
) -> ChunkMotion | None:
    """(12.5) The motion of a chunk, if it has one."""
    if task.motion is None or segment is None:
        return None
    payload, offset = task.motion.payload, task.motion.offset
    return read_motion(payload, offset, fields, integers, parameters.coding, segment.duration, task.bases)


def shown(
    layer: ShownPart, segment: ShownPart | None, tick: int, scene: SceneHeader, sh_degree: int
) -> Splats:
    """(12.9) The splats at a tick, in order: those of the static layer, then of the segment of the tick."""
    found = layer.at(tick) if segment is None else layer.at_with(segment, tick)
    if len(found) == 1:
        return found[0]
    out = empty_splats(scene, sum(map(len, found)), sh_degree)
    start = 0
    for splats in found:
        rows = slice(start, start + len(splats))
        for name in ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest"):
            getattr(out, name)[rows] = getattr(splats, name)
        for name, array in splats.extras.items():
            out.extras[name][rows] = array
        start = rows.stop
    return out
