"""gsinfo: facts, and where the bytes are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from commands import run, sections

import gscodec


def test_text(scene_gsc: Path) -> None:
    done = run("gsinfo", scene_gsc)
    assert (done.code, done.err) == (0, "")
    text = done.out.decode()
    for wanted in (
        "500 splats",
        "bits per splat",
        "position",
        "harmonics",
        "rendering model     classic",
        "CHNK",
        "SHA-256",
    ):
        assert wanted in text


def test_json(scene_gsc: Path, two_chunks_gsc: Path) -> None:
    for path in (scene_gsc, two_chunks_gsc):
        data = path.read_bytes()
        report = run("gsinfo", path, "--json").report
        splats = len(gscodec.decode(data))
        assert report["bytes"] == len(data) == sum(part["bytes"] for part in report["parts"])
        assert sum(part["share"] for part in report["parts"]) == pytest.approx(1)
        assert min(part["bytes"] for part in report["parts"]) >= 0
        assert report["splats"] == splats == sum(chunk["splats"] for chunk in report["chunks"])
        assert report["bits_per_splat"] == pytest.approx(8 * len(data) / splats)
        found = [(s["id"].encode(), s["offset"], s["bytes"]) for s in report["sections"]]
        assert found == sections(data)
        for chunk in report["chunks"]:
            assert sum(chunk["trees"]) == chunk["splats"]
        assert report["hashes"]["file"] == hashlib.sha256(data).hexdigest()
        assert bytes.fromhex(report["hashes"]["end_mark"]) == data[-36:-4]
        for name, step in (("scale", 0.06), ("opacity", 2.5 / 64)):
            assert 0 < report["parameter_sets"][0]["steps"][name][0] < 4 * step


def test_streams_are_those_of_the_encoder(scene_ply: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gsc"
    encoded = run("gsenc", scene_ply, "-o", out, "--json").report["bytes_by_stream"]
    shown = run("gsinfo", out, "--json").report["bytes_by_stream"]
    assert shown == {name: size for name, size in encoded.items() if name != "parameters" and name in shown}
    assert sum(shown.values()) == sum(size for name, size in encoded.items() if name != "parameters")


def test_decode_hash(scene_gsc: Path) -> None:
    ply = run("gsdec", scene_gsc, "-o", "-").out
    report = run("gsinfo", scene_gsc, "--json", "--decode-hash").report
    assert report["hashes"]["decoded_ply"] == hashlib.sha256(ply).hexdigest()


def test_pipe(scene_gsc: Path) -> None:
    done = run("gsinfo", "-", data=scene_gsc.read_bytes())
    assert done.code == 0


def test_faulty_file_is_shown_up_to_the_fault(scene_gsc: Path) -> None:
    done = run("gsinfo", "-", "--json", data=scene_gsc.read_bytes()[:-30])
    assert done.code == 4
    assert done.report["error"]["code"] == "container.truncated"
    assert [s["id"] for s in done.report["sections"]] == ["INDX", "SCEN", "PARM", "CHNK"]


@pytest.mark.parametrize("name", ["gsenc", "gsdec", "gsinfo"])
def test_help_and_version(name: str) -> None:
    text = run(name, "--help").out.decode()
    for wanted in ("Examples\n", f"  {name} ", "Exit codes", "--json", "--threads"):
        assert wanted in text
    assert max(map(len, text.splitlines())) <= 100
    assert run(name, "--version").out.decode() == f"{name} {gscodec.__version__} (format 0.4)\n"
    assert run(name).code == 2
