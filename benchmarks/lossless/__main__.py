"""python -m benchmarks.lossless --scenes DIR

Codes every float PLY of a folder of scenes without loss, with ours and with three general-purpose
compressors, checks that each gives back the same bytes, and writes RESULTS.md and RESULTS.csv. A compressor
whose module is not there is named as missing.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from benchmarks.lossless.peers import OURS, PEERS, Coded, measure, missing

ROOT = Path(__file__).parents[2]


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    about = (__doc__ or "").split("\n\n", 1)[-1]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lossless", description=about)
    add = parser.add_argument
    add("--scenes", type=Path, required=True, metavar="DIR", help="folder that holds NAME/point_cloud.ply")
    add("--scene", action="append", metavar="NAME", help="only these; repeatable")
    add("--out", type=Path, default=ROOT / "benchmarks/results/lossless", metavar="DIR")
    return parser.parse_args(argv)


def scenes_in(folder: Path, names: list[str] | None) -> dict[str, Path]:
    """The PLY file of each scene, the smallest first."""
    base = folder / "scenes" if (folder / "scenes").is_dir() else folder
    paths = sorted(base.glob("*/point_cloud.ply"), key=lambda path: (path.stat().st_size, path))
    found = {path.parent.name: path for path in paths}
    return {name: path for name, path in found.items() if names is None or name in names}


def table(rows: list[Coded]) -> str:
    """The results in Markdown: bytes a splat, how much under xz, and speeds."""
    lines = ["| scene | splats | codec | bytes/splat | to xz -9 | encode MB/s | decode MB/s |"]
    lines.append("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    xz = {row.scene: row.size for row in rows if row.codec == "xz -9"}
    for row in rows:
        change = f"{100 * (row.size / xz[row.scene] - 1):+.1f} %" if row.scene in xz else ""
        name = f"**{row.codec}**" if row.codec == OURS else row.codec
        cells = [row.scene, f"{row.splats:,}", name, f"{row.size / row.splats:.2f}", change]
        cells += [f"{row.bytes_in / 1e6 / row.encode:.1f}", f"{row.bytes_in / 1e6 / row.decode:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(rows: list[Coded], folder: Path) -> None:
    """RESULTS.csv and RESULTS.md."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "RESULTS.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Coded.__dataclass_fields__)
        writer.writerows([getattr(row, name) for name in Coded.__dataclass_fields__] for row in rows)
    absent = "".join(f"\nMissing in this run: {name} ({why}).\n" for name, why in missing().items())
    about = "Written by `python -m benchmarks.lossless`; one process, one thread each."
    text = f"# Lossless\n\n{about}\n\n{table(rows)}\n{absent}"
    (folder / "RESULTS.md").write_text(text, encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Measure and write."""
    options = arguments(argv)
    scenes = scenes_in(options.scenes, options.scene)
    if not scenes:
        print(f"no NAME/point_cloud.ply in {options.scenes}", file=sys.stderr)
        return 1
    rows: list[Coded] = []
    for name, path in scenes.items():
        data = path.read_bytes()
        for codec in PEERS:
            if codec in missing():
                continue
            rows.append(measure(name, codec, data))
            last = rows[-1]
            print(f"{name:16} {codec:14} {last.size / last.splats:8.2f} bytes/splat", flush=True)
        write(rows, options.out)  # an interrupted run leaves what it has
    print((options.out / "RESULTS.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
