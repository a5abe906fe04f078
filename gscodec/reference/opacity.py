"""(5.10, 6.5) Opacity: on the scale of log2(opacity + 1/16)."""

from __future__ import annotations

from gscodec._generated import logit
from gscodec.reference.entropy import Stream
from gscodec.reference.parameters import OPACITY, REC_BOUND, Opacity, Parameters
from gscodec.reference.predictor import Neighbours, predict, rounded, steps_within

LOWEST, HIGHEST = -4 << 20, 94_208


def read_opacities(
    stream: Stream, classes: list[int], near: list[Neighbours], parameters: Parameters
) -> list[int]:
    """(5.10) The reconstructed opacity of every distinct splat."""
    values: list[tuple[int]] = []
    for i, c in enumerate(classes):
        step = parameters.multipliers[OPACITY][c]
        base = rounded(predict(values, 0, i, near[i]), step)
        q = base + stream.signed(i, c * 6 + near[i].bucket, steps_within(REC_BOUND, base * step, step))
        values.append((q * step,))
    stream.end()
    return [value for (value,) in values]


def opacity_logit(rec: int, settings: Opacity) -> int:
    """(6.5) ln(opacity / (1 - opacity)) in 2^-20, between the entries of the table."""
    t = min(max(settings.offset + (rec * settings.step + 2048 >> 12), LOWEST), HIGHEST) - LOWEST
    j, fraction = t >> 12, t & 4095
    return logit.VALUE[j] + ((logit.VALUE[j + 1] - logit.VALUE[j]) * fraction + 2048 >> 12)
