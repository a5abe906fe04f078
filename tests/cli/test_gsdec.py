"""gsdec: what it writes, what it says, how it ends."""

from __future__ import annotations

import hashlib
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from commands import ENVIRONMENT, arguments, names, patched, run, sections

import gscodec
from gscodec.io import read_ply, write_ply


@pytest.fixture(scope="module")
def plain(scene_gsc: Path) -> bytes:
    """What gsdec writes for the scene."""
    return run("gsdec", scene_gsc, "-o", "-").out


def test_decodes(scene_gsc: Path, plain: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out.ply"
    done = run("gsdec", scene_gsc, "-o", out)
    assert (done.code, done.out) == (0, b"")
    assert "500 splats" in done.line
    assert out.read_bytes() == plain
    write_ply(tmp_path / "api.ply", gscodec.decode(scene_gsc.read_bytes()))
    assert (tmp_path / "api.ply").read_bytes() == plain


def test_pipes_threads_and_layouts(scene_gsc: Path, plain: bytes, tmp_path: Path) -> None:
    assert run("gsdec", "-", "-o", "-", data=scene_gsc.read_bytes()).out == plain
    assert run("gsdec", scene_gsc, "-o", "-", "--threads", "1").out == plain
    compact = run("gsdec", scene_gsc, "-o", "-", "--layout", "compact").out
    assert len(compact) < len(plain) - 500 * 12
    assert b" nx" not in compact


def test_many_chunks(two_chunks_gsc: Path, tmp_path: Path) -> None:
    """Blocks of several chunks are the file of the whole, for any number of threads."""
    write_ply(tmp_path / "api.ply", gscodec.decode(two_chunks_gsc.read_bytes()))
    for threads in ("1", "3"):
        assert run("gsdec", two_chunks_gsc, "-o", tmp_path / "out.ply", "--threads", threads).code == 0
        assert (tmp_path / "out.ply").read_bytes() == (tmp_path / "api.ply").read_bytes()


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_sh_degree(scene_gsc: Path, tmp_path: Path, degree: int) -> None:
    out = tmp_path / "out.ply"
    report = run("gsdec", scene_gsc, "-o", out, "--sh-degree", str(degree), "--json").report
    splats = read_ply(out).splats
    full = gscodec.decode(scene_gsc.read_bytes())
    assert report["sh_degree"] == splats.sh_degree == degree
    np.testing.assert_array_equal(splats.sh_rest, full.sh_rest[:, : splats.sh_rest.shape[1]])


def test_json(scene_gsc: Path, plain: bytes, tmp_path: Path) -> None:
    done = run("gsdec", scene_gsc, "-o", tmp_path / "out.ply", "--json")
    report = done.report
    assert done.err == ""
    assert (report["bytes_in"], report["bytes_out"]) == (scene_gsc.stat().st_size, len(plain))
    assert report["sha256"] == hashlib.sha256(plain).hexdigest()
    assert (report["splats"], report["complete"], report["warnings"]) == (500, True, [])


def test_extras(tmp_path: Path) -> None:
    """Further attributes come back bit for bit; one that PLY has no type for is refused before writing."""
    few = gscodec.Splats(
        **{name: np.zeros((2, *shape), np.float32) for name, shape in _SHAPES.items()},
        extras={"label": np.array([7, 9], np.uint16)},
    )
    (tmp_path / "a.gsc").write_bytes(gscodec.encode(few, effort=1))
    assert run("gsdec", tmp_path / "a.gsc", "-o", tmp_path / "a.ply").code == 0
    assert sorted(read_ply(tmp_path / "a.ply").splats.extras["label"].tolist()) == [7, 9]
    wide = gscodec.Splats(
        **{name: np.zeros((2, *shape), np.float32) for name, shape in _SHAPES.items()},
        extras={"label": np.array([7, 9], np.uint64)},
    )
    (tmp_path / "b.gsc").write_bytes(gscodec.encode(wide, effort=1))
    done = run("gsdec", tmp_path / "b.gsc", "-o", tmp_path / "b.ply")
    assert done.code == 7
    assert "[output.type]" in done.line
    assert not (tmp_path / "b.ply").exists()


_SHAPES = {
    "positions": (3,),
    "scales": (3,),
    "rotations": (4,),
    "opacities": (),
    "sh_dc": (3,),
    "sh_rest": (0, 3),
}


# ---- faults


def _faults(data: bytes) -> dict[str, tuple[bytes, int, str]]:
    """Damaged files, with the exit code and the error's code."""
    chunk = next(start for id, start, _ in sections(data) if id == b"CHNK")
    scene = next(start for id, start, _ in sections(data) if id == b"SCEN")
    return {
        "cut": (data[: len(data) // 2], 4, "container.truncated"),
        "cut in the header": (data[:10], 4, "container.truncated"),
        "empty": (b"", 4, "container.truncated"),
        "other": (b"hello, world", 5, "container.signature"),
        "ply": (b"ply\nformat", 3, "io.format"),
        "trailing": (data + b"x", 5, "container.trailing"),
        "lanes": (patched(data, chunk + 16 + 43 + 4, b"\x09"), 5, "chunk.range"),
        "flipped bit": (data[:500] + bytes([data[500] ^ 1]) + data[501:], 6, "container.crc"),
        "version": (patched(data, 8, b"\x63"), 7, "container.version"),
        "too many": (patched(data, scene + 16, struct.pack("<Q", 1 << 60)), 8, "limit.splats"),
    }


_FAULTS = [
    "cut",
    "cut in the header",
    "empty",
    "other",
    "ply",
    "trailing",
    "lanes",
    "flipped bit",
    "version",
    "too many",
]


@pytest.mark.parametrize("name", _FAULTS)
def test_faults(scene_gsc: Path, tmp_path: Path, name: str) -> None:
    """Each kind of fault has its exit code; no file is written and an existing one stays."""
    data, code, error = _faults(scene_gsc.read_bytes())[name]
    (tmp_path / "in.gsc").write_bytes(data)
    (tmp_path / "out.ply").write_bytes(b"precious")
    done = run("gsdec", "in.gsc", "-o", "out.ply", "--json", cwd=tmp_path)
    assert (done.code, done.report["error"]["exit_code"], done.report["error"]["code"]) == (code, code, error)
    assert done.line.startswith("gsdec: ")
    assert f"[{error}]" in done.line
    assert (tmp_path / "out.ply").read_bytes() == b"precious"
    assert names(tmp_path) == ["in.gsc", "out.ply"]
    shown = run("gsinfo", "in.gsc", cwd=tmp_path)
    assert shown.code == code
    assert f"[{error}]" in shown.line


def test_a_fault_makes_no_file(scene_gsc: Path, tmp_path: Path) -> None:
    for data in (scene_gsc.read_bytes()[:-1], b""):
        assert run("gsdec", "-", "-o", tmp_path / "new.ply", data=data).code == 4
    assert names(tmp_path) == []


def test_cut_pipe_gives_nothing(scene_gsc: Path) -> None:
    done = run("gsdec", "-", "-o", "-", data=scene_gsc.read_bytes()[:-30])
    assert (done.code, done.out) == (4, b"")
    assert "--keep-partial rescues the 500 splats before" in done.line


def test_keep_partial(two_chunks_gsc: Path, tmp_path: Path) -> None:
    data, out = two_chunks_gsc.read_bytes(), tmp_path / "out.ply"
    chunks = [(start, size) for id, start, size in sections(data) if id == b"CHNK"]
    assert len(chunks) >= 2
    whole = gscodec.decode(data)
    cut = data[: chunks[1][0] + 100]
    (first,) = struct.unpack_from("<I", data, chunks[0][0] + 20)
    done = run("gsdec", "-", "-o", out, "--keep-partial", data=cut)
    assert done.code == 4
    assert f"wrote only the {first:,} splats of {len(whole):,} before the fault" in done.err
    np.testing.assert_array_equal(read_ply(out).splats.positions, whole.positions[:first])
    out.unlink()

    done = run("gsdec", "-", "-o", out, "--keep-partial", data=data[: chunks[0][0] + 100])
    assert done.code == 4
    assert not out.exists()  # not one complete chunk
    assert "nothing was written" in done.line
    done = run("gsdec", "-", "-o", out, "--keep-partial", data=data[:30])
    assert (done.code, out.exists()) == (4, False)
    assert "nothing was written" in done.line

    at = chunks[1][0] + 5000
    damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    done = run("gsdec", "-", "-o", out, "--keep-partial", "--json", data=damaged)
    assert done.code == 6
    assert (done.report["complete"], done.report["splats"]) == (False, first)
    assert len(read_ply(out).splats) == first


def test_keep_partial_of_a_good_file(scene_gsc: Path, plain: bytes) -> None:
    done = run("gsdec", scene_gsc, "-o", "-", "--keep-partial")
    assert (done.code, done.out) == (0, plain)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (["--sh-degree", "4"], "4 is not in the range"),
        (["--layout", "odd"], "'odd' is not one of"),
        (["--threads", "many"], "'many' is not a valid integer"),
    ],
)
def test_usage(scene_gsc: Path, tmp_path: Path, rest: list[str], said: str) -> None:
    done = run("gsdec", scene_gsc, "-o", tmp_path / "out.ply", *rest)
    assert done.code == 2
    assert said in done.line


def test_missing_input_and_folder(scene_gsc: Path, tmp_path: Path) -> None:
    assert run("gsdec", tmp_path / "none.gsc", "-o", tmp_path / "out.ply").code == 3
    done = run("gsdec", scene_gsc, "-o", tmp_path / "no/out.ply")
    assert done.code == 3
    assert "there is no directory" in done.line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_stdout(two_chunks_gsc: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            arguments("gsdec", two_chunks_gsc, "-o", "-"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            timeout=60,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr.decode().startswith("gsdec: cannot write to stdout: ")
    assert done.stderr.decode().endswith(" [io.write]\n")


def test_broken_pipe_is_quiet(two_chunks_gsc: Path) -> None:
    """As with `gsdec ... | head`."""
    process = subprocess.Popen(
        arguments("gsdec", two_chunks_gsc, "-o", "-"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(4) == b"ply\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 3
