"""The lossless benchmark: every codec gives back the bytes, and the table says what was measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks.lossless import __main__ as program
from benchmarks.lossless.peers import OURS, PEERS, Coded, measure, missing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ply() -> bytes:
    """300 splats."""
    data = (ROOT / "examples/made_scene.ply").read_bytes()
    head, end, rows = data.partition(b"end_header\n")
    return head.replace(b"vertex 4000", b"vertex 300") + end + rows[: 300 * len(rows) // 4000]


@pytest.mark.parametrize("codec", PEERS)
def test_codecs_give_back_the_bytes(codec: str, ply: bytes) -> None:
    if codec in missing():
        pytest.skip(missing()[codec])
    row = measure("made", codec, ply)
    assert (row.splats, row.bytes_in) == (300, len(ply))
    assert row.size < len(ply)


def test_table() -> None:
    rows = [
        Coded(scene="a", codec=codec, splats=10, bytes_in=2480, size=size, encode=1.0, decode=1.0)
        for codec, size in (("xz -9", 2000), (OURS, 1700))
    ]
    text = program.table(rows)
    assert "| a | 10 | **gsc** | 170.00 | -15.0 % |" in text


def test_run(tmp_path: Path, ply: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/point_cloud.ply").write_bytes(ply)
    monkeypatch.setattr(program, "missing", lambda: {**missing(), "blosc2": "no module blosc2"})
    assert program.main(["--scenes", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out/RESULTS.md").read_text()
    assert "Missing in this run: " in text
    assert "blosc2" in text
    assert "gsc" in text
    assert program.main(["--scenes", str(tmp_path), "--scene", "other"]) == 1
