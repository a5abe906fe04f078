"""`gscodec crop` and `gscodec merge`: chunks of .gsc files put into another, without encoding them again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from gscodec.cli.common import (
    Teller,
    check_paths,
    counted,
    json_option,
    open_output,
    quiet_option,
    size_in_words,
)
from gscodec.cli.gsc_file import read_gsc
from gscodec.cli.parts import Choice, part_options

if TYPE_CHECKING:
    from gscodec.container.rewrite import Source
    from gscodec.partial import Box, PartialFile

BOX = "Only chunks that reach into this box, in the units of the scene, without its offset."
MOST = "Only the first chunks that together hold N splats; the last of them may bring more."
OF_THE_WHOLE = {b"PERM": "the order of the input", b"THMB": "the thumbnail"}
SETTINGS = {"help_option_names": ["-h", "--help"]}
output_option = click.option(
    "-o", "--output", "target", metavar="OUT", required=True, help="The .gsc to write; - for stdout."
)
stream_option = click.option("--stream", is_flag=True, help="Write stream mode.")


@click.command(
    "crop",
    context_settings=SETTINGS,
    epilog="""\b
Examples
  gscodec crop scene.gsc -o room.gsc --box 0,0,0,4,3,4
  gscodec crop https://example.org/scene.gsc -o preview.gsc --layers 1
  gscodec crop scene.gsc -o stream.gsc --stream

\b
Chunks and metadata are copied as they are: nothing is decoded. A chunk that
reaches out of the box stays whole; gsdec --box leaves out single splats.
The thumbnail and the order of the input are of the whole: they are kept only
where all chunks are.""",
)
@click.argument("source", metavar="IN")
@output_option
@partial(part_options, box=BOX, most=MOST, can_enlarge=False)
@stream_option
@json_option
@quiet_option
def crop(
    source: str,
    target: str,
    chunks: list[int] | None,
    box: Box | None,
    layers: int | None,
    max_splats: int | None,
    enlarge: bool,
    stream: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Copy the wanted chunks of IN (a .gsc or its URL; - for stdin) to another .gsc."""
    if enlarge:
        raise click.UsageError("--enlarge changes splats, and crop copies them: it is for gsdec")
    check_paths(source, target, "a .gsc")
    choice = Choice(chunks=chunks, box=box, layers=layers, max_splats=max_splats, enlarge=False)
    teller = Teller("gscodec crop", as_json=as_json, quiet=quiet, data_on_stdout=target == "-")
    with teller.failures():
        with opened(source) as file:
            taken = _source(file, choice)
            kept = _of_the_whole(file, taken)
            lost = _lost(file, [id for id, _ in kept])
        taken = replace(taken, ignorable=[*taken.ignorable, *kept])
        _warn(teller, lost)
        _write(teller, [source], [taken], target, stream=stream)


@click.command(
    "merge",
    context_settings=SETTINGS,
    epilog="""\b
Examples
  gscodec merge left.gsc right.gsc -o whole.gsc

\b
Chunks and metadata are copied as they are; thumbnails and the order of the
input are not kept. All files need the same SH degree, extra attributes,
coordinate system and offset.""",
)
@click.argument("sources", metavar="IN...", nargs=-1, required=True)
@output_option
@stream_option
@json_option
@quiet_option
def merge(sources: tuple[str, ...], target: str, stream: bool, as_json: bool, quiet: bool) -> None:
    """Copy the chunks of several .gsc files into one."""
    if sources.count("-") > 1:
        raise click.UsageError("stdin can be only one of the inputs")
    for source in sources:
        check_paths(source, target, "a .gsc")
    teller = Teller("gscodec merge", as_json=as_json, quiet=quiet, data_on_stdout=target == "-")
    everything = Choice(chunks=None, box=None, layers=None, max_splats=None, enlarge=False)
    with teller.failures():
        taken, lost = [], set[str]()
        for source in sources:
            with opened(source) as file:
                taken.append(_source(file, everything))
                lost |= _lost(file, [])
        _warn(teller, lost)
        _write(teller, sources, taken, target, stream=stream)


@contextlib.contextmanager
def opened(source: str) -> Iterator[PartialFile]:
    """Parts of a path, URL or "-". Raises `InputError`, `StreamError`."""
    from gscodec.io.remote import RangeSource
    from gscodec.partial import PartialFile

    if source == "-":
        data = read_gsc(source)
        yield PartialFile(lambda offset, count: data[offset : offset + count], len(data))
        return
    with RangeSource(source) as ranges:
        yield PartialFile(ranges.read_at, ranges.size)


def _source(file: PartialFile, choice: Choice) -> Source:
    from gscodec.container.rewrite import Source

    numbers = file.select(
        chunks=choice.chunks, box=choice.box, layers=choice.layers, max_splats=choice.max_splats
    )
    chunks = list(file.payloads(numbers))
    if not file.knows_bounds:
        from gscodec.encode.chunks import chunk_bounds

        boxes = [chunk_bounds(splats) for splats in file.chunks(numbers, sh_degree=0)]
        chunks = [
            (replace(facts, bounds=box.bounds, extents=box.extents), payload)
            for (facts, payload), box in zip(chunks, boxes, strict=True)
        ]
    return Source(
        scene=file.scene,
        parameters=file.parameter_payloads(),
        chunks=chunks,
        level=file.header.level,
        ignorable=[(b"META", payload) for payload in file.section_payloads(b"META")],
    )


def _of_the_whole(file: PartialFile, taken: Source) -> list[tuple[bytes, bytes]]:
    """What a file has that is about the whole of it, if that is taken, and in order; PERM comes last."""
    if len(taken.chunks) != len(file.index.chunks):
        return []
    layers = [facts.layer for facts, _ in taken.chunks]
    ids = (b"THMB", b"PERM") if layers == sorted(layers) else (b"THMB",)
    return [(id, payload) for id in ids for payload in file.section_payloads(id)]


def _lost(file: PartialFile, kept: Sequence[bytes]) -> set[str]:
    """What a file has that is about the whole of it, and not `kept`."""
    there = {entry.id for entry in file.index.entries} - set(kept)
    return {what for id, what in OF_THE_WHOLE.items() if id in there}


def _warn(teller: Teller, lost: set[str]) -> None:
    if lost:
        teller.warn(f"not kept: {' and '.join(sorted(lost))}")


def _fitting(teller: Teller, sections: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """(2.12) The metadata among sections, as far as one file may hold it."""
    from gscodec.container.metadata import stated_size
    from gscodec.limits import Limits

    limits = Limits.of_level(1)
    texts = [each for each in sections if each[0] == b"META"]
    if len(texts) > limits.meta_sections:
        teller.warn(f"not kept: metadata beyond the first {limits.meta_sections} pieces")
        texts = texts[: limits.meta_sections]
    kept, left = [], limits.meta_bytes
    for each in texts:
        if (size := stated_size(each[1])) <= left:
            kept.append(each)
            left -= size
    if len(kept) < len(texts):
        what = counted(len(texts) - len(kept), "piece")
        teller.warn(
            f"not kept: {what} of metadata, with which there would be over {limits.meta_bytes:,} bytes"
        )
    return kept


def _write(
    teller: Teller, names: tuple[str, ...] | list[str], sources: list[Source], target: str, *, stream: bool
) -> None:
    from gscodec.container.rewrite import rewrite

    start = time.perf_counter()
    sections = list(dict.fromkeys(each for source in sources for each in source.ignorable))
    texts, whole = _fitting(teller, sections), [each for each in sections if each[0] in OF_THE_WHOLE]
    first, *others = sources
    sources = [replace(first, ignorable=[*texts, *whole]), *(replace(each, ignorable=()) for each in others)]
    data = rewrite(sources, stream=stream)
    with open_output(target, hashed=False) as file:
        file.write(data)
    chunks = sum(len(source.chunks) for source in sources)
    splats = sum(facts.splat_count for source in sources for facts, _ in source.chunks)
    facts: dict[str, object] = {
        "inputs": list(names),
        "output": target,
        "bytes_out": len(data),
        "chunks": chunks,
        "splats": splats,
        "seconds": round(time.perf_counter() - start, 4),
    }
    line = f"{size_in_words(len(data))}: {counted(splats, 'splat')} in {counted(chunks, 'chunk')}"
    teller.report(facts, line)
