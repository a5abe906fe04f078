"""The comparison of formats; no tool of others is needed here."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.formats.__main__ import main
from benchmarks.formats.checks import CHECKS, FILES
from benchmarks.formats.differences import ATTRIBUTES, differences
from benchmarks.formats.scene import SPZ_READER, SPZ_WRITER, TRANSFORM, Tools
from gscodec._generated import coordinate_systems
from gscodec.io import read_ply, write_ply
from gscodec.io.axes import USUAL, in_axes
from gscodec.io.formats import read_splats, write_splats
from gscodec.io.splat_file import SplatFile
from gscodec.io.spz import write_spz
from gscodec.splats import Splats

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/made_scene.ply"
RUB = coordinate_systems.RIGHT_UP_BACK


def splats(count: int) -> Splats:
    return read_ply(EXAMPLE).splats.take(slice(0, count))


def test_differences() -> None:
    a = splats(50)
    assert set(differences(a, a)) == set(ATTRIBUTES)
    assert max(differences(a, a).values()) == 0
    b = replace(
        a,
        positions=a.positions + np.float32(1),
        rotations=-3 * a.rotations,
        opacities=np.where(a.opacities > 0, np.inf, -np.inf).astype(np.float32),
    )
    found = differences(a, b)
    assert found["positions"] == pytest.approx(1, abs=1e-5)
    assert found["shapes"] < 1e-6
    assert 0 < found["opacities"] <= 0.5
    assert found["colours"] == 0
    assert set(differences(a, a.take(slice(0, 49))).values()) == {float("inf")}


class StandIns:
    """The tools, reading and writing as we do."""

    def __init__(self) -> None:
        self.writes_wrong = ""

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert options["timeout"]
        name = Path(command[0]).name
        if name == TRANSFORM:
            assert command[1:5] == ["-q", "-w", "-g", "cpu"]
        target = Path(command[-1])
        source = Path(next(part for part in command[1:] if part not in ("-q", "-w", "-g", "cpu")))
        file = read_splats(source)
        if target.name.endswith(self.writes_wrong) and self.writes_wrong:
            return subprocess.CompletedProcess(command, 1, "", "out of\nluck")
        if name == SPZ_READER:
            write_ply(target, file.splats)
        elif name == SPZ_WRITER:
            write_spz(target, SplatFile(splats=file.splats, coordinate_system=RUB))
        else:
            if "-H" in command:
                bare = replace(file.splats, sh_rest=file.splats.sh_rest[:, :0])
                file = replace(file, splats=bare)
            if target.suffix == ".ply":
                file = in_axes(file, USUAL)
            write_splats(target, file)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandIns:
    """Their commands are in tmp_path/tools, a scene with harmonics and a found file in tmp_path."""
    found = StandIns()
    monkeypatch.setattr(subprocess, "run", found.run)
    (tmp_path / "tools").mkdir()
    for name in (SPZ_READER, SPZ_WRITER, TRANSFORM):
        (tmp_path / "tools" / name).touch()
    write_ply(tmp_path / "ghost.ply", splats(300))
    write_splats(tmp_path / "guitar.compressed.ply", SplatFile(splats=splats(30)))
    return found


def run(tmp_path: Path, *more: str) -> tuple[int, list[dict[str, str]], str]:
    """Exit code, the rows of the CSV, the Markdown."""
    out = tmp_path / "out"
    code = main(["--scenes", str(tmp_path), "--tools", str(tmp_path / "tools"), "--out", str(out), *more])
    if not out.exists():
        return code, [], ""
    with (out / "FORMATS.csv").open(encoding="utf-8", newline="") as file:
        return code, list(csv.DictReader(file)), (out / "FORMATS.md").read_text(encoding="utf-8")


def test_all_formats_in_both_directions(tmp_path: Path, tools: StandIns) -> None:
    code, rows, text = run(tmp_path)
    assert code == 0
    scene = [row for row in rows if row["scene"] == "ghost.ply"]
    assert [(row["format"], row["written"], row["compared"]) for row in scene] == [
        (check.format, check.written, check.compared) for check in CHECKS
    ]
    (found,) = (row for row in rows if row["scene"] != "ghost.ply")
    assert (found["format"], found["written"], found["splats"]) == ("compressed.ply", "others", "30")
    for row in rows:
        against_others = TRANSFORM in row["compared"] or SPZ_READER in row["compared"]
        if against_others:
            assert max(float(row[name]) for name in ATTRIBUTES) < 1e-5
        assert int(row["bytes"]) > 0
    assert "## ghost.ply" in text
    assert "## guitar" not in text
    assert "| compressed.ply | guitar.compressed.ply | us, splat-transform | 30 |" in text
    assert "| SOG 2, streamed | us | us, splat-transform | 300 |" in text


def test_without_tools_only_ours_are_compared(tmp_path: Path, tools: StandIns) -> None:
    for path in (tmp_path / "tools").iterdir():
        path.unlink()
    code, rows, _ = run(tmp_path)
    assert code == 0
    assert {row["written"] for row in rows} == {"us"}
    assert len(rows) == sum(not check.tools for check in CHECKS)


def test_no_scenes(tmp_path: Path) -> None:
    assert run(tmp_path) == (1, [], "")


def test_failures_are_rows(tmp_path: Path, tools: StandIns) -> None:
    tools.writes_wrong = ".glb"
    code, rows, _ = run(tmp_path, "--scene", "ghost.ply", "--format", "GLB")
    assert code == 1
    assert [row["note"] for row in rows] == ["failed: splat-transform failed: out of luck", ""]


def test_a_tool_that_needs_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", late)
    with pytest.raises(RuntimeError, match="more than 600 s"):
        Tools(tmp_path, tmp_path).run(TRANSFORM, "a", "b")


def test_streamed_scenes_are_read_by_data_sets(tmp_path: Path, tools: StandIns) -> None:
    write_splats(tmp_path / "meta.json", SplatFile(splats=splats(20)))
    for name in ("0_0", "1_0"):
        (tmp_path / name).mkdir()
        for path in tmp_path.glob("*.webp"):
            os.link(path, tmp_path / name / path.name)
        os.link(tmp_path / "meta.json", tmp_path / name / "meta.json")
    (tmp_path / "lod-meta.json").write_text(
        json.dumps({"filenames": ["0_0/meta.json", "1_0/meta.json"]}), encoding="utf-8"
    )
    found = Tools(tmp_path / "tools", tmp_path).read(tmp_path / "lod-meta.json", TRANSFORM)
    assert len(found) == 20


def test_every_found_file_has_a_reader() -> None:
    assert {check.written for _, check in FILES} == {"others"}
    assert all(check.tools for _, check in FILES)
