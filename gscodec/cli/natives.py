"""gsenc and gsdec of scenes with motion of their own: Spacetime-Gaussian PLY, NPZ of motion bases."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gscodec.cli.bar import Bar
from gscodec.cli.common import Teller, counted, open_output, size_in_words
from gscodec.cli.storing import Wishes

if TYPE_CHECKING:
    from gscodec.dynamic.scene import Scene

STAGES = [("looking", 0.2), ("segments", 0.8)]
OWN = ("duration", "frames", "trbf", "threshold")
FOREIGN = (
    "lossless", "target_size", "target_psnr", "max_error", "measure", "layers", "max_memory", "keep_order",
    "fixed_gof", "tracked", "no_static_layer", "allow_gaps", "sh_degree",
)  # fmt: skip


def native_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as one argument, `native`."""

    @click.option(
        "--duration",
        metavar="SECONDS",
        help="Of a Spacetime-Gaussian PLY file (one segment): how long it lasts, as a number or a fraction.",
    )
    @click.option(
        "--frames", type=click.IntRange(1, 1 << 20), metavar="N", help="... or how many frames it has."
    )
    @click.option(
        "--trbf",
        type=click.Choice(("spacetime", "plain")),
        default="spacetime",
        show_default=True,
        help="... exp(-(tau / (sqrt2 e^s))^2), or without the factor sqrt2.",
    )
    @click.option(
        "--trbf-threshold",
        "threshold",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.05,
        show_default=True,
        metavar="W",
        help="... under which a splat is not shown.",
    )
    @functools.wraps(command)
    def with_native(**given: Any) -> Any:
        return command(native={name: given.pop(name) for name in OWN}, **given)

    return with_native


def native_files(sources: Sequence[str]) -> tuple[str, list[str]] | None:
    """("spacetime" or "bases", files) where the inputs are such files; None where they are others.

    Raises `InputError` "io.read" for a pattern that no file fits.
    """
    from gscodec.cli.sequences import is_sequence, paths_of
    from gscodec.io.bases_npz import is_bases
    from gscodec.io.spacetime import is_spacetime

    if len(sources) == 1 and is_bases(sources[0]):
        return "bases", list(sources)
    names = list(sources)
    if is_sequence(sources):
        names = paths_of(sources[0] if len(sources) == 1 else names)
    return ("spacetime", names) if names and is_spacetime(names[0]) else None


def check_native_options(kind: str | None) -> None:
    """Options that mean nothing to the input. Raises `click.UsageError`."""
    context = click.get_current_context()
    refused = OWN if kind is None else FOREIGN if kind == "spacetime" else (*FOREIGN, *OWN, "gof")
    what = {"spacetime": "Spacetime-Gaussian PLY files", "bases": "motion bases"}.get(
        str(kind), "these inputs"
    )
    for name in refused:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "trbf-threshold" if name == "threshold" else name.replace("_", "-")
            raise click.UsageError(f"--{option} means nothing to {what}")


def encode_native(
    kind: str,
    files: Sequence[str],
    target: str,
    options: dict[str, Any],
    native: dict[str, Any],
    fps: str,
    gof: int,
    wishes: Wishes,
    teller: Teller,
    *,
    quiet: bool,
    hashed: bool,
) -> None:
    """Encode the files and say how it went."""
    from gscodec.encode.dynamic.whole_native import encode_bases, encode_spacetime

    start = time.perf_counter()
    names = ("quality", "effort", "cameras", "rig", "steps", "threads", "nonfinite", "stream")
    given: dict[str, Any] = {name: options[name] for name in names if name in options}
    given |= {"metadata": wishes.texts(), "thumbnail": wishes.thumbnail, "extra_errors": wishes.extra_errors}
    source = click.get_current_context().get_parameter_source
    is_given = {name: source(name) is ParameterSource.COMMANDLINE for name in ("fps", "gof")}
    if kind == "spacetime":
        frames = native["frames"]
        if frames is None and native["duration"] is None:
            if not is_given["gof"]:
                raise click.UsageError(
                    "a Spacetime-Gaussian file does not say how long it lasts: give --duration or --frames"
                )
            frames = gof
        given |= {"frames": frames, "duration": native["duration"], "fps": fps, "kernel": native["trbf"]}
        given |= {"threshold": native["threshold"], "drop_extra": wishes.drop_extra}
    elif is_given["fps"]:
        given["fps"] = fps
    with Bar(STAGES, quiet=quiet) as progress, open_output(target, hashed=hashed) as file:
        out: Any = file
        if kind == "spacetime":
            report = encode_spacetime(files, out, progress=progress, **given)
        else:
            report = encode_bases(files[0], out, progress=progress, **given)
    if dropped := report.get("dropped_nonfinite"):
        teller.warn(f"left out {counted(int(dropped), 'splat')} with NaN or infinite values")
    if hidden := report.get("never_shown"):
        teller.warn(f"left out {counted(int(hidden), 'splat')} that no moment shows")
    taken = time.perf_counter() - start
    bytes_in = sum(Path(each).stat().st_size for each in files)
    facts: dict[str, object] = {
        "input": list(files),
        "output": target,
        "bytes_in": bytes_in,
        "bytes_out": file.count,
        "ratio": round(bytes_in / max(file.count, 1), 3),
        **report,
        "seconds": round(taken, 4),
        "duration": report["seconds"],
        "sha256": file.sha256,
    }
    line = f"{size_in_words(bytes_in)} -> {size_in_words(file.count)} in {taken:.1f} s; "
    line += f"{counted(int(report['frames']), 'frame')} in {counted(int(report['segments']), 'segment')}"
    teller.report(facts, line)


def decode_native(
    scene: Scene, source: str, target: str, teller: Teller, *, hashed: bool
) -> tuple[dict[str, object], str]:
    """Write the motion of a scene as it is; the report. Raises `StreamError`, `UsageError`."""
    if target.lower().endswith(".npz"):
        files = [_bases(scene, target, hashed=hashed)]
    elif target == "-" or target.lower().endswith(".ply"):
        files = _spacetime(scene, target, teller, hashed=hashed)
    else:
        raise click.UsageError("--native writes .ply (Spacetime Gaussians) or .npz (motion bases)")
    read, requests = scene.traffic
    total = sum(int(str(each["bytes"])) for each in files)
    facts: dict[str, object] = {
        "input": source,
        "output": target,
        "bytes_in": scene.source.size,
        "bytes_out": total,
        "bytes_read": read,
        "requests": requests,
        "format": "native",
        "files": files,
    }
    words = f"{size_in_words(scene.source.size)} -> {size_in_words(total)}; {counted(len(files), 'file')}"
    return facts, words


def _spacetime(scene: Scene, target: str, teller: Teller, *, hashed: bool) -> list[dict[str, object]]:
    """A file for each segment."""
    from gscodec.cli.moments import NUMBER, check_pattern, numbered
    from gscodec.dynamic.native import spacetime_scenes
    from gscodec.errors import UsageError
    from gscodec.io.spacetime import spacetime_bytes

    count = len(scene.segments)
    if not count:
        raise UsageError("native.model", "the scene has no segments: nothing in it moves")
    is_pattern = len(NUMBER.findall(target)) == 1
    if count > 1 and not is_pattern:
        check_pattern(target, f"{count} segments")
    files: list[dict[str, object]] = []
    for number, part in enumerate(spacetime_scenes(scene)):
        name = numbered(target, number) if is_pattern else target
        if is_pattern:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
        with open_output(name, hashed=hashed) as file:
            file.write(spacetime_bytes(part))
        files.append({"output": name, "splats": len(part), "bytes": file.count, "sha256": file.sha256})
    return files


def _bases(scene: Scene, target: str, *, hashed: bool) -> dict[str, object]:
    from gscodec.dynamic.native import bases_scene
    from gscodec.io.bases_npz import bases_bytes

    found = bases_scene(scene)
    with open_output(target, hashed=hashed) as file:
        file.write(bases_bytes(found))
    return {"output": target, "splats": len(found.splats), "bytes": file.count, "sha256": file.sha256}
