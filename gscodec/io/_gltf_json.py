"""The container of glTF: GLB and JSON, buffers, accessors and nodes, without any trust in them.

    document = read_document(source, folder)
    values = document.accessor(number, "VEC3")          # (N, 3), integers that are normalised as fractions
    for mesh, matrix in document.placed_meshes(): ...   # of the scene, with the global matrix of its node

No number of the file decides how much memory is taken: what it points to must lie within bytes that are
there.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from gscodec.errors import InputError
from gscodec.io._source import ByteSource
from gscodec.io.reading import opened

MAGIC = b"glTF"
JSON_CHUNK, BINARY_CHUNK = b"JSON", b"BIN\0"
TYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
INDEX_TYPES = {5121: "<u1", 5123: "<u2", 5125: "<u4"}
# Bytes of zeros that a sparse accessor may start from, and how many more for each byte that was read.
FREE_ZEROS, ZEROS_PER_BYTE = 1 << 20, 4
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}

Object = dict[str, Any]
Float64 = NDArray[np.float64]


class Document:
    """A glTF file: its JSON, and the bytes that belong to it.

    size  bytes of the file and of the buffers that were read so far
    """

    def __init__(
        self, data: Object, *, binary: bytes | None, folder: Path | None, size: int, max_bytes: int | None
    ) -> None:
        self.data = data
        self.size = size
        self._binary, self._folder, self._max_bytes = binary, folder, max_bytes
        self._buffers: dict[int, bytes] = {}

    # ---- JSON

    def item(self, kind: str, number: object) -> Object:
        """Object `number` of the list `kind`. Raises `InputError` "gltf.json"."""
        items = self.data.get(kind, [])
        if not (isinstance(items, list) and _is_count(number) and int(str(number)) < len(items)):
            raise InputError("gltf.json", f"there is no number {str(number)[:20]} among the {kind}")
        return as_object(items[int(str(number))], kind)

    def items(self, kind: str) -> list[Object]:
        """All of the list `kind`, none where it is missing."""
        found = self.data.get(kind, [])
        if not isinstance(found, list):
            raise InputError("gltf.json", f"{kind} is no list")
        return [as_object(each, kind) for each in found]

    # ---- bytes

    def view(self, number: object) -> bytes | memoryview:
        """The bytes of a buffer view. Raises `InputError` "gltf.json", "gltf.buffer", "io.read"."""
        view = self.item("bufferViews", number)
        # Its own buffer has what a view holds that is also compressed by meshopt, unless it is a mere place.
        data = self._buffer(view.get("buffer"))
        start, length = count_of(view, "byteOffset", 0), count_of(view, "byteLength")
        if start + length > len(data):
            raise InputError(
                "gltf.buffer", f"a buffer view ends at byte {start + length:,} of a buffer of {len(data):,}"
            )
        return memoryview(data)[start : start + length]

    def _buffer(self, number: object) -> bytes:
        buffer = self.item("buffers", number)
        key = int(str(number))
        if key not in self._buffers:
            uri = buffer.get("uri")
            if uri is None and any("meshopt" in name for name in _extensions(buffer)):
                raise InputError(
                    "gltf.required", "data that is only there compressed by meshopt: not supported"
                )
            if uri is None and key == 0 and self._binary is not None:
                data = self._binary
            elif isinstance(uri, str):
                data = self._inline(uri) if uri.startswith("data:") else self._external(uri)
            else:
                raise InputError("gltf.buffer", f"buffer {key} is neither in the file nor named by it")
            if len(data) < (length := count_of(buffer, "byteLength")):
                raise InputError("gltf.truncated", f"buffer {key} has {len(data):,} of {length:,} bytes")
            self._buffers[key] = data
        return self._buffers[key]

    def _inline(self, uri: str) -> bytes:
        head, _, body = uri.partition(",")
        if not head.endswith(";base64"):
            raise InputError("gltf.buffer", "a buffer within the JSON is not in base64")
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("gltf.buffer", "a buffer within the JSON is not in base64") from error

    def _external(self, uri: str) -> bytes:
        """A file next to the document: never one above its folder, nor anything from a network."""
        path = PurePosixPath(unquote(uri))
        named = f"the buffer {uri[:80]!r}"
        if self._folder is None:
            raise InputError(
                "gltf.buffer", f"{named} is another file, which a stream cannot have: give a path"
            )
        if (
            path.is_absolute()
            or ".." in path.parts
            or ":" in str(path)
            or "\\" in str(path)
            or "\0" in str(path)
        ):
            raise InputError("gltf.buffer", f"{named} is not a file in the folder of the document")
        with opened(self._folder / path) as file:
            limit = None if self._max_bytes is None else max(0, self._max_bytes - self.size)
            data = read_all(ByteSource(file, max_bytes=limit))
        self.size += len(data)
        return data

    # ---- accessors

    def accessor(self, number: object, kind: str, types: tuple[int, ...] = ()) -> NDArray[Any]:
        """(N, components), or (N,) of scalars: float32, or integers of their own type if not normalised.

        `types`: the component types that are allowed, if not all. Raises `InputError` "gltf.accessor",
        "gltf.json", "gltf.buffer", "gltf.limit".
        """
        accessor = self.item("accessors", number)
        code, is_normalised = accessor.get("componentType"), accessor.get("normalized", False)
        if accessor.get("type") != kind:
            raise InputError("gltf.accessor", f"an accessor is {str(accessor.get('type'))[:20]}, not {kind}")
        if not isinstance(code, int) or code not in TYPES or (types and code not in types):
            raise InputError("gltf.accessor", f"an accessor has the component type {str(code)[:20]}")
        dtype, width = np.dtype(TYPES[code]), COMPONENTS[kind]
        count, is_sparse = count_of(accessor, "count"), "sparse" in accessor
        if "bufferView" in accessor:
            values = self._elements(accessor, dtype, width, count)
        elif is_sparse:
            values = self._zeros(dtype, width, count)
        else:
            raise InputError("gltf.accessor", "an accessor without data")
        if is_sparse:
            values = self._replaced(values, as_object(accessor["sparse"], "sparse"))
        if is_normalised is True and dtype.kind in "iu":
            fractions = values.astype(np.float32) / np.float32(np.iinfo(dtype).max)
            values = np.maximum(fractions, np.float32(-1))
        elif dtype.kind == "f":
            values = values.astype(np.float32)
        return values[:, 0] if kind == "SCALAR" else values

    def _elements(self, place: Object, dtype: np.dtype[Any], width: int, count: int) -> NDArray[Any]:
        """(count, width), not copied, from where the accessor or part of one says."""
        view, size = self.view(place.get("bufferView")), dtype.itemsize * width
        stride = count_of(self.item("bufferViews", place["bufferView"]), "byteStride", size)
        start = count_of(place, "byteOffset", 0)
        if stride < size:
            raise InputError("gltf.accessor", f"elements of {size} bytes are {stride} bytes apart")
        if not count:
            return np.zeros((0, width), dtype)
        if start + stride * (count - 1) + size > len(view):
            raise InputError(
                "gltf.accessor", f"an accessor of {count:,} elements ends behind its buffer view"
            )
        return np.ndarray((count, width), dtype, view, start, (stride, dtype.itemsize))

    def _zeros(self, dtype: np.dtype[Any], width: int, count: int) -> NDArray[Any]:
        """(count, width): what a sparse accessor without a buffer view starts from."""
        if count * width * dtype.itemsize > FREE_ZEROS + ZEROS_PER_BYTE * self.size:
            raise InputError("gltf.limit", f"{count:,} elements of which nearly none is in the file: refused")
        return np.zeros((count, width), dtype)

    def _replaced(self, values: NDArray[Any], sparse: Object) -> NDArray[Any]:
        """A copy of `values` (N, components), in which those that `sparse` lists are others."""
        count = count_of(sparse, "count")
        indices, others = (as_object(sparse.get(key), key) for key in ("indices", "values"))
        code = indices.get("componentType")
        if not isinstance(code, int) or code not in INDEX_TYPES:
            raise InputError("gltf.accessor", f"sparse indices have the component type {str(code)[:20]}")
        places = self._elements(indices, np.dtype(INDEX_TYPES[code]), 1, count)[:, 0].astype(np.int64)
        if count and (int(places[-1]) >= len(values) or (np.diff(places) <= 0).any()):
            raise InputError(
                "gltf.accessor", "sparse indices are not ascending, or of elements that are not there"
            )
        replaced = values.copy()
        replaced[places] = self._elements(others, values.dtype, values.shape[1], count)
        return replaced

    # ---- nodes

    def placed_meshes(self) -> Iterator[tuple[Object, Float64]]:
        """The meshes of the scene, each with the global (4, 4) matrix of its node."""
        nodes = self.items("nodes")
        if not nodes:
            yield from ((mesh, np.eye(4)) for mesh in self.items("meshes"))
            return
        waiting = [(number, np.eye(4)) for number in reversed(self._roots(nodes))]
        met: set[int] = set()
        while waiting:
            number, above = waiting.pop()
            node = self.item("nodes", number)
            if number in met:
                raise InputError("gltf.json", f"node {number} has two parents")
            met.add(number)
            with np.errstate(all="ignore"):
                matrix = above @ _matrix(node)
            if not np.isfinite(matrix).all():
                raise InputError("gltf.transform", f"the transformation of node {number} is not finite")
            if "mesh" in node:
                yield self.item("meshes", node["mesh"]), matrix
            waiting += [(child, matrix) for child in reversed(_numbers(node, "children", len(nodes)))]

    def _roots(self, nodes: list[Object]) -> list[int]:
        if self.items("scenes"):
            return _numbers(self.item("scenes", self.data.get("scene", 0)), "nodes", len(nodes))
        children = {child for node in nodes for child in _numbers(node, "children", len(nodes))}
        return [number for number in range(len(nodes)) if number not in children]


def read_document(source: ByteSource, folder: Path | None, max_bytes: int | None) -> Document:
    """A .glb or .gltf. Raises `InputError` "gltf.magic", "gltf.version", "gltf.truncated", "gltf.json"."""
    data = read_all(source)
    binary: bytes | None = None
    text = data
    if data[:4] == MAGIC:
        text, binary = _chunks(data)
    elif not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        raise InputError("gltf.magic", "neither a GLB file nor JSON", offset=0)
    try:
        found = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:  # of which that of JSON and that of UTF-8 are some
        raise InputError(
            "gltf.json", f"the JSON of a glTF file cannot be read: {str(error)[:100]}"
        ) from error
    document = as_object(found, "the document")
    version = as_object(document.get("asset", {}), "asset").get("version")
    if not (isinstance(version, str) and version.split(".")[0] == "2"):
        raise InputError("gltf.version", f"glTF version {str(version)[:20]}; only 2 is known")
    return Document(document, binary=binary, folder=folder, size=len(data), max_bytes=max_bytes)


def _chunks(data: bytes) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a GLB."""
    if len(data) < 12:
        raise InputError("gltf.truncated", "a GLB file of less than its header", offset=len(data))
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise InputError("gltf.version", f"GLB version {version}; only 2 is known", offset=4)
    if length > len(data):
        raise InputError("gltf.truncated", f"a GLB file has {len(data):,} of {length:,} bytes", offset=8)
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<I4s", data, at)
        if at + 8 + size > length:
            raise InputError("gltf.truncated", f"a GLB chunk of {size:,} bytes is cut off", offset=at)
        found.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if JSON_CHUNK not in found:
        raise InputError("gltf.json", "a GLB file without JSON", offset=12)
    return found[JSON_CHUNK], found.get(BINARY_CHUNK)


def read_all(source: ByteSource) -> bytes:
    """All bytes, as they arrive."""
    pieces = []
    while piece := source.chunk():
        pieces.append(piece)
    return b"".join(pieces)


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


# ---- values of JSON objects


def as_object(value: object, what: str) -> Object:
    """`value`, if it is a JSON object. Raises `InputError` "gltf.json"."""
    if not isinstance(value, dict):
        raise InputError("gltf.json", f"{what} has something that is no object")
    return value


def _extensions(item: Object) -> Object:
    return as_object(item.get("extensions", {}), "extensions")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def count_of(item: Object, key: str, default: int | None = None) -> int:
    """A number from 0. Raises `InputError` "gltf.json"."""
    value = item.get(key, default)
    if not _is_count(value):
        raise InputError("gltf.json", f"{key} is {str(value)[:20]}, no number from 0")
    return int(str(value))


def _numbers(item: Object, key: str, end: int) -> list[int]:
    """A list of numbers from 0 to below `end`."""
    found = item.get(key, [])
    if not (isinstance(found, list) and all(_is_count(each) and each < end for each in found)):
        raise InputError("gltf.json", f"{key} names what is not there")
    return found


def _floats(node: Object, key: str, default: list[float]) -> Float64:
    values = node.get(key, default)
    is_number = isinstance(values, list) and all(
        isinstance(each, int | float) and not isinstance(each, bool) and abs(each) < 1e300 for each in values
    )
    if not is_number or len(values) != len(default):
        raise InputError("gltf.json", f"{key} of a node is not {len(default)} numbers")
    return np.array(values, np.float64)


def _matrix(node: Object) -> Float64:
    """(4, 4): of columns, or of translation, rotation (x, y, z, w) and scale."""
    if "matrix" in node:
        return np.asarray(_floats(node, "matrix", [0.0] * 16).reshape(4, 4).T)
    x, y, z, w = _floats(node, "rotation", [0.0, 0.0, 0.0, 1.0])
    length = x * x + y * y + z * z + w * w
    if not 0.25 < length < 4:
        raise InputError("gltf.transform", "the rotation of a node is no unit quaternion")
    matrix = np.eye(4)
    vector = np.array([x, y, z])
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = (w * w - vector @ vector) * np.eye(3) + 2 * np.outer(vector, vector) + 2 * w * cross
    matrix[:3, :3] = turn / length * _floats(node, "scale", [1.0, 1.0, 1.0])
    matrix[:3, 3] = _floats(node, "translation", [0.0, 0.0, 0.0])
    return matrix
