"""PLY header: read from bytes, write to bytes.

A header is lines of ASCII words, each ended by "\\n" (or "\\r\\n"), from "ply" to "end_header":

    ply
    format binary_little_endian 1.0      or binary_big_endian, ascii
    comment ...   obj_info ...           anywhere
    element NAME COUNT                   any number, in the order of the data
    property TYPE NAME                   of the element above
    property list TYPE TYPE NAME         a count, then that many items
    end_header
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from gscodec.errors import InputError
from gscodec.io._source import ByteSource

MAX_HEADER_BYTES = 1 << 20

# PLY type -> numpy code without byte order. The first eight are the original names; both are in use.
TYPE_CODES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
}
TYPE_NAMES = {code: name for name, code in reversed(TYPE_CODES.items())}

BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}

_COUNT = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlyProperty:
    """One property. `type` as written in the file; `is_list` for "property list"."""

    name: str
    type: str
    is_list: bool = False

    def dtype(self, byte_order: str) -> np.dtype[np.generic]:
        """The numpy type of one value; `byte_order` is "<", ">" or "="."""
        return np.dtype(byte_order + TYPE_CODES[self.type])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlyElement:
    """One element: `count` rows of `properties`."""

    name: str
    count: int
    properties: list[PlyProperty] = field(default_factory=list)

    @property
    def has_lists(self) -> bool:
        """Whether rows differ in size."""
        return any(p.is_list for p in self.properties)

    @property
    def stride(self) -> int:
        """Bytes of one binary row; only for elements without lists."""
        return sum(p.dtype("=").itemsize for p in self.properties)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlyHeader:
    """What the header says. `comments` holds the text of comment and obj_info lines."""

    format: str
    elements: tuple[PlyElement, ...]
    comments: tuple[str, ...]


def read_header(source: ByteSource) -> PlyHeader:
    """Read up to and including "end_header"; the source then stands at the first byte of data.

    Raises `InputError`: "ply.magic" when it is not a PLY file at all, else "ply.header".
    """
    _expect_magic(source)
    form = ""
    elements: list[PlyElement] = []
    comments: list[str] = []
    while True:
        line = _header_line(source)
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "end_header":
            break
        if keyword in ("comment", "obj_info"):
            comments.append(rest.strip())
        elif keyword == "format":
            if form:
                raise _bad(source, "has two format lines")
            form = _format(source, rest.split())
        elif keyword == "element":
            elements.append(_element(source, rest.split()))
        elif keyword == "property":
            if not elements:
                raise _bad(source, "has a property before any element")
            _add_property(source, elements[-1], rest.split())
        elif keyword:
            raise _bad(source, f"has a line that is not PLY: {line.strip()[:60]!r}")
    if not form:
        raise _bad(source, "has no format line")
    _forbid_duplicates(source, elements)
    return PlyHeader(format=form, elements=tuple(elements), comments=tuple(comments))


def header_bytes(count: int, properties: Iterable[tuple[str, str]], comments: Iterable[str] = ()) -> bytes:
    """The header of a binary little-endian file with `count` vertices; `properties` are (name, PLY type).

    Of a comment, control characters and line ends become spaces.
    """
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += ["comment " + "".join(c if c.isprintable() else " " for c in text) for text in comments]
    lines += [f"element vertex {count}"]
    lines += [f"property {kind} {name}" for name, kind in properties]
    lines += ["end_header", ""]
    return "\n".join(lines).encode()


def _expect_magic(source: ByteSource) -> None:
    # Far less than the header limit: what is no PLY file may have no line end for a long way.
    line = source.line(64)
    if line in (b"ply\n", b"ply\r\n"):
        return
    if not line:
        raise InputError("ply.magic", "the input is empty, not a PLY file")
    if line.startswith(b"ply\r"):
        raise InputError("ply.magic", "the PLY header's lines end with a bare carriage return; not supported")
    if line.startswith(b"\x1f\x8b"):
        raise InputError("ply.magic", "the input is gzip-compressed (perhaps an SPZ file), not a PLY file")
    raise InputError("ply.magic", 'not a PLY file: the first line is not "ply"')


def _header_line(source: ByteSource) -> str:
    raw = source.line(max(0, MAX_HEADER_BYTES - source.position))
    if not raw.endswith(b"\n"):
        if source.position >= MAX_HEADER_BYTES:
            raise _bad(source, f"is longer than {MAX_HEADER_BYTES:,} bytes")
        raise InputError(
            "ply.truncated", "the file ends within the PLY header (no end_header)", offset=source.position
        )
    # Comments may be in any encoding; names are checked to be ASCII where they are parsed.
    return raw.decode("utf-8", errors="replace").replace("\t", " ")


def _format(source: ByteSource, words: list[str]) -> str:
    if len(words) != 2 or words[0] not in BYTE_ORDERS or words[1] != "1.0":
        raise _bad(source, f"has an unknown format {' '.join(words)[:60]!r}")
    return words[0]


def _element(source: ByteSource, words: list[str]) -> PlyElement:
    if len(words) != 2 or not _COUNT.fullmatch(words[1]):
        raise _bad(source, f"has a bad element line: 'element {' '.join(words)[:60]}'")
    return PlyElement(name=words[0], count=int(words[1]))


def _add_property(source: ByteSource, element: PlyElement, words: list[str]) -> None:
    is_list = words[:1] == ["list"]
    types, names = words[is_list : 1 + 2 * is_list], words[1 + 2 * is_list :]
    known = all(kind in TYPE_CODES for kind in types) and len(types) == 1 + is_list
    if not known or len(names) != 1 or not is_property_name(names[0]):
        raise _bad(source, f"has a bad property line: 'property {' '.join(words)[:60]}'")
    element.properties.append(PlyProperty(name=names[0], type=types[-1], is_list=is_list))


def is_property_name(name: str) -> bool:
    """Whether a PLY header can hold the name: printable ASCII without spaces, not empty."""
    return bool(name) and name.isascii() and name.isprintable() and " " not in name


def _forbid_duplicates(source: ByteSource, elements: list[PlyElement]) -> None:
    for element in elements:
        seen: set[str] = set()
        for item in element.properties:
            if item.name in seen:
                raise _bad(source, f"gives element {element.name!r} two properties {item.name!r}")
            seen.add(item.name)


def _bad(source: ByteSource, what: str) -> InputError:
    return InputError("ply.header", f"the PLY header {what}", offset=source.position)
