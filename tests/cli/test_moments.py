"""gsdec of scenes that change with time: --time, --tick, --frames, of files, pipes and servers."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from commands import ROOT, names, run

import gscodec
from gscodec.io import write_ply

sys.path.append(str(ROOT / "conformance/generators"))
import timeline as made

RATE = 1000  # ticks in a second; frames of 40 ticks
SEGMENTS = 3
DURATION = 100


def parts() -> list[made.Part]:
    """Segments of 3, 6 and 3 splats."""
    bodies = [made.PARM + made.CHNK, made.PARM + made.CHNK + made.still(10, 60) + made.CHNK]
    return [made.Part(i * DURATION, DURATION, bodies[i % 2]) for i in range(SEGMENTS)]


DATA = made.file(parts())
STREAM = made.stream(parts(), end=False)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("moments") / "scene.gsc"
    path.write_bytes(DATA)
    return path


def ply_at(tick: int) -> bytes:
    out = io.BytesIO()
    with gscodec.open(DATA) as opened:
        write_ply(out, opened.at_tick(tick))
    return out.getvalue()


@pytest.mark.parametrize(
    ("option", "tick"),
    [
        (("--tick", "0"), 0),
        (("--tick", "130"), 130),
        (("--time", "0"), 0),
        (("--time", ".13"), 130),
        (("--time", "13/100"), 130),
        (("--time", "0.2996"), 299),
    ],
)
def test_one_moment(scene: Path, tmp_path: Path, option: tuple[str, str], tick: int) -> None:
    done = run("gsdec", scene, "-o", tmp_path / "a.ply", *option, "--json")
    assert done.code == 0, done.err
    assert (tmp_path / "a.ply").read_bytes() == ply_at(tick)
    assert done.report["tick"] == tick
    assert done.report["splats"] == (6 if tick == 130 else 3)
    assert run("gsdec", "-", "-o", "-", *option, data=DATA).out == ply_at(tick)
    assert run("gsdec", "-", "-o", "-", *option, data=STREAM).out == ply_at(tick)


@pytest.mark.parametrize(
    ("frames", "numbers"),
    [("0:3", [0, 1, 2]), (":", list(range(8))), ("::3", [0, 3, 6]), ("5", [5]), ("6:", [6, 7])],
)
def test_frames(scene: Path, tmp_path: Path, frames: str, numbers: list[int]) -> None:
    done = run("gsdec", scene, "-o", tmp_path / "out/%05d.ply", "--frames", frames)
    assert done.code == 0, done.err
    assert names(tmp_path / "out") == [f"{number:05d}.ply" for number in numbers]
    for number in numbers:
        assert (tmp_path / f"out/{number:05d}.ply").read_bytes() == ply_at(40 * number)


def test_frames_in_other_formats(scene: Path, tmp_path: Path) -> None:
    assert run("gsdec", scene, "-o", tmp_path / "%d.splat", "--frames", ":2").code == 0
    assert names(tmp_path) == ["0.splat", "1.splat"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--time"),
        (("--time", "0.3"), "0 s to before 0.3 s"),
        (("--time", "-1"), "0 s to before 0.3 s"),
        (("--time", "1/0"), "zero"),
        (("--time", "nan"), "expected seconds"),
        (("--time", "1e9"), "expected seconds"),
        (("--time", "1", "--tick", "1"), "exclude"),
        (("--frames", "0:2"), "%05d"),
        (("--frames", "2:2"), "%05d"),
        (("--frames", "a:b"), "expected frames"),
        (("--frames", "::0"), "step"),
        (("--tick", "1", "--box", "0,0,0,1,1,1"), "parts"),
        (("--tick", "1", "--file-order"), "--file-order"),
        (("--tick", "1", "--to", "gsc"), ""),
    ],
)
def test_wrong_arguments(scene: Path, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = run("gsdec", scene, "-o", tmp_path / "a.ply", *options)
    assert done.code == 2
    assert words in done.line
    assert names(tmp_path) == []


@pytest.mark.parametrize("frames", ["8:", "0:9", "2:2", "0:99999999999"])
def test_frames_that_are_not_there(scene: Path, tmp_path: Path, frames: str) -> None:
    done = run("gsdec", scene, "-o", tmp_path / "%05d.ply", "--frames", frames)
    assert done.code == 2
    assert "0 to 7" in done.line
    assert names(tmp_path) == []


def test_a_tick_outside_of_the_scene_shows_what_never_changes(scene: Path, tmp_path: Path) -> None:
    done = run("gsdec", scene, "-o", tmp_path / "a.ply", "--tick", "300", "--json")
    assert done.code == 0
    assert done.report["splats"] == 0
    assert "outside of the scene" in done.report["warnings"][0]


def test_static_files_are_the_same_at_any_time(scene_gsc: Path, tmp_path: Path) -> None:
    plain = run("gsdec", scene_gsc, "-o", "-").out
    for options in (("--tick", "0"), ("--time", "5"), ("--tick", "-7")):
        assert run("gsdec", scene_gsc, "-o", "-", *options).out == plain
    assert run("gsdec", scene_gsc, "-o", tmp_path / "%02d.ply", "--frames", ":").code == 0
    assert (tmp_path / "00.ply").read_bytes() == plain
    assert run("gsdec", scene_gsc, "-o", tmp_path / "%02d.ply", "--frames", "1").code == 2


def test_damaged_and_cut_files(scene: Path, tmp_path: Path) -> None:
    """A fault anywhere writes nothing; --keep-partial writes what is whole."""
    (tmp_path / "cut.gsc").write_bytes(DATA[:-200])
    done = run("gsdec", tmp_path / "cut.gsc", "-o", tmp_path / "a.ply", "--tick", "0")
    assert done.code == 4
    assert names(tmp_path) == ["cut.gsc"]
    done = run("gsdec", tmp_path / "cut.gsc", "-o", tmp_path / "a.ply", "--tick", "0", "--keep-partial")
    assert done.code == 4
    assert (tmp_path / "a.ply").read_bytes() == ply_at(0)
    done = run("gsdec", tmp_path / "cut.gsc", "-o", tmp_path / "%d.ply", "--frames", ":", "--keep-partial")
    assert done.code == 4
    assert names(tmp_path) == ["0.ply", "1.ply", "2.ply", "3.ply", "4.ply", "a.ply", "cut.gsc"]


@pytest.fixture
def address() -> Iterator[tuple[str, list[int]]]:
    """A server of the scene, after a megabyte of other segments, and how much it sent."""
    many = [made.Part(DURATION * i, DURATION, parts()[i % 2].body) for i in range(1000)]
    data = made.file(many)
    sent: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            first, last = map(int, self.headers["Range"][6:].split("-"))
            body = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            sent.append(len(body))

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/scene.gsc", sent
    server.shutdown()
    server.server_close()


def test_of_a_url_only_what_is_needed_is_fetched(address: tuple[str, list[int]], tmp_path: Path) -> None:
    url, sent = address
    done = run("gsdec", url, "-o", tmp_path / "a.ply", "--time", "70.05", "--json")
    assert done.code == 0, done.err
    assert done.report["splats"] == 3
    assert done.report["bytes_read"] == sum(sent) < 10_000
    assert done.report["bytes_in"] > 400_000
    done = run("gsdec", url, "-o", tmp_path / "b.ply")
    assert done.code == 2
    assert "--time" in done.line
