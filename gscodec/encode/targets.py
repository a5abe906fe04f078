"""Aims in place of a quality: a PSNR, a size or a largest error, reached by encoding a few times.

`Ruler` measures in pictures, `search` finds the quality number. All that is measured falls or rises smoothly
with the logarithm of that number, so a secant gets there in a few steps.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from gscodec.encode.refit import Float32, pictures
from gscodec.encode.steps import COARSEST_QUALITY, FINEST
from gscodec.errors import UsageError
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.metrics import pixel_errors, psnr
from gscodec.splats import Splats

Kind = Literal["psnr", "size", "error"]
Result = TypeVar("Result")

CAMERAS = 16  # in which is measured, at most
MOST = 100.0  # dB: pictures that are nearer to each other count as equal
STRAY = 1000  # one pixel in so many may have more than the largest error
ENCODINGS = 10  # at most, for one target
LEAP = 0.004  # of the logarithm of the number: closer than this, encodings differ by chance
BISECTED = 5  # so many in vain, and the measure is not smooth
FIRST = {"psnr": (40.0, 9.0), "size": (9.0, 0.6), "error": (6.0, 0.9)}  # dB, bytes a splat, of 255: at
FIRST_AT = 0.9  # this number; and the change per e-fold of it, of logarithms for sizes and errors
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
SIZE = re.compile(r"([0-9]*\.?[0-9]+) ?(|k|m|g|ki|mi|gi)(?:b|bytes?)?(?:/(splat|frame))?", re.IGNORECASE)
RATE = re.compile(r"([0-9]*\.?[0-9]+) ?(|[kKmMgG])(?:bps|bit/s)")  # a capital B would be bytes


@dataclass(frozen=True, slots=True)
class Scores:
    """How far pictures of decoded splats are from those of the input.

    psnr, worst  dB over all pixels, clamped to 0..1: mean over the cameras whose pictures differ (equal ones
                 would hide all others), and of the worst camera; inf where all pictures are equal
    error        of 255: in no camera more than one pixel in a thousand has a channel further off
    """

    psnr: float
    worst: float
    error: float


class Ruler:
    """Pictures of the input from those of some cameras that see anything, to hold decoded splats against.

    sees  whether any does: only then can be measured
    """

    def __init__(self, splats: Splats, cameras: Sequence[Camera], threads: int) -> None:
        wanted = pictures(splats, cameras, threads)
        seeing = [number for number, picture in enumerate(wanted) if picture.any()]
        self.cameras, self.threads = [cameras[number] for number in seeing], threads
        self._wanted = [wanted[number] for number in seeing]
        self.sees = bool(seeing)

    def measure(self, decoded: Splats) -> Scores:
        """The scores of `decoded`."""
        shown = pictures(decoded, self.cameras, self.threads)
        views = [_view(a, b) for a, b in zip(self._wanted, shown, strict=True)]
        levels = [level for level, _ in views if level < math.inf]
        return Scores(
            psnr=math.fsum(levels) / len(levels) if levels else math.inf,
            worst=min(levels, default=math.inf),
            error=max(error for _, error in views),
        )


def _view(wanted: Float32, shown: Float32) -> tuple[float, float]:
    """dB and the error that one pixel in a thousand may exceed, of 255."""
    level = psnr(wanted, shown)
    pixels = pixel_errors(wanted, shown).ravel()
    place = len(pixels) - 1 - len(pixels) // STRAY
    return level if level < MOST else math.inf, float(np.partition(pixels, place)[place])


# ---- what is aimed at


@dataclass(frozen=True, slots=True)
class Target:
    """A PSNR in dB, a size in bytes, or an error of 255."""

    kind: Kind
    value: float

    def coarseness(self, scores: Scores | None, size: int) -> float:
        """A measure that rises with the quality number."""
        if self.kind == "size":
            return -math.log(size)
        if scores is None:
            return 0.0
        return -min(scores.psnr, MOST) if self.kind == "psnr" else math.log(max(scores.error, 1e-3))

    @property
    def range(self) -> tuple[float, float, float]:
        """Lowest, ideal and highest coarseness."""
        if self.kind == "psnr":
            return -self.value - 0.1, -self.value, -self.value + 0.1
        aim = -math.log(self.value) if self.kind == "size" else math.log(self.value)
        if self.kind == "size":
            return aim, aim - math.log(0.995), aim - math.log(0.99)
        return aim + math.log(0.9), aim + math.log(0.95), aim

    def is_good(self, coarseness: float) -> bool:
        """Whether that will do: 0.2 dB, 1 %, or any error that is not too large."""
        low, _, high = self.range
        if self.kind == "error":
            return coarseness <= high
        extra = 0.1 if self.kind == "psnr" else 0.0
        return low - extra <= coarseness <= high + extra

    def is_forbidden(self, coarseness: float) -> bool:
        """Whether a size is over the limit, or an error."""
        low, _, high = self.range
        return {"psnr": False, "size": coarseness < low, "error": coarseness > high}[self.kind]

    def first(self, splats: int) -> tuple[float, float]:
        """A guess at the number's logarithm, and how coarseness changes with it."""
        usual, slope = FIRST[self.kind]
        at = -usual if self.kind == "psnr" else math.log(usual)
        if self.kind == "size":
            at = -at - math.log(max(splats, 1))
        return math.log(FIRST_AT) + (self.range[1] - at) / slope, slope


def target_of(
    psnr: float | None, size: int | float | str | None, error: float | None, units: Mapping[str, float]
) -> Target | None:
    """The one target that is given, or None.

    units  how many of those that a size may be for each of there are: splats, or frames and seconds

    Raises `UsageError` "usage.target".
    """
    given = [
        name
        for name, v in (("target_psnr", psnr), ("target_size", size), ("max_error", error))
        if v is not None
    ]
    if len(given) > 1:
        raise UsageError("usage.target", f"{' and '.join(given)} exclude each other: give one")
    if psnr is not None:
        return Target("psnr", _within("target_psnr", psnr, 5, 95))
    if size is not None:
        value, unit = parse_size(size)
        if unit and unit not in units:
            known = " or ".join(f"for each {each}" for each in units)
            raise UsageError("usage.target", f"size {size!r}: expected one of the whole file, or {known}")
        return Target("size", value * units[unit] if unit and units[unit] else value)
    if error is not None:
        return Target("error", _within("max_error", error, 0.01, 255))
    return None


def parse_size(size: float | str) -> tuple[float, str]:
    """The number of bytes of 12000, "12MB", "1.5 MiB", and what it is for each of: "", or a unit.

    The units are "splat" ("3.5B/splat"), "frame" ("20kB/frame") and "second" ("4Mbps"). Raises `UsageError`
    "usage.target".
    """
    if not isinstance(size, str):
        return _within("target_size", size, 1, 1e15), ""
    if match := SIZE.fullmatch(size.strip()):
        value, unit = float(match[1]) * UNITS[match[2].lower()], (match[3] or "").lower()
    elif match := RATE.fullmatch(size.strip()):
        value, unit = float(match[1]) * UNITS[match[2].lower()] / 8, "second"
    else:
        raise UsageError(
            "usage.target",
            f"size {size!r}: expected bytes, as in 250000, 12MB (a million), 1.5MiB or 3.5B/splat; of a "
            "sequence 20kB/frame or 4Mbps, too",
        )
    return _within("target_size", value, 0.01 if unit else 1, 1e15), unit


def _within(name: str, value: Any, low: float, high: float) -> float:
    if not isinstance(value, bool) and isinstance(value, Real) and low <= float(value) <= high:
        return float(value)
    raise UsageError("usage.target", f"{name} {value!r}: expected {low:g} to {high:g}")


# ---- the search


@dataclass(frozen=True, slots=True)
class Trial(Generic[Result]):
    """One encoding: its quality number, what it measures, and the encoding."""

    number: float
    coarseness: float
    result: Result


@dataclass(frozen=True, slots=True)
class Found(Generic[Result]):
    """The best trial, whether it reached the target, and how many there were."""

    best: Trial[Result]
    is_reached: bool
    count: int


def search(target: Target, splats: int, attempt: Callable[[float], tuple[float, Result]]) -> Found[Result]:
    """Encode until the target is reached, at most `ENCODINGS` times.

    attempt  encodes at a quality number, and returns its coarseness (see `Target`) and the encoding
    """
    low, high = math.log(FINEST), math.log(COARSEST_QUALITY)
    at, slope = target.first(splats)
    low_good, aim, high_good = target.range
    trials: list[Trial[Result]] = []
    while len(trials) < ENCODINGS:
        number = min(max(float(f"{math.exp(min(max(at, low), high)):.6g}"), FINEST), COARSEST_QUALITY)
        if any(trial.number == number for trial in trials):
            break  # at an end of what there is, or closer than numbers are told apart
        trials.append(Trial(number, *attempt(number)))
        if low_good <= trials[-1].coarseness <= high_good:
            break
        at = _next(trials, aim, slope)
    kept = [trial for trial in trials if not target.is_forbidden(trial.coarseness)]
    if kept and target.kind == "error":
        best = max(kept, key=lambda trial: trial.number)
    else:
        best = min(kept or trials, key=lambda trial: abs(trial.coarseness - aim))
    return Found(best, target.is_good(best.coarseness), len(trials))


def _next(trials: Sequence[Trial[Result]], aim: float, slope: float) -> float:
    """The logarithm of the number to try next."""
    points = sorted((math.log(trial.number), trial.coarseness) for trial in trials)
    around = [(a, b) for a, b in pairwise(points) if a[1] < aim <= b[1]]
    if around:  # errors rise in leaps, and not always: the coarsest place where they pass the aim
        (x, y), (to, top) = around[-1]
        if to - x < LEAP:  # nothing between: of small scenes the curve is rough, so look beside
            count = sum(abs(point[0] - x) < 20 * LEAP for point in points)
            return x + (1 - 2 * (count % 2)) * 2 * LEAP * (count // 2)
        if len(trials) > BISECTED:
            return (x + to) / 2
        near = sorted(points, key=lambda point: abs(point[1] - aim))[:3]
        guess = _curve(near, aim) if len(near) == 3 else None
        share = (aim - y) / (top - y) if guess is None else (guess - x) / (to - x)
        if not 0 < share < 1:
            share = (aim - y) / (top - y)
        return x + min(max(share, 0.03), 0.97) * (to - x)
    if points[-1][1] >= aim:
        points.reverse()
    x, y = points[-1]
    if len(points) > 1:
        measured = (points[-2][1] - y) / (points[-2][0] - x)
        slope = min(max(measured, slope / 3), slope * 3)
    return x + min(max((aim - y) / slope, -3.0), 3.0)


def _curve(points: Sequence[tuple[float, float]], aim: float) -> float | None:
    """Where the parabola x(y) through three points is at y = aim; None if two are equally high."""
    (a, ya), (b, yb), (c, yc) = points
    if len({ya, yb, yc}) < 3:
        return None
    return (
        a * (aim - yb) * (aim - yc) / ((ya - yb) * (ya - yc))
        + b * (aim - ya) * (aim - yc) / ((yb - ya) * (yb - yc))
        + c * (aim - ya) * (aim - yb) / ((yc - ya) * (yc - yb))
    )
