"""The checks: each makes two sets of splats that should be the same, one of them with another tool.

To add one, add a `Check` to `CHECKS`, or a file that was found to `WILD`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.formats.scene import SPZ_READER, SPZ_WRITER, TRANSFORM, Scene, Tools, standard
from gscodec._generated import coordinate_systems
from gscodec.io.formats import FORMATS, write_splats
from gscodec.io.ksplat import write_ksplat
from gscodec.io.sog import write_sog
from gscodec.io.splat_file import SplatFile
from gscodec.io.spz import write_spz
from gscodec.splats import Splats

# A file of the format, the splats as we have them, and as the tool does, in the axes of the training code.
Found = tuple[Path, Splats, Splats]

CHUNK = 16  # thousands of splats of a data set of streamed SOG
FEW = 2048  # splats whose harmonics splat-transform packs in seconds


@dataclass(frozen=True)
class Check:
    """What is done with each scene.

    tools      the commands that have their part in it: of who writes the file, and of who reads it
    written    who writes the file
    compared   what is compared
    harmonics  only with scenes that have any
    """

    format: str
    tools: tuple[str, ...]
    written: str
    compared: str
    make: Callable[[Scene, Tools], Found]
    note: str = ""
    harmonics: bool = False


def ours(scene: Scene, tools: Tools, *, tool: str, name: str, level: int = 0, version: int = 4) -> Found:
    """We write; we read it, and so does the tool. `level` is that of .ksplat, `version` that of SPZ."""
    path = scene.place("ours", name)
    if name.endswith(".ksplat"):
        write_ksplat(path, FORMATS["ksplat"].prepared(scene.file), level=level)
    elif name.endswith(".spz"):
        write_spz(path, scene.file, version=version)
    elif name.endswith("lod-meta.json"):
        path = _streamed(scene)
    else:
        write_splats(path, scene.file)
    return path, standard(path), tools.read(path, tool)


def _streamed(scene: Scene) -> Path:
    """Written by us, once."""
    path = scene.place("ours/streamed", "lod-meta.json")
    if not path.exists():
        write_sog(path, FORMATS["sog"].prepared(scene.file), chunk=CHUNK << 10)
    return path


def theirs(
    scene: Scene, tools: Tools, *, name: str, options: tuple[str, ...] = (), count: int | None = None
) -> Found:
    """splat-transform writes the first `count` splats, or all; both read it."""
    path = scene.place("theirs", name)
    tools.run(TRANSFORM, scene.ply(count), *options, path)
    return path, standard(path), tools.read(path, TRANSFORM)


def their_spz(scene: Scene, tools: Tools) -> Found:
    """ply_to_spz writes; we read it, and so does spz_to_ply."""
    path = scene.place("theirs", "niantic.spz")
    tools.run(SPZ_WRITER, scene.ply(), path)
    return path, standard(path), tools.read(path, SPZ_READER)


def same_spz(scene: Scene, tools: Tools) -> Found:
    """We and ply_to_spz, which turns no axes, write the same numbers; we read both files."""
    path, other = scene.place("ours", "same.spz"), scene.place("theirs", "same.spz")
    axes = coordinate_systems.RIGHT_UP_BACK
    write_spz(path, SplatFile(splats=scene.splats, coordinate_system=axes))
    tools.run(SPZ_WRITER, scene.ply(), other)
    return path, standard(path), standard(other)


def their_glb(scene: Scene, tools: Tools) -> Found:
    """splat-transform writes; we read it. It reads none itself."""
    path = scene.place("theirs", "scene.glb")
    tools.run(TRANSFORM, scene.ply(), path)
    return path, standard(path), scene.splats


def their_streamed(scene: Scene, tools: Tools) -> Found:
    """Of two levels, the coarse one the more opaque splats: their own way to simplify takes minutes."""
    path = scene.place("theirs/streamed", "lod-meta.json")
    ply, coarse = str(scene.ply()), ("-V", "opacity,gt,0.5", "-l", "1")
    tools.run(TRANSFORM, ply, "-H", "0", "-l", "0", ply, "-H", "0", *coarse, "-C", str(CHUNK), path)
    return path, standard(path), tools.read(path, TRANSFORM)


def cost(scene: Scene, _tools: Tools, *, name: str) -> Found:
    """We write and read: what the format costs, where it keeps the order of splats."""
    path = scene.place("cost", name)
    write_splats(path, scene.file)
    return path, standard(path), scene.splats


def wild(scene: Scene, tools: Tools, *, tool: str) -> Found:
    """A file as it was found, read by both."""
    return scene.path, standard(scene.path), tools.read(scene.path, tool)


def streamed_and_bundled(scene: Scene, _tools: Tools) -> Found:
    """We write both and read both; each data set has codebooks of its own."""
    path, other = _streamed(scene), scene.place("ours", "scene.sog")
    if not other.exists():
        write_splats(other, scene.file)
    return path, standard(path), standard(other)


US, OTHERS, SOURCE = "us", "others", "us, the source"


def _ours(format_: str, name: str, *, tool: str = TRANSFORM, note: str = "", **more: Any) -> Check:
    make = partial(ours, tool=tool, name=name, **more)
    return Check(format_, (tool,), US, f"{US}, {tool}", make, note)


def _theirs(
    format_: str, name: str, *options: str, count: int | None = None, note: str = "", harmonics: bool = False
) -> Check:
    make = partial(theirs, name=name, options=options, count=count)
    return Check(format_, (TRANSFORM,), TRANSFORM, f"{US}, {TRANSFORM}", make, note, harmonics)


def _found(format_: str, tool: str = TRANSFORM, note: str = "") -> Check:
    return Check(format_, (tool,), OTHERS, f"{US}, {tool}", partial(wild, tool=tool), note)


BUNDLED, UNBUNDLED, STREAMED = "SOG 2, bundled", "SOG 2, unbundled", "SOG 2, streamed"
BARE = "without harmonics"
PARTS = "read by them a data set at a time"
HALF_A_STEP = "byte 128 is 0 in rotations for the format's own viewer and us, 127.5 for them"
TWO_SPZ = (SPZ_WRITER, SPZ_READER)

CHECKS = (
    *(_ours(f"SPZ {n}", f"v{n}.spz", tool=SPZ_READER, version=n) for n in (2, 3, 4)),
    Check("SPZ 4", TWO_SPZ, SPZ_WRITER, f"{US}, {SPZ_READER}", their_spz),
    Check("SPZ 4", (SPZ_WRITER,), f"{US}, {SPZ_WRITER}", "us, of both files", same_spz),
    _ours("SPZ 4", "transform.spz"),
    *(_theirs(f"SPZ {n}", f"v{n}.spz", "--spz-version", str(n)) for n in (3, 4)),
    Check("SPZ 4", (), US, SOURCE, partial(cost, name="scene.spz")),
    _ours("compressed.ply", "scene.compressed.ply"),
    _theirs("compressed.ply", "scene.compressed.ply"),
    _ours(BUNDLED, "scene.sog"),
    _theirs(BUNDLED, "scene.sog", "-H", "0", note=BARE),
    _theirs(BUNDLED, "few.sog", count=FEW, note=f"the first {FEW:,} splats", harmonics=True),
    _ours(UNBUNDLED, "unbundled/meta.json"),
    _theirs(UNBUNDLED, "unbundled/meta.json", "-H", "0", note=BARE),
    _ours(STREAMED, "streamed/lod-meta.json", note=PARTS),
    Check(
        STREAMED,
        (TRANSFORM,),
        TRANSFORM,
        f"{US}, {TRANSFORM}",
        their_streamed,
        f"{BARE}; level 0 of 2; {PARTS}",
    ),
    Check(STREAMED, (), US, "us, of the bundled file", streamed_and_bundled),
    _ours(".splat", "scene.splat", note=HALF_A_STEP),
    *(_ours(f".ksplat, level {n}", f"level{n}.ksplat", level=n) for n in (0, 1, 2)),
    Check("GLB", (TRANSFORM,), TRANSFORM, SOURCE, their_glb),
    Check("GLB", (), US, SOURCE, partial(cost, name="scene.glb")),
)

# Files that others made, by their paths below the scenes.
FILES = (
    ("biker.spz", _found("SPZ 4", SPZ_READER)),
    ("guitar.compressed.ply", _found("compressed.ply")),
    ("playbot_sog/meta.json", _found(UNBUNDLED)),
    ("showroom_sog/a/meta.json", _found(UNBUNDLED)),
    ("yushima_sog_v1/meta.json", _found("SOG 1, unbundled")),
    ("chair_gaussian.splat", _found(".splat", note=HALF_A_STEP)),
)
