"""python -m benchmarks.speed.decode --scenes DIR [--made DIR]

File to `Splats` in memory on one thread, in splats a second (reading the file included), and what it costs to
import the decoder, as a multiple of `import numpy`, in fresh interpreters.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.static.scenes import Scene, read_scenes
from benchmarks.tables import markdown, write_csv

ROOT = Path(__file__).parents[2]
GOALS = {"showroom": 2.0, "bonsai_long": 1.0}
IMPORTS = {
    "import numpy": "import numpy",
    "import gscodec.decoder": "import gscodec.decoder",
    "from gscodec import decode": "from gscodec import decode",
}
IMPORT_LIMIT = 2.0
HEAVY = ("torch", "scipy", "numba", "matplotlib")
PROBE = """
import sys, time
begin = time.perf_counter()
{statement}
seconds = time.perf_counter() - begin
print(seconds, *[name for name in {heavy} if name in sys.modules])
"""


def decode_rate(scene: Scene, path: Path, preset: str, repeat: int) -> dict[str, Any]:
    """Encode the scene, then decode its file `repeat` times after a first one that does not count."""
    from gscodec.api import decode, encode, read

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scene.gsc"
        file.write_bytes(encode(read(path), quality=preset))
        seconds, processor = [], []
        for _ in range(repeat + 1):
            begin, busy = time.perf_counter(), time.process_time()
            splats = decode(file.read_bytes(), threads=1)
            seconds.append(time.perf_counter() - begin)
            processor.append(time.process_time() - busy)
        size = file.stat().st_size
    count = len(splats.positions)
    middle, best = statistics.median(seconds[1:]), min(seconds[1:])
    goal = GOALS.get(scene.name)
    return {
        "scene": scene.name,
        "preset": preset,
        "splats": count,
        "coefficients": splats.sh_rest.shape[1],
        "bytes": size,
        "median_s": middle,
        "best_s": best,
        "cpu_s": statistics.median(processor[1:]),
        "million_per_s": count / middle / 1e6,
        "best_million_per_s": count / best / 1e6,
        "goal": goal,
        "met": "" if goal is None else "yes" if count / middle / 1e6 >= goal else "no",
    }


def import_times(repeat: int) -> list[dict[str, Any]]:
    """Median seconds of each import statement; each time a fresh interpreter, the statements in turn."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    }
    seconds: dict[str, list[float]] = {name: [] for name in IMPORTS}
    loaded: dict[str, set[str]] = {name: set() for name in IMPORTS}
    for turn in range(repeat + 1):
        for name, statement in IMPORTS.items():
            code = PROBE.format(statement=statement, heavy=HEAVY)
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
            )
            figure, *modules = done.stdout.split()
            loaded[name].update(modules)
            if turn:  # the first one may have had to compile or to read from disk
                seconds[name].append(float(figure))
    base = statistics.median(seconds["import numpy"])
    rows = []
    for name, figures in seconds.items():
        middle = statistics.median(figures)
        rows.append(
            {
                "statement": name,
                "median_ms": middle * 1e3,
                "ratio": middle / base,
                "heavy": ", ".join(sorted(loaded[name])) or "none",
                "met": "yes" if middle <= IMPORT_LIMIT * base and "torch" not in loaded[name] else "no",
            }
        )
    return rows


RATES = [
    ("scene", "scene", ""),
    ("preset", "preset", ""),
    ("splats", "splats", ",d"),
    ("coefficients", "SH above DC", "d"),
    ("bytes", "bytes", ",d"),
    ("median_s", "s", ".3f"),
    ("cpu_s", "processor s", ".3f"),
    ("million_per_s", "M splats/s", ".2f"),
    ("best_million_per_s", "fastest", ".2f"),
    ("goal", "goal", ".1f"),
    ("met", "met", ""),
]
TIMES = [
    ("statement", "statement", ""),
    ("median_ms", "ms", ".1f"),
    ("ratio", "of numpy", ".2f"),
    ("heavy", f"of {', '.join(HEAVY)}, it loads", ""),
    ("met", f"at most {IMPORT_LIMIT:g}", ""),
]


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0."""
    scenes = read_scenes()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.decode", description=(__doc__ or "").split("\n\n", 1)[1]
    )
    add = parser.add_argument
    add("--scenes", type=Path, required=True, metavar="DIR", help="folder that holds scenes/NAME")
    add("--made", type=Path, metavar="DIR", help="folder of the float PLYs made from quantised scenes")
    add("--scene", action="append", choices=[*scenes], metavar="NAME", help=f"not {', '.join(GOALS)}")
    add("--preset", default="default")
    add("--repeat", type=int, default=7, metavar="N", help="the median of N counts")
    add("--out", type=Path, metavar="DIR", help="also write decode.csv, import.csv and decode.md there")
    options = parser.parse_args(argv)
    rates = []
    for name in options.scene or GOALS:
        path = scenes[name].path(options.scenes, options.made)
        if path is None:
            print(f"{name}: not there, left out", file=sys.stderr)
        else:
            rates.append(decode_rate(scenes[name], path, options.preset, options.repeat))
    times = import_times(options.repeat)
    text = (
        f"File to splats in memory, one thread, median of {options.repeat}:\n\n{markdown(rates, RATES)}\n"
        f"Imports in fresh interpreters, median of {options.repeat}:\n\n{markdown(times, TIMES)}"
    )
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write_csv(options.out / "decode.csv", rates, [key for key, _, _ in RATES])
        write_csv(options.out / "import.csv", times, [key for key, _, _ in TIMES])
        (options.out / "decode.md").write_text(
            f"# Decoding in memory\n\nWritten by `python -m benchmarks.speed.decode`; do not edit.\n\n{text}",
            encoding="utf-8",
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
