"""Importance classes from opacity and size: which splats get coarse steps.

The guess is all that there is where nothing is rendered (effort 1), and half of it where cameras are made up.
The importance of a splat is taken as (opacity x largest axis / distance of the viewer)^(1/2). Regressions
of rendered importance on several scenes give powers near 1/2 for opacity and axis: see spec/decisions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

TOP = 0.98  # quantile of importance that class 0 starts from: heavy tails must not move everything
NEAR = 0.3  # share of the scene's detail within the distance that viewers are taken to keep


def _quantile(values: NDArray[np.float64], weight: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(total, share * total[-1])]])


@dataclass(frozen=True, slots=True, eq=False)
class Viewer:
    """Where viewers are taken to be: about `middle`, hardly ever nearer than `near` to anything."""

    middle: NDArray[np.float64]
    near: float

    def distance(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) from each splat."""
        return np.asarray(np.hypot(np.linalg.norm(positions - self.middle, axis=1), self.near))


def viewer_of(positions: NDArray[np.float64], detail: NDArray[np.float64]) -> Viewer:
    """One near the middle of the detail.

    Cameras looked where splats are small, so `detail` (N,) weights the search for the middle.
    """
    middle = np.array([_quantile(positions[:, axis], detail, 0.5) for axis in range(3)])
    distance = np.linalg.norm(positions - middle, axis=1)
    near = max(_quantile(distance, detail, NEAR), 1e-12 * float(distance.max()), 1e-30)
    return Viewer(middle, near)


def importance_of(
    splats: Splats,
    *,
    opacity_power: float,
    size_power: float,
    distance_power: float,
    viewer: Viewer | None = None,
) -> NDArray[np.float64]:
    """(N,) an estimate of the root of what a splat contributes to images.

    In arbitrary units, but the same for all splats for which one `viewer` is given.
    """
    alpha = 1 / (1 + np.exp(-np.clip(splats.opacities.astype(np.float64), -20, 20)))
    logs = np.clip(np.sort(splats.scales.astype(np.float64), axis=1), -40, 40)
    positions = splats.positions.astype(np.float64)
    if viewer is None:
        distance = viewer_of(positions, alpha / np.exp(logs[:, 1:].mean(1))).distance(positions)
        unit = float(distance.min())
    else:
        distance, unit = viewer.distance(positions), viewer.near
    return np.asarray(
        alpha**opacity_power * np.exp(logs[:, 2] * size_power) * (distance / unit) ** -distance_power
    )


def top_of(importance: NDArray[np.float64]) -> float:
    """The importance of which class 0 is the middle."""
    return float(np.quantile(importance, TOP))


def classes_of(
    importance: NDArray[np.float64], classes: int, spread: float = 1.0, top: float | None = None
) -> NDArray[np.uint8]:
    """(N,) class 0 for the most important splats; one class more for every 1/`spread` octaves less.

    `top` is the importance of which class 0 is the middle, where more than these splats decide it.
    """
    top = top_of(importance) if top is None else top
    octaves = np.log2(top / np.maximum(importance, 1e-300)) if top > 0 else np.zeros(len(importance))
    return np.clip(np.rint(octaves * spread), 0, classes - 1).astype(np.uint8)
