"""gsenc: splats to .gsc."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

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
from gscodec.cli.encoding import json_ready, more, warn, why_missed
from gscodec.cli.files import open_splats
from gscodec.cli.natives import check_native_options, encode_native, native_files, native_options
from gscodec.cli.sequences import Moving, check_options, encode_sequence, is_sequence, sequence_options
from gscodec.cli.storing import Wishes, storing_options, warnings

if TYPE_CHECKING:
    from gscodec.evaluate.rigs import Kind

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
REGION_STAGES = [
    ("reading", 0.03),
    ("sorting", 0.03),
    ("encoding", 0.92),
    ("writing", 0.02),
]
EPILOG = f"""\b
Examples
  gsenc scene.ply -o scene.gsc
  gsenc scene.ply -o scene.gsc --quality small --cameras cameras.json
  gsenc scene.ply -o scene.gsc --target-size 12MB
  gsenc scene.ply -o scene.gsc --layers 3
  gsenc scene.ply -o scene.gsc --lossless
  gsenc scene.ply -o scene.gsc --effort 1 --json > report.json
  gsenc city.ply -o city.gsc --max-memory 2GiB
  gsenc 'frames/*.ply' --fps 30 --gof 60 -o moving.gsc
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
Several files, a folder or a pattern are the frames of a scene that moves, in the
order of their numbers.
A scene of more than 2,097,152 splats, or one that --max-memory cannot hold, is
cut into regions that are encoded one after the other, each as a scene of its own
that is as fine as all others; splats wait on disk meanwhile, in TMPDIR or beside
OUT. Targets, --measure, --thumbnail and --keep-order need the whole scene, and the
memory that it takes.

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


def _memory(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    from gscodec.errors import UsageError

    if value is not None:
        from gscodec.encode.regions import memory_of

        try:
            memory_of(value)
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
@click.argument("source", metavar="IN...", nargs=-1, required=True)
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
    help="In place of a quality: the size of OUT, or at most 1 % less: 250000, 12MB, 1.5MiB, 3.5B/splat; of "
    "a sequence 20kB/frame or 4Mbps, too.",
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
@sequence_options
@native_options
@threads_option
@click.option(
    "--max-memory",
    callback=_memory,
    metavar="BYTES",
    help="Take no more than about so much, such as 2GiB: a PLY file may be of any size then.  "
    "[default: 4GiB, from 2,097,152 splats on]",
)
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
    source: tuple[str, ...],
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
    max_memory: str | None,
    nonfinite: str,
    wishes: Wishes,
    moving: Moving,
    native: dict[str, Any],
    as_json: bool,
    quiet: bool,
) -> None:
    """Compress the splats of IN (a .ply, .spz, .glb, ... file; - for stdin) to a .gsc file.

    Several files, a pattern or a folder are frames: OUT is a scene that moves.

    An existing OUT is replaced, but only once the new file is complete.
    """
    for each in source:
        check_paths(each, target, "a file of splats")
    own = native_files(source)
    check_native_options(own[0] if own is not None else None)
    is_moving = is_sequence(source) or own is not None
    if own is None:
        check_options(source, is_moving=is_moving)
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
        names = ("effort", "camera_path", "rig", "no_prune", "measure", "nonfinite", "max_memory", "weights")
        is_given = [n for n in names if context.get_parameter_source(n) is ParameterSource.COMMANDLINE]
        refuse_options(
            given + [f"--{name.replace('camera_path', 'cameras').replace('_', '-')}" for name in is_given]
        )
        with teller.failures():
            encode_file(source[0], target, teller, quiet=quiet, hashed=as_json)
        return
    with teller.failures():
        from gscodec.encode.inputs import cameras_of

        options: dict[str, Any] = {
            "quality": quality,
            "target_psnr": target_psnr,
            "max_error": max_error,
            "effort": effort,
            "cameras": cameras_of(camera_path) if camera_path is not None and renders else None,
            "rig": rig or "auto",
            "steps": {"prune": 0.0} if no_prune else None,
            "nonfinite": nonfinite,
            "stream": target == "-" if stream is None else stream,
            "threads": threads,
        }
        if own is not None:
            encode_native(
                *own,
                target,
                options,
                native,
                moving.fps,
                moving.gof,
                wishes,
                teller,
                quiet=quiet,
                hashed=as_json,
            )
            return
        if is_moving:
            options |= {"target_size": target_size, "measure": measure}
            encode_sequence(source, target, options, moving, wishes, teller, quiet=quiet, hashed=as_json)
            return
        options |= {"target_size": target_size, "measure": measure, "layers": layers}
        start = time.perf_counter()
        texts = wishes.texts()
        with open_splats(source[0], wishes.offset) as (blocks, counted_bytes):
            from gscodec.encode.file import encode_blocks, in_regions
            from gscodec.encode.large import spill_folder

            further = wishes.further(blocks.comments, texts)
            stages = SEARCH_STAGES if has_aim else STAGES
            if in_regions(blocks.count, max_memory, options, further):
                stages = REGION_STAGES
            with Bar(stages, quiet=quiet) as progress, open_output(target, hashed=as_json) as file:
                report = encode_blocks(
                    blocks,
                    file.write,
                    max_memory=max_memory,
                    folder=spill_folder(None if target == "-" else target),
                    progress=progress,
                    further=further,
                    drop_extra=wishes.drop_extra,
                    **options,
                )
            scene, bytes_in = blocks.about(), counted_bytes()
        seconds = time.perf_counter() - start
        warn(teller, scene, report)
        for warning in warnings(scene, report, wishes):
            teller.warn(warning)
        size, splats = file.count, report["kept"]
        if not isinstance(splats, int):
            raise RuntimeError("an encoding that does not say how much it kept")
        if camera_path is not None and not renders:
            teller.warn("nothing is rendered at effort 1: --cameras was not read")
        if has_aim and not report["target_reached"]:
            teller.warn(why_missed(given[0], report, size))
        facts: dict[str, object] = {
            "input": source[0],
            "output": target,
            "preset": quality if isinstance(quality, str) else None if given else "default",
            "effort": effort,
            "cameras": (camera_path or f"rig {rig or 'auto'}") if renders else None,
            "bytes_in": bytes_in,
            "bytes_out": size,
            "ratio": round(bytes_in / size, 3),
            "seconds": round(seconds, 4),
            "bytes_per_splat": round(size / splats, 4) if splats else None,
            **{name: json_ready(value) for name, value in report.items() if name not in ("bytes", "kept")},
            "sha256": file.sha256,
        }
        sizes = f"{size_in_words(bytes_in)} -> {size_in_words(size)} ({times(bytes_in / size)})"
        line = f"{sizes} in {seconds:.1f} s"
        if splats:
            line += f"; {counted(splats, 'splat')}, {size / splats:.2f} bytes each"
        line += more(report, has_aim)
        teller.report(facts, line)


def main() -> NoReturn:
    """The console script."""
    run(command, NAME)


if __name__ == "__main__":
    main()
