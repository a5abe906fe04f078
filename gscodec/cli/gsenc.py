"""gsenc: splats to .gsc."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gscodec.cli.common import (
    EXIT_CODES,
    Bar,
    CountingInput,
    Teller,
    check_paths,
    counted,
    json_option,
    open_input,
    open_output,
    quiet_option,
    run,
    size_in_words,
    threads_option,
    times,
    version_option,
)

if TYPE_CHECKING:
    from gscodec.io import PlyScene

NAME = "gsenc"
QUALITIES = ("near-lossless", "high", "default", "small", "tiny")
STAGES = [
    ("reading", 0.06),
    ("checking", 0.02),
    ("quantising", 0.4),
    ("weighing bits against error", 0.17),
    ("choosing tables", 0.05),
    ("coding", 0.28),
    ("writing", 0.02),
]
EPILOG = f"""\b
Examples
  gsenc scene.ply -o scene.gsc
  gsenc scene.ply -o scene.gsc --quality small
  gsenc scene.ply -o scene.gsc --json > report.json
  zcat scene.ply.gz | gsenc - -o - | ssh host 'cat > scene.gsc'

\b
IN is a PLY file in the layout of the common training code: binary or ASCII,
properties in any order. The order of splats, the order of their axes and the
sign of quaternions change; everything else is kept as closely as --quality says.

{EXIT_CODES}"""


def _check_effort(_context: click.Context, _parameter: click.Parameter, value: int) -> int:
    if value != 1:
        raise click.BadParameter(f"{value}: this version has effort 1 only; 2 to 9 are kept for later ones")
    return value


@click.command(NAME, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", metavar="IN")
@click.option(
    "-o", "--output", "target", metavar="OUT", required=True, help="The .gsc to write; - for stdout."
)
@click.option(
    "--quality",
    type=click.Choice(QUALITIES),
    default="default",
    show_default=True,
    help="How close to the input.",
)
@click.option(
    "--effort",
    type=click.IntRange(1, 9),
    default=1,
    metavar="N",
    callback=_check_effort,
    help="How hard to try. This version has only 1, the default.",
)
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
    quality: str,
    effort: int,
    threads: int,
    nonfinite: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compress the splats of IN (a .ply file; - for stdin) to a .gsc file.

    An existing OUT is replaced, but only once the new file is complete.
    """
    check_paths(source, target, "a PLY file")
    teller = Teller(NAME, as_json=as_json, quiet=quiet, data_on_stdout=target == "-")
    with teller.failures():
        start = time.perf_counter()
        with Bar(STAGES, quiet=quiet) as progress:
            from gscodec.encode.encoder import encode_splats

            progress("reading", 0.0)
            scene, bytes_in = _read(source)
            progress("reading", 1.0)
            encoded = encode_splats(
                scene.splats, quality=quality, nonfinite=nonfinite, threads=threads, progress=progress
            )
            progress("writing", 0.0)
            with open_output(target, hashed=False) as file:
                file.write(encoded.data)
        seconds = time.perf_counter() - start
        _warn(teller, scene, encoded.report)
        size, splats = len(encoded.data), len(encoded.order)
        facts: dict[str, object] = {
            "input": source,
            "output": target,
            "quality": quality,
            "effort": effort,
            "bytes_in": bytes_in,
            "bytes_out": size,
            "ratio": round(bytes_in / size, 3),
            "seconds": round(seconds, 4),
            "bytes_per_splat": round(size / splats, 4) if splats else None,
            **{name: value for name, value in encoded.report.items() if name != "bytes"},
            "sha256": hashlib.sha256(encoded.data).hexdigest() if as_json else None,
        }
        sizes = f"{size_in_words(bytes_in)} -> {size_in_words(size)} ({times(bytes_in / size)})"
        line = f"{sizes} in {seconds:.1f} s"
        if splats:
            line += f"; {counted(splats, 'splat')}, {size / splats:.2f} bytes each"
        teller.report(facts, line)


def _read(source: str) -> tuple[PlyScene, int]:
    """The scene, and how many bytes its file has."""
    from gscodec.container.header import SIGNATURE
    from gscodec.errors import InputError
    from gscodec.io import read_ply

    piped = CountingInput(sys.stdin.buffer)
    try:
        if source != "-":
            return read_ply(source), os.stat(source).st_size
        return read_ply(piped), piped.count  # type: ignore[arg-type]
    except InputError as error:
        if error.code != "ply.magic":
            raise
        start = piped.start if source == "-" else _start(source)
        if start.startswith(SIGNATURE):
            what = "the input" if source == "-" else source
            raise InputError("io.format", f"{what} is a .gsc already: gsdec decodes it") from error
        if start:
            error.add_note("convert it to PLY")
        raise


def _start(source: str) -> bytes:
    if not Path(source).is_file():
        return b""  # a pipe, whose start is gone
    with open_input(source) as file:
        return file.read(16)


def _warn(teller: Teller, scene: PlyScene, report: dict[str, object]) -> None:
    from gscodec.errors import UsageError
    from gscodec.io import ply_header

    dropped = report.get("dropped_nonfinite")
    if isinstance(dropped, int) and dropped:
        teller.warn(f"left out {counted(dropped, 'splat')} with NaN or infinite values")
    if scene.missing:
        teller.warn(f"the input lacks {', '.join(scene.missing)}: filled in with defaults")
    if scene.trailing_bytes:
        teller.warn(f"ignored {counted(scene.trailing_bytes, 'byte')} after the declared data")
    extras = scene.splats.extras
    wide = [name for name, kind in scene.properties if kind in ("double", "float64") and name not in extras]
    if wide:
        teller.warn(f"double precision is not kept: {', '.join(wide[:4])}{', ...' if len(wide) > 4 else ''}")
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
