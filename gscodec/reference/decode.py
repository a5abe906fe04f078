"""(6) A whole file: exact values, each rounded once, and the canonical PLY."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gscodec._generated import extra_types
from gscodec.errors import Malformed
from gscodec.reference import colour, extras, harmonics, opacity, scale
from gscodec.reference.chunk import ChunkHeader, Splats, read_chunk
from gscodec.reference.container import Container, ExtraAttribute, SceneHeader, read_container
from gscodec.reference.faults import Place
from gscodec.reference.parameters import COEFFICIENTS, Parameters, read_parameters
from gscodec.reference.permutation import read_permutation

LARGEST = math.ldexp((1 << 24) - 1, 104)  # of binary32
NORMALS = ("nx", "ny", "nz")
PLY_TYPES = ("uchar", "char", "ushort", "short", "uint", "int", "float", "double")  # by extra type


@dataclass(frozen=True)
class Exact:
    """(6.1) Integers X that stand for X 2^exponent."""

    integers: tuple[int, ...]
    exponent: int

    def binary32(self) -> tuple[float, ...]:
        """(6.1) The values, each rounded once."""
        return tuple(binary32(x, self.exponent) for x in self.integers)


@dataclass(frozen=True)
class Splat:
    """(6) One splat; the higher harmonics are red, green, blue of each coefficient in turn."""

    position: Exact
    colour: Exact
    harmonics: Exact
    opacity: Exact
    scale: Exact
    rotation: Exact
    extras: tuple[tuple[int, ...], ...]  # the bit patterns of each attribute's components


@dataclass(frozen=True)
class DecodedChunk:
    """(5) A chunk with what it was decoded with."""

    header: ChunkHeader
    parameters: Parameters
    splats: Splats


def binary32(x: int, exponent: int) -> float:
    """(6.1) x 2^exponent rounded to nearest even; the largest finite number where that would be infinite."""
    try:
        (value,) = struct.unpack("<f", struct.pack("<f", math.ldexp(x, exponent)))
    except OverflowError:
        return LARGEST if x > 0 else -LARGEST
    return float(value)


def position_integers(chunk: DecodedChunk, i: int) -> tuple[int, ...]:
    """(6.2) The position in 2^exponent of the chunk."""
    header, x = chunk.header, chunk.splats.positions[i]
    mantissa = chunk.parameters.position_mantissa
    return tuple((2 * o + k) * mantissa for o, k in zip(header.origin, x, strict=True))


def splat_from_integers(chunk: DecodedChunk, i: int, attributes: list[ExtraAttribute]) -> Splat:
    """(6) Splat i of a chunk."""
    s, p = chunk.splats, chunk.parameters
    d = s.distinct[i]
    higher: list[int] = []
    if p.harmonics:
        higher = [x for row in harmonics.coefficients(s.coefficients[d], p.harmonics) for x in row]
    return Splat(
        position=Exact(position_integers(chunk, i), chunk.header.exponent),
        colour=Exact(colour.rgb(s.colours[d], p.colour), p.colour.exponent - 7),
        harmonics=Exact(tuple(higher), p.harmonics.exponent - 6 if p.harmonics else 0),
        opacity=Exact((opacity.opacity_logit(s.opacities[d], p.opacity),), -20),
        scale=Exact(tuple(scale.log_scale(rec, p.scale) for rec in s.scales[d]), -20),
        rotation=Exact(s.rotations[d], -24),
        extras=tuple(
            tuple(extras.patterns(rows[i], attribute))
            for rows, attribute in zip(s.extras, attributes, strict=True)
        ),
    )


def scene_of(container: Container) -> SceneHeader:
    """(2.5) The scene header, which every complete container has."""
    if container.scene is None:
        raise Malformed("container.order", "no scene header", clause="2.5")
    return container.scene


def decode_chunks(container: Container) -> Iterator[DecodedChunk]:
    """(5.14) Parameter sets and chunks in the order of the file."""
    scene = scene_of(container)
    sets: dict[int, Parameters] = {}
    for section, chunk in container.listed:
        place = Place(section.id.decode(), section.start + 16)
        if section.id == b"PARM":
            read = read_parameters(section.payload, place, scene.sh_degree, scene.extras)
            sets[read.id] = read
        elif chunk is not None:
            parameters = sets[chunk.parameters]
            header, splats = read_chunk(chunk.payload, place, parameters, scene.extras)
            yield DecodedChunk(header, parameters, splats)


def in_input_order(container: Container, splats: list[Splat]) -> list[Splat]:
    """(5.16) All splats of a file as they stood in the input, where the file has a permutation."""
    found = [section for section in container.skipped if section.id == b"PERM"]
    if not found:
        return splats
    ordered = splats.copy()
    for rank, splat in zip(read_permutation(found[0], len(splats)), splats, strict=True):
        ordered[rank] = splat
    return ordered


def decode(data: bytes, *, verify: bool = True, file_order: bool = False) -> tuple[SceneHeader, list[Splat]]:
    """(6) A whole file: its scene header, and its splats in order: the input's, or the file's."""
    container = read_container(data, verify=verify)
    scene = scene_of(container)
    attributes = scene.extras
    splats = [
        splat_from_integers(chunk, i, attributes)
        for chunk in decode_chunks(container)
        for i in range(chunk.header.count)
    ]
    return scene, splats if file_order else in_input_order(container, splats)


# ------------------------------------------------------------ canonical PLY: 6.9


def extra_columns(attribute: ExtraAttribute) -> list[tuple[str, str]]:
    """(6.9) Name and type of each property of an extra attribute."""
    place, name, count = Place("SCEN", 0), attribute.name, attribute.components
    if attribute.type >= len(PLY_TYPES):
        raise place.unsupported("output.type", f"no PLY type for 64-bit integers: {name!r}")
    if not name.isascii():
        raise place.unsupported("output.name", f"no PLY property can be called {name!r}")
    names = [name] if count == 1 else [f"{name}_{k}" for k in range(count)]
    return [(name, PLY_TYPES[attribute.type]) for name in names]


def columns(scene: SceneHeader) -> list[tuple[str, str]]:
    """(6.9) Name and type of every property."""
    rest = [f"f_rest_{k}" for k in range(3 * COEFFICIENTS[scene.sh_degree])]
    behind = [*rest, "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]
    fixed = ["x", "y", "z", *NORMALS, "f_dc_0", "f_dc_1", "f_dc_2", *behind]
    extra = [column for attribute in scene.extras for column in extra_columns(attribute)]
    types = dict(extra)
    names = fixed + [name for name, _ in extra if name not in NORMALS]
    if len(types) < len(extra) or len(set(names)) < len(names):
        raise Place("SCEN", 0).unsupported("output.name", "two properties would have one name")
    is_real = set(fixed) - set(NORMALS)
    return [(name, "float" if name in is_real else types.get(name, "float")) for name in names]


def extra_cells(splat: Splat, attributes: list[ExtraAttribute]) -> dict[str, bytes]:
    """(6.9) The bytes of each property of the extra attributes."""
    cells: dict[str, bytes] = {}
    for attribute, components in zip(attributes, splat.extras, strict=True):
        size = extra_types.ROWS[attribute.type].bytes
        for (name, _), pattern in zip(extra_columns(attribute), components, strict=True):
            cells[name] = pattern.to_bytes(size, "little")
    return cells


def row(splat: Splat, attributes: list[ExtraAttribute]) -> bytes:
    """(6.9) The bytes of one splat."""
    extra = extra_cells(splat, attributes)
    normals = [extra.pop(name, bytes(4)) for name in NORMALS]
    rest = splat.harmonics.binary32()
    by_channel = [value for channel in range(3) for value in rest[channel::3]]
    after = [*splat.colour.binary32(), *by_channel, *splat.opacity.binary32()]
    after += [*splat.scale.binary32(), *splat.rotation.binary32()]
    before = struct.pack("<3f", *splat.position.binary32())
    return b"".join([before, *normals, struct.pack(f"<{len(after)}f", *after), *extra.values()])


def ply(scene: SceneHeader, splats: list[Splat]) -> bytes:
    """(6.9) The canonical PLY file."""
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(splats)}"]
    lines += [f"property {kind} {name}" for name, kind in columns(scene)]
    header = "\n".join([*lines, "end_header", ""]).encode()
    return header + b"".join(row(splat, scene.extras) for splat in splats)
