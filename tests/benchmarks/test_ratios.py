"""The pure parts of benchmarks/: interpolation, verdicts, tables. No codec and no referee runs here."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import ratios, tables
from benchmarks.measure import CommandError, run
from benchmarks.montage import median_view
from benchmarks.ratios import ABOVE, BELOW, INSIDE, Point, bytes_at, compare, envelope, ssim_decibels
from benchmarks.static import report
from benchmarks.static.passes import quality_of
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


def test_every_peer_names_a_known_scene_and_target() -> None:
    scenes, wanted = read_scenes(), report.targets()
    assert len(report.peers()) == 17
    for peer in report.peers():
        assert peer["scene"] in scenes
        assert 0 < float(peer["ssim"]) < 1 < float(peer["bytes_per_splat"]) < float(peer["psnr"])
        assert scenes[peer["scene"]].group in {"sh3", "sh0"}
    assert wanted["sh3", "SOG"] == 0.35
    assert {peer for _, peer in wanted} <= {peer["peer"] for peer in report.peers()}


@pytest.mark.parametrize("path", sorted((Path(report.PUBLISHED)).glob("*.csv")), ids=lambda path: path.stem)
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


def record(psnr: tuple[float, ...]) -> dict[str, object]:
    presets = {
        preset: {
            "build": "b",
            "bytes": 1000 * (k + 1),
            "sha256": "0" * 64,
            "decoded_sha256": f"{k}" * 64,
            "decoded_splats": 5000,
            "encode": {"wall_s": 1.0, "cpu_s": 1.0, "peak_mb": 50.0},
            "decode": {"wall_s": 0.5, "cpu_s": 0.5, "peak_mb": 40.0},
            "quality": {
                "psnr": q,
                "psnr_min": q - 1,
                "ssim": 1 - 10 ** (-q / 20),
                "ssim_min": 0.9,
                "views": 12,
            },
        }
        for k, (preset, q) in enumerate(zip(("tiny", "small", "default"), psnr, strict=True))
    }
    return {
        "scene": "fox",
        "source": "made up",
        "licence": "none",
        "group": "sh3",
        "cameras": "12 views",
        "metric": "psnr",
        "rig": "inside",
        "splats": 5000,
        "sh_degree": 3,
        "machine": {"processor": "p", "processors": 2, "python": "3"},
        "presets": presets,
    }


def test_report_is_written_from_records(tmp_path: Path) -> None:
    rows = report.write_report(tmp_path, [json.loads(json.dumps(record((34.0, 40.0, 57.0))))])
    assert len(rows) == 5
    results = tables.read_csv(tmp_path / "RESULTS.csv")
    assert [row["bytes_per_splat"] for row in results] == ["0.2", "0.4", "0.6"]
    assert results[0]["encode_wall_s"] == "1.0"
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "presets cover 35 .. 56 dB | 34.00 .. 57.00 dB | yes" in text
    assert report.PEERS_REMARK in text
    assert "(inside)" in text
    assert {row["met"] for row in rows} <= {"yes", "open"}


def test_a_scene_with_one_preset_has_no_ratio(tmp_path: Path) -> None:
    one = record((34.0, 40.0, 57.0))
    one["presets"] = {"tiny": one["presets"]["tiny"]}  # type: ignore[index]
    assert report.write_report(tmp_path, [one]) == []


def test_figures_of_the_referee() -> None:
    views = [
        {"psnr_content": "inf", "psnr": 50},
        {"psnr_content": 40.5, "psnr": 60},
        {"psnr_content": 45, "psnr": 7},
    ]
    test = {"psnr": 1, "psnr_content": 41, "ssim": 0.99, "ssim_min": 0.98, "views": views}
    assert quality_of(test, "psnr_content") == {
        "psnr": 41,
        "psnr_min": 40.5,
        "ssim": 0.99,
        "ssim_min": 0.98,
        "views": 3,
    }
    assert median_view(views, "psnr_content") == 2


def test_ply_summary(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    rest = "".join(f"property float f_rest_{k}\n" for k in range(24))
    path.write_bytes(f"ply\nelement vertex 7\nproperty float x\n{rest}end_header\n".encode() + b"\xff\n")
    assert ply_summary(path) == (7, 2)


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
