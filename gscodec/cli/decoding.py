"""From the bytes of a .gsc to the canonical PLY, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from gscodec.cli.common import HashingOutput
    from gscodec.cli.gsc_file import GscFile
    from gscodec.container import Event, SceneHeader, Skipped
    from gscodec.errors import StreamError
    from gscodec.io.formats import Format
    from gscodec.io.offset import Floats3
    from gscodec.splats import Splats

MOST_COMMENT_BYTES = 1 << 19
SURVEYED = 1 << 20  # bytes at a time
DECODED = 1 << 22  # bytes at a time for each thread: several chunks, as threads wait at the end of each piece

Layout: TypeAlias = Literal["inria", "compact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a walk over the container found: scene header, complete chunks, the fault at its end.

    Nobody has looked into what restores the order of the input (`order`) and into metadata (`texts`).
    """

    scene: SceneHeader | None
    splats: int
    chunks: int
    fault: StreamError | None
    order: Skipped | None = None
    texts: tuple[Skipped, ...] = ()

    @property
    def metadata(self) -> list[tuple[bytes | memoryview, int]]:
        """The payloads of META and their places."""
        return [(section.payload, section.offset) for section in self.texts]


def pieces_of(data: bytes | GscFile, size: int) -> Iterator[bytes]:
    """The bytes of a file, at most `size` at a time where they are not in memory."""
    return iter((data,)) if isinstance(data, bytes) else data.pieces(size)


def survey(data: bytes | GscFile) -> Survey:
    """Check the container of a file without decoding anything."""
    from gscodec.container import Chunk, ContainerReader, SceneHeader, Skipped
    from gscodec.errors import StreamError

    reader = ContainerReader()
    scene, splats, chunks, fault, order = None, 0, 0, None, None
    texts: list[Skipped] = []

    def events() -> Iterator[Event]:
        for piece in pieces_of(data, SURVEYED):
            reader.feed(piece)
            yield from reader.events()
        reader.close()
        yield from reader.events()

    try:
        for event in events():
            if isinstance(event, SceneHeader):
                scene = event
            elif isinstance(event, Chunk):
                splats += event.header.splat_count
                chunks += 1
            elif isinstance(event, Skipped) and event.id == b"PERM":
                order = event
            elif isinstance(event, Skipped) and event.id == b"META":
                texts.append(event)
    except StreamError as error:
        fault = error
    return Survey(scene=scene, splats=splats, chunks=chunks, fault=fault, order=order, texts=tuple(texts))


def decoded_chunks(data: bytes | GscFile, degree: int, threads: int, *, verify: bool) -> Iterator[Splats]:
    """The splats of each chunk in turn. Raises `StreamError`."""
    from gscodec.decoder import Decoder, thread_count

    decoder = Decoder(sh_degree=degree, threads=threads, verify=verify)
    for piece in pieces_of(data, DECODED * thread_count(threads)):
        decoder.feed(piece)
        for chunk in decoder.chunks():
            yield chunk.splats
    decoder.close()
    for chunk in decoder.chunks():
        yield chunk.splats


def restored(blocks: Iterator[Splats], order: Skipped, scene: SceneHeader, count: int, degree: int) -> Splats:
    """(5.16) All `count` splats in the order of the input, which takes the memory of the scene.

    Raises `StreamError`; a fault in a chunk comes before one in `order`.
    """
    from gscodec.decoder import empty_splats, put
    from gscodec.errors import StreamError
    from gscodec.geometry.permutation import read_permutation

    try:
        ranks = read_permutation(order.payload, order.offset, count)
    except StreamError:
        for _ in blocks:
            pass
        raise
    out, done = empty_splats(scene, count, degree), 0
    for block in blocks:
        put(block, ranks[done : done + len(block)], out)
        done += len(block)
    return out


def comments_of(texts: Iterable[tuple[bytes | memoryview, int]]) -> tuple[list[str], list[str]]:
    """(2.12) The lines of all comments, as far as a PLY header should hold them; and what is wrong.

    `texts` are payloads of META and their places.
    """
    from gscodec.container.metadata import MetadataReader
    from gscodec.errors import StreamError
    from gscodec.io.offset import is_offset
    from gscodec.limits import LEVELS, Limits

    reader, problems = MetadataReader(Limits.of_level(LEVELS[-1])), []
    try:
        for payload, offset in texts:
            reader.add(memoryview(payload), offset)
    except StreamError as error:
        problems.append(f"no more comments: {error}")
    lines = [line for each in reader.found if each.kind == "comment" for line in each.text.splitlines()]
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line.encode()) + 9
        if size > MOST_COMMENT_BYTES:
            problems.append(f"left out comments after the first {MOST_COMMENT_BYTES:,} bytes")
            break
        if not is_offset(line):  # the scene header says it
            kept.append(line)
    return kept, problems


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
    comments: Sequence[str] = (),
    world: Floats3 | None = None,
) -> None:
    """The PLY file of `count` splats in blocks; see `write_ply` for the rest."""
    from gscodec.decoder import empty_splats
    from gscodec.io import write_ply

    if count == 0:
        blocks = iter((empty_splats(scene, 0, degree),))
    out: Any = file
    write_ply(out, blocks, layout=layout, count=count, comments=comments, world=world)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """How splats are to be written: format, and what else of a PLY file. `hashed`: with its SHA-256."""

    kind: Format
    layout: Layout
    world: bool
    comments: bool
    hashed: bool

    def comments_of(self, scene: SceneHeader, found: Sequence[str]) -> list[str]:
        """The lines of comments: those that were found, and the offset of the scene."""
        from gscodec.io.offset import offset_comment

        if not self.comments:
            return []
        return [*found, *([offset_comment(scene.offset)] if any(scene.offset) and not self.world else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of it; `lost`: what the format cannot hold, a sentence each."""

    bytes: int
    sha256: str | None
    lost: tuple[str, ...] = ()


def write_scene(
    target: str,
    output: Output,
    blocks: Iterator[Splats],
    scene: SceneHeader,
    count: int,
    degree: int,
    comments: Sequence[str],
) -> Written:
    """Write `count` splats in blocks to a file that appears whole or not at all, or to stdout for "-"."""
    from gscodec.cli.common import open_output

    if output.kind.name == "ply":
        check_output(scene, output.layout)
        offset = scene.offset if output.world else None
        with open_output(target, hashed=output.hashed) as file:
            write_blocks(file, blocks, scene, count, degree, output.layout, comments, offset)
        return Written(bytes=file.count, sha256=file.sha256)
    from gscodec.cli.files import as_file, write_file
    from gscodec.decoder import empty_splats
    from gscodec.splats import joined

    whole = as_file(joined([empty_splats(scene, 0, degree), *blocks]), scene, comments)
    size, lost = write_file(target, whole, output.kind)
    return Written(bytes=size, sha256=None, lost=lost)
