"""(12.5) Segments with motion, drawn at random: every model with all that it has. Standard library only."""

from __future__ import annotations

import random
from dataclasses import dataclass

import streams
from fixup import section
from motion_craft import Model, Source, Stage, bases_payload, coded_motion, stage_of

from gscodec.reference.bases import HOLDS_FUNCTIONS, TRANSLATION_EXTRAPOLATED, Bases, Mixture
from gscodec.reference.functions import MAX_FOLLOWED, Functions, names_of
from gscodec.reference.keyframes import Keyframes
from gscodec.reference.motion import Motion
from gscodec.reference.polynomial import Polynomial


@dataclass(frozen=True)
class Moving:
    """A segment: its sections after SEGM, and what a decoder must find in them."""

    duration: int
    bases: dict[int, Bases]
    bases_payloads: list[bytes]
    stages: list[Stage]
    motions: list[tuple[bytes, Motion] | None]  # of each chunk

    def body(self) -> bytes:
        """The sections: parameters once, all MBAS, then each chunk with its MOTN."""
        out, written = b"", set()
        for stage in self.stages:
            if stage.parameters.id not in written:
                out += section(b"PARM", stage.parameter_payload)
                written.add(stage.parameters.id)
        out += b"".join(section(b"MBAS", payload) for payload in self.bases_payloads)
        for stage, motion in zip(self.stages, self.motions, strict=True):
            out += section(b"CHNK", stage.chunk_payload)
            out += section(b"MOTN", motion[0]) if motion else b""
        return out

    def splats(self) -> int:
        return sum(stage.header.count for stage in self.stages)


def draw_factor(rng: random.Random) -> tuple[int, int]:
    """Mostly one that moves splats by something that can be seen."""
    if rng.random() < 0.2:
        return rng.choice([1, (1 << 22) - 1]), rng.choice([0, 52])
    return rng.randint(1, (1 << 22) - 1), rng.randint(8, 24)


def draw_multipliers(rng: random.Random) -> list[int]:
    return [rng.randint(0, 3), rng.choice([0, 3, 7])]


def draw_polynomial(rng: random.Random) -> Polynomial:
    is_usual = rng.random() < 0.7
    return Polynomial(
        rng.randrange(8),
        rng.randint(0, 3),
        draw_multipliers(rng),
        draw_multipliers(rng),
        rng.choice([0, 1 << 19, 1 << 20, rng.randint(0, 1 << 20)]),
        draw_factor(rng),
        draw_factor(rng),
        rng.randint(1, 1 << 10) if is_usual else rng.choice([1, 1 << 20]),
        rng.randint(0, 1 << 20) if is_usual else rng.choice([-(1 << 31), (1 << 31) - 1, 0]),
        rng.randint(1 << 16, 1 << 20) if is_usual else rng.choice([1, 1 << 28]),
        rng.randint(-(4 << 20), 1 << 20) if is_usual else rng.choice([-(1 << 31), (1 << 31) - 1]),
        rng.choice([0, 0, 256, 65535]),
    )


def draw_keyframes(rng: random.Random, has_harmonics: bool) -> Keyframes:
    attributes = rng.choice([1, 3, 63, rng.randrange(64)]) & (63 if has_harmonics else 31)
    return Keyframes(
        rng.randrange(4),
        attributes,
        attributes & rng.randrange(64),
        rng.randint(1, 4),
        rng.choice([1, 25, 40, (1 << 32) - 1]),
        draw_multipliers(rng),
        draw_multipliers(rng),
        draw_factor(rng),
        draw_factor(rng),
    )


def draw_bases(rng: random.Random, id: int, exponent: int) -> Bases:
    return Bases(
        id,
        rng.randrange(4),
        rng.choice([1, 2, 5, 9]),
        rng.choice([1, 2, 6]),
        rng.choice([1, 17, 40, (1 << 32) - 1]),
        min(max(exponent + rng.choice([-40, -3, 0, 5, 30]), -200), 120),
        rng.choice([1, 64, 4096, 65535]),
    )


def draw_time_functions(rng: random.Random, id: int) -> Bases:
    return Bases(
        id,
        HOLDS_FUNCTIONS | rng.choice([0, TRANSLATION_EXTRAPOLATED]),
        rng.choice([1, 2, 5, 20]),
        rng.choice([1, 2, 6, 12]),
        rng.choice([1, 9, 17, (1 << 32) - 1]),
        0,
        rng.choice([1, 64, 4096, 65535]),
    )


def draw_functions(rng: random.Random, has_harmonics: bool, bases: Bases) -> Functions:
    every = 63 if has_harmonics else 31
    attributes, residual = (rng.choice([0, 1, every, rng.randrange(64) & every]) for _ in range(2))
    follows = {}
    for name in names_of(attributes):
        first = rng.randrange(bases.count)
        most = min(MAX_FOLLOWED, bases.count - first)
        follows[name] = first, rng.choice([1, most, rng.randint(1, most)])
    return Functions(
        rng.randrange(4),
        bases,
        attributes,
        residual,
        follows,
        draw_multipliers(rng),
        draw_multipliers(rng),
        draw_factor(rng),
        draw_factor(rng),
    )


def draw_model(rng: random.Random, stage: Stage, known: dict[int, Bases]) -> Model:
    kind = rng.randrange(4)
    if kind == 0:
        return draw_polynomial(rng)
    if kind == 1:
        return draw_keyframes(rng, stage.parameters.harmonics is not None)
    bases = rng.choice(list(known.values()))
    if bases.has_functions():
        return draw_functions(rng, stage.parameters.harmonics is not None, bases)
    return Mixture(rng.randrange(2), bases, rng.choice([1, 16, 255, 4095]))


def moving_from_seed(seed: int, most: int = 30) -> Moving:
    """A random segment: chunks of one random file, all with random motion but for a few."""
    rng = random.Random(seed)
    file = streams.file_from_seed(seed, most)
    stages = [
        stage_of(group.parameter_payload, payload, file.sh_degree, file.extras)
        for group in file.groups
        for payload in group.chunk_payloads
    ]
    duration = rng.choice([1, 100, 1000, (1 << 32) - 1])
    known: dict[int, Bases] = {}
    bases_payloads = []
    for id in rng.sample(range(256), rng.randint(1, 3)):
        has_functions = rng.random() < 0.5
        told = (
            draw_time_functions(rng, id) if has_functions else draw_bases(rng, id, stages[0].header.exponent)
        )
        bases_payloads.append(bases_payload(told, Source(rng=rng), rng.choice([1, 2, 7])))
        known[id] = told
    motions: list[tuple[bytes, Motion] | None] = []
    for stage in stages:
        if rng.random() < 0.1:
            motions.append(None)
            continue
        first = rng.choice([0, 0, rng.randrange(duration)])
        span = first, rng.choice([duration, rng.randint(first + 1, duration)])
        model, tables = draw_model(rng, stage, known), rng.choice([1, 2, 7, 64])
        motions.append(coded_motion(stage, model, Source(rng=rng), span, tables))
    return Moving(duration, known, bases_payloads, stages, motions)


def ticks_of(moving: Moving) -> list[int]:
    """A few ticks of a segment: the ends, and those in between."""
    d = moving.duration
    return sorted({0, d // 4, d // 2, d * 3 // 4, min(39, d - 1), d - 1})
