"""Parts of files, from disk and over HTTP: only the bytes that are needed; crop, merge, layers, streams."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from commands import MADE, run

import gscodec
from gscodec.encode.effort import Effort
from gscodec.encode.encoder import Encoder
from gscodec.encode.steps import choose_steps
from gscodec.errors import GscError
from gscodec.io import read_ply
from gscodec.partial import PartialFile

LAYERS = 3


def many_chunks(stream: bool = False) -> bytes:
    """Three layers; 40 islands far from each other, so that each has chunks of its own."""
    base = read_ply(MADE).splats.take(np.arange(600))
    parts = []
    for number in range(40):
        shift = np.array([number % 8, number // 8, 0], np.float32) * 3000
        parts.append(base.positions + shift)
    whole = base.take(np.tile(np.arange(600), 40))
    whole.positions[:] = np.concatenate(parts)
    encoder = Encoder(whole, effort=Effort(rounds=0), layers=LAYERS, stream=stream)
    return encoder.encode(choose_steps("default", None)).data


@pytest.fixture(scope="module")
def data() -> bytes:
    return many_chunks()


@pytest.fixture(scope="module")
def streamed() -> bytes:
    return many_chunks(stream=True)


@dataclass
class Counted:
    """A server of one file that counts the bytes it sends."""

    data: bytes
    has_ranges: bool = True
    sent: int = 0
    requests: list[tuple[int, int]] = field(default_factory=list)


@pytest.fixture
def serve() -> Iterator[object]:
    servers = []

    def start(counted: Counted) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range", "")
                first, last = 0, len(counted.data) - 1
                if self.path != "/scene.gsc":
                    self.send_error(404)
                    return
                is_range = counted.has_ranges and wanted.startswith("bytes=")
                if is_range:
                    a, b = wanted[6:].split("-")
                    first, last = int(a), min(int(b), last)
                body = counted.data[first : last + 1]
                self.send_response(206 if is_range else 200)
                if is_range:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(counted.data)}")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                counted.sent += len(body)
                counted.requests.append((first, last))
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/scene.gsc"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def part_of(data: bytes) -> PartialFile:
    return PartialFile(lambda offset, count: data[offset : offset + count], len(data))


@pytest.mark.parametrize("kind", ["data", "streamed"])
def test_all_chunks_are_the_whole(kind: str, request: pytest.FixtureRequest) -> None:
    data: bytes = request.getfixturevalue(kind)
    file, whole = part_of(data), gscodec.decode(data)
    assert file.layers == LAYERS
    assert [chunk.layer for chunk in file.index.chunks] == sorted(chunk.layer for chunk in file.index.chunks)
    numbers = file.select()
    assert len(numbers) == len(file.index.chunks) > 100
    got = np.concatenate([block.positions for block in file.chunks(numbers)])
    assert got.tobytes() == whole.positions.tobytes()


def test_only_what_is_needed_is_sent(data: bytes, serve: object, tmp_path: Path) -> None:
    counted = Counted(data)
    url = serve(counted)  # type: ignore[operator]
    file, whole = part_of(data), gscodec.decode(data)
    overhead = next(entry.offset for entry in file.index.entries if entry.id == b"CHNK")
    box = (-100.0, -100.0, -100.0, 100.0, 100.0, 100.0)
    numbers = file.select(box=box)
    entries = [entry for entry in file.index.entries if entry.id == b"CHNK"]
    needed = overhead + sum(entries[number].size for number in numbers)
    assert needed < 0.3 * len(data)

    out = tmp_path / "part.ply"
    done = run("gsdec", url, "-o", out, "--box", ",".join(map(str, box)), "--json")
    assert done.code == 0
    inside = (np.abs(whole.positions) <= 100).all(1)
    assert done.report["splats"] == np.count_nonzero(inside) == len(read_ply(out).splats)
    assert done.report["bytes_read"] == counted.sent <= needed + 4096 + 4096 * len(numbers)
    assert done.report["requests"] == len(counted.requests)
    assert read_ply(out).splats.positions.tobytes() == whole.positions[inside].tobytes()

    local = tmp_path / "local.gsc"
    local.write_bytes(data)
    read = run("gsdec", local, "-o", out, "--box", ",".join(map(str, box)), "--json").report["bytes_read"]
    assert read == counted.sent  # no byte twice
    every = run("gsdec", local, "-o", out, "--layers", str(LAYERS), "--json").report["bytes_read"]
    assert overhead < every < len(data)

    counted.sent = 0
    done = run("gsdec", url, "-o", out, "--chunks", "7")
    assert done.code == 0
    assert counted.sent <= overhead + entries[7].size + 4096
    counted.sent = 0
    assert run("gsdec", url, "-o", out, "--layers", "1").code == 0
    end = max(e.offset + e.size for e, c in zip(entries, file.index.chunks, strict=True) if c.layer == 0)
    assert counted.sent <= end + 4096
    assert run("gsdec", url, "-o", out).code == 0
    assert read_ply(out).splats.sh_dc.tobytes() == whole.sh_dc.tobytes()


def test_streams_are_found_by_their_end(streamed: bytes, serve: object, tmp_path: Path) -> None:
    counted = Counted(streamed)
    url = serve(counted)  # type: ignore[operator]
    out = tmp_path / "part.ply"
    assert run("gsdec", url, "-o", out, "--chunks", "3-5").code == 0
    assert counted.sent < 0.5 * len(streamed)
    want = np.concatenate([b.positions for b in part_of(streamed).chunks([3, 4, 5])])
    assert read_ply(out).splats.positions.tobytes() == want.tobytes()


def test_bad_servers(data: bytes, serve: object, tmp_path: Path) -> None:
    out = tmp_path / "part.ply"
    url = serve(Counted(data, has_ranges=False))  # type: ignore[operator]
    done = run("gsdec", url, "-o", out)
    assert (done.code, out.exists()) == (3, False)
    assert "whole files only" in done.line
    done = run("gsdec", url.replace("scene", "none"), "-o", out)
    assert (done.code, "404" in done.line) == (3, True)
    done = run("gsdec", serve(Counted(b"no gsc" * 9)), "-o", out)  # type: ignore[operator]
    assert (done.code, "container.signature" in done.line) == (5, True)
    done = run("gsdec", serve(Counted(data[: len(data) // 2])), "-o", out)  # type: ignore[operator]
    assert (done.code, "container.truncated" in done.line) == (4, True)


def test_options(data: bytes, tmp_path: Path) -> None:
    source, out = tmp_path / "a.gsc", tmp_path / "a.ply"
    source.write_bytes(data)
    whole = gscodec.decode(data)
    for count in (0, 1, 999, 10**7):
        assert run("gsdec", source, "-o", out, "--max-splats", str(count)).code == 0
        assert len(read_ply(out).splats) == min(count, len(whole))
    assert run("gsdec", source, "-o", out, "--layers", "1", "--enlarge").code == 0
    preview = read_ply(out).splats
    assert run("gsdec", source, "-o", out, "--layers", "1").code == 0
    plain = read_ply(out).splats
    assert len(plain) == len(preview) < 0.1 * len(whole)
    assert (preview.scales > plain.scales + 0.3).all()
    done = run("gsdec", "-", "-o", out, "--chunks", "0", data=data)
    assert done.code == 0
    for bad in (["--box", "1,2,3"], ["--box", "1,0,0,0,1,1"], ["--chunks", "x"], ["--chunks", "3-1"]):
        assert run("gsdec", source, "-o", out, *bad).code == 2
    assert run("gsdec", source, "-o", out, "--chunks", "99999").code == 2
    assert run("gsdec", source, "-o", out, "--layers", "1", "--keep-partial").code == 2


def test_crop_and_merge(data: bytes, streamed: bytes, tmp_path: Path) -> None:
    source = tmp_path / "a.gsc"
    source.write_bytes(data)
    whole, file = gscodec.decode(data), part_of(data)
    halves = []
    for name, box in {"left": "-1e9,-1e9,-1e9,10000,1e9,1e9", "right": "11000,-1e9,-1e9,1e9,1e9,1e9"}.items():
        halves.append(tmp_path / f"{name}.gsc")
        assert run("gscodec", "crop", source, "-o", halves[-1], "--box", box).code == 0
    sizes = [len(gscodec.decode(half.read_bytes())) for half in halves]
    assert sum(sizes) == len(whole)
    assert min(sizes) > 0
    merged = tmp_path / "merged.gsc"
    assert run("gscodec", "merge", *halves, "-o", merged).code == 0
    again = gscodec.decode(merged.read_bytes())
    assert sorted(map(bytes, again.positions)) == sorted(map(bytes, whole.positions))
    assert merged.stat().st_size == len(data)  # nothing is encoded again
    assert part_of(merged.read_bytes()).layers == LAYERS
    first = tmp_path / "first.gsc"
    assert run("gscodec", "crop", source, "-o", first, "--layers", "1", "--stream").code == 0
    assert len(gscodec.decode(first.read_bytes())) == sum(
        c.splat_count for c in file.index.chunks if not c.layer
    )
    plain = tmp_path / "plain.gsc"
    plain.write_bytes(gscodec.encode(whole.take(np.arange(50)), effort=1))
    twice = tmp_path / "twice.gsc"
    assert run("gscodec", "merge", plain, source, "-o", twice).code == 0
    assert len(gscodec.decode(twice.read_bytes())) == 50 + len(whole)
    other = tmp_path / "other.gsc"
    fewer = whole.take(np.arange(50))
    fewer = type(fewer)(**{n: getattr(fewer, n) for n in fewer.__slots__} | {"sh_rest": fewer.sh_rest[:, :0]})
    other.write_bytes(gscodec.encode(fewer, effort=1))
    done = run("gscodec", "merge", source, other, "-o", twice)
    assert (done.code, "sh degree" in done.line) == (2, True)


def spliced(data: bytes, numbers: list[int], end: bytes) -> bytes:
    """Header, scene header, parameter sets and these chunks of a stream, and an end mark."""
    file = part_of(data)
    front = [e for e in file.index.entries if e.id in (b"SCEN", b"PARM")]
    chunks = [e for e in file.index.entries if e.id == b"CHNK"]
    pieces = [data[e.offset : e.offset + e.size] for e in [*front, *(chunks[n] for n in numbers)]]
    return b"".join([data[:20], *pieces, end])


def test_spliced_streams_are_valid(streamed: bytes, tmp_path: Path) -> None:
    from gscodec.container.section import write_section

    file = part_of(streamed)
    numbers = [9, 2, 30]
    count = sum(file.index.chunks[n].splat_count for n in numbers)
    end = write_section(b"ENDM", struct.pack("<Q", count))
    cut = spliced(streamed, numbers, end)
    want = np.concatenate([next(iter(file.chunks([n]))).positions for n in numbers])
    assert gscodec.decode(cut).positions.tobytes() == want.tobytes()
    walked = part_of(cut)  # no index
    assert not walked.knows_bounds
    got = np.concatenate([b.positions for b in walked.chunks([0, 1, 2])])
    assert got.tobytes() == want.tobytes()
    source, out = tmp_path / "cut.gsc", tmp_path / "whole.gsc"
    source.write_bytes(cut)
    assert run("gscodec", "crop", source, "-o", out).code == 0
    again = part_of(out.read_bytes())
    assert again.knows_bounds
    low, high = want.min(0), want.max(0)
    assert np.array(again.scene.bounds).astype(np.float32).tolist() == [*low.tolist(), *high.tolist()]


def test_pipes_are_streams(tmp_path: Path) -> None:
    piped = run("gsenc", "-", "-o", "-", "--effort", "1", data=MADE.read_bytes())
    assert piped.code == 0
    assert struct.unpack_from("<I", piped.out, 12) == (1,)
    assert len(gscodec.decode(piped.out)) == 4000
    kept = run("gsenc", MADE, "-o", "-", "--effort", "1", "--no-stream")
    assert struct.unpack_from("<I", kept.out, 12) == (0,)
    assert gscodec.decode(kept.out).sh_rest.tobytes() == gscodec.decode(piped.out).sh_rest.tobytes()


@pytest.mark.parametrize("kind", ["data", "streamed"])
def test_damage_is_found(kind: str, request: pytest.FixtureRequest) -> None:
    """Any byte of what is read, changed or missing, is an error of its own kind and never another result."""
    data: bytes = request.getfixturevalue(kind)
    want = next(iter(part_of(data).chunks([1]))).positions.tobytes()
    random = np.random.default_rng(5)
    entries = part_of(data).index.entries
    chunk = [e for e in entries if e.id == b"CHNK"][1]
    places = [*range(16), *random.integers(16, len(data), 60), chunk.offset, chunk.offset + chunk.size - 1]
    for at in map(int, places):
        bad = bytearray(data)
        bad[at] ^= 1 << int(random.integers(8))
        cut = bytes(bad) if at % 3 else bytes(bad[:at])
        try:
            got = next(iter(part_of(cut).chunks([1]))).positions.tobytes()
        except GscError:
            continue
        assert got == want


def test_the_whole_of_a_url_is_the_whole_of_a_file(serve: object, tmp_path: Path) -> None:
    splats = read_ply(MADE).splats
    note = gscodec.Metadata(kind="comment", text="licence CC0")
    stored = gscodec.encode(splats, effort=1, keep_order=True, metadata=[note])
    source, out, other = (tmp_path / name for name in ("a.gsc", "a.ply", "b.ply"))
    source.write_bytes(stored)
    assert run("gsdec", source, "-o", out).code == 0
    counted = Counted(stored)
    url = serve(counted)  # type: ignore[operator]
    assert run("gsdec", url, "-o", other).code == 0
    assert other.read_bytes() == out.read_bytes()
    assert counted.sent == len(stored)
    assert run("gsenc", MADE, "-o", source, "--lossless").code == 0
    url = serve(Counted(source.read_bytes()))  # type: ignore[operator]
    assert run("gsdec", url, "-o", other).code == 0
    assert other.read_bytes() == MADE.read_bytes()
    done = run("gsdec", url, "-o", other, "--layers", "1")
    assert (done.code, "container.profile" in done.line) == (7, True)


def test_what_shows_most_is_everywhere(data: bytes, tmp_path: Path) -> None:
    source, out = tmp_path / "a.gsc", tmp_path / "a.ply"
    source.write_bytes(data)
    run("gsdec", source, "-o", out, "--max-splats", "400")
    places = np.unique(np.round(read_ply(out).splats.positions[:, :2] / 3000), axis=0)
    assert len(places) == 40  # islands
    whole = gscodec.decode(data)
    run("gsdec", source, "-o", out, "--max-splats", "300", "--box=-1000,-1000,-1000,1000,1000,1000")
    assert len(read_ply(out).splats) == 300
    run("gsdec", source, "-o", out, "--enlarge", "--box", "0,0,0,1000,1000,1000")
    rows = ((whole.positions >= 0) & (whole.positions <= 1000)).all(1)
    assert 0 < np.count_nonzero(rows) < 600
    assert read_ply(out).splats.scales.tobytes() == whole.scales[rows].tobytes()  # nothing is left out
    assert run("gsdec", source, "-o", out, "--chunks", "\xb2").code == 2


def test_one_splat_is_in_the_first_layer() -> None:
    data = gscodec.encode(read_ply(MADE).splats.take(np.arange(1)), effort=1, layers=16)
    assert [chunk.layer for chunk in part_of(data).index.chunks] == [0]
