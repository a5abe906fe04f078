"""(12.6) Motion model 1: polynomials of time, and opacity that comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gscodec._generated import exp2, log2
from gscodec.reference.channels import (
    MASK_CONTEXTS,
    WHOLE,
    Channel,
    Ground,
    Rows,
    clamp,
    read_channel,
    read_masks,
    scaled,
    turned,
)
from gscodec.reference.decode import DecodedChunk, Exact, Splat
from gscodec.reference.entropy import Stream
from gscodec.reference.fields import Fields
from gscodec.reference.opacity import HIGHEST, LOWEST, opacity_logit
from gscodec.reference.parameters import MAX_STEP, Opacity, read_multipliers
from gscodec.reference.rotation import ONE, Quaternion

ROTATES, APPEARS, PREDICTED = 1, 2, 4  # flags
TRANSLATED, ROTATED, TEMPORAL = 1, 2, 4  # bits of masks
MAX_FACTOR, MAX_SHIFT = (1 << 22) - 1, 52
UNIT = 1 << 20  # the duration of the segment
TIME_BOUND = (1 << 23) - 1
WIDEST = 16 << 20
FASTEST = 8  # octaves
TURN_BOUND = 1 << 22
FAR = 8 << 20  # of a temporal splat's centre, in widths
LOG2_E = 6_051_102  # in 2^-22
LN_2 = 726_817  # in 2^-20
FAINTEST, DENSEST = 4096, ONE - 1024  # opacities in 2^-24


@dataclass
class Polynomial:
    """(12.6) The fields, then what is decoded for each distinct splat."""

    flags: int
    degree: int
    translation_multipliers: list[int]
    rotation_multipliers: list[int]
    reference: int
    translation: tuple[int, int]  # factor and shift
    rotation: tuple[int, int]
    centre_step: int
    centre_offset: int
    width_step: int
    width_offset: int
    threshold: int
    masks: list[int] = field(default_factory=list)
    times: Rows = field(default_factory=list)
    translations: Rows = field(default_factory=list)
    rotations: Rows = field(default_factory=list)

    def mask_bits(self) -> int:
        """(12.6) The bits that masks can have: those whose streams are there."""
        translated = TRANSLATED if self.degree > 0 else 0
        return (
            translated | (ROTATED if self.flags & ROTATES else 0) | (TEMPORAL if self.flags & APPEARS else 0)
        )

    def channels(self, class_count: int) -> dict[int, Channel]:
        """(12.6) The channels that there are, by their bit in the masks, in the order of their streams."""
        every = {
            TEMPORAL: Channel([0, 1], [WHOLE] * class_count),
            TRANSLATED: Channel(
                [order for order in range(self.degree) for _ in range(3)],
                self.translation_multipliers,
                sides=4,
            ),
            ROTATED: Channel([0, 1, 1, 1], self.rotation_multipliers, sides=4),
        }
        return {bit: channel for bit, channel in every.items() if self.mask_bits() & bit}


def read_factor(fields: Fields) -> tuple[int, int]:
    """(12.6) A factor, and a shift to the right."""
    return fields.integer("u32", 1, MAX_FACTOR), fields.integer("u8", 0, MAX_SHIFT)


def read_polynomial(fields: Fields, flags: int, class_count: int) -> Polynomial:
    """(12.6) The fields of the model."""
    degree = fields.integer("u8", 0, 3)
    multipliers = read_multipliers(fields, class_count), read_multipliers(fields, class_count)
    reference = fields.integer("u32", 0, UNIT)
    translation, rotation = read_factor(fields), read_factor(fields)
    centre = fields.integer("u32", 1, 1 << 20), fields.integer("i32")
    width = fields.integer("u32", 1, MAX_STEP), fields.integer("i32")
    threshold = fields.integer("u16")
    return Polynomial(
        flags, degree, *multipliers, reference, translation, rotation, *centre, *width, threshold
    )


def polynomial_contexts(motion: Polynomial, class_count: int) -> list[int]:
    """(12.6) The contexts of each stream."""
    channels = motion.channels(class_count).values()
    return [MASK_CONTEXTS, *(channel.context_count(class_count) for channel in channels)]


def read_polynomial_streams(motion: Polynomial, ground: Ground, next_stream: Callable[[], Stream]) -> None:
    """(12.6) The streams: masks, times, translations, rotations."""
    count = len(ground.classes)
    motion.masks = read_masks(next_stream(), ground, [(0, 2)] * count, 1, motion.mask_bits())[1]
    channels = motion.channels(ground.class_count)

    def read(bit: int, width: int, sides: list[int]) -> Rows:
        nothing = [[0] * width for _ in range(count)]
        if bit not in channels:
            return nothing
        coded = [mask & bit > 0 for mask in motion.masks]
        return read_channel(next_stream(), channels[bit], ground, nothing, [coded], [sides])[1]

    motion.times = read(TEMPORAL, 2, [0] * count)
    sides = [min(3, octave(motion, d)) for d in range(count)]
    motion.translations = read(TRANSLATED, 3 * motion.degree, sides)
    motion.rotations = read(ROTATED, 4, sides)


# ------------------------------------------------------------ logarithms and powers of two


def power(x: int) -> tuple[int, int]:
    """(12.6) 2^x, x in 2^-20, as G and I with G in 2^24 .. 2^25: the number G 2^(I - 24)."""
    j, fraction = x >> 10 & 1023, x & 1023
    return exp2.VALUE[j] + ((exp2.VALUE[j + 1] - exp2.VALUE[j]) * fraction + 512 >> 10), x >> 20


def logarithm(x: int) -> int:
    """(12.6) log2 of x 2^-24, 1 <= x < 2^24, in 2^-20."""
    bits = x.bit_length()
    m = (x << 25 - bits) - ONE
    j, fraction = m >> 14, m & 16383
    return log2.VALUE[j] + ((log2.VALUE[j + 1] - log2.VALUE[j]) * fraction + 8192 >> 14) + (bits - 25 << 20)


# ------------------------------------------------------------ evaluation


def segment_time(tick: int, duration: int) -> int:
    """(12.6) The tick in 2^-20 of the duration."""
    return ((tick << 20) + (duration >> 1)) // duration


def log_width(motion: Polynomial, d: int) -> int:
    """(12.6) log2 of the width of a temporal splat, in 2^-20."""
    width = motion.width_offset + (motion.times[d][1] * motion.width_step + 2048 >> 12)
    return clamp(width, -WIDEST, WIDEST - 1)


def octave(motion: Polynomial, d: int) -> int:
    """(12.6) How many times time is doubled for a splat: more often for those that are shown briefly."""
    if not motion.masks[d] & TEMPORAL:
        return 0
    return clamp(-(log_width(motion, d) >> 20), 0, FASTEST)


def own_time(motion: Polynomial, d: int, time: int) -> int:
    """(12.6) The time since a splat's centre, or since the reference."""
    centre = motion.reference
    if motion.masks[d] & TEMPORAL:
        centre = motion.centre_offset + (motion.times[d][0] * motion.centre_step + 32 >> 6)
    return clamp(time - centre, -TIME_BOUND, TIME_BOUND)


def displacement(motion: Polynomial, d: int, tau: int) -> tuple[int, int, int]:
    """(12.6) By how much a splat is moved: a polynomial by Horner's rule."""

    def along(axis: int) -> int:
        h = 0
        for rec in motion.translations[d][axis::3][::-1]:
            h = (h + rec) * tau + (1 << 19) >> 20
        return scaled(h, *motion.translation)

    return along(0), along(1), along(2)


def turn(motion: Polynomial, d: int, tau: int) -> Quaternion:
    """(12.6) The turn since the reference time, of any length."""
    a, b, c, e = (
        clamp(scaled(rec * tau + (1 << 19) >> 20, *motion.rotation), -TURN_BOUND, TURN_BOUND)
        for rec in motion.rotations[d]
    )
    return UNIT + a, b, c, e


def temporal_weight(tau: int, log_width: int) -> int:
    """(12.6) exp(-(tau / width)^2) in 2^-24."""
    g, i = power(-log_width)
    r = abs(tau) * g >> 24 - i
    if r >= FAR:
        return 0
    g, i = power(-((r * r >> 16) * LOG2_E >> 26))
    return g >> -i if -i <= 25 else 0


def faded_logit(rec: int, settings: Opacity, weight: int) -> int:
    """(12.6) The logit of an opacity times a weight."""
    if weight == ONE:
        return opacity_logit(rec, settings)
    g, i = power(clamp(settings.offset + (rec * settings.step + 2048 >> 12), LOWEST, HIGHEST))
    opacity = clamp((g >> -i) - (1 << 20), FAINTEST, DENSEST)
    faded = max(1, opacity * weight >> 24)
    return (logarithm(faded) - logarithm(ONE - faded)) * LN_2 + (1 << 19) >> 20


def polynomial_splats(
    motion: Polynomial, chunk: DecodedChunk, splats: list[Splat], tick: int, duration: int
) -> list[Splat]:
    """(12.6) The splats that are shown at a tick."""
    time, shown = segment_time(tick, duration), []
    for d, splat in zip(chunk.splats.distinct, splats, strict=True):
        tau = own_time(motion, d, time)
        logit = splat.opacity
        if motion.masks[d] & TEMPORAL:
            weight = temporal_weight(tau, log_width(motion, d))
            if weight >> 8 < motion.threshold:
                continue
            rec = chunk.splats.opacities[d]
            logit = Exact((faded_logit(rec, chunk.parameters.opacity, weight),), -20)
        tau = clamp(tau << octave(motion, d), -TIME_BOUND, TIME_BOUND)
        offsets = displacement(motion, d, tau)
        position = tuple(p + offset for p, offset in zip(splat.position.integers, offsets, strict=True))
        rotation = turned(turn(motion, d, tau), chunk.splats.rotations[d])
        shown.append(
            replace(
                splat,
                position=Exact(position, splat.position.exponent),
                rotation=Exact(rotation, -24),
                opacity=logit,
            )
        )
    return shown
