"""gsinfo and gsdec of files that change with time."""

from __future__ import annotations

import json
from pathlib import Path

import dynamic
import pytest
from click.testing import CliRunner

from gscodec.cli import gsdec, gsinfo
from gscodec.errors import Truncated, UsageError


def info(path: Path, *options: str) -> tuple[str, BaseException | None]:
    done = CliRunner().invoke(gsinfo.command, [str(path), *options])
    return done.stdout, done.exception


def test_segments_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "scene.gsc"
    path.write_bytes(dynamic.FILE)
    out, error = info(path, "--json")
    assert error is None
    facts = json.loads(out)
    assert (facts["format"]["profile"], facts["time"]["duration"]) == ("dynamic", 0.3)
    assert facts["megabits_per_second"] == pytest.approx(8e-6 * len(dynamic.FILE) / 0.3)
    assert [(s["start"], s["duration"], s["splats"]) for s in facts["segments"]] == [
        (0, 100, 3),
        (100, 100, 6),
        (200, 100, 3),
    ]
    assert sum(each["bytes"] for each in facts["sections"]) + 20 == len(dynamic.FILE)
    parts = {each["part"]: each["bytes"] for each in facts["parts"]}
    assert sum(parts.values()) == len(dynamic.FILE)
    assert min(parts[name] for name in ("position", "scale", "colour", "parameters and tables")) > 0
    text, error = info(path)
    assert error is None
    assert "Bytes by attribute" in text
    assert "3 segments, 0.300 s" in text
    assert "Mbit/s" in text


def test_what_is_there_of_a_file_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "scene.gsc"
    for case in dynamic.uncommon():
        path.write_bytes(case.data)
        assert info(path)[1] is None, case.name
    path.write_bytes(dynamic.FILE[:-100])
    out, error = info(path)
    assert isinstance(error, Truncated)
    assert "faulty" in out
    assert len(json.loads(info(path, "--json")[0])["segments"]) == 2


def test_a_time_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "scene.gsc"
    path.write_bytes(dynamic.FILE)
    done = CliRunner().invoke(gsdec.command, [str(path), "-o", str(tmp_path / "out.ply")])
    assert isinstance(done.exception, UsageError)
    assert "--time, --tick or --frames" in str(done.exception)
    for options in (["--decode-hash"], ["--diff", str(path)]):
        assert isinstance(info(path, *options)[1], UsageError)
    assert list(tmp_path.iterdir()) == [path]
