"""Turns, ratios, verdicts and reasons of benchmarks.speed.peers, with commands that only copy files."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.measure import Run
from benchmarks.peers import Codec, fill, read_codecs, unavailable
from benchmarks.speed import peers
from benchmarks.speed.peers import Contender, Series, take_turns
from benchmarks.static.scenes import ply_summary

COPY = f"{shlex.quote(sys.executable)} -c 'import shutil, sys; shutil.copy(*sys.argv[1:])' {{in}} {{out}}"


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-S", "-c", code, *arguments]


def runs(*seconds: float) -> list[Run]:
    return [Run(wall_s=s, cpu_s=2 * s, peak_mb=100 * s, output="") for s in seconds]


def test_shipped_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    codecs = {codec.name: codec for codec in read_codecs()}
    levels = [f"L-GSC level {level}" for level in range(3)]
    assert set(codecs) == {"SOG", "compressed.ply", *levels, "SPZ v4", "gsplat PNG"}
    for codec in codecs.values():
        assert {"{in}", "{out}"} <= set(shlex.split(codec.encode)) & set(shlex.split(codec.decode))
    limits = {codec.name: codec.limit("decode", "showroom") for codec in codecs.values() if codec.speed}
    assert limits == {"SOG": 1, "L-GSC level 1": 1, "L-GSC level 2": 1, "SPZ v4": 2.5}
    assert {codec.limit("decode", "fox") for codec in codecs.values()} == {None}
    assert codecs["L-GSC level 1"].limit("encode", "fox") == 2
    monkeypatch.delenv("GSPLAT_PYTHON", raising=False)
    assert unavailable(codecs["gsplat PNG"].encode) == "GSPLAT_PYTHON is not set"
    monkeypatch.setenv("GSPLAT_PYTHON", sys.executable)
    assert unavailable(codecs["gsplat PNG"].encode) == ""
    assert Path(fill(codecs["gsplat PNG"].encode, Path("a"), Path("b"), 3)[1]).is_file()


def test_names_of_files_stay_one_word() -> None:
    command = fill("tool --sh={degree} {in} -o {out}", Path("a b.ply"), Path("c'd"), 3)
    assert command == ["tool", "--sh=3", "a b.ply", "-o", "c'd"]


def test_tiny_ply(tmp_path: Path) -> None:
    path = tmp_path / "tiny.ply"
    path.write_bytes(peers.tiny_ply())
    assert ply_summary(path) == (3, 0)
    assert len(path.read_bytes().partition(b"end_header\n")[2]) == 3 * 14 * 4


def test_turns(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import sys; open(sys.argv[1], 'a').write(sys.argv[2]); print('took 1.5 s')"
    contenders = [
        Contender(
            name=name, command=python(code, str(log), name), output=tmp_path / name, own_clock="took (.*) s"
        )
        for name in "AB"
    ]
    broken = Contender(name="C", command=python("import sys; sys.exit('no licence')"), output=tmp_path / "C")
    series, failed = take_turns([*contenders, broken], 2)
    assert log.read_text() == "ABABAB"
    assert (
        failed == {"C": "-S -c import sys; sys.exit('no licence'): no licence"} or "no licence" in failed["C"]
    )
    assert {name: (len(one.runs), one.own_s) for name, one in series.items()} == {
        "A": (2, [1.5, 1.5]),
        "B": (2, [1.5, 1.5]),
    }


def test_an_output_with_other_splats_is_a_failure(tmp_path: Path) -> None:
    source, output = tmp_path / "in.ply", tmp_path / "out.ply"
    source.write_bytes(peers.tiny_ply())
    command = fill(COPY, source, output, 0)
    right = Contender(name="right", command=command, output=output, splats=3)
    wrong = Contender(name="wrong", command=command, output=output, splats=4)
    none = Contender(name="none", command=python("pass"), output=output, splats=3)
    series, failed = take_turns([right, wrong, none], 1)
    assert failed == {"wrong": "wrote another number of splats", "none": "wrote nothing"}
    assert series["right"].output_bytes == len(peers.tiny_ply())
    assert not output.exists()


def test_ratios_are_taken_turn_by_turn() -> None:
    series = {
        peers.OURS: Series(runs=runs(1, 2, 30), output_bytes=5_000_000, own_s=[]),
        "SPZ": Series(runs=runs(1, 1, 10), output_bytes=0, own_s=[]),
    }
    limits = {"SPZ": 2.5, peers.OURS: None}
    us, them = peers.rows_of("room", "decode", 100_000_000, series, limits)
    assert us["wall_s"] == 2
    assert us["output_mb"] == 5
    assert (us["memory_limit_mb"], us["memory_met"]) == (400, "yes")
    assert "wall_ratio" not in us
    assert (them["wall_ratio"], them["cpu_ratio"], them["met"]) == (2, 2, "yes")
    assert "memory_met" not in them
    limits["SPZ"] = 1.9
    assert peers.rows_of("room", "decode", 1, series, limits)[1]["met"] == "no"
    text = peers.report([us | {"job": "decode"}, them], [], 3)
    assert "| room | SPZ | 1.00 |" in text
    assert "Missing" not in text


def test_missing_codecs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = tmp_path / "point_cloud.ply"
    scene.write_bytes(peers.tiny_ply())
    coded = tmp_path / "given.bin"
    coded.write_bytes(peers.tiny_ply())
    monkeypatch.setattr(
        peers, "ours", lambda quality, *options: Codec(name=peers.OURS, encode=COPY, decode=COPY)
    )
    codecs = [
        Codec(name="absent", encode="no-such-tool {in} {out}", decode=COPY),
        Codec(name="given", encode="no-such-tool {in} {out}", decode=COPY),
        Codec(name="slow", encode=COPY, decode=COPY, time_encode=False, decode_limit=1000),
        Codec(name="deaf", encode=COPY, decode="no-such-tool {in} {out}"),
    ]
    rows, missing = peers.compare(scene, codecs, {("given", tmp_path.name): coded}, "default", 1, tmp_path)
    assert [(one.scene, one.name, one.job, one.reason) for one in missing] == [
        (tmp_path.name, "absent", "encode", "no-such-tool is not on the PATH"),
        (tmp_path.name, "deaf", "decode", "no-such-tool is not on the PATH"),
    ]
    done = [(row["job"], row["codec"]) for row in rows]
    start_up = [peers.TINY, peers.BARE]
    assert done == [("encode", name) for name in [peers.OURS, "deaf", *start_up]] + [
        ("decode", name) for name in [peers.OURS, "given", "slow", *start_up]
    ]
    assert next(row for row in rows if row["codec"] == "slow")["met"] == "yes"
    assert coded.exists()
    assert "- absent, encode of" in peers.report(rows, missing, 1)


@pytest.mark.parametrize("job", peers.JOBS)
def test_one_job(job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = tmp_path / "scene.ply"
    scene.write_bytes(peers.tiny_ply())
    monkeypatch.setattr(
        peers, "ours", lambda quality, *options: Codec(name=peers.OURS, encode=COPY, decode=COPY)
    )
    slow = Codec(name="slow", encode=COPY, decode=COPY, time_encode=False)
    rows, missing = peers.compare(scene, [slow], {}, "default", 1, tmp_path, [job])
    names = [peers.OURS, *(["slow"] if job == "decode" else []), peers.TINY, peers.BARE]
    assert [(row["job"], row["codec"]) for row in rows] == [(job, name) for name in names]
    assert not missing


def test_coded_files(tmp_path: Path) -> None:
    file = tmp_path / "room.sog"
    file.touch()
    assert peers.coded_file(f"SOG 2:room={file}") == (("SOG 2", "room"), file)
    for text in (f"SOG={file}", "SOG:room", "SOG:room=not-there"):
        with pytest.raises(argparse.ArgumentTypeError):
            peers.coded_file(text)
