"""gsdec: .gsc to splats.

The whole container is checked before anything is written; then chunks are decoded and written one after
another, so that memory holds a few chunks, and the .gsc only if it comes through a pipe or is lossless; all
of the scene only where the order of the input has to be restored.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    quiet_option,
    run,
    size_in_words,
    threads_option,
    version_option,
)
from gscodec.cli.decoding import (
    Layout,
    Output,
    comments_of,
    decoded_chunks,
    restored,
    survey,
    write_scene,
)
from gscodec.cli.files import NAMES, output_format
from gscodec.cli.gsc_file import GscFile
from gscodec.cli.moments import (
    When,
    check_pattern,
    chosen_frames,
    decode_moments,
    fault_of,
    moment_options,
    numbered,
    open_dynamic,
)
from gscodec.cli.natives import decode_native
from gscodec.cli.parts import Choice, part_options, read_part
from gscodec.cli.weights import weights_option

if TYPE_CHECKING:
    from gscodec.container import SceneHeader
    from gscodec.errors import StreamError
    from gscodec.io.formats import Format
    from gscodec.partial import Box
    from gscodec.splats import Splats

NAME = "gsdec"
PLY_AXES = (coordinate_systems.UNSPECIFIED, coordinate_systems.RIGHT_DOWN_FORWARD)
ORDER_LEFT = "splats stay as they stand in IN: the order that it stores is restored of whole files only"
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
  gsdec dance.gsc -o frame.ply --time 3.2
  gsdec https://example.org/dance.gsc -o 'frames/%05d.ply' --frames 0:90

\b
As PLY, OUT is binary and little-endian, the same to the last bit on every machine
and for every number of threads, in the axes of IN. Other formats have axes of
their own, into which splats are turned; what they cannot hold, a warning tells.
A comment "offset X Y Z" states what --world would add. gsinfo --meta shows metadata
that a PLY file does not hold. Of a .gsc made with gsenc --lossless it is the file that was
encoded, byte for byte, whatever its form.

{EXIT_CODES}"""


@click.command(NAME, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", metavar="IN")
@click.option("-o", "--output", "target", metavar="OUT", help="The file to write; - for stdout.")
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
@weights_option
@moment_options
@part_options
@click.option(
    "--keep-partial",
    is_flag=True,
    help="Of a cut off or damaged file, write all chunks before the fault; the exit code stays the fault's.",
)
@click.option(
    "--file-order",
    is_flag=True,
    help="Leave splats as they stand in IN, although it says how they were ordered (gsenc --keep-order).",
)
@click.option("--world", is_flag=True, help="Add the scene offset to positions, and write them as doubles.")
@click.option("--no-comments", is_flag=True, help="Write neither the comments of IN nor its scene offset.")
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
    when: When,
    chunks: list[int] | None,
    box: Box | None,
    layers: int | None,
    max_splats: int | None,
    enlarge: bool,
    keep_partial: bool,
    file_order: bool,
    world: bool,
    no_comments: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Decode IN (a .gsc file or its URL; - for stdin) to a .ply file, or one of another format.

    An existing OUT is replaced, but only once the new file is complete; a faulty IN writes nothing. With
    --chunks, --box, --layers or --max-splats, only the bytes that are needed are read, of a URL too; splats
    of such parts stay in the order of IN, even if it stores another one.
    """
    check_paths(source, target, "a .gsc")
    choice = Choice(chunks=chunks, box=box, layers=layers, max_splats=max_splats, enlarge=enlarge)
    is_part = not choice.is_everything
    if when.is_given and not choice.is_everything:
        raise click.UsageError(
            "--time, --tick and --frames are for whole scenes: leave out what chooses parts"
        )
    if when.frames is not None:
        check_pattern(target, "frames")
    if is_part and (keep_partial or file_order):
        raise click.UsageError(f"{'--keep-partial' if keep_partial else '--file-order'} is for whole files")
    teller = Teller(NAME, as_json=as_json, quiet=quiet, data_on_stdout=target == "-")
    with teller.failures():
        from gscodec.cli.lossless import decode_file
        from gscodec.io.remote import is_url
        from gscodec.lossless import is_lossless
        from gscodec.opening import check_static

        start = time.perf_counter()
        data = None if is_part or (when.is_given and is_url(source)) else GscFile(source)
        moving = open_dynamic(source, data, sh_degree, threads) if when.is_given else None
        if moving is not None:
            with moving:
                if file_order:
                    raise click.UsageError("--file-order is for scenes that do not change")
                fault = None if data is None else fault_of(data)
                if fault is not None and not keep_partial:
                    raise fault
                if when.native:
                    told, line = decode_native(moving, source, target, teller, hashed=as_json)
                else:
                    output = Output(
                        kind=_kind(target, to_name),
                        layout=layout,
                        world=world,
                        comments=not no_comments,
                        hashed=as_json,
                    )
                    told, line = decode_moments(moving, source, target, when, output, teller, quiet=quiet)
            taken = round(time.perf_counter() - start, 4)
            told |= {"seconds": taken, "complete": fault is None}
            if fault is not None:
                teller.report({**told, "error": str(fault)}, f"{line} in {taken:.1f} s")
                raise fault
            teller.report(told, f"{line} in {taken:.1f} s")
            return
        if when.native:
            raise click.UsageError("--native is for scenes that change with time")
        if when.frames is not None:
            target = numbered(target, chosen_frames(when, 1)[0])
        if data is None and not is_part:
            data = GscFile(source)
        if data is not None:
            check_static(data.start)
        if data is not None and is_lossless(data.start):
            given = ["--sh-degree"] if sh_degree is not None else []
            given += [f"--layout {layout}"] if layout != "inria" else []
            given += ["--keep-partial"] if keep_partial else []
            given += ["--world"] if world else []
            given += [f"--to {to_name}"] if to_name not in (None, "ply") else []
            held = b"".join(data.pieces())
            decode_file(held, source, target, teller, quiet=quiet, hashed=as_json, given=given)
            return
        kind = _kind(target, to_name)
        with Bar([("decoding", 1.0)], quiet=quiet) as progress:
            if data is None:
                found = _part(source, choice, sh_degree, progress, with_comments=not no_comments)
            else:
                found = _whole(data, sh_degree, threads, progress, keep_partial, file_order)
            scene = found.scene
            output = Output(
                kind=kind,
                layout=layout,
                world=world,
                comments=not no_comments,
                hashed=as_json,
            )
            comments = output.comments_of(scene, found.comments)
            written = write_scene(target, output, found.blocks, scene, found.count, found.degree, comments)
        seconds = time.perf_counter() - start
        read = found.facts.get("bytes_read", found.bytes_in)
        facts: dict[str, object] = {
            "input": source,
            "output": target,
            "bytes_in": found.bytes_in,
            "bytes_out": written.bytes,
            "ratio": round(written.bytes / found.bytes_in, 3),
            "seconds": round(seconds, 4),
            "splats": found.count,
            "sh_degree": found.degree,
            "format": kind.name,
            "layout": layout if kind.name == "ply" else None,
            "complete": found.fault is None,
            **found.facts,
            "comments": len(comments),
            "offset": list(scene.offset),
            "sha256": written.sha256,
        }
        for problem in [*found.problems, *(f"not kept: {each}" for each in written.lost)]:
            teller.warn(problem)
        if kind.name == "ply" and scene.coordinate_system not in PLY_AXES:
            system = coordinate_systems.NAMES[scene.coordinate_system]
            teller.warn(f"the axes stay {system}, which a PLY file cannot say: gscodec convert turns them")
        if found.fault is not None:
            of_all = f" of {scene.splat_count:,}" if scene.splat_count else ""
            teller.warn(f"wrote only the {counted(found.count, 'splat')}{of_all} before the fault")
        of_whole = f"{size_in_words(int(str(read)))} of " if read != found.bytes_in else ""
        line = (
            f"{of_whole}{size_in_words(found.bytes_in)} -> {size_in_words(written.bytes)} "
            f"in {seconds:.1f} s; {counted(found.count, 'splat')}"
        )
        if found.fault is not None:
            teller.report({**facts, "error": str(found.fault)}, line)
    if found.fault is not None:
        raise found.fault
    teller.report(facts, line)


def _kind(target: str, name: str | None) -> Format:
    kind = output_format(target, name, default="ply")
    if kind is None:
        raise click.UsageError("OUT would be a .gsc, which IN is already")
    return kind


@dataclass(kw_only=True)
class _Found:
    """What is to be written: `count` splats in blocks; what went wrong after them; facts for the report."""

    scene: SceneHeader
    degree: int
    count: int
    blocks: Iterator[Splats]
    bytes_in: int
    facts: dict[str, object]
    fault: StreamError | None = None
    comments: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _whole(
    data: GscFile,
    sh_degree: int | None,
    threads: int,
    progress: Bar,
    keep_partial: bool,
    file_order: bool,
) -> _Found:
    found = survey(data)
    if found.fault is not None and (not keep_partial or found.scene is None):
        if found.splats and not keep_partial:
            found.fault.add_note(f"--keep-partial rescues the {counted(found.splats, 'splat')} before")
        if keep_partial:
            found.fault.add_note(NOTHING_KEPT)
        raise found.fault
    scene = found.scene
    if scene is None:
        raise RuntimeError("a container without scene header")
    degree = scene.sh_degree if sh_degree is None else min(sh_degree, scene.sh_degree)
    fault: StreamError | None = None
    # what the survey verified is verified; damage must stop the decoder where it stopped the survey
    blocks, count = decoded_chunks(data, degree, threads, verify=keep_partial), found.splats
    if keep_partial:
        kept, fault = complete_chunks(blocks)
        blocks, count = iter(kept), sum(len(block) for block in kept)
        if fault is not None and count == 0:
            fault.add_note(NOTHING_KEPT)
            raise fault
    comments, problems = comments_of(found.metadata)
    blocks = _watched(blocks, count, progress)
    has_order = found.order is not None and not file_order and found.fault is None and fault is None
    if found.order is not None and has_order:
        blocks = iter((restored(blocks, found.order, scene, count, degree),))
    return _Found(
        scene=scene,
        degree=degree,
        count=count,
        blocks=blocks,
        bytes_in=data.size,
        facts={"order": "input" if has_order else "file"},
        fault=fault,
        comments=comments,
        problems=problems,
    )


def _part(
    source: str, choice: Choice, sh_degree: int | None, progress: Bar, *, with_comments: bool
) -> _Found:
    part = read_part(source, choice, sh_degree, partial(progress, "decoding"), with_comments=with_comments)
    own = part.file.scene.sh_degree
    comments, problems = comments_of(part.comments)
    if any(entry.id == b"PERM" for entry in part.file.index.entries):
        problems.append(ORDER_LEFT)
    return _Found(
        scene=part.file.scene,
        degree=own if sh_degree is None else min(sh_degree, own),
        count=sum(map(len, part.blocks)),
        blocks=iter(part.blocks),
        bytes_in=part.file.size,
        facts={
            "order": "file",
            "bytes_read": part.bytes_read,
            "requests": part.requests,
            "chunks": part.chunks,
        },
        comments=comments,
        problems=problems,
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
