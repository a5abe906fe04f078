"""python -m benchmarks.speed.render --scenes DIR [--made DIR] --referee DIR

Pictures on the processor, in millions of pixels a second: ours next to rendereval's, on the same views in one
run, turn by turn, the best of several counting. Scenes that have cameras are seen by these, the others from
all around.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.static.scenes import Scene, read_scenes
from benchmarks.tables import markdown, write_csv

SCENES = ("fox", "bonsai_long", "yushima", "playbot", "showroom")


def cameras_of(file: Path, splats: Any, views: int, pixels: int) -> list[Any]:
    """`views` cameras of about `pixels` pixels: some of cameras.json beside the scene, else all around."""
    from gscodec.evaluate.cameras import Camera

    source = file.with_name("cameras.json")
    cameras = []
    if source.is_file():
        entries = json.loads(source.read_text(encoding="utf-8"))
        for k in np.linspace(0, len(entries) - 1, views).round().astype(int):
            e = entries[k]
            cameras.append(
                Camera(
                    width=e["width"],
                    height=e["height"],
                    fx=e["fx"],
                    fy=e["fy"],
                    cx=e.get("cx", e["width"] / 2),
                    cy=e.get("cy", e["height"] / 2),
                    position=np.array(e["position"], float),
                    rotation=np.array(e["rotation"], float).T.copy(),
                )
            )
    else:
        low, centre, high = np.quantile(splats.positions.astype(float), (0.05, 0.5, 0.95), axis=0)
        radius = 0.75 * float(np.linalg.norm(high - low))
        for angle in np.arange(views) * 2 * math.pi / views:
            forward = np.array([math.cos(angle), 0.3, math.sin(angle)]) / math.hypot(1, 0.3)
            right = np.array([-math.sin(angle), 0, math.cos(angle)])
            rotation = np.stack([right, np.cross(forward, right), forward])
            numbers = {"width": 960, "height": 540, "fx": 800.0, "fy": 800.0, "cx": 480.0, "cy": 270.0}
            cameras.append(Camera(**numbers, position=centre - radius * forward, rotation=rotation))
    return [c.resized(math.sqrt(pixels / (c.width * c.height))) for c in cameras]


def referee_of(splats: Any) -> tuple[Any, Any]:
    """rendereval's module, and the splats as it wants them."""
    raster = importlib.import_module("rendereval.raster")
    scene = {
        "xyz": splats.positions,
        "scale": splats.scales,
        "rot": splats.rotations,
        "opacity": splats.opacities,
        "f_dc": splats.sh_dc,
        "f_rest": splats.sh_rest,
    }
    return raster, raster.prepare(scene)


def for_referee(camera: Any) -> Any:
    """A camera as rendereval wants it."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = camera.rotation, -camera.rotation @ camera.position
    names = ("width", "height", "fx", "fy", "cx", "cy")
    numbers = {name: getattr(camera, name) for name in names}
    return SimpleNamespace(**numbers, pos=camera.position, world_to_cam=lambda: matrix)


def rates(scene: Scene, file: Path, mode: str, views: int, pixels: int, repeat: int) -> dict[str, Any]:
    """One row: seconds summed over the views, each the best of `repeat`."""
    from gscodec.evaluate.renderer import Renderer, Statistics
    from gscodec.io import read_ply

    splats = read_ply(file).splats
    cameras = cameras_of(file, splats, views, pixels)
    raster, prepared = referee_of(splats)
    raster.render(prepared, for_referee(cameras[0]), mode=mode)  # compiles
    begin = time.perf_counter()
    renderer = Renderer(splats, mode=mode)
    build = time.perf_counter() - begin
    statistics = Statistics.zeros(len(splats))
    colours = np.maximum(0.5 + 0.28209479 * splats.sh_dc, 0)
    total: dict[str, float] = {}
    within, worst, count = 1.0, math.inf, 0
    for camera in cameras:
        theirs = for_referee(camera)
        view = renderer.view(camera)
        ours = view.draw()
        picture, _, _ = raster.render(prepared, theirs, mode=mode, aux=True)
        error = np.abs(ours.rgb - picture)
        within = min(within, float((error.max(2) <= 1e-3).mean()))
        worst = min(worst, -10 * math.log10(max(float((error.astype(float) ** 2).mean()), 1e-30)))
        jobs: dict[str, Callable[[], Any]] = {
            "ours": lambda camera=camera: renderer.render(camera),
            "referee": lambda theirs=theirs: raster.render(prepared, theirs, mode=mode, aux=True),
            "view": lambda camera=camera: renderer.view(camera),
            "draw": lambda view=view: view.draw(colours=colours),
            "measure": lambda view=view: view.draw(colours=colours, statistics=statistics),
            "gather": lambda view=view, ours=ours: view.gather(ours.rgb),
        }
        best = dict.fromkeys(jobs, math.inf)
        for _ in range(repeat):
            for name, job in jobs.items():
                begin = time.perf_counter()
                job()
                best[name] = min(best[name], time.perf_counter() - begin)
        total = {name: total.get(name, 0.0) + seconds for name, seconds in best.items()}
        count += camera.width * camera.height
    row: dict[str, Any] = {name: count / seconds / 1e6 for name, seconds in total.items()}
    return row | {
        "scene": scene.name,
        "mode": mode,
        "splats": len(splats),
        "pixels": count // len(cameras),
        "build_s": build,
        "view_ms": total["view"] / len(cameras) * 1e3,
        "ratio": row["ours"] / row["referee"],
        "within": 100 * within,
        "psnr": worst,
    }


TABLE = [
    ("scene", "scene", ""),
    ("mode", "mode", ""),
    ("splats", "splats", ",d"),
    ("pixels", "pixels", ",d"),
    ("build_s", "Renderer, s", ".2f"),
    ("view_ms", "view, ms", ".1f"),
    ("ours", "render", ".2f"),
    ("referee", "rendereval", ".2f"),
    ("ratio", "ratio", ".1f"),
    ("draw", "draw", ".2f"),
    ("measure", "with statistics", ".2f"),
    ("gather", "gather", ".2f"),
    ("within", "% within 0.001", ".3f"),
    ("psnr", "PSNR", ".1f"),
]


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0."""
    scenes = read_scenes()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.render", description=(__doc__ or "").split("\n\n", 1)[1]
    )
    add = parser.add_argument
    add("--scenes", type=Path, required=True, metavar="DIR", help="folder that holds scenes/NAME")
    add("--made", type=Path, metavar="DIR", help="folder of the float PLYs made from quantised scenes")
    add("--referee", type=Path, required=True, metavar="DIR", help="folder that holds the package rendereval")
    add("--scene", action="append", choices=[*scenes], metavar="NAME", help=f"not {', '.join(SCENES)}")
    add("--mode", action="append", choices=("gsplat", "inria"), help="not both")
    add("--views", type=int, default=4, metavar="N")
    add("--pixels", type=int, default=250_000, metavar="N", help="of one view, about")
    add("--repeat", type=int, default=5, metavar="N", help="the best of N counts")
    add("--out", type=Path, metavar="DIR", help="also write render.csv and render.md there")
    options = parser.parse_args(argv)
    sys.path.insert(0, str(options.referee))
    rows = []
    for name in options.scene or SCENES:
        path = scenes[name].path(options.scenes, options.made)
        if path is None:
            print(f"{name}: not there, left out", file=sys.stderr)
            continue
        for mode in options.mode or ("gsplat", "inria"):
            rows.append(rates(scenes[name], path, mode, options.views, options.pixels, options.repeat))
    text = (
        f"Millions of pixels a second, {options.views} views, each the best of {options.repeat}. `render`\n"
        "is `view`, colours from the harmonics and `draw`; `draw`, alone and with statistics, and\n"
        f"`gather` have a view and colours already.\n\n{markdown(rows, TABLE)}"
    )
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write_csv(options.out / "render.csv", rows, [key for key, _, _ in TABLE])
        (options.out / "render.md").write_text(
            "# Pictures on the processor\n\n"
            f"Written by `python -m benchmarks.speed.render`; do not edit.\n\n{text}",
            encoding="utf-8",
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
