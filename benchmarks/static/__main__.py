"""python -m benchmarks.static --scenes DIR --referee COMMAND

Encodes and decodes every scene at every preset, has the referee compare the results, and writes RESULTS.csv,
RATIOS.csv, RESULTS.md and RESULTS.png. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from benchmarks.measure import CommandError
from benchmarks.static.passes import PRESETS, Setup, load, measure_scene, say
from benchmarks.static.plot import write_plot
from benchmarks.static.report import PEERS_REMARK, peers, ratio_table, result_rows, write_report
from benchmarks.static.scenes import read_scenes

ROOT = Path(__file__).parents[2]


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    scenes = read_scenes()
    about = (__doc__ or "").split("\n\n", 1)[-1]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.static", description=about)
    add = parser.add_argument
    add("--scenes", type=Path, required=True, metavar="DIR", help="folder that holds scenes/NAME")
    add("--made", type=Path, metavar="DIR", help="folder of the float PLYs made from quantised scenes")
    add("--referee", metavar="COMMAND", help='"python -m rendereval"; without it, only report again')
    add("--out", type=Path, default=ROOT / "benchmarks/results/static", metavar="DIR")
    add("--work", type=Path, default=ROOT / "benchmarks/work/static", metavar="DIR", help="for coded files")
    add(
        "--scene", action="append", choices=[*scenes], metavar="NAME", help=f"{', '.join(scenes)}; repeatable"
    )
    add(
        "--preset", action="append", choices=PRESETS, metavar="NAME", help=f"{', '.join(PRESETS)}; repeatable"
    )
    add("--views", type=int, metavar="N", help="views of every scene, for a quick look")
    add("--threads", type=int, default=0, metavar="N", help="threads of encoder and decoder")
    add("--repeat", type=int, default=1, metavar="N", help="encode and decode N times, keep the fastest")
    add("--keep", action="store_true", help="keep the decoded files")
    add("--force", action="store_true", help="forget earlier results of these scenes")
    add("--gsenc", default=f"{sys.executable} -m gscodec.cli.gsenc", metavar="COMMAND")
    add("--gsdec", default=f"{sys.executable} -m gscodec.cli.gsdec", metavar="COMMAND")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, or 1 when a scene failed."""
    options = arguments(argv)
    entries = read_scenes()
    chosen = options.scene or list(entries)
    presets = [preset for preset in PRESETS if preset in (options.preset or PRESETS)]
    # the measured commands run from anywhere, and find this checkout unless the codec is installed
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    setup = Setup(
        scenes=options.scenes.resolve(),
        made=options.made.resolve() if options.made else None,
        out=options.out,
        work=options.work,
        gsenc=shlex.split(options.gsenc),
        gsdec=shlex.split(options.gsdec),
        referee=shlex.split(options.referee or ""),
        views=options.views,
        threads=options.threads,
        repeat=options.repeat,
        keep=options.keep,
        force=options.force,
    )
    failed = []
    for name in chosen if options.referee else ():
        reference = entries[name].path(setup.scenes, setup.made)
        if reference is None:
            say(f"{name}: not there, left out" + (" (see --made)" if entries[name].made else ""))
            continue
        say(f"{name}")
        try:
            measure_scene(setup, entries[name], reference, presets)
        except (CommandError, RuntimeError, OSError) as error:
            say(f"  failed: {error}")
            failed.append(name)
    records = [record for name in entries if "presets" in (record := load(setup.record_path(name)))]
    if not records:
        say("no results")
        return 1
    ratios = write_report(options.out, records)
    write_plot(options.out / "RESULTS.png", result_rows(records), peers())
    if ratios:
        print(f"Bytes over those of other codecs at equal quality (theirs {PEERS_REMARK})\n")
        print(ratio_table(ratios))
    say(f"wrote RESULTS.csv, RATIOS.csv, RESULTS.md, RESULTS.png to {options.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
