"""Our readers and writers of four formats against splat-transform's: `rows`.

Each row is a file read twice, by splat-transform (to a PLY file) and by us; the figures are the largest
absolute differences of an attribute, over all splats, which come in the order of the file from both.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gscodec.io import read_ply
from gscodec.io.compressed_ply import read_compressed_ply, write_compressed_ply
from gscodec.io.ksplat import read_ksplat, write_ksplat
from gscodec.io.sog import read_sog, write_sog
from gscodec.io.splat import read_splat, write_splat
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats

ATTRIBUTES = ("positions", "scales", "rotations", "opacities", "sh_dc", "sh_rest")
TOOL = "splat-transform"
LIMIT_S = 600

OURS = "our write -> their PLY vs our read"
THEIRS = "their write -> their PLY vs our read"
FOUND = "found file -> their PLY vs our read"

# Files that others made: format, path below the scenes.
FOUND_FILES = [
    ("compressed.ply", "guitar.compressed.ply"),
    ("splat", "chair_gaussian.splat"),
    ("sog", "playbot_sog/meta.json"),
    ("sog", "showroom_sog/a/meta.json"),
    ("sog", "showroom_sog/b/meta.json"),
    ("sog v1", "yushima_sog_v1/meta.json"),
]
# What is written, by us and by them.
SCENES = ["ghost.ply", "splatterscene_sh1.ply", "scenesculpt.ply", "fox/point_cloud.ply"]
HALF_A_STEP = "they take byte 127.5 for 0 in rotations; the format's own viewer, and we, take 128"

Read = Callable[[Path], SplatFile]
READ: dict[str, Read] = {
    "compressed.ply": read_compressed_ply,
    "splat": read_splat,
    "ksplat": read_ksplat,
    "sog": read_sog,
}
WRITE: list[tuple[str, str, Callable[[Path, SplatFile], int]]] = [
    ("compressed.ply", "scene.compressed.ply", write_compressed_ply),
    ("splat", "scene.splat", write_splat),
    ("ksplat level 0", "scene0.ksplat", lambda path, file: write_ksplat(path, file, level=0)),
    ("ksplat level 1", "scene1.ksplat", lambda path, file: write_ksplat(path, file, level=1)),
    ("ksplat level 2", "scene2.ksplat", lambda path, file: write_ksplat(path, file, level=2)),
    ("sog bundled", "scene.sog", write_sog),
    ("sog unbundled", "meta.json", write_sog),
]


def rows(scenes: Path, tools: Path) -> list[dict[str, Any]]:
    """A row for each format, direction and scene; scenes that are not there are left out.

    `scenes` is the folder of the scenes, `tools` the folder of the program splat-transform. Keys: format,
    direction, scene, splats, one for each of `ATTRIBUTES` (None where there is nothing to compare), note.
    Opacities are compared as opacities, not as logits; rotations up to their sign.
    """
    return list(_rows(scenes, tools / TOOL))


def _rows(scenes: Path, tool: Path) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for format_, found in FOUND_FILES:
            if (scenes / found).exists():
                yield _row(tool, folder, format_, FOUND, found, scenes / found)
        for scene in SCENES:
            if not (scenes / scene).exists():
                continue
            splats = read_ply(scenes / scene).splats
            for format_, file_name, write in WRITE:
                write(folder / file_name, SplatFile(splats=splats))
                yield _row(tool, folder, format_, OURS, scene, folder / file_name)
            # Their encoder of harmonics in SOG needs an hour on a processor: none are given to it.
            theirs = [
                ("compressed.ply", "theirs.compressed.ply", []),
                ("sog bundled", "theirs.sog", ["-H", "0"]),
            ]
            for format_, file_name, options in theirs:
                _run(tool, scenes / scene, *options, folder / file_name)
                yield _row(tool, folder, format_, THEIRS, scene, folder / file_name)
            streamed = Path(tempfile.mkdtemp(dir=folder))
            # The coarse level is the more opaque splats: their own way to simplify takes minutes.
            coarse = [scenes / scene, "-H", "0", "-V", "opacity,gt,0.5", "-l", "1"]
            levels = [scenes / scene, "-H", "0", "-l", "0", *coarse, "-C", "16"]
            _run(tool, *levels, streamed / "lod-meta.json")
            yield _streamed(tool, folder, scene, streamed / "lod-meta.json")


def _streamed(tool: Path, folder: Path, scene: str, path: Path) -> dict[str, Any]:
    """They do not read what they write here: the data sets of the level, one by one, are compared."""
    parts = []
    for data_set in sorted(path.parent.glob("0_*/meta.json"), key=lambda p: int(p.parent.name[2:])):
        _run(tool, data_set, folder / "their.ply")
        parts.append(read_ply(folder / "their.ply").splats)
    ours = read_sog(path).splats
    theirs = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ATTRIBUTES}
    row = {"format": "sog streamed", "direction": THEIRS, "scene": scene, "splats": len(ours)}
    return {**row, **differences(ours, Splats(**theirs)), "note": "level 0, in parts"}


def _row(tool: Path, folder: Path, format_: str, direction: str, scene: str, path: Path) -> dict[str, Any]:
    _run(tool, path, folder / "their.ply")
    ours, theirs = READ[format_.partition(" ")[0]](path).splats, read_ply(folder / "their.ply").splats
    row = {"format": format_, "direction": direction, "scene": scene, "splats": len(ours)}
    return {**row, **differences(ours, theirs), "note": HALF_A_STEP if format_ == "splat" else ""}


def differences(a: Splats, b: Splats) -> dict[str, float | None]:
    """The largest difference of each attribute; None where there are no values. The counts must agree."""
    if len(a) != len(b) or a.sh_degree != b.sh_degree:
        raise ValueError(f"{len(a)} splats of degree {a.sh_degree}, {len(b)} of degree {b.sh_degree}")
    found: dict[str, float | None] = {}
    for name in ATTRIBUTES:
        left, right = (np.asarray(getattr(splats, name), np.float64) for splats in (a, b))
        if name == "opacities":
            left, right = (1 / (1 + np.exp(-np.clip(logits, -500, 500))) for logits in (left, right))
        if name == "rotations":
            left, right = (
                q / np.maximum(np.linalg.norm(q, axis=1, keepdims=True), 1e-30) for q in (left, right)
            )
            right = np.where((left * right).sum(axis=1, keepdims=True) < 0, -right, right)
        found[name] = float(np.abs(left - right).max()) if left.size else None
    return found


def _run(tool: Path, *arguments: str | Path) -> None:
    command = [str(tool), "-q", "-w", "-g", "cpu", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)
