"""glTF and GLB files with splats by KHR_gaussian_splatting: `read_gltf`, `write_gltf`.

Attributes of a primitive of points; values are what rendering needs, not what training stores:

    POSITION                      positions
    ...:ROTATION                  quaternions, unit length, w last
    ...:SCALE                     standard deviations: the exponential of our scales
    ...:OPACITY                   0 to 1: the sigmoid of our opacities
    ...:SH_DEGREE_d_COEF_n        coefficient n of degree d of red, green, blue, as in the training code

The axes of an asset are left, up, forward. KHR_gaussian_splatting_compression_spz_2 has an SPZ file in a
buffer view instead of the attributes. Extras, and other things of a glTF scene than splats, are left alone.
"""

from __future__ import annotations

import io
import json
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gscodec._generated import coordinate_systems, rendering_models
from gscodec.errors import InputError
from gscodec.io._gltf_json import MAGIC, Document, Object, as_object, read_document
from gscodec.io._gltf_write import (
    BYTE,
    FLOAT,
    NAME,
    POINTS,
    SHORT,
    UNSIGNED_BYTE,
    UNSIGNED_INT,
    UNSIGNED_SHORT,
    attribute_arrays,
    coefficient_names,
    document_of,
    is_writable,
)
from gscodec.io._source import ByteSource
from gscodec.io.axes import in_axes, placed
from gscodec.io.output import atomic_output
from gscodec.io.reading import opened
from gscodec.io.splat_file import SplatFile
from gscodec.io.spz import read_spz
from gscodec.splats import Splats, joined

SPZ_NAMES = ("KHR_gaussian_splatting_compression_spz_2", "KHR_gaussian_splatting_compression_spz")
AXES = coordinate_systems.LEFT_UP_FORWARD
KNOWN = {NAME, *SPZ_NAMES, "KHR_mesh_quantization", "KHR_materials_unlit"}
FLOOR, RATIO = 64 << 20, 64  # what splats may take, for each byte that was read: nodes may repeat a mesh
BYTES_PER_SPLAT = 4 * 59
LEAST_SCALE = 1e-30  # of a node
UNIFORM = 1e-4  # how far the scale of a node may differ by direction
LOGIT_0, LOGIT_1 = -104.0, 17.5  # opacities that float32 cannot tell from 0 and from 1
LOG_0 = -104.0


# ---- reading


def read_gltf(source: str | os.PathLike[str] | BinaryIO, *, max_bytes: int | None = None) -> SplatFile:
    """Read the splats of a .glb or .gltf file from a path or a binary file object (a pipe too).

    Of all nodes of the scene, one after another, as their nodes place them. Buffers may be in other files of
    the same folder. `max_bytes` bounds the input, with these.

    Raises `InputError`: "io.read", "io.limit", "gltf.*", and "spz.*" where the splats are in SPZ.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _read(ByteSource(source, max_bytes=max_bytes), None, max_bytes)
    with opened(source) as file:
        return _read(ByteSource(file, max_bytes=max_bytes), Path(source).parent, max_bytes)


def _read(source: ByteSource, folder: Path | None, max_bytes: int | None) -> SplatFile:
    try:
        document = read_document(source, folder, max_bytes)
        required = document.data.get("extensionsRequired", [])
        names = required if isinstance(required, list) else [required]
        if others := [str(name)[:60] for name in names if name not in KNOWN]:
            raise InputError("gltf.required", f"the file requires {', '.join(others)}: not supported")
        with np.errstate(all="ignore"):  # values may be anything, and are kept or checked as they are
            return _Reader(document).file()
    except MemoryError as error:
        raise InputError("gltf.memory", "not enough memory for the splats") from error


class _Reader:
    """Collects the splats of a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._parts: list[Splats] = []
        self._models: set[int] = set()
        self._notes: list[str] = []
        self._bytes = 0

    def file(self) -> SplatFile:
        """All splats of the scene."""
        others = 0
        for mesh, matrix in self._document.placed_meshes():
            primitives = mesh.get("primitives", [])
            for each in primitives if isinstance(primitives, list) else []:
                primitive = as_object(each, "primitives")
                extension = as_object(primitive.get("extensions", {}), "extensions").get(NAME)
                if extension is None:
                    others += 1
                    continue
                splats = self._splats(primitive, as_object(extension, NAME))
                self._account(splats)
                self._parts.append(_place(splats, matrix))
        used = self._document.data.get("extensionsUsed", [])
        if not self._parts and not (isinstance(used, list) and NAME in used):
            raise InputError("gltf.missing", f"no primitive has {NAME}: there are no splats in this file")
        if others:
            self._note(f"left out {others:,} primitive{'s' if others > 1 else ''} that are no splats")
        is_antialiased = self._models == {rendering_models.ANTIALIASED}
        return SplatFile(
            splats=self._parts[0] if len(self._parts) == 1 else joined(self._parts),
            coordinate_system=AXES,
            rendering_model=rendering_models.ANTIALIASED if is_antialiased else rendering_models.CLASSIC,
            notes=tuple(self._notes),
        )

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)

    def _account(self, splats: Splats) -> None:
        self._bytes += len(splats) * BYTES_PER_SPLAT
        if self._bytes > FLOOR + RATIO * self._document.size:
            raise InputError("gltf.limit", "the nodes repeat meshes too often: refused")

    def _splats(self, primitive: Object, extension: Object) -> Splats:
        """Of one primitive."""
        kernel = extension.get("kernel", "ellipse")
        if kernel != "ellipse":
            raise InputError(
                "gltf.kernel", f"splats of the kernel {str(kernel)[:40]!r}; only ellipse is known"
            )
        space = extension.get("colorSpace", "srgb_rec709_display")
        if space != "srgb_rec709_display":
            self._note(f"the colours are of the colour space {str(space)[:40]!r}: taken as they are")
        if primitive.get("mode", POINTS) != POINTS:
            self._note("a primitive of splats is not of points: taken as if it were")
        inner = as_object(extension.get("extensions", {}), "extensions")
        packed = [as_object(inner[name], name) for name in SPZ_NAMES if name in inner]
        if packed:
            splats = self._from_spz(packed[0])
        else:
            attributes = as_object(primitive.get("attributes", {}), "attributes")
            splats = self._from_attributes(attributes)
        if "indices" in primitive:
            order = self._document.accessor(
                primitive["indices"], "SCALAR", (UNSIGNED_BYTE, UNSIGNED_SHORT, UNSIGNED_INT)
            )
            if order.dtype.kind != "u" or (len(order) and int(order.max()) >= len(splats)):
                raise InputError("gltf.accessor", "indices of splats that are not there")
            splats = splats.take(order)
        return splats

    def _from_spz(self, extension: Object) -> Splats:
        file = read_spz(io.BytesIO(self._document.view(extension.get("bufferView"))))
        self._models.add(file.rendering_model)
        for note in file.notes:
            self._note(note)
        return in_axes(file, AXES).splats

    def _from_attributes(self, attributes: Object) -> Splats:
        self._models.add(rendering_models.CLASSIC)
        every = (FLOAT, BYTE, SHORT, UNSIGNED_BYTE, UNSIGNED_SHORT)
        if "POSITION" not in attributes:
            raise InputError("gltf.missing", "the splats lack POSITION")
        found = self._document.accessor(attributes["POSITION"], "VEC3", every)
        positions = np.ascontiguousarray(found, np.float32)

        def values(name: str, kind: str, types: tuple[int, ...]) -> NDArray[np.float32]:
            if name not in attributes:
                raise InputError("gltf.missing", f"the splats lack {name}")
            found = self._document.accessor(attributes[name], kind, types)
            if len(found) != len(positions):
                raise InputError("gltf.accessor", f"{len(found):,} of {name} for {len(positions):,} splats")
            return np.asarray(found, np.float32)

        scales = values(f"{NAME}:SCALE", "VEC3", every)
        opacities = values(f"{NAME}:OPACITY", "SCALAR", (FLOAT, UNSIGNED_BYTE, UNSIGNED_SHORT))
        if (scales < 0).any():
            raise InputError("gltf.value", "a scale is negative")
        if ((opacities < 0) | (opacities > 1)).any():
            raise InputError("gltf.value", "an opacity is not from 0 to 1")
        rotations = values(f"{NAME}:ROTATION", "VEC4", (FLOAT, BYTE, SHORT))
        coefficients = [
            values(name, "VEC3", (FLOAT,))
            for degree in _degrees(attributes)
            for name in coefficient_names(degree)
        ]
        dc = values(f"{NAME}:SH_DEGREE_0_COEF_0", "VEC3", (FLOAT,))
        rest = np.zeros((len(positions), len(coefficients), 3), np.float32)
        for number, each in enumerate(coefficients):
            rest[:, number] = each
        return Splats(
            positions=positions,
            scales=_logarithm(scales),
            rotations=np.ascontiguousarray(rotations[:, [3, 0, 1, 2]]),
            opacities=_logit(opacities),
            sh_dc=dc,
            sh_rest=rest,
        )


def _degrees(attributes: Object) -> range:
    """The degrees above 0 that are there. Raises `InputError` "gltf.sh" where one is there in part."""
    highest = 0
    for degree in (1, 2, 3):
        there = [name in attributes for name in coefficient_names(degree)]
        if any(there) and not (all(there) and highest == degree - 1):
            raise InputError("gltf.sh", f"the harmonics are not complete up to degree {degree}")
        highest = degree if all(there) else highest
    return range(1, highest + 1)


def _logarithm(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        found = np.log(scales.astype(np.float64))
    return np.asarray(np.where(scales == 0, LOG_0, found), np.float32)


def _logit(opacities: NDArray[np.float32]) -> NDArray[np.float32]:
    wide = opacities.astype(np.float64)
    with np.errstate(divide="ignore"):
        found = np.log(wide) - np.log1p(-wide)
    return np.asarray(np.clip(found, LOGIT_0, LOGIT_1), np.float32)  # NaN stays NaN


def _place(splats: Splats, matrix: NDArray[np.float64]) -> Splats:
    """Raises `InputError` "gltf.transform" where `matrix` (4, 4) would change the shape of splats."""
    linear = matrix[:3, :3]
    with np.errstate(all="ignore"):
        scale = abs(np.linalg.det(linear)) ** (1 / 3)
        error = np.abs(linear.T @ linear / scale**2 - np.eye(3)).max()
    if not (LEAST_SCALE < scale < 1 / LEAST_SCALE and error <= UNIFORM):
        raise InputError("gltf.transform", "a node scales its splats differently by direction: not supported")
    if np.array_equal(matrix, np.eye(4)):
        return splats
    turn = linear / scale
    whole = np.round(turn)
    if np.abs(turn - whole).max() < 1e-9:
        turn = whole
    return placed(splats, turn, float(scale), matrix[:3, 3])


# ---- writing


def lost_in_gltf(file: SplatFile) -> tuple[str, ...]:
    """What a GLB file cannot hold of `file`, a sentence each; values keep nearly all of their 24 bits."""
    splats, lost = file.splats, []
    if missing := len(splats) - int(np.count_nonzero(is_writable(splats))):
        lost.append(f"{missing:,} of {len(splats):,} splats have values that are not finite: left out")
    if splats.extras:
        lost.append(f"extra attributes: {', '.join(splats.extras)}")
    if file.rendering_model == rendering_models.ANTIALIASED:
        lost.append("that the splats were trained with antialiasing")
    if file.rendering_model == rendering_models.SURFELS:
        lost.append("that the splats are flat discs (2DGS)")
    if file.comments:
        lost.append("the comments")
    return tuple(lost)


def write_gltf(sink: str | os.PathLike[str] | BinaryIO, file: SplatFile) -> int:
    """Write a GLB file to a path (whole or not at all) or a binary file; its size.

    All values are float32; COLOR_0 is there for viewers that know no splats. Splats with NaN or infinities
    (other than of the opacity), or scales over those of float32, are left out.

    Raises `InputError` "gltf.size" for more than a GLB can hold, "io.write" for a path that fails.
    """
    file = in_axes(file, AXES)
    splats = file.splats
    kept = is_writable(splats)
    if not kept.all():
        splats = splats.take(kept)
    arrays = attribute_arrays(splats) if len(splats) else {}
    sizes = [array.nbytes for array in arrays.values()]
    text = json.dumps(document_of(splats, arrays), separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + (8 + sum(sizes) if sizes else 0)
    if length >= 2**32:
        raise InputError(
            "gltf.size", f"a GLB file cannot have {length:,} bytes: leave out harmonics or splats"
        )
    pieces: list[Any] = [
        struct.pack("<4sII", MAGIC, 2, length),
        struct.pack("<I4s", len(text), b"JSON"),
        text,
    ]
    if sizes:
        pieces += [struct.pack("<I4s", sum(sizes), b"BIN\0")]
        pieces += [array.reshape(-1).view(np.uint8).data for array in arrays.values()]
    if isinstance(sink, (str, os.PathLike)):
        with atomic_output(sink) as out:
            for piece in pieces:
                out.write(piece)
    else:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[sink.write(view) or 0 :]
    return length
