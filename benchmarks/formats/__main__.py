"""python -m benchmarks.formats --scenes DIR --tools DIR

Compares how we read and write other formats with what their own tools make of the same files, on every scene
that is there, and prints a table: the largest difference of each attribute. A tool that is not there is left
out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.formats.checks import CHECKS, Tools
from benchmarks.formats.differences import ATTRIBUTES, differences
from gscodec.errors import GscError

SCENES = (
    "biker.spz",
    "fox/point_cloud.ply",
    "bonsai/point_cloud.ply",
    "ghost.ply",
    "gs_player_20k.ply",
    "splatterscene_sh1.ply",
)


def main(argv: list[str] | None = None) -> int:
    """The command; 1 if a check could not be done."""
    about = (__doc__ or "").split("\n\n", 1)[-1]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=about)
    parser.add_argument("--scenes", type=Path, required=True, metavar="DIR", help=", ".join(SCENES))
    parser.add_argument(
        "--tools", type=Path, required=True, metavar="DIR", help="ply_to_spz, spz_to_ply, splat-transform"
    )
    parser.add_argument("--scene", action="append", metavar="FILE", help="only these, in DIR; repeatable")
    parser.add_argument("--check", metavar="WORD", default="", help="only checks whose name has this")
    chosen = parser.parse_args(argv)
    tools, failed = Tools(chosen.tools.absolute()), 0
    print(f"| scene | check | splats | {' | '.join(ATTRIBUTES)} |")
    print(f"|---|---|{'---:|' * (len(ATTRIBUTES) + 1)}")
    for name in chosen.scene or SCENES:
        scene = chosen.scenes.absolute() / name
        if not scene.exists():
            continue
        for title, check in CHECKS.items():
            if chosen.check not in title:
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    pair = check(scene, tools, Path(folder))
                except (GscError, RuntimeError) as error:
                    print(f"| {name} | {title} | failed: {error} |")
                    failed = 1
                    continue
            if pair is not None:
                found = differences(*pair)
                cells = " | ".join(f"{found[each]:.2g}" for each in ATTRIBUTES)
                print(f"| {name} | {title} | {len(pair[0]):,} | {cells} |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
