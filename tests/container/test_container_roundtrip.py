"""(2) What is written is what is read, however the bytes are cut."""

from __future__ import annotations

import ast
import random
import re
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from container_samples import (
    BOX,
    ROOT,
    assert_same_content,
    chunk,
    empty,
    file_mode,
    fixup,
    read_fast,
    read_reference,
    scene,
    stream_mode,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gscodec._generated import coordinate_systems, extra_types, levels
from gscodec.container import (
    Chunk,
    ContainerReader,
    End,
    ExtraAttribute,
    FileHeader,
    Index,
    Parameters,
    SceneHeader,
    Skipped,
    StreamModeWriter,
    write_file_mode,
)
from gscodec.container.index import IndexChunk, IndexEntry, write_index
from gscodec.errors import EncodeError, Malformed, Truncated, UsageError
from gscodec.limits import LEVELS, Limits

SAMPLES = {
    "file": file_mode(),
    "stream": stream_mode(),
    "stream-counted": stream_mode(splat_count=305, chunk_count=2),
    "empty": empty(),
}


def stream_with_index() -> bytes:
    """A stream whose index comes last."""
    data = stream_mode()
    end = data.rindex(b"ENDM")
    entries = [
        IndexEntry(id=id, offset=start, size=stop + 4 - start)
        for id, start, _, stop in fixup.sections(data)
        if id != b"ENDM"
    ]
    size = scene().decoded_bytes_per_splat
    chunks = [
        IndexChunk(
            first_splat=first,
            splat_count=count,
            layer=layer,
            decoded_bytes=count * size,
            bounds=BOX.bounds,
            extents=BOX.extents,
        )
        for first, count, layer in ((0, 5, 0), (5, 300, 2))
    ]
    return data[:end] + fixup.section(b"INDX", write_index(entries, chunks)) + data[end:]


SAMPLES["stream-index"] = stream_with_index()


def test_file_mode_events() -> None:
    events, error = read_fast([SAMPLES["file"]])
    assert error is None
    kinds = [type(event) for event in events]
    assert kinds == [
        FileHeader, Index, SceneHeader, Parameters, Parameters, Chunk, Chunk, Chunk, Skipped, End,
    ]  # fmt: skip
    assert events[0] == FileHeader(profile=0, level=1, stream_mode=False)
    assert events[2] == scene(splat_count=306, chunk_count=3)
    assert [c.first_splat for c in events if isinstance(c, Chunk)] == [0, 5, 305]
    assert events[-1].splat_count == 306


def test_stream_mode_events() -> None:
    events, error = read_fast([SAMPLES["stream"]])
    assert error is None
    assert events[1] == scene()
    assert events[-1] == End(splat_count=305, chunk_count=2, sha256=None)


@pytest.mark.parametrize("name", SAMPLES)
def test_readers_agree(name: str) -> None:
    data = SAMPLES[name]
    for verify in (True, False):
        events, error = read_fast([data], verify)
        container, expected = read_reference(data, verify)
        assert error is expected is None
        assert container is not None
        assert_same_content(events, container)


@pytest.mark.parametrize("name", SAMPLES)
def test_cuts_do_not_matter(name: str) -> None:
    data = SAMPLES[name]
    whole = read_fast([data])
    assert read_fast([data[i : i + 1] for i in range(len(data))]) == whole
    dice = random.Random(1)
    for _ in range(20):
        cuts = sorted(dice.choices(range(len(data) + 1), k=dice.randrange(1, 12)))
        edges = [0, *cuts, len(data)]
        assert read_fast([data[a:b] for a, b in pairwise(edges)]) == whole


def test_one_buffer_is_not_copied() -> None:
    data = SAMPLES["file"]
    events, _ = read_fast([data])
    for event in events:
        if isinstance(event, Chunk | Parameters | Skipped):
            assert event.payload.obj is data
            assert event.payload == data[event.offset : event.offset + len(event.payload)]


@pytest.mark.parametrize("name", SAMPLES)
def test_truncation_gives_every_complete_section(name: str) -> None:
    data = SAMPLES[name]
    events, _ = read_fast([data])
    ends = [20, *(stop + 4 for *_, stop in fixup.sections(data))]
    for length in range(len(data)):
        some, error = read_fast([data[:length]])
        assert error == ("Truncated", "container.truncated", "2.2", length)
        assert some == events[: sum(end <= length for end in ends)]
        assert read_reference(data[:length])[1] == error


@pytest.mark.parametrize("name", SAMPLES)
def test_every_changed_byte_is_an_error(name: str) -> None:
    data = SAMPLES[name]
    for position in range(len(data)):
        for flip in (0x01, 0x80, 0xFF, 0x20):
            damaged = bytearray(data)
            damaged[position] ^= flip
            _, error = read_fast([bytes(damaged)])
            assert error is not None, position
            assert read_reference(bytes(damaged))[1] == error


def test_trailing_bytes() -> None:
    for data in SAMPLES.values():
        expected = ("Malformed", "container.trailing", "2.5", len(data))
        assert read_fast([data + b"\0"])[1] == expected
        assert read_fast([data, b"\0"])[1] == expected
        assert read_reference(data + b"\0")[1] == expected


def test_close_before_and_after_events() -> None:
    reader = ContainerReader()
    reader.feed(SAMPLES["file"][:-1])
    reader.close()  # events are left: the error waits for them
    events = reader.events()
    seen = [next(events) for _ in range(9)]
    with pytest.raises(Truncated):
        next(events)
    assert isinstance(seen[-1], Skipped)
    with pytest.raises(Truncated):
        list(reader.events())
    with pytest.raises(UsageError):
        reader.feed(b"more")

    reader = ContainerReader()
    reader.feed(SAMPLES["file"][:-1])
    assert len(list(reader.events())) == 9
    with pytest.raises(Truncated):
        reader.close()
    reader = ContainerReader()
    with pytest.raises(Truncated):
        list(_closed(reader).events())


def _closed(reader: ContainerReader) -> ContainerReader:
    reader.close()
    return reader


def test_an_error_stays() -> None:
    reader = ContainerReader()
    reader.feed(b"ply\n")
    for _ in range(2):
        with pytest.raises(Malformed):
            list(reader.events())
    with pytest.raises(Malformed):
        reader.close()


def test_caller_limits() -> None:
    data = SAMPLES["file"]
    offset = next(payload for id, _, payload, _ in fixup.sections(data) if id == b"SCEN")
    for limits, code, clause in (
        (Limits.of_caller(max_splats=304), "limit.splats", "2.6"),
        (Limits.of_caller(max_bytes=1000), "limit.decoded_bytes", "1.7"),
    ):
        assert read_fast([data], limits=limits)[1] == ("LimitError", code, clause, offset)
        error = read_fast([SAMPLES["stream"]], limits=limits)[1]
        assert error is not None
        assert error[1] == code
    exact = Limits.of_caller(max_splats=306, max_bytes=306 * scene().decoded_bytes_per_splat)
    assert read_fast([data], limits=exact)[1] is None


def test_levels_have_every_limit() -> None:
    first, second = (Limits.of_level(level) for level in LEVELS)
    assert first.splats == 2**24
    assert second.splats == 2**32
    assert first.at_most(second) == first
    with pytest.raises(UsageError):
        Limits.of_level(3)


finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
pair = st.tuples(finite32, finite32).map(sorted)
boxes = st.tuples(pair, pair, pair).map(lambda b: (b[0][0], b[1][0], b[2][0], b[0][1], b[1][1], b[2][1]))
names = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)
extras = st.lists(
    st.builds(
        ExtraAttribute,
        id=st.integers(64, 65535),
        name=names,
        type=st.integers(0, 9),
        components=st.integers(1, 255),
    ),
    max_size=4,
    unique_by=(lambda e: e.id, lambda e: e.name),
).map(tuple)
scenes = st.builds(
    SceneHeader,
    sh_degree=st.integers(0, 3),
    coordinate_system=st.integers(0, 7),
    colour_space=st.integers(0, 2),
    rendering_model=st.integers(0, 2),
    metres_per_unit=finite32.map(abs),
    offset=st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3),
    bounds=boxes,
    extras=extras,
)


@settings(max_examples=60, deadline=None)
@given(
    scenes, st.lists(st.tuples(st.integers(1, 65536), st.integers(0, 255), st.binary(max_size=20))), st.data()
)
def test_any_scene_round_trips(header: SceneHeader, chunks: list[Any], data: st.DataObject) -> None:
    total = sum(count for count, _, _ in chunks)
    header = replace(header, splat_count=total, chunk_count=len(chunks))
    if not chunks:
        header = replace(header, bounds=(0, 0, 0, 0, 0, 0))
    payloads = [chunk(count, layer=layer, body=body) for count, layer, body in chunks]
    written = write_file_mode(header, [b"\0"], payloads, [BOX] * len(chunks))
    writer = StreamModeWriter(header)
    streamed = b"".join(
        [writer.start(), writer.parameters(b"\0"), *(writer.chunk(p) for p in payloads), writer.end()]
    )
    for bytes_ in (written, streamed):
        cut = data.draw(st.integers(0, len(bytes_)))
        events, error = read_fast([bytes_[:cut], bytes_[cut:]])
        assert error is None
        assert header in events
        assert [e.payload for e in events if isinstance(e, Chunk)] == payloads


@pytest.mark.parametrize(
    "arguments",
    [
        (scene(coordinate_system=9), [], [], []),
        (scene(up_axis=3), [], [], []),
        (scene(metres_per_unit=float("nan")), [], [], []),
        (scene(bounds=(1e300,) * 6), [], [], []),
        (scene(extras=[ExtraAttribute(id=64, name="a b", type=0)]), [], [], []),
        (scene(extras=[ExtraAttribute(id=64, name="n" * 256, type=0)]), [], [], []),
        (scene(), [b""], [], []),
        (scene(), [b"\0", b"\0"], [], []),
        (scene(), [], [chunk(1)], [BOX]),
        (scene(), [b"\0"], [chunk(1)], []),
        (scene(), [b"\0"], [b"short"], [BOX]),
        (scene(), [b"\0"], [chunk(1)], [replace(BOX, bounds=(1, 0, 0, 0, 0, 0))]),
    ],
)
def test_writer_refuses(arguments: Any) -> None:
    with pytest.raises(UsageError):
        write_file_mode(*arguments)


def test_writer_keeps_to_level_and_order() -> None:
    with pytest.raises(EncodeError):
        write_file_mode(scene(), [b"\0"], [chunk(65537)], [BOX])
    with pytest.raises(UsageError):
        write_file_mode(scene(), [b"\0"], [chunk(1)], [BOX], ignorable=[(b"CHNK", b"")])
    writer = StreamModeWriter(scene(splat_count=2))
    with pytest.raises(UsageError):
        writer.chunk(chunk(1))
    writer.start()
    with pytest.raises(UsageError):
        writer.end()
    with pytest.raises(UsageError):
        writer.start()


def test_the_example_of_the_specification() -> None:
    chapter = (ROOT / "spec/02-container.md").read_text(encoding="utf-8")
    block = chapter.partition("## 2.11")[2].split("```")[1]
    dump = re.findall(r"^ *\d+  ((?:[0-9A-F]{2} )+)", block, re.MULTILINE)
    writer = StreamModeWriter(SceneHeader(sh_degree=0, splat_count=0, chunk_count=0))
    assert bytes.fromhex("".join(dump)) == writer.start() + writer.end()


def test_the_reference_needs_only_the_standard_library() -> None:
    tree = ast.parse((ROOT / "gscodec/reference/container.py").read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    ours = {"gscodec._generated", "gscodec.errors"}
    assert all(str(name).split(".")[0] in sys.stdlib_module_names for name in modules - ours)


def test_tables_are_in_the_order_of_their_values() -> None:
    for table in (coordinate_systems, extra_types):
        assert [row.value for row in table.ROWS] == list(range(len(table.ROWS)))
    assert [row.limit for row in levels.ROWS] == list(Limits.__slots__)
