"""python -m benchmarks.static.ablation --scenes DIR [--scene NAME ...] [--out DIR]

What each part of the encoder is worth: bytes at equal PSNR and at equal SSIM with that part switched off.
Each variant is encoded at several qualities in this process and looked at with the codec's own renderer from
the test cameras, so that bytes are compared on curves: what a part saves in bytes or gains in quality counts
alike.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.ratios import INSIDE, bytes_at, ssim_decibels
from benchmarks.static.scenes import Scene, read_scenes
from benchmarks.tables import markdown, write_csv
from gscodec.encode.effort import DEFAULT, EFFORTS

ROOT = Path(__file__).parents[2]
QUALITIES = (0.4, 0.8, 1.5)
SCENES = ("bonsai_long", "fox", "bonsai")
ALL = "everything on"
# name -> (fields of the default `Effort`, fields of `Steps`, whether importance is guessed as at effort 1)
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "importance from opacity and size": ({}, {}, True),
    "no pruning": ({}, {"prune": 0.0}, False),
    "errors of harmonics alike in all directions": ({"directions": False}, {}, False),
    "harmonics rounded": ({}, {"rate_weight": 0.0}, False),
    "no correction on pictures": ({"refit_views": 0}, {}, False),
    "no correction of colours": ({"rounds": 0}, {}, False),
    "steps not balanced": ({"balance_views": 0}, {}, False),
    "ten tables": ({"tables": 10}, {}, False),
    "one class": ({}, {"classes": 1}, False),
} | {f"effort {n}": (asdict(effort), {}, False) for n, effort in EFFORTS.items() if n != DEFAULT}
Curve = list[tuple[float, float, float]]  # PSNR, SSIM in dB, bytes a splat
COLUMNS = ("scene", "variant", "quality", "bytes_per_splat", "psnr", "ssim_db")


def cameras_of(scene: Scene, folder: Path, split: str, views: int | None = None) -> list[Any]:
    """The scene's cameras of a split; for judging, evenly picked and fitted into the scene's size."""
    from gscodec.evaluate.camera_files import read_cameras
    from gscodec.evaluate.comparison import evenly, fitted

    chosen = [camera for camera in read_cameras(folder / scene.rigs[0]) if camera.split == split]
    if views is None:
        return chosen
    width, height = map(int, scene.size.split("x"))
    return [fitted(camera, (width, height), may_grow=True) for camera in evenly(chosen, views)]


def curve(splats: Any, train: Sequence[Any], test: Sequence[Any], variant: str) -> Curve:
    """A point for each quality."""
    import gscodec
    from gscodec.encode.encoder import Encoder
    from gscodec.encode.importance import importance_of
    from gscodec.encode.steps import choose_steps
    from gscodec.evaluate.comparison import compare

    effort, steps, guessed = VARIANTS.get(variant, ({}, {}, False))
    guess = importance_of(splats, opacity_power=0.5, size_power=0.5, distance_power=0.5) if guessed else None
    encoder = Encoder(splats, effort=replace(EFFORTS[DEFAULT], **effort), cameras=train, importance=guess)
    points = []
    for quality in QUALITIES:
        data = encoder.encode(choose_steps(quality, steps)).data
        report = compare(splats, {"": gscodec.decode(data)}, test, distances=(1.0,), with_flip=False)
        (group,) = report.tests[""]
        similar = ssim_decibels(group.mean("ssim"))
        points.append((group.mean("psnr_content"), similar, len(data) / len(splats)))
    return points


def change(variant: Curve, normal: Curve, measure: int) -> float | None:
    """Percent of bytes that the variant needs more at equal quality: mean over the normal points."""
    line = [(point[measure], point[2]) for point in variant]
    both = [(bytes_at(line, point[measure]), point[2]) for point in normal]
    shares = [found.bytes_per_splat / size for found, size in both if found.where == INSIDE]
    return 100 * (sum(shares) / len(shares) - 1) if shares else None


def main(argv: list[str] | None = None) -> int:
    """Exit status 0."""
    scenes = read_scenes()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[1])
    add = parser.add_argument
    add("--scenes", type=Path, required=True, metavar="DIR", help="folder that holds scenes/NAME")
    add("--scene", action="append", choices=SCENES, metavar="NAME", help=f"{', '.join(SCENES)}; repeatable")
    add("--variant", action="append", choices=[*VARIANTS], metavar="NAME", help="repeatable")
    add("--views", type=int, default=12, metavar="N")
    add("--out", type=Path, default=ROOT / "benchmarks/results/static", metavar="DIR")
    options = parser.parse_args(argv)
    import gscodec

    points: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for name in options.scene or SCENES:
        scene = scenes[name]
        path = scene.path(options.scenes, None)
        if path is None:
            print(f"{name}: not there, left out", file=sys.stderr)
            continue
        splats = gscodec.read(path)
        train = cameras_of(scene, options.scenes, "train")
        test = cameras_of(scene, options.scenes, "test", options.views)
        normal: Curve = []
        usual = 0.0
        for variant in (ALL, *(options.variant or VARIANTS)):
            row: dict[str, Any] = {"scene": name, "variant": variant}
            start = time.process_time()
            found = curve(splats, train, test, variant)
            seconds = time.process_time() - start
            normal, usual = normal or found, usual or seconds
            print(f"{name}: {variant}: {seconds:.0f} s", file=sys.stderr, flush=True)
            keys = COLUMNS[2:]
            for quality, (psnr, similar, size) in zip(QUALITIES, found, strict=True):
                points.append(row | dict(zip(keys, (quality, size, psnr, similar), strict=True)))
            if variant != ALL:
                rows.append(
                    row
                    | {"psnr": change(found, normal, 0), "ssim": change(found, normal, 1)}
                    | {"time": seconds / usual}
                )
    heads = [
        ("psnr", "% bytes at equal PSNR", "+.1f"),
        ("ssim", "at equal SSIM", "+.1f"),
        ("time", "time", ".2f"),
    ]
    table = markdown(rows, [("scene", "scene", ""), ("variant", "variant", ""), *heads])
    print(table)
    options.out.mkdir(parents=True, exist_ok=True)
    write_csv(options.out / "ABLATION.csv", points, COLUMNS)
    title = "# What each part of the encoder is worth\n\nWritten by `python -m benchmarks.static.ablation`."
    text = "More bytes than with everything on, mean over its points that the variant's curve reaches."
    (options.out / "ABLATION.md").write_text(f"{title} {text}\n\n{table}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
