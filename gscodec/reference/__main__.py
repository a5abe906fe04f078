"""(6.9) `python -m gscodec.reference IN OUT [--trace FILE]`: decode IN to the canonical PLY OUT."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from gscodec.errors import GscError
from gscodec.reference.container import read_container
from gscodec.reference.decode import DecodedChunk, columns, decode_chunks, ply, splat_from_integers


def trace(number: int, chunk: DecodedChunk) -> Iterator[dict[str, object]]:
    """The integers of every stage of a chunk, one dictionary a line."""
    yield {"chunk": number, "stage": "header", "parameters": chunk.parameters.id, **asdict(chunk.header)}
    for stage, values in asdict(chunk.splats).items():
        yield {"chunk": number, "stage": stage, "values": values}


def main(arguments: list[str] | None = None) -> int:
    """Decode a file; the exit code follows the kind of error."""
    parser = argparse.ArgumentParser(prog="python -m gscodec.reference", description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--trace", type=Path, help="write the integers of every stage as JSON lines")
    options = parser.parse_args(arguments)
    try:
        container = read_container(options.input.read_bytes())
        scene = container.scene
        assert scene is not None
        columns(scene)
        splats, lines = [], []
        for number, chunk in enumerate(decode_chunks(container)):
            if options.trace:
                lines += [json.dumps(line) for line in trace(number, chunk)]
            splats += [splat_from_integers(chunk, i, scene.extras) for i in range(chunk.header.count)]
    except GscError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    options.output.write_bytes(ply(scene, splats))
    if options.trace:
        options.trace.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
