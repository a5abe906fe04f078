"""`compare`: how far test scenes are from a reference, measured in pictures of both from the same cameras.

Each camera gives a view at every distance: 1 is the camera itself; at 1/2 it has gone half of the way to
what it looks at, which shows errors that training cameras are too far away to see. Distances are
reported apart from each other, never averaged together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np

from gscodec.decoder import thread_count
from gscodec.evaluate import metrics
from gscodec.evaluate.cameras import Camera
from gscodec.splats import Splats

if TYPE_CHECKING:
    from gscodec.evaluate.renderer import Picture, Renderer

Mode = Literal["gsplat", "inria"]

DISTANCES = (1.0, 0.5, 0.25)
SEEN = 1 / 255  # alpha above which a pixel shows something of the scene


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about a view. `higher` says that higher is better; `unit` is "" for ratios.

    `digits` is how many to show after the point.
    """

    name: str
    title: str
    unit: str
    higher: bool
    digits: int


MEASURES = {
    each.name: each
    for each in (
        Measure("psnr", "PSNR", "dB", True, 2),
        Measure("psnr_content", "content", "dB", True, 2),
        Measure("ssim", "SSIM", "", True, 4),
        Measure("ms_ssim", "MS-SSIM", "", True, 4),
        Measure("flip", "FLIP", "", False, 4),
        Measure("lpips", "LPIPS", "", False, 4),
        Measure("p99_error", "p99", "1/255", False, 1),
        Measure("max_error", "max", "1/255", False, 1),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewScores:
    """A test scene next to the reference from one camera.

    name    of the camera
    scores  by name of the measure, a subset of `MEASURES` in that order; inf dB for equal pictures
    """

    name: str
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All views of a test scene at one distance; at least one."""

    distance: float
    views: tuple[ViewScores, ...]

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures that its views have."""
        return tuple(self.views[0].scores)

    def mean(self, measure: str) -> float:
        """Over the views whose pictures differ in it; inf where none does.

        One view in which both scenes are equal, such as one without any splat, has infinitely many dB: in the
        mean it would hide all others.
        """
        values = [view.scores[measure] for view in self.views]
        finite = [value for value in values if math.isfinite(value)]
        return math.fsum(finite) / len(finite) if finite else values[0]

    def worst(self, measure: str) -> ViewScores:
        """The first of the views with the worst score."""
        sign = 1 if MEASURES[measure].higher else -1
        return min(self.views, key=lambda view: sign * view.scores[measure])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Result of `compare`: for each test scene by name, its groups in the order of the distances."""

    tests: Mapping[str, tuple[Group, ...]]

    def facts(self, name: str) -> list[dict[str, object]]:
        """One test's groups, ready for JSON: means, worst views and single views; infinity is "inf"."""
        return [_facts(group) for group in self.tests[name]]

    def lines(self) -> list[str]:
        """A table for people: means over the views, and the view with the lowest PSNR."""
        measures = [
            MEASURES[name] for name in next(iter(self.tests.values()))[0].measures if name != "max_error"
        ]
        rows = [["", "distance", *(measure.title for measure in measures), "worst view"]]
        for label, groups in self.tests.items():
            for group in groups:
                start = label if group is groups[0] else ""
                numbers = [_text(group.mean(measure.name), measure) for measure in measures]
                rows.append([start, distance_name(group.distance), *numbers, _worst(group)])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        out = []
        for row in rows:
            names, numbers, view = row[:2], row[2:-1], row[-1]
            cells = [cell.ljust(width) for cell, width in zip(names, widths[:2], strict=True)]
            cells += [cell.rjust(width) for cell, width in zip(numbers, widths[2:-1], strict=True)]
            out.append("  ".join([*cells, view]))
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What `compare` shows to its caller: the pictures of one camera at one distance, and their scores."""

    name: str
    distance: float
    reference: Picture
    tests: Mapping[str, Picture]
    scores: Mapping[str, Mapping[str, float]]


def compare(
    reference: Splats,
    tests: Mapping[str, Splats],
    cameras: Sequence[Camera],
    *,
    mode: Mode = "gsplat",
    background: tuple[float, float, float] = (0.0, 0.0, 0.0),
    threads: int = 0,
    distances: Sequence[float] = DISTANCES,
    with_flip: bool = True,
    with_lpips: bool = False,
    progress: Callable[[str, float], None] | None = None,
    watch: Callable[[Shot], None] | None = None,
) -> Report:
    """Measure `tests` against `reference` in pictures from `cameras`.

    mode        which renderer to follow
    background  red, green, blue, 0 to 1, of what no splat covers
    threads     0: one per processor; never changes the result
    distances   each above 0 and at most 1: the share of the way to what a camera looks at that remains
    with_flip   FLIP takes as long as all other measures together
    with_lpips  left out of the scores where its package or weights are missing: see `metrics.lpips`
    progress    called with ("comparing", share done)
    watch       called with each `Shot`, camera by camera, distance by distance

    The reference is rendered once per camera and distance, however many tests there are. Raises `ValueError`
    without tests, cameras or distances, or for a distance out of its range.
    """
    from gscodec.evaluate.renderer import Renderer

    if not tests or not cameras or not distances:
        raise ValueError("nothing to compare: expected at least one test, one camera and one distance")
    if wrong := [each for each in distances if not 0 < each <= 1]:
        raise ValueError(f"distance {wrong[0]}: expected more than 0 and at most 1")
    truth = Renderer(reference, mode=mode, threads=threads)
    renderers = {name: Renderer(splats, mode=mode, threads=threads) for name, splats in tests.items()}
    found: dict[str, list[list[ViewScores]]] = {name: [[] for _ in distances] for name in tests}
    with ThreadPoolExecutor(thread_count(threads)) as pool:
        for number, camera in enumerate(cameras):
            for place, (seen, first) in enumerate(_approach(camera, distances, truth, background)):
                pictures = {
                    name: renderer.render(seen, background=background) for name, renderer in renderers.items()
                }
                waiting = {
                    name: _submit(pool, first, picture, with_flip, with_lpips)
                    for name, picture in pictures.items()
                }
                scores = {name: _collect(futures) for name, futures in waiting.items()}
                for name in tests:
                    found[name][place].append(ViewScores(name=camera.name, scores=scores[name]))
                if watch is not None:
                    shot = Shot(
                        name=camera.name,
                        distance=distances[place],
                        reference=first,
                        tests=pictures,
                        scores=scores,
                    )
                    watch(shot)
                if progress is not None:
                    done = number * len(distances) + place + 1
                    progress("comparing", done / (len(cameras) * len(distances)))
    return Report(
        tests={
            name: tuple(
                Group(distance=distance, views=tuple(views))
                for distance, views in zip(distances, groups, strict=True)
            )
            for name, groups in found.items()
        }
    )


def score(
    reference: Picture, test: Picture, *, with_flip: bool = True, with_lpips: bool = False
) -> dict[str, float]:
    """All measures of one picture against another, in the order of `MEASURES`."""
    with ThreadPoolExecutor(1) as pool:
        return _collect(_submit(pool, reference, test, with_flip, with_lpips))


def evenly(cameras: Sequence[Camera], count: int) -> list[Camera]:
    """At most `count` of the cameras, from all over the list, in its order."""
    if len(cameras) <= count:
        return list(cameras)
    return [cameras[(2 * number + 1) * len(cameras) // (2 * count)] for number in range(count)]


def fitted(camera: Camera, size: tuple[int, int], *, may_grow: bool) -> Camera:
    """The camera with as many pixels as fit into `size` (width, height) in its own shape."""
    scale = min(size[0] / camera.width, size[1] / camera.height)
    return camera if scale >= 1 and not may_grow else camera.resized(scale)


def distance_name(distance: float) -> str:
    """full, 1/2, 1/4, 0.3."""
    if distance == 1:
        return "full"
    fraction = Fraction(distance).limit_denominator(16)
    return str(fraction) if math.isclose(fraction, distance) else f"{distance:g}"


def _approach(
    camera: Camera, distances: Sequence[float], truth: Renderer, background: tuple[float, float, float]
) -> list[tuple[Camera, Picture]]:
    """The camera at each distance, and what it sees of the reference."""
    from gscodec.evaluate.rigs import closer, focus_depth

    full = truth.render(camera, background=background)
    found = []
    for distance in distances:
        if distance == 1:
            found.append((camera, full))
        else:
            (moved,) = closer([camera], [focus_depth(full.depth, full.alpha)], distance)
            found.append((moved, truth.render(moved, background=background)))
    return found


def _submit(
    pool: ThreadPoolExecutor, reference: Picture, test: Picture, with_flip: bool, with_lpips: bool
) -> list[Future[dict[str, float]]]:
    """The measures of a view, in parts that take about the same time."""
    parts = [pool.submit(_simple, reference, test), pool.submit(_structural, reference, test)]
    if with_flip:
        parts.append(pool.submit(lambda: {"flip": metrics.flip(reference.rgb, test.rgb)[0]}))
    if with_lpips:
        parts.append(pool.submit(_learned, reference, test))
    return parts


def _collect(parts: Sequence[Future[dict[str, float]]]) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in parts:
        values |= part.result()
    return {name: values[name] for name in MEASURES if name in values}


def _simple(reference: Picture, test: Picture) -> dict[str, float]:
    a, b = reference.rgb, test.rgb
    content = (reference.alpha > SEEN) | (test.alpha > SEEN)
    errors = metrics.pixel_errors(a, b)
    return {
        "psnr": metrics.psnr(a, b),
        "psnr_content": metrics.psnr(a, b, content),
        "p99_error": float(np.percentile(errors, 99)),
        "max_error": float(errors.max()),
    }


def _structural(reference: Picture, test: Picture) -> dict[str, float]:
    single, multiple = metrics.ssim_and_ms_ssim(reference.rgb, test.rgb)
    return {"ssim": single, "ms_ssim": multiple}


def _learned(reference: Picture, test: Picture) -> dict[str, float]:
    value = metrics.lpips(reference.rgb, test.rgb)
    return {} if value is None else {"lpips": value}


def _facts(group: Group) -> dict[str, object]:
    worst = {name: group.worst(name) for name in group.measures}
    return {
        "distance": group.distance,
        "mean": {name: _number(group.mean(name)) for name in group.measures},
        "worst": {
            name: {"value": _number(view.scores[name]), "view": view.name} for name, view in worst.items()
        },
        "equal_views": sum(view.scores["max_error"] == 0 for view in group.views),
        "views": [
            {"view": view.name, **{name: _number(value) for name, value in view.scores.items()}}
            for view in group.views
        ],
    }


def _worst(group: Group) -> str:
    view = group.worst("psnr")
    if math.isinf(view.scores["psnr"]):
        return "all equal"
    return f"{view.name or 'unnamed'} ({_text(view.scores['psnr'], MEASURES['psnr'])} dB)"


def _text(value: float, measure: Measure) -> str:
    return f"{value:.{measure.digits}f}" if math.isfinite(value) else "equal"


def _number(value: float) -> float | str:
    """JSON has no infinity."""
    return value if math.isfinite(value) else "inf"
