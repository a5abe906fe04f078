"""(12.5 to 12.8) Segments with motion that show rules which those of motions.py leave open.

Keyframes and shares with predictions that are not 0, and the ends of ranges. Standard library only.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import streams
from craft import Recipe
from fixup import section
from motion_craft import (
    LINE,
    STEPS,
    Model,
    Script,
    Source,
    Stage,
    bases_payload,
    coded_motion,
    stage,
    stage_of,
)
from motions import FINE, TURN, Segment, columns, moving, segment

from gscodec.reference.bases import Bases, Mixture
from gscodec.reference.parameters import PredictorSet

NEAR = PredictorSet(4, 1, [256] * 6, [10, 19, 29, 38, 48], [])  # as much as the splats before say


@cache
def drawn_stage(seed: int, group: int, chunk: int) -> Stage:
    """A chunk of a file that is drawn at random."""
    file = streams.file_from_seed(seed, 30)
    found = file.groups[group]
    return stage_of(found.parameter_payload, found.chunk_payloads[chunk], file.sh_degree, file.extras)


def crowd() -> Stage:
    """30 splats of six classes and all harmonics, whose neighbours are near and far; every multiplier differs."""
    return drawn_stage(112, 0, 0)


def repeated() -> Stage:
    """26 splats of eight classes, ten of which repeat another."""
    return drawn_stage(87, 1, 0)


def near_stage(shrink: Sequence[int], recipe: Recipe = FINE) -> Stage:
    """Three splats that are predicted from those before."""
    near = replace(NEAR, shrink=list(shrink))
    sets = [replace(near, distances=[(0, 0)] * attributes) for attributes in range(3)]
    return stage(replace(recipe, parameters=replace(recipe.parameters, sets=sets)))


def by_chance(
    name: str,
    proves: str,
    on: Stage,
    model: Model,
    ticks: Sequence[int],
    *,
    seed: int,
    spread: float,
    script: Script | None = None,
    bases: tuple[Bases, float] | None = None,
) -> Segment:
    """Values drawn about their predictions, in four lanes, with many tables."""
    body = section(b"PARM", on.parameter_payload)
    if bases is not None:
        told, wide = bases
        body += section(b"MBAS", bases_payload(told, Source(rng=random.Random(seed), spread=wide)))
    source = Source(script or {}, random.Random(seed), spread)
    payload, _ = coded_motion(on, model, source, (0, 100), 6, lanes=4)
    body += section(b"CHNK", on.chunk_payload) + section(b"MOTN", payload)
    return Segment(name, proves, body, on.header.count, 1, list(ticks), 100, on.sh_degree, on.extras)


# ------------------------------------------------------------ keyframes


def keyframes() -> Iterator[Segment]:
    on = crowd()
    all_ = replace(
        STEPS, flags=2, attributes=63, keys=3, interval=25, position=(1 << 12, 10), rotation=(1 << 10, 4),
        position_multipliers=[2, 5], rotation_multipliers=[3, 2],
    )  # fmt: skip
    full = {"masks": [63] * (30 * 3)}
    for extrapolated in (0, 63):
        yield by_chance(
            f"motion_keys_near_{extrapolated}",
            "All attributes change, each by about what it changes by in the splats before: predictions, six classes, each attribute's multipliers, contexts of 15 groups of harmonics"
            + ("; each goes on as it did." if extrapolated else "."),
            on,
            replace(all_, extrapolated=extrapolated),
            [0, 24, 25, 50, 75, 99],
            seed=4,
            spread=5,
            script=full,
        )
    yield by_chance(
        "motion_keys_some",
        "The same with lifespans, and attributes that change in some splats only: the others count as 0 in predictions.",
        on,
        replace(all_, flags=3, keys=4, interval=20),
        [0, 20, 40, 60, 80, 99],
        seed=7,
        spread=3,
    )
    on = repeated()
    yield by_chance(
        "motion_keys_repeated",
        "Splats that repeat another: lifespans, masks and changes are coded for distinct splats.",
        on,
        replace(all_, flags=3, position=(1 << 10, 16)),
        [0, 25, 50, 75, 99],
        seed=11,
        spread=2,
    )


def keyframe_ends() -> Iterator[Segment]:
    one = replace(STEPS, flags=2, keys=3, interval=25)
    yield segment(
        "motion_keys_wide",
        "Changes of four times the bound of reconstructed values, predicted from one another: sums of products of 37 bits.",
        near_stage([256] * 6),
        [
            moving(
                replace(one, attributes=1, extrapolated=1),
                masks=[1] * 9,
                position=[
                    *[65535, -65535, 65535, *[0] * 6], *[-196605, 196605, -196605, *[0] * 6], *[262140, -262140, 262140, *[0] * 6],
                ],
            )
        ],
        [0, 25, 50, 75],
    )  # fmt: skip
    parameters = replace(FINE.parameters, scale=replace(FINE.parameters.scale, step=1 << 10))
    on = near_stage([255] * 6, replace(FINE, parameters=parameters))
    yield segment(
        "motion_keys_exact",
        "Reconstructed values of exactly 4,194,303 and -4,194,303, of rotation 262,143: a prediction that is no multiple of the step.",
        on,
        [
            moving(
                replace(one, attributes=1, keys=1),
                masks=[1] * 3,
                position=[4, -4, 0, 65532, -65532, 0, -8, 8, 0],
            ),
            moving(
                replace(one, attributes=2, keys=1),
                masks=[2] * 3,
                rotation=[4, -4, 0, 4092, -4092, 0, -8, 8, 0],
            ),
        ],
        [0, 25],
    )
    yield segment(
        "motion_turn_bound",
        "Turns of keyframes whose components are limited to 2^22, each on its own.",
        stage(FINE),
        [
            moving(
                replace(STEPS, attributes=2, rotation=factor),
                masks=[2] * 3,
                rotation=[1, 4, -2, 4095, 1, 0, 0, -4095, -4094],
            )
            for factor in (((1 << 22) - 1, 0), (1 << 17, 1))
        ],
        [0, 10],
    )
    many = stage(Recipe(count=4096, depth=0, has_duplicates=True, script={"duplicate": [1] * 4095}))
    yield segment(
        "motion_symbols_most",
        "4,096 keys of one value of 4,096 splats, as many as are allowed; all but one splat repeat the first.",
        many,
        [moving(replace(STEPS, attributes=8, keys=4096, interval=1, flags=1), 5000, lives=[4094, 0], masks=[8, 8], opacity=[3, -5])],
        [4093, 4094, 4095],
        duration=5000,
    )  # fmt: skip


# ------------------------------------------------------------ polynomials


def polynomials() -> Iterator[Segment]:
    line = replace(LINE, translation=(1, 0), reference=TURN >> 1)
    shown = replace(line, flags=2, degree=1, centre_step=64, width_step=1 << 18, centre_offset=TURN >> 1)
    narrow = replace(shown, centre_step=1, width_offset=-(40 << 20))
    yield segment(
        "motion_width_least",
        "The logarithm of a width is limited to -16: weights of splats that are seen for 2^-16 of the segment.",
        stage(FINE),
        [moving(narrow, TURN, masks=[4, 4, 4], time=[0, 0, 4, 90, -3, 1])],
        [(1 << 19) + k for k in (0, 3, 8, 12, 16, 20, 31)],
        duration=TURN,
    )
    yield segment(
        "motion_width_rounded",
        "A width of 1 is reached by rounding to the nearest: otherwise time would be doubled.",
        stage(FINE),
        [
            moving(
                replace(shown, width_offset=-1, width_step=step),
                masks=[5, 5, 5],
                time=[0, 1, 0, -1, 0, 2],
                position=[99, 98, 97, 96, -95, 94, 93, 92, 91],
            )
            for step in (31, 32, 33)
        ],
        [0, 7, 50, 99],
    )
    far = replace(line, flags=2, degree=3, centre_step=1, centre_offset=-(1 << 31), width_step=1 << 20)
    yield segment(
        "motion_time_bound",
        "Time is limited to 2^23 - 1, not 2^23, before it is doubled and after.",
        stage(FINE),
        [
            moving(
                replace(far, centre_offset=offset, width_offset=width),
                masks=[5, 5, 5],
                time=[0, 0] * 3,
                position=[4095, -4095, 4094, *[4093, 4092, -4095] * 2, *[-4091, 4090, 4095] * 6],
            )
            for offset, width in (
                (-(1 << 31), 12 << 20),
                ((1 << 31) - 1, 12 << 20),
                (-(1 << 21), -(5 << 20) + 7),
                (-(1 << 31), 3 << 20),
            )
        ],
        [0, 99],
    )
    dark = stage(replace(FINE, script={**FINE.script, "opacity": [-16, -15, -14]}))
    yield segment(
        "motion_faint",
        "Opacities that are nearly or quite 0 are at least 4096 in 2^-24 before they are made fainter.",
        dark,
        [moving(shown, masks=[4, 4, 4], time=[0, 0, 0, -64, 3, -32])],
        [0, 30, 45, 50, 60, 99],
    )


# ------------------------------------------------------------ bases


def mixtures() -> Iterator[Segment]:
    on = crowd()
    six = Bases(9, 0, 6, 3, 30, -18, 4096)
    for seed, levels in ((3, 16), (5, 1000)):
        yield by_chance(
            f"motion_shares_near_{levels}",
            f"Shares of six bases, {levels} in all, predicted from those of the splats before, as far as there are any left.",
            on,
            Mixture(1, six, levels),
            [0, 15, 40, 99],
            seed=seed,
            spread=levels / 5,
            script={"masks": [int(i % 7 > 0) for i in range(30)]},
            bases=(six, 60),
        )
    yield by_chance(
        "motion_shares_left",
        "Shares that are predicted as all that is left, or more, and as less.",
        near_stage([256] * 6, replace(FINE, count=24, depth=0, script={})),
        Mixture(1, six, 12),
        [0, 15, 99],
        seed=8,
        spread=4,
        script={"masks": [int(i % 7 > 0) for i in range(24)]},
        bases=(six, 60),
    )
    on = repeated()
    yield by_chance(
        "motion_shares_repeated",
        "Shares of splats that repeat another.",
        on,
        Mixture(1, replace(six, exponent=-4), 64),
        [0, 15, 99],
        seed=6,
        spread=9,
        bases=(replace(six, exponent=-4), 60),
    )
    thirds = Bases(7, 0, 1, 3, 3, -14, 4096)
    yield segment(
        "motion_thirds",
        "Keys three ticks apart: the part of the way between them is rounded to the nearest 2^-16.",
        stage(FINE),
        [moving(Mixture(0, thirds, 1), masks=[1, 1, 1])],
        [0, 1, 2, 3, 4, 5, 6, 99],
        bases=[(thirds, {"rotation": columns(1, 0, 0, 0, 1, 0), "translation": [0, 0, 0, 1 << 27, -(1 << 27), 1 << 26, -(1 << 28), 9, 1 << 27]})],
    )  # fmt: skip
    ties = [
        (-3, -3, 0, -3, -3, -3), (-3, -3, 0, -3, -3, 1), (-3, -3, 0, -2, -2, -3),
    ]  # fmt: skip
    for_ties = Bases(7, 0, 3, 1, 1, -14, 4096)
    yield segment(
        "motion_ties",
        "Rotations of which two components are equally large, but for rounding of the others: the first one counts.",
        stage(FINE),
        [
            moving(Mixture(0, for_ties, 1), masks=[1, 1, 1], shares=[1, 0, 1, 0, 0]),
            moving(Mixture(0, for_ties, 1), masks=[1, 1, 1], shares=[0, 0, 1, 0, 1]),
            moving(Mixture(0, for_ties, 1), masks=[1, 1, 1], shares=[0, 1, 0, 0, 1]),
        ],
        [0],
        bases=[(for_ties, {"rotation": [v for row in ties for v in columns(*row)], "translation": [0] * 9})],
    )
    far = stage(
        replace(FINE, origin=(1 << 35,) * 3, parameters=replace(FINE.parameters, position_mantissa=65_535))
    )
    turns = {
        "z": columns(1, 1, 0, -1, 1, 0), "y": columns(1, 0, 1, 0, 1, 0), "odd": columns(1, 1, -2, 1, -1, 0),
    }  # fmt: skip
    three = Bases(7, 0, 3, 1, 1, -14, 4096)
    yield segment(
        "motion_far_turned",
        "Positions of 52 bits on the diagonal, turned so that all but the last bits of an axis cancel: products are summed exactly.",
        far,
        [
            moving(Mixture(0, three, 1), masks=[1, 1, 1], shares=share)
            for share in ([1, 1, 1], [0, 1, 0, 1, 0, 1], [0, 0] * 3)
        ],
        [0],
        bases=[(three, {"rotation": [v for row in turns.values() for v in row], "translation": [0] * 9})],
    )
    most = Bases(1, 3, 64, 2, 1 << 31, -200, 1)
    long = Bases(2, 0, 1, 4096, 1, -14, 65_535)
    yield segment(
        "motion_bases_most",
        "64 bases, the last of which moves a splat; 4,096 keys of a basis, the last two of which differ.",
        stage(FINE),
        [
            moving(Mixture(0, most, 1), 5000, masks=[1, 0, 1], shares=[0] * 63 + [*[0] * 62, 1]),
            moving(Mixture(0, long, 1), 5000, masks=[1, 1, 1]),
        ],
        [0, 99, 4094, 4095, 4999],
        bases=[
            (most, {"rotation": [*[9, 0, 0, 0, 9, 0] * 62, *[0, 9, 0, -9, 0, 0], *[9, 1, 2, 3, 9, 5], *[0, 1, 0, 0, 0, 1] * 64], "translation": [*[1, 2, 3] * 128]}),
            (long, {"rotation": [16, 0, 0, 0, 16, 0, *[0] * (6 * 4094), 3, 0, 1, 2, 0, -5], "translation": [4096, 1, 0, *[0] * (3 * 4094), 4096, 0, 9]}),
        ],
        duration=5000,
    )  # fmt: skip


def ruled_segments() -> Iterator[Segment]:
    """All of them."""
    for group in (keyframes, keyframe_ends, polynomials, mixtures):
        yield from group()
