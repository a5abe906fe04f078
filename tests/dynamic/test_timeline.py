"""(12) Both readers on good, cut and damaged files; seeking."""

from __future__ import annotations

import contextlib
import random

import dynamic
import fixup
import moves
import moving
import pytest
import timeline as made
from dynamic_samples import (
    STATIC,
    Counted,
    by_reader,
    by_reference,
    parts,
    ply_of,
    segments_of,
)

from gscodec.dynamic.scene import Scene
from gscodec.errors import StreamError, Truncated

FILES = {
    "file": made.file(parts(), STATIC),
    "file without static layer": made.file(parts()),
    "no segments": made.file([], STATIC),
    "stream": made.stream(parts(), STATIC),
    "stream without end": made.stream(parts(), STATIC, end=False),
    "stream with table": made.stream(parts(), STATIC, with_table=True),
    "stream with table, without end": made.stream(parts(), STATIC, with_table=True, end=False),
    "empty stream": made.stream([], end=False),
    "moved": moves.FILE,
    "moved, a stream without end": made.stream(moves.three(moves.WALK)[:2], moves.LAYER, end=False),
    "gap and empty segment": made.file([made.Part(-50, 10), made.Part(0, 20, b""), made.Part(70, 30)]),
}
TICKS = (-60, -50, -41, -40, 0, 19, 20, 99, 100, 110, 159, 160, 250, 299, 300, 10**6)


@pytest.mark.parametrize("name", FILES)
def test_both_readers_agree(name: str) -> None:
    for tick in TICKS:
        want = by_reference(FILES[name], tick)
        assert isinstance(want, bytes)
        assert by_reader(FILES[name], tick) == want
    assert by_reader(FILES[name], None, step=7) == b""


@pytest.mark.parametrize("name", FILES)
def test_a_cut_gives_every_complete_segment(name: str) -> None:
    data = FILES[name]
    ends = [
        (start, start + int.from_bytes(data[start + 44 : start + 52], "little"))
        for id, start, _, _ in fixup.sections(data)
        if id == b"SEGM"
    ]
    for length in range(len(data)):
        cut = data[:length]
        want = by_reference(cut, None)
        assert by_reader(cut, None) == want
        assert want in (b"", ("Truncated", "container.truncated", "2.2", length))
        numbers, error = segments_of(cut)
        assert numbers == [i for i, (_, end) in enumerate(ends) if end <= length]
        assert error == (None if want == b"" else want)


def frames_of(data: bytes) -> tuple[list[bytes], Truncated | None]:
    """All that can be shown, and what ends it."""
    found = []
    try:
        for frame in Scene(data).frames(50):
            found.append(ply_of(frame.splats))
    except Truncated as error:
        return found, error
    return found, None


@pytest.mark.parametrize("name", ["file", "stream", "stream without end"])
def test_a_scene_that_is_cut_off(name: str) -> None:
    data = FILES[name]
    whole = [ply_of(frame.splats) for frame in Scene(data).frames(50)]
    assert len(whole) == 6
    for length in range(len(STATIC) + 400, len(data), 13):
        found, error = frames_of(data[:length])
        assert error is None or error.offset == length
        assert found == whole[: len(found)]
        assert len(found) == 2 * len(segments_of(data[:length])[0])


def test_header_and_later_segments_are_a_stream() -> None:
    segments = parts(5)
    head = made.stream([], STATIC, end=False)
    whole = made.stream(segments, STATIC)
    cat = head + segments[3].written(3) + segments[4].written(4)
    assert by_reference(cat, 310) == by_reader(cat, 310) == by_reference(whole, 310)
    scene = Scene(cat)
    assert [segment.start for segment in scene.segments] == [300, 400]
    backwards = head + segments[4].written(4) + segments[3].written(3)
    want = ("Malformed", "timeline.order", "12.4", len(head) + len(segments[4].written(4)) + 16)
    assert by_reference(backwards, None) == by_reader(backwards, None) == want


def test_damage() -> None:
    """Single bytes changed, with checksums repaired and without: both readers say the same."""
    chance = random.Random(1)
    for name, data in FILES.items():
        for _ in range(150):
            at = chance.randrange(20, len(data))
            bad = bytearray(data)
            bad[at] ^= 1 << chance.randrange(8)
            for each in (bytes(bad), fixup.fix_checksums(bytes(bad))):
                assert by_reader(each, None, step=chance.choice((1, 97, None))) == by_reference(each, None), (
                    name,
                    at,
                )
                assert by_reader(each, None, verify=False) == by_reference(each, None, verify=False), (
                    name,
                    at,
                )


def test_a_seek_reads_as_much_of_a_long_file_as_of_a_short_one() -> None:
    read = {}
    for count in (10, 100, 1000):
        source = Counted(made.file(parts(count), STATIC))
        scene = Scene(source)
        assert len(scene.at_tick(100 * (count - 4) + 5)) == 6
        read[count] = source.read
        assert len(source.requests) < 12
    assert max(read.values()) - min(read.values()) < 500, read


def test_uneven_segments_are_found() -> None:
    chance = random.Random(2)
    segments, at = [], 0
    for _ in range(300):
        at += chance.choice((0, 0, 5))
        duration = chance.choice((1, 3, 1000))
        segments.append(made.Part(at, duration, b""))
        at += duration
    for data in (made.file(segments), made.stream(segments), made.stream(segments, with_table=True)):
        scene = Scene(data)
        assert [s.start for s in scene.segments] == [part.start for part in segments]
        assert scene.duration_ticks == at
        file = scene._file
        assert file is not None
        for tick in range(0, at, 97):
            want = [i for i, part in enumerate(segments) if part.start <= tick < part.start + part.duration]
            assert file.find(tick) == (want[0] if want else None)


@pytest.mark.parametrize("case", [case for _, case in moving.all_cases()], ids=lambda case: case.name)
def test_vectors(case: dynamic.Case) -> None:
    for tick in case.ticks:
        want = by_reference(case.data, tick)
        is_of_tensors = case.name.startswith("dynamic_tens_")
        if not case.name.endswith("_one_segment"):  # right at some of its ticks
            assert (want[1] if isinstance(want, tuple) else "") == ("" if is_of_tensors else case.code)
        assert by_reader(case.data, tick) == want
        assert by_reader(case.data, tick, step=1) == want


def test_a_damaged_scene_is_shown_or_refused() -> None:
    """Whatever the bytes, a scene that is sought through gives splats or a `StreamError`."""
    chance = random.Random(3)
    for name, data in FILES.items():
        for _ in range(60):
            bad = bytearray(data)
            for _ in range(chance.choice((1, 1, 3))):
                bad[chance.randrange(20, len(bad))] = chance.choice((0, 1, 127, 128, 255))
            each = bytes(bad[: chance.randrange(len(bad))]) if chance.random() < 0.2 else bytes(bad)
            for damaged in (each, fixup.fix_checksums(each)):
                for act in (
                    lambda scene: scene.segments,
                    lambda scene: scene.at_tick(chance.choice(TICKS)),
                    lambda scene: [frame.tick for _, frame in zip(range(30), scene.frames(50), strict=False)],
                ):
                    with contextlib.suppress(StreamError):
                        act(Scene(damaged, threads=1))
        assert name
