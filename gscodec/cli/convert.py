"""gscodec convert: splat files from one format to another, .gsc among them."""

from __future__ import annotations

import time
from dataclasses import replace

import click

from gscodec.cli.bar import Bar
from gscodec.cli.common import (
    EXIT_CODES,
    Teller,
    check_paths,
    json_option,
    open_output,
    quiet_option,
    size_in_words,
    threads_option,
)
from gscodec.cli.files import (
    AXES,
    GSC,
    NAMES,
    axes_of,
    decoded_file,
    is_gsc,
    output_format,
    read_file,
    summary,
    write_file,
)
from gscodec.cli.gsenc import STAGES, quality_option

NAME = "gscodec convert"
EPILOG = f"""\b
Examples
  gscodec convert scene.spz scene.ply
  gscodec convert scene.gsc scene.glb
  gscodec convert scene.ply scene.gsc --quality high
  gscodec convert scene.ply scene.spz --from-axes right_up_back
  curl -s https://example.org/scene.spz | gscodec convert - scene.sog --from spz

\b
Formats, by --from and --to, or what IN starts with and how OUT ends
  gsc             .gsc
  ply             .ply             of the training code
  compressed_ply  .compressed.ply  of PlayCanvas
  spz             .spz             of Niantic, versions 1 to 4; 4 is written
  gltf            .glb .gltf       with KHR_gaussian_splatting; GLB is written
  sog             .sog meta.json   of PlayCanvas, a file or a folder;
                  lod-meta.json    streamed, in folders
  splat           .splat           of antimatter15
  ksplat          .ksplat          of mkkellogg's viewer

\b
Axes, by the directions of x, y and z
  right_down_forward  PLY, where nothing is said    right_up_back    SPZ
  right_forward_up    right_up_forward              left_up_forward  glTF
  forward_left_up     forward_right_up
Splats are turned into the axes of OUT's format. A warning tells what that format
cannot hold; with --strict, nothing is written then. From .ply to .gsc and back
the axes stay as they are, stated or not.

{EXIT_CODES}"""


@click.command("convert", epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--from", "from_name", type=click.Choice((GSC, *NAMES)), help="The format of IN.")
@click.option("--to", "to_name", type=click.Choice((GSC, *NAMES)), help="The format of OUT.")
@click.option("--from-axes", type=click.Choice(AXES), help="The axes of IN, whatever it says itself.")
@click.option("--to-axes", type=click.Choice(AXES), help="Other axes for OUT than those of its format.")
@click.option("--strict", is_flag=True, help="Write nothing if OUT cannot hold all of IN.")
@click.option(
    "--sh-degree", type=click.IntRange(0, 3), metavar="N", help="Leave out harmonics above this degree."
)
@quality_option
@threads_option
@json_option
@quiet_option
def command(
    source: str,
    target: str,
    from_name: str | None,
    to_name: str | None,
    from_axes: str | None,
    to_axes: str | None,
    strict: bool,
    sh_degree: int | None,
    quality: str | float | None,
    threads: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Convert the splats of IN to OUT; - for stdin or stdout.

    An existing OUT is replaced, but only once the new file is complete.
    """
    check_paths(source, target, "a file of splats")
    kind = output_format(target, to_name)
    if kind is not None and quality is not None:
        raise click.UsageError("--quality is for .gsc: other formats have one precision")
    teller = Teller(NAME, as_json=as_json, quiet=quiet, data_on_stdout=target == "-")
    with teller.failures():
        start = time.perf_counter()
        lost: tuple[str, ...] = ()
        with Bar(STAGES if kind is None else [("reading", 0.5), ("writing", 0.5)], quiet=quiet) as progress:
            from gscodec._generated import coordinate_systems
            from gscodec.io.axes import in_axes
            from gscodec.splats import SH_REST_COUNTS

            progress("reading", 0.0)
            if from_name == GSC or (from_name is None and source != "-" and is_gsc(source)):
                file, bytes_in = decoded_file(source, threads)
            else:
                file, bytes_in = read_file(source, from_name)
            if from_axes is not None:
                file = replace(file, coordinate_system=axes_of(from_axes) or 0)
            if sh_degree is not None and sh_degree < file.splats.sh_degree:
                rest = file.splats.sh_rest[:, : SH_REST_COUNTS[sh_degree]].copy()
                file = replace(file, splats=replace(file.splats, sh_rest=rest))
            is_guess = not file.coordinate_system and (
                to_axes is not None or (kind is not None and kind.states_axes)
            )
            progress("reading", 1.0)
            axes = axes_of(to_axes)
            if kind is not None:
                progress("writing", 0.0)
                bytes_out, lost = write_file(target, file, kind, strict=strict, axes=axes)
            else:
                from gscodec.encode.whole import encode_splats

                file = in_axes(file, axes or coordinate_systems.UNSPECIFIED)
                encoded = encode_splats(
                    file.splats,
                    quality=quality,
                    threads=threads,
                    nonfinite="error" if strict else "drop",
                    coordinate_system=file.coordinate_system,
                    rendering_model=file.rendering_model,
                    progress=progress,
                )
                if dropped := encoded.report.get("dropped_nonfinite"):
                    lost = (f"{dropped} splats with NaN or infinite values",)
                with open_output(target, hashed=False) as out:
                    out.write(encoded.data)
                bytes_out = len(encoded.data)
        for note in file.notes:
            teller.warn(note)
        if is_guess:
            teller.warn(
                "IN does not state its axes: taken as right_down_forward (--from-axes says otherwise)"
            )
        for each in lost:
            teller.warn(f"not kept: {each}")
        seconds = time.perf_counter() - start
        facts: dict[str, object] = {
            "input": source,
            "output": target,
            "format": GSC if kind is None else kind.name,
            "bytes_in": bytes_in,
            "bytes_out": bytes_out,
            "seconds": round(seconds, 4),
            "splats": len(file.splats),
            "sh_degree": file.splats.sh_degree,
            "coordinate_system": coordinate_systems.NAMES[file.coordinate_system],
            "lost": list(lost),
        }
        sizes = f"{size_in_words(bytes_in)} -> {size_in_words(bytes_out)}"
        teller.report(facts, f"{sizes} in {seconds:.1f} s; {summary(file)}")
