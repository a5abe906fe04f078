"""(2.2) Containers from containers: some chunks of a file, or those of several, not decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gscodec.container.index import IndexChunk
from gscodec.container.scene import Floats6, SceneHeader
from gscodec.container.writer import ChunkBounds, StreamModeWriter, write_file_mode
from gscodec.errors import UsageError

MOST_SETS = 256  # parameter sets in a file: ids are bytes
KEPT_BY_ALL = (
    "sh_degree",
    "coordinate_system",
    "up_axis",
    "handedness",
    "colour_space",
    "rendering_model",
    "sh_convention",
    "metres_per_unit",
    "offset",
    "extras",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is taken from one file.

    parameters  payloads of all its parameter sets
    chunks      (what the index says, payload) of the chunks that are taken
    """

    scene: SceneHeader
    parameters: Sequence[bytes]
    chunks: Sequence[tuple[IndexChunk, bytes]]
    level: int = 1
    ignorable: Sequence[tuple[bytes, bytes]] = ()


def rewrite(sources: Sequence[Source], *, stream: bool = False) -> bytes:
    """A file of the chunks of all `sources` (at least one), layer after layer, else in their order.

    Parameter sets get new ids, and those that no chunk uses are left out; chunks change in that byte only.
    Raises `UsageError` "usage.merge" where scene headers do not go together or parameter sets are too many.
    """
    scene = sources[0].scene
    for number, source in enumerate(sources):
        different = [name for name in KEPT_BY_ALL if getattr(source.scene, name) != getattr(scene, name)]
        if different:
            names = ", ".join(name.replace("_", " ") for name in different)
            raise UsageError("usage.merge", f"file {number + 1} has another {names} than the first")
    ids: dict[bytes, int] = {}  # by payload without its id: equal sets become one
    chunks: list[tuple[int, ChunkBounds, bytes]] = []
    for source in sources:
        sets = {payload[0]: payload[1:] for payload in source.parameters}
        for facts, payload in source.chunks:
            id = ids.setdefault(sets[payload[0]], len(ids))
            box = ChunkBounds(bounds=facts.bounds, extents=facts.extents)
            chunks.append((facts.layer, box, bytes([id % MOST_SETS]) + payload[1:]))
    if len(ids) > MOST_SETS:
        raise UsageError("usage.merge", f"{len(ids)} parameter sets: a file can have {MOST_SETS}")
    chunks.sort(key=lambda chunk: chunk[0])
    parameters = [bytes([id]) + payload for payload, id in ids.items()]
    ignorable = [each for source in sources for each in source.ignorable]
    payloads, boxes = [payload for *_, payload in chunks], [box for _, box, _ in chunks]
    level = max(source.level for source in sources)
    if not stream:
        scene = replace(scene, bounds=around([box.bounds for box in boxes]))
        return write_file_mode(scene, parameters, payloads, boxes, level=level, ignorable=ignorable)
    writer = StreamModeWriter(replace(scene, splat_count=None, chunk_count=None), level=level)
    pieces = [writer.start(), *map(writer.parameters, parameters), *map(writer.chunk, payloads, boxes)]
    return b"".join([*pieces, *(writer.ignorable(*each) for each in ignorable), writer.end()])


def around(boxes: Sequence[Floats6]) -> Floats6:
    """The box around boxes; all 0 where there are none."""
    if not boxes:
        return (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    columns = list(zip(*boxes, strict=True))
    x0, y0, z0 = (min(column) for column in columns[:3])
    x1, y1, z1 = (max(column) for column in columns[3:])
    return (x0, y0, z0, x1, y1, z1)
