"""python -m benchmarks.scale --big SCENE.ply [--made N]

Encodes and decodes pieces of a large scene, each as a whole process: seconds of processor and of the clock,
the peak of resident memory, and the time of a splat as a multiple of the smallest piece's in the same run,
since machines differ and are rarely idle. A piece is a box of the scene with about as many splats, thinned
evenly to the count; the last one is all of it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown, write_csv
from gscodec.io.blocks import SplatBlocks

COLUMNS = [
    ("scene", "scene", ""),
    ("splats", "splats", ",d"),
    ("effort", "effort", "d"),
    ("memory", "--max-memory", ""),
    ("bytes_per_splat", "bytes/splat", ".2f"),
    ("encode_s", "encode, s", ".1f"),
    ("encode_cpu_s", "processor s", ".1f"),
    ("encode_ratio", "per splat, to the first", ".2f"),
    ("encode_mib", "peak MiB", ".0f"),
    ("decode_s", "decode, s", ".1f"),
    ("decode_cpu_s", "processor s", ".1f"),
    ("decode_ratio", "per splat, to the first", ".2f"),
    ("decode_mib", "peak MiB", ".0f"),
]


def count_of(path: Path) -> int:
    """Splats of a PLY file."""
    with SplatBlocks(path) as blocks:
        return blocks.count


def measured(command: list[str], feed: list[str] | None = None) -> dict[str, float]:
    """Seconds and memory of a process, with what `feed` writes on its stdin."""
    begin = time.perf_counter()
    source = subprocess.Popen(feed, stdout=subprocess.PIPE) if feed else None
    process = subprocess.Popen(command, stdin=source.stdout if source else None)
    if source is not None and source.stdout is not None:
        source.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    if source is not None:
        source.wait()
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command)}: exit code {code}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return {
        "s": time.perf_counter() - begin,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "mib": usage.ru_maxrss / unit,
    }


def row(name: str, source: str, count: int, options: argparse.Namespace, effort: int) -> dict[str, Any]:
    """One scene at one effort; a made-up one where `source` is "-"."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        packed, back = Path(folder) / "scene.gsc", Path(folder) / "scene.ply"
        python = [sys.executable, "-m"]
        feed = [*python, "benchmarks.scale.made", str(count)] if source == "-" else None
        encode = [*python, "gscodec.cli.gsenc", source, "-o", str(packed), "--effort", str(effort), "--quiet"]
        if options.max_memory:
            encode += ["--max-memory", options.max_memory]
        encoded = measured(encode, feed)
        decoded = measured([*python, "gscodec.cli.gsdec", str(packed), "-o", str(back), "--quiet"])
        size = packed.stat().st_size
    return {
        "scene": name,
        "splats": count,
        "effort": effort,
        "memory": options.max_memory or "",
        "bytes_per_splat": size / count,
        **{f"encode_{key}": value for key, value in encoded.items()},
        **{f"decode_{key}": value for key, value in decoded.items()},
    }


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Processor time of a splat, to that of the first row of the same effort."""
    for one in rows:
        first = next(each for each in rows if each["effort"] == one["effort"])
        for what in ("encode", "decode"):
            own, base = (each[f"{what}_cpu_s"] / each["splats"] for each in (one, first))
            one[f"{what}_ratio"] = own / base
    return rows


def main() -> None:
    """Prints the table, and writes it to --out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    add = parser.add_argument
    add("--big", type=Path, required=True, metavar="PLY", help="a scene of some million splats")
    add(
        "--made",
        type=int,
        action="append",
        metavar="N",
        help="also a made-up scene of N splats, through a pipe",
    )
    add("--count", type=float, action="append", metavar="M", help="million splats  [0.1, 1, 4 and all]")
    add("--effort", type=int, action="append", metavar="N", help="[1 and 5]")
    add("--most", type=float, default=1.0, metavar="M", help="million splats, at efforts over 1  [1]")
    add("--max-memory", metavar="BYTES", help="for gsenc")
    add("--folder", type=Path, metavar="DIR", help="for scenes, files and what waits on disk")
    add("--out", type=Path, metavar="DIR", help="also write SCALE.csv and SCALE.md there")
    options = parser.parse_args()
    if options.folder:
        os.environ["TMPDIR"] = str(options.folder)
    everything = count_of(options.big)
    rows: list[dict[str, Any]] = []
    for effort in options.effort or [1, 5]:
        for million in options.count or [0.1, 1, 4, everything / 1e6]:
            count = min(round(million * 1e6), everything)
            if effort > 1 and million > options.most:
                continue
            if count == everything:
                rows.append(row(options.big.stem, str(options.big), count, options, effort))
            else:
                with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                    path = Path(folder) / "piece.ply"
                    command = [sys.executable, "-m", "benchmarks.scale.piece", str(options.big), str(path)]
                    # not here: what a process had before it starts another one counts as the other's
                    subprocess.run([*command, str(count)], check=True)
                    count = count_of(path)
                    rows.append(row(options.big.stem, str(path), count, options, effort))
            print(rows[-1], file=sys.stderr, flush=True)
    for count in options.made or []:
        rows.append(row("made up", "-", count, options, 1))
    rows = with_ratios(rows)
    text = markdown(rows, COLUMNS)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write_csv(options.out / "SCALE.csv", rows, [key for key, _, _ in COLUMNS])
        (options.out / "SCALE.md").write_text(f"# Scale\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
