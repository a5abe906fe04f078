"""What the regions of a large scene share, so that no border between them shows.

Every region is encoded as a scene of its own, but how fine its values are must not depend on where the cuts
are: the sizes that steps are relative to, and the importance of class 0, are those of the whole scene. They
come from a sample of it; what only pictures tell is found out on one region, that in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.importance import Viewer, importance_of, top_of, viewer_of
from gscodec.encode.sight import Sight
from gscodec.encode.steps import Extent, Steps, extent_of
from gscodec.evaluate.cameras import Camera
from gscodec.splats import Splats


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Of a scene, for all its regions.

    extent  sizes that steps are relative to
    viewer  from where importance is guessed
    cameras made up for the whole scene, where the caller has none: the same for all regions, or what matters
            to pictures of the scene would not be told from what matters to pictures of one region
    top     the importance of which class 0 is the middle, in units of the guess
    level   by what to multiply the importance that cameras see, to have it in these units; None: not known
    change  of steps, by name: what balances them between attributes
    """

    extent: Extent
    viewer: Viewer
    top: float
    cameras: tuple[Camera, ...] = ()
    level: float | None = None
    change: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Importance of the splats of a region.

    guess   (N,) from opacity, size and place     weight  (N,) with what is seen
    level   from what cameras see to the guess    unit    importance of class 0 as the cameras see it
    """

    guess: NDArray[np.float64]
    weight: NDArray[np.float64]
    level: float = 1.0
    unit: float | None = None


def shared_of(sample: Splats, steps: Steps) -> Shared:
    """Of a scene of which `sample` (not empty, finite) is a fair one."""
    alpha = 1 / (1 + np.exp(-np.clip(sample.opacities.astype(np.float64), -20, 20)))
    logs = np.clip(np.sort(sample.scales.astype(np.float64), axis=1), -40, 40)
    viewer = viewer_of(sample.positions.astype(np.float64), alpha / np.exp(logs[:, 1:].mean(1)))
    top = top_of(guess_of(sample, steps, viewer))
    return Shared(extent=extent_of(sample), viewer=viewer, top=top)


def guess_of(splats: Splats, steps: Steps, viewer: Viewer) -> NDArray[np.float64]:
    """(N,) importance from opacity, size and place."""
    return importance_of(
        splats,
        opacity_power=steps.opacity_power,
        size_power=steps.size_power,
        distance_power=steps.distance_power,
        viewer=viewer,
    )


def weigh(shared: Shared, splats: Splats, sight: Sight | None, steps: Steps, *, given: bool) -> Weights:
    """Importance in units that are the same for all regions.

    Where it is not known how the importance that cameras see compares with the guess, they are taken to be
    the same on the whole.
    """
    guess = guess_of(splats, steps, shared.viewer)
    if sight is None:
        return Weights(guess, guess)
    seen, level = sight.importance(), shared.level
    if level is None:
        shown = (sight.largest > 0) & (guess > 0)
        logs = np.log(guess[shown]) - np.log(seen[shown])
        level = float(np.exp(logs.mean())) if len(logs) else 1.0
    weight = level * seen
    if not given:  # as in a whole scene, made-up cameras and the guess each know half
        weight = np.sqrt(guess * weight)
    return Weights(guess, weight, level, shared.top / level)
