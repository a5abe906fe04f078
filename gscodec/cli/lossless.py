"""What the commands do for files of the lossless profile (11): PLY bytes in, the same PLY bytes out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from gscodec.cli.bar import Bar
from gscodec.cli.common import Teller, counted, open_input, open_output, size_in_words, times

STAGES = [("reading", 0.05), ("packing", 0.05), ("fitting", 0.2), ("coding", 0.5), ("choosing tables", 0.05)]
STAGES += [("writing", 0.15)]


def refuse_options(given: list[str]) -> None:
    """Options that choose what to lose mean nothing with --lossless. Raises click's usage error."""
    if given:
        raise click.UsageError(f"--lossless keeps everything: leave out {' and '.join(given)}")


def encode_file(source: str, target: str, teller: Teller, *, quiet: bool, hashed: bool) -> None:
    """Write the lossless .gsc of a PLY file. Raises `GscError`."""
    from gscodec.container.header import SIGNATURE
    from gscodec.encode.lossless import encode_ply
    from gscodec.errors import InputError

    start = time.perf_counter()
    _try_output(target)
    with Bar(STAGES, quiet=quiet) as progress:
        progress("reading", 0.0)
        data = _read(source)
        if data.startswith(SIGNATURE):
            what = "the input" if source == "-" else source
            raise InputError("io.format", f"{what} is a .gsc already: gsdec decodes it")
        result = encode_ply(data, progress=progress)
        with open_output(target, hashed=False) as file:
            file.write(result.data)
    seconds = time.perf_counter() - start
    report, size = result.report, len(result.data)
    rows = report["rows"]
    if report["note"] is not None:
        what = "its text was packed instead" if report["text_packed"] else "the file was packed as a whole"
        teller.warn(f"{report['note']}: {what}")
    facts: dict[str, object] = {
        "input": source,
        "output": target,
        "profile": "lossless",
        "bytes_in": len(data),
        "bytes_out": size,
        "ratio": round(len(data) / size, 3),
        "seconds": round(seconds, 4),
        "bytes_per_splat": round(size / rows, 4) if rows else None,
        **{name: value for name, value in report.items() if name != "bytes"},
        "sha256": hashlib.sha256(result.data).hexdigest() if hashed else None,
    }
    line = (
        f"{size_in_words(len(data))} -> {size_in_words(size)} ({times(len(data) / size)}) in {seconds:.1f} s"
    )
    if rows:
        line += f"; {counted(rows, 'row')}, {size / rows:.2f} bytes each"
    teller.report(facts, line + "; lossless")


class _TriedError(Exception):
    """Ends an attempt to write."""


def _try_output(target: str) -> None:
    """Find out before the work, not after it, that a file cannot be written. Raises `InputError`."""
    from gscodec.io import atomic_output

    is_special = os.path.exists(target) and not os.path.isfile(target) and not os.path.isdir(target)
    if target != "-" and not is_special:  # opening a pipe or a device is not without effect
        with contextlib.suppress(_TriedError), atomic_output(target):
            raise _TriedError


def _read(source: str) -> bytes:
    from gscodec.errors import InputError

    try:
        if source == "-":
            return sys.stdin.buffer.read()
        if not Path(source).is_dir():
            with open_input(source) as file:
                return b"".join(iter(lambda: file.read(1 << 24), b""))
        return Path(source).read_bytes()
    except OSError as error:
        raise InputError("io.read", f"cannot read {source}: {error.strerror or error}") from error


def decode_file(
    data: bytes, source: str, target: str, teller: Teller, *, quiet: bool, hashed: bool, given: list[str]
) -> None:
    """Write the PLY file of a lossless .gsc; options that change it are refused. Raises `GscError`."""
    from gscodec.errors import UsageError
    from gscodec.lossless import read_lossless

    if given:
        raise UsageError(
            "usage.lossless",
            f"a lossless .gsc gives back its PLY file as it was: leave out {' and '.join(given)}",
        )
    start = time.perf_counter()
    found = read_lossless(data)
    total = max(1, found.description.file_bytes)
    with Bar([("decoding", 1.0)], quiet=quiet) as progress, open_output(target, hashed=hashed) as file:
        for piece in found.pieces():
            file.write(piece)
            progress("decoding", file.count / total)
    seconds = time.perf_counter() - start
    facts: dict[str, object] = {
        "input": source,
        "output": target,
        "profile": "lossless",
        "bytes_in": len(data),
        "bytes_out": file.count,
        "ratio": round(file.count / len(data), 3),
        "seconds": round(seconds, 4),
        "rows": found.description.row_count,
        "complete": True,
        "sha256": file.sha256,
    }
    line = f"{size_in_words(len(data))} -> {size_in_words(file.count)} in {seconds:.1f} s"
    teller.report(facts, f"{line}; {counted(found.description.row_count, 'row')}, lossless")


# ---- gsinfo


def inspect_lossless(data: bytes) -> dict[str, Any]:
    """The facts about a lossless .gsc: sections, and an estimate of the bytes of every column.

    Raises `StreamError`.
    """
    from gscodec._generated import extra_types
    from gscodec.container.header import VERSION
    from gscodec.lossless import read_lossless
    from gscodec.lossless.sizes import column_bytes

    found = read_lossless(data)
    about = found.description
    names = _names(about.around()[0], len(about.columns)) if about.row_count else []
    rows = max(1, about.row_count)
    columns = [
        {
            "name": name,
            "type": extra_types.NAMES[column.type],
            "bytes": size,
            "bits_per_splat": 8 * size / rows,
        }
        for name, column, size in zip(names, about.columns, column_bytes(found), strict=False)
    ]
    sections = [{"id": id, "offset": offset, "bytes": size} for id, offset, size in found.sections]
    return {
        "bytes": len(data),
        "format": {
            "version": f"{VERSION[0]}.{VERSION[1]}",
            "profile": "lossless",
            "level": found.header.level,
        },
        "ply": {
            "bytes": about.file_bytes,
            "rows": about.row_count,
            "form": ("binary little-endian", "binary big-endian", "text")[about.form]
            if about.row_count
            else "packed as a whole",
            "around_rows": about.head_bytes + about.tail_bytes,
            "packed": len(about.packed),
            "crc32": f"{about.crc:08x}",
        },
        "columns": columns,
        "sections": sections,
        "hashes": {"end_mark": found.sha256.hex() if found.sha256 else None},
    }


def _names(head: bytes, count: int) -> list[str]:
    """Names of the columns, from the PLY header: those of the only element that has so many."""
    found: list[list[str]] = []
    for line in head.decode("utf-8", "replace").splitlines():
        words = line.split()
        if words[:1] == ["element"]:
            found.append([])
        elif words[:1] == ["property"] and found:
            found[-1].append(words[-1])
    fitting = [names for names in found if len(names) == count]
    return fitting[0] if len(fitting) == 1 else [f"column {i}" for i in range(count)]


def lines(facts: dict[str, Any], source: str) -> list[str]:
    """The report for people."""
    ply, form = facts["ply"], facts["format"]
    sizes = f"{size_in_words(facts['bytes'])} for {size_in_words(ply['bytes'])} of PLY"
    out = [f"{source}: {sizes} ({times(ply['bytes'] / facts['bytes'])}), {counted(ply['rows'], 'row')}"]
    out.append(
        f"format {form['version']}, profile lossless, level {form['level']}; checksums and SHA-256 right"
    )
    out.append(f"{ply['form']}; {ply['around_rows']:,} bytes around the rows, packed {ply['packed']:,}")
    if facts["columns"]:
        out += ["", "Columns (bytes estimated from the tables)"]
        width = max(len(c["name"]) for c in facts["columns"])
        out += [
            f"  {c['name']:{width}}  {c['type']:4} {c['bytes']:12,}  {c['bits_per_splat']:7.2f} bits/row"
            for c in facts["columns"]
        ]
    out += ["", "Sections"]
    return out + [f"  {s['id']}  {s['offset']:12,}  {s['bytes']:12,}" for s in facts["sections"]]
