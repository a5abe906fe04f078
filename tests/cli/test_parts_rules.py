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
        "container.section_unknown": [scene, (b"PLAN", 1, b""), *sections[1:]],
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
        assert (done.code, done.err.count("warning")) == (0, 0)
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


@pytest.fixture(scope="module")
def stored() -> bytes:
    """Two layers, a comment, a JSON text, a thumbnail, and an order."""
    notes = [gscodec.Metadata(kind="json", text="[1]"), gscodec.Metadata(kind="comment", text="CC0\nby me")]
    splats = read_ply(MADE).splats.take(np.arange(400))
    return gscodec.encode(splats, effort=1, metadata=notes, keep_order=True, layers=2, thumbnail=16)


@pytest.mark.parametrize("options", [[], ["--stream"], ["--chunks", "0-1"], ["--max-splats", "400"]])
def test_crop_of_every_chunk_keeps_order_and_thumbnail(
    options: list[str], stored: bytes, tmp_path: Path
) -> None:
    source, out = tmp_path / "a.gsc", tmp_path / "out.gsc"
    source.write_bytes(stored)
    done = run("gscodec", "crop", source, "-o", out, *options)
    assert (done.code, "not kept" in done.err) == (0, False)
    again, wanted = out.read_bytes(), gscodec.decode(stored)
    assert gscodec.decode(again).positions.tobytes() == wanted.positions.tobytes()
    in_file = gscodec.decode(again, file_order=True)
    assert in_file.positions.tobytes() != wanted.positions.tobytes()
    assert gscodec.thumbnail(again) == gscodec.thumbnail(stored) is not None
    assert gscodec.metadata(again) == gscodec.metadata(stored)


def test_crop_of_some_chunks_keeps_neither(stored: bytes, tmp_path: Path) -> None:
    source, out = tmp_path / "a.gsc", tmp_path / "out.gsc"
    source.write_bytes(stored)
    done = run("gscodec", "crop", source, "-o", out, "--layers", "1")
    assert (done.code, "not kept: the order of the input and the thumbnail" in done.err) == (0, True)
    assert gscodec.thumbnail(out.read_bytes()) is None
    assert 0 < len(gscodec.decode(out.read_bytes())) < 400


@pytest.mark.parametrize(
    "options",
    [
        ["--layers", "1"],
        ["--chunks", "0"],
        ["--max-splats", "9"],
        ["--box=-9,-9,-9,9,9,9"],
        ["--layers", "2"],
    ],
)
def test_parts_have_the_comments(options: list[str], stored: bytes, tmp_path: Path) -> None:
    source, out = tmp_path / "a.gsc", tmp_path / "out.ply"
    source.write_bytes(stored)
    done = run("gsdec", source, "-o", out, *options)
    assert done.code == 0
    assert read_ply(out).comments == ("CC0", "by me")
    assert done.err.count("warning") == 1
    assert "restored of whole files only" in done.err
    piped = run("gsdec", "-", "-o", "-", *options, data=stored)
    assert piped.out == out.read_bytes()
    done = run("gsdec", source, "-o", out, *options, "--no-comments", "--json")
    assert (read_ply(out).comments, done.report["comments"]) == ((), 0)


def test_parts_without_an_order_come_without_a_warning(tmp_path: Path) -> None:
    source, out = tmp_path / "a.gsc", tmp_path / "out.ply"
    source.write_bytes(encoded())
    done = run("gsdec", source, "-o", out, "--layers", "1")
    assert (done.code, "warning" in done.err) == (0, False)


def test_of_metadata_only_comments_are_fetched() -> None:
    notes = [
        gscodec.Metadata(kind="json", text=str(np.random.default_rng(1).bytes(60_000).hex().join('""'))),
        gscodec.Metadata(kind="comment", text="CC0"),
    ]
    data = gscodec.encode(read_ply(MADE).splats.take(np.arange(COUNT)), effort=1, metadata=notes)
    ranges = []

    def read_at(offset: int, count: int) -> bytes:
        ranges.append((offset, count))
        return data[offset : offset + count]

    file = PartialFile(read_at, len(data))
    ((payload, at),) = file.comment_sections()
    assert payload.endswith(b"CC0")
    assert data[at : at + len(payload)] == payload
    assert sum(count for _, count in ranges) < 6000


def test_merge_keeps_the_metadata_that_fits(tmp_path: Path) -> None:
    big = [gscodec.Metadata(kind="comment", text=letter * (9 << 20)) for letter in "ab"]
    small = gscodec.Metadata(kind="comment", text="CC0")
    splats = read_ply(MADE).splats.take(np.arange(COUNT))
    paths = []
    for number, own in enumerate(big):
        paths.append(tmp_path / f"{number}.gsc")
        paths[-1].write_bytes(gscodec.encode(splats, effort=1, metadata=[own, small][:: 1 - 2 * number]))
    out = tmp_path / "out.gsc"
    done = run("gscodec", "merge", *paths, "-o", out)
    assert done.code == 0
    assert "1 piece of metadata, with which there would be over 16,777,216 bytes" in done.err
    assert gscodec.metadata(out.read_bytes()) == [big[0], small]


def test_help_of_crop_is_its_own() -> None:
    words = " ".join(run("gscodec", "crop", "--help").out.decode().split())
    assert "first chunks that together hold N splats" in words
    assert "--enlarge" not in words
    assert "At most N splats" in " ".join(run("gsdec", "--help").out.decode().split())
