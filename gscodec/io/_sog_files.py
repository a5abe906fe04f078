"""The files of a SOG scene, in a ZIP archive or in a folder; JSON and images out of them, none of it trusted.

What a name in a JSON file can reach is the archive, or the folder of the JSON file and what is below it. How
many splats are believed depends on the bytes that are really there (`Budget`); how large an image may be, on
the number of splats.
"""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gscodec.errors import InputError
from gscodec.io._source import read_error
from gscodec.io._whole import Source, read_whole
from gscodec.io.reading import unchanged

META: Final = "meta.json"
LEVELS_META: Final = "lod-meta.json"
LARGEST_SIDE: Final = 16383  # of a WebP image
MOST_JSON: Final = 1 << 26
# Pixels of one colour compress to nothing, so that a small file may say what it likes. This many splats are
# believed of any file, more only of one that has a byte for 32; real files have more bytes than splats.
_FREE_SPLATS: Final = 1 << 20
_SPLATS_PER_BYTE: Final = 32

Pixels = NDArray[np.uint8]


@dataclass(slots=True)
class Budget:
    """What has been read, and how many splats that may be; `max_bytes` is the caller's limit of the bytes."""

    max_bytes: int | None = None
    stored: int = 0
    splats: int = 0
    names: set[str] = field(default_factory=set)

    def read(self, name: str, size: int) -> None:
        """A file of `size` bytes; one that is read again is not another one."""
        if name in self.names:
            return
        self.names.add(name)
        self.stored += size
        if self.max_bytes is not None and self.stored > self.max_bytes:
            raise InputError("io.limit", f"the input is longer than the {self.max_bytes:,} bytes allowed")

    def claim(self, count: int) -> None:
        """`count` more splats."""
        self.splats += count
        if self.splats > max(_FREE_SPLATS, self.stored * _SPLATS_PER_BYTE):
            raise InputError(
                "sog.count", f"{self.splats:,} splats are declared, in {self.stored:,} bytes of files"
            )


class Files(Protocol):
    """Files by name."""

    def stored(self, name: str) -> int:
        """Bytes that the file adds to those that were read already."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """The file; `InputError` when it is longer than `limit` bytes."""
        ...


class ZipFiles:
    """The members of an archive, given whole."""

    def __init__(self, data: bytes) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except _ZIP_ERRORS as error:
            raise InputError("sog.zip", f"not a SOG file: no ZIP archive ({error})") from error

    def stored(self, name: str) -> int:
        self._member(name)
        return 0  # the whole archive was read; what it says of its parts may be wrong

    def read(self, name: str, limit: int) -> bytes:
        member = self._member(name)
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError("sog.zip", f"{name!r} is compressed in a way that SOG files are not")
        try:
            with self._archive.open(member) as file:
                # Not what the archive says of the length, but what comes out.
                data = file.read(limit + 1)
        except _ZIP_ERRORS as error:
            raise InputError("sog.zip", f"{name!r} cannot be unpacked: {error}") from error
        return _not_longer(name, data, limit)

    def _member(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._archive.getinfo(name)
        except KeyError:
            raise InputError("sog.missing", f"there is no {name!r} in the archive") from None


_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,  # an encrypted member
    OverflowError,
)


class FolderFiles:
    """The files of a folder and of those below it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def stored(self, name: str) -> int:
        try:
            found = os.stat(os.path.join(self._folder, name))
        except OSError as error:
            raise InputError("sog.missing", f"cannot read {name!r}: {error.strerror or error}") from error
        if not stat.S_ISREG(found.st_mode):
            raise InputError("sog.missing", f"{name!r} is not a file")
        return found.st_size

    def read(self, name: str, limit: int) -> bytes:
        self.stored(name)
        path = os.path.join(self._folder, name)
        try:
            with open(path, "rb") as file, unchanged(file, path):
                data = file.read(limit + 1)
        except OSError as error:
            raise read_error(error, path) from error
        return _not_longer(name, data, limit)


def _not_longer(name: str, data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise InputError("sog.limit", f"{name!r} is longer than the {limit:,} bytes that it can need")
    return data


def inside(name: Any, folder: str = "") -> str:
    """A name out of a JSON file, as one of `Files`; relative to `folder`, which is one already."""
    parts = name.split("/") if isinstance(name, str) else []
    bad = not parts or len(name) > 1000 or any(part in ("", ".", "..") for part in parts)
    if bad or any(letter in name for letter in "\\:\0"):
        raise InputError("sog.path", f"{str(name)[:80]!r} is not the name of a file below the scene's folder")
    return f"{folder}/{name}" if folder else str(name)


def read_json(data: bytes, name: str) -> dict[str, Any]:
    """A JSON object, without NaN and infinities."""
    try:
        found = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError("sog.meta", f"{name!r} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError("sog.meta", f"{name!r} is not a JSON object")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def whole_file(source: Source, budget: Budget) -> bytes:
    """The first file's bytes, within the budget."""
    data = read_whole(source, max_bytes=budget.max_bytes)
    budget.read("", len(data))
    return data


# ---- images -----------------------------------------------------------------------------------------------


def image_limit(pixels: int) -> int:
    """No lossless image of so many pixels needs more bytes."""
    return 5 * pixels + (1 << 16)


def decode_image(data: bytes, name: str, most: int) -> Pixels:
    """(height, width, 4) of a WebP or PNG image of at most `most` pixels, red first."""
    width, height = _size(data, name)
    if not 0 < width * height <= most:
        raise InputError("sog.image", f"{name!r} is {width} x {height} pixels; {most:,} at most are needed")
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP", "PNG")) as image:
            if image.size != (width, height):
                raise ValueError("its size is not the one that its header says")
            return np.asarray(image.convert("RGBA"))
    except MemoryError:
        raise
    except Exception as error:  # whatever the decoders raise for bytes that are no image
        raise InputError("sog.image", f"{name!r} cannot be decoded: {error}") from error


def _size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height from the header: the decoder may take memory for them before anyone can ask it."""
    head = data[:30].ljust(30, b"\0")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        if head[12:16] == b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if head[12:16] == b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        if head[12:16] == b"VP8 ":
            raise InputError(
                "sog.image", f"{name!r} is compressed with loss: its values are not those written"
            )
    raise InputError("sog.image", f"{name!r} is no WebP or PNG image")


def encode_image(pixels: Pixels) -> bytes:
    """A lossless WebP image of (height, width, 3 or 4), which comes back exactly, also where alpha is 0."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, exact=True, quality=75, method=4)
    return out.getvalue()
