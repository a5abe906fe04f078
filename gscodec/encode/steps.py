"""From a quality preset and a scene to a parameter set: how fine each attribute is coded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from gscodec.attributes import colour as colour_streams
from gscodec.attributes import harmonics as harmonic_streams
from gscodec.attributes import opacity as opacity_streams
from gscodec.encode.basis import choose_basis
from gscodec.errors import UsageError
from gscodec.parameters import (
    HARMONICS_MAX,
    REC_MAX,
    CodingParameters,
    ColourParameters,
    OpacityParameters,
    PredictorSet,
    RotationParameters,
    ScaleParameters,
)
from gscodec.splats import Splats


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Steps of class 0, and how classes are made. Every one can be overridden in `gscodec.encode`.

    position    in mean splat sizes        scale     natural log          rotation  radians
    opacity     octaves of alpha + 1/16    colour    f_dc, luma           harmonics coefficient
    prune       splats that never reach this blend weight are left out, where pictures are looked at
    """

    position: float
    scale: float
    rotation: float
    opacity: float
    colour: float
    harmonics: float
    classes: int = 5
    spread: float = 1.0
    opacity_power: float = 0.5
    size_power: float = 0.5
    distance_power: float = 0.5
    dead_zone: float = 0.6
    rate_weight: float = 0.12
    dilation: float = 0.125
    exponents: tuple[int, int, int, int, int] = (2, 2, 3, 3, 3)
    position_cap: int = 1
    prune: float = 0.011

    def __post_init__(self) -> None:
        """Plain numbers of any others, such as numpy's: files depend on values alone."""
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "exponents":
                value = tuple(map(int, value))
            else:
                value = int(value) if each.name in WHOLE else float(value)
            object.__setattr__(self, each.name, value)


WHOLE = {"classes": (1, 8), "position_cap": (0, 7)}
NON_NEGATIVE = (
    "spread",
    "opacity_power",
    "size_power",
    "distance_power",
    "dead_zone",
    "rate_weight",
    "dilation",
    "prune",
)


def check_step(name: str, value: object) -> str:
    """What is wrong with a value of a field of `Steps`; nothing if it is good."""
    if name == "exponents":
        good = isinstance(value, tuple) and len(value) == 5 and all(_is_whole(v, 0, 3) for v in value)
        return "" if good else "expected five exponent ids, 0 to 3"
    if name in WHOLE:
        low, high = WHOLE[name]
        return "" if _is_whole(value, low, high) else f"expected a whole number, {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        return "expected a finite number"
    value = float(value)
    if name in NON_NEGATIVE:
        return "" if 0 <= value <= 16 else "expected 0 to 16"
    return "" if 1e-6 <= value <= 1e3 else "expected 0.000001 to 1000"


def _is_whole(value: object, low: int, high: int) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and low <= int(value) <= high


BASE = Steps(position=0.09, scale=0.068, rotation=0.042, opacity=0.055, colour=0.034, harmonics=0.035)
PRESETS = {"near-lossless": 0.07, "high": 0.16, "default": 0.25, "small": 0.42, "tiny": 0.62}
FINEST, COARSEST_QUALITY = 0.05, 32.0  # with finer steps, residuals no longer fit their ranges


def quality_of(quality: object) -> float:
    """The number of a preset, or a number in range. Raises `UsageError` "usage.quality"."""
    number = PRESETS.get(quality) if isinstance(quality, str) else quality
    if not isinstance(number, bool) and isinstance(number, Real):
        number = float(number)
        if FINEST <= number <= COARSEST_QUALITY:
            return number
    raise UsageError(
        "usage.quality",
        f"quality {quality!r}: expected {', '.join(PRESETS)}, or {FINEST:g} to {COARSEST_QUALITY:g}",
    )


def steps_at(quality: float) -> Steps:
    """Steps for a quality number: 1 is `BASE`, 2 twice as coarse. Pruning and the like go along."""
    return replace(
        BASE,
        position=BASE.position * quality,
        scale=BASE.scale * quality,
        rotation=BASE.rotation * quality,
        opacity=BASE.opacity * quality,
        colour=BASE.colour * quality,
        harmonics=BASE.harmonics * quality,
        rate_weight=BASE.rate_weight * min(quality, 1.0) ** 0.25,
        dilation=BASE.dilation * min(quality / 0.42, 1.0) ** 0.55,
        prune=min(BASE.prune * quality, 0.03),
    )


def choose_steps(quality: str | float, steps: Mapping[str, object] | None) -> Steps:
    """The steps of a quality, with some of them overridden. Raises `UsageError`."""
    known = {f.name for f in fields(Steps)}
    for name, value in (steps or {}).items():
        if name not in known:
            raise UsageError("usage.steps", f"no step {name!r}: expected some of {', '.join(sorted(known))}")
        if problem := check_step(name, value):
            raise UsageError("usage.steps", f"step {name!r} is {value!r}: {problem}")
    return replace(steps_at(quality_of(quality)), **dict(steps or {}))  # type: ignore[arg-type]


WITHIN = 0.999  # share of importance whose values have to be in range
BLOCK = 1 << 15  # rows of harmonics looked at together
COARSEST = 512  # half cells across the scene, at least
CODE_EPSILON = 8  # the distance of clause 5.7 that stands for "the same"
UNIT = 256  # ... and the one that stands for "one unit apart"


def _factor(value: float) -> tuple[int, int]:
    """(factor, shift) for distances, factor * 2^-shift nearest to `value`."""
    shift = int(np.clip(7 - np.floor(np.log2(max(value, 1e-12))), 0, 31))
    return int(np.clip(round(value * 2.0**shift), 0, 255)), shift


def _code(value: float) -> int:
    v = int(value)
    e = v.bit_length() - 4
    return e << 3 | (v >> e) & 7


THRESHOLDS = tuple(_code(CODE_EPSILON + UNIT * t) for t in (0.05, 0.15, 0.4, 0.9, 2.0))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A parameter set, and what the encoder has to know besides it."""

    coding: CodingParameters
    steps: Steps
    exponent: int  # of half a finest cell
    size: float  # of a typical splat
    widened: tuple[str, ...] = ()  # attributes whose steps were too fine for their range of values

    @property
    def half_cell(self) -> float:
        """Half a finest cell, in scene units."""
        return self.coding.position_mantissa * 2.0**self.exponent

    def distances(self, exponent: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Position weights of a chunk whose half cells have this exponent."""
        per_size = self.coding.position_mantissa * 2.0**exponent / self.size
        first, second, third = (_factor(UNIT * weight * per_size) for weight in (0.4, 0.3, 0.25))
        return first, second, third


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a scene is and its splats are.

    typical    size of a splat    span  of the middle nine tenths of the centres
    thickness  logarithm of the median of middle axes
    """

    typical: float
    span: float
    thickness: float


def extent_of(splats: Splats) -> Extent:
    """Of `splats` (not empty, finite)."""
    logs = np.sort(splats.scales.astype(np.float64), axis=1)[:, ::-1]
    low, high = np.quantile(splats.positions.astype(np.float64), (0.05, 0.95), axis=0)
    return Extent(
        typical=float(np.exp(np.clip(logs.mean(), -60, 60))),
        span=float((high - low).max()),
        thickness=float(np.median(logs[:, 1])),
    )


def make_plan(
    splats: Splats,
    classes: NDArray[np.uint8],
    importance: NDArray[np.float64],
    steps: Steps,
    *,
    extent: Extent | None = None,
    id: int = 0,
) -> Plan:
    """The parameter set for `splats` (not empty, finite); `extent` is that of more than these."""
    extent = extent or extent_of(splats)
    logs = np.sort(splats.scales.astype(np.float64), axis=1)[:, ::-1]
    octaves = (np.minimum(classes, steps.position_cap) >> 1).mean()
    half = steps.position * extent.typical / 2**octaves / 2
    if extent.span > 0:
        half = min(
            half, extent.span / COARSEST
        )  # splats larger than the scene must not make cells of its size
    exponent = int(np.clip(np.floor(np.log2(half)) - 7, -200, 119))
    mantissa = int(np.clip(round(half / 2.0**exponent), 1, 65535))

    scale = _scale(logs, extent.thickness, steps)
    opacity = OpacityParameters(
        step=int(np.clip(round(steps.opacity * 2**26), 1, 1 << 28)),
        offset=round(float(np.median(opacity_streams.octaves(splats.opacities))) * 2**20),
    )
    near_scale, near_colour = 0.4 * scale.step / 2**32, steps.colour / 64
    nearness = (_factor(UNIT * near_scale), _factor(UNIT * near_colour))
    sets = (
        PredictorSet(window=16, power=2, thresholds=THRESHOLDS),
        PredictorSet(window=16, power=3, thresholds=THRESHOLDS, distances=nearness[:1]),
        PredictorSet(
            window=16,
            power=3,
            thresholds=THRESHOLDS,
            distances=nearness,
            shrink=(250, 230, 205, 170, 130, 80),
        ),
    )
    colour, widened = _colour(splats, steps), []
    largest = np.abs(colour_streams.lattice(splats.sh_dc, colour)).max(1)
    if (beyond := _beyond(largest, importance, REC_MAX)) > 1:
        colour = _colour(splats, replace(steps, colour=steps.colour * beyond))
        widened.append("colour")
    harmonics = None
    if splats.sh_degree:
        harmonics = choose_basis(splats.sh_rest, importance**2, steps.harmonics)
        blocks = [splats.sh_rest[i : i + BLOCK] for i in range(0, len(splats), BLOCK)]
        largest = np.concatenate([np.abs(harmonic_streams.lattice(b, harmonics)).max(1) for b in blocks])
        if (beyond := _beyond(largest, importance, HARMONICS_MAX)) > 1:
            harmonics = choose_basis(splats.sh_rest, importance**2, steps.harmonics * beyond)
            widened.append("harmonics")
    coding = CodingParameters(
        id=id,
        classes=steps.classes,
        position_cap=steps.position_cap,
        position_mantissa=mantissa,
        exponents=steps.exponents,
        caps=(7, 7, 7, 7, 7),
        scale=scale,
        rotation=_rotation(scale.step, steps),
        opacity=opacity,
        colour=colour,
        predicted=31 if harmonics else 15,
        sets=sets,
        harmonics=harmonics,
    )
    return Plan(coding=coding, steps=steps, exponent=exponent, size=extent.typical, widened=tuple(widened))


def _beyond(largest: NDArray[np.floating], importance: NDArray[np.float64], limit: int) -> float:
    """How many times wider the range would have to be for what counts; a few wild splats may saturate.

    largest  (N,) greatest magnitude of a splat's values, in rec units
    """
    if not (largest > 0.9 * limit).any():
        return 1.0
    order = np.argsort(largest)
    share = np.cumsum(importance[order])
    most = largest[order[np.searchsorted(share, WITHIN * share[-1])]]
    return float(min(max(1.0, most / (0.9 * limit)), 1e6))


def _scale(logs: NDArray[np.float64], thickness: float, steps: Steps) -> ScaleParameters:
    """Steps of log-scales `logs` (N, 3), largest first; axes much thinner than `thickness` are dilated."""
    tau = thickness + np.log(steps.dilation) if steps.dilation > 0 else -np.inf
    dilated = bool(np.isfinite(tau) and np.abs(tau) < 2000)
    step = int(np.clip(round(steps.scale * 2**26), 1, 1 << 28))
    # Counted from the dilation, it is among the values of every class, and axes far thinner stay next to
    # nothing; otherwise all of them would become as thick as the nearest value says, up to twice tau.
    if dilated and float(logs[:, 0].max()) - tau < REC_MAX * (step / 2**32):
        centre = tau
    else:
        centre = float(np.clip(np.median(logs[:, 0]), -2000, 2000))
    low = tau if dilated else float(np.clip(np.quantile(logs[:, 2], 0.01), -2000, 2000))
    return ScaleParameters(
        step=step,
        offset=round(centre * 2**20),
        floor=int(np.clip(round((low - centre) * 2.0**32 / step), -(1 << 20), 1 << 20)),
        dilated=dilated,
        ln_tau=round(tau * 2**20) if dilated else 0,
    )


def _rotation(scale_step: int, steps: Steps) -> RotationParameters:
    """(5.9) Cells per unit of scale difference, which is in 1/64 of the scale step."""
    unit = scale_step / 2**32 * 64 * 256
    return RotationParameters(
        axis_factor=int(np.clip(round(1.25 * unit / steps.rotation), 1, 1 << 28)),
        twist_factor=int(np.clip(round(np.pi * unit / steps.rotation), 1, 1 << 28)),
        axis_cells=int(np.clip(round(10 / steps.rotation), 1, 2048)),
        twist_cells=int(np.clip(round(4 * np.pi / steps.rotation), 1, 2048)),
    )


def _colour(splats: Splats, steps: Steps) -> ColourParameters:
    """Steps of Y, Co and Cg in the ratio 1 : sqrt 6 : 2, at which noise in the three is seen alike."""
    ideal = steps.colour * np.array([1.0, np.sqrt(6), 2.0])
    exponent = int(np.clip(np.floor(np.log2(ideal.max())) - 15, -128, 127))
    mantissas = np.clip(np.rint(ideal / 2.0**exponent), 1, 65535).astype(int)
    middle = np.median(splats.sh_dc.astype(np.float64), axis=0, keepdims=True)
    centre = colour_streams.channels(middle)[0] / (mantissas * 2.0 ** (exponent - 6))
    y, co, cg = (int(v) for v in np.clip(np.rint(centre), -200_000, 200_000))
    return ColourParameters(
        exponent=exponent,
        mantissas=(int(mantissas[0]), int(mantissas[1]), int(mantissas[2])),
        offsets=(y, co, cg),
    )
