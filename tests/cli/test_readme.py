"""README tells the truth: its Python runs, its commands exist."""

from __future__ import annotations

import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import ROOT, run

import gscodec
from gscodec.evaluate.camera_files import write_cameras
from gscodec.evaluate.rigs import make_rig

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def prepare(scene_ply: Path, folder: Path) -> None:
    """The files that README speaks of."""
    (folder / "scans/room").mkdir(parents=True)
    (folder / "frames").mkdir()
    for name in ("scene.ply", "scans/room/one.ply", "frames/1.ply", "frames/2.ply"):
        shutil.copy(scene_ply, folder / name)
    write_cameras(folder / "cameras.json", make_rig(gscodec.read(scene_ply), views=12))


def test_python(scene_ply: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(scene_ply, tmp_path)
    monkeypatch.chdir(tmp_path)
    (code,) = (block for kind, block in BLOCKS if kind == "python")
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "again.ply").exists()


def test_commands(scene_ply: Path, scene_gsc: Path, tmp_path: Path) -> None:
    """Every line of the section on commands ends as it should."""
    prepare(scene_ply, tmp_path)
    (tmp_path / "cut_off.gsc").write_bytes(scene_gsc.read_bytes()[:-10])
    block = TEXT.split("## Commands")[1].split("```")[1].removeprefix("sh\n")
    for line in block.strip().splitlines():
        name, *rest = shlex.split(line.split("#")[0].split(">")[0])
        if "batch" in rest and not find_spec("distributed"):
            continue
        if name == "gsenc" and len(rest) > 3 and not {"--effort", "--lossless"} & set(rest):
            rest += ["--effort", "2"]  # quicker; the first line runs as it is
        assert run(name, *rest, cwd=tmp_path).code == (4 if "cut_off.gsc" in rest else 0), line


def test_licences() -> None:
    for name in ("LICENSE", "spec/LICENSE", "conformance/LICENSE"):
        assert name in TEXT
        assert (ROOT / name).is_file()
