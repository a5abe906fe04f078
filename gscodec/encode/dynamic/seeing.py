"""What cameras see of splats that move: each camera looks at one of several moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.dynamic.model import SEEN
from gscodec.encode.sight import GREATEST, Sight, Trust
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.renderer import Renderer, Statistics
from gscodec.splats import Splats

MISSED = 1.5  # times the opacity in a frame that was looked at: a splat may have been missed
Moment = Callable[[], Splats]  # all splats at that moment, the same number in the same order at each


def see(
    moments: Sequence[Moment],
    cameras: Sequence[Camera],
    trust: Trust,
    *,
    threads: int,
    directions: bool,
    tell: Callable[[float], None],
) -> Sight:
    """As `look` does, with every camera at one of the moments, by turns; there are at least as many."""
    sums: Statistics | None = None
    done = 0
    for number, moment in enumerate(moments):
        splats = moment()
        renderer = Renderer(splats, threads=threads)
        if sums is None:
            count, degree = len(splats), splats.sh_degree
            sums = Statistics.zeros(count, (degree or None) if directions else None)
            before, greatest = np.zeros(count), np.zeros(count)
        for camera in cameras[number :: len(moments)]:
            renderer.render(camera, statistics=sums)
            np.maximum(greatest, sums.squared - before, out=greatest)
            before[:] = sums.squared
            done += 1
            tell(done / len(cameras))
    if sums is None:
        raise RuntimeError("nothing to look at")
    squared = sums.squared / len(cameras) + GREATEST * greatest
    if sums.gram is not None:
        sums.gram *= (squared / np.maximum(sums.squared, 1e-30)).astype(np.float32)[:, None]
    return Sight(trust=trust, squared=squared, largest=sums.largest, gram=sums.gram)


def fair(sight: Sight, alpha: NDArray[np.floating], at: Sequence[int]) -> Sight:
    """What is seen of splats that come and go, each camera having looked at one of the frames `at`.

    The cameras that would have seen such a splat may have looked while it was hidden: it counts for as much
    as others that are shown as often, and is not pruned. alpha  (F, N) opacities at all frames
    """
    looked = alpha[list(at)]
    missed = np.flatnonzero(alpha.max(0) > np.maximum(MISSED * looked.min(0), SEEN))
    if not len(missed):
        return sight
    squared, largest = sight.squared.copy(), sight.largest.copy()
    usual = float(sight.squared.mean()) / max(float(np.square(looked).mean()), 1e-30)
    squared[missed] = np.maximum(squared[missed], usual * np.square(alpha[:, missed]).mean(0))
    largest[missed] = np.inf
    return replace(sight, squared=squared, largest=largest)


def together(parts: Sequence[Sight]) -> Sight:
    """Of the splats of all parts, one after the other."""
    grams = [part.gram for part in parts]
    return Sight(
        trust=parts[0].trust,
        squared=np.concatenate([part.squared for part in parts]),
        largest=np.concatenate([part.largest for part in parts]),
        gram=None if any(g is None for g in grams) else np.concatenate([g for g in grams if g is not None]),
    )
