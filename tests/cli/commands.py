"""Runs the commands as a person does: as processes."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

import gscodec
from gscodec.io import read_ply, write_ply

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / "examples/made_scene.ply"
PACKAGE = Path(gscodec.__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE), "GSCODEC_DEBUG": ""}


def arguments(name: str, *rest: str | Path) -> list[str]:
    """The command line of gsenc, gsdec or gsinfo."""
    return [sys.executable, "-P", "-m", f"gscodec.cli.{name}", *map(str, rest)]


class Outcome:
    """How a command ended."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out, err.decode()

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def line(self) -> str:
        """The only line on stderr."""
        assert self.err.count("\n") == 1, self.err
        return self.err.strip()


def run(name: str, *rest: str | Path, data: bytes = b"", cwd: Path | None = None) -> Outcome:
    """Run a command to its end, `data` on its stdin."""
    done = subprocess.run(
        arguments(name, *rest),
        input=data,
        capture_output=True,
        check=False,
        cwd=cwd,
        env=ENVIRONMENT,
        timeout=60,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Outcome(done.returncode, done.stdout, done.stderr)


def names(folder: Path) -> list[str]:
    """The files of a folder."""
    return sorted(path.name for path in folder.iterdir())


def piece(path: Path, count: int) -> Path:
    """The first `count` splats of the made scene as a .ply."""
    write_ply(path, read_ply(MADE).splats.take(np.arange(count)))
    return path


def sections(data: bytes) -> list[tuple[bytes, int, int]]:
    """(id, start, size) of every section."""
    found, at = [], 20
    while at < len(data):
        id, _, length = struct.unpack_from("<4sIQ", data, at)
        found.append((id, at, 20 + length))
        at += 20 + length
    return found


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """`data` with other bytes at a place, and all checksums put right."""
    out = bytearray(data)
    out[at : at + len(new)] = new
    if at < 16:
        struct.pack_into("<I", out, 16, zlib.crc32(out[:16]))
    for id, start, size in sections(data):
        if id == b"ENDM":
            out[start + 24 : start + 56] = hashlib.sha256(out[:start]).digest()
        if start <= at < start + size or id == b"ENDM":
            struct.pack_into("<I", out, start + size - 4, zlib.crc32(out[start : start + size - 4]))
    return bytes(out)
