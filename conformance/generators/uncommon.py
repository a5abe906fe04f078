"""Uncommon files: valid, but nothing that an encoder would write. From integers only. Standard library only.

Most come from streams.py: `SEEDS` are those that features.py chose, so that together they do all that 200
seeds do. The others are crafted for one rule each.
"""

# ruff: noqa: E501 (what a vector proves is one line of text)

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import further
import lossless
import lossless_cases
import streams
from craft import (
    PLAIN,
    Recipe,
    built_in_payloads,
    end_section,
    file_from_recipe,
    file_header,
    payloads,
    stream_file,
)
from fixup import section
from hello import RECIPE
from rans import zigzag
from streams import parameter_bytes

from gscodec._generated import extra_types
from gscodec.reference.container import ExtraAttribute
from gscodec.reference.parameters import BUILT_IN_SETS, SHORT_BASIS, Harmonics, Opacity, Rotation, Scale

SEEDS = (3, 5, 10, 21, 49, 97, 100, 105, 119, 134, 164, 174, 180, 185, 194)
BUILT_IN_SEEDS = (2, 4, 7, 12, 19, 23)
MOST = 40  # splats a chunk
REGRESS = {
    76: "Harmonics beyond the largest finite number, which the fast decoder once wrote as infinity: they saturate, as everything does.",
    77: "The same without a basis, and next to coefficients at their bound.",
}


@dataclass(frozen=True)
class Made:
    """A valid file made from integers, and what it proves."""

    name: str
    proves: str
    data: bytes


def from_seeds() -> Iterator[Made]:
    for seed in SEEDS:
        file = streams.file_from_seed(seed, MOST)
        chunks = sum(len(group.chunks) for group in file.groups)
        extras = ", ".join(f"{e.components} x {extra_types.NAMES[e.type]}" for e in file.extras)
        yield Made(
            f"random_{seed:03}",
            f"Values, parameters, tables and context maps drawn at random (seed {seed}): SH degree {file.sh_degree}, "
            f"{chunks} chunks, {len(file.groups)} parameter sets{', extra attributes ' + extras if extras else ''}. "
            "Values reach their bounds, predictions leave the usual range, lanes differ from stream to stream.",
            file.data,
        )


def built_in_from_seeds() -> Iterator[Made]:
    for seed in BUILT_IN_SEEDS:
        file = streams.file_from_seed(seed, MOST, is_built_in=True)
        yield Made(
            f"built_in_{seed:03}",
            f"Built-in sets with changes drawn at random (seed {seed}), {len(file.groups)} parameter sets, SH degree "
            f"{file.sh_degree}, {len(file.extras)} extra attributes: own tables, own maps, other tables for clusters; "
            "any number of classes, groups that are not the standard ones, bases stored in bytes or not at all.",
            file.data,
        )


def positions_at(exponent: int, origin: tuple[int, int, int], mantissa: int = 1) -> bytes:
    parameters = replace(PLAIN, position_mantissa=mantissa)
    script = {**RECIPE.script, "rotation": []}
    return file_from_recipe(
        replace(RECIPE, exponent=exponent, origin=origin, parameters=parameters, script=script)
    )


def crowd() -> bytes:
    """65,536 splats from a table of one symbol: there is not a single word to decode."""
    recipe, count = Recipe(depth=0), struct.pack("<I", 65_536)
    parameters, chunk = payloads(recipe)
    chunk = chunk[:4] + count + chunk[8:43] + count + chunk[47:]  # splat_count and the only tree count
    return stream_file(replace(recipe, count=65_536), parameters, chunk)


def built_in_nothing() -> bytes:
    """The smallest splat there is, all of whose values the tables of set 0 have."""
    recipe = Recipe(depth=0)
    parameters, chunk = built_in_payloads(recipe)
    fixed = parameter_bytes(replace(PLAIN, predicted=BUILT_IN_SETS))
    if parameters != fixed + bytes(3):
        raise ValueError("the set's tables do not have all symbols")
    return stream_file(recipe, parameters, chunk)


def some(recipe: Recipe, groups: int) -> Recipe:
    """`recipe` with values that differ from splat to splat."""
    dice, p = random.Random(f"some {groups}"), recipe.parameters
    classes = [i * 5 % p.classes for i in range(recipe.count)]
    script: dict[str, list[int]] = {
        "importance": classes,
        "scale": [v for _ in classes for v in (dice.randrange(-4, 5), dice.randrange(5), dice.randrange(9))],
        "opacity": [dice.randrange(-5, 6) for _ in classes],
        "colour": [dice.randrange(-5, 6) for _ in range(3 * recipe.count)],
    }
    if p.harmonics:
        script["groups"] = [dice.randrange(1, groups + 1) for _ in classes]
        coded = sum(3 * p.harmonics.bounds[group - 1] for group in script["groups"])
        script["coefficients"] = [dice.choice((0, 0, 1, -1, 2, -3, 5)) for _ in range(coded)]
    return replace(recipe, script=script)


def plain_harmonics(n: int, bounds: list[int], basis: list[list[int]] | None = None) -> Harmonics:
    colour = [[1 << 10, 3, 5], [-7, 1 << 11, 0], [0, 9, 1 << 9]]
    return Harmonics(n, bounds, -4, colour, basis, list(range(3 * n)))


def built_in_bounds() -> bytes:
    parameters = replace(PLAIN, harmonics=plain_harmonics(8, [2, 5, 8]))
    recipe = some(Recipe(count=16, sh_degree=2, parameters=parameters), 3)
    return stream_file(recipe, *built_in_payloads(recipe, 2))


def built_in_classes() -> bytes:
    parameters = replace(
        PLAIN,
        classes=8,
        multipliers=[[1, 7] for _ in range(5)],
        harmonics=plain_harmonics(3, [1, 3]),
    )
    recipe = some(Recipe(count=48, sh_degree=1, parameters=parameters), 2)
    return stream_file(recipe, *built_in_payloads(recipe, 1))


def bytes_of_basis(basis: list[list[int]]) -> tuple[Recipe, bytes, bytes]:
    """(4.6) A file whose basis is stored in bytes: what it is made of, and the payloads of PARM and CHNK."""
    parameters = replace(PLAIN, harmonics=plain_harmonics(8, [8], basis))
    recipe = some(Recipe(count=4, sh_degree=2, parameters=parameters), 1)
    stored, chunk = payloads(recipe)
    tail = stored[len(parameter_bytes(parameters)) :]
    return recipe, parameter_bytes(parameters, SHORT_BASIS) + tail, chunk


def basis_of_bytes() -> bytes:
    basis = [[64 * (k == j) for j in range(8)] for k in range(8)]
    basis[1] = [64 * 100] * 8
    for k, entry in enumerate((-128, 100, -128, 127, 28)):
        basis[k][3] = 64 * entry  # 511 together
    return stream_file(*bytes_of_basis(basis))


def bounds_of_nothing() -> bytes:
    scene = struct.pack(
        "<QI8Bf3d6fH", 2**64 - 1, 2**32 - 1, *[0] * 8, 0.0, *[0.0] * 3, *[-1.0] * 3, *[1.0] * 3, 0
    )
    return file_header() + section(b"SCEN", scene) + end_section(0)


def crafted() -> Iterator[Made]:
    """One rule each."""
    yield Made(
        "hello_built_in",
        "The splats of baseline/hello with built-in tables, maps and predictor sets: there is no table in it.",
        stream_file(RECIPE, *built_in_payloads(RECIPE)),
    )
    yield Made(
        "built_in_nothing",
        "A set without a single word: the tables of the set as they are.",
        built_in_nothing(),
    )
    yield Made(
        "rounding_ties",
        "Positions of 2^24 + 1, + 3, + 5, + 7: exactly between two binary32 numbers, rounded to even.",
        positions_at(0, (1 << 23, 1 << 23, -(1 << 23))),
    )
    yield Made(
        "rounding_once",
        "Positions of 53 bits just beside such a tie: rounding to binary64 and cutting first would give the other one.",
        positions_at(-30, ((1 << 35) - 1, -(1 << 35), (1 << 35) - 256), 65_535),
    )
    yield Made(
        "rounding_saturates",
        "Positions of about 2^172: the largest finite number, never infinity.",
        positions_at(120, (1 << 35, -(1 << 35), 0), 65_535),
    )
    yield Made(
        "rounding_denormal",
        "Positions of 1 to 7 times 2^-150: denormal numbers, and ties between them; the smallest becomes 0.",
        positions_at(-150, (0, -2, 0)),
    )
    yield Made(
        "rounding_minus_zero",
        "Negative positions too small for binary32 become -0, whose sign is in the PLY.",
        positions_at(-200, (-2, 0, -1)),
    )
    yield Made(
        "crowd",
        "65,536 splats in one cell, the most that a chunk holds, in under 500 bytes: counts of 17 bits, and a decoder "
        "that takes memory by the length of the file runs out of it.",
        crowd(),
    )
    yield Made(
        "depth_20",
        "Points alone in cells of the highest level: 19 bits for each axis, and the largest cell numbers.",
        file_from_recipe(
            replace(
                RECIPE,
                depth=20,
                exponent=-20,
                script={
                    **RECIPE.script,
                    "position": [1, 1, 1, 1, 1, 0, *[(1 << 19) - 1] * 3, *[0] * 3, 1, 2, 4],
                },
            )
        ),
    )
    yield Made(
        "raw_bits",
        "Changes of an attribute of 32 bits over the whole range: tokens up to 127, raw bits that take two steps.",
        file_from_recipe(
            replace(
                RECIPE,
                extras=[ExtraAttribute(64, extra_types.U32, 2, 0, "id")],
                script={
                    **RECIPE.script,
                    "extra 0": [-(1 << 31), (1 << 31) - 1, 1 << 30, -1, 1 << 28, -(1 << 25)],
                },
            )
        ),
    )
    yield Made(
        "rotation_cells",
        "2,048 cells, escapes to the first and last of them, and a twist that wraps.",
        file_from_recipe(
            replace(
                RECIPE,
                parameters=replace(PLAIN, rotation=Rotation(1 << 28, 1 << 28, 2048, 2048)),
                script={
                    **RECIPE.script,
                    "scale": [9, 4, 3, 9, 1, 7, 9, 3, 3],
                    "rotation": [
                        255,
                        0,
                        255,
                        2047,
                        255,
                        2047,
                        255,
                        2047,
                        255,
                        0,
                        zigzag(-3),
                        zigzag(-127),
                        zigzag(126),
                        255,
                        0,
                    ],
                },
            )
        ),
    )
    yield Made(
        "scale_opacity_ends",
        "Scale and opacity at their bounds: tables are used at both ends, opacities are clamped.",
        file_from_recipe(
            replace(
                RECIPE,
                parameters=replace(
                    PLAIN,
                    scale=Scale(1 << 28, -(1 << 31), 0, 1, (1 << 31) - 1),
                    opacity=Opacity(1 << 28, (1 << 31) - 1),
                ),
                script={
                    "position": RECIPE.script["position"],
                    "scale": [4095, 0, 8190, -4095, 0, 0, 1, 0, 4096],
                    "opacity": [4095, -4095, -480],
                },
            )
        ),
    )
    yield Made(
        "built_in_bounds",
        "A built-in set with groups of harmonics that end at 2, 5 and 8 coefficients: as many as the standard ones, and other ones. "
        "Each is like the standard group that covers it; the stream of groups has one cluster.",
        built_in_bounds(),
    )
    yield Made(
        "built_in_classes",
        "A built-in set with eight classes: those from 5 on are in the clusters of class 4.",
        built_in_classes(),
    )
    yield Made(
        "basis_bytes",
        "A basis of bytes with a column whose magnitudes add up to the most that is allowed, and a row that has more.",
        basis_of_bytes(),
    )
    yield Made(
        "bounds_of_nothing_unknown",
        "A stream whose number of splats is unknown, which has bounds and ends without splats: bounds are not looked at.",
        bounds_of_nothing(),
    )
    for name, proves, data in further.uncommon_files():
        yield Made(name, proves, data)


def lossless_files() -> Iterator[Made]:
    """(11) Those of the lossless profile."""
    for name, proves, data in (*lossless.uncommon(), *lossless_cases.uncommon()):
        yield Made(name, proves, data)


def uncommon() -> Iterator[Made]:
    """All of them."""
    yield from from_seeds()
    yield from built_in_from_seeds()
    yield from crafted()
    yield from lossless_files()


def regress() -> Iterator[Made]:
    """What went wrong once."""
    for seed, text in REGRESS.items():
        yield Made(f"random_{seed:03}", text, streams.file_from_seed(seed).data)
