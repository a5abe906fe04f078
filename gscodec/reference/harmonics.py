"""(5.12, 6.7) Spherical harmonics above degree 0."""

from __future__ import annotations

from gscodec.reference.entropy import Stream
from gscodec.reference.parameters import HARMONICS, Harmonics, Parameters
from gscodec.reference.predictor import Neighbours, Triple, predict, steps_within

REC_BOUND = 65_535
STRIDE = 48  # values of a splat in the stream, more than a splat can have


def read_groups(
    stream: Stream, classes: list[int], near: list[Neighbours], groups: int, parameters: Parameters
) -> list[int]:
    """(5.12) The group of every distinct splat: how many of its slots are coded, 0 for none."""
    values: list[int] = []
    previous = 0
    for i, c in enumerate(classes):
        bucket = near[i].bucket
        previous = stream.symbol(i, (c * 6 + bucket) * (groups + 1) + previous, range(groups + 1))
        values.append(previous)
    stream.end()
    return values


def read_coefficients(
    stream: Stream,
    classes: list[int],
    groups: list[int],
    near: list[Neighbours],
    settings: Harmonics,
    parameters: Parameters,
) -> list[list[int]]:
    """(5.12) The reconstructed components of every distinct splat."""
    values: list[list[int]] = []
    for i, (c, group) in enumerate(zip(classes, groups, strict=True)):
        step, recs = parameters.multipliers[HARMONICS][c], []
        coded = 3 * settings.bounds[group - 1] if group > 0 else 0
        for j in range(3 * settings.coefficients):
            start, residual = predict(values, j, i, near[i]), 0
            allowed = steps_within(REC_BOUND, start, step)
            if j < coded:
                context = ((group - 1) * parameters.classes + c) * settings.coefficients + j // 3
                residual = stream.signed(STRIDE * i + j, context, allowed)
            else:
                stream.check(residual, allowed, "static.range")
            recs.append(start + residual * step)
        values.append(recs)
    stream.end()
    return values


def ordered(recs: list[int], settings: Harmonics) -> list[list[int]]:
    """(6.7) The components as coefficients of three channels."""
    table = [[0] * 3 for _ in range(settings.coefficients)]
    for rec, target in zip(recs, settings.order, strict=True):
        table[target // 3][target % 3] = rec
    return table


def transformed(table: list[list[int]], basis: list[list[int]]) -> list[list[int]]:
    """(6.7) The coefficients after the shared basis."""
    channels = list(zip(*table, strict=True))
    return [
        [4096 + sum(s * y for s, y in zip(column, channel, strict=True)) >> 13 for channel in channels]
        for column in zip(*basis, strict=True)
    ]


def coefficients(recs: list[int], settings: Harmonics) -> list[Triple]:
    """(6.7) Each coefficient of red, green and blue, in 2^(exponent - 6)."""
    table = ordered(recs, settings)
    if settings.basis is not None:
        table = transformed(table, settings.basis)
    rows = []
    for z in table:
        red, green, blue = (sum(c * v for c, v in zip(row, z, strict=True)) for row in settings.colour_matrix)
        rows.append((red, green, blue))
    return rows
