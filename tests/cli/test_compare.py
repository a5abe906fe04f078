"""gscodec compare: what it measures, what it writes, what it says when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from commands import names, run
from PIL import Image

import gscodec
from gscodec.cli.gscodec import command
from gscodec.evaluate.rigs import make_rig
from gscodec.io import write_ply

FEW = ("--views", "2", "--size", "64x48")


def compare(*rest: str | Path) -> tuple[int, str]:
    """Exit code and output of gscodec compare, run within this process: for what goes wrong early."""
    done = CliRunner().invoke(command, ["compare", *map(str, rest)])
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def tiny_gsc(scene_ply: Path) -> Path:
    """The scene at the lowest quality."""
    path = scene_ply.with_name("tiny.gsc")
    path.write_bytes(gscodec.encode(gscodec.read(scene_ply), quality="tiny", effort=1))
    return path


@pytest.fixture(scope="module")
def cameras_json(scene_ply: Path) -> Path:
    """Five cameras of 80 x 60, two of which are for tests."""
    entries: list[dict[str, Any]] = []
    for number, each in enumerate(make_rig(gscodec.read(scene_ply), "outside", views=5, size=(80, 60))):
        entry: dict[str, Any] = {"id": number, "img_name": f"photo{number}"}
        entry |= {"width": each.width, "height": each.height, "fx": each.fx, "fy": each.fy}
        entry |= {"position": each.position.tolist(), "rotation": each.rotation.T.tolist()}
        entry |= {"split": "test" if number in (1, 4) else "train"}
        entries.append(entry)
    path = scene_ply.with_name("cameras.json")
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def test_table(scene_ply: Path, scene_gsc: Path, tiny_gsc: Path) -> None:
    done = run("gscodec", "compare", scene_ply, scene_gsc, tiny_gsc, *FEW)
    assert (done.code, done.err) == (0, "")
    lines = done.out.decode().splitlines()
    assert lines[0].split()[:3] == ["scene.ply", "500", "splats,"]
    assert "bytes a splat (reference)" in lines[0]
    assert lines[1].startswith("scene.gsc ")
    assert lines[1].endswith("x smaller")
    assert lines[3] == "2 views of rig auto, 64x48, gsplat mode, black background"
    titles = "distance PSNR content SSIM MS-SSIM FLIP p99 worst view"
    assert lines[5].split() == titles.split()
    assert [lines[6].split()[0], lines[9].split()[0]] == ["scene.gsc", "tiny.gsc"]
    rows = [line[: lines[5].index("worst")].split()[-7:] for line in lines[6:]]
    assert [row[0] for row in rows] == ["full", "1/2", "1/4"] * 2
    for good, bad in zip(rows[:3], rows[3:], strict=True):
        assert float(good[1]) > float(bad[1]) > 10
        assert float(good[5]) < float(bad[5])


def test_json_and_pictures(scene_ply: Path, scene_gsc: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("gscodec", "compare", scene_ply, scene_gsc, *FEW, "--json", "--png", out, "--worst", "2")
    report = done.report
    assert done.err == ""
    assert report["command"] == "gscodec compare"
    assert report["reference"]["splats"] == report["tests"][0]["splats"] == 500
    size = scene_gsc.stat().st_size
    assert report["tests"][0]["bytes"] == size
    assert report["tests"][0]["bytes_per_splat"] == pytest.approx(size / 500, abs=1e-4)
    groups = report["tests"][0]["distances"]
    assert [group["distance"] for group in groups] == [1, 0.5, 0.25]
    for group in groups:
        assert len(group["views"]) == 2
        assert 0.5 < group["mean"]["ms_ssim"] <= 1
        assert group["mean"]["psnr"] == pytest.approx(np.mean([view["psnr"] for view in group["views"]]))
        assert group["worst"]["psnr"]["value"] == min(view["psnr"] for view in group["views"])
    assert [Path(path).name for path in sorted(report["pictures"])] == names(out)
    assert len(names(out)) == 4
    for path in report["pictures"]:
        with Image.open(path) as image:
            image.load()
            assert image.mode == "RGB"


def test_a_file_and_its_copy(scene_ply: Path, tmp_path: Path) -> None:
    """Equal scenes; and two inputs of the same name are told apart."""
    copy = tmp_path / "scene.ply"
    copy.write_bytes(scene_ply.read_bytes())
    done = run("gscodec", "compare", scene_ply, copy, *FEW, "--distances", "1/2", "--no-flip", "--json")
    (group,) = done.report["tests"][0]["distances"]
    assert done.report["tests"][0]["name"] == str(copy)
    assert (group["distance"], group["equal_views"]) == (0.5, 2)
    assert group["mean"] == {
        "psnr": "inf",
        "psnr_content": "inf",
        "ssim": 1,
        "ms_ssim": 1,
        "p99_error": 0,
        "max_error": 0,
    }
    code, text = compare(scene_ply, copy, *FEW, "--distances", "1")
    assert code == 0
    assert "all equal" in text


def test_other_sh_degree(scene_ply: Path, tmp_path: Path) -> None:
    whole = gscodec.read(scene_ply)
    (tmp_path / "flat.gsc").write_bytes(gscodec.encode(whole, effort=1))
    write_ply(tmp_path / "flat.ply", gscodec.decode((tmp_path / "flat.gsc").read_bytes(), sh_degree=0))
    code, text = compare(scene_ply, tmp_path / "flat.ply", *FEW, "--distances", "1", "--json")
    assert code == 0
    assert json.loads(text)["tests"][0]["sh_degree"] == 0 < whole.sh_degree


def test_camera_files(scene_ply: Path, scene_gsc: Path, cameras_json: Path) -> None:
    """Test cameras where some are marked; sizes as asked, or the cameras' own."""

    def views(*rest: str) -> list[str]:
        code, text = compare(
            scene_ply, scene_gsc, "--cameras", cameras_json, "--distances", "1", "--no-flip", "--json", *rest
        )
        assert code == 0, text
        report = json.loads(text)
        assert report["cameras"]["source"] == str(cameras_json)
        return [view["view"] for view in report["tests"][0]["distances"][0]["views"]]

    assert views() == ["photo1", "photo4"]
    assert views("--split", "train", "--views", "2") == ["photo0", "photo3"]
    assert len(views("--split", "all", "--mode", "inria", "--background", "white", "--threads", "1")) == 5
    code, text = compare(
        scene_ply, scene_gsc, "--cameras", cameras_json, "--distances", "1", "--size", "40x40"
    )
    assert f"2 views of {cameras_json} (test), 40x30," in text
    assert code == 0
    assert compare(scene_ply, scene_gsc, "--cameras", cameras_json, "--quiet", "--distances", "1") == (0, "")


def test_lpips_that_is_not_there(scene_ply: Path, scene_gsc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gscodec.evaluate.metrics.lpips", lambda a, b: None)
    code, text = compare(scene_ply, scene_gsc, *FEW, "--distances", "1", "--lpips")
    assert code == 0
    assert "warning: no LPIPS" in text
    assert "LPIPS  " not in text


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (["--size", "big"], "no size"),
        (["--size", "64x"], "no size"),
        (["--size", "1x99999"], "16 to 8192"),
        (["--distances", "1,near"], "numbers with commas"),
        (["--distances", "1/0"], "numbers with commas"),
        (["--distances", "2"], "from 1/100 to 1"),
        (["--distances", "0"], "from 1/100 to 1"),
        (["--views", "0"], "--views"),
        (["--rig", "moon"], "--rig"),
        (["--rig", "near", "--cameras", "x"], "give one"),
        (["--split", "test"], "--split needs --cameras"),
        (["--worst", "3"], "--worst needs --png"),
        (["--png", ""], "not a folder"),
        (["--png", __file__], "not a folder"),
        (["no.ply"], "given twice"),
        (["-"], "stdin"),
    ],
)
def test_wrong_arguments(rest: list[str], message: str) -> None:
    """Refused before anything is read: the files need not exist."""
    code, text = compare("no.ply", "no.gsc", *rest)
    assert code == 2
    assert message in text


def test_errors_in_one_line(scene_ply: Path, scene_gsc: Path, tmp_path: Path) -> None:
    done = run("gscodec", "compare", scene_ply)
    assert done.code == 2
    assert done.line.startswith("gscodec compare: Missing argument")
    assert done.line.endswith("see gscodec compare --help")
    cut = tmp_path / "cut.gsc"
    cut.write_bytes(scene_gsc.read_bytes()[:-7])
    done = run("gscodec", "compare", scene_ply, cut, "--json")
    assert (done.code, done.report["error"]["code"]) == (4, "container.truncated")
    assert str(cut) in done.line
    done = run("gscodec", "compare", scene_ply, "missing.gsc")
    assert done.code == 3
    assert done.line == "gscodec compare: cannot read missing.gsc: No such file or directory [io.read]"
    (tmp_path / "text.ply").write_text("hello", encoding="utf-8")
    done = run("gscodec", "compare", tmp_path / "text.ply", scene_gsc)
    assert (done.code, "[ply.magic]" in done.line) == (3, True)


def test_cameras_that_are_not_there(scene_ply: Path, scene_gsc: Path, tmp_path: Path) -> None:
    done = run("gscodec", "compare", scene_ply, scene_gsc, "--cameras", tmp_path / "none.json")
    assert (done.code, "none.json" in done.line) == (3, True)
    (tmp_path / "cameras.json").write_text("[]", encoding="utf-8")
    assert run("gscodec", "compare", scene_ply, scene_gsc, "--cameras", tmp_path).code == 3


def test_a_split_without_cameras(
    scene_ply: Path, scene_gsc: Path, cameras_json: Path, tmp_path: Path
) -> None:
    entries = json.loads(cameras_json.read_text(encoding="utf-8"))
    plain = tmp_path / "cameras.json"
    plain.write_text(json.dumps([{**entry, "split": ""} for entry in entries]), encoding="utf-8")
    code, text = compare(scene_ply, scene_gsc, "--cameras", plain, "--split", "test")
    assert (code, "marks no camera as test" in text) == (2, True)


def test_no_splats(scene_gsc: Path, tmp_path: Path) -> None:
    write_ply(tmp_path / "empty.ply", gscodec.decode(scene_gsc.read_bytes()).take(slice(0, 0)))
    code, text = compare(tmp_path / "empty.ply", scene_gsc)
    assert (code, "no splats" in text) == (2, True)
    code, text = compare(scene_gsc, tmp_path / "empty.ply", *FEW, "--distances", "1")
    assert code == 0, text
    assert "0 splats" in text


def test_help() -> None:
    assert b"compare" in run("gscodec").out
    done = run("gscodec", "compare", "--help")
    assert (done.code, b"Examples" in done.out) == (0, True)
    assert run("gscodec", "--version").out.startswith(b"gscodec ")
    assert run("gscodec", "nothing").code == 2
