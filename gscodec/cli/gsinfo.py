"""gsinfo: what a .gsc holds and where its bytes are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gscodec.cli.common import EXIT_CODES, Teller, json_option, run, threads_option, version_option
from gscodec.cli.gsc_file import read_gsc

if TYPE_CHECKING:
    from gscodec.container import Thumbnail

NAME = "gsinfo"
MOST_ROWS = 24  # of a table in text; --json has all
EPILOG = f"""\b
Examples
  gsinfo scene.gsc
  gsinfo scene.gsc --json | jq .bits_per_splat
  gsinfo scene.gsc --decode-hash
  gsinfo --diff before.gsc after.gsc
  gsinfo --explain container.crc
  gsinfo scene.gsc --thumbnail scene.webp

\b
Every checksum is verified, but no splat is decoded unless --decode-hash asks
for it. Of a faulty file, what comes before the fault is shown.

{EXIT_CODES}"""


@click.command(NAME, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("sources", metavar="FILE...", nargs=-1)
@click.option(
    "--decode-hash",
    is_flag=True,
    help="Decode, and give the SHA-256 of the PLY file that gsdec --no-comments writes.",
)
@click.option("--meta", is_flag=True, help="Show the texts of its metadata, and nothing else without --json.")
@click.option(
    "--thumbnail",
    "picture_path",
    metavar="OUT",
    help="Write its thumbnail to OUT, a .webp or .png; - for stdout.",
)
@click.option("--diff", "is_difference", is_flag=True, help="Of two files: in what they differ.")
@click.option("--explain", "code", metavar="CODE", help="What an error code means; all lists them.")
@threads_option
@json_option
@version_option(NAME)
def command(
    sources: tuple[str, ...],
    decode_hash: bool,
    meta: bool,
    picture_path: str | None,
    is_difference: bool,
    code: str | None,
    threads: int,
    as_json: bool,
) -> None:
    """Show what FILE (a .gsc; - for stdin) holds, and where its bytes are."""
    wanted = 0 if code is not None else 2 if is_difference else 1
    if len(sources) != wanted:
        raise click.UsageError(f"{len(sources)} files given, {wanted} expected")
    if code is not None:
        _explain(code, as_json=as_json)
    elif is_difference:
        _compare(sources[0], sources[1], threads, as_json=as_json)
    else:
        _show(
            sources[0],
            threads,
            decode_hash=decode_hash,
            meta=meta,
            picture_path=picture_path,
            as_json=as_json,
        )


def _explain(code: str, *, as_json: bool) -> None:
    from gscodec.cli import explain

    if code == "all":
        every = [explain.explain(each) for each in explain.codes()]
        click.echo(json.dumps(every, indent=2) if as_json else "\n".join(explain.all_lines()))
        return
    facts = explain.explain(code)
    click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(explain.lines(facts)))


def _compare(first: str, second: str, threads: int, *, as_json: bool) -> None:
    from gscodec.cli.difference import difference
    from gscodec.cli.difference import lines as lines_of
    from gscodec.opening import check_static

    teller = Teller(NAME, as_json=as_json, quiet=False, data_on_stdout=False)
    with teller.failures():
        data = read_gsc(first), read_gsc(second)
        for each in data:
            check_static(each)
        facts = difference(_facts_of(data[0]), _facts_of(data[1]), data, threads)
    if as_json:
        teller.report({"files": [first, second], **facts}, "")
    else:
        click.echo("\n".join(lines_of(facts, (first, second))))


def _facts_of(data: bytes) -> dict[str, Any]:
    """What is known of a file without a fault, of any profile. Raises `StreamError`."""
    from gscodec.cli.inspection import inspect
    from gscodec.cli.lossless import inspect_lossless
    from gscodec.lossless import is_lossless

    if is_lossless(data):
        return inspect_lossless(data)
    found = inspect(data)
    if found.fault is not None:
        raise found.fault
    return found.facts


def _show(
    source: str, threads: int, *, decode_hash: bool, meta: bool, picture_path: str | None, as_json: bool
) -> None:
    teller = Teller(NAME, as_json=as_json, quiet=False, data_on_stdout=False)
    with teller.failures():
        from gscodec.cli.inspection import inspect
        from gscodec.cli.lossless import inspect_lossless
        from gscodec.cli.lossless import lines as lossless_lines
        from gscodec.cli.timelines import inspect_timeline, timeline_lines
        from gscodec.dynamic.reader import is_dynamic
        from gscodec.errors import UsageError
        from gscodec.lossless import is_lossless

        data = read_gsc(source)
        if is_lossless(data):
            what = inspect_lossless(data)
            if decode_hash:
                from gscodec.lossless import read_lossless

                sha = hashlib.sha256()
                for piece in read_lossless(data).pieces():
                    sha.update(piece)
                what["hashes"]["decoded_ply"] = sha.hexdigest()
            if as_json:
                teller.report({"file": source, **what}, "")
            else:
                click.echo("\n".join(lossless_lines(what, source)))
            return
        if changes := is_dynamic(data):
            if decode_hash:
                raise UsageError("usage.time", "--decode-hash is for scenes that do not change with time")
            found = inspect_timeline(data)
        else:
            found = inspect(data)
        facts: dict[str, Any] = {"file": source, **found.facts}
        if decode_hash and found.fault is None:
            facts["hashes"]["decoded_ply"] = decoded_hash(data, threads)
        if meta:
            for fact, text in zip(facts["metadata"], found.texts.found, strict=True):
                fact["text"] = text.text
        if picture_path is not None and found.fault is None:
            _extract(found.thumbnail, source, picture_path)
    if found.fault is not None:
        facts["error"] = {"code": found.fault.code, "message": str(found.fault)}
    if picture_path == "-":
        pass  # the picture has been written there
    elif meta and not as_json:
        for text in found.texts.found:
            click.echo(text.text)
        for problem in facts["problems"]:
            teller.warn(problem)
    elif as_json:
        teller.report(facts, "")
    else:
        click.echo("\n".join(timeline_lines(facts) if changes else lines(facts)))
    if found.fault is not None:
        raise found.fault


def _extract(picture: Thumbnail | None, source: str, path: str) -> None:
    """Write the thumbnail. Raises `InputError`, `UsageError`."""
    from gscodec.cli.common import open_output
    from gscodec.errors import InputError, UsageError

    if picture is None:
        raise InputError("io.read", f"{source} has no thumbnail")
    suffix = Path(path).suffix.lower()
    if path != "-" and suffix in (".png", ".webp", ".jpg", ".jpeg") and suffix != f".{picture.kind}":
        raise UsageError("usage.thumbnail", f"the thumbnail is a {picture.kind}: name it .{picture.kind}")
    with open_output(path, hashed=False) as file:
        file.write(picture.data)


def decoded_hash(data: bytes, threads: int) -> str:
    """The SHA-256 of the canonical PLY. Raises `StreamError`."""
    import io

    from gscodec.cli.common import HashingOutput
    from gscodec.cli.decoding import check_output, decoded_chunks, restored, survey, write_blocks

    class Nowhere(io.RawIOBase):
        def write(self, data: Any, /) -> int:
            return len(data)

    found = survey(data)
    if found.scene is None:
        raise RuntimeError("a container without scene header")
    check_output(found.scene, "inria")
    file = HashingOutput(Nowhere(), hashed=True)  # type: ignore[arg-type]
    degree = found.scene.sh_degree
    blocks = decoded_chunks(data, degree, threads, verify=False)
    if found.order is not None:
        blocks = iter((restored(blocks, found.order, found.scene, found.splats, degree),))
    write_blocks(file, blocks, found.scene, found.splats, degree, "inria")
    return str(file.sha256)


# ---- text


def lines(facts: dict[str, Any]) -> list[str]:
    """The report for people."""
    out = [_headline(facts)]
    if "format" in facts:
        out.append(state_line(facts))
    if facts["parts"]:
        rows = [
            [p["part"], f"{p['bytes']:,}", f"{100 * p['share']:.1f} %", _number(p["bits_per_splat"])]
            for p in facts["parts"]
        ]
        out += table("Bytes", ["part", "bytes", "share", "bits/splat"], rows, left=1)
        over = facts["overhead"]
        out.append(
            f"  headers {over['headers']:,}, tables {over['tables']:,}, bases {over['bases']:,} bytes:"
            f" {100 * over['share']:.2f} % of the file"
        )
    if scene := facts.get("scene"):
        about = [*scene_rows(scene), *further_rows(facts)]
        out += ["", "Scene"] + [f"  {name:19} {value}" for name, value in about]
    for each in facts["parameter_sets"]:
        out += ["", f"Parameter set {each['id']} ({each['bytes']:,} bytes, {each['tables']} tables)"]
        out += [f"  {name:19} {value}" for name, value in _parameter_rows(each)]
    rows = [[s["id"], f"{s['offset']:,}", f"{s['bytes']:,}"] for s in facts["sections"]]
    out += table("Sections", ["id", "offset", "bytes"], rows, left=1)
    rows = [
        [
            str(c["number"]),
            f"{c['splats']:,}",
            f"{c['bytes']:,}",
            f"{8 * c['bytes'] / c['splats']:.2f}",
            str(c["lanes"]),
            f"{c['cell']:.4g}",
            str(c["depth"]),
            "/".join(str(n) for n in c["trees"]),
        ]
        for c in facts["chunks"]
    ]
    names = ["chunk", "splats", "bytes", "bits/splat", "lanes", "finest cell", "depth", "splats by octree"]
    out += table("Chunks", names, rows)
    out += ["", "SHA-256"] + [f"  {name:19} {value}" for name, value in facts["hashes"].items() if value]
    return out


def state_line(facts: dict[str, Any]) -> str:
    """Format, profile, and whether the file is as it should be."""
    form = facts["format"]
    state = "checksums and SHA-256 right" if facts["hashes"]["end_mark"] else "checksums right"
    if "error" in facts:
        state = "faulty: what follows is what comes before the fault"
    kind = f"profile {form['profile']}, level {form['level']}, {form['mode']} mode"
    return f"format {form['version']}, {kind}; {state}"


def _headline(facts: dict[str, Any]) -> str:
    text = f"{facts['file']}: {facts['bytes']:,} bytes"
    if facts["bits_per_splat"] is not None:
        text += f", {facts['splats']:,} splats, {facts['bits_per_splat']:.2f} bits per splat"
        text += f" ({facts['bits_per_splat'] / 8:.2f} bytes)"
    elif "scene" in facts:
        text += f", {facts['splats']:,} splats"
    return text


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def scene_rows(scene: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values of the facts about a scene."""
    rows = []
    for name, value in scene.items():
        if name == "extras":
            rows += [
                ("extra attribute", f"{e['name']}: {e['components']} x {e['type']}, {_coding(e)}")
                for e in value
            ]
        elif name == "bounds" and value:
            rows += [("bounds", f"{_triple(value[:3])} to {_triple(value[3:])}")]
        elif isinstance(value, list):
            rows.append((name, _triple(value)))
        else:
            rows.append((name.replace("_", " "), "unspecified" if value is None else f"{value}"))
    return rows


def _coding(extra: dict[str, Any]) -> str:
    return str(extra["coding"]) if extra["step"] is None else f"in steps of {extra['step']:.6g}"


def further_rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Metadata, thumbnail, order, and what is wrong with them."""
    rows = [("metadata", f"{each['kind']}, {each['bytes']:,} bytes") for each in facts["metadata"]]
    if picture := facts["thumbnail"]:
        size = f"{picture['width']} x {picture['height']}"
        rows.append(("thumbnail", f"{picture['kind']}, {size}, {picture['bytes']:,} bytes"))
    if carried := facts.get("tensors"):
        rows.append(("tensors", f"{carried['kind']}, {carried['bytes']:,} bytes"))
        for each in carried["tensors"]:
            rows.append(("", f"{each['name']} {each['type']} {each['shape']}"))
    if facts["keeps_order"]:
        rows.append(("order", "that of the input can be restored"))
    return rows + [("problem", problem) for problem in facts["problems"]]


def _triple(values: list[float]) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in values) + ")"


def _parameter_rows(each: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("classes", str(each["classes"]))]
    for name, (value, unit) in each["steps"].items():
        steps = each["class_multipliers"].get(name)
        finest = f"{_triple(value) if isinstance(value, list) else f'{value:.4g}'} {unit}"
        rows.append(
            (f"{name} step", finest + (f"; x {' '.join(f'{m:g}' for m in steps)} by class" if steps else ""))
        )
    rows.append(("predicted", ", ".join(each["predicted"]) or "nothing"))
    if each["built_in_tables"]:
        rows.append(("built-in tables", each["built_in_tables"]))
    if each["harmonics_basis"]:
        rows.append(("harmonics basis", each["harmonics_basis"]))
    return rows


def table(title: str, names: list[str], rows: list[list[str]], *, left: int = 0) -> list[str]:
    """A title and aligned columns, the first `left` to the left; long tables are cut."""
    if not rows:
        return []
    shown = rows if len(rows) <= MOST_ROWS else rows[: MOST_ROWS - 4]
    widths = [max(len(row[i]) for row in [names, *shown]) for i in range(len(names))]
    out = ["", title]
    for row in [names, *shown]:
        cells = [
            c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        out.append(("  " + "  ".join(cells)).rstrip())
    if len(shown) < len(rows):
        out.append(f"  ... and {len(rows) - len(shown):,} more; --json lists them all")
    return out


def main() -> NoReturn:
    """The console script."""
    run(command, NAME)


if __name__ == "__main__":
    main()
