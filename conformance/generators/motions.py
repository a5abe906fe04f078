"""(12.5 to 12.8) Segments with motion: one rule each, from integers; and some drawn at random.

A `Segment` is what stands after SEGM, and the ticks to look at. Standard library only.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from craft import PLAIN, Recipe
from fixup import section
from hello import RECIPE
from motion_craft import LINE, STEPS, Model, Script, Source, Stage, bases_payload, coded_motion, stage
from motion_craft import start_bytes as start
from motion_draw import moving_from_seed, ticks_of

from gscodec.reference.bases import Bases, Mixture
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.parameters import Harmonics, PredictorSet

SEEDS = (1, 2, 5, 10, 13, 20, 33, 38)  # scenes whose attributes PLY can hold
TURN = 1 << 20  # in Q20
FINE = replace(
    RECIPE, parameters=replace(RECIPE.parameters, position_mantissa=4096), exponent=-14
)  # a needle, a disc and a ball
SAME = {k: v for k, v in RECIPE.script.items() if k != "position"}


@dataclass(frozen=True)
class Segment:
    """A segment and what it proves."""

    name: str
    proves: str
    body: bytes
    splats: int
    chunks: int
    ticks: list[int]
    duration: int = 100
    sh_degree: int = 0
    extras: list[ExtraAttribute] = field(default_factory=list)


Part = tuple[Model | None, Script, tuple[int, int]]


def moving(model: Model, until: int = 100, first: int = 0, **script: Sequence[int | None]) -> Part:
    return model, script, (first, until)


def segment(
    name: str,
    proves: str,
    on: Stage,
    parts: Sequence[Part],
    ticks: Sequence[int],
    *,
    bases: Sequence[tuple[Bases, Script]] = (),
    duration: int = 100,
    tables: int = 1,
) -> Segment:
    """The same chunk with one motion after another."""
    body = section(b"PARM", on.parameter_payload)
    for told, script in bases:
        body += section(b"MBAS", bases_payload(told, Source(script)))
    for model, script, span in parts:
        if model is None:
            payload = start(0, 0, *span)
        else:
            payload, _ = coded_motion(on, model, Source(script), span, tables)
        body += section(b"CHNK", on.chunk_payload) + section(b"MOTN", payload)
    count = on.header.count * len(parts)
    return Segment(name, proves, body, count, len(parts), list(ticks), duration, on.sh_degree, on.extras)


# ------------------------------------------------------------ polynomials


def polynomials() -> Iterator[Segment]:
    three = stage(FINE)
    yield segment(
        "motion_spans",
        "Chunks without a model that are shown for part of the segment, one of them for a single tick.",
        three,
        [(None, {}, (30, 60)), (None, {}, (0, 100)), (None, {}, (99, 100))],
        [0, 29, 30, 59, 60, 99],
    )
    line = replace(LINE, translation=(64, 1), reference=TURN >> 1)
    yield segment(
        "motion_degrees",
        "Degrees 0 to 3 about the middle of the segment; splats without the bit stay where they are.",
        three,
        [
            moving(replace(line, degree=0)),
            moving(line, masks=[1, 0, 1], position=[9, -5, 300, -1, 0, 7]),
            moving(
                replace(line, degree=2), masks=[0, 1, 1], position=[9, -5, 300, -1, 0, 7, 1, 2, 3, 4, 5, 6]
            ),
            moving(
                replace(line, degree=3),
                masks=[1, 0, 0],
                position=[4095, -4095, 1, 4095, -4095, -1, -4095, 4095, 17],
            ),
        ],
        [0, 1, 33, 50, 99],
    )
    shown = replace(line, flags=2, degree=1, centre_step=1 << 10, width_step=1 << 20, centre_offset=TURN >> 1)
    yield segment(
        "motion_octaves",
        "Temporal splats whose widths are 2, 1/4 and under 1/256 of the segment: time is doubled 0, 2 and 8 times.",
        three,
        [
            moving(
                shown, masks=[5, 5, 5], time=[0, 64, 9, -128, -9, -700], position=[1, 2, 3, 4, 5, 6, 7, 8, 9]
            ),
            moving(shown, masks=[4, 1, 0], time=[0, -1], position=[-7, 0, 7]),
        ],
        [0, 25, 49, 50, 51, 75, 99],
    )
    yield segment(
        "motion_times_clamped",
        "Centres and widths at the ends of what their fields can say: time and log2 of the width are clamped.",
        three,
        [
            moving(
                replace(
                    shown, centre_offset=offset, centre_step=1 << 20, width_step=1 << 28, width_offset=width
                ),
                masks=[5, 5, 5],
                time=[4095, -4095, -4095, 4095, 0, 0],
                position=[4095] * 9,
            )
            for offset, width in ((-(1 << 31), (1 << 31) - 1), ((1 << 31) - 1, -(1 << 31)), (0, 0))
        ],
        [0, 50, 99],
    )
    for threshold in (0, 1, 65_535):
        yield segment(
            f"motion_threshold_{threshold}",
            f"Weights of 1, of nearly 1, of next to nothing and of nothing, those under {threshold} / 65536 not shown.",
            three,
            [
                moving(replace(shown, threshold=threshold), masks=[4, 4, 4], time=time)
                for time in (
                    [0, 0, 0, -128, 0, -160],
                    [0, -256, 6, -640, 0, -1023],
                    [0, 900, 3, 900, -60, 900],
                )
            ],
            [0, 40, 47, 49, 50, 52, 99],
        )
    turns = replace(line, flags=1, degree=0, rotation=(1 << 10, 4))
    yield segment(
        "motion_turns",
        "Rotations of a needle, a disc and a ball; turns at their bound; no turn, in any of its guises, which leaves the rotation as it is, to the bit.",
        three,
        [
            moving(turns, masks=[2, 2, 2], rotation=[0, 5, 0, 0, 0, 0, -99, 3, 1, 7, 8, -900]),
            moving(turns, masks=[2, 2, 0], rotation=[0, 4095, 0, 0, 4095, -4095, 4095, -4095]),
            moving(
                replace(turns, reference=0, rotation=((1 << 22) - 1, 0)),
                masks=[2, 2, 2],
                rotation=[-1, 0, 0, 0, 0, 1, 0, -1, 1, 0, 0, 0],
            ),
            moving(
                replace(turns, reference=0, rotation=(1 << 16, 0)),
                masks=[2, 2, 0],
                rotation=[-1, 0, 0, 0, -1, 1, 0, 0],
            ),
        ],
        [0, 1, 25, 50, 99],
    )
    both = replace(line, flags=7, degree=1, rotation=(1 << 10, 4), width_step=1 << 20)
    script: dict[str, Sequence[int]] = {
        "masks": [7, 3, 7],
        "time": [3, -70, -4, 30],
        "position": [5, 6, 7, 0, 0, 1, -9, -9, 2],
        "rotation": [1, 2, 3, 4, 0, 0, -1, 0, 2, 2, 2, 2],
    }
    near = PredictorSet(4, 1, [256, 250, 200, 256, 128, 64], [10, 19, 29, 38, 48], [])
    sets = [replace(near, distances=[(0, 0)] * attributes) for attributes in range(3)]
    for window, settings in ((0, PLAIN.sets), (4, sets)):
        on = stage(replace(FINE, parameters=replace(FINE.parameters, sets=settings)))
        yield segment(
            f"motion_window_{window}",
            "Motion is predicted from that of the splats before by predictor set S0"
            + ("." if window else ", whose window is 0: everything is predicted as 0, in bucket 0."),
            on,
            [moving(both, **script)],
            [0, 50, 99],
        )


def chunks() -> Iterator[Segment]:
    """What the chunk brings along."""
    parameters = replace(FINE.parameters, classes=8)
    eight = stage(
        replace(FINE, parameters=parameters, script={**FINE.script, "importance": [0, 7, 3]}, depth=2)
    )
    model = replace(
        LINE, flags=5, degree=3, translation=(64, 4), rotation=(99, 2), translation_multipliers=[3, 7],
        rotation_multipliers=[2, 5],
    )  # fmt: skip
    yield segment(
        "motion_classes",
        "Eight classes with multipliers up to 128, which bound what can be coded; 64 tables.",
        eight,
        [
            moving(
                model,
                masks=[3, 3, 3],
                position=[3, 2, 1, 0, -1, -2, 9, 9, 9, *[31, -31] * 4, 0, *[511, -511, 1] * 3],
                rotation=[1, 2, 3, 4, 100, -100, 3, 2, 0, 0, 9, -9],
            )
        ],
        [0, 50, 99],
        tables=64,
    )
    script = {
        **SAME,
        "scale": [4, 3, 0, 3, 0, 5],
        "rotation": [2],
        "opacity": [1, -1],
        "colour": [0, 2, -1, 0, 0, 2],
    }
    repeated = stage(replace(FINE, depth=0, has_duplicates=True, script={**script, "duplicate": [1, 0]}))
    yield segment(
        "motion_duplicates",
        "A splat that repeats the one before moves with it: motion is coded for distinct splats only.",
        repeated,
        [moving(replace(LINE, translation=(64, 0)), masks=[1, 1], position=[1, 2, 3, -1, -2, -3])],
        [0, 50, 99],
    )


# ------------------------------------------------------------ keyframes


def coloured_recipe() -> Recipe:
    """Three splats with harmonics of degree 1."""
    identity = [[1024 * (i == j) for j in range(3)] for i in range(3)]
    harmonics = Harmonics(3, [1, 3], -14, identity, None, list(range(9)))
    script = {**FINE.script, "groups": [1, 2, 0], "coefficients": [1, 2, 3, *range(9)]}
    return replace(FINE, sh_degree=1, parameters=replace(FINE.parameters, harmonics=harmonics), script=script)


def keys() -> Iterator[Segment]:
    on = stage(coloured_recipe())
    every = replace(
        STEPS, attributes=63, keys=3, interval=20, position=(64, 0), rotation=(1 << 10, 2), flags=1
    )
    script: dict[str, Sequence[int]] = {
        "lives": [0, 0, 0, 1, 1, 0],
        "masks": [63, 1, 0, 1, 62, 63, 63],
        "position": [1, 2, 3, -1, -2, -3, 0, 0, 5, 7, 7, 7, -8, 4, 1],
        "rotation": [0, 1, 0, 9, -9, 9, 4, 0, 0, -3, 0, 0],
        "scale": [0, 0, 9, 1, 1, 1, -3, -5, 0, 2, 0, 0],
        "opacity": [1, -4, 5, 6],
        "colour": [1, 2, 3, 0, 0, -1, 4, 4, 4, -5, -5, 5],
        "harmonics": [*range(9), *range(-9, 0), *[0] * 9, *[1] * 9],
    }
    for extrapolated in (0, 63):
        yield segment(
            f"motion_keys_{extrapolated}",
            "All attributes change at keys, lifespans among them"
            + (
                ": each goes on as it did before."
                if extrapolated
                else "; a scale that is no longer the largest keeps its place."
            ),
            on,
            [moving(replace(every, extrapolated=extrapolated), first=5, **script)],
            [0, 5, 24, 25, 44, 45, 65, 99],
        )
    lives = [0, 3, 1, 1, 2, 0]
    yield segment(
        "motion_lives",
        "Splats that are born and die, with nothing that changes: lifespans and masks that code nothing.",
        stage(FINE),
        [moving(replace(STEPS, attributes=0, flags=1, keys=3, interval=30), lives=lives, masks=[0] * 2)],
        [0, 29, 30, 59, 60, 90, 99],
    )
    yield segment(
        "motion_keys_bounds",
        "Reconstructed values of 4,194,240 and, of opacity, 262,080, the last multiples of 64 under their bounds, reached in one step or by going on; one key of the last tick, one never reached.",
        stage(FINE),
        [
            moving(
                replace(STEPS, keys=2, attributes=9, extrapolated=1, interval=interval, position=factor),
                masks=[9, 1, 8, 1, 9, 0],
                position=[65535, -65535, 32767, -32767, 1, 2, -65535, 65535, 1, -1, 1, 1],
                opacity=[4094, -4096, -300],
            )
            for interval, factor in ((49, (1, 0)), (99, ((1 << 22) - 1, 0)), ((1 << 32) - 1, (1, 52)))
        ],
        [0, 49, 98, 99],
    )


# ------------------------------------------------------------ bases

Q20 = 1 << 20
AXES = {
    "none": [1, 0, 0, 0, 1, 0],
    "x": [1, 0, 0, 0, -1, 0],
    "y": [-1, 0, 0, 0, 1, 0],
    "z": [-1, 0, 0, 0, -1, 0],
}
STILL = Bases(7, 0, 1, 1, 10, -14, 4096)


def columns(*values: int) -> list[int]:
    """The six values of a rotation, in steps of 4096 of 2^-20."""
    return [256 * v for v in values]


def mixtures() -> Iterator[Segment]:
    on = stage(FINE)
    for axis, first in AXES.items():
        one = {"rotation": columns(*first), "translation": [4096, 0, -4096]}
        yield segment(
            f"motion_half_turn_{axis}",
            f"One basis, half a turn about {axis}: another component of the quaternion is the largest.",
            on,
            [moving(Mixture(0, STILL, 1), masks=[1, 0, 1])],
            [0, 99],
            bases=[(STILL, one)],
        )
    told = Bases(255, 0, 3, 3, 30, -13, 4096)
    rotation = [*columns(1, 0, 0, 0, 1, 0), *columns(0, 1, 0, -1, 0, 0), *columns(2, 0, 1, 0, 0, 3)]
    rotation += [*[5] * 18, *[-40, 0, 0, 0, 70, 0] * 3]
    translation = [0, 0, 0, 4096, 0, 0, 0, -4096, 9, *[100] * 9, *[-3, 2000, 1] * 3]
    for flags in range(4):
        mixture = Mixture(1, replace(told, flags=flags), 16)
        yield segment(
            f"motion_mixture_{flags}",
            "Three bases between their keys and after the last, in shares that add up to 16"
            + ("; rotations go on as before" if flags & 1 else "")
            + ("; translations go on as before." if flags & 2 else "."),
            on,
            [
                moving(replace(mixture, levels=16), masks=[1, 1, 1], shares=[16, 3, 5, 0, 16]),
                moving(replace(mixture, levels=4095), masks=[1, 1, 0], shares=[4000, 95, 0, 1]),
            ],
            [0, 1, 15, 30, 59, 60, 99],
            bases=[(mixture.bases, {"rotation": rotation, "translation": translation})],
        )
    odd = [
        columns(0, 0, 0, 0, 1, 0), columns(1, 0, 0, 0, 0, 0), columns(1, 1, 0, 2, 2, 0), columns(1, 1, 0, -1, -1, 0),
        [1, 0, 0, 0, 1, 0], [1000, 1, 0, 1000, 2, 0], columns(0, 0, 4, 4, 0, 0), columns(-4, 0, 0, 0, 0, -4),
    ]  # fmt: skip
    many = Bases(0, 0, 8, 1, 1, -14, 4096)
    yield segment(
        "motion_degenerate",
        "Columns of 0, columns that are parallel, or nearly, or tiny, or at their bound; sums of bases that cancel.",
        on,
        [
            moving(
                Mixture(0, many, 2),
                masks=[1, 1, 1],
                shares=[*[0] * k, 2, *[0] * (k + 1), 2, *[0] * (k + 2), 1, 1],
            )
            for k in range(4)
        ],
        [0],
        bases=[(many, {"rotation": [v for row in odd for v in row], "translation": [5] * 24})],
    )
    for exponent in (-200, -44, -43, -15, 35, 36, 37, 120):
        scale = replace(STILL, exponent=exponent)
        one = {"rotation": columns(3, 4, 0, -4, 3, 0), "translation": [1 << 28, -(1 << 28), -3]}
        yield segment(
            f"motion_exponent_{exponent}".replace("-", "minus_"),
            f"Translations in 2^{exponent}, positions in 2^-14: they are rounded, or limited.",
            on,
            [moving(Mixture(0, scale, 1), masks=[1, 1, 1])],
            [0],
            bases=[(scale, one)],
        )
    far: Recipe = replace(
        FINE,
        origin=(1 << 35, -(1 << 35), 1 << 35),
        parameters=replace(FINE.parameters, position_mantissa=65_535),
    )
    diagonal = {"rotation": columns(1, -1, 1, 1, 1, 0), "translation": [1 << 28, -(1 << 28), 1 << 28]}
    most = replace(STILL, exponent=120)
    yield segment(
        "motion_far",
        "Positions of 52 bits on a diagonal that is turned to an axis: all but 2^53, and no sum exceeds it.",
        stage(far),
        [
            moving(Mixture(0, most, 1), masks=[1, 1, 0]),
            moving(
                replace(LINE, degree=3, translation=((1 << 22) - 1, 0)),
                masks=[1, 0, 1],
                position=[4095, -4095] * 9,
            ),
        ],
        [0, 99],
        bases=[(most, diagonal)],
    )


def random_segments() -> Iterator[Segment]:
    for seed in SEEDS:
        drawn = moving_from_seed(seed)
        on = drawn.stages[0]
        models = sorted({type(m[1].model).__name__ for m in drawn.motions if m})
        yield Segment(
            f"motion_random_{seed:03}",
            f"Motion drawn at random (seed {seed}): {', '.join(models)}; SH degree {on.sh_degree}, {len(on.extras)} extra attributes.",
            drawn.body(),
            drawn.splats(),
            len(drawn.stages),
            ticks_of(drawn),
            drawn.duration,
            on.sh_degree,
            on.extras,
        )


def segments() -> Iterator[Segment]:
    """All segments with motion."""
    for group in (polynomials, chunks, keys, mixtures, random_segments):
        yield from group()
