"""(12.8) Motion model 3: attributes that change at keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from gscodec.reference import colour, harmonics, opacity, scale
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
    scaled,
    turned,
)
from gscodec.reference.chunk import Splats
from gscodec.reference.decode import DecodedChunk, Exact, Splat
from gscodec.reference.entropy import Stream
from gscodec.reference.fields import Fields
from gscodec.reference.parameters import (
    COLOUR,
    HARMONICS,
    OPACITY,
    SCALE,
    Parameters,
    read_multipliers,
)
from gscodec.reference.polynomial import TURN_BOUND, UNIT, read_factor
from gscodec.reference.rotation import Quaternion

HAS_LIVES, PREDICTED = 1, 2  # flags
ATTRIBUTES = ("position", "rotation", "scale", "opacity", "colour", "harmonics")  # bits of masks
MAX_KEYS = 4096
POSITION_BOUND = 4_194_303  # of recs: displacements may be large

Factor = tuple[int, int]  # factor and shift


@dataclass
class Keyframes:
    """(12.8) The fields, then what is decoded: recs by attribute, key and distinct splat."""

    flags: int
    attributes: int
    extrapolated: int
    keys: int
    interval: int
    position_multipliers: list[int]
    rotation_multipliers: list[int]
    position: Factor
    rotation: Factor
    lives: list[Life] = field(default_factory=list)
    recs: dict[str, list[Rows]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """(12.8) Whether an attribute changes."""
        return self.attributes >> ATTRIBUTES.index(name) & 1 == 1


def read_keyframes(fields: Fields, flags: int, parameters: Parameters) -> Keyframes:
    """(12.8) The fields of the model."""
    attributes = fields.integer("u8", 0, 63 if parameters.harmonics else 31)
    place = fields.place()
    extrapolated = fields.integer("u8")
    if extrapolated & ~attributes:
        raise place.malformed("motion.range", f"attributes {extrapolated:#x} do not change")
    keys, interval = fields.integer("u16", 1, MAX_KEYS), fields.integer("u32", 1)
    k = parameters.classes
    multipliers = read_multipliers(fields, k), read_multipliers(fields, k)
    position, rotation = read_factor(fields), read_factor(fields)
    return Keyframes(flags, attributes, extrapolated, keys, interval, *multipliers, position, rotation)


def attribute_channels(
    parameters: Parameters, position_multipliers: list[int], rotation_multipliers: list[int]
) -> dict[str, Channel]:
    """(12.8) What the values of each attribute are like, in the order of streams."""
    count = parameters.harmonics.coefficients if parameters.harmonics else 0
    steps, each = parameters.multipliers, [k for k in range(count) for _ in range(3)]
    return {
        "position": Channel([0] * 3, position_multipliers, POSITION_BOUND),
        "rotation": Channel([0] * 3, rotation_multipliers),
        "scale": Channel([0] * 3, steps[SCALE]),
        "opacity": Channel([0], steps[OPACITY]),
        "colour": Channel([0] * 3, steps[COLOUR]),
        "harmonics": Channel(each, steps[HARMONICS], harmonics.REC_BOUND),
    }


def keyframes_channels(motion: Keyframes, parameters: Parameters) -> dict[str, Channel]:
    """(12.8) The channels of the attributes that change, in the order of their streams."""
    every = attribute_channels(parameters, motion.position_multipliers, motion.rotation_multipliers)
    return {
        name: replace(channel, sides=2, extrapolates=motion.extrapolated >> bit & 1 == 1)
        for bit, (name, channel) in enumerate(every.items())
        if motion.has(name)
    }


def check_keyframes_symbols(fields: Fields, motion: Keyframes, parameters: Parameters, count: int) -> None:
    """(12.8) No stream of a chunk of `count` splats has too many values."""
    widths = [len(channel.groups) for channel in keyframes_channels(motion, parameters).values()]
    check_symbols(fields, count * motion.keys * max([1, *widths]))


def keyframes_contexts(motion: Keyframes, parameters: Parameters) -> list[int]:
    """(12.8) The contexts of each stream."""
    lives = [LIFE_CONTEXTS] if motion.flags & HAS_LIVES else []
    channels = keyframes_channels(motion, parameters).values()
    return [*lives, MASK_CONTEXTS, *(channel.context_count(parameters.classes) for channel in channels)]


def first_recs(name: str, splats: Splats) -> Rows:
    """(12.8) The recs of an attribute in the chunk; position and rotation start at 0."""
    if name in ("position", "rotation"):
        return [[0] * 3 for _ in splats.classes]
    if name == "opacity":
        return [[rec] for rec in splats.opacities]
    if name == "harmonics":
        return splats.coefficients
    return [list(row) for row in (splats.scales if name == "scale" else splats.colours)]


def read_keyframes_streams(
    motion: Keyframes,
    ground: Ground,
    parameters: Parameters,
    splats: Splats,
    next_stream: Callable[[], Stream],
) -> None:
    """(12.8) The streams: lifespans, masks, then the attributes that change."""
    count = len(ground.classes)
    motion.lives = [(0, motion.keys + 1)] * count
    if motion.flags & HAS_LIVES:
        motion.lives = read_lives(next_stream(), count, motion.keys)
    masks = read_masks(next_stream(), ground, motion.lives, motion.keys, motion.attributes)
    for name, channel in keyframes_channels(motion, parameters).items():
        bit = 1 << ATTRIBUTES.index(name)
        is_coded = [[mask & bit > 0 for mask in row] for row in masks]
        sides = [[int(coded) for coded in row] for row in is_coded[:-1]]
        motion.recs[name] = read_channel(
            next_stream(), channel, ground, first_recs(name, splats), is_coded[1:], sides
        )


# ------------------------------------------------------------ evaluation


def turn(recs: list[int], factor: Factor) -> Quaternion:
    """(12.8) The turn since the chunk."""
    b, c, d = (clamp(scaled(rec, *factor), -TURN_BOUND, TURN_BOUND) for rec in recs)
    return UNIT, b, c, d


def changed_splat(
    splat: Splat,
    chunk: DecodedChunk,
    d: int,
    now: Mapping[str, list[int]],
    position: Factor,
    rotation: Factor,
) -> Splat:
    """(12.8) Distinct splat d with the recs that it has now; what is not among them is as in the chunk."""
    p = chunk.parameters
    if "position" in now:
        offsets = [scaled(rec, *position) for rec in now["position"]]
        moved = tuple(v + offset for v, offset in zip(splat.position.integers, offsets, strict=True))
        splat = replace(splat, position=Exact(moved, splat.position.exponent))
    if "rotation" in now:
        quaternion = turned(turn(now["rotation"], rotation), chunk.splats.rotations[d])
        splat = replace(splat, rotation=Exact(quaternion, -24))
    if "scale" in now:
        logs = tuple(scale.log_scale(rec, p.scale) for rec in now["scale"])
        splat = replace(splat, scale=Exact(logs, -20))
    if "opacity" in now:
        logit = opacity.opacity_logit(now["opacity"][0], p.opacity)
        splat = replace(splat, opacity=Exact((logit,), -20))
    if "colour" in now:
        y, co, cg = now["colour"]
        splat = replace(splat, colour=Exact(colour.rgb((y, co, cg), p.colour), splat.colour.exponent))
    if "harmonics" in now and p.harmonics:
        rows = harmonics.coefficients(now["harmonics"], p.harmonics)
        higher = tuple(x for row in rows for x in row)
        splat = replace(splat, harmonics=Exact(higher, splat.harmonics.exponent))
    return splat


def keyframes_splats(motion: Keyframes, chunk: DecodedChunk, splats: list[Splat], since: int) -> list[Splat]:
    """(12.8) The splats that are shown so many ticks after the chunk's first."""
    key, shown = min(motion.keys, since // motion.interval), []
    for d, splat in zip(chunk.splats.distinct, splats, strict=True):
        birth, death = motion.lives[d]
        if birth <= key < death:
            now = {name: recs[key][d] for name, recs in motion.recs.items()}
            shown.append(changed_splat(splat, chunk, d, now, motion.position, motion.rotation))
    return shown
