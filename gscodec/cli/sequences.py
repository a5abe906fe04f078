"""gsenc of several files: frames of a scene that moves."""

from __future__ import annotations

import functools
import glob
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gscodec.cli.bar import Bar
from gscodec.cli.common import Teller, counted, open_output, size_in_words
from gscodec.cli.encoding import json_ready, more, why_missed
from gscodec.cli.storing import Wishes, moved_warning

GOF = 60
STAGES = [("reading", 0.15), ("looking", 0.1), ("static layer", 0.1), ("segments", 0.65)]
SEARCH_STAGES = [("searching", 1.0)]
SINGLE_ONLY = ("lossless", "layers", "max_memory", "extra_errors", "keep_order")
OWN = ("fps", "gof", "fixed_gof", "tracked", "no_static_layer", "allow_gaps", "sh_degree")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """The values of the options."""

    fps: str
    gof: int
    fixed_gof: bool
    tracked: bool | None
    static_layer: bool
    allow_gaps: bool
    sh_degree: int | None


def sequence_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as one argument, `moving`."""

    @click.option(
        "--fps",
        default="30",
        show_default=True,
        callback=_fps,
        metavar="RATE",
        help="Of a sequence: frames a second, as a number or a fraction.",
    )
    @click.option(
        "--gof",
        type=click.IntRange(1, 4096),
        default=GOF,
        show_default=True,
        metavar="FRAMES",
        help="Of a sequence: frames of a segment, which decodes alone, at most. They are shorter where the "
        "scene changes at once, and where that takes fewer bytes.",
    )
    @click.option("--fixed-gof", is_flag=True, help="... and not where that takes fewer bytes.")
    @click.option(
        "--tracked/--untracked",
        default=None,
        help="Splat 5 of a frame is splat 5 of the next one, or need not be.  [default: found out]",
    )
    @click.option(
        "--no-static-layer", is_flag=True, help="Repeat what never changes in every segment of a sequence."
    )
    @click.option(
        "--allow-gaps", is_flag=True, help="Have a frame stay for the time of the missing numbers after it."
    )
    @click.option(
        "--sh-degree",
        type=click.IntRange(0, 3),
        metavar="N",
        help="Of a sequence: leave out higher harmonics, if not all frames have them.",
    )
    @functools.wraps(command)
    def with_moving(*, no_static_layer: bool, **given: Any) -> Any:
        names = ("fps", "gof", "fixed_gof", "tracked", "allow_gaps", "sh_degree")
        moving = Moving(static_layer=not no_static_layer, **{name: given.pop(name) for name in names})
        return command(moving=moving, **given)

    return with_moving


def _fps(_context: click.Context, _option: click.Parameter, value: str) -> str:
    from gscodec.encode.dynamic.wishes import rate_of
    from gscodec.errors import UsageError

    try:
        rate_of(value)
    except UsageError as error:
        raise click.BadParameter(error.message) from None
    return value


def is_sequence(sources: Sequence[str]) -> bool:
    """Whether that is more than one file: several, a pattern, or a folder that is no file of a format."""
    if len(sources) != 1:
        return True
    name = sources[0]
    if os.path.isdir(name):
        return not any((Path(name) / each).is_file() for each in ("meta.json", "lod-meta.json"))
    return name != "-" and not os.path.exists(name) and re.search(r"[*?\[]", name) is not None


def check_options(sources: Sequence[str], *, is_moving: bool) -> None:
    """Options that mean nothing to a sequence, or to a single file. Raises `click.UsageError`."""
    context = click.get_current_context()
    names = SINGLE_ONLY if is_moving else OWN
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "--" + {"extra_errors": "extra-error"}.get(name, name).replace("_", "-")
            what = "a sequence of frames" if is_moving else f"a single file ({sources[0]})"
            raise click.UsageError(f"{option} means nothing to {what}")
    if is_moving and "-" in sources:
        raise click.UsageError("frames of a sequence are files: stdin cannot be one of them")


def encode_sequence(
    sources: Sequence[str],
    target: str,
    options: dict[str, Any],
    moving: Moving,
    wishes: Wishes,
    teller: Teller,
    *,
    quiet: bool,
    hashed: bool,
) -> None:
    """Encode the frames and say how it went."""
    from gscodec.encode.dynamic.whole import encode_frames
    from gscodec.encode.large import spill_folder

    start = time.perf_counter()
    frames: Any = sources[0] if len(sources) == 1 else list(sources)
    paths = paths_of(frames)
    aims = ("target_psnr", "target_size", "max_error")
    given = [name for name in aims if options.get(name) is not None]
    has_aim = bool(given)
    stages = SEARCH_STAGES if has_aim else STAGES
    with Bar(stages, quiet=quiet) as progress, open_output(target, hashed=hashed) as file:
        report = encode_frames(
            paths,
            file,  # type: ignore[arg-type]
            fps=moving.fps,
            gof=moving.gof,
            fixed_gof=moving.fixed_gof,
            tracked=moving.tracked,
            static_layer=moving.static_layer,
            allow_gaps=moving.allow_gaps,
            sh_degree=moving.sh_degree,
            progress=progress,
            metadata=wishes.texts(),
            thumbnail=wishes.thumbnail,
            offset=wishes.offset,
            folder=spill_folder(None if target == "-" else target),
            **options,
        )
    seconds = time.perf_counter() - start
    bytes_in = sum(_size(path) for path in paths)
    count, size = int(report["frames"]), file.count
    if dropped := report.get("dropped_nonfinite"):
        teller.warn(f"left out {counted(dropped, 'splat')} with NaN or infinite values")
    splats = sum(int(report.get(name, 0)) for name in ("segment_splats", "static_splats", "moved_splats"))
    if has_aim and not report.get("target_reached"):
        teller.warn(why_missed("--" + given[0].replace("_", "-"), {**report, "splats": splats}, size))
    names: list[str] = report["left_out_extras"]
    wanted = [name for name in names if not any(fnmatchcase(name, each) for each in wishes.drop_extra)]
    if wanted:
        teller.warn(f"properties of a sequence that viewers do not use are left out: {', '.join(wanted)}")
    if any(report.pop("moved")):
        teller.warn(moved_warning(report["offset"]))
    if not splats:
        teller.warn("the input has no splats")
    mbps = 8e-6 * size / max(float(report["seconds"]), 1e-9)
    facts: dict[str, object] = {
        "input": list(sources),
        "output": target,
        "bytes_in": bytes_in,
        "bytes_out": size,
        "ratio": round(bytes_in / max(size, 1), 3),
        "seconds": round(seconds, 4),
        "mbps": round(mbps, 4),
        **{name: value for name, value in report.items() if name != "seconds"},
        "duration": report["seconds"],
        "sha256": file.sha256,
    }
    line = f"{size_in_words(bytes_in)} -> {size_in_words(size)} in {seconds:.1f} s; {counted(count, 'frame')}"
    line += f" in {counted(int(report['segments']), 'segment')}: {size_in_words(size / count)} each"
    line += f", {mbps:.2f} Mbps"
    if still := report.get("static_splats"):
        line += f"; {counted(still, 'splat')} never change"
    line += more(report, has_aim)
    teller.report({name: json_ready(value) for name, value in facts.items()}, line)


def paths_of(frames: str | list[str]) -> list[str]:
    """The files, patterns among them resolved, in their order."""
    from gscodec.encode.dynamic.sequence import files_of

    if isinstance(frames, str):
        return files_of(frames)
    found: list[str] = []
    for each in frames:
        found += files_of(each) if glob.has_magic(each) and not os.path.exists(each) else [each]
    return found


def _size(path: str) -> int:
    place = Path(path)
    if place.is_dir():
        return sum(each.stat().st_size for each in place.iterdir() if each.is_file())
    return place.stat().st_size
