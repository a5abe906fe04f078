"""(5.11, 6.6) Colour: luma and two differences."""

from __future__ import annotations

from gscodec.reference.entropy import Stream
from gscodec.reference.parameters import COLOUR, REC_BOUND, Colour, Parameters
from gscodec.reference.predictor import Neighbours, Triple, predict, steps_within
from gscodec.reference.rotation import magnitude


def read_colours(
    stream: Stream, classes: list[int], near: list[Neighbours], parameters: Parameters
) -> list[Triple]:
    """(5.11) The reconstructed colour of every distinct splat."""
    values: list[Triple] = []
    for i, c in enumerate(classes):
        step, recs, before = parameters.multipliers[COLOUR][c], [], 0
        for channel in range(3):
            context = ((channel * parameters.classes + c) * 6 + near[i].bucket) * 3 + magnitude(before)
            start = predict(values, channel, i, near[i])
            before = stream.signed(3 * i + channel, context, steps_within(REC_BOUND, start, step))
            recs.append(start + before * step)
        values.append((recs[0], recs[1], recs[2]))
    stream.end()
    return values


def rgb(recs: Triple, settings: Colour) -> Triple:
    """(6.6) Red, green and blue in 2^(exponent - 7)."""
    y, co, cg = (
        (offset + rec) * mantissa
        for offset, rec, mantissa in zip(settings.offsets, recs, settings.mantissas, strict=True)
    )
    return 2 * y - cg + co, 2 * y + cg, 2 * y - cg - co
