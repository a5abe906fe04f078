"""gsdec: .gsc to splats.

The whole container is checked before anything is written; then chunks are decoded and written one after
another, so that memory holds the .gsc and a few chunks, never the scene.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import click

from gscodec._generated import coordinate_systems
from gscodec.cli.bar import Bar
from gscodec.cli.common import (
    EXIT_CODES,
    Teller,
    check_paths,
    counted,
    json_option,
    open_output,
    quiet_option,
    read_gsc,
    run,
    size_in_words,
    threads_option,
    version_option,
)
from gscodec.cli.decoding import Layout, check_output, decoded_chunks, joined, survey, write_blocks
from gscodec.cli.files import NAMES, as_file, output_format, write_file
from gscodec.cli.parts import Choice, part_options, read_part

if TYPE_CHECKING:
    from gscodec.errors import StreamError
    from gscodec.partial import Box
    from gscodec.splats import Splats

NAME = "gsdec"
PLY_AXES = (coordinate_systems.UNSPECIFIED, coordinate_systems.RIGHT_DOWN_FORWARD)
NOTHING_KEPT = "no chunk before the fault is whole: nothing was written"
EPILOG = f"""\b
Examples
  gsdec scene.gsc -o scene.ply
  gsdec scene.gsc -o scene.spz
  gsdec scene.gsc -o small.ply --sh-degree 0 --layout compact
  curl -s https://example.org/scene.gsc | gsdec - -o scene.ply
  gsdec cut_off.gsc -o rescued.ply --keep-partial
  gsdec https://example.org/scene.gsc -o room.ply --box 0,0,0,4,3,4
  gsdec scene.gsc -o preview.ply --layers 1 --enlarge

\b
As PLY, OUT is binary and little-endian, the same to the last bit on every machine
and for every number of threads, in the axes of IN. Other formats have axes of
their own, into which splats are turned; what they cannot hold, a warning tells.

{EXIT_CODES}"""


@click.command(NAME, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", metavar="IN")
@click.option(
    "-o", "--output", "target", metavar="OUT", required=True, help="The file to write; - for stdout."
)
@click.option(
    "--to",
    "to_name",
    type=click.Choice(NAMES),
    help="Its format: see gscodec convert --help.  [default: by how OUT ends, else ply]",
)
@click.option(
    "--sh-degree",
    type=click.IntRange(0, 3),
    metavar="N",
    help="Leave out spherical harmonics above this degree (0 to 3).",
)
@threads_option
@click.option(
    "--layout",
    type=click.Choice(("inria", "compact")),
    default="inria",
    show_default=True,
    help="inria has normals, all zero, as tools expect; compact leaves them out.",
)
@part_options
@click.option(
    "--keep-partial",
    is_flag=True,
    help="Of a cut off or damaged file, write all chunks before the fault; the exit code stays the fault's.",
)
@json_option
@quiet_option
@version_option(NAME)
def command(
    source: str,
    target: str,
    to_name: str | None,
    sh_degree: int | None,
    threads: int,
    layout: Layout,
    chunks: list[int] | None,
    box: Box | None,
    layers: int | None,
    max_splats: int | None,
    enlarge: bool,
    keep_partial: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Decode IN (a .gsc file or its URL; - for stdin) to a .ply file, or one of another format.

    An existing OUT is replaced, but only once the new file is complete; a faulty IN writes nothing. Of a URL,
    and with --chunks, --box, --layers or --max-splats of a file, only the bytes that are needed are read.
    """
    from gscodec.io.remote import is_url

    check_paths(source, target, "a .gsc")
    choice = Choice(chunks=chunks, box=box, layers=layers, max_splats=max_splats, enlarge=enlarge)
    teller = Teller(NAME, as_json=as_json, quiet=quiet, data_on_stdout=target == "-")
    if not choice.is_everything or is_url(source):
        if keep_partial:
            raise click.UsageError("--keep-partial is for whole files")
        with teller.failures():
            _decode_part(teller, source, target, choice, sh_degree, layout)
        return
    with teller.failures():
        start = time.perf_counter()
        data = read_gsc(source)
        found = survey(data)
        if found.fault is not None and (not keep_partial or found.scene is None):
            if found.splats and not keep_partial:
                found.fault.add_note(f"--keep-partial rescues the {counted(found.splats, 'splat')} before")
            if keep_partial:
                found.fault.add_note(NOTHING_KEPT)
            raise found.fault
        if found.scene is None:
            raise RuntimeError("a container without scene header")
        degree = found.scene.sh_degree if sh_degree is None else min(sh_degree, found.scene.sh_degree)
        kind = output_format(target, to_name, default="ply")
        if kind is None:
            raise click.UsageError("OUT would be a .gsc, which IN is already")
        if is_ply := kind.name == "ply":
            check_output(found.scene, layout)

        fault: StreamError | None = None
        # what the survey verified is verified; damage must stop the decoder where it stopped the survey
        blocks = decoded_chunks(data, degree, threads, verify=keep_partial)
        count = found.splats
        if keep_partial:
            kept, fault = complete_chunks(blocks)
            blocks, count = iter(kept), sum(len(block) for block in kept)
            if fault is not None and count == 0:
                fault.add_note(NOTHING_KEPT)
                raise fault
        lost: tuple[str, ...] = ()
        with Bar([("decoding", 1.0)], quiet=quiet) as progress:
            watched = _watched(blocks, count, progress)
            if is_ply:
                with open_output(target, hashed=as_json) as file:
                    write_blocks(file, watched, found.scene, count, degree, layout)
                bytes_out, sha256 = file.count, file.sha256
            else:
                whole = as_file(joined(watched, found.scene, degree), found.scene)
                bytes_out, lost = write_file(target, whole, kind)
                sha256 = None
        seconds = time.perf_counter() - start
        facts: dict[str, object] = {
            "input": source,
            "output": target,
            "bytes_in": len(data),
            "bytes_out": bytes_out,
            "ratio": round(bytes_out / len(data), 3),
            "seconds": round(seconds, 4),
            "splats": count,
            "sh_degree": degree,
            "format": kind.name,
            "layout": layout if is_ply else None,
            "complete": fault is None,
            "sha256": sha256,
        }
        for each in lost:
            teller.warn(f"not kept: {each}")
        system = coordinate_systems.NAMES[found.scene.coordinate_system]
        if is_ply and found.scene.coordinate_system not in PLY_AXES:
            teller.warn(f"the axes stay {system}, which a PLY file cannot say: gscodec convert turns them")
        if fault is not None:
            total = found.scene.splat_count
            of_all = f" of {total:,}" if total else ""
            teller.warn(f"wrote only the {counted(count, 'splat')}{of_all} before the fault")
        line = (
            f"{size_in_words(len(data))} -> {size_in_words(bytes_out)} in {seconds:.1f} s; "
            f"{counted(count, 'splat')}"
        )
        if fault is not None:
            teller.report({**facts, "error": str(fault)}, line)
    if fault is not None:
        raise fault
    teller.report(facts, line)


def _decode_part(
    teller: Teller, source: str, target: str, choice: Choice, sh_degree: int | None, layout: Layout
) -> None:
    start = time.perf_counter()
    with Bar([("decoding", 1.0)], quiet=teller.quiet) as progress:
        part = read_part(source, choice, sh_degree, partial(progress, "decoding"))
        scene, count = part.file.scene, sum(map(len, part.blocks))
        degree = scene.sh_degree if sh_degree is None else min(sh_degree, scene.sh_degree)
        check_output(scene, layout)
        with open_output(target, hashed=teller.as_json) as file:
            write_blocks(file, iter(part.blocks), scene, count, degree, layout)
    seconds = time.perf_counter() - start
    facts: dict[str, object] = {
        "input": source,
        "output": target,
        "bytes_in": part.file.size,
        "bytes_read": part.bytes_read,
        "requests": part.requests,
        "bytes_out": file.count,
        "seconds": round(seconds, 4),
        "splats": count,
        "chunks": part.chunks,
        "sh_degree": degree,
        "layout": layout,
        "complete": True,
        "sha256": file.sha256,
    }
    read = f"{size_in_words(part.bytes_read)} of {size_in_words(part.file.size)}"
    teller.report(
        facts, f"{read} -> {size_in_words(file.count)} in {seconds:.1f} s; {counted(count, 'splat')}"
    )


def complete_chunks(blocks: Iterator[Splats]) -> tuple[list[Splats], StreamError | None]:
    """The chunks before the first fault, and that fault."""
    from gscodec.errors import StreamError

    kept = []
    try:
        for block in blocks:
            kept.append(block)
    except StreamError as error:
        return kept, error
    return kept, None


def _watched(blocks: Iterator[Splats], count: int, progress: Bar) -> Iterator[Splats]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        progress("decoding", done / count)


def main() -> NoReturn:
    """The console script."""
    run(command, NAME)


if __name__ == "__main__":
    main()
