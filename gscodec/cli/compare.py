"""gscodec compare: pictures of splat files next to those of a reference, in numbers and as PNG files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from gscodec.cli.bar import Bar
from gscodec.cli.common import (
    EXIT_CODES,
    Teller,
    counted,
    json_option,
    quiet_option,
    size_in_words,
    threads_option,
    times,
)
from gscodec.cli.files import decoded_file, is_gsc, read_file

if TYPE_CHECKING:
    from gscodec.evaluate.cameras import Camera
    from gscodec.evaluate.comparison import Report
    from gscodec.evaluate.rigs import Kind
    from gscodec.splats import Splats

NAME = "gscodec compare"
SIZE = (960, 540)  # pictures that a screen shows whole, and a processor renders in well under a second
VIEWS = 24
WORST = 4
BACKGROUNDS = {"black": (0.0, 0.0, 0.0), "white": (1.0, 1.0, 1.0)}
EPILOG = f"""\b
Examples
  gscodec compare scene.ply scene.gsc
  gscodec compare scene.ply small.gsc tiny.gsc --cameras cameras.json
  gscodec compare scene.ply scene.gsc --rig outside --views 12 --png out
  gscodec compare scene.ply scene.gsc --json | jq '.tests[0].distances[0].mean'

\b
Both are rendered by the same renderer, so what differs is what coding changed.
  PSNR     dB over all pixels; content: over those that show any splat
  SSIM     1 is equal; MS-SSIM: the same at five scales
  FLIP     what a viewer notices who flips between two pictures; 0 is equal
  p99      error that 99 % of the pixels do not exceed, of 255
  worst    the view with the lowest PSNR
Rows are means over views; a view that is equal in both counts in no mean of dB.
At distance 1/2 a camera has gone half of the way to what it looks at.

{EXIT_CODES}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of splats. `bytes` is its size; `label` its shortest name that no other input has."""

    path: str
    label: str
    bytes: int
    splats: Splats


def _size(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """(width, height) of "WxH", in pixels."""
    if value is None:
        return None
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise click.BadParameter(f"{value!r} is no size: expected WxH, such as 960x540")
    if not (16 <= int(width) <= 8192 and 16 <= int(height) <= 8192):
        raise click.BadParameter(f"{value!r}: expected 16 to 8192 pixels along each side")
    return int(width), int(height)


def _distances(_context: click.Context, _option: click.Parameter, value: str) -> tuple[float, ...]:
    """The different numbers of a list such as "1,1/2,1/4", the largest first."""
    try:
        found = {Fraction(part.strip()) for part in value.split(",")}
    except (ValueError, ZeroDivisionError):
        problem = f"{value!r}: expected numbers with commas between them, such as 1,1/2,1/4"
        raise click.BadParameter(problem) from None
    if not all(Fraction(1, 100) <= each <= 1 for each in found):
        raise click.BadParameter(f"{value!r}: expected distances from 1/100 to 1")
    return tuple(float(each) for each in sorted(found, reverse=True))


@click.command("compare", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("reference", metavar="A")
@click.argument("tests", metavar="B [C...]", nargs=-1, required=True)
@click.option(
    "--cameras",
    "camera_path",
    metavar="FILE|DIR",
    help="Cameras to look from: cameras.json, transforms.json or a COLMAP model. Without: see --rig.",
)
@click.option(
    "--rig",
    type=click.Choice(("auto", "outside", "inside", "near", "all")),
    help="Where to put cameras when no file has them.  [default: auto]",
)
@click.option(
    "--views",
    type=click.IntRange(1, 10_000),
    default=VIEWS,
    show_default=True,
    metavar="N",
    help="How many cameras; of a file with more, evenly picked.",
)
@click.option(
    "--size",
    callback=_size,
    metavar="WxH",
    help="Pictures fit into this, each in its camera's own shape.  [default: 960x540, and no larger than a "
    "file's cameras]",
)
@click.option(
    "--split",
    type=click.Choice(("test", "train", "all")),
    help="Which cameras of the file.  [default: test where it marks any, else all]",
)
@click.option(
    "--mode",
    type=click.Choice(("gsplat", "inria")),
    default="gsplat",
    show_default=True,
    help="The renderer to follow.",
)
@click.option(
    "--background",
    type=click.Choice(tuple(BACKGROUNDS)),
    default="black",
    show_default=True,
    help="What is behind the splats.",
)
@click.option(
    "--distances",
    callback=_distances,
    metavar="LIST",
    default="1,1/2,1/4",
    show_default=True,
    help="How near cameras go to what they look at: shares of the way that remain.",
)
@click.option(
    "--flip/--no-flip",
    "with_flip",
    default=True,
    show_default=True,
    help="Measure FLIP too, which takes about half of the time of all measures.",
)
@click.option(
    "--lpips",
    "with_lpips",
    is_flag=True,
    help="Measure LPIPS too, if the Python package lpips and its weights are installed.",
)
@click.option(
    "--png",
    "folder",
    metavar="DIR",
    help="Write reference, test and error next to each other here, for the worst views.",
)
@click.option(
    "--worst",
    type=click.IntRange(1),
    metavar="N",
    help=f"For how many views of each test --png writes pictures.  [default: {WORST}]",
)
@threads_option
@json_option
@quiet_option
def command(
    reference: str,
    tests: tuple[str, ...],
    camera_path: str | None,
    rig: Kind | None,
    views: int,
    size: tuple[int, int] | None,
    split: str | None,
    mode: Literal["gsplat", "inria"],
    background: str,
    distances: tuple[float, ...],
    with_flip: bool,
    with_lpips: bool,
    folder: str | None,
    worst: int | None,
    threads: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare what B, C, ... show with what A shows, from the same cameras.

    Each is a .ply or .gsc file. A is the reference, usually the .ply that the others were encoded from.
    """
    paths = [reference, *tests]
    _check(paths, camera_path, rig, split, folder, worst)
    teller = Teller(NAME, as_json=as_json, quiet=quiet, data_on_stdout=False)
    with teller.failures():
        from gscodec.evaluate.comparison import compare

        gallery = _gallery(folder, worst)
        start = time.perf_counter()
        with Bar([("reading", 0.05), ("cameras", 0.05), ("comparing", 0.9)], quiet=quiet) as progress:
            sources = _read_all(paths, threads, progress)
            truth, *others = sources
            if not len(truth.splats):
                raise click.UsageError(f"{reference} has no splats: there is nothing to compare with")
            progress("cameras", 0.0)
            if camera_path is None:
                cameras, where = _made(truth.splats, rig or "auto", views, size)
            else:
                cameras, where = _read_cameras(camera_path, split, views, size)
            report = compare(
                truth.splats,
                {source.label: source.splats for source in others},
                cameras,
                mode=mode,
                background=BACKGROUNDS[background],
                threads=threads,
                distances=distances,
                with_flip=with_flip,
                with_lpips=with_lpips,
                progress=progress,
                watch=gallery.take if gallery is not None else None,
            )
            pictures = [str(path) for path in gallery.write(folder)] if gallery and folder else []
        seconds = time.perf_counter() - start
        if with_lpips and "lpips" not in report.tests[others[0].label][0].measures:
            teller.warn("no LPIPS: the packages torch and lpips or the weights are not installed")
        if as_json:
            facts: dict[str, object] = {
                "reference": _source_facts(truth),
                "tests": [
                    {**_source_facts(source), "distances": report.facts(source.label)} for source in others
                ],
                "cameras": {"source": camera_path or f"rig {rig or 'auto'}", "views": len(cameras)},
                "mode": mode,
                "background": background,
                "pictures": pictures,
                "seconds": round(seconds, 3),
            }
            teller.report(facts, "")
        elif not quiet:
            settings = f"{where}, {mode} mode, {background} background"
            click.echo("\n".join(lines(sources, report, settings)))
            if pictures:
                click.echo(f"\n{counted(len(pictures), 'picture')} in {folder}")


def _check(
    paths: Sequence[str],
    camera_path: str | None,
    rig: str | None,
    split: str | None,
    folder: str | None,
    worst: int | None,
) -> None:
    """Refuse arguments that contradict each other, before anything is read."""
    if "-" in paths:
        raise click.UsageError("stdin cannot be compared: give files")
    if len(set(paths)) < len(paths):
        raise click.UsageError("a file is given twice")
    if camera_path is not None and rig is not None:
        raise click.UsageError("--cameras and --rig are two ways to say the same: give one")
    if split is not None and camera_path is None:
        raise click.UsageError("--split needs --cameras: a rig has no splits")
    if worst is not None and folder is None:
        raise click.UsageError("--worst needs --png")
    if folder is not None and (not folder or (os.path.exists(folder) and not os.path.isdir(folder))):
        raise click.UsageError(f"--png {folder!r} is not a folder")


def _gallery(folder: str | None, worst: int | None) -> Any:
    """What keeps the pictures, or None when none are asked for."""
    if folder is None:
        return None
    try:
        from gscodec.evaluate.pictures import Gallery
    except ImportError as error:
        raise click.UsageError(f"--png needs the Python package pillow: {error}") from error
    return Gallery(worst or WORST)


# ---- inputs


def _read_all(paths: Sequence[str], threads: int, progress: Bar) -> list[Source]:
    names = [Path(path).name for path in paths]
    sources = []
    for number, path in enumerate(paths):
        progress("reading", number / len(paths))
        label = names[number] if names.count(names[number]) == 1 else path
        sources.append(_read(path, label, threads))
    return sources


def _read(path: str, label: str, threads: int) -> Source:
    """A .gsc or a file of another format, all in the axes of PLY where they state any.

    Raises `InputError`, `StreamError`.
    """
    from gscodec.errors import GscError
    from gscodec.io.axes import USUAL, in_axes

    try:
        file, size = decoded_file(path, threads) if is_gsc(path) else read_file(path)
        splats = in_axes(file, USUAL).splats
    except GscError as error:
        if path not in str(error):
            error.add_note(f"in {path}")  # one of several inputs
        raise
    return Source(path=path, label=label, bytes=size, splats=splats)


# ---- cameras


def _made(splats: Splats, rig: Kind, views: int, size: tuple[int, int] | None) -> tuple[list[Camera], str]:
    """Cameras that the reference decides, and what to say of them."""
    from gscodec.evaluate.rigs import make_rig

    cameras = make_rig(splats, rig, views=views, size=size or SIZE)
    return cameras, f"{counted(len(cameras), 'view')} of rig {rig}, {_sizes(cameras)}"


def _read_cameras(
    path: str, split: str | None, views: int, size: tuple[int, int] | None
) -> tuple[list[Camera], str]:
    """Cameras of a file, and what to say of them. Raises `InputError`, `UsageError`."""
    from gscodec.evaluate.camera_files import read_cameras
    from gscodec.evaluate.comparison import evenly, fitted

    cameras = read_cameras(path)
    wanted = split or ("test" if any(camera.split == "test" for camera in cameras) else "all")
    if wanted != "all":
        cameras = [camera for camera in cameras if camera.split == wanted]
        if not cameras:
            raise click.UsageError(f"{path} marks no camera as {wanted}: try --split all")
    cameras = evenly(cameras, views)
    cameras = [fitted(camera, size or SIZE, may_grow=size is not None) for camera in cameras]
    kind = "" if wanted == "all" else f" ({wanted})"
    return cameras, f"{counted(len(cameras), 'view')} of {path}{kind}, {_sizes(cameras)}"


def _sizes(cameras: Sequence[Camera]) -> str:
    sizes = sorted({(camera.width, camera.height) for camera in cameras})
    first = f"{sizes[-1][0]}x{sizes[-1][1]}"
    return first if len(sizes) == 1 else f"up to {first}"


# ---- what is said


def _source_facts(source: Source) -> dict[str, object]:
    count = len(source.splats)
    return {
        "file": source.path,
        "name": source.label,
        "bytes": source.bytes,
        "splats": count,
        "sh_degree": source.splats.sh_degree,
        "bytes_per_splat": round(source.bytes / count, 4) if count else None,
    }


def lines(sources: Sequence[Source], report: Report, settings: str) -> list[str]:
    """The report for people: the inputs, then a row for each test and distance."""
    width = max(len(source.label) for source in sources)
    out = []
    for source in sources:
        count = len(source.splats)
        text = f"{source.label:{width}}  {counted(count, 'splat')}, {size_in_words(source.bytes)}"
        if count:
            text += f", {source.bytes / count:.2f} bytes a splat"
        if source is sources[0]:
            text += " (reference)"
        elif 0 < source.bytes < sources[0].bytes:
            text += f", {times(sources[0].bytes / source.bytes)} smaller"
        out.append(text)
    return [*out, settings, "", *report.lines()]
