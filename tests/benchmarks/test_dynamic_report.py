"""What the dynamic benchmark makes of its figures, and that sequences are made as they say."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2]))

import gscodec
from benchmarks.dynamic.judge import mean_psnr
from benchmarks.dynamic.report import border_rows, rate_rows, ratio_rows
from benchmarks.dynamic.sequences import GONE, RECIPES, frames, jacobian_turns, turned, twist
from gscodec.splats import Splats


def point(codec: str, kb: float, psnr: float, **more: Any) -> dict[str, Any]:
    return {
        "codec": codec, "point": "q", "bytes": 10_000 * kb, "frames": 10, "psnr": psnr, "encode_cpu_s": 5.0,
        "by_frame": [psnr] * 10, **more,
    }  # fmt: skip


FACTS = {
    "name": "sway",
    "fps": 30,
    "frames": 10,
    "effort": 5,
    "rows": [
        point("gscodec, frame by frame", 100, 40),
        point("gscodec, frame by frame", 200, 50),
        point("gscodec", 10, 40, gof="auto", decode_cpu_s=1.0, segments=[[0, 500], [500, 500]]),
        point("gscodec", 40, 60, gof="auto", decode_cpu_s=1.0, segments=[[0, 1000]]),
        point("SOG", 400, 50),
        {"codec": "SPZ v4", "point": "", "missing": "not on the PATH"},
    ],
}


def test_ratios_are_at_equal_psnr() -> None:
    rows = {(row["peer"], row["psnr"]): row for row in ratio_rows(FACTS)}
    near = rows["gscodec, frame by frame q", 40]
    assert (near["times"], near["met"], near["gof"]) == ("10.0", "yes", "auto")
    assert rows["gscodec, frame by frame q", 50]["times"] == "10.0"
    assert rows["SOG q", 50]["times"] == "20.0"  # 20 kB between our 10 and 40
    assert rows["SOG q", 50]["met"] == "yes"


def test_rates_are_by_frame() -> None:
    rows = rate_rows(FACTS)
    assert rows[2]["kb"] == pytest.approx(10)
    assert rows[2]["mbps"] == pytest.approx(2.4)
    assert rows[-1]["missing"] == "not on the PATH"


def test_borders_are_next_to_their_segment() -> None:
    psnr = [40.0] * 20
    psnr[10], psnr[15] = 30.0, 31.0
    rows = [
        {
            **point("gscodec", 10, 40, gof="auto", segments=[[0, 500], [500, 500]], by_frame=psnr),
            "frames": 20,
        }
    ]
    (row,) = border_rows({**FACTS, "frames": 20, "rows": rows})
    assert row["borders"] == 1
    assert row["largest"] == pytest.approx(mean_psnr(psnr[10:]) - mean_psnr(psnr[10:13]))
    assert row["inside"] == pytest.approx(mean_psnr(psnr[10:]) - mean_psnr(psnr[13:16]))
    assert row["single"] == pytest.approx(mean_psnr(psnr[10:]) - 30)
    assert row["anywhere"] == pytest.approx(mean_psnr(psnr[10:]) - 30)
    assert row["met"] == "no"


def test_sequences_move_as_they_say(scene: Splats) -> None:
    recipe = replace(RECIPES["sway"], frames=40, noise=0.0)
    first, *_, last = made = list(frames(recipe, scene))
    assert len(made) == 40
    assert first.positions == pytest.approx(scene.positions, abs=1e-4)
    assert np.abs(last.positions - first.positions).max() > 0
    gone = (np.array([frame.opacities for frame in made]) == np.float32(GONE)).any(0)
    assert 0 < np.count_nonzero(gone) < 0.2 * len(scene)
    assert (first.sh_dc == last.sh_dc).all()


def test_rotations_follow_the_motion() -> None:
    places = np.random.default_rng(1).uniform(-0.5, 0.5, (50, 3))
    turns = jacobian_turns(twist, places, 0.4)
    unit = np.tile(np.array([1, 0, 0, 0], np.float32), (50, 1))
    w = turned(unit, turns)[:, 0]
    angle = np.radians(20) * (places[:, 1] + 0.5) * np.sin(2 * np.pi * 0.3 * 0.4)
    assert 2 * np.arccos(np.clip(w, -1, 1)) == pytest.approx(np.abs(angle), abs=0.15)


@pytest.fixture
def scene() -> Splats:
    return gscodec.read(Path(__file__).parents[2] / "examples/made_scene.ply")
