"""Splat files of any format, .gsc among them, as the commands read and write them; "-" is stdin or stdout."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from gscodec.cli.common import CountingInput, counted, open_output
from gscodec.cli.gsc_file import read_gsc

if TYPE_CHECKING:
    from gscodec.io.blocks import SplatBlocks
    from gscodec.io.formats import Format
    from gscodec.io.offset import Offset
    from gscodec.io.splat_file import SplatFile

GSC = "gsc"
# Known here too, so that --help needs not import what numpy is needed for; tests compare them.
NAMES = ("compressed_ply", "ply", "spz", "gltf", "sog", "splat", "ksplat")
AXES = (
    "right_down_forward",
    "right_up_back",
    "right_forward_up",
    "right_up_forward",
    "forward_left_up",
    "forward_right_up",
    "left_up_forward",
)


class _Rejoined:
    """A binary file whose first bytes were read already."""

    def __init__(self, head: bytes, file: CountingInput) -> None:
        self._head, self._file = head, file

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        if not self._head:
            return self._file.read(size)
        piece = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(piece) :]
        return piece


def is_gsc(source: str) -> bool:
    """Whether a file starts as a .gsc; a pipe's name decides, as its start would be gone."""
    from gscodec.container.header import SIGNATURE

    if not Path(source).is_file():
        return source.lower().endswith(".gsc")
    with open(source, "rb") as file:
        return file.read(4) == SIGNATURE[:4]  # the rest of it is there to show damage in transfer


def read_file(source: str, name: str | None = None, offset: Offset | None = None) -> tuple[SplatFile, int]:
    """A file of another format than .gsc, and how many bytes it has; `offset` as in `read_ply`.

    Raises `InputError`: "io.format" for a .gsc, and those of the format.
    """
    from gscodec.errors import InputError
    from gscodec.io.formats import FORMATS, by_content, by_name, format_of, read_ply_file
    from gscodec.io.reading import unchanged

    piped = CountingInput(sys.stdin.buffer)
    head = b""
    if source == "-":
        head = _head_of(piped)
        _refuse_gsc(head, "the input")
        kind = by_name(name) if name else by_content(head) or FORMATS["ply"]
    else:
        if Path(source).is_file():
            with open(source, "rb") as file:
                head = file.read(16)
            _refuse_gsc(head, source)
        kind = by_name(name) if name else format_of(source)
    read = partial(read_ply_file, offset=offset) if kind.name == "ply" else kind.read
    try:
        if source == "-":
            rejoined: BinaryIO = _Rejoined(head, piped)  # type: ignore[assignment]
            with unchanged(sys.stdin.buffer, "the input"):  # which may be a file
                return read(rejoined), piped.count
        return read(source), _size(source)
    except InputError as error:
        if error.code == "ply.magic" and head:
            error.add_note("convert it to PLY")
        raise


@contextlib.contextmanager
def open_splats(source: str, offset: Offset | None = None) -> Iterator[tuple[SplatBlocks, Callable[[], int]]]:
    """A file of another format than .gsc that need not be read at once, and what tells its bytes in the end.

    `offset` as in `SplatBlocks`.

    Raises `InputError`: "io.format" for a .gsc, and those of the format.
    """
    from gscodec.errors import InputError
    from gscodec.io.blocks import SplatBlocks
    from gscodec.io.formats import FORMATS, by_content
    from gscodec.io.reading import unchanged

    piped = CountingInput(sys.stdin.buffer)
    head = b""
    try:
        if source == "-":
            head = _head_of(piped)
            _refuse_gsc(head, "the input")
            rejoined: BinaryIO = _Rejoined(head, piped)  # type: ignore[assignment]
            kind = by_content(head) or FORMATS["ply"]
            with (
                unchanged(sys.stdin.buffer, "the input"),  # which may be a file
                SplatBlocks(rejoined, kind, offset=offset) as blocks,
            ):
                yield blocks, lambda: piped.count
            return
        with contextlib.ExitStack() as held:
            if Path(source).is_file():
                file = held.enter_context(open(source, "rb"))
                head = file.read(16)
                _refuse_gsc(head, source)
                held.enter_context(unchanged(file, source))
            blocks = held.enter_context(SplatBlocks(source, offset=offset))
            yield blocks, lambda: _size(source)
    except InputError as error:
        if error.code == "ply.magic" and head:
            error.add_note("convert it to PLY")
        raise


def _head_of(file: CountingInput) -> bytes:
    from gscodec.io.formats import HEAD

    head = b""
    while len(head) < HEAD and (piece := file.read(HEAD - len(head))):
        head += piece
    return head


def _refuse_gsc(head: bytes, what: str) -> None:
    from gscodec.container.header import SIGNATURE
    from gscodec.errors import InputError

    if head.startswith(SIGNATURE):
        raise InputError("io.format", f"{what} is a .gsc already: gsdec decodes it")


def _size(path: str) -> int:
    """Bytes of a file, or of the files of a folder."""
    if os.path.isdir(path):
        return sum(each.stat().st_size for each in Path(path).rglob("*") if each.is_file())
    return os.stat(path).st_size


def decoded_file(source: str, threads: int) -> tuple[SplatFile, int]:
    """What a .gsc holds, and how many bytes it has. Raises `InputError`, `StreamError`."""
    from gscodec.cli.decoding import comments_of, survey
    from gscodec.io.splat_file import SplatFile
    from gscodec.lossless import is_lossless
    from gscodec.opening import decode

    data = read_gsc(source)
    splats = decode(data, threads=threads)
    if is_lossless(data):
        return SplatFile(splats=splats), len(data)
    found = survey(data)
    if found.scene is None:
        raise RuntimeError("a decoded file without scene header")
    return as_file(splats, found.scene, comments_of(found.metadata)[0]), len(data)


def as_file(splats: object, scene: object, comments: Sequence[str] = ()) -> SplatFile:
    """Decoded `Splats` with what their `SceneHeader` says."""
    from gscodec._generated import colour_spaces
    from gscodec.container import SceneHeader
    from gscodec.io.splat_file import SplatFile
    from gscodec.splats import Splats

    if not isinstance(splats, Splats) or not isinstance(scene, SceneHeader):
        raise TypeError("expected Splats and a SceneHeader")
    notes = []
    if scene.colour_space == colour_spaces.LINEAR:
        notes.append("that the colours are linear is left out")
    return SplatFile(
        splats=splats,
        coordinate_system=scene.coordinate_system,
        rendering_model=scene.rendering_model,
        comments=tuple(comments),
        offset=scene.offset,
        notes=tuple(notes),
    )


def output_format(target: str, name: str | None, default: str | None = None) -> Format | None:
    """The format to write, None for .gsc. Raises `click.UsageError` where neither name nor option tells."""
    from gscodec.io.formats import FORMATS, by_name, by_suffix

    if name == GSC or (name is None and target.lower().endswith(".gsc")):
        return None
    found = by_name(name) if name else by_suffix(target)
    if found is None and default is None:
        ends = ", ".join(end for each in FORMATS.values() for end in each.suffixes)
        raise click.UsageError(f"{target} does not tell a format: give --to, or one of the ends .gsc, {ends}")
    return found or FORMATS[str(default)]


def write_file(
    target: str, file: SplatFile, kind: Format, *, strict: bool = False, axes: int | None = None
) -> tuple[int, tuple[str, ...]]:
    """Write it; how many bytes, and what the format cannot hold. Raises `InputError`."""
    prepared = kind.prepared(file, axes)
    lost = kind.checked(prepared, strict=strict)
    if target != "-":
        return kind.write(target, prepared), lost
    held = io.BytesIO()
    kind.write(held, prepared)
    with open_output(target, hashed=False) as out:
        out.write(held.getbuffer())
    return len(held.getbuffer()), lost


def axes_of(name: str | None) -> int | None:
    """The number of a coordinate system."""
    from gscodec._generated import coordinate_systems

    return next((value for value, each in coordinate_systems.NAMES.items() if each == name), None)


def summary(file: SplatFile) -> str:
    """How many splats of which degree."""
    return f"{counted(len(file.splats), 'splat')} of SH degree {file.splats.sh_degree}"
