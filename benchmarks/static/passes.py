"""One scene: encode and decode at each preset, then let the referee render the reference and every result.

Figures go to a JSON file per scene after each step, so that an interrupted run goes on where it stopped. A
preset is measured again when the codec has changed; what the referee has seen before is not rendered again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.measure import Run, run
from benchmarks.static.scenes import Scene, ply_summary, sha256_of

PRESETS = ("near-lossless", "high", "default", "small", "tiny")
Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that is the same for all scenes."""

    scenes: Path
    made: Path | None
    out: Path
    work: Path
    gsenc: list[str]
    gsdec: list[str]
    referee: list[str]
    views: int | None = None
    threads: int = 0
    repeat: int = 1
    keep: bool = False
    force: bool = False

    def record_path(self, scene: str) -> Path:
        """The JSON of a scene."""
        return self.out / "scenes" / f"{scene}.json"


def say(message: str) -> None:
    """Progress, for people."""
    print(message, file=sys.stderr, flush=True)


@cache
def build_of_codec() -> str:
    """A short hash of the code that encodes and decodes (modules and native library)."""
    import gscodec

    root = Path(gscodec.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.suffix in {".py", ".so", ".pyd"} and inside.parts[0] not in {"reference", "cli"}:
            digest.update(f"{inside}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


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


def _best(command: Callable[[], list[str]], repeat: int) -> Run:
    return min((run(command()) for _ in range(repeat)), key=lambda result: result.wall_s)


def _figures(result: Run) -> Record:
    return {"wall_s": result.wall_s, "cpu_s": result.cpu_s, "peak_mb": result.peak_mb}


def measure_preset(setup: Setup, reference: Path, preset: str, folder: Path) -> Record:
    """Encode and decode once (or the fastest of several); the decoded file stays in `folder`."""
    coded, decoded = folder / f"{preset}.gsc", folder / f"{preset}.ply"
    threads = ["--threads", str(setup.threads)] if setup.threads else []
    encode = [*setup.gsenc, str(reference), "-o", str(coded), "--quality", preset, "--json", *threads]
    decode = [*setup.gsdec, str(coded), "-o", str(decoded), *threads]
    for path in (coded, decoded):
        path.unlink(missing_ok=True)
    encoding = _best(lambda: encode, setup.repeat)
    decoding = _best(lambda: decode, setup.repeat)
    return {
        "build": build_of_codec(),
        "bytes": coded.stat().st_size,
        "sha256": sha256_of(coded),
        "decoded_sha256": sha256_of(decoded),
        "decoded_splats": ply_summary(decoded)[0],
        "encode": _figures(encoding),
        "decode": _figures(decoding),
    }


def quality_of(test: Record, metric: str) -> Record:
    """The figures of one test in the referee's report. Infinite ones are the text "inf"."""
    views = test["views"]
    return {
        "psnr": test[metric],
        "psnr_min": min((view[metric] for view in views), key=float),
        "ssim": test["ssim"],
        "ssim_min": test["ssim_min"],
        "views": len(views),
    }


def ask_referee(setup: Setup, scene: Scene, reference: Path, tests: Sequence[Path], report: Path) -> Record:
    """One call for all tests, so that the reference is rendered once."""
    options = scene.camera_options(setup.scenes, setup.views)
    command = [*setup.referee, "compare", str(reference), *map(str, tests), *options, "--json", str(report)]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the referee failed: {done.stderr.strip()[-2000:]}")
    say(f"  referee: {len(tests)} tests in {time.monotonic() - begin:.0f} s")
    answer: Record = json.loads(report.read_text(encoding="utf-8"))
    return answer


def measure_scene(setup: Setup, scene: Scene, reference: Path, presets: Sequence[str]) -> Record:
    """The record of one scene, with every wanted preset up to date."""
    path = setup.record_path(scene.name)
    record = {} if setup.force else load(path)
    input_hash = sha256_of(reference)
    cameras = scene.camera_text(setup.views)
    rig_hash = "" if scene.rig == "auto" else sha256_of(setup.scenes / scene.rig)
    view_key = hashlib.sha256(f"{input_hash} {cameras} {rig_hash} {scene.metric}".encode()).hexdigest()
    if record.get("view_key") != view_key:
        record = {}
    splats, degree = ply_summary(reference)
    record |= {
        "scene": scene.name,
        "source": scene.source,
        "licence": scene.licence,
        "group": scene.group,
        "cameras": cameras,
        "metric": scene.metric,
        "splats": splats,
        "sh_degree": degree,
        "input_bytes": reference.stat().st_size,
        "input_sha256": input_hash,
        "view_key": view_key,
        "machine": machine(),
    }
    rows: Record = record.setdefault("presets", {})
    seen = {row["decoded_sha256"]: row["quality"] for row in rows.values() if "quality" in row}
    folder = setup.work / scene.name
    folder.mkdir(parents=True, exist_ok=True)
    waiting: dict[str, Path] = {}
    for preset in presets:
        row = rows.get(preset, {})
        if row.get("build") == build_of_codec() and "quality" in row:
            say(f"  {preset}: kept")
            continue
        row = rows[preset] = measure_preset(setup, reference, preset, folder)
        say(
            f"  {preset}: {row['bytes']:,} bytes, {row['bytes'] / splats:.2f} a splat, encoded in "
            f"{row['encode']['wall_s']:.2f} s, decoded in {row['decode']['wall_s']:.2f} s"
        )
        if row["decoded_sha256"] in seen:
            row["quality"] = seen[row["decoded_sha256"]]
        else:
            waiting[preset] = folder / f"{preset}.ply"
        save(path, record)
    if waiting:
        report = folder / "referee.json"
        answer = ask_referee(setup, scene, reference, list(waiting.values()), report)
        record["rig"] = answer["rig"]
        for preset, test in zip(waiting, answer["tests"], strict=True):
            rows[preset]["quality"] = quality_of(test, scene.metric)
    record["presets"] = {name: rows[name] for name in PRESETS if name in rows}
    save(path, record)
    if not setup.keep:
        for preset in presets:
            (folder / f"{preset}.ply").unlink(missing_ok=True)
    return record
