"""Steps balanced on pictures: a bit spent on any attribute should win the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscodec.encode.refit import pictures
from gscodec.encode.steps import FINEST, Steps, steps_at
from gscodec.evaluate.cameras import Camera
from gscodec.evaluate.renderer import Renderer
from gscodec.splats import Splats

# of each group: bits that an octave of step costs, the power of the step that errors grow with, and what is
# left of them when colours have been corrected
SLOPES = {
    "positions": (3.0, 1.6, 1.0),
    "shapes": (4.7, 2.0, 1.0),
    "opacities": (0.95, 2.0, 0.5),
    "colours": (2.0, 2.0, 0.7),
}
STEPS = {
    "positions": ("position",),
    "shapes": ("scale", "rotation"),
    "opacities": ("opacity",),
    "colours": ("colour",),
}
MOST = 3.0  # times coarser or finer, at most


def losses(
    splats: Splats,
    decoded: Splats,
    order: NDArray[np.intp],
    cameras: Sequence[Camera],
    *,
    threads: int,
    tell: Callable[[float], None],
) -> dict[str, float]:
    """What each group of attributes of `decoded` adds to the error of pictures, as shares of the whole.

    `order` (N,) says which of `splats` each decoded one is.
    """
    place = np.argsort(order)
    wanted = pictures(splats, cameras, threads)
    variants = {
        "positions": ("positions",),
        "shapes": ("scales", "rotations"),
        "opacities": ("opacities",),
        "colours": ("sh_dc",),
    }
    errors = np.zeros((len(variants), len(cameras)))
    for row, names in enumerate(variants.values()):
        changed: dict[str, Any] = {name: getattr(decoded, name)[place] for name in names}
        renderer = None  # gone before the next one is made
        renderer = Renderer(replace(splats, **changed), threads=threads)
        for column, (camera, picture) in enumerate(zip(cameras, wanted, strict=True)):
            off = np.clip(renderer.render(camera).rgb, 0, 1) - np.clip(picture, 0, 1)
            errors[row, column] = np.square(off).mean(dtype=np.float64)
            tell((row * len(cameras) + column + 1) / errors.size)
    whole = errors.sum(0)
    seen = whole > 0
    if not seen.any():
        return dict.fromkeys(variants, 1 / len(variants))
    return dict(zip(variants, (errors[:, seen] / whole[seen]).mean(1).tolist(), strict=True))


def factors(losses: Mapping[str, float]) -> dict[str, float]:
    """What to multiply steps with, by the field of `Steps`, so that bytes stay about the same."""
    names = list(SLOPES)
    bits, power, left = np.array([SLOPES[name] for name in names]).T
    loss = np.maximum(left * [losses[name] for name in names], 1e-6)
    # error falls by power * loss for an e-fold of finer step, which costs `bits`: the ratio is to be equal
    wanted = np.log(bits / (power * loss)) / power
    # ... up to one number, shared by all, which keeps the sum of bits
    common = -(bits * wanted).sum() / (bits / power).sum()
    change = np.exp(np.clip(wanted + common / power, -np.log(MOST), np.log(MOST)))
    return {step: float(c) for name, c in zip(names, change, strict=True) for step in STEPS[name]}


def balanced(steps: Steps, change: Mapping[str, float]) -> Steps:
    """`steps`, each times its factor, none finer than the finest quality has."""
    finest = steps_at(FINEST)
    changed = {name: max(getattr(steps, name) * by, getattr(finest, name)) for name, by in change.items()}
    return replace(steps, **changed)
