"""The parts of benchmarks/scale that only compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.scale.__main__ import count_of, with_ratios
from benchmarks.scale.made import blocks
from benchmarks.scale.piece import piece
from gscodec.io import read_ply, write_ply


def test_ratios() -> None:
    rows = [
        {"effort": 1, "splats": 100, "encode_cpu_s": 1.0, "decode_cpu_s": 2.0},
        {"effort": 1, "splats": 400, "encode_cpu_s": 6.0, "decode_cpu_s": 4.0},
    ]
    found = with_ratios(rows)
    assert [row["encode_ratio"] for row in found] == [1.0, 1.5]
    assert [row["decode_ratio"] for row in found] == [1.0, 0.5]


@pytest.mark.parametrize("degree", [0, 1])
def test_made_scene_and_a_piece_of_it(tmp_path: Path, degree: int) -> None:
    whole, part = tmp_path / "whole.ply", tmp_path / "part.ply"
    write_ply(whole, blocks(3000, degree), count=3000)
    splats = read_ply(whole).splats
    assert (len(splats), splats.sh_degree) == (3000, degree)
    assert np.isfinite(splats.positions).all()
    assert 500 <= piece(whole, part, 600) <= 600
    assert count_of(part) == len(read_ply(part).splats)
