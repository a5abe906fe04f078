"""Vectors are what their generators make and cover what they promise; run.py tells right from wrong."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import faulty
import features
import hello
import moving
import pytest
import uncommon

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> Any:
    """A generator that is a program."""
    spec = importlib.util.spec_from_file_location(
        f"generator_{name}", ROOT / f"conformance/generators/{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


build = load("build")  # not imported: there is a package of that name

MANIFEST = json.loads((ROOT / "conformance/manifest.json").read_text(encoding="utf-8"))["vectors"]
STREAM_CLASSES = {"Truncated", "Malformed", "Integrity", "Unsupported", "LimitError"}


def path_of(vector: dict[str, Any]) -> Path:
    return build.path_of(vector["group"], vector["name"])


def in_group(group: str) -> dict[str, dict[str, Any]]:
    return {vector["name"]: vector for vector in MANIFEST if vector["group"] == group}


def test_files_are_those_of_the_manifest() -> None:
    paths = {path_of(vector) for vector in MANIFEST}
    assert len(paths) == len(MANIFEST)
    assert paths == set((ROOT / "conformance/vectors").rglob("*.gsc"))
    for vector in MANIFEST:
        data = path_of(vector).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (vector["bytes"], vector["sha256"])
    assert sum(vector["bytes"] for vector in MANIFEST) < 2 << 20


def test_integer_vectors_are_what_their_generators_make() -> None:
    made = {("faulty", fault.name): fault.data for fault in faulty.faults()}
    made |= {("uncommon", vector.name): vector.data for vector in uncommon.crafted()}
    made |= {("uncommon", vector.name): vector.data for vector in uncommon.lossless_files()}
    made |= {("regress", vector.name): vector.data for vector in uncommon.regress()}
    made["baseline", "hello"] = hello.hello()
    made |= {(group, case.name): case.data for group, case in moving.all_cases()}
    stale = [key for key, data in made.items() if build.path_of(*key).read_bytes() != data]
    assert stale == []
    assert {name for group, name in made if group == "faulty"} == in_group("faulty").keys()


def test_faulty_vectors_have_the_code_that_they_were_made_for() -> None:
    entries = in_group("faulty")
    for fault in faulty.faults():
        assert entries[fault.name]["error"]["code"] == fault.code


def test_every_stream_error_has_a_vector() -> None:
    with (ROOT / "spec/tables/errors.csv").open(encoding="utf-8", newline="") as file:
        codes = {row["code"] for row in csv.DictReader(file) if row["error_class"] in STREAM_CLASSES}
    parts = ("error", "metadata", "thumbnail", "tensors")
    outcomes = [vector.get(part) for vector in MANIFEST for part in parts]
    errors = [facts.get("error", facts) for facts in outcomes if isinstance(facts, dict)]
    provoked = {error["code"] for error in errors if "code" in error}
    assert codes - provoked == set(faulty.NOT_PROVOKED)


def test_vectors_of_the_dynamic_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what they were made for, and run.py starts a decoder at each of their ticks."""
    (tmp_path / "manifest.json").write_text('{"vectors": []}')
    shutil.copy(ROOT / "conformance/run.py", tmp_path)
    monkeypatch.setattr(build, "VECTORS", tmp_path / "vectors")
    monkeypatch.setattr(build, "MANIFEST", tmp_path / "manifest.json")
    assert build.main(["--only", "dynamic_"]) == 0
    entries = json.loads((tmp_path / "manifest.json").read_text())["vectors"]
    assert len(entries) > 100
    assert {"baseline", "uncommon", "faulty"} == {entry["group"] for entry in entries}
    decoder = [sys.executable, "-m", "gscodec.reference", "{in}", "{out}"]
    runner = [sys.executable, str(tmp_path / "run.py"), "--match", "dynamic_gap"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*runner, "--", *decoder, "--tick", "{tick}"], capture_output=True, text=True, check=False,
        env=environment, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "9 passed, 0 failed"), done.stdout
    done = subprocess.run(
        [*runner, "--", *decoder], capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    assert (done.returncode, "1 of the dynamic profile skipped" in done.stdout) == (1, True)


GSDEC = ["-m", "gscodec.cli.gsdec", "--tick", "{tick}", "{in}", "-o", "{out}", "--quiet", "--no-comments"]
REFERENCE = ["-m", "gscodec.reference", "--tick", "{tick}", "{in}", "{out}"]


@pytest.mark.parametrize("decoder", [GSDEC, REFERENCE], ids=["gsdec", "reference"])
@pytest.mark.parametrize(("match", "count"), [("motion_models", 12), ("motion_one_segment", 5)])
def test_both_decoders_pass_vectors_at_their_ticks(decoder: list[str], match: str, count: int) -> None:
    """Of some vectors; tests/dynamic has all of them, bin/check all with the commands."""
    command = [sys.executable, str(ROOT / "conformance/run.py"), "--codes", "--match", match]
    done = subprocess.run(
        [*command, "--", sys.executable, "-P", *decoder], capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"{count} passed, 0 failed"), done.stdout


def test_the_chosen_seeds_cover_much() -> None:
    words: set[str] = set()
    for seed in uncommon.SEEDS[::2]:
        words |= features.features(build.path_of("uncommon", f"random_{seed:03}").read_bytes())
    for name in ("rounding_saturates", "rounding_denormal", "rounding_minus_zero", "scale_opacity_ends"):
        words |= features.features(build.path_of("uncommon", name).read_bytes())
    assert len(words) > 170, sorted(words)
    assert {"position saturates", "position denormal", "position minus zero", "8 classes"} <= words


def test_the_page_about_hello_is_fresh() -> None:
    text = build.PAGE.read_text(encoding="utf-8")
    assert hello.page(text) == text, "run conformance/generators/build.py"
    assert text.count("<!-- hello:") == text.count("<!-- end -->") == 4


# ------------------------------------------------------------ run.py

DECODER = """
import pathlib, shutil, sys
sys.path.insert(0, {root!r})
from gscodec.reference.__main__ import main
code = main(sys.argv[1:])
{twist}
sys.exit(code)
"""


def run(tmp_path: Path, twist: str, *options: str) -> tuple[int, str, dict[str, Any]]:
    script, report = tmp_path / "decoder.py", tmp_path / "report.json"
    script.write_text(DECODER.format(root=str(ROOT), twist=twist))
    command = [sys.executable, str(ROOT / "conformance/run.py"), "--report", str(report), *options]
    done = subprocess.run(
        [*command, "--", sys.executable, str(script), "{in}", "{out}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout, json.loads(report.read_text())


def test_run_passes_a_right_decoder(tmp_path: Path) -> None:
    for options in (("--group", "faulty", "--match", "index_", "--codes"), ("--match", "baseline/empty")):
        code, out, report = run(tmp_path, "", *options)
        assert (code, report["failed"]) == (0, 0), out
        assert out.endswith(f"{report['passed']} passed, 0 failed\n")
        assert report["passed"] >= 2


@pytest.mark.parametrize(
    ("twist", "match", "why"),
    [
        ("open(sys.argv[2], 'ab').write(b'x')", "baseline/hello", "SHA-256"),
        ("code = 1", "baseline/hello", "exit code 1"),
        ("pathlib.Path(sys.argv[2]).unlink()", "baseline/hello", "no output"),
        ("code = 0", "faulty/trailing", "exit code 0"),
        ("open(sys.argv[2], 'wb')", "faulty/trailing", "there is an output"),
        ("import os; os.abort()", "faulty/trailing", "signal"),
        ("import time; time.sleep(60)", "faulty/trailing", "not done"),
        ("code = 7", "faulty/trailing", "expected 5"),
    ],
)
def test_run_fails_a_wrong_decoder(tmp_path: Path, twist: str, match: str, why: str) -> None:
    code, out, report = run(tmp_path, twist, "--match", match, "--codes", "--timeout", "3")
    assert (code, report["passed"], report["failed"]) == (1, 0, 1)
    assert why in out
    assert out.endswith("0 passed, 1 failed\n")


def test_run_accepts_a_decoder_that_skips_the_permutation(tmp_path: Path) -> None:
    for match in ("uncommon/perm", "faulty/perm_repeat"):
        code, out, _ = run(tmp_path, "", "--match", match)
        assert code == 0, out
    code, out, _ = run(tmp_path, "", "--file-order", "--match", "faulty/perm_repeat")
    assert code == 1
    assert "exit code 5" in out


def test_run_finds_nothing_or_a_wrong_command_line(tmp_path: Path) -> None:
    code, out, _ = run(tmp_path, "", "--match", "no such vector")
    assert (code, out) == (1, "0 passed, 0 failed\n")
    command = [sys.executable, str(ROOT / "conformance/run.py"), "--", "decoder"]
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 2
