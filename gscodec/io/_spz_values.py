"""The values of SPZ attributes: `unpack` and `pack`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec.io._quantise import LOGITS
from gscodec.splats import SH_REST_COUNTS, Splats

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Buffer = bytes | bytearray

COEFFICIENTS = (0, 3, 8, 15, 24)  # by SH degree; the last is read and left out
SH_BITS = (5, 4)
FRACTION = 12  # bits of positions behind the point, where the scene is small enough
COLOUR = 0.15
LOWEST_SCALE, SCALE_STEPS = -10.0, 16.0
LARGEST = 511  # magnitude of a rotation component, at 1 / sqrt(2)
BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Packed:
    """The bytes of a file's attributes; `fraction` are the bits of positions behind the point."""

    version: int
    count: int
    degree: int
    fraction: int
    positions: Buffer
    opacities: Buffer
    colours: Buffer
    scales: Buffer
    rotations: Buffer
    harmonics: Buffer


def widths(version: int, degree: int) -> tuple[int, int, int, int, int, int]:
    """Bytes for each splat of the attributes, in file order."""
    return (6 if version == 1 else 9, 1, 3, 3, 4 if version >= 3 else 3, 3 * COEFFICIENTS[degree])


# ---- reading


def unpack(packed: Packed) -> Splats:
    """The splats; of harmonics of degree 4 only those up to 3."""
    n, kept = packed.count, SH_REST_COUNTS[min(packed.degree, 3)]
    harmonics = _bytes(packed.harmonics).reshape(n, COEFFICIENTS[packed.degree], 3)[:, :kept]
    if packed.version == 1:
        positions = np.frombuffer(packed.positions, "<f2").astype(np.float32).reshape(n, 3)
    else:
        positions = _from_fixed(packed.positions, packed.fraction).reshape(n, 3)
    return Splats(
        positions=positions,
        scales=_table(_EIGHT_BITS / SCALE_STEPS + LOWEST_SCALE, packed.scales).reshape(n, 3),
        rotations=_from_smallest_three(packed.rotations)
        if packed.version >= 3
        else _from_first_three(packed.rotations),
        opacities=LOGITS[_bytes(packed.opacities)],
        sh_dc=_table((_EIGHT_BITS / 255 - 0.5) / COLOUR, packed.colours).reshape(n, 3),
        sh_rest=((_EIGHT_BITS - 128) / 128).astype(np.float32)[harmonics],
    )


_EIGHT_BITS = np.arange(256, dtype=np.float64)


def _bytes(data: Buffer) -> NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


def _table(values: Float64, data: Buffer) -> Float32:
    return np.asarray(values.astype(np.float32)[_bytes(data)])


def _from_fixed(data: Buffer, fraction: int) -> Float32:
    """Of 24-bit numbers, the low byte first."""
    triples = _bytes(data).reshape(-1, 3)
    wide = np.zeros((len(triples), 4), np.uint8)
    wide[:, 1:] = triples
    fixed = wide.view("<i4")[:, 0] >> 8  # the sign comes along
    return np.asarray(np.ldexp(fixed.astype(np.float32), -fraction))


def _from_smallest_three(data: Buffer) -> Float32:
    """(N, 4) w first. Two high bits: the largest of x, y, z, w; the others, the first highest."""
    packed = np.frombuffer(data, "<u4").astype(np.uint32)
    out = np.zeros((len(packed), 4), np.float32)
    largest = packed >> 30
    for index in range(4):
        rows = np.flatnonzero(largest == index)
        others = [i for i in range(4) if i != index]
        values = np.stack([_component(packed[rows] >> np.uint32(shift)) for shift in (20, 10, 0)], axis=1)
        xyzw = np.zeros((len(rows), 4))
        xyzw[:, others] = values
        xyzw[:, index] = np.sqrt(np.maximum(0, 1 - (values * values).sum(axis=1)))
        out[rows] = xyzw[:, [3, 0, 1, 2]]
    return out


def _component(bits: NDArray[np.unsignedinteger]) -> Float64:
    """Of the ten low bits: a sign, and a magnitude up to 1 / sqrt(2)."""
    magnitude = (bits & LARGEST) * (np.sqrt(0.5) / LARGEST)
    return np.asarray(np.where(bits & 512, -magnitude, magnitude), np.float64)


def _from_first_three(data: Buffer) -> Float32:
    """(N, 4) w first, from x, y and z; w is not negative."""
    xyz = _bytes(data).reshape(-1, 3) / 127.5 - 1
    w = np.sqrt(np.maximum(0, 1 - (xyz * xyz).sum(axis=1, keepdims=True)))
    return np.concatenate([w, xyz], axis=1).astype(np.float32)


# ---- writing


def fraction_of(splats: Splats) -> int:
    """Bits of positions behind the point: fewer than usual where the scene is too large for them."""
    reach = float(np.abs(splats.positions).max(initial=0))
    fraction = FRACTION
    while fraction and reach * 2.0**fraction >= 2**23 - 0.5:
        fraction -= 1
    return fraction


def out_of_range(splats: Splats) -> list[str]:
    """What the ranges of the format change, a sentence each; the values must be finite."""
    found = []
    half = 0.5 / SCALE_STEPS
    scales, colours, rest = splats.scales, splats.sh_dc, splats.sh_rest
    top = LOWEST_SCALE + 255 / SCALE_STEPS
    limits = [
        ("positions", "2^23", splats.positions, -(2.0**23), 2.0**23),
        ("logarithms of scales", "-10 to 5.94", scales, LOWEST_SCALE - half, top + half),
        ("colours", "-3.33 to 3.33", colours, -(0.5 + 0.5 / 255) / COLOUR, (0.5 + 0.5 / 255) / COLOUR),
        ("harmonics", "-1 to 1", rest, -1.0 - 1 / 256, 1.0 + 1 / 256),
    ]
    for name, allowed, values, low, high in limits:
        outside = ((values < low) | (values > high)).any(axis=tuple(range(1, values.ndim)))
        if count := int(np.count_nonzero(outside)):
            found.append(f"{name} of {count:,} splat{'s' if count > 1 else ''} are cut to {allowed}")
    return found


def pack(splats: Splats, version: int, fraction: int, sh_bits: tuple[int, int]) -> list[bytes]:
    """The attributes of version 2, 3 or 4, in file order; the values must be finite (opacities: no NaN)."""
    with np.errstate(over="ignore"):
        opacity = 1 / (1 + np.exp(-splats.opacities.astype(np.float64)))
    rotate = _smallest_three if version >= 3 else _first_three
    colours, scales = splats.sh_dc.astype(np.float64), splats.scales.astype(np.float64)
    return [
        _fixed(splats.positions, fraction),
        _to_bytes(opacity * 255).tobytes(),
        _to_bytes((colours * COLOUR + 0.5) * 255).tobytes(),
        _to_bytes((scales - LOWEST_SCALE) * SCALE_STEPS).tobytes(),
        b"".join(rotate(splats.rotations[at : at + BLOCK]) for at in range(0, len(splats), BLOCK)),
        b"".join(_harmonics(splats.sh_rest[at : at + BLOCK], sh_bits) for at in range(0, len(splats), BLOCK)),
    ]


def _rounded(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """To the nearest whole number, halves away from zero."""
    return np.asarray(np.copysign(np.floor(np.abs(values) + 0.5), values))


def _to_bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(_rounded(values), 0, 255), np.float64).astype(np.uint8)


def _fixed(positions: Float32, fraction: int) -> bytes:
    whole = np.clip(_rounded(np.ldexp(positions.astype(np.float64), fraction)), -(2**23), 2**23 - 1)
    return bytes(whole.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes())


def _unit(rotations: Float32) -> Float64:
    """(N, 4) x, y, z, w of length 1; what has no direction is no rotation."""
    xyzw = rotations[:, [1, 2, 3, 0]].astype(np.float64)
    length = np.linalg.norm(xyzw, axis=1, keepdims=True)
    none = length[:, 0] == 0
    xyzw = xyzw / np.where(length == 0, 1, length)
    xyzw[none] = (0, 0, 0, 1)
    return xyzw


def _smallest_three(rotations: Float32) -> bytes:
    unit = _unit(rotations)
    largest = np.abs(unit).argmax(axis=1)
    packed = largest.astype(np.uint32)
    is_turned = np.take_along_axis(unit, largest[:, None], axis=1)[:, 0] < 0
    magnitudes = np.minimum(np.abs(unit) * (LARGEST / np.sqrt(0.5)) + 0.5, LARGEST).astype(np.uint32)
    bits = magnitudes | (((unit < 0) ^ is_turned[:, None]).astype(np.uint32) << 9)
    for index in range(4):
        packed = np.where(largest == index, packed, (packed << 10) | bits[:, index]).astype(np.uint32)
    return bytes(packed.astype("<u4").tobytes())


def _first_three(rotations: Float32) -> bytes:
    unit = _unit(rotations)
    unit = np.where(unit[:, 3:] < 0, -unit, unit)
    return _to_bytes(unit[:, :3] * 127.5 + 127.5).tobytes()


def _harmonics(rest: Float32, sh_bits: tuple[int, int]) -> bytes:
    """Rounded to 8 bits, then to the centres of buckets, so that zero stays zero."""
    eight = _rounded(np.clip(rest.astype(np.float64), -8, 8) * 128).astype(np.int64) + 128
    for part, bits in ((slice(0, 3), sh_bits[0]), (slice(3, None), sh_bits[1])):
        bucket = 1 << (8 - bits)
        eight[:, part] = (eight[:, part] + bucket // 2) // bucket * bucket
    return np.clip(eight, 0, 255).astype(np.uint8).tobytes()
