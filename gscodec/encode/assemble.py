"""The container around what was encoded: a file with its index in front, or a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gscodec.container import SceneHeader, StreamModeWriter, write_file_mode
from gscodec.container.rewrite import around
from gscodec.encode.passes import Written

Section = tuple[bytes, bytes]


def assemble(
    scene: SceneHeader,
    parts: Sequence[Written],
    *,
    leading: Sequence[Section] = (),
    closing: Sequence[Section] = (),
    stream: bool,
) -> bytes:
    """(2.2) The complete file or stream of `parts`, whose parameter sets have ids of their own.

    `leading` and `closing` are (id, payload) of sections behind the scene header and before the end.
    A stream says neither counts nor bounds in front, so that it may be cut or spliced; its index comes last.
    """
    chunks = [chunk for part in parts for chunk in part.chunks]
    bounds = [bound for part in parts for bound in part.bounds]
    if not stream:
        scene = replace(scene, bounds=around([bound.bounds for bound in bounds]))
        parameters = [part.parameters for part in parts]
        return write_file_mode(scene, parameters, chunks, bounds, leading=leading, ignorable=closing)
    writer = StreamModeWriter(replace(scene, splat_count=None, chunk_count=None))
    pieces = [writer.start(), *(writer.ignorable(*each) for each in leading)]
    for part in parts:
        pieces.append(writer.parameters(part.parameters))
        pieces += [writer.chunk(*each) for each in zip(part.chunks, part.bounds, strict=True)]
    return b"".join([*pieces, *(writer.ignorable(*each) for each in closing), writer.end()])
