"""gsenc: what it writes, what it says, how it ends."""

from __future__ import annotations

import gzip
import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import ENVIRONMENT, MADE, arguments, names, run

import gscodec
from gscodec.cli.common import Teller, times
from gscodec.cli.encoding import warn, why_missed
from gscodec.encode.steps import PRESETS
from gscodec.evaluate.camera_files import write_cameras
from gscodec.evaluate.rigs import make_rig
from gscodec.io import read_ply, write_ply
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats


def test_encodes(scene_ply: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gsc"
    done = run("gsenc", scene_ply, "-o", out, "--effort", "1")
    assert done.code == 0
    assert done.out == b""
    assert out.read_bytes() == gscodec.encode(gscodec.read(scene_ply), effort=1)
    assert names(tmp_path) == ["out.gsc"]
    size = len(out.read_bytes())
    assert f"({times(scene_ply.stat().st_size / size)}) in " in done.line
    assert f"500 splats, {size / 500:.2f} bytes each" in done.line


def test_json(scene_ply: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gsc"
    done = run("gsenc", scene_ply, "-o", out, "--json", "--quality", "tiny", "--effort", "1")
    assert done.code == 0
    assert done.err == ""
    report, data = done.report, out.read_bytes()
    assert report["bytes_in"] == scene_ply.stat().st_size
    assert report["bytes_out"] == len(data)
    assert report["ratio"] == pytest.approx(report["bytes_in"] / len(data), rel=1e-3)
    assert report["sha256"] == hashlib.sha256(data).hexdigest()
    assert (report["splats"], report["preset"], report["warnings"]) == (500, "tiny", [])
    assert report["quality"] == PRESETS["tiny"]
    assert 0 < sum(report["bytes_by_stream"].values()) < len(data)
    assert report["seconds"] > 0


@pytest.mark.parametrize("quality", ["near-lossless", "small"])
def test_quality(scene_ply: Path, tmp_path: Path, quality: str) -> None:
    out = tmp_path / "out.gsc"
    assert run("gsenc", scene_ply, "-o", out, "--quality", quality, "--quiet", "--effort", "1").err == ""
    assert out.read_bytes() == gscodec.encode(gscodec.read(scene_ply), quality=quality, effort=1)


def test_pipes(scene_ply: Path) -> None:
    done = run("gsenc", "-", "-o", "-", "--json", "--effort", "1", data=scene_ply.read_bytes())
    assert done.code == 0
    assert done.out == gscodec.encode(gscodec.read(scene_ply), effort=1, stream=True)
    assert '"bytes_in": ' + str(scene_ply.stat().st_size) in done.err  # the report makes way for the data
    assert done.err.startswith("{")


def test_threads_do_not_matter(scene_ply: Path) -> None:
    rest = ("-o", "-", "--effort", "2")
    assert run("gsenc", scene_ply, *rest, "--threads", "1").out == run("gsenc", scene_ply, *rest).out


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_splats(tmp_path: Path, count: int) -> None:
    source, out, back = tmp_path / "in.ply", tmp_path / "out.gsc", tmp_path / "back.ply"
    write_ply(source, read_ply(MADE).splats.take(np.arange(count)))
    done = run("gsenc", source, "-o", out)
    assert done.code == 0
    assert ("warning: the input has no splats" in done.err) == (count == 0)
    assert run("gsdec", out, "-o", back).code == 0
    assert len(read_ply(back).splats) == count
    assert run("gsinfo", out).code == 0
    assert len(out.read_bytes()) < 1024


def _with_nan(path: Path) -> Path:
    splats = read_ply(MADE).splats.take(np.arange(10))
    splats.positions[3, 1] = np.nan
    splats.opacities[7] = np.inf
    write_ply(path, splats)
    return path


def test_nonfinite_is_dropped_and_said(tmp_path: Path) -> None:
    source, out = _with_nan(tmp_path / "in.ply"), tmp_path / "out.gsc"
    done = run("gsenc", source, "-o", out, "--effort", "2")
    assert done.code == 0
    assert "gsenc: warning: left out 2 splats with NaN or infinite values" in done.err
    assert len(gscodec.decode(out.read_bytes())) == 8
    report = run("gsenc", source, "-o", out, "--json", "--effort", "1").report
    assert report["dropped_nonfinite"] == 2
    assert len(report["warnings"]) == 1


def test_nonfinite_error(tmp_path: Path) -> None:
    source = _with_nan(tmp_path / "in.ply")
    out = tmp_path / "out.gsc"
    out.write_bytes(b"precious")
    done = run("gsenc", source, "-o", out, "--nonfinite", "error")
    assert done.code == 9
    assert "--nonfinite drop" in done.line
    assert out.read_bytes() == b"precious"


def test_warnings(tmp_path: Path) -> None:
    source, out = tmp_path / "in.ply", tmp_path / "out.gsc"
    lines = ["ply", "format ascii 1.0", "element vertex 1"]
    columns = ["x", "y", "z", *(f"f_dc_{i}" for i in range(3)), *(f"scale_{i}" for i in range(3))]
    columns += [f"rot_{i}" for i in range(4)]
    lines += [f"property {'double' if name == 'x' else 'float'} {name}" for name in columns]
    source.write_text("\n".join([*lines, "end_header", "1 2 3 0 0 0 -1 -2 -3 1 0 0 0", "junk", ""]))
    done = run("gsenc", source, "-o", out)
    assert done.code == 0
    assert "warning: the input lacks opacity" in done.err
    assert "warning: ignored 5 bytes" in done.err
    assert "warning: double precision is not kept: x" in done.err
    assert run("gsenc", source, "-o", out, "--quiet").err == ""


@pytest.mark.parametrize(
    ("name", "kind", "said"), [("label", np.int64, "no type"), ("opacity", np.uint8, "standard PLY property")]
)
def test_extras_that_no_ply_can_hold(name: str, kind: type, said: str) -> None:
    few = read_ply(MADE).splats.take(np.arange(2))
    teller = Teller("gsenc", as_json=True, quiet=False, data_on_stdout=False)
    warn(teller, SplatFile(splats=replace(few, extras={name: np.zeros(2, kind)})), {})
    (warning,) = teller.warnings
    assert warning.startswith("gsdec cannot write this .gsc to a PLY file: ")
    assert said in warning


def test_one_splat_left_out(tmp_path: Path) -> None:
    splats = read_ply(MADE).splats.take(np.arange(2))
    splats.positions[0, 0] = np.nan
    write_ply(tmp_path / "in.ply", splats)
    done = run("gsenc", "in.ply", "-o", "out.gsc", "--effort", "1", cwd=tmp_path)
    assert "left out 1 splat with NaN" in done.err
    assert "; 1 splat, " in done.err


def test_looks_through_cameras(scene_ply: Path, tmp_path: Path) -> None:
    """The summary and the report say what was left out, and how near the pictures are."""
    scene, out, path = gscodec.read(scene_ply), tmp_path / "out.gsc", tmp_path / "cameras.json"
    write_cameras(path, make_rig(scene, "near", views=6, size=(120, 90)))
    done = run("gsenc", scene_ply, "-o", out, "--effort", "2", "--cameras", path, "--measure")
    assert done.code == 0
    assert out.read_bytes() == gscodec.encode(scene, effort=2, cameras=path)
    left_out = 500 - len(gscodec.decode(out.read_bytes()))
    assert left_out > 1
    assert f"; left out {left_out} splats that no picture shows; " in done.line
    assert " dB, at worst " in done.line
    report = run("gsenc", scene_ply, "-o", out, "--effort", "2", "--cameras", path, "--json").report
    assert (report["pruned"], report["cameras"], report["effort"]) == (left_out, str(path), 2)
    report = run(
        "gsenc", scene_ply, "-o", out, "--effort", "2", "--no-prune", "--rig", "outside", "--json"
    ).report
    assert (report["pruned"], report["cameras"]) == (0, "rig outside")
    assert len(gscodec.decode(out.read_bytes())) == 500


def test_targets(scene_ply: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gsc"
    done = run("gsenc", scene_ply, "-o", out, "--effort", "1", "--target-size", "12B/splat")
    assert done.code == 0
    assert 5900 <= out.stat().st_size <= 6000
    assert "; quality " in done.line
    report = run("gsenc", scene_ply, "-o", out, "--effort", "1", "--target-psnr", "40", "--json").report
    assert report["target_reached"] is True
    assert report["preset"] is None
    assert abs(report["psnr"] - 40) <= 0.2
    done = run("gsenc", scene_ply, "-o", out, "--effort", "1", "--target-size", "10")
    assert done.code == 0
    assert "gsenc: warning: no quality reaches --target-size: this is the nearest" in done.err


def test_why_a_target_is_missed() -> None:
    report: dict[str, object] = {"splats": 5, "encodings": 8, "quality": 0.3, "psnr": 39.2, "max_error": 7.1}
    for aim, got in (("--target-psnr", "39.2 dB"), ("--target-size", "900 bytes"), ("--max-error", "7.1")):
        assert why_missed(aim, report, 900) == f"closest to {aim} after 8 tries is {got}"
    assert "no quality reaches" in why_missed("--max-error", {**report, "quality": 0.05}, 9)
    assert "without splats" in why_missed("--max-error", {"splats": 0}, 9)


def test_what_cannot_be_measured(scene_ply: Path, tmp_path: Path) -> None:
    scene = gscodec.read(scene_ply)
    path, out = tmp_path / "dark.ply", tmp_path / "out.gsc"
    gscodec.write(path, replace(scene, opacities=np.full(len(scene), -20, np.float32)))
    done = run("gsenc", path, "-o", out, "--effort", "1", "--target-psnr", "40")
    assert done.code == 0
    assert "warning: --target-psnr cannot be measured: no camera sees anything" in done.err


def test_cameras_that_nothing_looks_through(scene_ply: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gsc"
    for options in ([], ["--target-size", "5kB"]):
        done = run("gsenc", scene_ply, "-o", out, "--effort", "1", "--cameras", "none.json", *options)
        assert done.code == 0
        assert "warning: nothing is rendered at effort 1: --cameras was not read" in done.err
    done = run("gsenc", scene_ply, "-o", out, "--effort", "1", "--cameras", "none.json", "--measure")
    assert done.code == 3


def test_a_number_as_quality(scene_ply: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gsc"
    report = run("gsenc", scene_ply, "-o", out, "--effort", "1", "--quality", "0.7", "--json").report
    assert (report["quality"], report["preset"]) == (0.7, None)
    assert out.read_bytes() == gscodec.encode(gscodec.read(scene_ply), effort=1, quality=0.7)


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 3, "cannot read"),
        ("hello", 3, "not JSON"),
        ("[{}]", 3, "cameras.value"),
        ('{"frames": 3}', 3, "cameras.value"),
    ],
)
def test_bad_cameras(scene_ply: Path, tmp_path: Path, content: str | None, code: int, said: str) -> None:
    path = tmp_path / "cameras.json"
    if content is not None:
        path.write_text(content)
    done = run("gsenc", scene_ply, "-o", tmp_path / "out.gsc", "--cameras", path)
    assert done.code == code
    assert said in done.line
    assert not (tmp_path / "out.gsc").exists()


def test_cameras_that_are_all_for_tests(scene_ply: Path, tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    cameras = make_rig(gscodec.read(scene_ply), views=2)
    write_cameras(path, [replace(camera, split="test") for camera in cameras])
    done = run("gsenc", scene_ply, "-o", tmp_path / "out.gsc", "--cameras", path)
    assert done.code == 2
    assert "marked as test" in done.line


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ([], "Missing argument 'IN...'"),
        (["in.ply"], "Missing option '-o'"),
        (["in.ply", "-o", "x", "--quality", "great"], "'great': expected near-lossless, high"),
        (["in.ply", "-o", "x", "--quality", "0.001"], "or 0.05 to 32"),
        (["in.ply", "-o", "x", "--quality", "nan"], "or 0.05 to 32"),
        (["in.ply", "-o", "x", "--quality", "high", "--target-psnr", "40"], "exclude each other"),
        (["in.ply", "-o", "x", "--max-error", "3", "--target-size", "1MB"], "exclude each other"),
        (["in.ply", "-o", "x", "--target-psnr", "200"], "200.0 is not in the range"),
        (["in.ply", "-o", "x", "--target-size", "12 miles"], "expected bytes, as in 250000"),
        (["in.ply", "-o", "x", "--max-error", "0"], "0.0 is not in the range"),
        (["in.ply", "-o", "x", "--rig", "round"], "'round' is not one of"),
        (["in.ply", "-o", "x", "--rig", "near", "--cameras", "c.json"], "give one"),
        (["in.ply", "-o", "x", "--effort", "10"], "10 is not in the range"),
        (["in.ply", "-o", "x", "--effort", "0"], "0 is not in the range"),
        (["in.ply", "-o", "x", "--threads", "-1"], "-1 is not in the range"),
        (["in.ply", "-o", "x", "--nonfinite", "keep"], "'keep' is not one of"),
        (["in.ply", "-o", "x", "--fast"], "No such option"),
        (["in.ply", "-o", "x", "--cameras", ""], "the name of --cameras is empty"),
        (["in.ply", "-o", ""], "the name of the output is empty"),
        (["in.ply", "-o", "in.ply"], "also the input"),
    ],
)
def test_usage(tmp_path: Path, rest: list[str], said: str) -> None:
    (tmp_path / "in.ply").write_bytes(b"precious")
    done = run("gsenc", *rest, cwd=tmp_path)
    assert done.code == 2
    assert said in done.line
    assert done.line.endswith("see gsenc --help")
    assert names(tmp_path) == ["in.ply"]
    assert (tmp_path / "in.ply").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read in.ply"),
        (b"", "empty"),
        (b"hello\n", "not a PLY file"),
        (gzip.compress(b"ply\n", mtime=0), "gzip"),
        (MADE.read_bytes()[:5000], "need 992,000 bytes"),
    ],
)
def test_bad_input(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "in.ply").write_bytes(content)
    (tmp_path / "out.gsc").write_bytes(b"precious")
    done = run("gsenc", "in.ply", "-o", "out.gsc", "--json", cwd=tmp_path)
    assert done.code == 3
    assert said in done.line
    assert done.report["error"]["exit_code"] == 3
    assert (tmp_path / "out.gsc").read_bytes() == b"precious"
    assert set(names(tmp_path)) <= {"in.ply", "out.gsc"}


def test_gsc_as_input(scene_gsc: Path, tmp_path: Path) -> None:
    done = run("gsenc", scene_gsc, "-o", tmp_path / "out.gsc")
    assert done.code == 3
    assert done.line.endswith(".gsc is a .gsc already: gsdec decodes it [io.format]")
    piped = run("gsenc", "-", "-o", tmp_path / "out.gsc", data=scene_gsc.read_bytes())
    assert piped.line == "gsenc: the input is a .gsc already: gsdec decodes it [io.format]"


def test_hints_only_where_they_help(tmp_path: Path) -> None:
    (tmp_path / "empty.ply").write_bytes(b"")
    (tmp_path / "text.ply").write_bytes(b"hello\n")
    (tmp_path / "xyz.ply").write_text(
        "ply\nformat ascii 1.0\nelement vertex 0\nproperty float f_dc_0\nend_header\n"
    )
    said = {
        name: run("gsenc", name, "-o", "out.gsc", cwd=tmp_path).line
        for name in ("empty.ply", "text.ply", "xyz.ply", "none.ply")
    }
    assert said["empty.ply"].endswith("[ply.magic]")
    assert said["text.ply"].endswith("; convert it to PLY")
    assert said["xyz.ply"].endswith("; splats need x y z, f_dc_0..2, scale_0, scale_1 and rot_0..3")
    assert said["none.ply"].endswith("[io.read]")


def test_output_that_cannot_be(scene_ply: Path, tmp_path: Path) -> None:
    assert "there is no directory" in run("gsenc", scene_ply, "-o", tmp_path / "no/out.gsc").line
    assert "is a directory" in run("gsenc", scene_ply, "-o", tmp_path).line
    closed = Path("/proc")  # where not even root may write
    if not closed.is_dir():
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
    assert run("gsenc", scene_ply, "-o", closed / "out.gsc").code == 3
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_disk(scene_ply: Path) -> None:
    done = run("gsenc", scene_ply, "-o", "/dev/full", "--effort", "1")
    assert done.code == 3
    assert "the disk is full" in done.line


def _large(path: Path) -> Path:
    few = read_ply(MADE).splats
    many: Splats = few.take(np.arange(150_000) % len(few))
    noise = np.random.default_rng(1).normal(0, 0.3, many.positions.shape)
    write_ply(path, replace(many, positions=(many.positions + noise).astype(np.float32)))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("sent", "code", "after", "options"),
    [
        (signal.SIGINT, 130, 0.1, ["--effort", "1"]),
        (signal.SIGTERM, 143, 0.1, []),
        (signal.SIGINT, 130, 1.5, []),
        (signal.SIGINT, 130, 2.5, ["--effort", "4"]),
        (signal.SIGINT, 130, 2.0, ["--effort", "2", "--target-psnr", "40"]),
    ],
)
def test_interrupted(
    tmp_path: Path, sent: signal.Signals, code: int, after: float, options: list[str]
) -> None:
    """The signal comes while the encoder works; nothing half-written is left, and what was there stays."""
    source = _large(tmp_path / "in.ply")
    (tmp_path / "out.gsc").write_bytes(b"precious")
    command = arguments("gsenc", "-", "-o", tmp_path / "out.gsc", *options)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdin is not None
    process.stdin.write(source.read_bytes())  # returns once the command has taken nearly all of it
    process.stdin.close()
    process.stdin = None
    time.sleep(after)
    if process.poll() is not None:
        pytest.skip("too fast to be interrupted")
    process.send_signal(sent)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert err.decode().strip() == ("gsenc: interrupted" if code == 130 else "")
    assert names(tmp_path) == ["in.ply", "out.gsc"]
    assert (tmp_path / "out.gsc").read_bytes() == b"precious"


def test_max_memory(scene_ply: Path, tmp_path: Path) -> None:
    from gscodec.encode.effort import effort_of
    from gscodec.encode.regions import FIXED, LEAST, bytes_per_splat

    scene, out = tmp_path / "in.ply", tmp_path / "out.gsc"
    write_ply(scene, read_ply(MADE).splats.take(np.arange(2500)))
    memory = str(FIXED + LEAST * bytes_per_splat(effort_of(1), 3))
    rest = ("--effort", "1", "--max-memory", memory)
    done = run("gsenc", scene, "-o", out, "--json", *rest)
    assert (done.code, done.err) == (0, "")
    assert done.report["regions"] == 3
    assert done.report["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert names(tmp_path) == ["in.ply", "out.gsc"]
    piped = run("gsenc", "-", "-o", "-", "--no-stream", *rest, data=scene.read_bytes())
    assert piped.out == out.read_bytes()
    assert len(gscodec.decode(run("gsenc", scene, "-o", "-", "--stream", *rest).out)) == 2500
    assert run("gsenc", scene_ply, "-o", out, "--effort", "1", "--max-memory", "2GiB").code == 0
    assert out.read_bytes() == gscodec.encode(gscodec.read(scene_ply), effort=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-memory", "much"], "expected bytes, such as 2GiB"),
        (["--max-memory", "1MB"], "at least"),
        (["--max-memory", "1GiB", "--measure"], "whole scene"),
        (["--max-memory", "1GiB", "--target-size", "1000"], "whole scene"),
    ],
)
def test_max_memory_that_cannot_be(scene_ply: Path, tmp_path: Path, options: list[str], message: str) -> None:
    done = run("gsenc", scene_ply, "-o", tmp_path / "out.gsc", "--effort", "1", *options)
    assert done.code == 2
    assert message in done.line
    assert names(tmp_path) == []
