"""One scene: everybody encodes and decodes it, then the referee renders the reference and every result.

Figures go to a JSON file per scene after each step, so that an interrupted run goes on where it stopped. A
row is coded again when its input, its tool or its arguments have changed; what the referee has seen is not
rendered again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.measure import CommandError, Run, TooSlowError, run
from benchmarks.peers import fill
from benchmarks.static.cameras import DISTANCES
from benchmarks.static.codings import OURS, Coding
from benchmarks.static.scenes import Scene, ply_summary, sha256_of

Record = dict[str, Any]
Ask = Callable[[Sequence[Path]], list[Record]]
METRIC = "psnr_content"  # over pixels that a splat covers: an empty background would flatter


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that is the same for all scenes."""

    scenes: Path
    made: Path | None
    out: Path
    work: Path
    referee: list[str]
    views: int | None = None
    limit: float = 600
    repeat: int = 1
    keep: bool = False
    force: Collection[str] = ()
    started: str = ""

    def record_path(self, scene: str) -> Path:
        """The JSON of a scene."""
        return self.out / "scenes" / f"{scene}.json"


def say(message: str) -> None:
    """Progress, for people."""
    print(message, file=sys.stderr, flush=True)


@cache
def machine() -> Record:
    """What the times were measured on."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {"processor": name, "processors": os.cpu_count(), "python": platform.python_version()}


def load(path: Path) -> Record:
    """The record of a scene, or an empty one."""
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return record


def save(path: Path, record: Record) -> None:
    """Write a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def key_of(*parts: object) -> str:
    """A hash by which to know that nothing has changed."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def _tool(command: Sequence[str], report: Path | None = None) -> str:
    """Run a helper that is not measured; its output, or the JSON that it wrote."""
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stderr.strip()[-2000:]}")
    say(f"  {command[2]} {command[3]}: {time.monotonic() - begin:.0f} s")
    return report.read_text(encoding="utf-8") if report else done.stdout


def _reason(error: Exception) -> str:
    """The last line of what a command said."""
    return (getattr(error, "reason", str(error)).splitlines() or ["failed"])[-1]


class Pass:
    """A scene in work: its record, its files, and the steps."""

    def __init__(self, setup: Setup, scene: Scene, reference: Path) -> None:
        self.setup, self.scene, self.reference = setup, scene, reference
        self.folder = setup.work / scene.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = setup.record_path(scene.name)
        self.input = sha256_of(reference)
        splats, self.degree = ply_summary(reference)
        record = load(self.path)
        if record.get("input_sha256") != self.input or "all" in setup.force:
            record = {}
        self.record = {key: record[key] for key in ("sets", "rows") if key in record} | {
            "scene": scene.name,
            "source": scene.source,
            "licence": scene.licence,
            "group": scene.group,
            "splats": splats,
            "sh_degree": self.degree,
            "input_bytes": reference.stat().st_size,
            "input_sha256": self.input,
            "machine": machine(),
        }
        self.sets: Record = self.record.setdefault("sets", {})
        self.rows: Record = self.record.setdefault("rows", {})

    def cameras(self) -> None:
        """The camera files of every set, kept in the work folder as long as nothing has changed."""
        scene, views = self.scene, self.setup.views or self.scene.views
        for name, rig in scene.sets().items():
            file = str(self.setup.scenes / rig) if rig.endswith(".json") else rig
            key = key_of(self.input, sha256_of(Path(file)) if file != rig else rig, views, scene.size)
            folder = self.folder / f"cameras_{name}"
            have = self.sets.get(name, {})
            files = {distance: folder / f"{distance}.json" for distance in DISTANCES}
            if have.get("key") == key and all(path.is_file() for path in files.values()):
                continue
            command = [sys.executable, "-m", "benchmarks.static.cameras", str(self.reference), "--rig", file]
            command += ["--views", str(views), "--size", scene.size, "--out", str(folder)]
            kind = _tool(command).strip()
            count = len(json.loads(files["full"].read_text(encoding="utf-8")))
            text = "test cameras of the scene" if file != rig else f"rig {rig} ({kind})"
            self.sets[name] = {
                "key": key,
                "cameras": f"{text}, {count} views, {scene.size}",
                "files": {distance: sha256_of(path) for distance, path in files.items()},
            }

    def code(self, coding: Coding) -> bool:
        """Bring a row up to date; whether there is something to look at."""
        old = self.rows.get(coding.name, {})
        if coding.codec in self.setup.force:
            old = {}
        key = key_of(self.input, coding.identity)
        row = {"codec": coding.codec, "family": coding.family, "point": coding.point, "effort": coding.effort}
        row |= {"version": coding.version, "key": key, "run": self.setup.started}
        if coding.missing:
            if "bytes" not in old:
                self.rows[coding.name] = row | {"failed": coding.missing}
            return "bytes" in old
        if old.get("key") == key and ("bytes" in old or old.get("limit", 0) >= self.setup.limit):
            say(f"  {coding.name}: kept{'' if 'bytes' in old else ', ' + old['failed']}")
            return "bytes" in old
        try:
            row |= self._measure(coding)
        except TooSlowError as error:
            self.rows[coding.name] = row | {"failed": str(error), "limit": self.setup.limit}
        except (CommandError, OSError, ValueError) as error:
            if coding.codec == OURS:
                raise
            self.rows[coding.name] = row | {"failed": _reason(error)}
        else:
            self.rows[coding.name] = {k: old[k] for k in ("quality",) if k in old} | row
        save(self.path, self.record)
        failed = self.rows[coding.name].get("failed")
        say(f"  {coding.name}: {failed or self._summary(row)}")
        return not failed

    def _summary(self, row: Record) -> str:
        return (
            f"{row['bytes']:,} bytes, {row['bytes'] / self.record['splats']:.2f} a splat, encoded in "
            f"{row['encode']['wall_s']:.2f} s, decoded in {row['decode']['wall_s']:.2f} s"
        )

    def _file(self, coding: Coding, suffix: str) -> Path:
        return self.folder / f"{coding.name.replace(' ', '_').replace('/', '_')}{suffix}"

    def _measure(self, coding: Coding) -> Record:
        """Encode and decode once, or the fastest of several. Both files stay in the work folder."""
        coded, decoded = self._file(coding, coding.suffix), self._file(coding, ".decoded.ply")
        runs: dict[str, Run] = {}
        pairs = {"encode": (self.reference, coded), "decode": (coded, decoded)}
        for job, (source, output) in pairs.items():
            command = fill(getattr(coding, job), source, output, self.degree)
            for _ in range(self.setup.repeat):
                output.unlink(missing_ok=True)
                done = run(command, self.setup.limit)
                if not (output.exists() and output.stat().st_size):
                    raise CommandError("wrote nothing")
                runs[job] = min(runs.get(job, done), done, key=lambda one: one.wall_s)
        figures = {
            job: {"wall_s": one.wall_s, "cpu_s": one.cpu_s, "peak_mb": one.peak_mb}
            for job, one in runs.items()
        }
        return figures | {
            "bytes": coded.stat().st_size,
            "sha256": sha256_of(coded),
            "decoded_sha256": sha256_of(decoded),
            "decoded_splats": ply_summary(decoded)[0],
        }

    def decoded(self, coding: Coding) -> Path | None:
        """The decoded file of a row, made again when it is not there; None when it cannot be made."""
        row, path = self.rows[coding.name], self._file(coding, ".decoded.ply")
        if path.is_file() and sha256_of(path) == row["decoded_sha256"]:
            return path
        coded = self._file(coding, coding.suffix)
        if coded.is_file() and sha256_of(coded) == row["sha256"]:
            run(fill(coding.decode, coded, path, self.degree))
            row["decoded_sha256"] = sha256_of(path)
        elif coding.missing:
            return None
        else:
            row |= self._measure(coding) | {"run": self.setup.started}
        return path

    def look(self, codings: Sequence[Coding], part: str, used: str, ask: Ask) -> None:
        """Ask about the rows whose figures in `part` are not of this file and of the cameras `used`."""
        waiting = {}
        for coding in codings:
            row = self.rows[coding.name]
            kept = row.get("quality", {}).get(part, {})
            if kept.get("key") != key_of(row["decoded_sha256"], used) and (path := self.decoded(coding)):
                waiting[coding.name] = path
        if waiting:
            for name, figures in zip(waiting, ask(list(waiting.values())), strict=True):
                row = self.rows[name]
                figures["key"] = key_of(row["decoded_sha256"], used)
                row.setdefault("quality", {})[part] = figures
            save(self.path, self.record)

    def judge(self, codings: Sequence[Coding], name: str, distance: str) -> None:
        """What the referee says with a set of cameras at a distance."""
        cameras = self.folder / f"cameras_{name}" / f"{distance}.json"
        used, size = self.sets[name]["files"][distance], self.scene.size

        def ask(tests: Sequence[Path]) -> list[Record]:
            report = self.folder / "referee.json"
            command = [*self.setup.referee, "compare", str(self.reference), *map(str, tests)]
            command += ["--rig", str(cameras), "--views", "999", "--size", size, "--json", str(report)]
            answer = json.loads(_tool(command, report))
            return [quality_of(test) for test in answer["tests"]]

        self.look(codings, f"{name} {distance}", f"{used} {size}", ask)

    def compare_photos(self, codings: Sequence[Coding]) -> None:
        """What photos.py says."""
        folder, cameras = self.setup.scenes / self.scene.photos, self.setup.scenes / self.scene.rigs[0]
        if not self.scene.photos or not folder.is_dir():
            return
        used = key_of(*map(sha256_of, [cameras, *sorted(folder.glob("*.png"))]), self.setup.views)

        def ask(tests: Sequence[Path]) -> list[Record]:
            report = self.folder / "photos.json"
            command = [
                sys.executable,
                "-m",
                "benchmarks.static.photos",
                str(self.reference),
                *map(str, tests),
            ]
            command += ["--cameras", str(cameras), "--photos", str(folder), "--json", str(report)]
            command += ["--views", str(self.setup.views)] if self.setup.views else []
            rows: list[Record] = json.loads(_tool(command, report))
            return rows

        self.look(codings, "photos", used, ask)


def quality_of(test: Record) -> Record:
    """The figures of one test in the referee's report. Infinite ones are the text "inf"."""
    views = test["views"]
    return {
        "psnr": test[METRIC],
        "psnr_min": min((view[METRIC] for view in views), key=float),
        "ssim": test["ssim"],
        "ssim_min": test["ssim_min"],
        "views": len(views),
    }


def measure_scene(setup: Setup, scene: Scene, reference: Path, codings: Sequence[Coding]) -> Record:
    """The record of one scene, with every coding up to date."""
    work = Pass(setup, scene, reference)
    work.cameras()
    done = [coding for coding in codings if work.code(coding)]
    for name in work.sets:
        for distance in DISTANCES:
            work.judge(done, name, distance)
    work.compare_photos(done)
    save(work.path, work.record)
    if not setup.keep:
        for path in work.folder.glob("*.decoded.ply"):
            path.unlink()
    return work.record
