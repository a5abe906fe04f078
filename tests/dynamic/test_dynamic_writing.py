"""(12) Files and streams that are written, memory that is taken, files on servers, tensors."""

from __future__ import annotations

import io
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dynamic
import pytest
import timeline as made
from dynamic_samples import CHUNK, PARAMETERS, Counted, by_reader, by_reference, ply_of, segments_of

import gscodec
from gscodec.container import SceneHeader
from gscodec.container.reader import Skipped
from gscodec.container.tensors import Tensors, find_tensors, write_tensors
from gscodec.dynamic.reader import collected, events_of
from gscodec.dynamic.timeline import Time
from gscodec.dynamic.writer import FileWriter, SegmentPayloads, StaticLayer, StreamWriter
from gscodec.errors import EncodeError, StreamError, UsageError
from gscodec.limits import Limits
from gscodec.reference.dynamic import read_timeline
from gscodec.reference.tensors import tensors_of

SCENE = SceneHeader(sh_degree=0)
TIME = Time(rate=1000, frame_ticks=40)
STATIC = StaticLayer(parameters=[made.with_id(PARAMETERS, 7)], chunks=[made.with_id(CHUNK, 7)])
STILL = made.still(10, 60)[16:-4]


def segments(count: int, first: int = 0) -> Iterator[SegmentPayloads]:
    for i in range(first, first + count):
        yield SegmentPayloads(
            start=100 * i - 50,
            duration=100,
            frames=3,
            parameters=[PARAMETERS],
            chunks=[(CHUNK, STILL if i % 2 else None)] * (i % 3),
            ignorable=[(b"ZZZZ", b"x")] * (i % 2),
        )


def written(count: int = 5) -> bytes:
    out = io.BytesIO()
    with FileWriter(out, SCENE, TIME, static=STATIC) as writer:
        for payloads in segments(count):
            writer.segment(payloads)
    return out.getvalue()


def streamed(count: int = 5, first: int = 0) -> list[bytes]:
    writer = StreamWriter(SCENE, TIME_OF_STREAM, static=STATIC, first_number=first)
    return [writer.start(), *map(writer.segment, segments(count, first)), writer.end()]


TIME_OF_STREAM = Time(rate=1000, frame_ticks=40, start=-50)


def test_files_and_streams_hold_the_same() -> None:
    file, stream = written(), b"".join(streamed())
    for tick in (-51, -50, 0, 60, 100, 119, 149, 170, 449, 450):
        want = by_reference(file, tick)
        assert isinstance(want, bytes)
        assert by_reader(file, tick) == by_reader(stream, tick) == by_reference(stream, tick) == want
    scene = gscodec.open(file)
    assert not scene.static
    assert (scene.tick_rate, scene.start_tick, scene.duration_ticks) == (1000.0, -50, 500)
    assert (scene.duration, scene.frame_count) == (0.5, 13)
    assert [(s.start, s.splats, s.chunks) for s in scene.segments] == [
        (100 * i - 50, 3 * (i % 3), i % 3) for i in range(5)
    ]
    assert all(s.decoded_bytes == 56 * s.splats for s in scene.segments)
    assert [(s.offset, s.size) for s in scene.segments][1:] == [
        (s.offset + s.size, t.size) for s, t in zip(scene.segments[:-1], scene.segments[1:], strict=True)
    ]
    frames = list(scene.frames())
    assert [frame.tick for frame in frames] == list(range(-50, 450, 40))
    assert [ply_of(frame.splats) for frame in frames] == [by_reference(file, f.tick) for f in frames]
    assert ply_of(scene.at(0.0501)) == by_reference(file, 50)


def test_a_stream_is_joined_in_its_middle() -> None:
    head, *rest = streamed(6)
    joined = head + rest[3] + rest[4]
    assert segments_of(joined) == ([3, 4], None)
    assert by_reader(joined, 260) == by_reference(b"".join([head, *rest]), 260)


def test_a_segment_is_given_before_anything_follows() -> None:
    head, *rest = streamed(4)

    def pieces() -> Iterator[bytes]:
        for number, piece in enumerate([head, *rest[:-1]]):
            yield piece
            assert given == list(range(number))

    given: list[int] = []
    for part in collected(events_of(pieces())):
        if part.header is not None:
            given.append(part.header.number)
    assert given == [0, 1, 2, 3]


def test_what_cannot_be_written() -> None:
    chunk = SegmentPayloads(start=0, duration=10, parameters=[PARAMETERS], chunks=[(CHUNK, None)])
    for bad in (
        SegmentPayloads(start=0, duration=0),
        SegmentPayloads(start=-100, duration=5),
        SegmentPayloads(start=0, duration=2**32),
        SegmentPayloads(start=0, duration=5, chunks=[(CHUNK, None)]),
        SegmentPayloads(start=0, duration=5, parameters=[made.with_id(PARAMETERS, 7)]),
        SegmentPayloads(start=0, duration=5, ignorable=[(b"SEGM", b"")]),
        SegmentPayloads(start=0, duration=5, ignorable=[(b"THMB", b"")]),
    ):
        writer = StreamWriter(SCENE, TIME_OF_STREAM, static=STATIC)
        writer.start()
        with pytest.raises(UsageError):
            writer.segment(bad)
    writer = StreamWriter(SCENE, TIME_OF_STREAM, static=STATIC)
    with pytest.raises(UsageError):
        writer.segment(chunk)
    writer.start()
    writer.segment(chunk)
    with pytest.raises(UsageError):
        writer.segment(chunk)  # the same time again
    with pytest.raises(UsageError):
        FileWriter(io.BytesIO(), SCENE, Time(rate=0))
    huge = CHUNK[:4] + (1 << 17).to_bytes(4, "little") + CHUNK[8:]
    writer = StreamWriter(SCENE, TIME_OF_STREAM, static=STATIC)
    writer.start()
    with pytest.raises(EncodeError):
        writer.segment(SegmentPayloads(start=0, duration=10, parameters=[PARAMETERS], chunks=[(huge, None)]))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "scene.gsc"
    writer = FileWriter(path, SCENE, TIME, static=STATIC)
    with pytest.raises(UsageError), writer:
        writer.segment(SegmentPayloads(start=0, duration=0))
    assert list(tmp_path.iterdir()) == []
    with FileWriter(path, SCENE, TIME, static=STATIC, folder=str(tmp_path)) as writer:
        for payloads in segments(5):
            writer.segment(payloads)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == written()
    with gscodec.open(path) as scene:
        assert len(scene.segments) == 5


def test_writing_takes_memory_for_one_segment(tmp_path: Path) -> None:
    junk = bytes(1 << 20)

    def peak(count: int) -> int:
        tracemalloc.start()
        with FileWriter(tmp_path / "scene.gsc", SCENE, TIME) as writer:
            for i in range(count):
                writer.segment(SegmentPayloads(start=i, duration=1, ignorable=[(b"ZZZZ", junk)]))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(24) < peak(4) + (1 << 20)


@pytest.fixture
def served() -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """The URL of `written(300)`, and the ranges that were asked for."""
    data, asked = written(300), list[tuple[int, int]]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            first, last = map(int, self.headers["Range"][6:].split("-"))
            body = data[first : last + 1]
            asked.append((first, len(body)))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/scene.gsc", asked
    server.shutdown()
    server.server_close()


def test_a_scene_on_a_server(served: tuple[str, list[tuple[int, int]]]) -> None:
    url, asked = served
    data = written(300)
    with gscodec.open(url) as scene:
        assert ply_of(scene.at_tick(25_070)) == by_reference(data, 25_070)
        assert sum(count for _, count in asked) < 4096 + 2500
        assert len(asked) < 8
        before = len(asked)
        scene.at_tick(25_071)
        assert len(asked) == before
        assert len(scene.segments) == 300


def test_static_files_are_scenes(tmp_path: Path) -> None:
    path = Path(__file__).resolve().parents[2] / "conformance/vectors/baseline/hello.gsc"
    with gscodec.open(path) as scene:
        assert (scene.static, scene.duration, scene.frame_count, scene.segments) == (True, 0.0, 1, ())
        assert len(scene.at(1e9)) == len(scene.at_tick(-5)) == 3
        assert [len(frame.splats) for frame in scene.frames()] == [3]
    with pytest.raises(StreamError):
        gscodec.open(b"no scene").at(0)


def test_times_that_no_scene_has() -> None:
    scene = gscodec.open(made.file([made.Part(0, 10)], frame_ticks=0))
    for bad in (lambda: scene.at(float("nan")), lambda: scene.at_tick(1 << 60), lambda: next(scene.frames())):
        with pytest.raises(UsageError) as caught:
            bad()
        assert caught.value.code == "usage.time"
    with pytest.raises(UsageError) as caught:
        gscodec.decode(written())
    assert "--tick" in caught.value.message
    assert scene.frame_count == 0
    assert len(list(scene.frames(step=5))) == 2


def test_limits_hold_before_memory_is_taken() -> None:
    with pytest.raises(StreamError) as caught:
        gscodec.open(written(), max_splats=5).at_tick(100)
    assert caught.value.code == "limit.splats"
    short = Counted(written()[:1500])
    with pytest.raises(StreamError) as caught:
        gscodec.open(short).at_tick(400)
    assert (caught.value.code, caught.value.offset) == ("container.truncated", 1500)


@pytest.mark.parametrize("case", [c for c in dynamic.uncommon() if "_tens" in c.name], ids=lambda c: c.name)
def test_tensors(case: dynamic.Case) -> None:
    timeline = read_timeline(case.data)
    skipped = [event for event in events_of([case.data]) if isinstance(event, Skipped)]
    with pytest.raises(StreamError) as first:
        tensors_of(timeline.skipped, timeline.static.header)
    with pytest.raises(StreamError) as second:
        find_tensors(skipped, Limits.of_level(1))
    errors = [(type(e), e.code, e.offset, e.clause) for e in (first.value, second.value)]
    assert errors[0] == errors[1]
    assert errors[0][1] == case.code


def test_tensors_come_back_byte_for_byte() -> None:
    for data in (b"", b"abc", bytes(10_000)):
        payload = write_tensors(Tensors(kind="feature_decoder", data=data))
        section = Skipped(id=b"TENS", payload=memoryview(payload), offset=0)
        assert find_tensors([section], Limits.of_level(1)) == Tensors(kind="feature_decoder", data=data)
        stream = StreamWriter(SCENE, TIME_OF_STREAM, static=StaticLayer(leading=[(b"TENS", payload)])).start()
        timeline = read_timeline(stream)
        assert tensors_of(timeline.skipped, timeline.static.header) == (0, data)
