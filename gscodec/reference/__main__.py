"""(6.9) `python -m gscodec.reference IN OUT [--tick N] [--file-order] [--trace FILE]`: canonical PLY."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from gscodec.errors import GscError, InputError, UsageError
from gscodec.reference.container import read_container
from gscodec.reference.decode import (
    DecodedChunk,
    columns,
    decode_chunks,
    in_input_order,
    ply,
    scene_of,
    splat_from_integers,
)
from gscodec.reference.dynamic import is_dynamic, read_timeline, splats_at
from gscodec.reference.lossless import is_lossless, read_lossless
from gscodec.reference.lossless_ply import ply_from_lossless
from gscodec.reference.timeline import scene_of as scene_of_timeline


def trace(number: int, chunk: DecodedChunk) -> Iterator[dict[str, object]]:
    """The integers of every stage of a chunk, one dictionary a line."""
    yield {"chunk": number, "stage": "header", "parameters": chunk.parameters.id, **asdict(chunk.header)}
    for stage, values in asdict(chunk.splats).items():
        yield {"chunk": number, "stage": stage, "values": values}


def read(path: Path) -> bytes:
    """The bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("io.read", f"cannot read {path}: {error.strerror or error}") from error


def write(path: Path, data: bytes) -> None:
    """Make a file of these bytes that appears whole or not at all; devices and pipes are written directly."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise InputError("io.write", f"cannot write {path}: {error.strerror or error}") from error


def replace(target: Path, data: bytes) -> None:
    """Let a temporary file of the same directory take the place of `target`."""
    if target.exists() and not os.access(target, os.W_OK):  # a rename would pass over its write protection
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    temporary = target.with_name(f".gscodec-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):  # it is gone if all went well
            temporary.unlink()


def ply_at(data: bytes, tick: int | None) -> bytes:
    """(12.9) The scene of a file of the dynamic profile at a tick."""
    timeline = read_timeline(data)
    if tick is None:
        raise UsageError("usage.time", "this scene changes with time: state --tick N")
    scene = scene_of_timeline(timeline.static)
    columns(scene)
    return ply(scene, splats_at(timeline, tick))


def main(arguments: list[str] | None = None) -> int:
    """Decode a file; the exit code follows the kind of error."""
    parser = argparse.ArgumentParser(prog="python -m gscodec.reference", description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--trace", type=Path, help="write the integers of every stage as JSON lines")
    parser.add_argument("--file-order", action="store_true", help="pay no attention to a permutation")
    parser.add_argument("--tick", type=int, help="when; needed where the scene changes with time (12.9)")
    options = parser.parse_args(arguments)
    try:
        data = read(options.input)
        if is_lossless(data):
            write(options.output, ply_from_lossless(read_lossless(data)))
            return 0
        if is_dynamic(data):
            write(options.output, ply_at(data, options.tick))
            return 0
        container = read_container(data)
        scene = scene_of(container)
        columns(scene)
        splats, lines = [], []
        for number, chunk in enumerate(decode_chunks(container)):
            if options.trace:
                lines += [json.dumps(line) + "\n" for line in trace(number, chunk)]
            splats += [splat_from_integers(chunk, i, scene.extras) for i in range(chunk.header.count)]
        if options.trace:
            write(options.trace, "".join(lines).encode())
        if not options.file_order:
            splats = in_input_order(container, splats)
        write(options.output, ply(scene, splats))
    except GscError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
