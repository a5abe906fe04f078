"""The pure parts of benchmarks/: interpolation, verdicts, tables. No codec and no referee runs here."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import ratios, tables
from benchmarks.measure import CommandError, TooSlowError, run
from benchmarks.montage import median_view
from benchmarks.peers import read_codecs
from benchmarks.ratios import (
    ABOVE,
    BELOW,
    INSIDE,
    Point,
    bd_rate,
    bytes_at,
    compare,
    envelope,
    quality_at,
    ssim_decibels,
)
from benchmarks.static import comparisons
from benchmarks.static.scenes import ply_summary, read_scenes


def points(*rows: tuple[float, float, float]) -> list[Point]:
    return [Point(bytes_per_splat=b, psnr=p, ssim=s) for b, p, s in rows]


OURS = points((4, 36, 0.98), (8, 42, 0.99), (16, 48, 0.995))


def test_log_bytes_are_linear_in_quality() -> None:
    curve = [(30.0, 2.0), (40.0, 8.0)]
    assert bytes_at(curve, 35).bytes_per_splat == pytest.approx(4)
    assert bytes_at(curve, 30).bytes_per_splat == pytest.approx(2)
    assert bytes_at(curve, 40).bytes_per_splat == pytest.approx(8)
    assert {bytes_at(curve, q).where for q in (30, 35, 40)} == {INSIDE}


def test_the_right_segment_is_used() -> None:
    curve = [(10.0, 1.0), (20.0, 2.0), (30.0, 8.0)]
    assert bytes_at(curve, 25).bytes_per_splat == pytest.approx(4)
    assert bytes_at(curve, 15).bytes_per_splat == pytest.approx(math.sqrt(2))


def test_outside_the_curve_is_flagged() -> None:
    curve = [(30.0, 2.0), (40.0, 8.0)]
    low, high = bytes_at(curve, 20), bytes_at(curve, 45)
    assert (low.where, low.bytes_per_splat) == (BELOW, 2.0)
    assert high.where == ABOVE
    assert high.bytes_per_splat == pytest.approx(16)


def test_useless_points_leave_the_curve() -> None:
    assert envelope([(40, 8), (30, 2), (29, 3), (math.inf, 20), (40, 9)]) == [(30, 2), (40, 8)]
    with pytest.raises(ValueError, match="two points"):
        bytes_at([(30, 2), (29, 3)], 30)


def test_ssim_in_decibels() -> None:
    assert ssim_decibels(0.99) == pytest.approx(20)
    assert ssim_decibels(0.999) == pytest.approx(30)
    assert math.isfinite(ssim_decibels(1.0))


def test_the_worse_ratio_counts() -> None:
    result = compare(OURS, Point(bytes_per_splat=20, psnr=42, ssim=0.98))
    assert result.psnr_ratio == pytest.approx(0.4)
    assert result.ssim_ratio == pytest.approx(0.2)
    assert result.ratio == pytest.approx(0.4)
    assert result.where == INSIDE


@pytest.mark.parametrize(
    ("peer", "target", "verdict"),
    [
        ((20, 42, 0.99), 0.4001, "yes"),
        ((20, 42, 0.99), 0.39, "no"),
        ((20, 42, 0.99), None, ""),
        ((20, 30, 0.99), 0.41, "yes"),  # below our lowest preset, which is small enough already
        ((8, 30, 0.97), 0.4, "open"),  # ... and here it might be
        ((80, 50, 0.99), 0.9, "open"),  # above our best preset: nothing is proven
        ((10, 50, 0.99), 0.4, "no"),  # ... but SSIM alone says no
    ],
)
def test_verdicts(peer: tuple[float, float, float], target: float | None, verdict: str) -> None:
    assert compare(OURS, points(peer)[0]).verdict(target) == verdict


def test_quality_at_a_size() -> None:
    curve = [(30.0, 2.0), (40.0, 8.0)]
    assert quality_at(curve, 4) == pytest.approx(35)
    assert (quality_at(curve, 1), quality_at(curve, 100)) == (30, 40)


def test_bd_rate_of_shifted_curves() -> None:
    theirs = [(q, 2.0 ** (q / 6)) for q in (36.0, 41.0, 47.0, 55.0)]
    ours = [(q, 0.7 * b) for q, b in theirs]
    share, low, high = bd_rate(ours, theirs)
    assert (share, low, high) == (pytest.approx(-0.3), 38, 52)
    assert bd_rate(theirs, theirs)[0] == pytest.approx(0)


def test_bd_rate_of_lines() -> None:
    """Log bytes 0.1 q and 0.2 q - 4: the mean of their difference is that at the middle of the range."""
    ours = [(q, math.exp(0.1 * q)) for q in (39.0, 45.0, 60.0)]
    theirs = [(q, math.exp(0.2 * q - 4)) for q in (30.0, 50.0)]
    share, low, high = bd_rate(ours, theirs)
    assert (low, high) == (39, 50)
    assert share == pytest.approx(math.exp(4 - 0.1 * 44.5) - 1)


def test_bd_rate_of_a_cubic() -> None:
    """PCHIP keeps to the points, and to a range without overshoot: a constant stretch stays constant."""
    theirs = [(q, 1.0) for q in (30.0, 60.0)]
    ours = [(30.0, 2.0), (45.0, 2.0 + 1e-9), (60.0, 2.0 + 2e-9)]
    assert bd_rate(ours, [(30.0, 1.0), (60.0, 1.0 + 1e-9)])[0] == pytest.approx(1, abs=1e-6)
    with pytest.raises(ValueError, match="two points"):
        bd_rate(ours, theirs)


def test_bd_rate_needs_a_common_range() -> None:
    with pytest.raises(ValueError, match="in common"):
        bd_rate([(30.0, 1.0), (37.0, 2.0)], [(40.0, 1.0), (50.0, 2.0)])


def test_every_earlier_point_names_a_known_scene_and_codec() -> None:
    scenes, wanted = read_scenes(), comparisons.targets()
    codecs = {codec.name for codec in read_codecs()}
    assert len(comparisons.earlier()) == 17
    for (scene, peer), row in comparisons.earlier().items():
        assert 0 < float(row["ssim"]) < 1 < float(row["bytes_per_splat"]) < float(row["psnr"])
        assert scenes[scene].group in {"sh3", "sh0"}
        assert peer in codecs
    assert wanted["sh3", "SOG"] == 0.27
    assert {peer for _, peer in wanted} <= codecs


@pytest.mark.parametrize(
    "path", sorted((Path(comparisons.PUBLISHED)).glob("*.csv")), ids=lambda path: path.stem
)
def test_published_tables_are_whole(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")
    rows = tables.read_csv(path)
    assert rows
    assert all(None not in row and None not in row.values() for row in rows)


def test_markdown_table() -> None:
    rows = [{"a": "x|y", "b": 1.234}, {"a": None, "b": math.inf}]
    assert tables.markdown(rows, [("a", "A", ""), ("b", "B", ".1f")]) == (
        "| A | B |\n|---|---:|\n| x\\|y | 1.2 |\n|  | inf |\n"
    )


def test_csv_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    tables.write_csv(path, [{"a": "x, y", "b": 2}, {"a": None}], ["a", "b"])
    assert tables.read_csv(path) == [{"a": "x, y", "b": "2"}, {"a": "", "b": ""}]


def test_median_view() -> None:
    views = [{"psnr_content": "inf"}, {"psnr_content": 40.5}, {"psnr_content": 45}]
    assert median_view(views, "psnr_content") == 2


def test_ply_summary(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    rest = "".join(f"property float f_rest_{k}\n" for k in range(24))
    path.write_bytes(f"ply\nelement vertex 7\nproperty float x\n{rest}end_header\n".encode() + b"\xff\n")
    assert ply_summary(path) == (7, 2)


@pytest.mark.skipif(sys.platform == "win32", reason="wait4 is a Unix call")
def test_a_slow_process_is_stopped_with_its_children(tmp_path: Path) -> None:
    late = tmp_path / "late"
    child = f"import time; time.sleep(3); open({str(late)!r}, 'w')"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    begin = time.monotonic()
    with pytest.raises(TooSlowError, match=r"did not finish in 0\.5 s"):
        run([sys.executable, "-c", code], limit=0.5)
    assert time.monotonic() - begin < 2.5
    time.sleep(max(0.0, begin + 4 - time.monotonic()))
    assert not late.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="wait4 is a Unix call")
def test_measured_process() -> None:
    done = run([sys.executable, "-c", "print('hello'); a = bytearray(60_000_000)"])
    assert done.output == "hello\n"
    assert done.wall_s > 0
    assert 60 < done.peak_mb < 200
    with pytest.raises(CommandError, match="no such thing"):
        run([sys.executable, "-c", "import sys; sys.exit('no such thing')"])


def test_the_peak_of_the_caller_does_not_count() -> None:
    ballast = b"x" * 150_000_000
    assert run([sys.executable, "-S", "-c", ""]).peak_mb < 60
    assert len(ballast) == 150_000_000
    assert ratios.MARKS[INSIDE] == ""
