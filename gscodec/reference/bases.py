"""(12.7) MBAS, and motion model 2: every splat follows a mixture of a few rigid motions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isqrt

from gscodec.reference.channels import MASK_CONTEXTS, Ground, Rows, clamp, read_coder, read_masks, turned
from gscodec.reference.decode import DecodedChunk, Exact, Splat
from gscodec.reference.entropy import Stream
from gscodec.reference.faults import Place
from gscodec.reference.fields import Fields
from gscodec.reference.predictor import Triple, predict, short_logarithm, steps_within
from gscodec.reference.rotation import ONE, Quaternion, magnitude, reduced

PREDICTED = 1  # flags of MOTN
ROTATION_EXTRAPOLATED, TRANSLATION_EXTRAPOLATED, HOLDS_FUNCTIONS = 1, 2, 4  # flags of MBAS
MAX_BASES, MAX_KEYS, MAX_LEVELS = 64, 4096, 4095
VALUE_BOUND, TRANSLATION_BOUND = 1 << 22, 1 << 28
LONGEST = 50  # bits of a translation
KEY_CONTEXTS = 48
HALF = 26  # bits of the low part of a position


@dataclass
class Bases:
    """(12.7) Rigid motions: for each key, for each basis, six and three values; or functions: one value."""

    id: int
    flags: int
    count: int
    keys: int
    interval: int
    exponent: int
    step: int
    rotations: list[Rows] = field(default_factory=list)
    translations: list[Rows] = field(default_factory=list)
    functions: list[Rows] = field(default_factory=list)

    def has_functions(self) -> bool:
        """(12.7) Whether these are functions of time instead of rigid motions."""
        return self.flags & HOLDS_FUNCTIONS > 0


@dataclass
class Mixture:
    """(12.7) The bases that a chunk follows, and in what shares."""

    flags: int
    bases: Bases
    levels: int
    masks: list[int] = field(default_factory=list)
    shares: Rows = field(default_factory=list)


@dataclass(frozen=True)
class Rigid:
    """(12.7) The columns of a rotation matrix in 2^-24, None for no rotation; and a translation."""

    columns: tuple[Triple, Triple, Triple] | None
    translation: Triple


# ------------------------------------------------------------ MBAS


def read_bases(payload: bytes, place: Place, known: Mapping[int, Bases]) -> Bases:
    """(12.7) The payload of MBAS; `known` are those before it in the segment."""
    fields = Fields(payload, place, "motion")
    here = fields.place()
    id = fields.integer("u8")
    if id in known:
        raise here.malformed("motion.bases", f"bases {id} are given twice")
    bases = read_bases_fields(fields, id)
    read_bases_streams(bases, read_coder(fields, bases_contexts(bases)))
    return bases


def read_bases_fields(fields: Fields, id: int) -> Bases:
    """(12.7) The fields of MBAS after the id."""
    place = fields.place()
    flags = fields.integer("u8")
    has_functions = flags & HOLDS_FUNCTIONS > 0
    known = TRANSLATION_EXTRAPOLATED | (HOLDS_FUNCTIONS if has_functions else ROTATION_EXTRAPOLATED)
    if flags & ~known:
        raise place.unsupported("motion.flags", f"flags {flags:#x}")
    count, keys = fields.integer("u8", 1, MAX_BASES), fields.integer("u16", 1, MAX_KEYS)
    interval = fields.integer("u32", 1)
    exponent = fields.integer("i16", 0, 0) if has_functions else fields.integer("i16", -200, 120)
    return Bases(id, flags, count, keys, interval, exponent, fields.integer("u16", 1))


def bases_contexts(bases: Bases) -> list[int]:
    """(12.7) The contexts of each stream of MBAS."""
    return [KEY_CONTEXTS] * (1 if bases.has_functions() else 2)


def read_bases_streams(bases: Bases, next_stream: Callable[[], Stream]) -> None:
    """(12.7) The streams of MBAS: functions, or rotations and translations."""
    extrapolates = bases.flags & TRANSLATION_EXTRAPOLATED > 0
    if bases.has_functions():
        bases.functions = read_values(next_stream(), bases, 1, extrapolates)
        return
    bases.rotations = read_values(next_stream(), bases, 6, bases.flags & ROTATION_EXTRAPOLATED > 0)
    bases.translations = read_trajectories(next_stream(), bases, 3, TRANSLATION_BOUND, extrapolates)


def read_values(stream: Stream, bases: Bases, width: int, extrapolates: bool) -> list[Rows]:
    """(12.7) What is coded in steps, in 2^-20."""
    step = bases.step
    rows = read_trajectories(stream, bases, width, VALUE_BOUND // step, extrapolates)
    return [[[rec * step for rec in row] for row in key] for key in rows]


def read_trajectories(stream: Stream, bases: Bases, width: int, bound: int, extrapolates: bool) -> list[Rows]:
    """(12.7) The recs of every key, basis and component."""
    nothing = [[0] * width for _ in range(bases.count)]
    recs, residuals, number = [nothing], nothing, 0  # those before key 0
    for j in range(bases.keys):
        recs.append([row.copy() for row in nothing])
        before, residuals = residuals, [row.copy() for row in nothing]
        for k in range(bases.count):
            for w in range(width):
                start = recs[j][k][w]
                if extrapolates and j >= 2:
                    start += recs[j][k][w] - recs[j - 1][k][w]
                context = 16 * min(j, 2) + short_logarithm(abs(before[k][w]))
                allowed = steps_within(bound, start, 1)
                residuals[k][w] = stream.signed(number, context, allowed, "motion.value")
                recs[j + 1][k][w] = start + residuals[k][w]
                number += 1
    stream.end()
    return recs[1:]


# ------------------------------------------------------------ MOTN


def read_mixture(fields: Fields, flags: int, known: Mapping[int, Bases]) -> Mixture:
    """(12.7) The fields of the model."""
    return Mixture(flags, read_id(fields, known, False), fields.integer("u16", 1, MAX_LEVELS))


def read_id(fields: Fields, known: Mapping[int, Bases], has_functions: bool) -> Bases:
    """(12.7, 12.11) The bases that a chunk names, which are of the kind that its model needs."""
    place = fields.place()
    id = fields.integer("u8")
    if id not in known or known[id].has_functions() != has_functions:
        raise place.malformed("motion.bases", f"no such bases {id}")
    return known[id]


def mixture_contexts(class_count: int) -> list[int]:
    """(12.7) The contexts of each stream."""
    return [MASK_CONTEXTS, 54 * class_count]


def read_mixture_streams(motion: Mixture, ground: Ground, next_stream: Callable[[], Stream]) -> None:
    """(12.7) The streams: masks, shares."""
    count = len(ground.classes)
    motion.masks = read_masks(next_stream(), ground, [(0, 2)] * count, 1, 1)[1]
    motion.shares = read_shares(next_stream(), motion, ground)


def read_shares(stream: Stream, motion: Mixture, ground: Ground) -> Rows:
    """(12.7) How much of each basis a splat follows; together the number of levels, or nothing."""
    last, number = motion.bases.count - 1, 0
    shares = [[0] * (last + 1) for _ in ground.classes]
    for i, c in enumerate(ground.classes):
        if motion.masks[i] == 0:
            continue
        left, before = motion.levels, 0
        for k in range(last):
            if left == 0:
                break
            prediction = clamp(predict(shares, k, i, ground.near[i]), 0, left)
            kind = 0 if prediction == 0 else 1 if prediction < left else 2
            context = ((6 * c + ground.near[i].bucket) * 3 + kind) * 3 + magnitude(before)
            allowed = range(-prediction, left - prediction + 1)
            before = stream.signed(number + k, context, allowed, "motion.value")
            shares[i][k] = prediction + before
            left -= shares[i][k]
        shares[i][last] = left
        number += last
    stream.end()
    return shares


# ------------------------------------------------------------ evaluation


def between(keys: list[Rows], bases: Bases, tick: int) -> Rows:
    """(12.7) The values of each basis at a tick, between two keys or after the last."""
    j = min(tick // bases.interval, bases.keys - 1)
    if j == bases.keys - 1:
        return keys[j]
    part = ((tick - j * bases.interval << 16) + (bases.interval >> 1)) // bases.interval
    return [
        [a * (65536 - part) + b * part + 32768 >> 16 for a, b in zip(*rows, strict=True)]
        for rows in zip(keys[j], keys[j + 1], strict=True)
    ]


def mixed(values: Rows, shares: list[int]) -> list[int]:
    """(12.7) The sum of the bases' values times their shares."""
    return [sum(n * v for n, v in zip(shares, column, strict=True)) for column in zip(*values, strict=True)]


def cross(a: Sequence[int], b: Sequence[int]) -> Triple:
    """The vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def levelled(vector: Sequence[int]) -> Triple:
    """(12.7) A vector times a power of two: 25 bits for its largest component."""
    shift = max(abs(v) for v in vector).bit_length() - 25
    x, y, z = (v >> shift if shift > 0 else v << -shift for v in vector)
    return x, y, z


def unit(vector: Sequence[int]) -> Triple:
    """(12.7) A vector of length 2^24; it is not 0."""
    vector = levelled(vector)
    norm = isqrt(sum(v * v for v in vector))
    x, y, z = (((v << 25) + norm) // (2 * norm) for v in vector)
    return x, y, z


def orthonormal(a: Sequence[int], b: Sequence[int]) -> tuple[Triple, Triple, Triple] | None:
    """(12.7) The rotation whose first two axes come nearest to a and b; None if there is none."""
    normal = cross(levelled(a), levelled(b))
    if not any(normal):
        return None
    x = unit(a)
    z = unit(normal)
    p, q, r = (v + (1 << 23) >> 24 for v in cross(z, x))
    return x, (p, q, r), z


def aligned(value: int, shift: int) -> int:
    """(12.7) value 2^shift, rounded to the nearest, within bounds."""
    if shift <= -30:
        return 0
    if shift < 0:
        return value + (1 << -shift - 1) >> -shift
    most = 1 << LONGEST - min(shift, LONGEST)
    return clamp(value, -most, most) << min(shift, LONGEST)


def rigid(motion: Mixture, shares: list[int], rotations: Rows, translations: Rows, exponent: int) -> Rigid:
    """(12.7) The motion of a splat, in 2^exponent."""
    six, levels = mixed(rotations, shares), motion.levels
    x, y, z = (
        aligned((v + (levels >> 1)) // levels, motion.bases.exponent - exponent)
        for v in mixed(translations, shares)
    )
    return Rigid(orthonormal(six[:3], six[3:]), (x, y, z))


def carried(position: Sequence[int], by: Rigid) -> tuple[int, ...]:
    """(12.7) A position after the motion; it is split so that products fit."""
    if by.columns is None:
        return tuple(p + t for p, t in zip(position, by.translation, strict=True))
    out = []
    for row, t in zip(zip(*by.columns, strict=True), by.translation, strict=True):
        high = sum(r * (p >> HALF) for r, p in zip(row, position, strict=True))
        low = sum(r * (p & (1 << HALF) - 1) for r, p in zip(row, position, strict=True))
        out.append(4 * high + (low + (1 << 23) >> 24) + t)
    return tuple(out)


def quaternion_from_columns(columns: tuple[Triple, Triple, Triple]) -> Quaternion:
    """(12.7) The quaternion of a rotation matrix, of any length, from the largest of its components."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = columns  # yx: x component of the second column
    squares = (ONE + xx + yy + zz, ONE + xx - yy - zz, ONE - xx + yy - zz, ONE - xx - yy + zz)
    w, x, y, z = squares
    rows = (
        (w, yz - zy, zx - xz, xy - yx),
        (yz - zy, x, xy + yx, zx + xz),
        (zx - xz, xy + yx, y, yz + zy),
        (xy - yx, zx + xz, yz + zy, z),
    )
    return reduced(rows[squares.index(max(squares))])


def mixture_splats(motion: Mixture, chunk: DecodedChunk, splats: list[Splat], tick: int) -> list[Splat]:
    """(12.7) The splats at a tick of the segment."""
    rotations = between(motion.bases.rotations, motion.bases, tick)
    translations = between(motion.bases.translations, motion.bases, tick)
    out = []
    for d, splat in zip(chunk.splats.distinct, splats, strict=True):
        moved = splat
        if motion.masks[d]:
            by = rigid(motion, motion.shares[d], rotations, translations, chunk.header.exponent)
            position = carried(splat.position.integers, by)
            moved = replace(splat, position=Exact(position, splat.position.exponent))
            if by.columns:
                rotation = turned(quaternion_from_columns(by.columns), chunk.splats.rotations[d])
                moved = replace(moved, rotation=Exact(rotation, -24))
        out.append(moved)
    return out
