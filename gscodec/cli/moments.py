"""gsdec of scenes that change with time: the options that say when, and what is written for each moment."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gscodec.cli.bar import Bar
from gscodec.cli.common import Teller, counted, size_in_words
from gscodec.cli.decoding import Output, comments_of, write_scene
from gscodec.cli.gsc_file import GscFile

if TYPE_CHECKING:
    from gscodec.dynamic.scene import Scene
    from gscodec.errors import StreamError

NUMBER = re.compile(r"%(0?[0-9]{0,2})d")
SECONDS = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(/[0-9]+)?", re.ASCII)
LONGEST = 40  # characters of a time
FrameRange = tuple[int | None, int | None, int]  # first, the one after the last, step


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The values of the options: seconds, a tick, frames, or the motion itself; at most one of them."""

    time: Fraction | None
    tick: int | None
    frames: FrameRange | None
    native: bool = False

    @property
    def is_given(self) -> bool:
        """Whether any is."""
        return self.native or (self.time, self.tick, self.frames) != (None, None, None)


def moment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --time, --tick and --frames; the command gets them as one argument, `when`."""

    @click.option(
        "--time",
        "time",
        callback=_seconds,
        metavar="SECONDS",
        help="When, in a scene that changes with time: 3.2, or a fraction such as 96/30.",
    )
    @click.option("--tick", type=click.IntRange(-(1 << 53), 1 << 53), metavar="N", help="When, in ticks.")
    @click.option(
        "--frames",
        callback=_range,
        metavar="A:B[:S]",
        help="Each frame from A to before B, every S-th, to a file of its own: OUT has %05d for the number. "
        ": is all of them.",
    )
    @click.option(
        "--native",
        is_flag=True,
        help="The motion itself: Spacetime-Gaussian PLY, a file for each segment, or .npz of motion bases.",
    )
    @functools.wraps(command)
    def with_when(
        *, time: Fraction | None, tick: int | None, frames: FrameRange | None, native: bool, **given: Any
    ) -> object:
        native = native or str(given.get("target")).lower().endswith(".npz")
        options = {"--time": time, "--tick": tick, "--frames": frames, "--native": native or None}
        names = [name for name, value in options.items() if value is not None]
        if len(names) > 1:
            raise click.UsageError(f"{' and '.join(names)} exclude each other: give one")
        return command(when=When(time=time, tick=tick, frames=frames, native=native), **given)

    return with_when


def _seconds(_context: click.Context, _option: click.Parameter, value: str | None) -> Fraction | None:
    """Decimals, or a/b."""
    if value is None:
        return None
    if not SECONDS.fullmatch(value) or len(value) > LONGEST:
        raise click.BadParameter(f"{value}: expected seconds, such as 3.2 or 96/30")
    above, _, below = value.partition("/")
    if below and int(below) == 0:
        raise click.BadParameter(f"{value}: a division by zero")
    return Fraction(above) / int(below or 1)


def _range(_context: click.Context, _option: click.Parameter, value: str | None) -> FrameRange | None:
    """A:B, A:B:S with any left out, or one number."""
    if value is None:
        return None
    parts = value.split(":")
    if len(parts) > 3 or any(part and not (part.isascii() and part.isdigit()) for part in parts):
        raise click.BadParameter(f"{value}: expected frames, such as 0:90, 10:, ::10 or :")
    if any(len(part) > 15 for part in parts) or not value:
        raise click.BadParameter(f"{value}: no frames")
    numbers = [int(part) if part else None for part in parts]
    if len(numbers) == 1:
        only = numbers[0] or 0
        return only, only + 1, 1
    first, last, step = numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else 1
    if step == 0:
        raise click.BadParameter("a step of 0 frames")
    return first, last, 1 if step is None else step


def numbered(pattern: str, number: int) -> str:
    """The name of a file: the pattern with the number in place of %05d or the like."""
    return NUMBER.sub(lambda found: f"{number:{found[1]}d}", pattern)


def check_pattern(target: str, what: str) -> None:
    """Raise `click.UsageError` unless OUT has a place for a number."""
    if len(NUMBER.findall(target)) != 1:
        raise click.UsageError(f"{what} go to files of their own: OUT needs one %05d, as in frames/%05d.ply")


def open_dynamic(source: str, data: GscFile | None, degree: int | None, threads: int) -> Scene | None:
    """The scene, where it changes with time; of a URL (`data` None) only what is needed is fetched."""
    from gscodec.dynamic.reader import is_dynamic
    from gscodec.dynamic.scene import Scene
    from gscodec.errors import StreamError

    if data is not None:
        if not is_dynamic(data.start):
            return None
        try:
            return Scene(source if data.held is None else data.held, sh_degree=degree, threads=threads)
        except StreamError as error:  # found by seeking; from front to back, another one may come first
            raise (fault_of(data) or error) from None
    scene = Scene(source, sh_degree=degree, threads=threads)
    if scene.static:
        scene.close()
        return None
    return scene


def fault_of(data: GscFile) -> StreamError | None:
    """What is wrong with the container, all of which is looked at."""
    from gscodec.dynamic.reader import events_of
    from gscodec.errors import StreamError

    try:
        for _ in events_of(data.pieces()):
            pass
    except StreamError as error:
        return error
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One file to write."""

    target: str
    tick: int
    frame: int | None = None


def moments(scene: Scene, when: When, target: str) -> list[Moment]:
    """What to write. Raises `UsageError` "usage.time"."""
    from gscodec.errors import UsageError

    if scene.time is None:
        raise RuntimeError("a static scene")
    if when.tick is not None:
        return [Moment(target=target, tick=when.tick)]
    first, end = scene.start_tick, scene.start_tick + scene.duration_ticks
    if when.time is not None:
        tick = scene.tick_at(when.time)
        if tick == end and when.time < scene.time.seconds(end):
            tick = end - 1
        if not first <= tick < end and (scene.fault is None or tick < first):
            span = f"{_decimal(scene.time.seconds(first))} s to before {_decimal(scene.time.seconds(end))} s"
            raise UsageError("usage.time", f"--time {_decimal(when.time)}: the scene is from {span}")
        return [Moment(target=target, tick=tick)]
    if not scene.time.frame_ticks:
        raise UsageError("usage.time", "the scene does not say what its frames are: use --time or --tick")
    return [
        Moment(target=numbered(target, number), tick=first + number * scene.time.frame_ticks, frame=number)
        for number in chosen_frames(when, scene.frame_count)
    ]


def chosen_frames(when: When, count: int) -> range:
    """Numbers of frames of a scene that has `count`. Raises `UsageError` "usage.time"."""
    from gscodec.errors import UsageError

    first, last, step = when.frames or (None, None, 1)
    found = range(first or 0, count if last is None else last, step)
    if not found or found[-1] >= count:
        raise UsageError("usage.time", f"--frames: the scene has frames 0 to {count - 1}" if count else
                         "--frames: the scene has no frames")  # fmt: skip
    return found


def _decimal(seconds: Fraction) -> str:
    return f"{float(seconds):.6g}"


def decode_moments(
    scene: Scene,
    source: str,
    target: str,
    when: When,
    output: Output,
    teller: Teller,
    *,
    quiet: bool,
) -> tuple[dict[str, object], str]:
    """Write the files; the report: facts and a line. Raises `StreamError`, `UsageError`."""
    header, time = scene.header, scene.time
    if header is None or time is None:
        raise RuntimeError("a static scene")
    chosen = moments(scene, when, target)
    texts, problems = comments_of((s.payload, s.offset) for s in scene.skipped if s.id == b"META")
    for problem in problems:
        teller.warn(problem)
    comments = output.comments_of(header, texts)
    files: list[dict[str, object]] = []
    lost: tuple[str, ...] = ()
    total = splats_most = 0
    with Bar([("decoding", 1.0)], quiet=quiet) as progress:
        for moment in chosen:
            splats = scene.at_tick(moment.tick)
            if moment.frame is not None:
                Path(moment.target).parent.mkdir(parents=True, exist_ok=True)
            written = write_scene(
                moment.target, output, iter((splats,)), header, len(splats), splats.sh_degree, comments
            )
            total, lost = total + written.bytes, written.lost or lost
            splats_most = max(splats_most, len(splats))
            files.append(
                {
                    "output": moment.target,
                    "tick": moment.tick,
                    "seconds": float(time.seconds(moment.tick)),
                    **({} if moment.frame is None else {"frame": moment.frame}),
                    "splats": len(splats),
                    "bytes": written.bytes,
                    "sha256": written.sha256,
                }
            )
            progress("decoding", len(files) / len(chosen))
    for each in lost:
        teller.warn(f"not kept: {each}")
    if when.tick is not None and not 0 <= when.tick - scene.start_tick < scene.duration_ticks:
        teller.warn(f"tick {when.tick} is outside of the scene, where only what never changes is shown")
    read, requests = scene.traffic
    facts: dict[str, object] = {
        "input": source,
        "output": target,
        "bytes_in": scene.source.size,
        "bytes_out": total,
        "bytes_read": read,
        "requests": requests,
        "sh_degree": scene.sh_degree,
        "format": output.kind.name,
        "layout": output.layout if output.kind.name == "ply" else None,
        "comments": len(comments),
        "offset": list(header.offset),
        "files": files,
    }
    if len(files) == 1:
        facts |= {name: files[0][name] for name in ("splats", "tick", "sha256")}
        what = counted(splats_most, "splat")
    else:
        what = f"{counted(len(files), 'frame')} of up to {counted(splats_most, 'splat')}"
    return facts, f"{size_in_words(scene.source.size)} -> {size_in_words(total)}; {what}"
