"""(5.9, 6.4) Rotation: an axis and a twist about it, in as many cells as the scales deserve."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

from gscodec._generated import atan, sin
from gscodec.reference.entropy import Stream, signed_from_zigzag
from gscodec.reference.parameters import ROTATION, Parameters, Rotation
from gscodec.reference.predictor import Neighbours, Triple, short_logarithm

Quaternion = tuple[int, int, int, int]  # w first, in 2^-24
ESCAPE = 255
ONE = 1 << 24


@dataclass(frozen=True)
class Shape:
    """(5.9) What the scales say about a rotation."""

    is_disc: bool  # flat: the axis coded is the shortest; else it is the longest
    axis_cells: int
    twist_cells: int


def cells(product: int, step: int, most: int) -> int:
    """(5.9) A number of cells from a factor times a scale difference."""
    return min(max(product // step + 128 >> 8, 1), max(1, most * 64 // step))


def shape_from_scales(scales: Triple, step: int, settings: Rotation) -> Shape:
    """(5.9) The shape of a splat."""
    upper, lower = scales[0] - scales[1], scales[1] - scales[2]
    axis = settings.axis_factor * (upper + lower + max(upper, lower))
    twist = settings.twist_factor * min(upper, lower)
    return Shape(
        upper <= lower, cells(axis, step, settings.axis_cells), cells(twist, step, settings.twist_cells)
    )


# ------------------------------------------------------------ prediction


def columns(quaternion: Quaternion) -> tuple[Triple, Triple, Triple]:
    """(5.9) The axes of a splat, the columns of its rotation matrix, in 2^-14."""
    w, x, y, z = ((v + 2048) >> 12 for v in quaternion)
    return (
        (ONE - 2 * (y * y + z * z) >> 10, 2 * (x * y + w * z) >> 10, 2 * (x * z - w * y) >> 10),
        (2 * (x * y - w * z) >> 10, ONE - 2 * (x * x + z * z) >> 10, 2 * (y * z + w * x) >> 10),
        (2 * (x * z + w * y) >> 10, 2 * (y * z - w * x) >> 10, ONE - 2 * (x * x + y * y) >> 10),
    )


def upward(axis: Triple) -> Triple:
    """(5.9) The axis or its opposite, whichever has z >= 0."""
    return axis if axis[2] >= 0 else (-axis[0], -axis[1], -axis[2])


def predicted_cells(axis: Triple | None, n: int) -> tuple[int, int]:
    """(5.9) The cell of an axis, n cells by n; the middle when there is nothing to go by."""
    if axis is None:
        return n // 2, n // 2
    x, y, z = axis
    length = abs(x) + abs(y) + abs(z)
    first = min(n - 1, (x + y + length) * n // (2 * length))
    second = min(n - 1, (x - y + length) * n // (2 * length))
    return first, second


def direction(i1: int, i2: int, n: int) -> tuple[Triple, int]:
    """(5.9) The middle of a cell as a vector, and 256 times its length."""
    u, v = 2 * i1 + 1 - n, 2 * i2 + 1 - n
    x, y, z = u + v, u - v, 2 * (n - max(abs(u), abs(v)))
    return (x, y, z), isqrt((x * x + y * y + z * z) << 16)


def angle(x: int, y: int) -> int:
    """(5.9) The angle of a line in 4096ths of half a turn; 0 when x and y are 0."""
    if y < 0 or (y == 0 and x < 0):
        x, y = -x, -y
    if x == 0 and y == 0:
        return 0
    h = abs(x)
    turn = atan.VALUE[(y << 8) // h] if y <= h else 2048 - atan.VALUE[(h << 8) // y]
    return 4096 - turn if x < 0 else turn


def predicted_twist(reference: Triple | None, axis: Triple, length: int, n: int) -> int:
    """(5.9) The twist cell in which a splat's second axis comes nearest to the reference."""
    if reference is None:
        return 0
    ax, ay, az = reference
    nx, ny, nz = ((component << 22) // length for component in axis)
    wz = 16384 + nz
    t = (ax * nx + ay * ny >> 14) + (az * wz >> 14)
    return min(n - 1, angle(ax * wz - nx * t, ay * wz - ny * t) * n >> 12)


# ------------------------------------------------------------ reading


@lru_cache(maxsize=4096)
def residual_symbols(lowest: int, highest: int) -> frozenset[int]:
    """(5.9) The symbols of the residuals from lowest to highest, and the escape."""
    plain = (symbol for symbol in range(ESCAPE) if lowest <= signed_from_zigzag(symbol) <= highest)
    return frozenset([ESCAPE, *plain])


def magnitude(residual: int) -> int:
    """(5.9) Three classes of residuals, for contexts."""
    return 0 if residual == 0 else 1 if abs(residual) <= 2 else 2


def read_axis_cell(stream: Stream, number: int, context: int, predicted: int, n: int) -> tuple[int, int]:
    """(5.9) One of the two cell numbers of an axis, and the class of its residual."""
    if n == 1:
        return 0, 0
    allowed = residual_symbols(-predicted, n - 1 - predicted)
    symbol = stream.symbol(number, context, allowed, "static.rotation")
    if symbol == ESCAPE:
        return stream.uniform(number, n), 2
    residual = signed_from_zigzag(symbol)
    return predicted + residual, magnitude(residual)


def read_twist_cell(stream: Stream, number: int, context: int, predicted: int, n: int) -> int:
    """(5.9) The cell number of a twist, which wraps."""
    if n == 1:
        return 0
    symbol = stream.symbol(number, context, residual_symbols(1 - n, n - 1), "static.rotation")
    if symbol == ESCAPE:
        return stream.uniform(number, n)
    return (predicted + signed_from_zigzag(symbol)) % n


def read_rotation(
    stream: Stream, i: int, shape: Shape, bucket: int, nearest: Quaternion | None
) -> Quaternion:
    """(5.9) The rotation of splat i."""
    axis = reference = None
    if nearest is not None:
        first, second, third = columns(nearest)
        axis, reference = upward(third if shape.is_disc else first), first if shape.is_disc else second
    n, context = shape.axis_cells, bucket * 16 + short_logarithm(shape.axis_cells)
    g1, g2 = predicted_cells(axis, n)
    i1, m1 = read_axis_cell(stream, 3 * i, context, g1, n)
    i2, m2 = read_axis_cell(stream, 3 * i + 1, 96 + context * 3 + m1, g2, n)
    towards, length = direction(i1, i2, n)
    turns = shape.twist_cells
    context = 384 + (bucket * 16 + short_logarithm(turns)) * 3 + max(m1, m2)
    twist = read_twist_cell(
        stream, 3 * i + 2, context, predicted_twist(reference, towards, length, turns), turns
    )
    return quaternion_from_cells(towards, length, twist, shape)


def read_rotations(
    stream: Stream, classes: list[int], scales: list[Triple], near: list[Neighbours], parameters: Parameters
) -> list[Quaternion]:
    """(5.9) The rotation of every distinct splat."""
    values: list[Quaternion] = []
    for i, c in enumerate(classes):
        shape = shape_from_scales(scales[i], parameters.multipliers[ROTATION][c], parameters.rotation)
        nearest = values[i - near[i].nearest] if near[i].nearest > 0 else None
        values.append(read_rotation(stream, i, shape, near[i].bucket, nearest))
    stream.end()
    return values


# ------------------------------------------------------------ reconstruction


def reduced(quaternion: Quaternion) -> Quaternion:
    """(6.4) The quaternion with components of at most 25 bits."""
    shift = max(0, max(abs(v) for v in quaternion).bit_length() - 25)
    a, b, c, d = (v >> shift for v in quaternion)
    return a, b, c, d


def normalised(quaternion: Quaternion) -> Quaternion:
    """(6.4) The quaternion of length 2^24, with w >= 0."""
    norm = isqrt(sum(v * v for v in quaternion))
    a, b, c, d = (((v << 25) + norm) // (2 * norm) for v in quaternion)
    return (-a, -b, -c, -d) if a < 0 else (a, b, c, d)


def quaternion_from_cells(axis: Triple, length: int, twist: int, shape: Shape) -> Quaternion:
    """(6.4) The rotation that turns by the twist, then swings z to the axis; for needles, axes rotated."""
    x, y, z = axis
    w, qx, qy = length + (z << 8), -(y << 8), x << 8
    half = (2 * twist + 1) * 4096 // (2 * shape.twist_cells)
    s, c = sin.VALUE[half], sin.VALUE[4096 - half]
    q = reduced((w * c, qx * c + qy * s, qy * c - qx * s, w * s))
    if not shape.is_disc:
        a, b, c, d = q
        q = reduced((a + b + c + d, -a + b - c + d, -a + b + c - d, -a - b + c + d))
    return normalised(q)
