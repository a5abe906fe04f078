"""From the bytes of a .gsc to the canonical PLY, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from gscodec.cli.common import HashingOutput
    from gscodec.container import SceneHeader
    from gscodec.errors import StreamError
    from gscodec.splats import Splats

Layout: TypeAlias = Literal["inria", "compact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a walk over the container found: scene header, complete chunks, the fault at its end."""

    scene: SceneHeader | None
    splats: int
    chunks: int
    fault: StreamError | None


def survey(data: bytes) -> Survey:
    """Check the container of a file without decoding anything."""
    from gscodec.container import Chunk, ContainerReader, SceneHeader
    from gscodec.errors import StreamError

    reader = ContainerReader()
    reader.feed(data)
    reader.close()
    scene, splats, chunks, fault = None, 0, 0, None
    try:
        for event in reader.events():
            if isinstance(event, SceneHeader):
                scene = event
            elif isinstance(event, Chunk):
                splats += event.header.splat_count
                chunks += 1
    except StreamError as error:
        fault = error
    return Survey(scene=scene, splats=splats, chunks=chunks, fault=fault)


def decoded_chunks(data: bytes, degree: int, threads: int, *, verify: bool) -> Iterator[Splats]:
    """The splats of each chunk in turn. Raises `StreamError`."""
    from gscodec.decoder import Decoder

    decoder = Decoder(sh_degree=degree, threads=threads, verify=verify)
    decoder.feed(data)
    decoder.close()
    for chunk in decoder.chunks():
        yield chunk.splats


def check_output(scene: SceneHeader, layout: Layout) -> None:
    """(6.9) Every attribute has a PLY type and a name of its own. Raises `Unsupported`."""
    from gscodec.decoder import empty_splats
    from gscodec.errors import Unsupported, UsageError
    from gscodec.io import ply_header

    try:
        ply_header(empty_splats(scene, 0, scene.sh_degree), layout=layout)
    except UsageError as error:
        codes = {"ply.type": "output.type", "ply.name": "output.name"}
        if error.code not in codes:
            raise
        raise Unsupported(codes[error.code], error.message, clause="6.9", section="SCEN", offset=0) from error


def write_blocks(
    file: HashingOutput,
    blocks: Iterator[Splats],
    scene: SceneHeader,
    count: int,
    degree: int,
    layout: Layout,
) -> None:
    """The PLY file of `count` splats in blocks."""
    from gscodec.decoder import empty_splats
    from gscodec.io import write_ply

    if count == 0:
        blocks = iter((empty_splats(scene, 0, degree),))
    write_ply(file, blocks, layout=layout, count=count)  # type: ignore[arg-type]


def joined(blocks: Iterable[Splats], scene: SceneHeader, degree: int) -> Splats:
    """All blocks as one."""
    import numpy as np

    from gscodec.decoder import empty_splats
    from gscodec.splats import Splats

    none = empty_splats(scene, 0, degree)
    parts = [none, *blocks]
    names = ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    extras = {name: np.concatenate([part.extras[name] for part in parts]) for name in none.extras}
    return Splats(**arrays, extras=extras)
