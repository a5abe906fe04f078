"""What cameras see: how much each splat gives to pictures, and in which directions its harmonics matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscodec.attributes.harmonics import Metric
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.renderer import Renderer, Statistics
from gscodec.splats import Splats

GREATEST = 0.02  # share of the one view that shows a splat best, beside the mean of all views


@dataclass(frozen=True, slots=True)
class Trust:
    """How far cameras tell where viewers will be.

    floor     share of the mean importance that every splat has
    anywhere  share of a splat's importance that is taken to be seen from all directions alike
    prune     splats go whose largest weight is under this share of the wanted limit
    """

    floor: float
    anywhere: float
    prune: float


GIVEN = Trust(0.05, 0.1, 1.0)  # the cameras of the photographs
MADE_UP = Trust(0.1, 0.5, 0.1)


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What N splats give to the pictures of some cameras.

    squared  (N,) float64            squared blend weight, summed over a picture's pixels: the mean over
                                     pictures, and a little of the greatest, for splats that few cameras see
    largest  (N,) float32            greatest blend weight in any pixel
    gram     (N, T) float32 or None  `squared` times products of harmonics in the directions seen, the upper
                                     triangle of the matrix, T = (K + 1)(K + 2) / 2
    rows     (N,) or None            where each splat is in `gram`, which is too large to be copied
    """

    trust: Trust
    squared: NDArray[np.float64]
    largest: NDArray[np.float32]
    gram: NDArray[np.float32] | None
    rows: NDArray[np.intp] | None = None

    def importance(self) -> NDArray[np.float64]:
        """(N,) root of the squared weight, with a floor."""
        return np.asarray(np.sqrt(self.squared + self.floor()))

    def floor(self) -> float:
        """What every splat has at least of `squared`."""
        return max(self.trust.floor * float(self.squared.mean()), 1e-12) if len(self.squared) else 1e-12

    def take(self, index: NDArray[np.intp]) -> Sight:
        """Of the splats at `index`."""
        return replace(self, squared=self.squared[index], largest=self.largest[index], rows=self._rows(index))

    def _rows(self, index: NDArray[np.intp]) -> NDArray[np.intp]:
        """Of `gram`, for the splats at `index`."""
        return index if self.rows is None else self.rows[index]

    def metric(self, index: NDArray[np.intp], unit: NDArray[np.float64]) -> Metric | None:
        """Matrices of the splats `index` (M,), over `unit` (M,).

        One that is seen from everywhere, with a squared weight of `unit`, has the identity.
        """
        if self.gram is None:
            return None
        everywhere = (self.floor() + self.trust.anywhere * self.squared[index]) / unit
        scale = (4 * np.pi / unit).astype(np.float32)
        return self.gram, self._rows(index).astype(np.int64), scale, everywhere.astype(np.float32)

    def constant_for(self, index: NDArray[np.intp], error: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M, 3) the change of the constant term that best makes up for `error` (M, K, 3) of the others."""
        if self.gram is None:
            return np.zeros((len(index), 3), np.float32)
        k = error.shape[1]
        rows = self._rows(index)
        products = self.gram[rows, 1 : k + 1]
        own = self.gram[rows, 0] + np.float32(self.floor() / (25 * 4 * np.pi))
        return np.asarray(np.einsum("nk,nkc->nc", products, error) / own[:, None], np.float32)


def evenly(cameras: Sequence[Camera], count: int) -> list[Camera]:
    """At most `count` of the cameras, evenly spread over the list."""
    if len(cameras) <= count:
        return list(cameras)
    return [cameras[k] for k in np.linspace(0, len(cameras) - 1, count).round().astype(int)]


def sized(camera: Camera, pixels: int) -> Camera:
    """The camera with at most about `pixels` pixels."""
    area = camera.width * camera.height
    return camera if area <= pixels else camera.resized((pixels / area) ** 0.5)


def look(
    splats: Splats,
    cameras: Sequence[Camera],
    trust: Trust,
    *,
    threads: int,
    directions: bool = True,
    tell: Callable[[float], None],
) -> Sight:
    """What `cameras` (at least one) see of `splats`; `tell` gets the share that is done."""
    n, degree = len(splats), splats.sh_degree
    renderer = Renderer(splats, threads=threads)
    sums = Statistics.zeros(n, (degree or None) if directions else None)
    before, greatest = np.zeros(n), np.zeros(n)
    for number, camera in enumerate(cameras):
        renderer.render(camera, statistics=sums)
        np.maximum(greatest, sums.squared - before, out=greatest)
        before[:] = sums.squared
        tell((number + 1) / len(cameras))
    mean = sums.squared / len(cameras)
    squared = mean + GREATEST * greatest
    if sums.gram is not None:
        sums.gram *= (squared / np.maximum(sums.squared, 1e-30)).astype(np.float32)[:, None]
    return Sight(trust=trust, squared=squared, largest=sums.largest, gram=sums.gram)
