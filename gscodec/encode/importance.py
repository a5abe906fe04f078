"""Importance classes from opacity and size: which splats get coarse steps.

The guess is all that there is where nothing is rendered (effort 1), and half of it where cameras are made up.
The importance of a splat is taken as (opacity x largest axis / distance of the viewer)^(1/2). Regressions
of rendered importance on several scenes give powers near 1/2 for opacity and axis: see spec/decisions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

TOP = 0.98  # quantile of importance that class 0 starts from: heavy tails must not move everything
NEAR = 0.3  # share of the scene's detail within the distance that viewers are taken to keep


def _quantile(values: NDArray[np.float64], weight: NDArray[np.float64], share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(total, share * total[-1])]])


def viewing_distance(positions: NDArray[np.float64], detail: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) how far a viewer near the middle of the detail is from each splat.

    Cameras looked where splats are small, so `detail` (N,) weights the search for the middle.
    """
    middle = np.array([_quantile(positions[:, axis], detail, 0.5) for axis in range(3)])
    distance = np.linalg.norm(positions - middle, axis=1)
    near = max(_quantile(distance, detail, NEAR), 1e-12 * float(distance.max()), 1e-30)
    return np.asarray(np.hypot(distance, near))


def importance_of(
    splats: Splats, *, opacity_power: float, size_power: float, distance_power: float
) -> NDArray[np.float64]:
    """(N,) an estimate of the root of what a splat contributes to images, in arbitrary units."""
    alpha = 1 / (1 + np.exp(-np.clip(splats.opacities.astype(np.float64), -20, 20)))
    logs = np.clip(np.sort(splats.scales.astype(np.float64), axis=1), -40, 40)
    distance = viewing_distance(splats.positions.astype(np.float64), alpha / np.exp(logs[:, 1:].mean(1)))
    return np.asarray(
        alpha**opacity_power
        * np.exp(logs[:, 2] * size_power)
        * (distance / distance.min()) ** -distance_power
    )


def top_of(importance: NDArray[np.float64]) -> float:
    """The importance of which class 0 is the middle."""
    return float(np.quantile(importance, TOP))


def classes_of(importance: NDArray[np.float64], classes: int, spread: float = 1.0) -> NDArray[np.uint8]:
    """(N,) class 0 for the most important splats; one class more for every 1/`spread` octaves less."""
    top = top_of(importance)
    octaves = np.log2(top / np.maximum(importance, 1e-300)) if top > 0 else np.zeros(len(importance))
    return np.clip(np.rint(octaves * spread), 0, classes - 1).astype(np.uint8)
