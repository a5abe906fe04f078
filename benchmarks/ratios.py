"""Our bytes at another codec's quality, over its bytes: the one figure by which two codecs are compared.

Log bytes are interpolated linearly between our presets: against PSNR in dB, and against SSIM as
-10 log10(1 - SSIM). The worse of the two ratios counts. Nothing is extrapolated silently:

inside   the peer's quality lies between two of our presets
below    it is lower than our lowest preset, whose own bytes are taken: the true ratio is not larger
above    it is higher than our best preset: the last segment is prolonged, and the result proves nothing
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

INSIDE, BELOW, ABOVE = "inside", "below", "above"
MARKS = {INSIDE: "", BELOW: "<= ", ABOVE: "~ "}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One coded file: bytes per input splat and the quality of what it decodes to."""

    bytes_per_splat: float
    psnr: float
    ssim: float


@dataclass(frozen=True, kw_only=True)
class Equal:
    """Our bytes per splat at a given quality, and how they were found."""

    bytes_per_splat: float
    where: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Our bytes over the peer's at equal PSNR and at equal SSIM."""

    at_psnr: Equal
    at_ssim: Equal
    psnr_ratio: float
    ssim_ratio: float

    @property
    def ratio(self) -> float:
        """The worse of the two."""
        return max(self.psnr_ratio, self.ssim_ratio)

    @property
    def where(self) -> str:
        """`above` if any of the two is; else that of the ratio that counts."""
        if ABOVE in (self.at_psnr.where, self.at_ssim.where):
            return ABOVE
        return self.at_psnr.where if self.psnr_ratio >= self.ssim_ratio else self.at_ssim.where

    def verdict(self, target: float | None) -> str:
        """Whether both ratios meet a target: yes, no, or open (out of our presets' range); else empty."""
        if target is None:
            return ""
        cases = ((self.at_psnr.where, self.psnr_ratio), (self.at_ssim.where, self.ssim_ratio))
        if any(where == INSIDE and ratio > target for where, ratio in cases):
            return "no"
        proven = all(where != ABOVE and ratio <= target for where, ratio in cases)
        return "yes" if proven else "open"


def ssim_decibels(ssim: float) -> float:
    """-10 log10(1 - SSIM), which is nearly linear in log bytes, as PSNR is."""
    return -10 * math.log10(max(1 - ssim, 1e-12))


def envelope(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """(quality, bytes) by rising bytes, without points that cost more than another one and are no better."""
    kept: list[tuple[float, float]] = []
    for quality, size in sorted(curve, key=lambda point: (point[1], -point[0])):
        if math.isfinite(quality) and size > 0 and (not kept or quality > kept[-1][0]):
            kept.append((quality, size))
    return kept


def _curve(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    points = envelope(curve)
    if len(points) < 2:
        raise ValueError("a curve needs two points of different quality")
    return points


def quality_at(curve: Sequence[tuple[float, float]], size: float) -> float:
    """Quality of the curve of (quality, bytes) at a size, linear in log bytes; outside, that of its ends."""
    points = _curve(curve)
    sizes = [math.log(point[1]) for point in points]
    return float(np.interp(math.log(size), sizes, [point[0] for point in points]))


def bd_rate(
    ours: Sequence[tuple[float, float]],
    theirs: Sequence[tuple[float, float]],
    low: float = 38,
    high: float = 52,
) -> tuple[float, float, float]:
    """(share, low, high): Bjøntegaard's mean of our log bytes less theirs, as a share (-0.3: 30 % fewer).

    Curves are of (quality, bytes), log bytes a piecewise cubic (PCHIP) of quality. The mean is over the part
    of low..high that both curves reach, which is returned too. Raises ValueError when there is none, or for
    fewer than two points.
    """
    from scipy.interpolate import PchipInterpolator

    curves = [_curve(ours), _curve(theirs)]
    low = max(low, *(points[0][0] for points in curves))
    high = min(high, *(points[-1][0] for points in curves))
    if high <= low:
        raise ValueError("the curves have no range of quality in common")
    mean = [
        float(
            PchipInterpolator([q for q, _ in points], [math.log(b) for _, b in points]).integrate(low, high)
        )
        for points in curves
    ]
    return math.expm1((mean[0] - mean[1]) / (high - low)), low, high


def bytes_at(curve: Sequence[tuple[float, float]], quality: float) -> Equal:
    """Bytes of the curve of (quality, bytes) at `quality`. Raises ValueError for fewer than two points."""
    points = _curve(curve)
    if quality < points[0][0]:
        return Equal(bytes_per_splat=points[0][1], where=BELOW)
    where = ABOVE if quality > points[-1][0] else INSIDE
    last = next((i for i in range(1, len(points)) if quality <= points[i][0]), len(points) - 1)
    (q0, b0), (q1, b1) = points[last - 1], points[last]
    share = (quality - q0) / (q1 - q0)
    return Equal(bytes_per_splat=math.exp(math.log(b0) + share * (math.log(b1) - math.log(b0))), where=where)


def compare(ours: Sequence[Point], peer: Point) -> Comparison:
    """Our curve against one point of a peer. Raises ValueError as `bytes_at`."""
    at_psnr = bytes_at([(p.psnr, p.bytes_per_splat) for p in ours], peer.psnr)
    at_ssim = bytes_at([(ssim_decibels(p.ssim), p.bytes_per_splat) for p in ours], ssim_decibels(peer.ssim))
    return Comparison(
        at_psnr=at_psnr,
        at_ssim=at_ssim,
        psnr_ratio=at_psnr.bytes_per_splat / peer.bytes_per_splat,
        ssim_ratio=at_ssim.bytes_per_splat / peer.bytes_per_splat,
    )
