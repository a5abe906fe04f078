"""(12.9) A part of a dynamic file, decoded: what is shown of it at a tick.

This is where the motion of a chunk comes in: `ShownChunk.at` asks it which splats are shown, and where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gscodec.chunk import read_chunk
from gscodec.container.reader import Chunk, Parameters
from gscodec.container.scene import SceneHeader
from gscodec.decoder import empty_splats, thread_count, write_values
from gscodec.dynamic.reader import Bases, Motion, Segment
from gscodec.dynamic.timeline import SegmentHeader
from gscodec.errors import StreamError
from gscodec.motion import Motion as ChunkMotion
from gscodec.motion import read_motion
from gscodec.motion.bases import Bases as ChunkBases
from gscodec.motion.bases import read_bases
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

    sets  parameter sets by id: of the header part, and of the segment
    """

    header: SegmentHeader | None
    chunks: list[ShownChunk] = field(default_factory=list)
    sets: dict[int, ParameterSet] = field(default_factory=dict)

    def at(self, tick: int) -> list[Splats]:
        """What is shown of each chunk at tick `tick` of the scene."""
        relative = tick - (self.header.start if self.header is not None else 0)
        return [splats for chunk in self.chunks if (splats := chunk.at(relative)) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    chunk: Chunk
    motion: Motion | None
    bases: dict[int, ChunkBases]


def decode_part(
    part: Segment, sets: dict[int, ParameterSet], scene: SceneHeader, *, sh_degree: int, threads: int
) -> ShownPart:
    """(12.9) Decode a part; `sets` are those of the header part. Raises the first fault in file order."""
    found = ShownPart(header=part.header, sets=dict(sets))
    tasks, known = list[_Task](), dict[int, ChunkBases]()
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
        elif isinstance(each, Chunk):
            following = part.parts[i + 1] if i + 1 < len(part.parts) else None
            motion = following if isinstance(following, Motion) else None
            tasks.append(_Task(chunk=each, motion=motion, bases=known))

    def work(task: _Task) -> ShownChunk:
        return _decode_chunk(task, found.sets[task.chunk.header.parameters_id], scene, sh_degree, part.header)

    workers = min(thread_count(threads), len(tasks))
    if workers > 1:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(workers) as pool:
            found.chunks = list(pool.map(work, tasks))
    else:
        found.chunks = [work(task) for task in tasks]
    if fault is not None:
        raise fault
    return found


def _decode_chunk(
    task: _Task, parameters: ParameterSet, scene: SceneHeader, sh_degree: int, segment: SegmentHeader | None
) -> ShownChunk:
    chunk = task.chunk
    fields, integers = read_chunk(chunk.payload, chunk.offset, parameters, scene.extras)
    motion = None
    if task.motion is not None and segment is not None:
        payload, offset = task.motion.payload, task.motion.offset
        motion = read_motion(
            payload, offset, fields, integers, parameters.coding, segment.duration, task.bases
        )
    out = empty_splats(scene, chunk.header.splat_count, sh_degree)
    write_values(fields, integers, parameters.coding, scene, out)
    return ShownChunk(splats=out, motion=motion)


def shown(parts: Sequence[ShownPart], tick: int, scene: SceneHeader, sh_degree: int) -> Splats:
    """(12.9) The splats of all parts at a tick, in order."""
    found = [splats for part in parts for splats in part.at(tick)]
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
