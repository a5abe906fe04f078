"""Importance classes from opacity and size alone (effort 1): which splats get coarse steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

TOP = 0.98  # quantile of importance that class 0 starts from: heavy tails must not move everything


def importance_of(splats: Splats, *, opacity_power: float, size_power: float) -> NDArray[np.float64]:
    """(N,) an estimate of the root of what a splat contributes to images, in arbitrary units."""
    alpha = 1 / (1 + np.exp(-np.clip(splats.opacities.astype(np.float64), -20, 20)))
    largest = np.sort(splats.scales.astype(np.float64), axis=1)[:, 1:]
    return np.asarray(alpha**opacity_power * np.exp(np.clip(largest.mean(1), -40, 40) * size_power))


def classes_of(importance: NDArray[np.float64], classes: int, spread: float = 1.0) -> NDArray[np.uint8]:
    """(N,) class 0 for the most important splats; one class more for every 1/`spread` octaves less."""
    top = np.quantile(importance, TOP)
    octaves = np.log2(top / np.maximum(importance, 1e-300)) if top > 0 else np.zeros(len(importance))
    return np.clip(np.rint(octaves * spread), 0, classes - 1).astype(np.uint8)
