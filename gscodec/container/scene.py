"""(2.6) SCEN, the scene header: what the numbers mean and how many there are.

| offset | type   | field             | value |
|--------|--------|-------------------|-------|
| 0      | u64    | splat_count       | 2^64 - 1: unknown (stream mode only) |
| 8      | u32    | chunk_count       | 2^32 - 1: unknown (stream mode only) |
| 12     | u8     | sh_degree         | 0 to 3 |
| 13     | u8     | coordinate_system | table |
| 14     | u8     | up_axis           | table |
| 15     | u8     | handedness        | table |
| 16     | u8     | colour_space      | table |
| 17     | u8     | rendering_model   | table |
| 18     | u8     | sh_convention     | table |
| 19     | u8     | reserved          | 0 |
| 20     | f32    | metres_per_unit   | 0: unspecified |
| 24     | f64[3] | offset            | |
| 48     | f32[6] | bounds            | of the centres: minimum xyz, maximum xyz; all 0: none or unknown |
| 72     | u16    | extra_count       | |
| 74     |        | extras            | extra_count times: see `extra` |
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace

from gscodec._generated import (
    colour_spaces,
    coordinate_systems,
    handedness,
    rendering_models,
    sh_conventions,
    up_axes,
)
from gscodec.container.extra import ExtraAttribute, read_extras, write_extra
from gscodec.container.section import wrong_length
from gscodec.errors import LimitError, Malformed, Unsupported
from gscodec.limits import Limits

FIXED_BYTES = 74
UNKNOWN_SPLATS = 2**64 - 1
UNKNOWN_CHUNKS = 2**32 - 1

Floats3 = tuple[float, float, float]
Floats6 = tuple[float, float, float, float, float, float]

_SYSTEMS = {row.value: row for row in coordinate_systems.ROWS}
_ENUMS = (
    ("coordinate_system", 13, coordinate_systems.NAMES),
    ("up_axis", 14, up_axes.NAMES),
    ("handedness", 15, handedness.NAMES),
    ("colour_space", 16, colour_spaces.NAMES),
    ("rendering_model", 17, rendering_models.NAMES),
    ("sh_convention", 18, sh_conventions.NAMES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneHeader:
    """What SCEN says. A count of None is unknown; `metres_per_unit` 0 is unspecified."""

    sh_degree: int
    splat_count: int | None = None
    chunk_count: int | None = None
    coordinate_system: int = coordinate_systems.UNSPECIFIED
    up_axis: int = up_axes.UNSPECIFIED
    handedness: int = handedness.UNSPECIFIED
    colour_space: int = colour_spaces.UNSPECIFIED
    rendering_model: int = rendering_models.CLASSIC
    sh_convention: int = sh_conventions.INRIA
    metres_per_unit: float = 0.0
    offset: Floats3 = (0.0, 0.0, 0.0)
    bounds: Floats6 = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    extras: tuple[ExtraAttribute, ...] = ()

    @property
    def decoded_bytes_per_splat(self) -> int:
        """(2.6) Position 3, scale 3, rotation 4, opacity 1 and colour 3 floats per SH coefficient; extras."""
        floats = 3 + 3 + 4 + 1 + 3 * (self.sh_degree + 1) ** 2
        return 4 * floats + sum(extra.bytes_per_splat for extra in self.extras)


def read_scene_header(payload: memoryview, at: int, *, stream_mode: bool, limits: Limits) -> SceneHeader:
    """(2.6) The payload of SCEN, which stands at `at` in the file."""
    if len(payload) < FIXED_BYTES:
        raise wrong_length("SCEN", at)
    splats, chunks, *choices = struct.unpack_from("<QI8B", payload)
    reserved = choices.pop()
    metres, ox, oy, oz, *bounds, extra_count = struct.unpack_from("<f3d6fH", payload, 20)
    header = SceneHeader(
        splat_count=None if splats == UNKNOWN_SPLATS else splats,
        chunk_count=None if chunks == UNKNOWN_CHUNKS else chunks,
        sh_degree=choices[0],
        coordinate_system=choices[1],
        up_axis=choices[2],
        handedness=choices[3],
        colour_space=choices[4],
        rendering_model=choices[5],
        sh_convention=choices[6],
        metres_per_unit=metres,
        offset=(ox, oy, oz),
        bounds=(bounds[0], bounds[1], bounds[2], bounds[3], bounds[4], bounds[5]),
    )
    _check_counts(header, at, stream_mode, limits)
    _check_choices(header, at)
    if reserved:
        raise Unsupported(
            "container.reserved", "a reserved byte is not 0", clause="2.6", section="SCEN", offset=at + 19
        )
    _check_floats(header, at)
    if extra_count > limits.extra_attributes:
        raise LimitError(
            "limit.extra_attributes",
            f"{extra_count} extra attributes; at most {limits.extra_attributes} are allowed",
            clause="2.6",
            section="SCEN",
            offset=at + 72,
        )
    header = replace(header, extras=read_extras(payload, FIXED_BYTES, extra_count, at))
    check_decoded_bytes(header, header.splat_count or 0, at, "SCEN", limits)
    return header


def write_scene_header(header: SceneHeader) -> bytes:
    """(2.6) The payload of SCEN."""
    parts = [
        struct.pack(
            "<QI8Bf3d6fH",
            UNKNOWN_SPLATS if header.splat_count is None else header.splat_count,
            UNKNOWN_CHUNKS if header.chunk_count is None else header.chunk_count,
            header.sh_degree,
            header.coordinate_system,
            header.up_axis,
            header.handedness,
            header.colour_space,
            header.rendering_model,
            header.sh_convention,
            0,
            header.metres_per_unit,
            *header.offset,
            *header.bounds,
            len(header.extras),
        )
    ]
    return b"".join([*parts, *map(write_extra, header.extras)])


def check_bounds(bounds: Floats6, at: int, clause: str, section: str) -> None:
    """(1.2) Six finite numbers, no minimum above its maximum."""
    for i, value in enumerate(bounds):
        if not math.isfinite(value):
            raise Malformed(
                "container.float", f"a bound is {value}", clause=clause, section=section, offset=at + 4 * i
            )
    for i in range(3):
        if bounds[i] > bounds[3 + i]:
            raise Malformed(
                "container.bounds",
                f"the minimum {bounds[i]} exceeds the maximum {bounds[3 + i]}",
                clause=clause,
                section=section,
                offset=at + 4 * i,
            )


def check_decoded_bytes(header: SceneHeader, splats: int, offset: int, section: str, limits: Limits) -> None:
    """(1.7) What `splats` take when decoded is allowed."""
    size = splats * header.decoded_bytes_per_splat
    if size > limits.decoded_bytes:
        raise LimitError(
            "limit.decoded_bytes",
            f"{splats} splats take {size} bytes decoded; at most {limits.decoded_bytes} are allowed",
            clause="1.7",
            section=section,
            offset=offset,
        )


def _check_counts(header: SceneHeader, at: int, stream_mode: bool, limits: Limits) -> None:
    if header.splat_count is None:
        if not stream_mode:
            raise Malformed(
                "container.count",
                "the splat count is unknown, which only stream mode allows",
                clause="2.6",
                section="SCEN",
                offset=at,
            )
    elif header.splat_count > limits.splats:
        raise LimitError(
            "limit.splats",
            f"{header.splat_count} splats; at most {limits.splats} are allowed",
            clause="2.6",
            section="SCEN",
            offset=at,
        )
    if header.chunk_count is None:
        if not stream_mode:
            raise Malformed(
                "container.count",
                "the chunk count is unknown, which only stream mode allows",
                clause="2.6",
                section="SCEN",
                offset=at + 8,
            )
    elif header.chunk_count > limits.sections:
        raise LimitError(
            "limit.sections",
            f"{header.chunk_count} chunks; at most {limits.sections} sections are allowed",
            clause="2.6",
            section="SCEN",
            offset=at + 8,
        )


def _check_choices(header: SceneHeader, at: int) -> None:
    if header.sh_degree > 3:
        raise Unsupported(
            "container.value",
            f"SH degree {header.sh_degree}",
            clause="2.6",
            section="SCEN",
            offset=at + 12,
        )
    for name, position, names in _ENUMS:
        value = getattr(header, name)
        if value not in names:
            raise Unsupported(
                "container.value",
                f"{name} {value} has no meaning in this version",
                clause="2.6",
                section="SCEN",
                offset=at + position,
            )
    system = _SYSTEMS[header.coordinate_system]
    if system.value == coordinate_systems.UNSPECIFIED:
        return
    if header.up_axis not in (up_axes.UNSPECIFIED, system.up_axis):
        raise Malformed(
            "container.axes",
            f"coordinate system {system.name} has another up axis",
            clause="2.6",
            section="SCEN",
            offset=at + 14,
        )
    if header.handedness not in (handedness.UNSPECIFIED, system.handedness):
        raise Malformed(
            "container.axes",
            f"coordinate system {system.name} has the other handedness",
            clause="2.6",
            section="SCEN",
            offset=at + 15,
        )


def _check_floats(header: SceneHeader, at: int) -> None:
    if not math.isfinite(header.metres_per_unit) or header.metres_per_unit < 0:
        raise Malformed(
            "container.float",
            f"metres_per_unit is {header.metres_per_unit}",
            clause="2.6",
            section="SCEN",
            offset=at + 20,
        )
    for i, value in enumerate(header.offset):
        if not math.isfinite(value):
            raise Malformed(
                "container.float",
                f"the scene offset is {value}",
                clause="2.6",
                section="SCEN",
                offset=at + 24 + 8 * i,
            )
    check_bounds(header.bounds, at + 48, "2.6", "SCEN")
    if header.splat_count == 0 and any(header.bounds):
        first = next(i for i, value in enumerate(header.bounds) if value)
        raise Malformed(
            "container.bounds",
            "a scene without splats has bounds",
            clause="2.6",
            section="SCEN",
            offset=at + 48 + 4 * first,
        )
