"""gsenc and gsdec of Spacetime-Gaussian PLY files and of motion bases."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, names, run

from gscodec.io.bases_npz import bases_bytes, read_bases_npz
from gscodec.io.safetensors import arrays_of, safetensors_of
from gscodec.io.spacetime import read_spacetime, write_spacetime

sys.path.append(str(ROOT / "tests/dynamic"))
from native_samples import bases, spacetime


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_spacetime(tmp_path / "gof_0.ply", spacetime(200))
    write_spacetime(tmp_path / "gof_1.ply", spacetime(150, seed=7))
    (tmp_path / "bases.npz").write_bytes(bases_bytes(bases(150)))
    return tmp_path


def test_spacetime(folder: Path) -> None:
    gsc = folder / "a.gsc"
    done = run("gsenc", folder / "gof_0.ply", "-o", gsc, "--duration", "1.5", "--effort", "1", "--json")
    assert done.code == 0, done.err
    assert (done.report["segments"], done.report["frames"], done.report["duration"]) == (1, 45, 1.5)
    assert run("gsdec", gsc, "-o", folder / "now.ply", "--time", "0.7").code == 0
    done = run("gsdec", gsc, "-o", folder / "back.ply", "--native", "--json")
    assert done.code == 0, done.err
    assert len(read_spacetime(folder / "back.ply")) == done.report["files"][0]["splats"] > 150
    assert run("gsdec", gsc, "-o", folder / "back.npz").code == 2
    assert run("gsdec", gsc, "-o", folder / "back.spz", "--native").code == 2


def test_several_files(folder: Path) -> None:
    gsc = folder / "a.gsc"
    done = run(
        "gsenc", folder / "gof_*.ply", "-o", gsc, "--fps", "25", "--gof", "50", "--effort", "1", "--json"
    )
    assert done.code == 0, done.err
    assert (done.report["segments"], done.report["duration"]) == (2, 4.0)
    assert "%05d" in run("gsdec", gsc, "-o", folder / "back.ply", "--native").line
    assert run("gsdec", gsc, "-o", folder / "out/%d.ply", "--native").code == 0
    assert names(folder / "out") == ["0.ply", "1.ply"]


def test_bases(folder: Path) -> None:
    gsc = folder / "a.gsc"
    done = run("gsenc", folder / "bases.npz", "-o", gsc, "--effort", "1", "--json")
    assert done.code == 0, done.err
    assert (done.report["model"], done.report["frames"]) == ("bases", 12)
    assert run("gsdec", gsc, "-o", folder / "back.npz").code == 0
    assert read_bases_npz(folder / "back.npz").frames == 12
    assert run("gsdec", gsc, "-o", folder / "%d.ply", "--frames", "::6").code == 0
    assert run("gsdec", gsc, "-o", folder / "x.ply", "--native").code == 2


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        ("gof_0.ply", (), "--duration"),
        ("gof_0.ply", ("--frames", "9", "--layers", "2"), "--layers"),
        ("gof_0.ply", ("--frames", "9", "--duration", "1"), "frames"),
        ("gof_0.ply", ("--duration", "0"), "duration"),
        ("bases.npz", ("--frames", "9"), "--frames"),
        ("bases.npz", ("--trbf", "plain"), "--trbf"),
    ],
)
def test_wrong_arguments(folder: Path, file: str, options: tuple[str, ...], words: str) -> None:
    done = run("gsenc", folder / file, "-o", folder / "a.gsc", "--effort", "1", *options)
    assert done.code == 2
    assert words in done.line
    assert not (folder / "a.gsc").exists()


def test_native_is_for_what_moves(scene_gsc: Path, scene_ply: Path, tmp_path: Path) -> None:
    assert run("gsdec", scene_gsc, "-o", tmp_path / "a.ply", "--native").code == 2
    done = run("gsenc", scene_ply, "-o", tmp_path / "a.gsc", "--frames", "9")
    assert done.code == 2
    assert "--frames" in done.line
    assert names(tmp_path) == []


def test_weights(folder: Path, scene_ply: Path) -> None:
    """What comes in comes out, of files that change and of others."""
    data = safetensors_of({"w": np.arange(6, dtype=np.float32).reshape(2, 3)})
    given, gsc, out = folder / "w.safetensors", folder / "a.gsc", folder / "out.safetensors"
    given.write_bytes(data)
    for source in ([folder / "gof_0.ply", "--frames", "9"], [folder / "bases.npz"], [scene_ply]):
        done = run("gsenc", *source, "-o", gsc, "--effort", "1", "--weights", given)
        assert done.code == 0, done.err
        assert run("gsdec", gsc, "--weights", out).code == 0
        assert out.read_bytes() == data
        assert run("gsdec", "-", "--weights", "-", data=gsc.read_bytes()).out == data
        done = run("gsinfo", gsc)
        assert b"w F32 [2, 3]" in done.out
        done = run("gsinfo", gsc, "--json")
        assert done.report["tensors"]["tensors"] == [{"name": "w", "type": "F32", "shape": [2, 3]}]
        assert done.report["problems"] == []
    np.savez(folder / "w.npz", w=np.zeros(3))
    assert run("gsenc", scene_ply, "-o", gsc, "--effort", "1", "--weights", folder / "w.npz").code == 0
    done = run("gsdec", gsc, "--weights", out, "-o", folder / "x.ply")
    assert (done.code, (folder / "x.ply").exists()) == (0, True)
    assert arrays_of(out.read_bytes())["w"].tolist() == [0, 0, 0]


def test_wrong_weights(folder: Path, scene_ply: Path, scene_gsc: Path) -> None:
    (folder / "w.safetensors").write_bytes(b"123456789")
    gsc = folder / "a.gsc"
    done = run("gsenc", scene_ply, "-o", gsc, "--effort", "1", "--weights", folder / "w.safetensors")
    assert (done.code, gsc.exists()) == (3, False)
    assert run("gsenc", scene_ply, "-o", gsc, "--lossless", "--weights", folder / "w.safetensors").code == 2
    done = run("gsdec", scene_gsc, "--weights", folder / "out.safetensors")
    assert (done.code, (folder / "out.safetensors").exists()) == (2, False)
    assert run("gsdec", scene_gsc).code == 2
