"""What checks start from: a scene, other people's commands, and what those make of files."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from gscodec._generated import coordinate_systems
from gscodec.io import read_ply, write_ply
from gscodec.io.axes import USUAL, in_axes
from gscodec.io.formats import read_splats
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats, joined

SPZ_WRITER, SPZ_READER, TRANSFORM = "ply_to_spz", "spz_to_ply", "splat-transform"
LIMIT_S = 600


@dataclass(frozen=True)
class Scene:
    """A scene and a folder for what is made of it."""

    path: Path
    folder: Path

    @cached_property
    def file(self) -> SplatFile:
        """The splats, without extra attributes."""
        file = read_splats(self.path)
        return replace(file, splats=replace(file.splats, extras={}))

    @cached_property
    def splats(self) -> Splats:
        """In the axes of the training code, (N,)."""
        return in_axes(self.file, USUAL).splats

    def place(self, folder: str, name: str) -> Path:
        """Where a file is written."""
        path = self.folder / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def ply(self, count: int | None = None) -> Path:
        """A PLY file that every tool reads, of the first `count` splats, if not of all."""
        path = self.folder / f"scene_{count or 'all'}.ply"
        if not path.exists():
            write_ply(path, self.splats.take(slice(0, count)))
        return path


@dataclass(frozen=True)
class Tools:
    """A folder of commands, and one for what they write."""

    folder: Path
    work: Path

    def has(self, *names: str) -> bool:
        """Whether the commands are there."""
        return all((self.folder / name).exists() for name in names)

    def run(self, name: str, *arguments: str | Path) -> None:
        """Run a command; what it says is only told when it fails."""
        options = ["-q", "-w", "-g", "cpu"] if name == TRANSFORM else []
        command = [str(self.folder / name), *options, *map(str, arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"{name} takes more than {LIMIT_S} s") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().replace("\n", " ")
            raise RuntimeError(f"{name} failed: {said[-200:]}")

    def read(self, path: Path, name: str) -> Splats:
        """What the command `name` makes of a file, in the axes of the training code.

        splat-transform reads no streamed SOG: there it reads the data sets of level 0 one by one.
        """
        if path.name == "lod-meta.json":
            names = json.loads(path.read_text(encoding="utf-8"))["filenames"]
            return joined([self.read(path.parent / each, name) for each in names if each.startswith("0_")])
        ply = self.work / "theirs.ply"
        self.run(name, path, ply)
        splats = read_ply(ply).splats
        if name == SPZ_READER:  # it copies the numbers of SPZ and turns no axes
            axes = coordinate_systems.RIGHT_UP_BACK
            return in_axes(SplatFile(splats=splats, coordinate_system=axes), USUAL).splats
        return splats


def standard(path: Path) -> Splats:
    """What we make of a file, in the axes of the training code."""
    return in_axes(read_splats(path), USUAL).splats
