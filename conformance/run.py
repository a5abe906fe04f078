#!/usr/bin/env python3
"""Run the conformance vectors through any decoder. Standard library only.

    python conformance/run.py [--group G] [--match TEXT] [--timeout S] [--codes] [--file-order] \\
        [--report JSON] -- COMMAND {in} {out}

For each vector, COMMAND is started with {in} replaced by a .gsc file and {out} by the path of the PLY file to
write. Where {tick} stands in COMMAND, it is replaced by a tick (spec 12.9), and COMMAND is started for each
tick that the manifest lists; without {tick}, vectors of the dynamic profile are skipped. Of a file that does
not change with time, the tick is 0 and means nothing.

* A valid vector passes if the command exits with 0 and the PLY file has the SHA-256 of the manifest.
* A faulty one passes if the command exits with another code, by itself and in time, and leaves no output.
  With --codes, what it writes to stderr has to name the error code, and the exit code has to be that of the
  class.

The canonical PLY has the order of the input where a file restores it, and no comments. With --file-order, the
command is one that leaves splats as they stand in the file, which decoders may do.

Examples, from the root of the repository:

    python conformance/run.py -- gsdec --tick {tick} {in} -o {out} --no-comments
    python conformance/run.py --codes --group faulty -- python -m gscodec.reference --tick {tick} {in} {out}
    python conformance/run.py --list

Exit code: 0 if all passed, 1 if any failed, 2 if the command line is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EXIT_CODES = {"Truncated": 4, "Malformed": 5, "Integrity": 6, "Unsupported": 7, "LimitError": 8}

Vector = dict[str, Any]


def load(group: str | None, match: str, file_order: bool) -> list[Vector]:
    """The vectors of the manifest that were asked for."""
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    found = [
        vector
        for vector in manifest["vectors"]
        if group in (None, vector["group"]) and match in f"{vector['group']}/{vector['name']}"
    ]
    return [unordered(vector) for vector in found] if file_order else found


def unordered(vector: Vector) -> Vector:
    """What a decoder has to make of a vector that pays no attention to the order of the input."""
    if "file_order" not in vector:
        return vector
    rest = {name: value for name, value in vector.items() if name not in ("error", "splats", "ply_sha256")}
    return rest | vector["file_order"]


def at_ticks(vector: Vector) -> list[Vector]:
    """What a decoder has to make of a vector at each of its ticks."""
    if "ticks" not in vector:
        return [vector]
    return [vector | of_tick for of_tick in vector["ticks"]]


def title(vector: Vector) -> str:
    return f"{vector['group']}/{vector['name']}" + (f" at tick {vector['tick']}" if "tick" in vector else "")


def path_of(vector: Vector) -> Path:
    return HERE / f"vectors/{vector['group']}/{vector['name']}.gsc"


def verdict(vector: Vector, code: int, stderr: str, output: Path, codes: bool) -> str:
    """Why the outcome is wrong; empty if it is right."""
    if "error" not in vector:
        if code != 0:
            return f"exit code {code}: {last_line(stderr)}"
        if not output.exists():
            return "exit code 0, but no output"
        found = hashlib.sha256(output.read_bytes()).hexdigest()
        return "" if found == vector["ply_sha256"] else f"the PLY has SHA-256 {found}"
    error = vector["error"]
    if code == 0:
        return f"exit code 0, but this is {error['code']}"
    if code < 0:
        return f"killed by signal {-code}"
    if output.exists():
        return f"exit code {code}, but there is an output"
    if codes and error["code"] not in stderr:
        return f"expected {error['code']}: {last_line(stderr)}"
    if codes and code != EXIT_CODES[error["class"]]:
        return f"exit code {code}, expected {EXIT_CODES[error['class']]} for {error['class']}"
    return ""


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else "(nothing on stderr)"


def run(vector: Vector, command: Sequence[str], timeout: float, codes: bool, folder: Path) -> Vector:
    """Decode one vector; the line of the report."""
    path, output = (
        path_of(vector),
        folder / f"{vector['group']}-{vector['name']}-{vector.get('tick', '')}.ply",
    )
    line: Vector = {name: vector[name] for name in ("name", "group", "tick") if name in vector}
    if hashlib.sha256(path.read_bytes()).hexdigest() != vector["sha256"]:
        return {
            **line,
            "passed": False,
            "why": "the .gsc file is not the one of the manifest",
            "seconds": 0.0,
        }
    words = [
        word.replace("{tick}", str(vector.get("tick", 0)))
        .replace("{in}", str(path))
        .replace("{out}", str(output))
        for word in command
    ]
    start = time.monotonic()
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
        why = verdict(vector, done.returncode, done.stderr.decode(errors="replace"), output, codes)
    except subprocess.TimeoutExpired:
        why = f"not done after {timeout:g} s"
    except OSError as error:
        why = f"cannot run {words[0]}: {error.strerror}"
    seconds = round(time.monotonic() - start, 3)
    output.unlink(missing_ok=True)
    return {**line, "passed": not why, "why": why, "seconds": seconds}


def options_from(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="conformance/run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--group", choices=("baseline", "uncommon", "faulty", "regress"))
    parser.add_argument("--match", default="", metavar="TEXT", help="only vectors with TEXT in group/name")
    parser.add_argument(
        "--timeout", type=float, default=60, metavar="S", help="seconds for each (default: 60)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="run N at a time")
    parser.add_argument("--codes", action="store_true", help="require the error codes of faulty vectors")
    parser.add_argument(
        "--file-order", action="store_true", help="the command does not restore the order of the input"
    )
    parser.add_argument("--report", type=Path, metavar="JSON", help="write the outcome of each vector")
    parser.add_argument("--list", action="store_true", help="list the vectors and what they prove")
    cut = list(arguments).index("--") if "--" in arguments else len(arguments)
    options, command = parser.parse_args(arguments[:cut]), list(arguments[cut + 1 :])
    if not options.list and not ("{in}" in " ".join(command) and "{out}" in " ".join(command)):
        parser.error("expected -- COMMAND with {in} and {out}")
    return options, command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them all, then say how many passed."""
    options, command = options_from(sys.argv[1:] if arguments is None else arguments)
    vectors = load(options.group, options.match, options.file_order)
    if options.list:
        for vector in vectors:
            print(f"{vector['group']}/{vector['name']}\n    {vector['proves']}")
        return 0
    lines, skipped = [], 0
    if "{tick}" not in " ".join(command):
        skipped = sum(vector.get("profile") == "dynamic" for vector in vectors)
        vectors = [vector for vector in vectors if vector.get("profile") != "dynamic"]
    vectors = [each for vector in vectors for each in at_ticks(vector)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max(1, options.jobs)) as pool:

        def work(vector: Vector) -> Vector:
            return run(vector, command, options.timeout, options.codes, Path(folder))

        for line in pool.map(work, vectors):
            lines.append(line)
            if not line["passed"]:
                print(f"FAILED {title(line)}: {line['why']}", flush=True)
    for group in dict.fromkeys(line["group"] for line in lines):
        ours = [line for line in lines if line["group"] == group]
        print(f"{group:9} {sum(line['passed'] for line in ours):4} of {len(ours)}")
    failed = sum(not line["passed"] for line in lines)
    if skipped:
        print(f"{skipped} of the dynamic profile skipped: there is no {{tick}} in the command")
    if options.report:
        facts = {
            "command": command,
            "passed": len(lines) - failed,
            "failed": failed,
            "skipped": skipped,
            "vectors": lines,
        }
        options.report.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"{len(lines) - failed} passed, {failed} failed")
    return 1 if failed or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
