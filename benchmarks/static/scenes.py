"""The scenes: where their files are, where they come from, and the cameras by which they are judged."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

SH_DEGREES = {0: 0, 9: 1, 24: 2, 45: 3}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An entry of scenes.toml."""

    name: str
    source: str
    licence: str
    rigs: list[str]
    views: int
    size: str
    file: str = ""
    made: str = ""
    group: str = ""
    encoder_cameras: str = ""
    photos: str = ""

    def path(self, scenes: Path, made: Path | None) -> Path | None:
        """The PLY; None when it is not there."""
        if self.made:
            path = made / self.made if made else None
        else:
            path = scenes / self.file
        return path if path and path.is_file() else None

    def sets(self) -> dict[str, str]:
        """The rigs by the names of their sets of cameras: `test` for a file, else the rig's own."""
        return {"test" if rig.endswith(".json") else rig: rig for rig in self.rigs}


def read_scenes(path: Path | None = None) -> dict[str, Scene]:
    """All entries of scenes.toml, in its order."""
    path = path or Path(__file__).with_name("scenes.toml")
    with path.open("rb") as file:
        return {name: Scene(name=name, **entry) for name, entry in tomllib.load(file).items()}


def sha256_of(path: Path) -> str:
    """Hash of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ply_summary(path: Path) -> tuple[int, int]:
    """(splats, SH degree) from the header of a PLY."""
    splats, rest = -1, 0
    with path.open("rb") as file:
        for line in file:
            words = line.decode("ascii", "replace").split()
            if words[:2] == ["element", "vertex"]:
                splats = int(words[2])
            elif words[:1] == ["property"] and words[-1].startswith("f_rest_"):
                rest += 1
            elif words == ["end_header"]:
                break
    if splats < 0 or rest not in SH_DEGREES:
        raise ValueError(f"{path.name}: not a PLY of splats")
    return splats, SH_DEGREES[rest]
