"""Small containers, and both readers behind one face."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

from gscodec.container import (
    ChunkBounds,
    ChunkHeader,
    ContainerReader,
    ExtraAttribute,
    SceneHeader,
    StreamModeWriter,
    write_chunk_header,
    write_file_mode,
)
from gscodec.errors import StreamError
from gscodec.limits import Limits
from gscodec.reference import container as reference

ROOT = Path(__file__).resolve().parents[2]


def load(path: str) -> Any:
    """A module of the repository that is not part of the package."""
    name = path.replace("/", "_").removesuffix(".py")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


fixup = load("conformance/generators/fixup.py")

BOX = ChunkBounds(bounds=(-1, -2, -3, 1, 2, 3), extents=(-2, -3, -4, 2, 3, 4))
EXTRAS = (
    ExtraAttribute(id=64, name="label", type=2),
    ExtraAttribute(id=70, name="größe", type=7, components=3),
)


def chunk(count: int, parameters: int = 0, layer: int = 0, body: bytes = b"body") -> bytes:
    return write_chunk_header(ChunkHeader(parameters_id=parameters, layer=layer, splat_count=count)) + body


def scene(**changes: Any) -> SceneHeader:
    values: dict[str, Any] = {
        "sh_degree": 1,
        "coordinate_system": 1,
        "up_axis": 4,
        "handedness": 1,
        "colour_space": 1,
        "metres_per_unit": 0.5,
        "offset": (1e6, 2.5, -3.25),
        "bounds": (-1.0, -2.0, -3.0, 1.0, 2.0, 3.0),
        "extras": EXTRAS,
    }
    return SceneHeader(**{**values, **changes})


def file_mode() -> bytes:
    return write_file_mode(
        scene(),
        [b"\0tables", b"\7more"],
        [chunk(5), chunk(300, parameters=7, layer=1, body=b""), chunk(1)],
        [BOX, BOX, BOX],
        ignorable=[(b"META", b"{}")],
    )


def stream_mode(**changes: Any) -> bytes:
    writer = StreamModeWriter(scene(**changes))
    return b"".join(
        [
            writer.start(),
            writer.parameters(b"\0tables"),
            writer.chunk(chunk(5)),
            writer.ignorable(b"THMB", b""),
            writer.parameters(b"\1"),
            writer.chunk(chunk(300, parameters=1, layer=2)),
            writer.end(),
        ]
    )


def empty() -> bytes:
    return write_file_mode(SceneHeader(sh_degree=0), [], [], [])


def outcome(error: StreamError) -> tuple[str, str, str, int | None]:
    return type(error).__name__, error.code, error.clause, error.offset


def read_fast(
    pieces: list[bytes], verify: bool = True, limits: Limits | None = None
) -> tuple[list[Any], tuple[Any, ...] | None]:
    """Events, and what went wrong."""
    reader, events = ContainerReader(limits, verify=verify), []
    try:
        for piece in pieces:
            reader.feed(piece)
            for event in reader.events():
                events.append(event)
        reader.close()
    except StreamError as error:
        return events, outcome(error)
    return events, None


def read_reference(
    data: bytes, verify: bool = True
) -> tuple[reference.Container | None, tuple[Any, ...] | None]:
    try:
        return reference.read_container(data, verify=verify), None
    except StreamError as error:
        return None, outcome(error)


def assert_same_content(events: list[Any], container: reference.Container) -> None:
    """Both readers understood the same."""
    by_type: dict[str, list[Any]] = {}
    for event in events:
        by_type.setdefault(type(event).__name__, []).append(event)
    header = container.header
    assert astuple(by_type["FileHeader"][0]) == (header.profile, header.level, header.stream_mode)
    ours, theirs = by_type["SceneHeader"][0], container.scene
    assert theirs is not None
    assert (ours.splat_count, ours.chunk_count) == (
        None if theirs.splat_count == 2**64 - 1 else theirs.splat_count,
        None if theirs.chunk_count == 2**32 - 1 else theirs.chunk_count,
    )
    for name in vars(theirs).keys() - {"splat_count", "chunk_count", "extras"}:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert [(e.id, e.type, e.components, e.coding, e.name) for e in ours.extras] == [
        (e.id, e.type, e.components, e.coding, e.name) for e in theirs.extras
    ]
    assert ours.decoded_bytes_per_splat == reference.decoded_bytes_per_splat(theirs)
    assert [(p.id, bytes(p.payload), p.offset) for p in by_type.get("Parameters", [])] == [
        (p.id, p.payload, p.offset) for p in container.parameters.values()
    ]
    assert [
        (
            c.header.parameters_id,
            c.header.layer,
            c.header.splat_count,
            c.number,
            c.first_splat,
            c.payload,
            c.offset,
        )
        for c in by_type.get("Chunk", [])
    ] == [(c.parameters, c.layer, c.count, c.number, c.first, c.payload, c.offset) for c in container.chunks]
    assert [(s.id, s.payload, s.offset) for s in by_type.get("Skipped", [])] == [
        (s.id, s.payload, s.start + 16) for s in container.skipped
    ]
    indexes = by_type.get("Index", [])
    assert bool(indexes) == (container.index is not None)
    if container.index is not None:
        assert [astuple(e) for e in indexes[0].entries] == [
            (e.id, e.offset, e.size) for e in container.index.entries
        ]
        assert [astuple(c) for c in indexes[0].chunks] == [astuple(c)[:6] for c in container.index.chunks]
    end = by_type["End"][0]
    assert (end.splat_count, end.chunk_count, end.sha256) == (
        container.splats,
        len(container.chunks),
        container.sha256,
    )
