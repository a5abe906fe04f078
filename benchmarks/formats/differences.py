"""How far two sets of the same splats are apart, attribute by attribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gscodec.splats import Splats

ATTRIBUTES = ("positions", "log scales", "shapes", "opacities", "colours", "harmonics")


def differences(ours: Splats, theirs: Splats) -> dict[str, float]:
    """The largest difference of each of `ATTRIBUTES`; infinity where there are not as many of them.

    Sorted log scales, since axes may be named in another order; shapes by the covariance without its size,
    since several quaternions have the same; opacities as such, not their logits, which may be infinite.
    """
    if len(ours) != len(theirs) or ours.sh_degree != theirs.sh_degree:
        return dict.fromkeys(ATTRIBUTES, float("inf"))
    pairs: dict[str, tuple[NDArray[np.floating], NDArray[np.floating]]] = {
        "positions": (ours.positions, theirs.positions),
        "log scales": (np.sort(ours.scales, axis=1), np.sort(theirs.scales, axis=1)),
        "shapes": (_shapes(ours), _shapes(theirs)),
        "opacities": (_opacities(ours), _opacities(theirs)),
        "colours": (ours.sh_dc, theirs.sh_dc),
        "harmonics": (ours.sh_rest, theirs.sh_rest),
    }
    with np.errstate(invalid="ignore"):
        return {
            name: float(np.abs(a.astype(np.float64) - b).max(initial=0.0)) for name, (a, b) in pairs.items()
        }


def _opacities(splats: Splats) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-splats.opacities.astype(np.float64)))


def _shapes(splats: Splats) -> NDArray[np.float64]:
    """(N, 3, 3) covariances, over the square of the largest standard deviation."""
    q = splats.rotations.astype(np.float64)
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rotation = np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1),
        ],
        axis=1,
    )
    scales = splats.scales.astype(np.float64)
    axes = rotation * np.exp(scales - scales.max(axis=1, keepdims=True))[:, None, :]
    return np.asarray(axes @ axes.transpose(0, 2, 1))
