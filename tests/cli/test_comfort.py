"""What helps people: errors explained, files compared, completion, manual pages, file(1) magic."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import ENVIRONMENT, MADE, ROOT, arguments, run

import gscodec
from gscodec._generated import errors


def test_every_code_is_explained() -> None:
    for code in ("container.crc", "ply.magic", "usage.steps", "limit.splats"):
        done = run("gsinfo", "--explain", code)
        assert (done.code, done.err) == (0, "")
        row = next(row for row in errors.ROWS if row.code == code)
        assert row.meaning in done.out.decode()
        assert f"exit code {row.exit_code}" in done.out.decode()
        assert json.loads(run("gsinfo", "--explain", code, "--json").out)["code"] == code
    listed = run("gsinfo", "--explain", "all").out.decode()
    assert all(row.code in listed for row in errors.ROWS)


def test_unknown_code() -> None:
    done = run("gsinfo", "--explain", "container.crx")
    assert done.code == 2
    assert "did you mean container.crc" in done.line


@pytest.mark.parametrize(
    "args", [[], ["--diff", "a.gsc"], ["a.gsc", "b.gsc"], ["--explain", "io.read", "a.gsc"]]
)
def test_number_of_files(args: list[str]) -> None:
    done = run("gsinfo", *args)
    assert done.code == 2
    assert "expected" in done.line


def test_difference(scene_gsc: Path, tmp_path: Path) -> None:
    splats = gscodec.decode(scene_gsc.read_bytes())
    other = tmp_path / "other.gsc"
    other.write_bytes(gscodec.encode(splats, quality="tiny", effort=1))
    same = run("gsinfo", "--diff", scene_gsc, scene_gsc)
    assert same.code == 0
    assert "byte for byte" in same.out.decode()
    text = run("gsinfo", "--diff", scene_gsc, other).out.decode()
    assert "steps.scale" in text
    assert "positions" in text
    report = run("gsinfo", "--diff", scene_gsc, other, "--json").report
    assert report["bytes"] == [scene_gsc.stat().st_size, other.stat().st_size]
    assert sum(part[0] for part in report["parts"].values()) == report["bytes"][0]
    assert report["decoded"]["sh_dc"] > 0
    copy = tmp_path / "cut.gsc"
    copy.write_bytes(scene_gsc.read_bytes()[:-1])
    assert run("gsinfo", "--diff", scene_gsc, copy).code == 4


@pytest.mark.parametrize("name", ["gsenc", "gsdec", "gsinfo", "gscodec"])
def test_completion(name: str) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = run("gscodec", "completion", shell)
        assert script.code == 0
        assert f"_{name.upper()}_COMPLETE" in script.out.decode()
    asked = {f"_{name.upper()}_COMPLETE": "bash_complete", "COMP_WORDS": f"{name} --", "COMP_CWORD": "1"}
    done = subprocess.run(
        arguments(name), env={**ENVIRONMENT, **asked}, capture_output=True, text=True, check=True, timeout=60
    )
    assert "plain,--version" in done.stdout


def test_manual_pages_are_fresh() -> None:
    pytest.importorskip("click_man")
    done = subprocess.run(
        [sys.executable, ROOT / "bin/man", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.skipif(shutil.which("file") is None, reason="file(1) is not installed")
def test_magic(scene_gsc: Path) -> None:
    magic = ["file", "--brief", "-m", os.fspath(ROOT / "share/misc/gscodec.magic")]
    text = subprocess.run([*magic, scene_gsc], capture_output=True, text=True, check=True).stdout
    assert text.startswith("Gaussian splats (gscodec), format 0.")
    mime = subprocess.run(
        [*magic, "--mime-type", scene_gsc], capture_output=True, text=True, check=True
    ).stdout
    assert mime.strip() == "model/vnd.gscodec"


def test_difference_of_lossless_files(scene_gsc: Path, tmp_path: Path) -> None:
    data = MADE.read_bytes()
    for name, changed in (("a", data), ("b", data[:-1] + bytes([data[-1] ^ 1])), ("c", data + b"tail")):
        (tmp_path / f"{name}.ply").write_bytes(changed)
        coded = tmp_path / f"{name}.gsc"
        assert run("gsenc", tmp_path / f"{name}.ply", "-o", coded, "--lossless", "-q").code == 0
    a, b, c = (tmp_path / f"{name}.gsc" for name in "abc")
    assert "byte for byte" in run("gsinfo", "--diff", a, a).out.decode()
    text = run("gsinfo", "--diff", a, b).out.decode()
    assert f"differ from byte {len(data) - 1:,} on" in text
    assert "ply.crc32" in text
    report = run("gsinfo", "--diff", a, c, "--json").report
    assert report["ply_differs_at"] == len(data)
    assert report["settings"]["ply.bytes"] == [len(data), len(data) + 4]
    assert sum(part[0] for part in report["parts"].values()) == a.stat().st_size
    mixed = run("gsinfo", "--diff", a, scene_gsc, "--json").report
    assert mixed["settings"] == {"format.profile": ["lossless", "core"]}
    assert mixed["splats"][0] == 4000


def test_difference_of_bits(scene_gsc: Path, tmp_path: Path) -> None:
    splats = gscodec.decode(scene_gsc.read_bytes())
    values = np.zeros(len(splats), np.float32)
    numbers = np.full(len(splats), 2**62, np.int64)
    for name, zero, number in (("a", 0.0, 2**62), ("b", -0.0, 2**62 + 1)):
        values[0], numbers[0] = zero, number
        extras = {"value": values.copy(), "number": numbers.copy()}
        data = gscodec.encode(replace(splats, extras=extras), effort=1, keep_order=True)
        (tmp_path / f"{name}.gsc").write_bytes(data)
    words = "gsinfo", "--diff", tmp_path / "a.gsc", tmp_path / "b.gsc"
    text = run(*words).out.decode()
    assert "extra value differ in bits, not in value" in text
    assert "extra number differ by up to 1, splat by splat" in text
    assert "positions" not in text
    report = run(*words, "--json").report
    assert report["decoded"]["extra number"] == 1
    assert "positions" in report["same_bits"]
    assert "extra value" not in report["same_bits"]


def test_every_code_as_json() -> None:
    every = json.loads(run("gsinfo", "--explain", "all", "--json").out)
    assert {"container.crc", "io.write"} < {each["code"] for each in every}
    assert "did you mean container.crc" in run("gsinfo", "--explain", "[CONTAINER.CRC]").line


def test_every_architecture_has_a_machine_of_its_own() -> None:
    """There is no emulation in the workflow: a machine builds what it can run."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cibuildwheel"]
    assert settings["linux"]["archs"] == ["auto64"]
    workflow = (ROOT / ".github/workflows/wheels.yml").read_text(encoding="utf-8")
    assert "ubuntu-latest, ubuntu-24.04-arm" in workflow
