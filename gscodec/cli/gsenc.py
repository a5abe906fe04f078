"""gsenc: splats to .gsc."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import time
from typing import TYPE_CHECKING, NoReturn

import click
from click.core import ParameterSource

from gscodec.cli.bar import Bar
from gscodec.cli.common import (
    EXIT_CODES,
    Teller,
    check_paths,
    counted,
    json_option,
    open_output,
    quiet_option,
    run,
    size_in_words,
    threads_option,
    times,
    version_option,
)
from gscodec.cli.files import read_file
from gscodec.cli.storing import Wishes, moved_cameras, storing_options, warnings

if TYPE_CHECKING:
    from gscodec.evaluate.rigs import Kind
    from gscodec.io.splat_file import SplatFile

NAME = "gsenc"
STAGES = [
    ("reading", 0.03),
    ("checking", 0.01),
    ("looking", 0.2),
    ("quantising", 0.1),
    ("balancing", 0.1),
    ("weighing bits against error", 0.05),
    ("comparing pictures", 0.33),
    ("correcting colours", 0.05),
    ("choosing tables", 0.02),
    ("coding", 0.1),
    ("writing", 0.01),
]
SEARCH_STAGES = [
    ("reading", 0.02),
    ("checking", 0.01),
    ("looking", 0.1),
    ("searching", 0.86),
    ("writing", 0.01),
]
EPILOG = f"""\b
Examples
  gsenc scene.ply -o scene.gsc
  gsenc scene.ply -o scene.gsc --quality small --cameras cameras.json
  gsenc scene.ply -o scene.gsc --target-size 12MB
  gsenc scene.ply -o scene.gsc --layers 3
  gsenc scene.ply -o scene.gsc --lossless
  gsenc scene.ply -o scene.gsc --effort 1 --json > report.json
  zcat scene.ply.gz | gsenc - -o - | ssh host 'cat > scene.gsc'

\b
Qualities, by the difference that a person sees
  near-lossless  none, even enlarged                          about 59 dB
  high           none when switching back and forth              54 dB
  default        none unless enlarged                            49 dB
  small          none in normal viewing                          46 dB
  tiny           fine detail slightly softer when looked for     43 dB
or a number: the names are .07, .16, .25, .42 and .62, and steps are in
proportion. 1 is slightly softer (39 dB), 2 clearly softer and still pleasant.

\b
IN is a PLY file in the layout of the common training code (binary or ASCII,
properties in any order), or of any format that gscodec convert --help lists; its
axes stay as they are, and OUT says which they are if IN does. The order of
splats, the order of their axes and the sign of quaternions change; everything
else is kept as closely as --quality says, and properties that others than viewers
use are kept bit for bit.
From effort 2 on, the encoder renders the scene to learn what viewers see, and
leaves out splats that no picture shows. Give it --cameras, such as those of the
training, if there are any; otherwise it puts its own around and into the scene.

{EXIT_CODES}"""


def _quality(_context: click.Context, _option: click.Parameter, value: str | None) -> str | float | None:
    """One of the names, or a number."""
    if value is None:
        return None
    from gscodec.encode.steps import quality_of
    from gscodec.errors import UsageError

    try:
        quality: str | float = float(value)
    except ValueError:
        quality = value
    try:
        quality_of(quality)
    except UsageError as error:
        raise click.BadParameter(error.message) from error
    return quality


def _size(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    from gscodec.errors import UsageError

    if value is not None:
        from gscodec.encode.targets import parse_size

        try:
            parse_size(value)
        except UsageError as error:
            raise click.BadParameter(error.message) from None
    return value


quality_option = click.option(
    "--quality",
    callback=_quality,
    metavar="NAME|NUMBER",
    help="How close to the input: gsenc --help has the names.  [default: default]",
)


@click.command(NAME, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", metavar="IN")
@click.option(
    "-o", "--output", "target", metavar="OUT", required=True, help="The .gsc to write; - for stdout."
)
@quality_option
@click.option("--lossless", is_flag=True, help="Keep every byte of IN, order and comments too.")
@click.option(
    "--target-psnr",
    type=click.FloatRange(5, 95),
    metavar="DB",
    help="In place of a quality: the PSNR of pictures, within 0.2 dB.",
)
@click.option(
    "--target-size",
    callback=_size,
    metavar="BYTES",
    help="In place of a quality: the size of OUT, or at most 1 % less: 250000, 12MB, 1.5MiB, 3.5B/splat.",
)
@click.option(
    "--max-error",
    type=click.FloatRange(0.01, 255),
    metavar="E",
    help="In place of a quality: of 255, what only one pixel in a thousand of any picture may exceed.",
)
@click.option(
    "--effort",
    type=click.IntRange(1, 9),
    default=5,
    show_default=True,
    metavar="N",
    help="How long to look for what matters, 1 to 9. 1 renders nothing, unless --measure, --target-psnr or "
    "--max-error has it compare pictures.",
)
@click.option(
    "--cameras",
    "camera_path",
    metavar="FILE|DIR",
    help="Where viewers look from: cameras.json, transforms.json or a COLMAP model. Cameras marked test are "
    "never used; where some are marked train, only these. Not read where nothing is rendered.",
)
@click.option(
    "--rig",
    type=click.Choice(("auto", "outside", "inside", "near", "all")),
    help="Where to put cameras when no file has them.  [default: auto]",
)
@click.option("--no-prune", is_flag=True, help="Keep splats that no picture shows.")
@click.option(
    "--layers",
    type=click.IntRange(1, 16),
    default=1,
    metavar="N",
    help="Put the most important splats first, in N layers: the start of OUT shows the whole scene.",
)
@click.option(
    "--stream/--no-stream",
    default=None,
    help="Stream mode, which may be cut and spliced, or file mode.  [default: stream mode for stdout]",
)
@click.option("--measure", is_flag=True, help="Also report the PSNR of pictures from these cameras.")
@storing_options
@threads_option
@click.option(
    "--nonfinite",
    type=click.Choice(("drop", "error")),
    default="drop",
    show_default=True,
    help="What to do with splats that have NaN or infinite values.",
)
@json_option
@quiet_option
@version_option(NAME)
def command(
    source: str,
    target: str,
    quality: str | float | None,
    lossless: bool,
    target_psnr: float | None,
    target_size: str | None,
    max_error: float | None,
    effort: int,
    camera_path: str | None,
    rig: Kind | None,
    no_prune: bool,
    layers: int,
    stream: bool | None,
    measure: bool,
    threads: int,
    nonfinite: str,
    wishes: Wishes,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compress the splats of IN (a .ply, .spz, .glb, ... file; - for stdin) to a .gsc file.

    An existing OUT is replaced, but only once the new file is complete.
    """
    check_paths(source, target, "a file of splats")
    aims = {"--target-psnr": target_psnr, "--target-size": target_size, "--max-error": max_error}
    given = [name for name, value in {"--quality": quality, **aims}.items() if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other: give one")
    if camera_path == "":
        raise click.UsageError("the name of --cameras is empty: give a file or a folder")
    if camera_path is not None and rig is not None:
        raise click.UsageError("--cameras and --rig are two ways to say the same: give one")
    has_aim = any(value is not None for value in aims.values())
    renders = effort > 1 or measure or target_psnr is not None or max_error is not None
    renders = renders or wishes.thumbnail is not None
    teller = Teller(NAME, as_json=as_json, quiet=quiet, data_on_stdout=target == "-")
    if lossless:
        from gscodec.cli.lossless import encode_file, refuse_options

        context = click.get_current_context()
        names = ("effort", "camera_path", "rig", "no_prune", "measure", "nonfinite")
        is_given = [n for n in names if context.get_parameter_source(n) is ParameterSource.COMMANDLINE]
        refuse_options(
            given + [f"--{name.replace('camera_path', 'cameras').replace('_', '-')}" for name in is_given]
        )
        with teller.failures():
            _try_output(target)
            encode_file(source, target, teller, quiet=quiet, hashed=as_json)
        return
    with teller.failures():
        start = time.perf_counter()
        with Bar(SEARCH_STAGES if has_aim else STAGES, quiet=quiet) as progress:
            from gscodec.encode.inputs import cameras_of
            from gscodec.encode.whole import encode_splats

            progress("reading", 0.0)
            _try_output(target)
            cameras = cameras_of(camera_path) if camera_path is not None and renders else None
            texts = wishes.texts()
            scene, bytes_in = read_file(source, offset=wishes.offset)
            progress("reading", 1.0)
            encoded = encode_splats(
                wishes.splats(scene),
                quality=quality,
                target_psnr=target_psnr,
                target_size=target_size,
                max_error=max_error,
                effort=effort,
                cameras=moved_cameras(cameras, scene),
                rig=rig or "auto",
                steps={"prune": 0.0} if no_prune else None,
                measure=measure,
                nonfinite=nonfinite,
                layers=layers,
                stream=target == "-" if stream is None else stream,
                threads=threads,
                coordinate_system=scene.coordinate_system,
                rendering_model=scene.rendering_model,
                progress=progress,
                further=wishes.further(scene, texts),
            )
            progress("writing", 0.0)
            with open_output(target, hashed=False) as file:
                file.write(encoded.data)
        seconds = time.perf_counter() - start
        _warn(teller, scene, encoded.report)
        for warning in warnings(scene, encoded.report, wishes):
            teller.warn(warning)
        size, splats = len(encoded.data), len(encoded.order)
        if camera_path is not None and not renders:
            teller.warn("nothing is rendered at effort 1: --cameras was not read")
        if has_aim and not encoded.report["target_reached"]:
            teller.warn(_why_missed(given[0], encoded.report, size))
        facts: dict[str, object] = {
            "input": source,
            "output": target,
            "preset": quality if isinstance(quality, str) else None if given else "default",
            "effort": effort,
            "cameras": (camera_path or f"rig {rig or 'auto'}") if renders else None,
            "bytes_in": bytes_in,
            "bytes_out": size,
            "ratio": round(bytes_in / size, 3),
            "seconds": round(seconds, 4),
            "bytes_per_splat": round(size / splats, 4) if splats else None,
            **{name: _json_ready(value) for name, value in encoded.report.items() if name != "bytes"},
            "sha256": hashlib.sha256(encoded.data).hexdigest() if as_json else None,
        }
        sizes = f"{size_in_words(bytes_in)} -> {size_in_words(size)} ({times(bytes_in / size)})"
        line = f"{sizes} in {seconds:.1f} s"
        if splats:
            line += f"; {counted(splats, 'splat')}, {size / splats:.2f} bytes each"
        line += _more(encoded.report, has_aim)
        teller.report(facts, line)


class _TriedError(Exception):
    """Ends an attempt to write."""


def _try_output(target: str) -> None:
    """Find out before the work, not after it, that a file cannot be written. Raises `InputError`."""
    from gscodec.io import atomic_output

    is_special = os.path.exists(target) and not os.path.isfile(target) and not os.path.isdir(target)
    if target != "-" and not is_special:  # opening a pipe or a device is not without effect
        with contextlib.suppress(_TriedError), atomic_output(target):
            raise _TriedError


def _more(report: dict[str, object], has_aim: bool) -> str:
    """The rest of the last line: what was left out, found and measured."""
    pruned, psnr, found = report.get("pruned"), report.get("psnr"), report.get("quality")
    more = ""
    if isinstance(pruned, int) and pruned:
        more += f"; left out {counted(pruned, 'splat')} that no picture shows"
    if has_aim and isinstance(found, float):
        more += f"; quality {found:g}"
    if psnr == math.inf:
        more += "; all pictures are equal"
    elif isinstance(psnr, float):
        more += f"; {psnr:.2f} dB, at worst {report['psnr_worst']:.2f}"
    return more


def _why_missed(aim: str, report: dict[str, object], size: int) -> str:
    """What became of a target that was not reached."""
    from gscodec.encode.steps import COARSEST_QUALITY, FINEST

    if not report["splats"]:
        return f"{aim} means nothing without splats"
    tries = report.get("encodings")
    if not isinstance(tries, int):
        return f"{aim} cannot be measured: no camera sees anything"
    if report["quality"] in (FINEST, COARSEST_QUALITY):
        return f"no quality reaches {aim}: this is the nearest"
    got = {"--target-size": f"{size} bytes", "--target-psnr": f"{report.get('psnr')} dB"}
    nearest = got.get(aim, str(report.get("max_error")))
    return f"closest to {aim} after {tries} {'try' if tries == 1 else 'tries'} is {nearest}"


def _json_ready(value: object) -> object:
    """JSON knows no infinity."""
    return "inf" if value == math.inf else value


def _warn(teller: Teller, scene: SplatFile, report: dict[str, object]) -> None:
    from gscodec.errors import UsageError
    from gscodec.io import ply_header

    dropped = report.get("dropped_nonfinite")
    if isinstance(dropped, int) and dropped:
        teller.warn(f"left out {counted(dropped, 'splat')} with NaN or infinite values")
    if widened := report.get("widened"):
        names = " and ".join(widened) if isinstance(widened, list) else ""
        teller.warn(f"{names}: coarser steps than asked for, as values would not fit into their range")
    for note in scene.notes:
        teller.warn(note)
    try:
        ply_header(scene.splats)
    except UsageError as error:
        teller.warn(f"gsdec cannot write this .gsc to a PLY file: {error.message}")
    if not len(scene.splats):
        teller.warn("the input has no splats")


def main() -> NoReturn:
    """The console script."""
    run(command, NAME)


if __name__ == "__main__":
    main()
