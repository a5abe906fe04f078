"""The container around what was encoded: a file with its index in front, or a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gscodec.container import SceneHeader, StreamModeWriter, write_file_mode
from gscodec.container.rewrite import around
from gscodec.encode.passes import Written


def assemble(scene: SceneHeader, parts: Sequence[Written], *, stream: bool) -> bytes:
    """(2.2) The complete file or stream of `parts`, whose parameter sets have ids of their own.

    A stream says neither counts nor bounds in front, so that it may be cut or spliced; its index comes last.
    """
    chunks = [chunk for part in parts for chunk in part.chunks]
    bounds = [bound for part in parts for bound in part.bounds]
    if not stream:
        scene = replace(scene, bounds=around([bound.bounds for bound in bounds]))
        return write_file_mode(scene, [part.parameters for part in parts], chunks, bounds)
    writer = StreamModeWriter(replace(scene, splat_count=None, chunk_count=None))
    pieces = [writer.start()]
    for part in parts:
        pieces.append(writer.parameters(part.parameters))
        pieces += [writer.chunk(*each) for each in zip(part.chunks, part.bounds, strict=True)]
    return b"".join([*pieces, writer.end()])
