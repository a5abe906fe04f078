"""Parts of files that break the rules of the whole: what the whole refuses, parts do not show."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from commands import MADE, run

import gscodec
from gscodec.container.section import write_section
from gscodec.errors import GscError
from gscodec.io import read_ply
from gscodec.limits import Limits
from gscodec.partial import PartialFile

COUNT = 50


def encoded() -> bytes:
    """A stream of one chunk."""
    return gscodec.encode(read_ply(MADE).splats.take(np.arange(COUNT)), effort=1, stream=True)


def part_of(data: bytes) -> PartialFile:
    return PartialFile(lambda offset, count: data[offset : offset + count], len(data))


def sections_of(data: bytes) -> list[tuple[bytes, int, bytes]]:
    """Id, flags and payload of every section."""
    found, at = [], 20
    while at < len(data):
        id, flags, length = struct.unpack_from("<4sIQ", data, at)
        found.append((id, flags, data[at + 16 : at + 16 + length]))
        at += 20 + length
    return found


def rebuilt(start: bytes, sections: list[tuple[bytes, int, bytes]]) -> bytes:
    """A stream of these sections without its index, with right checksums."""
    return start + b"".join(
        write_section(id, payload, flags=flags) for id, flags, payload in sections if id != b"INDX"
    )


def test_parts_obey_the_rules_of_the_whole(tmp_path: Path) -> None:
    data = encoded()
    sections = sections_of(data)
    names = [id for id, *_ in sections]
    scene, chunk, sets = (sections[names.index(id)] for id in (b"SCEN", b"CHNK", b"PARM"))
    assert part_of(rebuilt(data[:20], sections)).layers == 1
    stray = (b"CHNK", 1, bytes([77]) + chunk[2][1:])
    counted = (b"SCEN", 1, struct.pack("<QI", 9, 1) + scene[2][12:])
    source, out = tmp_path / "bad.gsc", tmp_path / "out.ply"
    for code, changed in {
        "container.section_unknown": [scene, (b"MOTN", 1, b""), *sections[1:]],
        "container.parameters": [scene, sets, *sections[1:]],
        "container.parameters ": [scene, sets, stray, sections[-1]],
        "container.order": [scene, scene, *sections[1:]],
        "container.count": [counted, *sections[1:]],
        "container.trailing": [*sections, sections[-1]],
    }.items():
        source.write_bytes(rebuilt(data[:20], changed))
        for done in (
            run("gscodec", "crop", source, "-o", out),
            run("gsdec", source, "-o", out, "--layers", "1"),
            run("gsdec", source, "-o", out),
        ):
            assert (done.code in (5, 7), f"[{code.strip()}]" in done.line) == (True, True), done.line
    source.write_bytes(data + data)
    done = run("gsdec", source, "-o", out, "--layers", "1")
    assert (done.code, "container.index" in done.line) == (5, True)
    ignorable = rebuilt(data[:20], [scene, (b"NOTE", 0, b""), *sections[1:]])
    assert sum(map(len, part_of(ignorable).chunks([0]))) == COUNT


def test_a_level_bounds_what_parts_hold() -> None:
    data, count = encoded(), COUNT

    def opened(most: int) -> PartialFile:
        limits = Limits.of_caller(max_splats=most)
        return PartialFile(lambda offset, count: data[offset : offset + count], len(data), limits=limits)

    assert opened(count).layers == 1
    with pytest.raises(GscError) as caught:
        opened(count - 1)
    assert caught.value.code == "limit.splats"


def test_streams_without_index_are_not_read_as_a_whole() -> None:
    streamed = encoded()
    sections = sections_of(streamed)
    ballast = (b"NOTE", 0, bytes(20_000_000))
    bare = rebuilt(streamed[:20], [sections[0], ballast, *sections[1:]])
    read = []

    def read_at(offset: int, count: int) -> bytes:
        read.append(count)
        return bare[offset : offset + count]

    file = PartialFile(read_at, len(bare))
    assert len(file.index.chunks) == sum(id == b"CHNK" for id, *_ in sections)
    assert sum(read) < len(bare) // 2


def test_crop_and_merge_keep_metadata(tmp_path: Path) -> None:
    notes = [gscodec.Metadata(kind="comment", text=text) for text in ("CC0", "left", "right")]
    splats = read_ply(MADE).splats.take(np.arange(COUNT))
    paths = []
    for own in notes[1:]:
        paths.append(tmp_path / f"{own.text}.gsc")
        data = gscodec.encode(splats, effort=1, metadata=[notes[0], own], keep_order=own is notes[1])
        paths[-1].write_bytes(data)
    out = tmp_path / "out.gsc"
    for stream in ([], ["--stream"]):
        done = run("gscodec", "crop", paths[0], "-o", out, "--layers", "1", *stream)
        assert (done.code, "not kept: the order of the input" in done.err) == (0, True)
        assert gscodec.metadata(out.read_bytes()) == notes[:2]
    done = run("gscodec", "merge", *paths, "-o", out)
    assert (done.code, "not kept" in done.err) == (0, True)
    assert gscodec.metadata(out.read_bytes()) == notes
    assert len(gscodec.decode(out.read_bytes())) == 2 * COUNT
    notes = [gscodec.Metadata(kind="comment", text=str(number)) for number in range(65)]
    for path, some in zip(paths, (notes[:40], notes[30:]), strict=True):
        path.write_bytes(gscodec.encode(splats, effort=1, metadata=some))
    done = run("gscodec", "merge", *paths, "-o", out)
    assert (done.code, "beyond the first 64" in done.err) == (0, True)
    assert gscodec.metadata(out.read_bytes()) == notes[:64]
