"""The checks: each makes two sets of splats that should be the same, one of them with another tool.

To add one, write a function of (scene, tools, folder) and put it into `CHECKS`. It returns the splats as we
have them and as the tool does, and skips by returning None. Tools write and read PLY files of the training
code, in whose axes the comparison is, unless the check says otherwise.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gscodec._generated import coordinate_systems
from gscodec.io.axes import USUAL, in_axes
from gscodec.io.formats import read_splats, write_splats
from gscodec.io.ply import read_ply
from gscodec.io.ply_writing import write_ply
from gscodec.io.splat_file import SplatFile
from gscodec.io.spz import write_spz
from gscodec.splats import Splats

Pair = tuple[Splats, Splats]
RUB = coordinate_systems.RIGHT_UP_BACK


@dataclass(frozen=True, slots=True)
class Tools:
    """A folder of other people's commands."""

    folder: Path

    def has(self, name: str) -> bool:
        """Whether the command is there."""
        return (self.folder / name).exists()

    def run(self, name: str, *arguments: str | Path) -> None:
        """Run it; what it says is only told when it fails."""
        command = [str(self.folder / name), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {(done.stderr or done.stdout)[-300:]}")


Check = Callable[[Path, Tools, Path], Pair | None]


def _standard(path: Path) -> Splats:
    """The splats of any file, in the axes of PLY."""
    return in_axes(read_splats(path), USUAL).splats


def _as_ply(scene: Path, folder: Path) -> Path:
    """The scene as a plain PLY file that every tool reads: no extras."""
    path = folder / "scene.ply"
    splats = _standard(scene)
    write_ply(path, replace(splats, extras={}))
    return path


# ---- SPZ by its own tools, which copy numbers between PLY and SPZ and turn no axes


def their_spz(scene: Path, tools: Tools, folder: Path) -> Pair | None:
    """Their ply_to_spz (or an .spz of theirs); we read it, and so does their spz_to_ply."""
    if not (tools.has("ply_to_spz") and tools.has("spz_to_ply")):
        return None
    spz = scene
    if scene.suffix != ".spz":
        spz = folder / "theirs.spz"
        tools.run("ply_to_spz", _as_ply(scene, folder), spz)
    tools.run("spz_to_ply", spz, folder / "theirs.ply")
    return read_splats(spz).splats, read_ply(folder / "theirs.ply").splats


def our_spz(scene: Path, tools: Tools, folder: Path, *, version: int) -> Pair | None:
    """We write; we read it, and so does their spz_to_ply."""
    if not tools.has("spz_to_ply"):
        return None
    write_spz(folder / "ours.spz", read_splats(scene), version=version)
    tools.run("spz_to_ply", folder / "ours.spz", folder / "theirs.ply")
    return read_splats(folder / "ours.spz").splats, read_ply(folder / "theirs.ply").splats


def same_rounding(scene: Path, tools: Tools, folder: Path) -> Pair | None:
    """We and their ply_to_spz write the same numbers; both are read by us."""
    if not tools.has("ply_to_spz"):
        return None
    source = _as_ply(scene, folder)
    tools.run("ply_to_spz", source, folder / "theirs.spz")
    write_spz(folder / "ours.spz", SplatFile(splats=read_ply(source).splats, coordinate_system=RUB))
    return read_splats(folder / "ours.spz").splats, read_splats(folder / "theirs.spz").splats


# ---- splat-transform, which turns axes


def transformed_to_ply(scene: Path, tools: Tools, folder: Path, *, suffix: str) -> Pair | None:
    """We write the format; splat-transform makes a PLY file of it."""
    if not tools.has("splat-transform"):
        return None
    ours = folder / f"ours{suffix}"
    write_splats(ours, read_splats(scene))
    tools.run("splat-transform", "-q", "-w", ours, folder / "theirs.ply")
    return _standard(ours), _standard(folder / "theirs.ply")


def transformed_from_ply(scene: Path, tools: Tools, folder: Path, *, suffix: str) -> Pair | None:
    """splat-transform makes the format of a PLY file; we read it, and compare with the PLY file."""
    if not tools.has("splat-transform"):
        return None
    source = _as_ply(scene, folder)
    tools.run("splat-transform", "-q", "-w", source, folder / f"theirs{suffix}")
    return _standard(folder / f"theirs{suffix}"), _standard(source)


def own_round_trip(scene: Path, _tools: Tools, folder: Path, *, suffix: str) -> Pair | None:
    """We write and read: what the format costs, not whether it is right."""
    write_splats(folder / f"ours{suffix}", read_splats(scene))
    return _standard(folder / f"ours{suffix}"), _standard(scene)


CHECKS: dict[str, Check] = {
    "spz: theirs, read by us and by spz_to_ply": their_spz,
    "spz 2: ours, read by us and by spz_to_ply": partial(our_spz, version=2),
    "spz 3: ours, read by us and by spz_to_ply": partial(our_spz, version=3),
    "spz 4: ours, read by us and by spz_to_ply": partial(our_spz, version=4),
    "spz 4: ours and that of ply_to_spz, read by us": same_rounding,
    "spz 4: ours, read by us and by splat-transform": partial(transformed_to_ply, suffix=".spz"),
    "glb: that of splat-transform, read by us, and its source": partial(transformed_from_ply, suffix=".glb"),
    "spz: written and read by us": partial(own_round_trip, suffix=".spz"),
    "glb: written and read by us": partial(own_round_trip, suffix=".glb"),
}
