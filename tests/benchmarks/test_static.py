"""benchmarks.static with tools and a referee that are small scripts; its tables from made-up records."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.peers import Codec, unavailable, version_of
from benchmarks.speed.peers import tiny_ply
from benchmarks.static import ablation, cameras, codings, passes, photos, report
from benchmarks.static.cameras import DISTANCES
from benchmarks.static.codings import OURS, Coding, of_peer
from benchmarks.static.comparisons import bd_rows, closer_rows, ratio_rows, targets
from benchmarks.static.passes import Pass, Setup, measure_scene, quality_of
from benchmarks.static.scenes import Scene
from benchmarks.tables import read_csv
from gscodec.evaluate.camera_files import read_cameras

TOOL = """#!{python}
import shutil, sys, time
if sys.argv[1] == "--version":
    print("tool 1.2")
    sys.exit(3)
if sys.argv[1] == "sleep":
    time.sleep(30)
if sys.argv[1] == "fail":
    print("what came before", file=sys.stderr)
    sys.exit("no licence")
shutil.copy(*sys.argv[2:])
"""
REFEREE = """
import json, sys
out = sys.argv[sys.argv.index("--json") + 1]
tests = sys.argv[3:sys.argv.index("--rig")]
view = {"psnr_content": 40.5}
views = [view, {"psnr_content": "inf"}]
one = {"psnr": 7, "psnr_content": 41, "ssim": 0.99, "ssim_min": 0.98, "views": views}
with open(out, "w") as file:
    json.dump({"tests": [one] * len(tests)}, file)
"""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "bin" / "some-tool"
    path.parent.mkdir()
    path.write_text(TOOL.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=":")
    return path


@pytest.fixture
def scene() -> Scene:
    return Scene(name="tiny", source="", licence="", rigs=["auto"], views=2, size="8x8", file="tiny.ply")


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    (tmp_path / "tiny.ply").write_bytes(tiny_ply())
    (tmp_path / "referee.py").write_text(REFEREE)

    def fake(work: Pass) -> None:
        files = {distance: distance for distance in DISTANCES}
        work.sets["auto"] = {"cameras": "rig auto, 2 views", "files": files}

    monkeypatch.setattr(Pass, "cameras", fake)
    referee = [sys.executable, str(tmp_path / "referee.py")]
    out, work = tmp_path / "out", tmp_path / "work"
    return Setup(scenes=tmp_path, made=None, out=out, work=work, referee=referee, limit=20, started="now")


def codec(job: str = "copy", name: str = "Some") -> Codec:
    return Codec(
        name=name,
        encode=f"some-tool {job} {{in}} {{out}}",
        decode="some-tool copy {in} {out}",
        version="some-tool --version",
    )


def measure(setup: Setup, scene: Scene, *parts: Coding) -> dict[str, Any]:
    rows = measure_scene(setup, scene, setup.scenes / "tiny.ply", parts)["rows"]
    return dict(rows)


def test_adapter(tool: Path) -> None:
    coding = of_peer(codec())
    assert coding.version.startswith("tool 1.2 [")
    assert (coding.name, coding.family, coding.missing) == ("Some", "Some", "")
    before = version_of(codec())
    tool.write_text(tool.read_text() + "# another build\n")
    assert version_of(codec()) != before
    absent = replace(codec(), encode="no-such-tool {in} {out}")
    assert of_peer(absent).missing == unavailable(absent.encode) == "no-such-tool is not on the PATH"


@pytest.mark.usefixtures("tool")
def test_a_peer_is_measured_once(setup: Setup, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    row = measure(setup, scene, of_peer(codec()))["Some"]
    assert row["bytes"] == len(tiny_ply())
    assert row["sha256"] == row["decoded_sha256"]
    assert row["decoded_splats"] == 3
    assert row["encode"]["wall_s"] > 0
    assert row["encode"]["peak_mb"] > 0
    assert set(row["quality"]) == {"auto full", "auto half", "auto quarter"}
    assert row["quality"]["auto half"].items() >= {"psnr": 41, "psnr_min": 40.5, "ssim_min": 0.98}.items()
    assert not list(setup.work.rglob("*.decoded.ply"))

    later = replace(setup, started="later")
    assert measure(later, scene, of_peer(codec()))["Some"] == row
    assert measure(replace(later, force=["Some"]), scene, of_peer(codec()))["Some"]["run"] == "later"
    other = replace(of_peer(codec()), identity="another version")
    assert measure(replace(later, started="last"), scene, other)["Some"]["run"] == "last"

    monkeypatch.setattr(passes, "run", None)  # nothing is coded again for what is kept
    assert measure(later, scene, other)["Some"]["run"] == "last"


@pytest.mark.usefixtures("tool")
def test_peers_that_fail_are_named(setup: Setup, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, failing = of_peer(codec("sleep", "Slow")), of_peer(codec("fail", "Failing"))
    absent = of_peer(Codec(name="Absent", encode="no-such-tool", decode="no-such-tool"))
    rows = measure(replace(setup, limit=0.5), scene, slow, failing, absent)
    assert {name: row["failed"] for name, row in rows.items()} == {
        "Slow": "did not finish in 0.5 s",
        "Failing": "no licence",
        "Absent": "no-such-tool is not on the PATH",
    }
    monkeypatch.setattr(passes, "run", None)
    assert measure(replace(setup, limit=0.4), scene, slow)["Slow"] == rows["Slow"]  # not tried again
    assert measure(setup, scene, replace(failing, missing="gone"))["Failing"]["failed"] == "gone"


@pytest.mark.usefixtures("tool")
def test_our_own_failure_is_an_error(setup: Setup, scene: Scene) -> None:
    with pytest.raises(passes.CommandError, match="no licence"):
        measure(setup, scene, replace(of_peer(codec("fail")), codec=OURS))


def test_commands_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cameras of all.json"
    file.write_text("[]")
    monkeypatch.setattr(codings, "build_of_codec", lambda: "b")
    for given in (None, file):
        made = codings.ours("gsenc", "gsdec", {"p": "--quality p"}, ["default", "2"], "--x 1", 3, given)
        assert [one.name for one in made] == ["gscodec p default --x 1", "gscodec p 2 --x 1"]
        words = shlex.split(made[1].encode)
        shared = ["--effort", "2", "--x", "1", "--threads", "3"]
        start = ["gsenc", "{in}", "-o", "{out}", "-q", "--quality", "p"]
        assert words == [*start, *shared, *(["--cameras", str(file)] if given else [])]
        assert len({one.identity for one in made}) == 2


def test_cameras_come_closer(tmp_path: Path) -> None:
    turned = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]  # columns: right, down, forward = +x
    entry = {"width": 8, "height": 6, "fx": 5, "fy": 5, "position": [1, 2, 3], "rotation": turned}
    splits = ["train", "test", "", "test", "test"]
    entries = [entry | {"id": k, "img_name": f"{k}", "split": split} for k, split in enumerate(splits)]
    file = tmp_path / "cameras.json"
    file.write_text(json.dumps(entries))
    chosen = cameras.test_cameras(file, 12)
    assert [camera.name for camera in chosen] == ["1", "3", "4"]
    assert len(cameras.test_cameras(file, 2)) == 2
    cameras.write_all(tmp_path, chosen, [8.0, 4.0, 0.0])
    moved = {name: [c.position[0] for c in read_cameras(tmp_path / f"{name}.json")] for name in DISTANCES}
    assert moved == {"full": [1, 1, 1], "half": [5, 3, 1], "quarter": [7, 4, 1]}
    assert all(camera.position[1:].tolist() == [2, 3] for camera in read_cameras(tmp_path / "half.json"))


def test_loss_against_photographs(tmp_path: Path) -> None:
    photo = np.full((40, 40, 3), 0.5, np.float32)
    reference, test = photo + np.float32(0.01), photo + np.float32(0.1)
    found = photos.figures([photo], [reference], [test])
    assert found["reference_psnr"] == pytest.approx(40, abs=1e-3)
    assert found["loss"] == pytest.approx(20, abs=1e-3)
    assert found["error_p99"] == pytest.approx(0.09 * 255, abs=1e-3)
    assert photos.figures([photo], [reference], [reference])["ms_ssim"] == pytest.approx(1)
    (tmp_path / "b.png").touch()
    (tmp_path / "c.png").touch()
    entries = [{"img_name": "a"}, {"img_name": "b.jpg"}]
    assert photos.cameras_of(entries, tmp_path) == [(entries[1], tmp_path / "b.png")]


def test_figures_of_the_referee() -> None:
    views = [{"psnr_content": "inf"}, {"psnr_content": 40.5}, {"psnr_content": 45}]
    found = quality_of({"psnr": 1, "psnr_content": 41, "ssim": 0.99, "ssim_min": 0.98, "views": views})
    assert found == {"psnr": 41, "psnr_min": 40.5, "ssim": 0.99, "ssim_min": 0.98, "views": 3}


def test_an_ablation_is_a_change_of_bytes_at_equal_quality() -> None:
    normal = [(36.0, 20.0, 4.0), (42.0, 30.0, 8.0)]
    variant = [(psnr, similar, 1.2 * size) for psnr, similar, size in normal]
    assert ablation.change(variant, normal, 0) == pytest.approx(20)
    assert ablation.change(normal, variant, 1) == pytest.approx(100 / 1.2 - 100)
    assert ablation.change([(10.0, 1.0, 1.0), (20.0, 2.0, 2.0)], normal, 0) is None


# ---- tables


def row(name: str, size: int, psnr: float, **more: Any) -> dict[str, Any]:
    costs = {"wall_s": 2.0, "cpu_s": 1.0, "peak_mb": 50.0}
    figures = {"psnr": psnr, "psnr_min": psnr - 1, "ssim": 1 - 10 ** (-psnr / 20), "ssim_min": 0.9}
    near = {f"test {distance}": figures for distance in ("half", "quarter")}
    about = {"codec": name, "family": name, "point": "", "effort": "", "version": "v", "run": "now"}
    files = {"bytes": size, "sha256": "0" * 64, "decoded_sha256": "1" * 64, "decoded_splats": 5000}
    quality = {"test full": figures, **near}
    return about | files | {"encode": costs, "decode": costs, "quality": quality} | more


def record() -> dict[str, Any]:
    ours = {
        f"{point} {effort}": row(OURS, round(share * size), psnr, point=point, effort=effort)
        for effort, share in (("default", 1), ("1", 1.25))
        for point, size, psnr in (("tiny", 20_000, 34.0), ("default", 40_000, 40.0), ("high", 80_000, 57.0))
    }
    photo = {
        "photos": 7,
        "reference_psnr": 28.0,
        "psnr": 27.5,
        "loss": 0.5,
        "ms_ssim": 0.99,
        "error_p99": 9.0,
    }
    ours["default default"]["quality"]["photos"] = photo
    pace = {"wall_s": 4.0, "cpu_s": 4.0, "peak_mb": 1.0}
    peers = {
        "L-GSC level 1": row("L-GSC level 1", 90_000, 42.0, family="L-GSC", encode=pace),
        "L-GSC level 2": row("L-GSC level 2", 70_000, 39.0, family="L-GSC"),
        "SPZ v4": row("SPZ v4", 100_000, 39.0),
    }
    peers["SPZ v4"]["quality"]["test half"] = peers["SPZ v4"]["quality"]["test full"] | {"psnr": 45.0}
    failed = {key: value for key, value in row("SOG", 0, 1).items() if key in ("codec", "family", "point")}
    peers["SOG"] = failed | {"effort": "", "version": "v", "failed": "did not finish in 5 s"}
    about = {"scene": "fox", "source": "made up", "licence": "none", "group": "sh3", "sh_degree": 3}
    machine = {"processor": "p", "processors": 2, "python": "3"}
    sets = {"test": {"cameras": "12 views"}}
    return about | {"splats": 5000, "machine": machine, "sets": sets, "rows": {**ours, **peers}}


def test_report_is_written_from_records(tmp_path: Path) -> None:
    summary, rows = report.write_report(tmp_path, [json.loads(json.dumps(record()))])
    results = read_csv(tmp_path / "RESULTS.csv")
    assert [one["bytes_per_splat"] for one in results[:3]] == ["4.0", "8.0", "16.0"]
    assert results[0]["encode_over_lgsc"] == "0.5"
    (sog,) = (one for one in rows if one["codec"] == "SOG")
    assert (sog["origin"], sog["psnr"]) == (report.EARLIER, 48.42)
    assert "- SOG (fox): did not finish in 5 s" in summary
    text = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert "presets cover 35 .. 56 dB | 34.00 .. 57.00 dB | yes" in text
    assert f"SOG ({report.EARLIER})" in text
    assert "did not finish in 5 s; earlier measurement" in text
    (photo,) = read_csv(tmp_path / "PHOTOS.csv")
    assert photo["loss"] == "0.5"
    ratios = read_csv(tmp_path / "RATIOS.csv")
    assert len(ratios) == 2 * 4
    assert {one["effort"] for one in ratios} == {"default", "1"}
    spz = next(one for one in ratios if one["peer"] == "SPZ v4")
    assert (spz["target"], spz["met"]) == ("0.25", "no")


def test_comparisons_of_curves() -> None:
    rows = report.result_rows([record()])
    rates = {(one["effort"], one["against"]): one for one in bd_rows(rows)}
    assert rates["1", f"{OURS}, effort default"]["bd_rate"] == pytest.approx(25, abs=0.01)
    assert rates["default", "L-GSC"]["points"] == 2
    assert (rates["default", "L-GSC"]["low"], rates["default", "L-GSC"]["high"]) == (39, 42)
    assert rates["default", "SPZ v4"]["remark"] == "one point"
    assert rates["default", "SOG"]["remark"] == "one point"
    near = {(one["effort"], one["peer"], one["distance"]): one for one in closer_rows(rows)}
    assert near["default", "SPZ v4", "half"]["difference"] == pytest.approx(-6)
    assert near["default", "SPZ v4", "half"]["met"] == "no"
    assert near["default", "SPZ v4", "quarter"]["met"] == "yes"
    assert not [key for key in near if key[1] == "SOG"]
    assert len(ratio_rows(rows, targets())) == 8


def test_a_scene_with_one_point_has_no_ratio() -> None:
    one = record()
    one["rows"] = {name: one["rows"][name] for name in ("tiny default", "SPZ v4")}
    rows = report.result_rows([one])
    assert ratio_rows(rows, {}) == closer_rows(rows) == []
    assert [found["remark"] for found in bd_rows(rows)] == ["one point"]
