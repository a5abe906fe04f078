"""(12.7, 12.11) Segments whose splats follow functions of time, or have residuals at keys; from integers.

Standard library only.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from craft import Recipe
from motion_craft import PULSE, WAVES, Script, Stage, stage
from motion_rules import NEAR, by_chance, near_stage
from motion_rules import crowd as crowded
from motion_rules import repeated as repeating
from motions import FINE, SAME, STILL, Segment, coloured_recipe, columns, moving, segment

from gscodec.reference.bases import HOLDS_FUNCTIONS, TRANSLATION_EXTRAPOLATED, Mixture
from gscodec.reference.functions import HAS_LIVES, PREDICTED, Functions, names_of

TICKS = [0, 1, 15, 29, 30, 45, 59, 60, 99]
FIVE = replace(PULSE, count=5)
IN_STEPS = {"functions": [256, 0, 9, -256, 40, *[-300, 256, -9, 5, 0], *[1000, -100, 0, 777, -1]]}


def lone(*attributes: str, residual: Sequence[str] = (), **changes: object) -> Functions:
    """A model in which each of the attributes follows the first function."""
    every = ("position", "rotation", "scale", "opacity", "colour", "harmonics")
    bits = [sum(1 << every.index(name) for name in names) for names in (attributes, residual)]
    follows = {name: (0, 1) for name in every if name in attributes}
    model = replace(
        WAVES, attributes=bits[0], residual=bits[1], follows=follows, position=(64, 0), rotation=(1 << 10, 2)
    )
    return replace(model, **changes)  # type: ignore[arg-type]


# ------------------------------------------------------------ functions


def functions() -> Iterator[Segment]:
    three = stage(FINE)
    moves: Script = {"masks": [1, 0, 1], "position": [9, -5, 300, -1, 0, 7]}
    for flag, text in (
        (0, "One function moves splats: between its keys and after the last; one splat does not follow it."),
        (TRANSLATION_EXTRAPOLATED, "The same where a function goes on as it did."),
    ):
        pulse = replace(PULSE, flags=HOLDS_FUNCTIONS | flag, keys=4)
        yield segment(
            f"motion_function_{flag}",
            text,
            three,
            [moving(lone("position", bases=pulse), **moves)],
            [*TICKS, 89, 90],
            bases=[(pulse, {"functions": [0, 256, -384, 77]})],
        )
    thirds = replace(PULSE, interval=3, keys=3)
    yield segment(
        "motion_function_thirds",
        "Keys three ticks apart, and a function that reaches 4 and -4.",
        three,
        [moving(lone("position", bases=thirds), **moves)],
        [0, 1, 2, 3, 4, 5, 6, 99],
        bases=[(thirds, {"functions": [1024, -2048, 2047]})],
    )
    one = replace(PULSE, keys=1, interval=(1 << 32) - 1)
    yield segment(
        "motion_function_key",
        "Functions of one key, which do not change: what the chunk says and more, at all ticks.",
        three,
        [
            moving(
                lone("position", residual=["opacity"], bases=one),
                **moves,
                opacity_fineness=[0, 13, 7],
                opacity_residuals=[9, -3],
            )
        ],
        [0, 50, 99],
        bases=[(one, {"functions": [300]})],
    )
    half = replace(PULSE, keys=2, interval=10, step=1 << 13)
    yield segment(
        "motion_function_half",
        "Products of exactly a half, above and below 0, are rounded up, and those next to them to the nearest; steps of the chunk's multipliers.",
        three,
        [
            moving(
                lone("position", "opacity", bases=half, position=(1 << 20, 0)),
                masks=[9, 9, 1],
                position=[1, -1, 3, -3, 0, 5, 7, -7, 2],
                opacity=[1, -1],
            )
        ],
        [0, 1, 5, 9, 10],
        bases=[(half, {"functions": [1, -2]})],
    )
    most = replace(PULSE, id=255, count=64, keys=2, step=65_535, interval=1 << 31)
    long = replace(PULSE, count=1, keys=4096, interval=1, step=1)
    yield segment(
        "motion_functions_most",
        "64 functions, of which splats follow the last 16 and the last one; 4,096 keys of a function, the last two of which differ.",
        three,
        [
            moving(
                lone("position", "colour", bases=most, follows={"position": (48, 16), "colour": (63, 1)}),
                5000,
                masks=[1, 17, 16],
                position=[*range(-24, 24), *[0, 0, 7] * 16],
                colour=[1, 0, -1, 0, 5, 0],
            ),
            moving(
                lone("position", bases=long), 5000, masks=[1] * 3, position=[1, 2, 3, -9, -9, 0, 0, 0, 77]
            ),
        ],
        [0, 99, 4094, 4095, 4999],
        bases=[
            (most, {"functions": [*range(-32, 32), *[32, -32] * 31, 32, 33]}),
            (long, {"functions": [1 << 22, *[0] * 4094, -(1 << 23)]}),
        ],
        duration=5000,
    )


def attributes() -> Iterator[Segment]:
    follows = {
        "position": (1, 2), "rotation": (4, 1), "scale": (0, 1), "opacity": (2, 3), "colour": (3, 2),
        "harmonics": (3, 1),
    }  # fmt: skip
    every = lone(*follows, bases=FIVE, follows=follows)
    script: dict[str, Sequence[int]] = {
        "masks": [63, 45, 63],
        "position": [1, 2, 3, -4, 0, 7, *[-1, -2, -3, 0, 0, 9], *[0, 0, 5, 5, 0, 0]],
        "rotation": [0, 1, 0, 9, -9, 9],
        "scale": [0, 0, 9, 1, 1, 1, -3, -5, 0],
        "opacity": [1, -4, 5, 6, 0, 0, -7, 8, 9],
        "colour": [1, 2, 3, 0, 0, -1, -4, 4, 4, -5, -5, 5],
        "harmonics": [*range(9), *range(-9, 0), *[1, -1, 0] * 3],
    }
    recipe = coloured_recipe()
    for flags, on in ((0, stage(recipe)), (PREDICTED, near_stage([256, 250, 200, 256, 128, 64], recipe))):
        yield segment(
            f"motion_functions_{flags}",
            "All attributes follow functions, each others of five"
            + ("; coefficients are predicted from those of the splats before." if flags else "."),
            on,
            [moving(replace(every, flags=flags), **script)],
            TICKS,
            bases=[(FIVE, IN_STEPS)],
            tables=5,
        )
    chosen = {"position": (0, 5), "rotation": (3, 2), "scale": (1, 1), "opacity": (4, 1), "colour": (0, 3)}
    drawn = replace(
        lone(*chosen, "harmonics", bases=replace(FIVE, interval=17, keys=5), flags=PREDICTED),
        follows={**chosen, "harmonics": (2, 3)},
        position=(1 << 12, 10),
        position_multipliers=[2, 5],
        rotation_multipliers=[3, 2],
        residual=63,
    )
    yield by_chance(
        "motion_functions_near",
        "Functions and residuals of all attributes: predictions, six classes, each attribute's multipliers, contexts of each function and of 15 groups of harmonics.",
        crowded(),
        replace(drawn, follows={**chosen, "harmonics": (2, 1)}),
        [0, 8, 17, 40, 68, 99],
        seed=14,
        spread=3,
        bases=(drawn.bases, 200),
    )
    yield by_chance(
        "motion_functions_repeated",
        "The same with lifespans, for splats that repeat others: all is coded for distinct splats.",
        repeating(),
        replace(
            drawn,
            attributes=31,
            follows=chosen,
            residual=9,
            flags=PREDICTED | HAS_LIVES,
            position=(1 << 10, 16),
        ),
        [0, 17, 40, 50, 68, 99],
        seed=15,
        spread=2,
        bases=(drawn.bases, 200),
    )
    same = {
        **SAME, "scale": [4, 3, 0, 3, 0, 5], "rotation": [2], "opacity": [1, -1], "colour": [0, 2, -1, 0, 0, 2],
    }  # fmt: skip
    yield segment(
        "motion_functions_duplicates",
        "A splat that repeats the one before moves with it.",
        stage(replace(FINE, depth=0, has_duplicates=True, script={**same, "duplicate": [1, 0]})),
        [
            moving(
                lone("position", residual=["position"]),
                masks=[1, 1],
                position=[1, 2, 3, -1, -2, -3],
                position_fineness=[0, 20],
                position_residuals=[1, 0, -1, *[0] * 6],
            )
        ],
        [0, 30, 99],
        bases=[(PULSE, {"functions": [256, -512, 9]})],
    )


def ends() -> Iterator[Segment]:
    """Values at their bounds."""
    two = replace(PULSE, count=2)
    wave: Script = {"functions": [256, 0, 768, -256, -2048, 1]}  # of which the first is 1, 4 and -4
    on = stage(coloured_recipe())
    yield segment(
        "motion_functions_bounds",
        "Coefficients at their bounds times 1, 4 and -4: sums are limited, residuals included, only at last.",
        on,
        [
            moving(
                lone(
                    "position", "rotation", "scale", "colour", "harmonics", residual=["position", "harmonics"],
                    bases=two, position=(1, 0), follows={"position": (0, 2), **dict.fromkeys(("rotation", "scale", "colour", "harmonics"), (0, 1))},
                ),
                masks=[55, 55, 55],
                position=[*[65_535, -65_535, 1] * 2, *[65_535, 9, 0, -65_535, 0, 0], *[-65_535, 65_535, 4, 0, 1, 2]],
                rotation=[4095, -4095, 1, 0, 5, 0, -4095, 0, 4095],
                scale=[4095, -4095, 7, 0, 0, 0, -4095, 4095, 4095],
                colour=[4095, 0, -4095, 1, 1, 1, -4095, -4095, 4095],
                harmonics=[*[1023, -1023, 9] * 3, *[0] * 9, *[-1023] * 9],
                position_fineness=[24, 1, 19],
                position_residuals=[-181, 181, 0, 524_287, -524_287, 9, 1, 0, -1, *[0] * 9, 181, 181, 181, *[0] * 6],
                harmonics_fineness=[1, 0, 24],
                harmonics_residuals=[*[-8191, 8191, 1] * 3, *[2] * 9, *[0] * 36],
            )
        ],
        TICKS,
        bases=[(two, wave)],
    )  # fmt: skip
    yield segment(
        "motion_functions_clamped",
        "Positions of 4,194,303 base steps and -4,194,303, which a factor carries far; turns limited to 2^22.",
        stage(FINE),
        [
            moving(
                lone("position", "rotation", bases=two, position=factor, rotation=((1 << 22) - 1, 0)),
                masks=[3, 1, 2],
                position=[65_535, -65_535, 65_534, -65_535, 1, 65_535],
                rotation=[4095, 1, 0, 0, -4095, 4094],
            )
            for factor in (((1 << 22) - 1, 0), (1, 52), (99, 9))
        ],
        TICKS,
        bases=[(two, wave)],
    )
    sets = [replace(NEAR, shrink=[255] * 6, distances=[(0, 0)] * attributes) for attributes in range(3)]
    yield segment(
        "motion_functions_exact",
        "Coefficients of exactly 4,194,303 and -4,194,303, of rotation 262,143: a prediction that is no multiple of the step.",
        stage(replace(FINE, parameters=replace(FINE.parameters, sets=sets))),
        [
            moving(
                lone("position", "rotation", flags=PREDICTED),
                masks=[3] * 3,
                position=[4, -4, 0, 65_532, -65_532, 0, -8, 8, 0],
                rotation=[4, -4, 0, 4092, -4092, 0, -8, 8, 0],
            ),
        ],
        TICKS,
        bases=[(PULSE, {"functions": [256, 0, 1]})],
    )
    many = stage(Recipe(count=4096, depth=0, has_duplicates=True, script={"duplicate": [1] * 4095}))
    keys = replace(PULSE, keys=4096, interval=1)
    yield segment(
        "motion_functions_symbols",
        "4,096 keys of one residual of 4,096 splats, as many as are allowed; all splats repeat the first.",
        many,
        [
            moving(
                lone("opacity", residual=["opacity"], flags=HAS_LIVES, bases=keys), 5000,
                lives=[4093, 1], masks=[8], opacity=[3], opacity_fineness=[5], opacity_residuals=[7, -7],
            )
        ],
        [4092, 4093, 4094, 4095],
        bases=[(keys, {"functions": [256]  + [0] * 4095})],
        duration=5000,
    )  # fmt: skip


# ------------------------------------------------------------ residuals


def crowd_of(count: int) -> Stage:
    """So many splats in one cell, which are predicted from one another."""
    return near_stage([256] * 6, replace(FINE, count=count, depth=0, script={}))


def residuals() -> Iterator[Segment]:
    on = stage(coloured_recipe())
    names = names_of(63)
    yield segment(
        "motion_residuals",
        "Residuals of all attributes at three keys, and no functions: some splats have none of an attribute.",
        on,
        [
            moving(
                lone(residual=names),
                position_fineness=[1, 12, 24],
                position_residuals=[1, -2, 3, 4, 0, 0, -1, 0, 1, *[5, 5, -5] * 3, *[0] * 9],
                rotation_fineness=[0, 20, 20],
                rotation_residuals=[1, 2, 3, -1, -2, -3, *[0] * 3, 9, 0, -9, *[40] * 6],
                scale_fineness=[16, 0, 17],
                scale_residuals=[1, 1, 1, 2, 0, 2, 0, 0, 0, -4, 4, -4, 1, 0, 1, 0, 0, 70],
                opacity_fineness=[0, 0, 8],
                opacity_residuals=[100, -100, 1],
                colour_fineness=[2, 3, 4],
                colour_residuals=[*range(-13, 14)],
                harmonics_fineness=[11, 0, 12],
                harmonics_residuals=[*range(9), *[0] * 9, *range(-9, 0), *[1, 0, -1] * 9],
            )
        ],
        TICKS,
        bases=[(PULSE, {"functions": [1, 2, 3]})],
        tables=6,
    )
    yield segment(
        "motion_functions_residuals",
        "Functions and residuals: a splat has both, one only the one, one only the other; residuals hold until the next key.",
        stage(FINE),
        [
            moving(
                lone("position", "opacity", residual=["position", "colour"]),
                masks=[9, 1, 8],
                position=[100, 0, -100, 7, 7, 7],
                opacity=[3, -3],
                position_fineness=[10, 0, 11],
                position_residuals=[30, -30, 3, *[100, 0, 0], -30, 30, 3, *[-100, 1, 1], *[0] * 3, 1, 1, 1],
                colour_fineness=[0, 21, 0],
                colour_residuals=[1, 0, 0, 0, 1, 0, 0, 0, -1],
            )
        ],
        TICKS,
        bases=[(PULSE, {"functions": [0, 256, -384]})],
    )
    yield segment(
        "motion_fineness",
        "Splats of every fineness, each next to one of another; with near splats of set S0 and without.",
        crowd_of(30),
        [
            moving(
                lone(residual=["position"], flags=flags),
                position_fineness=[*range(25), 0, 24, 24, 1, 0],
                position_residuals=[v % 7 - 3 for v in range(3 * 3 * 27)],
            )
            for flags in (0, PREDICTED)
        ],
        [0, 30, 60],
        bases=[(PULSE, {"functions": [0, 0, 0]})],
        tables=9,
    )
    keys = replace(PULSE, keys=24, interval=4)
    sizes = [[0] * 24, [*[1] * 6, *[0] * 17, 9], [*[40] * 3, *[1] * 6, *[0] * 15]]
    sizes += [[*range(24)], [*[0] * 10, *range(0, 28, 2)], [70, -21, 21, *[5, -4, 3] * 7]]
    sizes += [[70, 1, 0, 4, 0, 4, 0, 2, 0, 3, 4, 1, 4, 4, 4, 2, 1, 0, 0, 4, 1, 1, 1, 0]]  # 63, not 62 or 64
    yield segment(
        "motion_activity",
        "Splats of all activities: without residuals for long, with few, and with so large ones that they count as 63.",
        crowd_of(7),
        [
            moving(
                lone(residual=["position"], bases=keys),
                position_fineness=[7] * 7,
                position_residuals=[v for key in zip(*sizes, strict=True) for s in key for v in (s, 0, -s)],
            )
        ],
        [0, 4, 40, 91, 92, 99],
        bases=[(keys, {"functions": [0] * 24})],
        tables=8,
    )


# ------------------------------------------------------------ when and with what


def spans() -> Iterator[Segment]:
    three = stage(FINE)
    both: Script = {
        "masks": [1] * 3, "position": [9, 0, 0, 0, 9, 0, 0, 0, 9], "opacity_fineness": [9, 0, 9],
    }  # fmt: skip
    yield segment(
        "motion_functions_lives",
        "Splats that are born at a key and gone at another: residuals are coded in between; and lifespans alone.",
        three,
        [
            moving(
                lone("position", residual=["opacity"], flags=HAS_LIVES),
                lives=[0, 2, 1, 0, 1, 1],
                **both,
                opacity_residuals=[-20, 40],
            ),
            moving(lone(flags=HAS_LIVES), lives=[2, 0, 0, 1, 0, 0]),
        ],
        TICKS,
        bases=[(PULSE, {"functions": [256, -256, 512]})],
    )
    yield segment(
        "motion_functions_spans",
        "Chunks that are shown for a part of the segment: keys are counted from the start of the segment all the same.",
        three,
        [
            moving(
                lone("position", residual=["opacity"]), until, first, **both, opacity_residuals=[*range(6)]
            )
            for first, until in ((35, 77), (59, 60), (61, 100))
        ],
        [34, 35, 44, 58, 59, 60, 61, 76, 77, 99],
        bases=[(PULSE, {"functions": [256, -256, 512]})],
    )
    yield segment(
        "motion_functions_none",
        "Neither functions nor residuals: no stream, and splats that stay as they are.",
        three,
        [moving(lone(), 60, 20), moving(lone(flags=PREDICTED))],
        [0, 20, 59, 60, 99],
        bases=[(PULSE, {"functions": [256, 0, 0]})],
    )
    again = replace(PULSE, id=0, keys=2, interval=45)
    yield segment(
        "motion_functions_mixture",
        "A segment has rigid motions and functions: a chunk follows the former, and others functions of two sections.",
        three,
        [
            moving(lone("position"), masks=[1, 0, 0], position=[1, 2, 300]),
            moving(Mixture(0, STILL, 1), masks=[1, 0, 1]),
            moving(lone("position", bases=again), masks=[0, 1, 0], position=[1, 2, 300]),
        ],
        TICKS,
        bases=[
            (PULSE, {"functions": [256, 0, 1]}),
            (STILL, {"rotation": columns(1, 0, 0, 0, -1, 0), "translation": [4096, 0, -4096]}),
            (again, {"functions": [0, 512]}),
        ],
    )


def crowds() -> Iterator[Segment]:
    """Of more splats than there could be with residuals."""
    long = replace(PULSE, count=2, keys=4096, interval=1, step=1)
    crowd = stage(Recipe(count=2049, depth=0, has_duplicates=True, script={"duplicate": [1] * 2048}))
    yield segment(
        "motion_functions_crowd",
        "2,049 splats follow two functions with 4,096 keys: coefficients are not counted at keys, where they would be too many.",
        crowd,
        [moving(lone("opacity", bases=long, follows={"opacity": (0, 2)}), 4096, masks=[8], opacity=[40, -9])],
        [0, 1, 4095],
        bases=[(long, {"functions": [256, -256, *[1, 0, 0, -2] * 2047, 5, 7]})],
        duration=4096,
    )


def function_segments() -> Iterator[Segment]:
    """All of them."""
    for group in (functions, attributes, ends, residuals, spans, crowds):
        yield from group()
