"""The rows that compare our formats with splat-transform's; that program is not needed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks import formats_tools_playcanvas as compared
from gscodec.io import read_ply, write_ply
from gscodec.splats import Splats

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/made_scene.ply"


def test_differences() -> None:
    a = read_ply(EXAMPLE).splats.take(slice(0, 50))
    found = compared.differences(a, a)
    assert set(found) == set(compared.ATTRIBUTES)
    assert max(value for value in found.values() if value is not None) == 0
    b = Splats(
        positions=a.positions + np.float32(1),
        scales=a.scales,
        rotations=-3 * a.rotations,
        opacities=np.where(a.opacities > 0, np.inf, -np.inf).astype(np.float32),
        sh_dc=a.sh_dc,
        sh_rest=a.sh_rest,
    )
    found = compared.differences(a, b)
    assert found["positions"] == pytest.approx(1, abs=1e-5)
    assert found["rotations"] == pytest.approx(0, abs=1e-6)
    assert 0 < (found["opacities"] or 0) <= 0.5
    with pytest.raises(ValueError, match="50 splats of degree 3, 49"):
        compared.differences(a, b.take(slice(0, 49)))


def test_without_scenes_there_are_no_rows(tmp_path: Path) -> None:
    assert compared.rows(tmp_path, tmp_path) == []


def test_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the program, which reads as we do."""
    write_ply(tmp_path / "ghost.ply", read_ply(EXAMPLE).splats.take(slice(0, 300)))
    monkeypatch.setattr(compared, "_streamed", lambda *_: {"format": "sog streamed"})

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        assert command[:5] == [str(tmp_path / "splat-transform"), "-q", "-w", "-g", "cpu"]
        source, target = Path(command[5]), Path(command[-1])
        if source == tmp_path / "ghost.ply":
            file = compared.SplatFile(splats=read_ply(source).splats)
            if target.suffix == ".sog":
                compared.write_sog(target, file)
            elif target.name.endswith(".compressed.ply"):
                compared.write_compressed_ply(target, file)
        else:
            kind = {"ply": "compressed.ply", "json": "sog"}.get(source.suffix[1:], source.suffix[1:])
            write_ply(target, compared.READ[kind](source).splats)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    rows = compared.rows(tmp_path, tmp_path)
    assert [row["format"] for row in rows] == [
        *(name for name, _, _ in compared.WRITE),
        "compressed.ply",
        "sog bundled",
        "sog streamed",
    ]
    for row in rows[:-1]:
        assert row["splats"] == 300
        assert max(row[name] or 0 for name in compared.ATTRIBUTES) == 0
        assert {"direction", "scene", "note"} <= set(row)
