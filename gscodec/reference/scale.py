"""(5.8, 6.3) Scale: three log-scales in descending order."""

from __future__ import annotations

from gscodec._generated import dilation
from gscodec.reference.entropy import Stream
from gscodec.reference.parameters import REC_BOUND, SCALE, Parameters, Scale
from gscodec.reference.predictor import (
    Neighbours,
    Triple,
    predict,
    rounded,
    short_logarithm,
    steps_within,
)


def difference_context(larger: int, expected: int, floor: int, step: int) -> int:
    """(5.8) 16 classes of the expected difference by 16 classes of the larger scale above the floor."""
    above = max(0, (larger - floor) // step)
    return short_logarithm(expected) * 16 + short_logarithm(above)


def read_difference(stream: Stream, number: int, context: int, larger: int, step: int) -> int:
    """(5.8) By how many steps a scale is under the larger one."""
    return stream.hybrid(number, context, range(larger + REC_BOUND // step + 1))


def read_splat_scale(
    stream: Stream, i: int, c: int, bucket: int, bases: list[int], step: int, parameters: Parameters
) -> Triple:
    """(5.8) The scales of splat i, of class c, with predictions in steps."""
    floor, first = parameters.scale.floor, 6 * parameters.classes
    q1 = bases[0] + stream.signed(3 * i, c * 6 + bucket, steps_within(REC_BOUND, bases[0] * step, step))
    expected = max(0, bases[0] - bases[1] + (q1 - bases[0] >> 1))
    context = first + difference_context(q1 * step, expected, floor, step)
    q2 = q1 - read_difference(stream, 3 * i + 1, context, q1, step)
    expected = max(0, bases[1] - bases[2] + (q2 - bases[1] >> 1))
    context = first + 256 + difference_context(q2 * step, expected, floor, step)
    q3 = q2 - read_difference(stream, 3 * i + 2, context, q2, step)
    return q1 * step, q2 * step, q3 * step


def read_scales(
    stream: Stream, classes: list[int], near: list[Neighbours], parameters: Parameters
) -> list[Triple]:
    """(5.8) The reconstructed scales of every distinct splat."""
    values: list[Triple] = []
    for i, c in enumerate(classes):
        step = parameters.multipliers[SCALE][c]
        bases = [rounded(predict(values, k, i, near[i]), step) for k in range(3)]
        values.append(read_splat_scale(stream, i, c, near[i].bucket, bases, step, parameters))
    stream.end()
    return values


def undilated(d: int) -> int:
    """(6.3) 1/2 ln(1 - e^(-2d)), both in 2^-20, between the entries of the table."""
    if d <= 0:
        return dilation.VALUE[0]
    if d >= 8 << 20:
        return 0
    j, fraction = d >> 15, d & 32767
    return dilation.VALUE[j] + ((dilation.VALUE[j + 1] - dilation.VALUE[j]) * fraction + 16384 >> 15)


def log_scale(rec: int, settings: Scale) -> int:
    """(6.3) The log-scale in 2^-20."""
    u = settings.offset + (rec * settings.step + 2048 >> 12)
    return u + undilated(u - settings.dilation_log) if settings.dilation else u
