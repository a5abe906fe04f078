"""python -m benchmarks.speed.motion: splats at a moment, how often a second, on one core.

Made-up chunks of 50,000 splats, encoded as a writer does. Positions, rotations and opacities of all of them
are evaluated at moments of the segment, arrays that do not change are shared. Beside it numpy's copy of the
same arrays, and reading the motion once. Times are processor time of the thread, so that a busy machine
disturbs them less: the median and the fastest of the repetitions.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import markdown, write_csv

CHUNK, CHUNKS, DURATION = 50_000, 2, 48_000
KEYS = 60
GOAL = 60.0  # times a second
NAMES = ("positions", "rotations", "opacities")
COLUMNS = [
    ("what", "what", ""),
    ("splats", "splats shown", ",d"),
    ("median_ms", "ms", ".2f"),
    ("best_ms", "fastest ms", ".2f"),
    ("rate", "times a second", ".0f"),
    ("copies", "copies", ".1f"),
    ("goal", "goal", ".0f"),
    ("met", "met", ""),
]


def made_chunk(seed: int) -> Any:
    """Fields, integers, coding and splats of a chunk."""
    from gscodec.chunk import read_chunk
    from gscodec.container import Chunk, ContainerReader, Parameters, SceneHeader
    from gscodec.decoder import empty_splats, write_values
    from gscodec.encode.whole import encode_splats
    from gscodec.parameters import read_parameters
    from gscodec.splats import Splats

    rng = np.random.default_rng(seed)
    splats = Splats(
        positions=rng.normal(0, 2, (CHUNK, 3)).astype(np.float32),
        scales=rng.normal(-4, 0.7, (CHUNK, 3)).astype(np.float32),
        rotations=rng.normal(0, 1, (CHUNK, 4)).astype(np.float32),
        opacities=rng.normal(1, 2, CHUNK).astype(np.float32),
        sh_dc=rng.normal(0, 1, (CHUNK, 3)).astype(np.float32),
        sh_rest=np.zeros((CHUNK, 0, 3), np.float32),
    )
    reader = ContainerReader()
    reader.feed(encode_splats(splats, effort=1).data)
    reader.close()
    for event in reader.events():
        if isinstance(event, SceneHeader):
            scene = event
        elif isinstance(event, Parameters):
            parameters = read_parameters(event.payload, event.offset, sh_degree=0, extras=())
        elif isinstance(event, Chunk):
            fields, integers = read_chunk(event.payload, event.offset, parameters, ())
    out = empty_splats(scene, fields.count, 0)
    write_values(fields, integers, parameters.coding, scene, out)
    return fields, integers, parameters.coding, out


def made_motion(count: int, seed: int, temporal: float) -> Any:
    """Third order, all splats turn; a share of them is temporal, and a third of these seen at any moment."""
    from gscodec.encode.dynamic.recording import Polynomial

    rng = np.random.default_rng(seed)
    mask = 3 | np.where(rng.random(count) < temporal, 4, 0)
    return Polynomial(
        degree=3,
        mask=mask.astype(np.uint8),
        translation=rng.normal(0, 0.3, (count, 3, 3)),
        rotation=rng.normal(0, 0.3, (count, 4)),
        centre=rng.uniform(0, 1, count),
        log_width=rng.normal(-2.2, 0.5, count),
        reference=0.5,
    )


def timed(what: str, job: Callable[[int], int], repeat: int, goal: float | None = None) -> dict[str, Any]:
    """`job` gets the number of the repetition, and says how many splats it had."""
    seconds, splats = [], 0
    for turn in range(repeat + 1):
        begin = time.thread_time()
        splats = job(turn)
        seconds.append(time.thread_time() - begin)
    middle = statistics.median(seconds[1:])
    return {
        "what": what,
        "splats": splats,
        "median_ms": middle * 1e3,
        "best_ms": min(seconds[1:]) * 1e3,
        "rate": 1 / middle,
        "goal": goal,
        "met": "" if goal is None else "yes" if 1 / middle >= goal else "no",
    }


def measure(repeat: int) -> list[dict[str, Any]]:
    """A row for each kind of motion, and one for copying."""
    from gscodec.encode.dynamic.recording import PolynomialSettings, record_polynomial
    from gscodec.motion import read_motion

    settings = PolynomialSettings(translation=0.002, rotation=0.004, centre=1 / 500, width=0.02)
    chunks = [made_chunk(seed) for seed in range(CHUNKS)]
    arrays = [[getattr(splats, name) for name in NAMES] for *_, splats in chunks]

    def copied(_: int) -> int:
        return sum(len([array.copy() for array in each].pop()) for each in arrays)

    rows = [timed("numpy's copy of positions, rotations, opacities", copied, repeat)]
    for name, share, turns in (
        ("translation of order 3", 0.0, False),
        ("and rotation", 0.0, True),
        ("and a third of the splats temporal", 1 / 3, True),
        ("all splats temporal", 1.0, True),
    ):
        payloads = []
        for number, (fields, integers, coding, _) in enumerate(chunks):
            motion = made_motion(len(integers.classes), number, share)
            if not turns:
                motion = replace(motion, rotation=None)
            found = record_polynomial(fields, integers, coding, motion, settings, (0, DURATION))
            payloads.append(memoryview(found.payload()))

        def read(payloads: list[memoryview] = payloads) -> list[Any]:
            return [
                read_motion(payload, 0, fields, integers, coding, DURATION)
                for payload, (fields, integers, coding, _) in zip(payloads, chunks, strict=True)
            ]

        motions = read()

        def at(turn: int, motions: list[Any] = motions) -> int:
            tick = turn * 7919 % DURATION
            shown = [each.at(tick) for each in motions]
            return sum(len(each.positions) for each in shown)

        rows.append(timed(name, at, repeat, GOAL))
        if share:
            row = timed("reading it: once a segment", lambda _: len(read()) * CHUNK, 3)
            rows.append(row)
    rows += functions_rows(chunks, repeat)
    for row in rows:
        row["copies"] = row["median_ms"] / rows[0]["median_ms"]
    return rows


def functions_rows(chunks: list[Any], repeat: int) -> list[dict[str, Any]]:
    """Four functions of positions and two of rotations, residuals of positions at 60 keys."""
    from gscodec.encode.dynamic.bases_recording import record_functions_bases
    from gscodec.encode.dynamic.function_recording import Functions, FunctionsSettings, record_functions
    from gscodec.motion import read_motion

    rng = np.random.default_rng(0)
    known = record_functions_bases(0, rng.uniform(-1, 1, (KEYS, 6)), DURATION // KEYS, 2.0**-10).decoded
    settings, motions = FunctionsSettings(position=0.002, rotation=0.004), []
    for fields, integers, coding, _ in chunks:
        count = len(integers.classes)
        motion = Functions(
            functions=known,
            coefficients={
                "position": (0, rng.normal(0, 0.3, (count, 4, 3))),
                "rotation": (4, rng.normal(0, 0.1, (count, 2, 3))),
            },
            targets={"position": rng.normal(0, 0.3, (KEYS, count, 3))},
            fineness={"position": np.full(count, 13, np.uint8)},
        )
        found = record_functions(fields, integers, coding, motion, settings, (0, DURATION))
        payload = memoryview(found.payload())
        motions.append(read_motion(payload, 0, fields, integers, coding, DURATION, {0: known}))

    def at(turn: int) -> int:
        return sum(len(each.at(turn * 7919 % DURATION).positions) for each in motions)

    return [timed("functions: 4 of positions, 2 of rotations, and residuals", at, repeat, GOAL)]


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.motion", description=(__doc__ or "").split("\n\n", 1)[1]
    )
    parser.add_argument("--repeat", type=int, default=41, metavar="N", help="the median of N counts")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write motion.csv and motion.md there")
    options = parser.parse_args(argv)
    rows = measure(options.repeat)
    text = (
        f"{CHUNK * CHUNKS:,} splats in {CHUNKS} chunks at a moment, on one thread. `copies` is the time over "
        f"that of numpy's copy of the same arrays.\n\n{markdown(rows, COLUMNS)}"
    )
    sys.stdout.write(text)
    if options.out:
        (options.out / "motion.md").write_text("# Motion at a moment\n\n" + text, encoding="utf-8")
        write_csv(options.out / "motion.csv", rows, [key for key, *_ in COLUMNS])
    return 0


if __name__ == "__main__":
    sys.exit(main())
