"""(12.11) Motion model 4: attributes follow combinations of functions of time, and residuals at keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gscodec._generated import fineness
from gscodec.reference.bases import Bases, between, read_id
from gscodec.reference.channels import (
    LIFE_CONTEXTS,
    MASK_CONTEXTS,
    Channel,
    Ground,
    Life,
    Rows,
    check_symbols,
    clamp,
    read_channel,
    read_lives,
    read_masks,
)
from gscodec.reference.decode import DecodedChunk, Splat
from gscodec.reference.entropy import Stream
from gscodec.reference.fields import Fields
from gscodec.reference.keyframes import ATTRIBUTES, Factor, attribute_channels, changed_splat, first_recs
from gscodec.reference.parameters import Parameters, read_multipliers
from gscodec.reference.polynomial import read_factor
from gscodec.reference.predictor import steps_within
from gscodec.reference.rotation import magnitude

HAS_LIVES, PREDICTED = 1, 2  # flags
MAX_FOLLOWED = 16  # functions of an attribute
FINENESSES = len(fineness.MULTIPLIER)
FIRST_ACTIVITY, MOST_ACTIVITY = 16, 63


@dataclass
class Functions:
    """(12.11) The fields, then what is decoded, by attribute; residuals by key and distinct splat, too."""

    flags: int
    bases: Bases
    attributes: int
    residual: int
    follows: dict[str, tuple[int, int]]  # the first function of an attribute, and how many
    position_multipliers: list[int]
    rotation_multipliers: list[int]
    position: Factor
    rotation: Factor
    lives: list[Life] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    coefficients: dict[str, Rows] = field(default_factory=dict)
    fineness: dict[str, list[int]] = field(default_factory=dict)
    residuals: dict[str, list[Rows]] = field(default_factory=dict)

    def channels(self, parameters: Parameters) -> dict[str, Channel]:
        """(12.11) What the values of each attribute are like."""
        return attribute_channels(parameters, self.position_multipliers, self.rotation_multipliers)


def names_of(attributes: int) -> list[str]:
    """(12.8) The attributes whose bits are set."""
    return [name for bit, name in enumerate(ATTRIBUTES) if attributes >> bit & 1]


# ------------------------------------------------------------ fields


def read_functions(
    fields: Fields, flags: int, parameters: Parameters, known: Mapping[int, Bases]
) -> Functions:
    """(12.11) The fields of the model."""
    bases, every = read_id(fields, known, True), 63 if parameters.harmonics else 31
    attributes, residual = fields.integer("u8", 0, every), fields.integer("u8", 0, every)
    follows = {}
    for name in names_of(attributes):
        first = fields.integer("u8", 0, bases.count - 1)
        follows[name] = first, fields.integer("u8", 1, min(MAX_FOLLOWED, bases.count - first))
    k = parameters.classes
    multipliers = read_multipliers(fields, k), read_multipliers(fields, k)
    position, rotation = read_factor(fields), read_factor(fields)
    return Functions(flags, bases, attributes, residual, follows, *multipliers, position, rotation)


def check_functions_symbols(fields: Fields, motion: Functions, parameters: Parameters, count: int) -> None:
    """(12.11) No stream of a chunk of `count` splats has too many values."""
    widths = {name: len(channel.groups) for name, channel in motion.channels(parameters).items()}
    coefficients = [widths[name] * followed for name, (_, followed) in motion.follows.items()]
    residuals = [widths[name] * motion.bases.keys for name in names_of(motion.residual)]
    check_symbols(fields, count * max([1, *coefficients, *residuals]))


# ------------------------------------------------------------ streams


def coefficient_channels(motion: Functions, parameters: Parameters) -> dict[str, Channel]:
    """(12.11) The channels of coefficients, in the order of their streams."""
    every = motion.channels(parameters)
    return {
        name: replace(every[name], groups=[o for o in range(followed) for _ in every[name].groups])
        for name, (_, followed) in motion.follows.items()
    }


def functions_contexts(motion: Functions, parameters: Parameters) -> list[int]:
    """(12.11) The contexts of each stream."""
    k, every = parameters.classes, motion.channels(parameters)
    lives = [LIFE_CONTEXTS] if motion.flags & HAS_LIVES else []
    masks = [MASK_CONTEXTS] if motion.attributes else []
    coefficients = [c.context_count(k) for c in coefficient_channels(motion, parameters).values()]
    residuals = [[FINENESSES * k, every[name].context_count(1)] for name in names_of(motion.residual)]
    return [*lives, *masks, *coefficients, *(size for pair in residuals for size in pair)]


def read_functions_streams(
    motion: Functions, ground: Ground, parameters: Parameters, next_stream: Callable[[], Stream]
) -> None:
    """(12.11) The streams: lifespans, masks, coefficients, then fineness and residuals by turns."""
    count, keys = len(ground.classes), motion.bases.keys
    motion.lives = [(0, keys)] * count
    if motion.flags & HAS_LIVES:
        motion.lives = read_lives(next_stream(), count, keys - 1)
    motion.masks = [0] * count
    if motion.attributes:
        motion.masks = read_masks(next_stream(), ground, [(0, 2)] * count, 1, motion.attributes)[1]
    for name, channel in coefficient_channels(motion, parameters).items():
        nothing = [[0] * len(channel.groups) for _ in range(count)]
        coded = [mask >> ATTRIBUTES.index(name) & 1 == 1 for mask in motion.masks]
        found = read_channel(next_stream(), channel, ground, nothing, [coded], [[0] * count])
        motion.coefficients[name] = found[1]
    every = motion.channels(parameters)
    for name in names_of(motion.residual):
        motion.fineness[name] = read_fineness(next_stream(), ground)
        motion.residuals[name] = read_residuals(next_stream(), motion, name, every[name])


def read_fineness(stream: Stream, ground: Ground) -> list[int]:
    """(12.11) How fine the residuals of each splat are; 0: it has none."""
    found: list[int] = []
    for i, c in enumerate(ground.classes):
        beside = found[i - max(1, ground.near[i].nearest)] if i > 0 else 0
        found.append(stream.symbol(i, FINENESSES * c + beside, range(FINENESSES), "motion.symbol"))
    stream.end()
    return found


def read_residuals(stream: Stream, motion: Functions, name: str, channel: Channel) -> list[Rows]:
    """(12.11) The residuals of an attribute at each key; 0 where a splat has none."""
    residuals, number = list[Rows](), 0
    activities = [FIRST_ACTIVITY] * len(motion.lives)
    for f in range(motion.bases.keys):
        row = [[0] * len(channel.groups) for _ in motion.lives]
        for i, (birth, death) in enumerate(motion.lives):
            if motion.fineness[name][i] == 0 or not birth <= f < death:
                continue
            step = fineness.MULTIPLIER[motion.fineness[name][i]]
            bucket, before, size = min(5, (activities[i] >> 3).bit_length()), 0, 0
            for w, group in enumerate(channel.groups):
                context = (6 * group + bucket) * 3 + magnitude(before)
                before = stream.signed(number, context, steps_within(channel.bound, 0, step), "motion.value")
                row[i][w] = before * step
                size += abs(before)
                number += 1
            activities[i] = 7 * activities[i] + 16 * min(MOST_ACTIVITY, size) + 4 >> 3
        residuals.append(row)
    stream.end()
    return residuals


# ------------------------------------------------------------ evaluation


def functions_splats(motion: Functions, chunk: DecodedChunk, splats: list[Splat], tick: int) -> list[Splat]:
    """(12.11) The splats that are shown at a tick of the segment."""
    key, shown = min(motion.bases.keys - 1, tick // motion.bases.interval), list[Splat]()
    values = [value for (value,) in between(motion.bases.functions, motion.bases, tick)]
    channels = motion.channels(chunk.parameters)
    first = {name: first_recs(name, chunk.splats) for name in names_of(motion.attributes | motion.residual)}
    for d, splat in zip(chunk.splats.distinct, splats, strict=True):
        birth, death = motion.lives[d]
        if birth <= key < death:
            now = {
                name: recs_now(motion, name, d, key, rows[d], values, channels[name].bound)
                for name, rows in first.items()
            }
            shown.append(changed_splat(splat, chunk, d, now, motion.position, motion.rotation))
    return shown


def recs_now(
    motion: Functions, name: str, d: int, key: int, recs: list[int], values: list[int], bound: int
) -> list[int]:
    """(12.11) The recs of an attribute of distinct splat d: constant, combination and residual."""
    width, now = len(recs), list(recs)
    if name in motion.follows:
        first, followed = motion.follows[name]
        row = motion.coefficients[name][d]
        for w in range(width):
            total = sum(row[o * width + w] * values[first + o] for o in range(followed))
            now[w] += total + (1 << 19) >> 20
    if name in motion.residuals:
        now = [rec + extra for rec, extra in zip(now, motion.residuals[name][key][d], strict=True)]
    return [clamp(rec, -bound, bound) for rec in now]
