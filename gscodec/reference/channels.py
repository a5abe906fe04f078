"""(12.5) The parts that motion models share: their coder, masks, channels, lifespans, and turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gscodec.reference.chunk import MAX_STREAM_SYMBOLS, ChunkHeader, Splats
from gscodec.reference.entropy import Lane, Stream, read_context_map, read_table
from gscodec.reference.fields import Fields
from gscodec.reference.parameters import MAX_TABLES, Parameters
from gscodec.reference.predictor import UNPREDICTED, Neighbours, all_neighbours, predict, steps_within
from gscodec.reference.rotation import Quaternion, magnitude, normalised, reduced

MASK_CONTEXTS, LIFE_CONTEXTS = 192, 2
WHOLE = 64  # the multiplier of 1

Rows = list[list[int]]  # by splat, then component
Life = tuple[int, int]  # the key of birth, and the first key at which the splat is gone


@dataclass(frozen=True)
class Ground:
    """(12.5) What motion is coded on: the distinct splats of a chunk, in order."""

    classes: list[int]
    near: list[Neighbours]
    class_count: int


@dataclass(frozen=True)
class Channel:
    """(12.5) What the values of one attribute are like."""

    groups: list[int]  # of each component
    multipliers: list[int]  # by class
    bound: int = 262_143
    sides: int = 1
    extrapolates: bool = False

    def context_count(self, class_count: int) -> int:
        """(12.5) The contexts of the stream."""
        return (max(self.groups) + 1) * self.sides * class_count * 18


def ground_of(header: ChunkHeader, parameters: Parameters, splats: Splats, is_predicted: bool) -> Ground:
    """(12.5) The distinct splats of a chunk; predictor set S0 compares their positions."""
    positions: dict[int, tuple[int, int, int]] = {}
    for d, position in zip(splats.distinct, splats.positions, strict=True):
        positions.setdefault(d, position)
    near = [UNPREDICTED] * len(positions)
    if is_predicted:
        near = all_neighbours([list(positions.values())], [header.distances[0]], parameters.sets[0])
    return Ground(splats.classes, near, parameters.classes)


# ------------------------------------------------------------ the coder part


def check_symbols(fields: Fields, values: int) -> None:
    """(12.5) No stream has more values than a level allows."""
    if values > MAX_STREAM_SYMBOLS:
        raise fields.start.over_limit("limit.stream_symbols", f"{values} values")


def read_coder(fields: Fields, contexts: Sequence[int]) -> Callable[[], Stream]:
    """(12.5) Tables, maps and words of streams with so many contexts; the result opens the next one."""
    count, words = fields.integer("u8", 1, MAX_TABLES), fields.integer("u32")
    if len(fields.payload) - fields.position < 4 * words:
        raise fields.wrong_length()
    place = fields.place()
    coded = fields.words(words)
    waiting = [read_lane_lengths(fields) for _ in contexts]
    if len(fields.payload) - fields.position != 4 * sum(map(sum, waiting)):
        raise fields.wrong_length()
    lane = Lane(coded, place)
    tables = [read_table(lane) for _ in range(count)]
    maps = [read_context_map(lane, size, count) for size in contexts]
    if not lane.is_at_end():
        raise place.malformed("entropy.end", "words or state are left over")

    def next_stream() -> Stream:
        here = fields.place()
        lanes = [Lane(fields.words(length), here) for length in waiting.pop(0)]
        return Stream(lanes, tables, maps.pop(0), here)

    return next_stream


def read_lane_lengths(fields: Fields) -> list[int]:
    """(12.5) The words of each lane of a stream."""
    place = fields.place()
    lanes = fields.integer("u8", 1, 4)
    if lanes == 3:
        raise place.malformed("motion.range", "3 lanes")
    return fields.integers("u32", lanes)


# ------------------------------------------------------------ streams


def read_masks(stream: Stream, ground: Ground, lives: list[Life], keys: int, bits: int) -> Rows:
    """(12.5) For key 0 .. `keys`, which attributes of each splat change at it; none at key 0."""
    allowed = frozenset(mask for mask in range(64) if mask & ~bits == 0)
    masks, number = [[0] * len(lives)], 0
    for f in range(1, keys + 1):
        row = [0] * len(lives)
        for i, (birth, death) in enumerate(lives):
            if birth < f < death:
                beside = row[i - max(1, ground.near[i].nearest)] if i > 0 else 0
                before = masks[f - 1][i]
                state = 0 if before == 0 else 1 if before == beside else 2
                row[i] = stream.symbol(number, 64 * state + beside, allowed, "motion.symbol")
                number += 1
        masks.append(row)
    stream.end()
    return masks


def read_lives(stream: Stream, splats: int, keys: int) -> list[Life]:
    """(12.5) When each splat is born and when it is gone."""
    lives = []
    for i in range(splats):
        birth = stream.hybrid(2 * i, 0, range(keys + 1), "motion.value")
        early = stream.hybrid(2 * i + 1, 1, range(keys + 1 - birth), "motion.value")
        lives.append((birth, keys + 1 - early))
    stream.end()
    return lives


def read_channel(
    stream: Stream,
    channel: Channel,
    ground: Ground,
    first: Rows,
    coded: Sequence[Sequence[bool]],
    sides: Sequence[Sequence[int]],
) -> list[Rows]:
    """(12.5) The recs of an attribute at key 0, which are `first`, and at all others.

    `coded` and `sides` say for each key after 0 and each splat whether it changes, and its side context.
    """
    recs, number = [first], 0
    for f, (is_coded, side) in enumerate(zip(coded, sides, strict=True), 1):
        changes = [[0] * len(channel.groups) for _ in first]
        recs.append([row.copy() for row in recs[f - 1]])
        for i, c in enumerate(ground.classes):
            if not is_coded[i]:
                continue
            step, before = channel.multipliers[c], 0
            for w, group in enumerate(channel.groups):
                start = last = recs[f - 1][i][w]
                if channel.extrapolates:
                    start += last - recs[max(0, f - 2)][i][w]
                prediction = predict(changes, w, i, ground.near[i])
                kind = (group * channel.sides + side[i]) * ground.class_count + c
                context = (kind * 6 + ground.near[i].bucket) * 3 + magnitude(before)
                allowed = steps_within(channel.bound, start + prediction, step)
                before = stream.signed(number, context, allowed, "motion.value")
                changes[i][w] = prediction + before * step
                recs[f][i][w] = start + changes[i][w]
                number += 1
    stream.end()
    return recs


# ------------------------------------------------------------ evaluation


def clamp(value: int, low: int, high: int) -> int:
    """The value, or the end of low .. high that is nearer to it."""
    return min(max(value, low), high)


def scaled(value: int, factor: int, shift: int) -> int:
    """(12.5) value factor / 2^shift, rounded to the nearest."""
    return value * factor + (1 << shift >> 1) >> shift


def turned(turn: Quaternion, rotation: Quaternion) -> Quaternion:
    """(12.5) First the rotation, then the turn, which can be of any length; no turn leaves it exactly."""
    a, b, c, d = turn
    w, x, y, z = rotation
    if b == c == d == 0:
        return rotation
    product = (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )
    return normalised(reduced(product))
