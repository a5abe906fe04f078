"""python -m benchmarks.montage --scenes DIR --referee COMMAND [--scene NAME ...]

One row a scene: original, decoded at the default preset, and ten times their difference, as the referee
renders them. The view shown is the one of median PSNR, so neither the best nor the worst.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import run
from benchmarks.static.passes import METRIC, say
from benchmarks.static.scenes import Scene, ply_summary, read_scenes

ROOT = Path(__file__).parents[1]
SCENES = ("bonsai_long", "bonsai", "showroom", "playbot")
LIMIT = 900_000  # bytes
STRIP = 18  # height of a caption, pixels


def median_view(views: list[dict[str, Any]], metric: str) -> int:
    """Number of the view of median PSNR (the lower of two)."""
    order = sorted(range(len(views)), key=lambda number: float(views[number][metric]))
    return order[(len(order) - 1) // 2]


def row_of(options: argparse.Namespace, scene: Scene, path: Path) -> tuple[Path, str]:
    """(picture of reference | test | difference, caption)."""
    folder: Path = options.work / scene.name
    folder.mkdir(parents=True, exist_ok=True)
    coded, decoded, report = folder / "scene.gsc", folder / "decoded.ply", folder / "report.json"
    run([*shlex.split(options.gsenc), str(path), "-o", str(coded), "--quality", options.preset])
    run([*shlex.split(options.gsdec), str(coded), "-o", str(decoded)])
    pictures = folder / "views"
    command = [*shlex.split(options.referee), "compare", str(path), str(decoded), "--amplify", "10"]
    rig = scene.rigs[0] if scene.rigs[0] == "auto" else str(options.scenes.resolve() / scene.rigs[0])
    command += ["--rig", rig, "--views", str(options.views or scene.views), "--size", scene.size]
    command += ["--png", str(pictures)]
    done = subprocess.run([*command, "--json", str(report)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the referee failed: {done.stderr.strip()[-2000:]}")
    test = json.loads(report.read_text(encoding="utf-8"))["tests"][0]
    number = median_view(test["views"], METRIC)
    view = test["views"][number]
    picture = next(pictures.glob(f"t0_{number:03d}_*.png"))
    before, after = path.stat().st_size, coded.stat().st_size
    caption = (
        f"{scene.name} ({scene.licence})   {before / 1e6:.1f} -> {after / 1e6:.2f} MB ({before / after:.0f}x)"
        f", {after / ply_summary(path)[0]:.2f} bytes a splat   "
        f"this view {float(view[METRIC]):.2f} dB, SSIM {view['ssim']:.4f}"
    )
    decoded.unlink()
    return picture, caption


def assemble(rows: list[tuple[Path, str]], preset: str, width: int) -> bytes:
    """The PNG, `width` pixels wide."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(11)
    strips = []
    for path, caption in rows:
        with Image.open(path) as picture:
            view = picture.convert("RGB")
        view = view.resize((width, round(view.height * width / view.width)), Image.Resampling.LANCZOS)
        strips.append((view, caption))
    height = STRIP + sum(view.height + STRIP for view, _ in strips)
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    for k, title in enumerate(("original", f"decoded, preset {preset}", "difference x 10")):
        pen.text((k * width // 3 + 4, 2), title, fill="black", font=font)
    y = STRIP
    for view, caption in strips:
        sheet.paste(view, (0, y))
        pen.text((4, y + view.height + 2), caption, fill="black", font=font)
        y += view.height + STRIP
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, or 1 when no scene was there."""
    scenes = read_scenes()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.montage", description=(__doc__ or "").split("\n\n", 1)[1]
    )
    add = parser.add_argument
    add("--scenes", type=Path, required=True, metavar="DIR", help="folder that holds scenes/NAME")
    add("--made", type=Path, metavar="DIR", help="folder of the float PLYs made from quantised scenes")
    add("--referee", required=True, metavar="COMMAND", help='"python -m rendereval"')
    add("--scene", action="append", choices=[*scenes], metavar="NAME", help=f"not {', '.join(SCENES)}")
    add("--preset", default="default")
    add("--views", type=int, metavar="N", help="views to choose from, instead of each scene's own number")
    add("--out", type=Path, default=ROOT / "benchmarks/results/static/montage.png", metavar="FILE")
    add("--work", type=Path, default=ROOT / "benchmarks/work/montage", metavar="DIR", help="for coded files")
    add("--gsenc", default=f"{sys.executable} -m gscodec.cli.gsenc", metavar="COMMAND")
    add("--gsdec", default=f"{sys.executable} -m gscodec.cli.gsdec", metavar="COMMAND")
    options = parser.parse_args(argv)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    rows = []
    for name in options.scene or SCENES:
        path = scenes[name].path(options.scenes.resolve(), options.made)
        if path is None:
            say(f"{name}: not there, left out")
            continue
        rows.append(row_of(options, scenes[name], path))
        say(rows[-1][1])
    if not rows:
        return 1
    width = 1500
    while len(picture := assemble(rows, options.preset, width)) > LIMIT and width > 450:
        width -= 75
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_bytes(picture)
    say(f"{options.out.name}: {width} pixels wide, {len(picture):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
