"""(12.4) Segments that move chunks of the static layer."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import dynamic_samples as samples
import numpy as np
import pytest
import timeline as made
from click.testing import CliRunner

import gscodec
from gscodec.cli import gsinfo
from gscodec.container import Chunk, ContainerReader, Parameters, SceneHeader
from gscodec.dynamic import shown
from gscodec.dynamic.native import bases_scene, spacetime_scenes
from gscodec.dynamic.reader import events_of
from gscodec.dynamic.scene import Scene
from gscodec.dynamic.timeline import Time
from gscodec.dynamic.writer import FileWriter, SegmentPayloads, StaticLayer, StreamWriter
from gscodec.errors import StreamError, UsageError
from gscodec.limits import Limits
from gscodec.splats import Splats
from tests.motion.function_samples import ID, INTERVAL, read, recorded, recorded_waves, wishes
from tests.motion.made import DURATION, chunks_of, made_splats

TIME = Time(rate=48_000, frame_ticks=INTERVAL, start=0)
ARRAYS = ("positions", "rotations", "scales", "opacities", "sh_dc", "sh_rest")
PARTS = [made.Part(0, 100), made.Part(100, 100, b""), made.Part(200, 100)]


def shown_for(first: int, until: int) -> bytes:
    """The payload of a MOTN that says no more."""
    return made.still(first, until)[16:-4]


@lru_cache(maxsize=1)
def payloads() -> tuple[SceneHeader, bytes, bytes, bytes]:
    """Scene header, PARM and CHNK of an encoded ball, MOTN of its motion."""
    still = gscodec.encode(made_splats(150, degree=1), quality=0.5, effort=1)
    (chunk,) = chunks_of(still)
    motion = recorded(chunk, wishes(chunk, recorded_waves().decoded, noise=0.02)).payload()
    reader = ContainerReader()
    reader.feed(still)
    reader.close()
    events = list(reader.events())
    (scene,) = (event for event in events if isinstance(event, SceneHeader))
    (parameters,) = (bytes(event.payload) for event in events if isinstance(event, Parameters))
    (payload,) = (bytes(event.payload) for event in events if isinstance(event, Chunk))
    return replace(scene, bounds=(0.0,) * 6), parameters, payload, motion


def layer() -> StaticLayer:
    """The chunk three times."""
    _, parameters, chunk, _ = payloads()
    return StaticLayer(parameters=[parameters], chunks=[chunk] * 3)


def segments() -> list[SegmentPayloads]:
    """One without moves; one that moves chunk 1 and shows chunk 2 for a while, with a chunk of its own."""
    chunk, motion = payloads()[2:]
    return [
        SegmentPayloads(start=0, duration=100, chunks=[(chunk, None)]),
        SegmentPayloads(
            start=100,
            duration=DURATION,
            bases=[recorded_waves().payload()],
            moves=[(2, shown_for(50, 60)), (1, motion)],
            chunks=[(chunk, shown_for(0, 55))],
        ),
        SegmentPayloads(start=100 + DURATION, duration=10, moves=[(0, shown_for(9, 10))]),
    ]


def file() -> bytes:
    out = io.BytesIO()
    with FileWriter(out, payloads()[0], TIME, static=layer()) as writer:
        for each in segments():
            writer.segment(each)
    return out.getvalue()


def stream() -> list[bytes]:
    writer = StreamWriter(payloads()[0], TIME, static=layer())
    return [writer.start(), *map(writer.segment, segments()), writer.end()]


def wanted(tick: int) -> list[Splats]:
    """What the chunks above are at a tick, in order."""
    scene, parameters, chunk, motion = payloads()
    alone = io.BytesIO()
    with FileWriter(alone, scene, TIME) as writer:
        bases = [recorded_waves().payload()]
        for moving in (None, motion):
            writer.segment(
                SegmentPayloads(
                    start=0 if moving is None else 100,
                    duration=100 if moving is None else DURATION,
                    parameters=[parameters],
                    bases=bases,
                    chunks=[(chunk, moving)],
                )
            )
    opened = gscodec.open(alone.getvalue())
    still = opened.at_tick(0)
    if not 100 <= tick < 100 + DURATION:
        own, is_last = [still] * (0 <= tick < 100), 100 + DURATION <= tick < 109 + DURATION
        return [still] * (2 if is_last else 3) + own
    relative = tick - 100
    out = [still, opened.at_tick(tick)]
    return out + [still] * (50 <= relative < 60) + [still] * (relative < 55)


def same(found: Splats, parts: list[Splats]) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(
            getattr(found, name), np.concatenate([getattr(part, name) for part in parts])
        )


TICKS = (-1, 0, 99, 100, 100 + INTERVAL // 2, 150, 157, 160, 99 + DURATION, 105 + DURATION, 109 + DURATION)


@pytest.mark.parametrize("kind", ["file", "stream", "cut"])
def test_moved_chunks_at_any_tick(kind: str) -> None:
    pieces = stream()
    data = {
        "file": file,
        "stream": lambda: b"".join(pieces),
        "cut": lambda: b"".join(pieces[:-1]),
    }[kind]()
    for tick in TICKS:
        same(gscodec.open(data, threads=1).at_tick(tick), wanted(tick))
        if tick in (99, 150, 157):
            assert samples.by_reference(data, tick) == samples.by_reader(data, tick)
    with gscodec.open(data, threads=2) as scene:  # back and forth
        for tick in (*TICKS, *TICKS[::-1]):
            same(scene.at_tick(tick), wanted(tick))
    assert samples.segments_of(data) == ([0, 1, 2], None)


def test_the_motion_is_that_of_the_static_chunk() -> None:
    scene, _, _, payload = payloads()
    still = gscodec.encode(made_splats(150, degree=1), quality=0.5, effort=1)
    (chunk,) = chunks_of(still)
    motion = read(chunk, payload, {ID: recorded_waves().decoded})
    found, tick = gscodec.open(file()).at_tick(100 + 3 * INTERVAL), 3 * INTERVAL
    same(found, [chunk.splats, motion.at(tick).applied(chunk.splats)])
    low = gscodec.open(file(), sh_degree=0).at_tick(100 + tick)
    assert (scene.sh_degree, low.sh_rest.shape[1]) == (1, 0)
    np.testing.assert_array_equal(low.positions, found.positions)


def test_a_segment_decodes_with_the_header_part_alone() -> None:
    head, _, second, *_ = stream()
    for tick in (100, 157, 99 + DURATION):
        same(gscodec.open(head + second).at_tick(tick), wanted(tick))
    source = samples.Counted(file())
    with Scene(source) as scene:
        same(scene.at_tick(157), wanted(157))
    assert source.read < len(source.data) + 1024


def test_the_static_layer_is_read_once_and_moved_chunks_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, read_chunk = [], shown.read_chunk

    def counted(payload: memoryview, offset: int, *others: object) -> object:
        reads.append(offset)
        return read_chunk(payload, offset, *others)

    monkeypatch.setattr(shown, "read_chunk", counted)
    with gscodec.open(file(), threads=1) as scene:
        for tick in (200, 0, 200, 105 + DURATION, 250):
            scene.at_tick(tick)
    counts = sorted(reads.count(offset) for offset in set(reads))
    assert counts == [1, 2, 2, 2, 3]  # segment 0; chunks of the layer; segment 1, which was decoded thrice


def test_cut_off_files() -> None:
    head, first, second, *_ = stream()
    data = head + first + second
    move = len(head + first) + second.index(b"MOVE")
    for size in (move, move + 10, move + 24, move + 24 + 17, len(data) - 1):
        found, error = samples.segments_of(data[:size])
        assert (found, error) == ([0], ("Truncated", "container.truncated", "2.2", size))
        scene = gscodec.open(data[:size])
        same(scene.at_tick(50), wanted(50))
        with pytest.raises(StreamError) as caught:
            scene.at_tick(100)
        assert caught.value.code == "container.truncated"
    in_file = file()
    size = in_file.index(b"MOVE") + 24
    with pytest.raises(StreamError) as caught:
        gscodec.open(in_file[:size]).at_tick(100)
    assert samples.facts(caught.value) == ("Truncated", "container.truncated", "2.2", size)
    same(gscodec.open(in_file[:size]).at_tick(50), wanted(50))


def test_what_cannot_be_written() -> None:
    still = shown_for(0, 10)
    for moves in ([(3, still)], [(-1, still)], [(1 << 32, still)], [(0, still), (0, still)]):
        writer = StreamWriter(payloads()[0], TIME, static=layer())
        writer.start()
        with pytest.raises(UsageError) as caught:
            writer.segment(SegmentPayloads(start=0, duration=10, moves=moves))
        assert caught.value.code == "usage.container"


def test_native_outputs_have_no_such_motion() -> None:
    for native in (lambda scene: list(spacetime_scenes(scene)), bases_scene):
        with gscodec.open(file()) as scene, pytest.raises(UsageError) as caught:
            native(scene)
        assert caught.value.code == "native.model"


def test_bytes_by_attribute(tmp_path: Path) -> None:
    path = tmp_path / "scene.gsc"
    path.write_bytes(file())
    done = CliRunner().invoke(gsinfo.command, [str(path), "--json"])
    assert done.exception is None
    facts = json.loads(done.stdout)
    parts = {each["part"]: each["bytes"] for each in facts["parts"]}
    assert sum(parts.values()) == path.stat().st_size
    motion = sum(size for name, size in parts.items() if name.startswith("motion: "))
    assert motion == len(payloads()[3]) + 3 * len(shown_for(0, 1))
    counts = {each["id"]: (each["count"], each["bytes"]) for each in facts["sections"]}
    assert counts["MOVE"] == (3, 72)
    assert [each["chunks"] for each in facts["segments"]] == [1, 1, 0]


# ---- faults of the container


def move(chunk: int, length: int = 4) -> bytes:
    return made.section(b"MOVE", chunk.to_bytes(8, "little")[:length])


STILL, OTHER = made.still(10, 60), made.section(b"ZZZZ", b"", 0)
LAYER = samples.STATIC + made.section(b"CHNK", made.with_id(samples.CHUNK, 7))  # two chunks
Build = Callable[..., bytes]
FAULTS = {  # body of the second segment; code, clause; where, in the segment
    "no such chunk": (move(2) + STILL, "motion.chunk", "12.4", 56 + 16),
    "far": (move(2**32 - 1) + STILL, "motion.chunk", "12.4", 56 + 16),
    "again": (move(1) + STILL + move(1) + STILL, "motion.chunk", "12.4", 56 + 24 + len(STILL) + 16),
    "back": (move(1) + STILL + move(0) + STILL, "motion.chunk", "12.4", 56 + 24 + len(STILL) + 16),
    "no motion": (move(0) + made.PARM + made.CHNK, "container.order", "2.5", 56 + 24),
    "another section": (move(0) + OTHER + STILL, "container.order", "2.5", 56 + 24),
    "MOVE again": (move(0) + move(1) + STILL, "container.order", "2.5", 56 + 24),
    "two motions": (move(0) + STILL + STILL, "container.order", "2.5", 56 + 24 + len(STILL)),
    "short": (move(0, 3) + STILL, "container.length", "2.4", 56 + 8),
    "long": (move(0, 5) + STILL, "container.length", "2.4", 56 + 8),
    "empty": (move(0, 0) + STILL, "container.length", "2.4", 56 + 8),
    "its end": (move(0), "container.order", "2.5", 56 + 24),
    "span": (move(0) + made.still(10, 101), "motion.range", "12.5", 56 + 24 + 16 + 8),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("build", [made.file, made.stream])
def test_faults(name: str, build: Build) -> None:
    body, code, clause, where = FAULTS[name]
    parts = [PARTS[0], made.Part(100, 100, body), PARTS[2]]
    data = build(parts, static=LAYER)
    at = data.index(parts[1].written(1)) + where
    assert samples.by_reference(data, 120) == ("Malformed", code, clause, at)
    for step in (None, 7):
        assert samples.by_reader(data, 120, step=step) == ("Malformed", code, clause, at)
    with pytest.raises(StreamError) as caught:  # by seeking
        gscodec.open(data).at_tick(120)
    assert samples.facts(caught.value) == ("Malformed", code, clause, at)
    assert len(gscodec.open(data).at_tick(20)) == 9  # the segment before


def test_a_segment_that_ends_after_a_move() -> None:
    parts = [made.Part(0, 100, move(0))]
    data = made.stream(parts, static=LAYER, end=False)
    error = ("Truncated", "container.truncated", "2.2", len(data))
    assert samples.segments_of(data) == ([], error)
    assert samples.by_reference(data, 5) == error
    with pytest.raises(StreamError) as caught:
        gscodec.open(data).at_tick(5)
    assert samples.facts(caught.value) == error
    data += STILL
    error = ("Malformed", "timeline.count", "12.4", len(data) - len(STILL))
    assert samples.segments_of(data) == ([], error)
    assert samples.by_reference(data, 5) == error
    for ended in (made.stream(parts, static=LAYER), made.file(parts, static=LAYER)):
        error = ("Malformed", "container.order", "2.5", ended.index(b"ENDM"))
        assert samples.segments_of(ended) == ([], error)
        assert samples.by_reference(ended, 5) == error
        with pytest.raises(StreamError) as caught:
            gscodec.open(ended).at_tick(5)
        assert samples.facts(caught.value) == error


def test_moves_have_no_place_in_the_header_part() -> None:
    data = made.stream(PARTS, static=LAYER + move(0) + STILL)
    error = ("Malformed", "container.order", "2.5", data.index(b"MOVE"))
    assert samples.segments_of(data) == ([], error)
    assert samples.by_reference(data, 5) == error


def test_moves_of_nothing_but_time_and_the_limit_of_sections() -> None:
    body = move(0) + STILL + move(1) + made.still(0, 100)
    data = made.stream([made.Part(0, 100, body)], static=LAYER)
    assert len(gscodec.open(data).at_tick(0)) == 3  # chunk 0 is not yet shown
    assert len(gscodec.open(data).at_tick(10)) == len(gscodec.open(data).at_tick(100)) == 6
    count = 10  # SCEN, TIME, PARM, two CHNK, SEGM, two MOVE, two MOTN
    list(events_of([data], replace(Limits.of_level(1), sections=count)))
    with pytest.raises(StreamError) as caught:
        list(events_of([data], replace(Limits.of_level(1), sections=count - 1)))
    assert (caught.value.code, caught.value.offset) == ("limit.sections", data.rindex(b"MOTN"))
