"""gscodec convert, and other formats in gsenc, gsdec and gscodec compare."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import names, piece, run

import gscodec
from gscodec._generated import coordinate_systems
from gscodec.io import read_ply
from gscodec.io.formats import read_splats, write_splats
from gscodec.io.splat_file import SplatFile


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scene.ply, and the same as scene.spz."""
    path = tmp_path_factory.mktemp("formats")
    piece(path / "scene.ply", 300)
    write_splats(path / "scene.spz", SplatFile(splats=read_ply(path / "scene.ply").splats))
    return path


def test_there_and_back(folder: Path, tmp_path: Path) -> None:
    source = folder / "scene.ply"
    done = run("gscodec", "convert", source, tmp_path / "a.glb", "--strict")
    assert done.code == 0
    assert "does not state its axes" in done.err
    done = run("gscodec", "convert", tmp_path / "a.glb", tmp_path / "b.ply", "--json")
    assert done.code == 0
    assert done.report["splats"] == 300
    assert (done.report["format"], done.report["lost"], done.report["warnings"]) == ("ply", [], [])
    before, after = read_ply(source).splats, read_ply(tmp_path / "b.ply").splats
    assert np.array_equal(before.positions, after.positions)
    assert np.array_equal(before.sh_rest, after.sh_rest)


def test_streamed_sog(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "scene").mkdir()
    done = run("gscodec", "convert", folder / "scene.ply", tmp_path / "scene" / "lod-meta.json", "--json")
    assert done.code == 0
    assert names(tmp_path / "scene") == ["0_0", "lod-meta.json"]
    files = [path for path in (tmp_path / "scene").rglob("*") if path.is_file()]
    assert done.report["bytes_out"] == sum(path.stat().st_size for path in files)
    done = run("gscodec", "convert", tmp_path / "scene", tmp_path / "b.ply", "--json")
    assert (done.code, done.report["splats"]) == (0, 300)


def test_losses_are_told(folder: Path, tmp_path: Path) -> None:
    done = run("gscodec", "convert", folder / "scene.ply", tmp_path / "a.spz")
    assert done.code == 0
    assert "warning: not kept: positions are rounded to 1/4096" in done.err
    strict = run("gscodec", "convert", folder / "scene.ply", tmp_path / "b.spz", "--strict")
    assert (strict.code, "[format.lossy]" in strict.err) == (3, True)
    assert names(tmp_path) == ["a.spz"]


def test_to_gsc_and_back(folder: Path, tmp_path: Path) -> None:
    """A .gsc says which axes it has; what comes out of it is turned back."""
    gsc = tmp_path / "a.gsc"
    assert run("gscodec", "convert", folder / "scene.spz", gsc, "--quality", "high", "--quiet").code == 0
    assert "right_up_back" in run("gsinfo", gsc).out.decode()
    assert run("gscodec", "convert", gsc, tmp_path / "a.ply").code == 0
    wanted = gscodec.read(folder / "scene.spz")
    found = read_ply(tmp_path / "a.ply").splats
    assert abs(found.positions.mean(axis=0) - wanted.positions.mean(axis=0)).max() < 0.05
    plain = run("gsdec", gsc, "-o", tmp_path / "b.ply")
    assert "the axes stay right_up_back" in plain.err
    flipped = read_ply(tmp_path / "b.ply").splats
    assert np.array_equal(flipped.positions, found.positions * np.array([1, -1, -1], np.float32))


def test_gsenc_and_gsdec_take_other_formats(folder: Path, tmp_path: Path) -> None:
    spz = (folder / "scene.spz").read_bytes()
    gsc = tmp_path / "a.gsc"
    assert run("gsenc", "-", "-o", gsc, "--effort", "1", data=spz).code == 0
    again = tmp_path / "b.gsc"
    assert run("gsenc", folder / "scene.spz", "-o", again, "--effort", "1").code == 0
    assert gsc.read_bytes() == again.read_bytes()
    done = run("gsdec", gsc, "-o", tmp_path / "a.glb", "--json", "--sh-degree", "1")
    assert (done.code, done.report["format"], done.report["sh_degree"]) == (0, "gltf", 1)
    file = read_splats(tmp_path / "a.glb")
    assert file.coordinate_system == coordinate_systems.LEFT_UP_FORWARD
    assert (len(file.splats), file.splats.sh_degree) == (done.report["splats"], 1)
    piped = run("gsdec", gsc, "-o", "-", "--to", "gltf", "--sh-degree", "1")
    assert piped.out == (tmp_path / "a.glb").read_bytes()
    assert run("gsdec", gsc, "-o", tmp_path / "c.gsc").code == 2


def test_ply_keeps_its_axes_in_gsc(folder: Path, tmp_path: Path) -> None:
    gsc = tmp_path / "a.gsc"
    assert run("gsenc", folder / "scene.ply", "-o", gsc, "--effort", "1").code == 0
    assert gsc.read_bytes() == gscodec.encode(gscodec.read(folder / "scene.ply"), effort=1)
    assert run("gsdec", gsc, "-o", tmp_path / "a.ply").err.count("\n") == 1


def test_compare_turns_what_it_reads(folder: Path) -> None:
    done = run(
        "gscodec", "compare", folder / "scene.ply", folder / "scene.spz", "--views", "2", "--size", "64x48"
    )
    assert done.code == 0


def test_axes(folder: Path, tmp_path: Path) -> None:
    source = folder / "scene.ply"
    before = read_ply(source).splats.positions
    options = ["--from-axes", "right_up_back"]
    assert run("gscodec", "convert", source, tmp_path / "a.ply", *options).code == 0
    assert np.array_equal(read_ply(tmp_path / "a.ply").splats.positions, before * np.array([1, -1, -1], "f4"))
    options = ["--to-axes", "right_up_back"]
    assert run("gscodec", "convert", source, tmp_path / "b.ply", *options).code == 0
    assert np.array_equal(read_ply(tmp_path / "b.ply").splats.positions, before * np.array([1, -1, -1], "f4"))
    done = run(
        "gscodec",
        "convert",
        folder / "scene.spz",
        tmp_path / "c.gsc",
        "--to-axes",
        "forward_left_up",
        "--json",
    )
    assert (done.code, done.report["coordinate_system"]) == (0, "forward_left_up")


def test_pipes_and_degrees(folder: Path, tmp_path: Path) -> None:
    data = (folder / "scene.spz").read_bytes()
    done = run("gscodec", "convert", "-", "-", "--to", "ply", "--sh-degree", "0", data=data)
    assert done.code == 0
    (tmp_path / "a.ply").write_bytes(done.out)
    found = read_ply(tmp_path / "a.ply").splats
    assert (len(found), found.sh_degree) == (300, 0)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (["scene.ply", "a.xyz"], "does not tell a format"),
        (["scene.ply", "a.spz", "--quality", "high"], "--quality is for .gsc"),
        (["scene.ply", "a.spz", "--to-axes", "up"], "'up' is not one of"),
        (["scene.ply", "a.spz", "--to", "obj"], "'obj' is not one of"),
        (["scene.ply", "scene.ply"], "also the input"),
        (["scene.ply"], "Missing argument 'OUT'"),
    ],
)
def test_usage(rest: list[str], said: str, folder: Path) -> None:
    before = names(folder)
    done = run("gscodec", "convert", *rest, cwd=folder)
    assert (done.code, said in done.line) == (2, True), done.line
    assert names(folder) == before


def test_faults(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello", encoding="utf-8")
    done = run("gscodec", "convert", tmp_path / "a.txt", tmp_path / "b.ply", "--json")
    assert (done.code, done.report["error"]["code"]) == (3, "format.unknown")
    (tmp_path / "a.spz").write_bytes((folder / "scene.spz").read_bytes()[:-99])
    done = run("gscodec", "convert", tmp_path / "a.spz", tmp_path / "b.ply", "--json")
    assert (done.code, done.report["error"]["code"]) == (3, "spz.truncated")
    assert names(tmp_path) == ["a.spz", "a.txt"]


def test_read_and_write_of_the_package(folder: Path, tmp_path: Path) -> None:
    splats = gscodec.read(folder / "scene.spz")
    assert np.abs(splats.positions - gscodec.read(folder / "scene.ply").positions).max() < 0.001
    gscodec.write(tmp_path / "a.spz", splats)
    assert np.array_equal(gscodec.read(tmp_path / "a.spz").positions, splats.positions)
    gscodec.write(tmp_path / "scene", replace(splats, extras={"age": np.zeros(300, np.float32)}))
    assert set(gscodec.read(tmp_path / "scene").extras) == {"age"}
