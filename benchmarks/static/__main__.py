"""python -m benchmarks.static --scenes DIR --referee COMMAND

Encodes and decodes every scene with every preset and every other codec that is there, has the referee compare
the results, and writes RESULTS.md, RESULTS.png and the tables as CSV. An interrupted run goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path

from benchmarks.measure import CommandError
from benchmarks.peers import PEERS, read_codecs
from benchmarks.static.codings import DEFAULT, OURS, POINTS, of_peer, ours
from benchmarks.static.passes import Setup, load, measure_scene, say
from benchmarks.static.plot import write_plot
from benchmarks.static.report import write_report
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
    add("--preset", action="append", choices=[*POINTS], metavar="NAME", help="only these; repeatable")
    add("--point", action="append", default=[], metavar="NAME=ARGS", help="another point of our curve")
    add("--effort", action="append", metavar="N", help="a curve at this effort; repeatable (gsenc's default)")
    add("--gsenc-options", default="", metavar="ARGS", help="for every encoding of ours; a curve of its own")
    add("--peer", action="append", metavar="NAME", help="only these, or none; repeatable")
    add("--peers", type=Path, default=PEERS, metavar="FILE", help="commands of the other codecs")
    add("--gsplat-python", metavar="FILE", help="a Python with gsplat and PLAS (or set GSPLAT_PYTHON)")
    add("--limit", type=float, default=600, metavar="S", help="seconds for one encoding or decoding")
    add("--views", type=int, metavar="N", help="views of every scene, for a quick look")
    add("--threads", type=int, default=0, metavar="N", help="threads of our encoder and decoder")
    add("--repeat", type=int, default=1, metavar="N", help="encode and decode N times, keep the fastest")
    add("--keep", action="store_true", help="keep the decoded files")
    add("--force", action="append", default=[], metavar="CODEC", help=f"again: {OURS}, a peer, or all")
    add("--gsenc", default=f"{shlex.quote(sys.executable)} -m gscodec.cli.gsenc", metavar="COMMAND")
    add("--gsdec", default=f"{shlex.quote(sys.executable)} -m gscodec.cli.gsdec", metavar="COMMAND")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, or 1 when a scene failed."""
    options = arguments(argv)
    entries = read_scenes()
    # the measured commands run from anywhere, and find this checkout unless the codec is installed
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    if options.gsplat_python:
        os.environ["GSPLAT_PYTHON"] = options.gsplat_python
    points = {name: POINTS[name] for name in POINTS if name in (options.preset or POINTS)}
    points |= dict(point.split("=", 1) for point in options.point)
    peers = [of_peer(c) for c in read_codecs(options.peers) if c.name in (options.peer or [c.name])]
    setup = Setup(
        scenes=options.scenes.resolve(),
        made=options.made.resolve() if options.made else None,
        out=options.out,
        work=options.work.resolve(),
        referee=shlex.split(options.referee or ""),
        views=options.views,
        limit=options.limit,
        repeat=options.repeat,
        keep=options.keep,
        force=options.force,
        started=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    )
    failed = []
    for name in (options.scene or entries) if options.referee else ():
        scene = entries[name]
        reference = scene.path(setup.scenes, setup.made)
        if reference is None:
            say(f"{name}: not there, left out" + (" (see --made)" if scene.made else ""))
            continue
        say(name)
        cameras = setup.scenes / scene.encoder_cameras if scene.encoder_cameras else None
        efforts = options.effort or [DEFAULT]
        us = ours(
            options.gsenc, options.gsdec, points, efforts, options.gsenc_options, options.threads, cameras
        )
        try:
            measure_scene(setup, scene, reference, [*us, *peers])
        except (CommandError, RuntimeError, OSError) as error:
            say(f"  failed: {error}")
            failed.append(name)
    records = [record for name in entries if "rows" in (record := load(setup.record_path(name)))]
    if not records:
        say("no results")
        return 1
    summary, rows = write_report(options.out, records)
    write_plot(options.out / "RESULTS.png", rows)
    print(summary)
    say(f"wrote RESULTS.md and the tables beside it to {options.out}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
