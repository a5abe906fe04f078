"""python -m benchmarks.formats --scenes DIR --tools DIR

Compares how we read and write other formats with what their own tools make of the same files, on every scene
that is there: the largest difference of each attribute, to FORMATS.md and FORMATS.csv. A tool that is not
there is left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.formats.checks import CHECKS, FILES, Check
from benchmarks.formats.differences import differences
from benchmarks.formats.scene import SPZ_READER, SPZ_WRITER, TRANSFORM, Scene, Tools
from benchmarks.formats.table import write
from benchmarks.tables import Row
from gscodec.errors import GscError

SCENES = (
    "fox/point_cloud.ply",
    "ghost.ply",
    "gs_player_20k.ply",
    "splatterscene_sh1.ply",
)
RESULTS = Path(__file__).resolve().parent.parent / "results" / "formats"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """Of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.formats", description=(__doc__ or "").split("\n\n", 1)[-1]
    )
    files = ", ".join((*SCENES, *(path for path, _ in FILES)))
    commands = ", ".join((SPZ_WRITER, SPZ_READER, TRANSFORM))
    add = parser.add_argument
    add("--scenes", type=Path, required=True, metavar="DIR", help=files)
    add("--tools", type=Path, required=True, metavar="DIR", help=commands)
    add("--out", type=Path, default=RESULTS, metavar="DIR", help="[results/formats of the benchmarks]")
    add("--scene", action="append", metavar="FILE", help="only these, in DIR; repeatable")
    add("--format", default="", metavar="WORD", help="only formats whose name has this")
    return parser.parse_args(argv)


def rows(chosen: argparse.Namespace) -> Iterator[Row]:
    """A row for each check that can be made: the keys of `table.COLUMNS`, "scene" and "failed"."""
    for name in dict.fromkeys((*SCENES, *(path for path, _ in FILES))):
        path = chosen.scenes.absolute() / name
        if not path.exists() or (chosen.scene and name not in chosen.scene):
            continue
        with tempfile.TemporaryDirectory() as folder:
            scene, tools = Scene(path, Path(folder)), Tools(chosen.tools.absolute(), Path(folder))
            for check in CHECKS if name in SCENES else [check for each, check in FILES if each == name]:
                if chosen.format not in check.format or not tools.has(*check.tools):
                    continue
                if not check.harmonics or scene.splats.sh_degree:
                    yield row_of(name, check, scene, tools)


def row_of(name: str, check: Check, scene: Scene, tools: Tools) -> Row:
    """One row; `failed` says why there are no differences."""
    row = {"scene": name, "format": check.format, "written": check.written, "compared": check.compared}
    try:
        path, ours, others = check.make(scene, tools)
    except (GscError, RuntimeError) as error:
        return {**row, "failed": True, "note": f"failed: {error}"}
    found = differences(ours, others)
    failed = any(value == float("inf") for value in found.values())
    return {**row, "failed": failed, "splats": len(ours), "bytes": _bytes(path), **found, "note": check.note}


def _bytes(path: Path) -> int:
    """Of a file, or of all files of its folder if it is the JSON of one."""
    files = path.parent.rglob("*") if path.suffix == ".json" else [path]
    return sum(each.stat().st_size for each in files if each.is_file())


def main(argv: list[str] | None = None) -> int:
    """The command; 1 if a check failed, or none could be made."""
    chosen = arguments(argv)
    found = []
    for row in rows(chosen):
        found.append(row)
        said = [row[key] for key in ("scene", "format", "written", "compared")]
        print(*said, "failed" if row["failed"] else "done", sep="; ", file=sys.stderr, flush=True)
        write(found, chosen.out)  # an interrupted run leaves what it has
    if not found:
        print(f"none of the scenes is in {chosen.scenes}", file=sys.stderr)
        return 1
    print((chosen.out / "FORMATS.md").read_text(encoding="utf-8"))
    return int(any(row["failed"] for row in found))


if __name__ == "__main__":
    sys.exit(main())
