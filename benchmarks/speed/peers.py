"""python -m benchmarks.speed.peers SCENE.ply... [--commands FILE --out DIR]

Encoding and decoding as whole processes, ours and other codecs' in the same run: wall and processor seconds,
peak memory. The codecs take turns (A B C A B C ...), so that a machine which others use too is as slow for
one as for the other; a ratio is the median of the ratios of each turn. What a command of ours costs before it
does anything is measured with a file of three splats and with an interpreter that does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import statistics
import struct
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import CommandError, Run, run
from benchmarks.peers import PEERS, Codec, fill, read_codecs, unavailable
from benchmarks.static.scenes import ply_summary
from benchmarks.tables import markdown

ROOT = Path(__file__).parents[2]
OURS, ONE, TINY, BARE = "gscodec", "gscodec, 1 thread", "gscodec, 3 splats", "python -c pass"
JOBS = ("encode", "decode")
MEMORY = {"encode": (6.0, 300.0), "decode": (2.5, 150.0)}  # at most a times the input's floats and b MB


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A command that takes its turn, and what must come out."""

    name: str
    command: list[str]
    output: Path
    splats: int | None = None
    own_clock: str = ""


@dataclass(frozen=True, kw_only=True)
class Series:
    """All counted runs of a contender."""

    runs: list[Run]
    output_bytes: int
    own_s: list[float]


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A codec that could not be measured, and why."""

    scene: str
    name: str
    job: str
    reason: str


def ours(quality: str, *options: str) -> Codec:
    """Our own commands, run by this interpreter."""
    python, extra = shlex.quote(sys.executable), "".join(f" {option}" for option in options)
    return Codec(
        name=ONE if options else OURS,
        encode=f"{python} -m gscodec.cli.gsenc {{in}} -o {{out}} -q --effort 1 --quality {quality}{extra}",
        decode=f"{python} -m gscodec.cli.gsdec {{in}} -o {{out}} -q{extra}",
        suffix=".gsc",
    )


def tiny_ply() -> bytes:
    """Three splats without spherical harmonics."""
    names = [*"xyz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", *(f"scale_{i}" for i in range(3))]
    names += [f"rot_{i}" for i in range(4)]
    header = ["ply", "format binary_little_endian 1.0", "element vertex 3"]
    header += [f"property float {name}" for name in names]
    rows = [[i, -i, 0.5 * i, 0.1, 0.2, 0.3, 1 + i, -4, -4.5, -5, 1, 0, 0, 0] for i in range(3)]
    values = [value for row in rows for value in row]
    return "\n".join([*header, "end_header\n"]).encode() + struct.pack(f"<{len(values)}f", *values)


def once(contender: Contender) -> tuple[Run, int]:
    """Run it, look at what came out; the figures and the size of the output."""
    contender.output.unlink(missing_ok=True)
    figures = run(contender.command)
    if contender.splats is None:
        return figures, 0
    size = contender.output.stat().st_size if contender.output.exists() else 0
    if not size:
        raise CommandError("wrote nothing")
    if contender.output.suffix == ".ply" and ply_summary(contender.output)[0] != contender.splats:
        raise CommandError("wrote another number of splats")
    return figures, size


def take_turns(
    contenders: Sequence[Contender], turns: int, keep: bool = False
) -> tuple[dict[str, Series], dict[str, str]]:
    """Each one once without counting, then `turns` times in turn. The second result: why some failed.

    Outputs are removed right away (`keep` leaves the last ones), so that nobody waits for another one's file
    to reach the disk.
    """
    series: dict[str, Series] = {}
    failed: dict[str, str] = {}
    for turn in range(turns + 1):
        for contender in contenders:
            if contender.name in failed:
                continue
            try:
                figures, size = once(contender)
            except (CommandError, OSError, ValueError) as error:
                failed[contender.name] = (str(error).splitlines() or ["failed"])[-1]
                series.pop(contender.name, None)
                continue
            finally:
                if not keep:
                    contender.output.unlink(missing_ok=True)
            if not turn:
                series[contender.name] = Series(runs=[], output_bytes=size, own_s=[])
                continue
            series[contender.name].runs.append(figures)
            if contender.own_clock and (match := re.search(contender.own_clock, figures.output)):
                series[contender.name].own_s.append(float(match[1]))
    return series, failed


def ratio(us: Sequence[Run], them: Sequence[Run], what: str) -> float:
    """Median over the turns of ours / theirs."""
    pairs = zip(us, them, strict=True)
    return float(statistics.median(getattr(a, what) / max(getattr(b, what), 1e-4) for a, b in pairs))


def rows_of(
    scene: str, job: str, floats: int, series: Mapping[str, Series], limits: Mapping[str, float | None]
) -> list[dict[str, Any]]:
    """A row for each contender; `floats` is the size of the input in bytes."""
    rows = []
    for name, measured in series.items():
        row: dict[str, Any] = {"scene": scene, "job": job, "codec": name}
        for key in ("wall_s", "cpu_s", "peak_mb"):
            row[key] = statistics.median(getattr(one, key) for one in measured.runs)
        row["fastest_s"] = min(one.wall_s for one in measured.runs)
        row["own_s"] = statistics.median(measured.own_s) if measured.own_s else None
        row["output_mb"] = measured.output_bytes / 1e6 if measured.output_bytes else None
        limit = limits.get(name)
        if OURS in series and name not in (OURS, ONE, TINY, BARE):
            row["wall_ratio"] = ratio(series[OURS].runs, measured.runs, "wall_s")
            row["cpu_ratio"] = ratio(series[OURS].runs, measured.runs, "cpu_s")
            row["limit"] = limit
            row["met"] = None if limit is None else "yes" if row["wall_ratio"] <= limit else "no"
        if name in (OURS, ONE):
            factor, constant = MEMORY[job]
            row["memory_limit_mb"] = factor * floats / 1e6 + constant
            row["memory_met"] = "yes" if row["peak_mb"] <= row["memory_limit_mb"] else "no"
        row["runs"] = [
            {key: getattr(one, key) for key in ("wall_s", "cpu_s", "peak_mb")} for one in measured.runs
        ]
        rows.append(row)
    return rows


def contenders_for(
    job: str, codecs: Iterable[Codec], files: Mapping[str, Path], scene: Path, work: Path
) -> tuple[list[Contender], dict[str, str]]:
    """The commands of a job on a scene; in the second result, why some codecs have none."""
    splats, degree = ply_summary(scene)
    found, absent = [], {}
    for number, codec in enumerate(codecs):
        template = codec.encode if job == "encode" else codec.decode
        if reason := unavailable(template):
            absent[codec.name] = reason
            continue
        coded = files[codec.name]
        source, output = (scene, coded) if job == "encode" else (coded, work / f"{number}.ply")
        found.append(
            Contender(
                name=codec.name,
                command=fill(template, source, output, degree),
                output=output,
                splats=splats,
                own_clock=codec.own_clock,
            )
        )
    return found, absent


def compare(
    scene: Path,
    codecs: Sequence[Codec],
    coded: Mapping[tuple[str, str], Path],
    quality: str,
    turns: int,
    work: Path,
    jobs: Sequence[str] = JOBS,
) -> tuple[list[dict[str, Any]], list[Missing]]:
    """Encode a scene with every codec in turns, then decode in turns what came out.

    `coded` has files that need no encoder, by names of codec and scene. Encoding that is not among `jobs` is
    done once.
    """
    name = scene.stem if scene.stem != "point_cloud" else scene.parent.name
    floats = scene.stat().st_size
    everyone = {codec.name: codec for codec in [ours(quality), ours(quality, "--threads 1"), *codecs]}
    given = {codec: file for (codec, of), file in coded.items() if of == name and codec in everyone}
    files = {n: work / f"{i}{codec.suffix}" for i, (n, codec) in enumerate(everyone.items())} | given
    start_up = tiny_contenders(quality, work)
    rows: list[dict[str, Any]] = []
    missing: list[Missing] = []

    def measure(job: str, group: Iterable[Codec], count: int) -> None:
        contenders, reasons = contenders_for(job, group, files, scene, work)
        say(f"{name}: {job} with {', '.join(contender.name for contender in contenders) or 'nobody'}")
        extra = start_up[job] if count else start_up[job][:1]  # the tiny file is there to be decoded
        series, failed = take_turns([*contenders, *extra], count, keep=job == "encode")
        for codec, reason in (reasons | failed).items():
            missing.append(Missing(scene=name, name=codec, job=job, reason=reason))
            files.pop(codec, None)
        if count:
            limits = {codec.name: codec.limit(job, name) for codec in everyone.values()}
            rows.extend(rows_of(name, job, floats, series, limits))

    to_encode = [codec for n, codec in everyone.items() if n not in given]
    timed = [codec for codec in to_encode if codec.time_encode and "encode" in jobs]
    if timed:
        measure("encode", timed, turns)
    if "decode" in jobs:
        if untimed := [codec for codec in to_encode if codec not in timed]:
            measure("encode", untimed, 0)
        measure("decode", [codec for n, codec in everyone.items() if n in files], turns)
    return rows, missing


def tiny_contenders(quality: str, work: Path) -> dict[str, list[Contender]]:
    """By job: our command without work to do, and an interpreter that does nothing."""
    source, coded, decoded, nothing = (work / f"tiny.{end}" for end in ("in.ply", "gsc", "ply", "none"))
    source.write_bytes(tiny_ply())
    codec = ours(quality)
    bare = Contender(name=BARE, command=[sys.executable, "-c", "pass"], output=nothing)
    jobs = {
        "encode": Contender(name=TINY, command=fill(codec.encode, source, coded, 0), output=coded, splats=3),
        "decode": Contender(
            name=TINY, command=fill(codec.decode, coded, decoded, 0), output=decoded, splats=3
        ),
    }
    return {job: [contender, bare] for job, contender in jobs.items()}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


COLUMNS = [
    ("scene", "scene", ""),
    ("codec", "codec", ""),
    ("wall_s", "s", ".2f"),
    ("cpu_s", "processor s", ".2f"),
    ("peak_mb", "peak MB", ".0f"),
    ("output_mb", "writes MB", ".1f"),
    ("own_s", "its own clock", ".2f"),
    ("wall_ratio", "ours / its", ".2f"),
    ("cpu_ratio", "in processor s", ".2f"),
    ("limit", "at most", ".1f"),
    ("met", "met", ""),
]
MEMORY_COLUMNS = [
    ("scene", "scene", ""),
    ("job", "job", ""),
    ("codec", "codec", ""),
    ("peak_mb", "peak MB", ".0f"),
    ("memory_limit_mb", "at most", ".0f"),
    ("memory_met", "met", ""),
]


def report(rows: Sequence[Mapping[str, Any]], missing: Iterable[Missing], turns: int) -> str:
    """Everything as Markdown."""
    parts = [f"Whole processes, median of {turns} turns; ratios: median of the turns' ratios.\n"]
    for job in JOBS:
        if chosen := [row for row in rows if row["job"] == job]:
            parts.append(f"{job.capitalize()}:\n\n{markdown(chosen, COLUMNS)}")
    if bounded := [row for row in rows if "memory_limit_mb" in row]:
        rules = "; ".join(f"{job} {a:g} x the PLY + {b:g} MB" for job, (a, b) in MEMORY.items())
        parts.append(f"Peak memory ({rules}):\n\n{markdown(bounded, MEMORY_COLUMNS)}")
    if lines := [f"- {one.name}, {one.job} of {one.scene}: {one.reason}" for one in missing]:
        parts.append("Missing:\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def coded_file(text: str) -> tuple[tuple[str, str], Path]:
    """NAME:SCENE=FILE."""
    key, equals, file = text.partition("=")
    name, colon, scene = key.partition(":")
    if not (equals and colon and Path(file).is_file()):
        raise argparse.ArgumentTypeError(f"{text}: not NAME:SCENE=FILE, or no such file")
    return (name, scene), Path(file)


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0; 1 when one of our own commands failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.peers", description=(__doc__ or "").split("\n\n", 1)[1]
    )
    add = parser.add_argument
    add("scenes", nargs="+", type=Path, metavar="SCENE.ply")
    add("--commands", type=Path, default=PEERS, metavar="FILE")
    add("--only", action="append", metavar="NAME", help="of the commands file, these codecs; repeatable")
    add("--job", action="append", choices=JOBS, help="not both; the other one is not timed")
    add("--coded", action="append", type=coded_file, default=[], metavar="NAME:SCENE=FILE", help="repeatable")
    add("--quality", default="default", help="our preset")
    add("--repeat", type=int, default=5, metavar="N", help="turns")
    add("--out", type=Path, metavar="DIR", help="also write peers.md and peers.json there")
    options = parser.parse_args(argv)
    codecs = [
        c for c in read_codecs(options.commands) if (c.name in options.only if options.only else c.speed)
    ]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    rows: list[dict[str, Any]] = []
    missing: list[Missing] = []
    for scene in options.scenes:
        with tempfile.TemporaryDirectory() as folder:
            more, absent = compare(
                scene,
                codecs,
                dict(options.coded),
                options.quality,
                options.repeat,
                Path(folder),
                options.job or JOBS,
            )
        rows += more
        missing += absent
    text = report(rows, missing, options.repeat)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        content = {
            "turns": options.repeat,
            "quality": options.quality,
            "processors": os.cpu_count(),
            "rows": rows,
            "missing": [asdict(one) for one in missing],
        }
        (options.out / "peers.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        head = "# Next to other codecs\n\nWritten by `python -m benchmarks.speed.peers`; do not edit.\n\n"
        (options.out / "peers.md").write_text(head + text, encoding="utf-8")
    return int(any(one.name in (OURS, ONE, TINY) for one in missing))


if __name__ == "__main__":
    raise SystemExit(main())
