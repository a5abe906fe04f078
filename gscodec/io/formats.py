"""All formats of splat files by name: `FORMATS`, and `read_splats`, `write_splats` for any of them.

A format is told by what a file starts with, and where that says nothing by the end of its name. Modules are
imported when they are needed. A .gsc is none of these: it is what the codec above writes.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.errors import InputError, UsageError
from gscodec.io._ply_rows import PlyScene
from gscodec.io._source import read_error
from gscodec.io.axes import in_axes
from gscodec.io.offset import Offset, is_offset, offset_comment
from gscodec.io.ply import read_ply
from gscodec.io.ply_writing import ply_header, write_ply
from gscodec.io.splat_file import SplatFile
from gscodec.splats import Splats

Place = str | os.PathLike[str]
Read = Callable[..., SplatFile]
Lost = Callable[[SplatFile], tuple[str, ...]]
Write = Callable[[Place | BinaryIO, SplatFile], int]

HEAD = 4096  # bytes that tell a format
FOLDER_FILES = ("lod-meta.json", "meta.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of splat files.

    name         "spz"
    suffixes     ends of file names, in lower case; the first is the usual one
    description  in a few words
    axes         coordinate system of the file; `states_axes`: a file says so, or the format does
    sniff        whether a file starts with these bytes (`HEAD`, or all there are)
    read, lost, write   as in `gscodec.io.splat_file`
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    axes: int
    states_axes: bool
    sniff: Callable[[bytes], bool]
    read: Read
    lost: Lost
    write: Write

    def prepared(self, file: SplatFile, axes: int | None = None) -> SplatFile:
        """`file` in the coordinates of this format, or of `axes`, which the written file then cannot say."""
        if axes is None:
            stated = file.coordinate_system != coordinate_systems.UNSPECIFIED
            file = in_axes(file, self.axes if stated or self.states_axes else coordinate_systems.UNSPECIFIED)
        else:
            file = replace(
                in_axes(file, axes), coordinate_system=self.axes
            )  # so that no writer turns it back
        if self.states_axes:
            return file
        return replace(file, coordinate_system=coordinate_systems.UNSPECIFIED)

    def checked(self, file: SplatFile, *, strict: bool) -> tuple[str, ...]:
        """What this format cannot hold of `file`, which is `prepared`. Raises `InputError` "format.lossy"."""
        lost = self.lost(file)
        if strict and lost:
            raise InputError("format.lossy", f"{self.name} cannot hold everything: {'; '.join(lost)}")
        return lost


# ---- PLY, whose module is older than the interface


def read_ply_file(
    source: Place | BinaryIO, *, max_bytes: int | None = None, offset: Offset | None = None
) -> SplatFile:
    """`read_ply`, as a `SplatFile`."""
    return as_splat_file(read_ply(source, max_bytes=max_bytes, offset=offset))


def as_splat_file(scene: PlyScene) -> SplatFile:
    """What was read of a PLY file, in the terms of all formats."""
    return SplatFile(
        splats=scene.splats,
        comments=scene.comments,
        offset=scene.offset,
        moved=scene.moved,
        notes=notes_on(scene),
    )


def notes_on(scene: PlyScene) -> tuple[str, ...]:
    """What reading a PLY file had to decide or leave out, a sentence each."""
    notes = []
    if scene.missing:
        notes.append(f"the input lacks {', '.join(scene.missing)}: filled in with defaults")
    if rest := scene.trailing_bytes:
        notes.append(f"ignored {rest:,} byte{'' if rest == 1 else 's'} after the declared data")
    extras = scene.splats.extras
    kept = {*extras, *(("x", "y", "z") if any(scene.moved) else ())}
    wide = [name for name, kind in scene.properties if kind in ("double", "float64") and name not in kept]
    if wide:
        notes.append(f"double precision is not kept: {', '.join(wide[:4])}{', ...' if len(wide) > 4 else ''}")
    return tuple(notes)


def _without_unwritable(splats: Splats) -> Splats:
    """Only the extras that PLY has types and names for."""
    kept: Splats = replace(splats, extras={})
    for name, array in splats.extras.items():
        more = replace(kept, extras={**kept.extras, name: array})
        try:
            ply_header(more)
        except UsageError:
            continue
        kept = more
    return kept


def _lost_in_ply(file: SplatFile) -> tuple[str, ...]:
    lost = []
    kept = _without_unwritable(file.splats).extras
    if left := [name for name in file.splats.extras if name not in kept]:
        lost.append(f"extra attributes, for whose types or names PLY has none: {', '.join(left)}")
    if file.rendering_model == rendering_models.ANTIALIASED:
        lost.append("that the splats were trained with antialiasing")
    if file.rendering_model == rendering_models.SURFELS:
        lost.append("that the splats are flat discs (2DGS)")
    return tuple(lost)


def _write_ply(sink: Place | BinaryIO, file: SplatFile) -> int:
    comments = [line for line in file.comments if not is_offset(line)]
    if any(file.offset):
        comments.append(offset_comment(file.offset))
    return write_ply(sink, _without_unwritable(file.splats), comments=comments)


# ---- what files start with


def _is_ply(head: bytes) -> bool:
    return head.startswith((b"ply\n", b"ply\r"))


def _is_compressed_ply(head: bytes) -> bool:
    return _is_ply(head) and b"element chunk " in head.partition(b"end_header")[0]


def _is_spz(head: bytes) -> bool:
    if head[:2] != b"\x1f\x8b":
        return head.startswith(b"NGSP")
    try:
        return zlib.decompressobj(31).decompress(head, 4) == b"NGSP"
    except zlib.error:
        return False


def _is_gltf(head: bytes) -> bool:
    return head.startswith(b"glTF") or (head.lstrip().startswith(b"{") and b'"asset"' in head)


def _is_sog(head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04")


def _is_never(_head: bytes) -> bool:
    return False


# ---- the list


def _of_module(
    name: str,
    suffixes: tuple[str, ...],
    description: str,
    sniff: Callable[[bytes], bool],
    *,
    axes: int = coordinate_systems.RIGHT_DOWN_FORWARD,
    states_axes: bool = False,
) -> Format:
    """Of `gscodec.io.NAME`."""

    def read(source: Place | BinaryIO, *, max_bytes: int | None = None) -> SplatFile:
        function: Read = getattr(import_module(f"gscodec.io.{name}"), f"read_{name}")
        return function(source, max_bytes=max_bytes)

    def lost(file: SplatFile) -> tuple[str, ...]:
        function: Lost = getattr(import_module(f"gscodec.io.{name}"), f"lost_in_{name}")
        return function(file)

    def write(sink: Place | BinaryIO, file: SplatFile) -> int:
        function: Write = getattr(import_module(f"gscodec.io.{name}"), f"write_{name}")
        return function(sink, file)

    return Format(
        name=name,
        suffixes=suffixes,
        description=description,
        axes=axes,
        states_axes=states_axes,
        sniff=sniff,
        read=read,
        lost=lost,
        write=write,
    )


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        _of_module(
            "compressed_ply", (".compressed.ply",), "PLY of PlayCanvas, compressed", _is_compressed_ply
        ),
        Format(
            name="ply",
            suffixes=(".ply",),
            description="PLY of the training code",
            axes=coordinate_systems.RIGHT_DOWN_FORWARD,
            states_axes=False,
            sniff=_is_ply,
            read=read_ply_file,
            lost=_lost_in_ply,
            write=_write_ply,
        ),
        _of_module(
            "spz",
            (".spz",),
            "SPZ of Niantic",
            _is_spz,
            axes=coordinate_systems.RIGHT_UP_BACK,
            states_axes=True,
        ),
        _of_module(
            "gltf",
            (".glb", ".gltf"),
            "glTF with KHR_gaussian_splatting; GLB is written",
            _is_gltf,
            axes=coordinate_systems.LEFT_UP_FORWARD,
            states_axes=True,
        ),
        _of_module("sog", (".sog", *FOLDER_FILES), "SOG of PlayCanvas, a file or a folder", _is_sog),
        _of_module("splat", (".splat",), "32 bytes a splat, of antimatter15", _is_never),
        _of_module("ksplat", (".ksplat",), "of mkkellogg's viewer", _is_never),
    )
}


def by_name(name: str) -> Format:
    """Raises `UsageError` "format.name"."""
    if name not in FORMATS:
        raise UsageError("format.name", f"no format is called {name!r}; expected one of {', '.join(FORMATS)}")
    return FORMATS[name]


def by_suffix(path: Place) -> Format | None:
    """The format whose files end so; of several the longest end."""
    name = os.path.basename(os.fspath(path)).lower()
    found = [(len(end), each) for each in FORMATS.values() for end in each.suffixes if name.endswith(end)]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def by_content(head: bytes) -> Format | None:
    """The format of a file that starts so."""
    return next((each for each in FORMATS.values() if each.sniff(head)), None)


def format_of(path: Place) -> Format:
    """Of a file or folder that is there. Raises `InputError` "format.unknown", "io.read"."""
    if os.path.isdir(path):
        if any((Path(path) / name).is_file() for name in FOLDER_FILES):
            return FORMATS["sog"]
        raise InputError(
            "format.unknown", f"the folder {os.fspath(path)} has none of {', '.join(FOLDER_FILES)}"
        )
    by_end = by_suffix(path)
    if Path(path).name.lower() in FOLDER_FILES and by_end is not None:
        return by_end  # JSON, as glTF is
    head = b""
    if not os.path.exists(path) or os.path.isfile(path):  # a pipe's start would be gone
        try:
            with open(path, "rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            raise read_error(error, os.fspath(path)) from error
    found = by_content(head) or by_end
    if found is None:
        raise InputError("format.unknown", f"{os.fspath(path)} is of no known format of splats", offset=0)
    return found


def read_splats(path: Place, *, name: str | None = None, max_bytes: int | None = None) -> SplatFile:
    """Read a file or folder of splats, of the format `name` or else of what it looks like.

    Raises `UsageError` "format.name", `InputError` "format.unknown", "io.read" and those of the format.
    """
    kind = format_of(path) if name is None else by_name(name)
    return kind.read(path, max_bytes=max_bytes)


def write_splats(
    path: Place, file: SplatFile, *, name: str | None = None, strict: bool = False, axes: int | None = None
) -> tuple[str, ...]:
    """Write a file in the format `name`, or that of the end of `path`; what it cannot hold, a sentence each.

    `strict`: write nothing where there is such a thing. `axes`: write other coordinates than the format's own
    (which the file then does not say). What states no coordinate system is taken to be in that of PLY files.

    Raises `UsageError` "format.name", `InputError` "format.lossy", "io.write" and those of the format.
    """
    kind = by_suffix(path) if name is None else by_name(name)
    if kind is None:
        known = ", ".join(end for each in FORMATS.values() for end in each.suffixes)
        raise UsageError("format.name", f"{os.fspath(path)} has none of the ends {known}")
    file = kind.prepared(file, axes)
    lost = kind.checked(file, strict=strict)
    kind.write(path, file)
    return lost
